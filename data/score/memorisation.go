package score

import (
	"context"
	_ "embed"
	"fmt"

	"pare/catalog"
	"pare/data"
	"pare/dataset"
	"pare/graph"
	"pare/internal/kernel"
	"pare/model"
	"pare/prune"
	"pare/train"
)

// Memorisation scores samples by how much more often they are right in networks that were
// trained on them.
type Memorisation struct {
	Splits int     `flag:"splits" range:"[1,)" doc:"random divisions of the samples in two halves; a network is trained on each half"`
	Epochs int     `flag:"epochs" range:"[1,)" doc:"passes of each training over its half"`
	LR     float64 `flag:"lr" range:"(0,)" auto:"0" doc:"peak learning rate of the trainings, along a cosine (auto: found by a short range test); above 0, or auto"`
	Batch  int     `flag:"batch" range:"[1,)" doc:"samples in each step, at most a half"`
}

//go:embed memorisation.md
var memorisationDoc string

// NewMemorisation is the method with 4 divisions, 8 trainings of 20 epochs.
func NewMemorisation() *Memorisation { return &Memorisation{Splits: 4, Epochs: 20, Batch: 128} }

// Card describes the method.
func (*Memorisation) Card() *catalog.Card {
	return &catalog.Card{Name: "memorisation", Title: "How much more often a sample is right in networks that were trained on it", Noun: "data", Doc: memorisationDoc, Cuts: "nothing: it scores samples", Needs: catalog.Trains,
		Paper: "Feldman, Zhang: What Neural Networks Memorize and Why: Discovering the Long Tail via Influence Estimation (NeurIPS 2020), arXiv 2008.03703"}
}

// MemorisationFacts say how right the networks were.
type MemorisationFacts struct {
	Trainings int     `json:"trainings"`
	In        float64 `json:"right_in"`  // share of the samples that a network was trained on and has right
	Out       float64 `json:"right_out"` // share of the others
}

// Run scores: with 2·Splits trainings of the first of the job's networks, from other initial weights each.
func (s *Memorisation) Run(ctx context.Context, j *data.Job) (*data.Result, error) {
	if err := j.NeedsNetworks(); err != nil {
		return nil, err
	}
	label, err := j.NeedsClasses("a sample is right by its class")
	if err != nil {
		return nil, err
	}
	if _, err := train.NewView(j.Networks[0], j.Set, 1, j.Loss.Objective); err != nil {
		return nil, err
	}
	if j.Set.Len() < 4 {
		return nil, catalog.Errorf("%d samples cannot be halved and trained on: give more {Data}", j.Set.Len())
	}
	in, out := make([]int, len(label)), make([]int, len(label))
	place := map[int]int{}
	for i := range label {
		place[j.Set.Number(i)] = i
	}
	facts := &MemorisationFacts{Trainings: 2 * s.Splits}
	for k := range s.Splits {
		seed := j.Seed + uint64(k)
		a, b, err := j.Set.Split(.5, seed)
		if err != nil {
			return nil, err
		}
		for h, half := range []*dataset.Set{a, b} {
			if half.Len() == 0 {
				return nil, catalog.Errorf("no class has two samples, of which one could be left out: give more {Data}")
			}
			if j.Log != nil {
				j.Log("training %d of %d, on %d samples", 2*k+h+1, facts.Trainings, half.Len())
			}
			right, err := s.trained(ctx, j, half, 2*seed+uint64(h), label)
			if err != nil {
				return nil, err
			}
			member := make([]bool, len(label))
			for i := range half.Len() {
				member[place[half.Number(i)]] = true
			}
			for i, is := range right {
				switch {
				case is && member[i]:
					in[i]++
				case is:
					out[i]++
				}
			}
		}
	}
	values := make([]float64, len(label))
	for i := range values {
		values[i] = float64(in[i]-out[i]) / float64(s.Splits)
		facts.In += float64(in[i]) / float64(s.Splits*len(label))
		facts.Out += float64(out[i]) / float64(s.Splits*len(label))
	}
	res := &data.Result{Score: data.NewScore(j.Set, data.High, values), Facts: facts}
	res.Note("the networks have %.1f %% of the samples right that they were trained on, and %.1f %% of the others", 100*facts.In, 100*facts.Out)
	return res, nil
}

// trained says which samples a network has right after a training on a half.
func (s *Memorisation) trained(ctx context.Context, j *data.Job, half *dataset.Set, seed uint64, label []int32) ([]bool, error) {
	g, _ := j.Networks[0].Clone(true)
	if err := (prune.Init{Seed: seed}).Apply(g); err != nil {
		return nil, err
	}
	r := model.Defaults()
	r.Epochs, r.LR, r.Batch, r.Keep = s.Epochs, s.LR, min(s.Batch, half.Len()), "last"
	job := &model.Job{Graph: g, Data: &dataset.Data{Train: half, Norm: j.Norm}, Recipe: r, Seed: seed, Engine: j.Engine}
	if _, err := job.Fit(ctx, g); err != nil {
		return nil, err
	}
	return correct(ctx, j, g, label)
}

// correct says of which samples a network finds the class, the first of equal ones.
func correct(ctx context.Context, j *data.Job, g *graph.Graph, label []int32) ([]bool, error) {
	e := train.NewEval(j.Set, j.Norm, 128, j.Engine)
	e.Objective = j.Loss.Objective
	out := make([]bool, 0, len(label))
	_, err := e.Scores(ctx, g, func(scores []float32, labels []int64, width int) error {
		if len(out)+len(labels) > len(label) {
			return fmt.Errorf("the network gives scores for more than one place of a sample: scores are of samples with one class each")
		}
		for i := range labels {
			best := kernel.Argmax(scores[i*width : (i+1)*width])
			out = append(out, int32(best) == label[len(out)])
		}
		return nil
	})
	return out, err
}
