package structured

import (
	"context"
	"math"
	"slices"

	"pare/catalog"
	"pare/graph"
	"pare/internal/printable"
	"pare/model"
	"pare/prune"
	"pare/prune/hook"
	"pare/prune/structure"
)

// Shrinking are the settings of methods that train channels towards zero, by a penalty on
// their scales, before they are cut.
type Shrinking struct {
	Lambda     float64 `flag:"lambda" range:"[0,)" doc:"weight of the penalty on the scales of batch normalisation, in the loss"`
	Smooth     bool    `flag:"smooth" doc:"scales within one step of zero are pulled in proportion to their size, not by lambda"`
	Unscaled   string  `flag:"unscaled" choice:"lasso,leave" doc:"channels that no batch normalisation scales: lasso (the norm of the filters that make them is made small instead) or leave (they stay whole)"`
	Tau        float64 `flag:"tau" range:"[0,)" doc:"scales up to this count as zero, in what is told of the cut"`
	Constants  string  `flag:"constants" choice:"fold,drop" doc:"what a channel of scale zero still sends, from the shift of its normalisation: fold (into the biases of the layers that read it) or drop"`
	Statistics string  `flag:"statistics" choice:"estimate,keep" doc:"of batch normalisation, after the cut: estimate (anew, from 50 batches of the training set) or keep"`
}

// shrinking is how a penalty is put on channels in a job.
type shrinking struct {
	Shrinking
	job   *model.Job
	scope prune.Scope
}

// choose gives what a rating keeps of a network; see model.ChannelTarget.Cut.
func (s *shrinking) choose(ctx context.Context, g *graph.Graph, t model.ChannelTarget, rate model.ChannelScore) (structure.Kept, error) {
	_, kept, err := t.Cut(ctx, s.job.On(g), func(g *graph.Graph, groups []*structure.Group) ([][]float64, bool, error) {
		rates, costs, err := rate(g, groups)
		if err != nil || s.Unscaled == "lasso" {
			return rates, costs, err
		}
		scales := structure.Scales(g, groups)
		if !slices.ContainsFunc(scales, func(of []int) bool { return len(of) > 0 }) {
			return nil, false, catalog.Errorf("no batch normalisation scales a channel that could be cut: {Unscaled} lasso makes the norms of filters small instead")
		}
		for i, of := range scales { // the last to go
			for c := range rates[i] {
				if len(of) == 0 {
					rates[i][c] = math.Inf(1)
				}
			}
		}
		return rates, costs, nil
	}, s.scope)
	if err != nil || s.Unscaled == "lasso" {
		return kept, err
	}
	groups, _ := structure.Groups(g)
	sel := kept.Selection(groups)
	for i, of := range structure.Scales(g, groups) {
		if len(of) == 0 && sel[i].Count() < len(groups[i].Channels) {
			return nil, catalog.Errorf("the target takes channels of %s, which no batch normalisation scales: ask for less, without {Even}, or give {Unscaled} lasso", groups[i].Name)
		}
	}
	return kept, nil
}

// check returns an error where the target cannot be reached. It is asked before any
// training.
func (s *shrinking) check(ctx context.Context, t model.ChannelTarget) error {
	quiet := *s
	quiet.job = s.job.On(s.job.Graph)
	quiet.job.Log = nil
	_, err := quiet.choose(ctx, s.job.Graph, t, s.rate)
	return err
}

// rate gives the size of what is made small of each channel: the largest scale of those
// that are tied, or, over its group's mean, the norm of the filters that make it.
func (s *shrinking) rate(g *graph.Graph, groups []*structure.Group) ([][]float64, bool, error) {
	out := structure.LargestScales(g, groups)
	for i, x := range out {
		if x != nil {
			continue
		}
		out[i] = make([]float64, len(groups[i].Channels))
		for c := range out[i] {
			for _, k := range groups[i].Makes() {
				x := groups[i].Axes[k].Value.Const.F32()
				for _, e := range groups[i].Entries(k, c) {
					out[i][c] += float64(at(x, e)) * float64(at(x, e))
				}
			}
			out[i][c] = math.Sqrt(out[i][c])
		}
		structure.Relative(out[i])
	}
	return out, false, nil
}

