package score

import (
	"context"
	_ "embed"
	"math"
	"math/rand/v2"
	"slices"

	"pare/catalog"
	"pare/data"
	"pare/data/hygiene"
	"pare/dataset"
	"pare/graph"
	"pare/model"
	"pare/prune"
	"pare/train"
)

// AUMThreshold scores samples by the area under the margin of their label, less that of samples which
// are given a class that there is not.
type AUMThreshold struct {
	Percentile float64 `flag:"percentile" range:"(0,100]" doc:"of the areas of threshold samples, at which a label is likely wrong"`
	Epochs     int     `flag:"epochs" range:"[1,)" doc:"passes of each of the two trainings, at a constant learning rate"`
	LR         float64 `flag:"lr" range:"(0,)" auto:"0" doc:"learning rate of the trainings (auto: found by a short range test); above 0, or auto"`
	Batch      int     `flag:"batch" range:"[1,)" doc:"samples in each step"`
}

//go:embed aumthreshold.md
var aumThresholdDoc string

// NewAUMThreshold is the method at the 99th percentile, with 10 epochs in batches of 64.
func NewAUMThreshold() *AUMThreshold { return &AUMThreshold{Percentile: 99, Epochs: 10, Batch: 64} }

// Card describes the method.
func (*AUMThreshold) Card() *catalog.Card {
	return &catalog.Card{Name: "aum-threshold", Title: "Area under the margin, less that of samples of a class that there is not", Noun: "data", Doc: aumThresholdDoc, Cuts: "nothing: it scores samples", Needs: catalog.Trains,
		Paper: "Pleiss, Zhang, Elenberg, Weinberger: Identifying Mislabeled Data using the Area Under the Margin Ranking (NeurIPS 2020), arXiv 2001.10528"}
}

// Outputs is how many outputs a network needs for so many classes.
func (*AUMThreshold) Outputs(classes int) int { return classes + 1 }

// AUMThresholdFacts say where the thresholds are, and which samples have areas no higher.
type AUMThresholdFacts struct {
	Thresholds []float64 `json:"thresholds"` // of each training
	Flagged    []int32   `json:"flagged"`    // stored numbers
}

// Run scores, by two trainings of the first of the job's networks from new weights.
func (s *AUMThreshold) Run(ctx context.Context, j *data.Job) (*data.Result, error) {
	if err := j.NeedsNetworks(); err != nil {
		return nil, err
	}
	label, err := j.NeedsClasses("the margin is one of a sample's class")
	if err != nil {
		return nil, err
	}
	classes, n := j.Set.Class().Classes, len(label)
	for i, y := range label {
		if y < 0 || int(y) >= classes {
			return nil, catalog.Errorf("sample %d has no class: give {Data} with one for each sample", j.Set.Number(i))
		}
	}
	v, err := train.NewView(j.Networks[0], j.Set, 1, j.Loss.Objective)
	if err != nil {
		return nil, err
	}
	if v.Width != s.Outputs(classes) {
		return nil, catalog.Errorf("{Network} has %d outputs, and %d are needed: one more than there are classes, for the samples that stand for none of them", v.Width, s.Outputs(classes))
	}
	few := n / (classes + 1)
	if few < 1 || n < 2*few+1 {
		return nil, catalog.Errorf("of %d samples of %d classes none can stand for a class of its own: give more {Data}", n, classes)
	}
	at := rand.New(rand.NewPCG(j.Seed, 0x61756d)).Perm(n)
	facts := &AUMThresholdFacts{Flagged: []int32{}}
	values := make([]float64, n)
	for k := range 2 {
		if j.Log != nil {
			j.Log("training %d of 2, with %d samples of a class of their own", k+1, few)
		}
		fake := at[k*few : (k+1)*few]
		aum, err := s.areas(ctx, j, fake, uint64(k))
		if err != nil {
			return nil, err
		}
		var of []float64
		for _, i := range fake {
			of = append(of, aum[i])
		}
		threshold := percentile(of, s.Percentile)
		facts.Thresholds = append(facts.Thresholds, threshold)
		decides := at
		if k == 1 { // about those that stood for the class in the first
			decides = at[:few]
		}
		for _, i := range decides {
			values[i] = aum[i] - threshold
		}
	}
	for i, v := range values {
		if v <= 0 {
			facts.Flagged = append(facts.Flagged, int32(j.Set.Number(i)))
		}
	}
	res := &data.Result{Score: data.NewScore(j.Set, data.Low, values), Facts: facts}
	res.Note("%d labels are likely wrong: their values are 0 or less", len(facts.Flagged))
	return res, nil
}

// areas trains a network with some samples in a class of their own, and gives the areas of all.
func (s *AUMThreshold) areas(ctx context.Context, j *data.Job, fake []int, k uint64) ([]float64, error) {
	y := *j.Set.Class()
	of := slices.Index(j.Set.Fields, j.Set.Class())
	y.Ints, y.Names = slices.Clone(y.Ints), nil
	for _, i := range fake {
		y.Ints[j.Set.Number(i)] = int32(y.Classes)
	}
	y.Classes++
	set := *j.Set
	set.Fields = slices.Clone(set.Fields)
	set.Fields[of] = &y
	g, _ := j.Networks[0].Clone(true)
	v, err := train.NewView(g, &set, 1, j.Loss.Objective)
	if err != nil {
		return nil, err
	}
	if err := (prune.Init{Seed: 2*j.Seed + k}).Apply(g); err != nil {
		return nil, err
	}
	r := model.Defaults()
	r.Epochs, r.LR, r.Batch, r.Schedule, r.Keep = s.Epochs, s.LR, min(s.Batch, set.Len()), "constant", "last"
	job := &model.Job{Graph: g, Data: &dataset.Data{Train: &set, Norm: j.Norm}, Recipe: r, Seed: 2*j.Seed + k, Engine: j.Engine}
	labels := data.Classes(&set)
	aum := hygiene.NewAUM(set.Len())
	_, err = job.Fit(ctx, g, &afterEpochs{look: func(g *graph.Graph) error {
		out := make([]float32, 0, set.Len()*v.Width)
		if err := train.NewEval(&set, j.Norm, 128, j.Engine).Outputs(ctx, g, func(x []float32, _ int) error {
			out = append(out, x...)
			return nil
		}); err != nil {
			return err
		}
		return aum.Add(out, labels, v.Width)
	}})
	return aum.Values(), err
}

// afterEpochs looks at a network after each epoch of its training.
type afterEpochs struct {
	train.Observer
	look func(g *graph.Graph) error
}

// AfterEpoch looks.
func (h *afterEpochs) AfterEpoch(r *train.Run, _ train.Epoch) error { return h.look(r.Graph) }

// percentile is that of numbers, between two of them in proportion.
func percentile(x []float64, p float64) float64 {
	x = slices.Sorted(slices.Values(x))
	at := p / 100 * float64(len(x)-1)
	lo := int(math.Floor(at))
	hi := min(lo+1, len(x)-1)
	return x[lo] + (at-float64(lo))*(x[hi]-x[lo])
}
