package search

import (
	_ "embed"

	"context"
	"errors"
	"math"
	"slices"

	"pare/catalog"
	"pare/dataset"
	"pare/graph"
	"pare/model"
	"pare/prune"
	"pare/prune/structure"
	"pare/train"
)

// TAS is transformable architecture search.
type TAS struct {
	model.ChannelTarget
	Search      int     `flag:"search" range:"[0,)" doc:"epochs of the search (0: as many as {Recipe.Epochs}, which are those of the network that is found)"`
	Cost        float64 `flag:"cost" range:"[0,)" doc:"weight of the logarithm of the expected cost in the loss of the logits"`
	Tolerance   float64 `flag:"tolerance" range:"[0,1)" doc:"share of the whole cost that the network may stay below the budget before the search makes it larger again"`
	Hot         float64 `flag:"hot" range:"(0,)" doc:"temperature of the Gumbel softmax at the beginning"`
	Cold        float64 `flag:"cold" range:"(0,)" doc:"temperature at the end"`
	Cooling     string  `flag:"cooling" choice:"cosine,linear" doc:"how the temperature falls from epoch to epoch"`
	ArchLR      float64 `flag:"arch-lr" range:"[0,)" doc:"learning rate of the logits, by Adam"`
	ArchDecay   float64 `flag:"arch-decay" range:"[0,)" doc:"weight decay of the logits"`
	Depth       string  `flag:"depth" choice:"odd,thirds,shares,none" doc:"depths of a stage of L residual blocks: odd (1, 3, 5 … and L; of up to 3 blocks all), thirds (of L), shares (L j / S for j up to S, the blocks of the shortest stage) or none (all blocks stay)"`
	Weights     string  `flag:"weights" choice:"drawn,kept" doc:"with which weights the training of the network that is found begins: drawn (initial ones, as in the paper) or kept (those of the file, of its first channels and blocks)"`
	Transfer    float64 `flag:"transfer" range:"[0,1]" doc:"share of the distillation from the network before in the loss of that training (0: labels alone)"`
	Temperature float64 `flag:"transfer-temperature" range:"(0,)" doc:"temperature of that distillation"`
	model.Fresh
	model.Layers

	Shape func(*Supernet) Arch // chooses the network in the place of the search; nil: the search
}

//go:embed tas.md
var tasDoc string

var tasCard = &catalog.Card{
	ID: "16", Name: "tas", Noun: "model", Title: "Transformable architecture search",
	Paper: "Dong, Yang: Network Pruning via Transformable Architecture Search (NeurIPS 2019). arXiv 1905.09717",
	Cuts:  "channels", Needs: catalog.Trains, Doc: tasDoc,
	Axes: catalog.Axes{SpeedUp: "universal", When: "during", How: "search gates regularisation one-shot retrain", Supervision: "labels", Fusion: "search distillation"},
}

// NewTAS gives the method with its defaults.
func NewTAS() *TAS {
	return &TAS{ChannelTarget: model.ChannelTarget{MACs: .5, Round: 1}, Cost: 2, Tolerance: .05, Hot: 5, Cold: .1, Cooling: "cosine", ArchLR: 1e-3, ArchDecay: 1e-3,
		Depth: "odd", Weights: "drawn", Transfer: .9, Temperature: 4}
}

// Card describes the method.
func (*TAS) Card() *catalog.Card { return tasCard }

// Drives says that the trainings are the method's own.
func (*TAS) Drives() bool { return true }

// TASFacts are what the search came to. Costs are shares of the whole network's
// multiply-accumulates.
type TASFacts struct {
	Expected float64     `json:"expected"` // by the probabilities of widths and depths
	Searched float64     `json:"searched"` // of the network of the highest logits
	Found    float64     `json:"found"`    // of the network that was made
	Moves    int         `json:"moves"`    // by which that was moved within the budget
	Widths   []TASChoice `json:"widths"`
	Stages   []TASChoice `json:"stages"`
}

// TASChoice is what was chosen for a group of channels, or for a stage of blocks.
type TASChoice struct {
	Name        string  `json:"name"`
	Of          int     `json:"of"`
	Kept        int     `json:"kept"`
	Probability float64 `json:"probability"` // of what is kept
}

var errNothing = errors.New("there is nothing to search: no group of channels, of 4 and more in scope, has several widths, and no stage several depths")

// outOfReach says of a budget that no network of a supernet has it.
func outOfReach(field string, asked, least float64) error {
	return catalog.Errorf("{%s}: %.3g of the network is asked for, and the widths and depths that are searched reach from %.3g to less than 1", field, asked, least)
}