// at is an entry of numbers, of which there are none where they are no float32.
func at(x []float32, i int) float32 {
	if i < len(x) {
		return x[i]
	}
	return 0
}

// hook makes the channels small that a selection does not keep; nil: all that may be cut.
func (s *shrinking) hook(g *graph.Graph, keep structure.Kept) *hook.Shrink {
	h := &hook.Shrink{Lambda: s.Lambda, Smooth: s.Smooth}
	groups, _ := structure.Groups(g)
	sel := keep.Selection(groups)
	for i, of := range structure.Scales(g, groups) {
		if !groups[i].In(s.scope) || len(of) == 0 && s.Unscaled == "leave" {
			continue
		}
		for c := range groups[i].Channels {
			if keep != nil && sel[i].Kept(c) {
				continue
			}
			var lasso hook.Block
			for _, k := range of {
				for _, e := range groups[i].Entries(k, c) {
					h.Blocks = append(h.Blocks, hook.Block{{Name: groups[i].Axes[k].Value.Name, At: []int{e}}})
				}
			}
			for _, k := range groups[i].Makes() {
				if v := groups[i].Axes[k].Value; len(of) == 0 && v.Role == graph.Param && v.Const.F32() != nil {
					lasso = append(lasso, hook.Entries{Name: v.Name, At: groups[i].Entries(k, c)})
				}
			}
			if lasso != nil {
				h.Blocks = append(h.Blocks, lasso)
			}
		}
	}
	return h
}

// ShrunkFacts are what a cut of channels found that were trained towards zero. Scales of
// channels without normalisation are norms of their filters, over the group's mean.
type ShrunkFacts struct {
	Channels int     `json:"channels"`     // that can be cut
	Cut      int     `json:"cut"`          // that are gone
	Alive    int     `json:"alive"`        // of them, with a scale above tau
	Largest  float64 `json:"largest"`      // scale among those that are gone
	Staying  float64 `json:"mean_staying"` // mean scale of those that stay
	Folded   int     `json:"folded"`       // layers that took constants into their biases
}

// cut removes the channels that are not kept from the job's network, says how near to zero
// they were, and estimates statistics anew where that is asked for.
func (s *shrinking) cut(ctx context.Context, kept structure.Kept) (*model.Result, error) {
	g := s.job.Graph
	groups, _ := structure.Groups(g)
	sel := kept.Selection(groups)
	res := &model.Result{Kept: kept}
	facts := &ShrunkFacts{}
	res.Facts = facts
	rates, _, err := s.rate(g, groups)
	if err != nil {
		return nil, err
	}
	for i, of := range rates {
		facts.Channels += len(of)
		for c, x := range of {
			if sel[i].Kept(c) {
				facts.Staying += x
				continue
			}
			facts.Cut++
			facts.Largest = math.Max(facts.Largest, x)
			if x > s.Tau {
				facts.Alive++
			}
		}
	}
	facts.Staying /= float64(max(1, facts.Channels-facts.Cut))
	if facts.Alive > 0 {
		res.Note("%d of the %d channels that are cut have a scale above {Tau} %v, up to %.3g: cutting them changes what the network does; a larger {Lambda} or more {Recipe.Epochs} bring them nearer to zero", facts.Alive, facts.Cut, s.Tau, facts.Largest)
	}
	if s.Constants == "fold" {
		var f structure.Folded
		if g, f, err = structure.FoldConstants(g, groups, sel); err != nil {
			return nil, err
		}
		facts.Folded = f.Readers
		if groups, _ = structure.Groups(g); len(f.Unknown) > 0 {
			res.Note("what channels that are cut send to %s is not known: it is dropped", printable.Few(f.Unknown))
		}
		if len(f.Edges) > 0 {
			s.job.Logf("%s pad with zeros: constants that were folded into their biases are exact inside images, not at edges", printable.Few(f.Edges))
		}
	}
	if res.Graph, err = structure.Cut(g, groups, kept.Selection(groups)); err != nil {
		return nil, err
	}
	if _, err := s.job.Repair(ctx, res); err != nil {
		return nil, err
	}
	if s.Statistics == "estimate" {
		if err := s.job.Recalibrate(ctx, res.Graph, s.job.Recipe.Batch); err != nil {
			return nil, err
		}
	}
	return res, s.job.LogUntuned(ctx, res.Graph)
}
