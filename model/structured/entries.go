package structured

import (
	"context"
	"slices"

	"pare/catalog"
	"pare/dataset"
	"pare/graph"
	"pare/graph/op"
	"pare/model"
	"pare/prune"
	"pare/prune/score"
	"pare/prune/structure"
	"pare/train"
)

// members lists the trained parameters that have a say, each once, in the order in which
// the network has them.
func (s *SPA) members(g *graph.Graph, groups []*structure.Group) ([]*graph.Value, error) {
	ws, err := prune.Weights(g, prune.Scope{})
	if err != nil {
		return nil, err
	}
	weights := prune.Values(ws)
	factor, added := map[*graph.Value]bool{}, map[*graph.Value]bool{}
	op.Each(g, func(n *graph.Node) {
		for _, p := range op.Params(n) {
			if v := n.In(p.In); p.Part == op.Bias {
				added[v] = true
			} else {
				factor[v] = true
			}
		}
	})
	in := map[*graph.Value]bool{}
	for _, grp := range groups {
		for _, a := range grp.Axes {
			in[a.Value] = true
		}
	}
	var out []*graph.Value
	for _, v := range g.Consts() {
		switch {
		case !in[v] || v.Role != graph.Param || v.Const.F32() == nil:
		case (s.Members == "weights" || s.Score == "synflow") && !slices.Contains(weights, v):
		case s.Members == "factors" && (added[v] || !factor[v] && !slices.Contains(weights, v)):
		default:
			out = append(out, v)
		}
	}
	return out, nil
}

// mostScored is the greatest batch that scores are taken on; more samples make more
// batches.
const mostScored = 256

// graspTemperature divides the network's outputs before the loss of GraSP, as in its
// authors' code; CroP has none.
const graspTemperature = 200

// entries are the scores of the entries of parameters.
func (s *SPA) entries(ctx context.Context, j *model.Job, of []*graph.Value) (map[*graph.Value][]float32, error) {
	var scores [][]float32
	var err error
	ws := make([]*prune.Weight, len(of))
	for i, v := range of {
		ws[i] = &prune.Weight{Value: v}
	}
	switch s.Score {
	case "magnitude-l1":
		scores = score.Magnitude(ws)
	case "magnitude-l2":
		scores = score.Squares(ws)
	case "synflow":
		scores, err = s.flow(j, of)
	case "obd":
		f := score.NewFisher(of)
		if _, _, err := j.EachGradient(ctx, of, s.Samples, f.Add); err != nil {
			return nil, err
		}
		return f.Saliency(), nil
	default:
		scores, err = s.sensitivity(ctx, j, ws)
	}
	if err != nil {
		return nil, err
	}
	out := map[*graph.Value][]float32{}
	for i, v := range of {
		out[v] = scores[i]
	}
	return out, nil
}

// flow is one pass of synaptic flow.
func (s *SPA) flow(j *model.Job, of []*graph.Value) ([][]float32, error) {
	all, err := prune.Weights(j.Graph, prune.Scope{})
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(w *prune.Weight) bool { return !slices.Contains(of, w.Value) })
	slices.SortFunc(all, func(a, b *prune.Weight) int { return slices.Index(of, a.Value) - slices.Index(of, b.Value) })
	f, err := j.Flow(all)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.Score(nil)
}

// sensitivity is the score by gradients of the loss on labelled samples: by the gradient
// itself, or by what the Hessian makes of it.
func (s *SPA) sensitivity(ctx context.Context, j *model.Job, ws []*prune.Weight) ([][]float32, error) {
	d, err := s.batches(j)
	if err != nil {
		return nil, err
	}
	loss, err := j.Objective()
	if err != nil {
		return nil, err
	}
	if s.Score == "grasp" {
		loss.Temper = graspTemperature
	}
	of := prune.Values(ws)
	g, err := train.Gradients(ctx, j.Graph, of, d, loss, j.Engine)
	if err != nil {
		return nil, err
	}
	if s.Score == "snip" {
		return score.Sensitivity(ws, g), nil
	}
	hg, err := train.HessianProduct(ctx, j.Graph, of, g, d, loss, j.Engine)
	if err != nil {
		return nil, err
	}
	if s.Score == "crop" {
		return score.CroP(ws, hg)
	}
	return score.GraSP(ws, hg)
}

// batches are the samples to score with.
func (s *SPA) batches(j *model.Job) (train.Source, error) {
	if j.Data == nil || j.Data.Train == nil || j.Data.Train.Len() == 0 {
		return nil, catalog.Errorf("{Score} %s takes gradients of the loss on labelled samples: give {Data}", s.Score)
	}
	if err := j.NeedsLabels("{Score} " + s.Score + " takes gradients of the loss on labelled samples"); err != nil {
		return nil, err
	}
	set := j.Data.Train.Draw(s.Samples, j.Seed)
	n := set.Len()
	_, size := j.Graph.Batch(n / ((n + mostScored - 1) / mostScored))
	if size > n {
		return nil, catalog.Errorf("the network's batch is fixed to %d, and there are %d samples: raise {Samples}", size, n)
	}
	return train.NewData(&dataset.Loader{Set: set, Size: size, Norm: j.Data.Norm}), nil
}