// Run searches widths and depths, makes the network that was found, and trains it with the
// network before as its teacher.
func (s *TAS) Run(ctx context.Context, j *model.Job) (*model.Result, error) {
	search, other, err := s.halves(j)
	if err != nil {
		return nil, err
	}
	defer other.Close()
	net, err := s.supernet(j)
	if err != nil {
		return nil, err
	}
	runs := j.NewSeries(1)
	f := newFound(net)
	var epochs []train.Epoch
	if s.Shape == nil {
		runs.N, runs.Steps = 2, search.Steps()+j.Steps()
		c, h, err := s.searched(j, net, other)
		if err != nil {
			return nil, err
		}
		if epochs, err = runs.Fit(ctx, search, c, h); err != nil {
			return nil, err
		}
		f.arch, f.width, f.depth = h.chosen(), h.width, h.depth
	} else {
		f.arch = s.Shape(net)
	}
	res, err := s.derive(j, f)
	if err != nil {
		return nil, err
	}
	res.Epochs = epochs
	more, err := s.train(ctx, j, runs, res)
	res.Add(more)
	return res, err
}

// found is what a search has found: logits of widths and depths, and the network of the
// highest.
type found struct {
	net          *Supernet
	arch         Arch
	width, depth [][]float64
}

// newFound is a search that has learned nothing.
func newFound(net *Supernet) *found {
	f := &found{net: net}
	f.width, f.depth = net.zeros()
	return f
}

// halves are the job of the search, on one half of the training set, and the other half.
func (s *TAS) halves(j *model.Job) (*model.Job, *train.Data, error) {
	if err := j.NeedsTraining("widths are learned by training"); err != nil {
		return nil, nil, err
	}
	batch := j.Recipe.Batch
	a, b, err := j.Data.Train.Split(.5, j.Seed)
	if err != nil {
		return nil, nil, err
	}
	if min(a.Len(), b.Len()) < batch {
		return nil, nil, catalog.Errorf("weights and logits are learned from a half of the training set each, of %d and %d samples, fewer than one batch of %d: give more {Data}, or a smaller {Recipe.Batch}", a.Len(), b.Len(), batch)
	}
	k := *j
	k.Data = &dataset.Data{Train: a, Norm: j.Data.Norm} // the search has no answer: widths differ from step to step
	if s.Search > 0 {
		k.Recipe.Epochs = s.Search
	}
	seed := j.Order
	if seed == 0 {
		seed = j.Seed
	}
	return &k, train.NewData(&dataset.Loader{Set: b, Size: batch, Norm: j.Data.Norm, Shuffle: true, Seed: seed ^ 0x7a5,
		Augment: dataset.Augment{Crop: j.Recipe.Crop, Flip: j.Recipe.Flip, Data: true}}), nil
}

// supernet is the job's network with the widths and depths of the settings.
func (s *TAS) supernet(j *model.Job) (*Supernet, error) {
	if err := s.CountsAlone("the search"); err != nil {
		return nil, err
	}
	switch {
	case s.MACs == 0 && s.Params == 0:
		return nil, catalog.Errorf("no budget: give {MACs} or {Params}, which the search steers towards")
	case s.Even:
		return nil, catalog.Errorf("{Even} cuts the same share of every group, and the search chooses the shares: leave it out")
	case s.Cold > s.Hot:
		return nil, catalog.Errorf("the temperature falls from {Hot} %v to {Cold} %v: give a lower {Cold}", s.Hot, s.Cold)
	}
	if err := s.Check(); err != nil {
		return nil, err
	}
	if err := s.Scope().Check(j.Graph); err != nil {
		return nil, err
	}
	shortest := math.MaxInt
	for _, st := range stages(j.Graph, s.Scope()) {
		shortest = min(shortest, len(st.Points))
	}
	net, err := NewSupernet(j.Graph, s.Scope(), func(n int) []int { return widths(n, s.Round, s.Least) }, func(n int) []int { return depths(n, s.Depth, shortest) })
	if err != nil {
		return nil, err
	}
	return net, net.reach(s.budget(j))
}

// budget are the shares of multiply-accumulates and of parameters that may stay; 0: not asked.
func (s *TAS) budget(j *model.Job) (most [2]float64) {
	most[0], most[1] = s.Shares(j.Graph)
	return most
}

// widths are ⌊n x⌋ for x of 0.3, 0.4, … 1.0, each once, in multiples of round and not less
// than a share.
func widths(n, round int, least float64) (out []int) {
	if round == 0 {
		round = structure.Width(n)
	}
	for k := 3; k <= 10; k++ {
		c := min(n, (n*k/10+round-1)/round*round)
		if c > 0 && float64(c) >= least*float64(n)-1e-9 && (out == nil || c > out[len(out)-1]) {
			out = append(out, c)
		}
	}
	return out
}

// depths are those of a stage of n blocks.
func depths(n int, by string, shortest int) (out []int) {
	add := func(d int) {
		if d > 0 && (out == nil || d > out[len(out)-1]) {
			out = append(out, d)
		}
	}
	switch {
	case by == "thirds":
		for k := 1; k <= 3; k++ {
			add(n * k / 3)
		}
	case by == "shares":
		for k := 1; k <= shortest; k++ {
			add(n * k / shortest)
		}
	case by == "odd":
		for d := 1; d <= n; d++ {
			if n <= 3 || d%2 == 1 {
				add(d)
			}
		}
		add(n)
	}
	return out
}

// searched is a copy of the network in which widths and depths are mixed, and what learns
// their logits.
func (s *TAS) searched(j *model.Job, net *Supernet, other *train.Data) (*graph.Graph, *shaping, error) {
	c, m := j.Graph.Clone(true)
	if s.Fresh.Fresh {
		if err := (prune.Init{Seed: j.Seed}).Apply(c); err != nil {
			return nil, nil, err
		}
	}
	h := &shaping{net: net, budget: s.budget(j), other: other, lambda: s.Cost, tolerance: s.Tolerance, hot: s.Hot, cold: s.Cold, linear: s.Cooling == "linear", rate: s.ArchLR, decay: s.ArchDecay, seed: j.Seed}
	gamma, beta, err := h.mix(c, j.Recipe.Batch)
	if err != nil {
		return nil, nil, err
	}
	if err := h.deepen(c, m); err != nil {
		return nil, nil, err
	}
	h.begin(gamma, beta)
	return c, h, c.Sort()
}

// derive makes the network that was found, within the budget.
func (s *TAS) derive(j *model.Job, f *found) (*model.Result, error) {
	net := f.net
	a, moves := net.within(f.arch, f.width, f.depth, s.budget(j), s.Tolerance)
	g, kept, err := net.Derive(a)
	if err != nil {
		return nil, err
	}
	width, depth := net.zeros()
	for i, p := range slices.Concat(width, depth) {
		softmax(slices.Concat(f.width, f.depth)[i], p)
	}
	facts := &TASFacts{Expected: net.Cost(width, depth)[0], Searched: net.At(f.arch)[0], Found: net.At(a)[0], Moves: moves}
	res := &model.Result{Graph: g, Kept: kept, Facts: facts}
	for i, w := range net.Widths {
		facts.Widths = append(facts.Widths, TASChoice{net.Groups[w.Group].Name, w.Choices[len(w.Choices)-1], w.Choices[a.Width[i]], width[i][a.Width[i]]})
	}
	for i, st := range net.Stages {
		facts.Stages = append(facts.Stages, TASChoice{st.Points[0].Name, len(st.Points), st.Choices[a.Depth[i]], depth[i][a.Depth[i]]})
	}
	for _, f := range facts.Widths {
		j.Logf("%s: %d of %d channels, with a probability of %.2f", f.Name, f.Kept, f.Of, f.Probability)
	}
	for _, f := range facts.Stages {
		j.Logf("the stage of %s: %d of %d blocks, with a probability of %.2f", f.Name, f.Kept, f.Of, f.Probability)
	}
	if s.Shape == nil && apart(slices.Concat(width, depth)) < 1.5 {
		res.Note("the search has hardly told widths and depths apart, which are then near to chance: a longer {Search} or a larger {ArchLR} lets the logits come further")
	}
	if moves > 0 {
		res.Note("the widths and depths of the highest logits take %.3g of the multiply-accumulates, and %d steps from one width or depth to the next brought that to %.3g: a larger {Cost} or {ArchLR}, or a longer {Search}, lets the search come there by itself", facts.Searched, moves, facts.Found)
	}
	return res, nil
}

// apart is the mean, over what was chosen, of how many times as probable as by chance the
// most probable choice is.
func apart(p [][]float64) (x float64) {
	for _, of := range p {
		x += slices.Max(of) * float64(len(of)) / float64(len(p))
	}
	return x
}

// train trains the network that was found.
func (s *TAS) train(ctx context.Context, j *model.Job, runs *model.Series, res *model.Result) ([]train.Epoch, error) {
	rest := *j
	if s.Weights == "drawn" {
		if err := (prune.Init{Seed: j.OtherSeed(1)}).Apply(res.Graph); err != nil {
			return nil, err
		}
	} else {
		if _, err := j.Repair(ctx, res); err != nil {
			return nil, err
		}
		if err := j.Recalibrate(ctx, res.Graph, j.Recipe.Batch); err != nil {
			return nil, err
		}
	}
	if s.Transfer > 0 && j.Loss.Teacher == nil && j.NeedsLabels("") == nil {
		rest.Loss.Teacher, rest.Loss.Alpha, rest.Loss.T = j.Graph, s.Transfer, s.Temperature
	}
	if err := j.LogUntuned(ctx, res.Graph); err != nil {
		return nil, err
	}
	return runs.Fit(ctx, &rest, res.Graph)
}
