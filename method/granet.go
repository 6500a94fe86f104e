package method

import (
	"context"
	"fmt"
	"math"

	"pare/prune"
	"pare/prune/allocate"
	"pare/prune/schedule"
	"pare/prune/score"
)

// GraNet are the settings of gradual pruning with neuroregeneration.
type GraNet struct {
	Sparsity float64 `flag:"sparsity" doc:"final sparsity, in [0,1)"`
	Initial  float64 `flag:"initial" doc:"sparsity at the begin: 0 starts dense, 0.5 is the paper's sparse-to-sparse training"`
	Allocate string  `flag:"allocate" doc:"how much of each layer a sparse start has: erk, er or uniform"`
	Rank     string  `flag:"rank" doc:"pruning by magnitude over all layers (global), or with the same sparsity in each (uniform; at 0.8 and above the last layer keeps a fifth)"`
	Begin    float64 `flag:"begin" doc:"begin of the window, as a share of the training"`
	End      float64 `flag:"end" doc:"end of the window, as a share of the training; the exchange goes on after it"`
	Every    int     `flag:"every" doc:"steps between changes of the masks"`
	Exchange float64 `flag:"exchange" doc:"share of each layer's weights that is exchanged at first, in [0,1); it falls along a cosine to 0.005; 0 is gradual pruning alone"`
	Grow     string  `flag:"grow" doc:"what grows: gradient (the largest) or random"`
	Batches  int     `flag:"grow-batches" doc:"batches whose gradients say what grows"`
	Fresh
	Layers
}

// least is the share that is exchanged at the end of the training.
const least = .005

var granet = &Method{
	ID: "14", Name: "granet", Title: "GraNet: gradual pruning with zero-cost neuroregeneration",
	Paper: "Liu, Chen, Chen, Atashgahi, Yin, Kou, Shen, Pechenizkiy, Wang, Mocanu: Sparse Training via Boosting Pruning Plasticity with Neuroregeneration (NeurIPS 2021). arXiv 2106.10404",
	Cuts:  "weights", Needs: Trains,
	Doc: `Raises the sparsity while training along s_t = s_f + (s_i - s_f)(1 - (t-t_0)/(t_1-t_0))^3 by magnitude over all
layers, and after each such step exchanges in every layer the q = ceil(r_t n) of its n weights that have the smallest
magnitude for the q others with the largest gradient, which begin at zero; r_t falls along a cosine over the whole
training, and so the exchange goes on after the window. It starts dense, or sparse with random masks by the
Erdős-Rényi kernel rule: then no step ever computes the whole network.

The authors' code for CIFAR was read; the figures of its schedule, rates and growth are as there, and what is cut and
grows at once goes on with its value and its moments. Departures: the last event is exactly at the window's end and
has exactly the final sparsity; only weights that are left are ranked, so counts are exact where the code's threshold
keeps one weight fewer, or ties; a layer keeps at least one weight; both moments of Adam begin at zero; the gradient is
one of its own, at the pruned weights and the batch of the next step, where the code takes that of the last; there is
no exchange after the last step of the training. With the uniform rank a layer that starts with fewer weights than its
share keeps what it has.

With --initial equal to --sparsity the masks move at constant sparsity; rigl is that with the schedule of its paper. The
paper's intervals are 1000 steps of 62,000: what grows begins at zero and needs some hundred steps. In short trainings
lower --exchange to 0.1 or 0.3.`,
	Settings: func() any { return granetDefaults() },
	Run:      runGraNet, Claims: granetClaims,
}

func granetDefaults() *GraNet {
	return &GraNet{Sparsity: .9, Initial: .5, Allocate: "erk", Rank: "global", End: .5, Every: 200, Exchange: .5, Grow: "gradient", Batches: 1}
}

func runGraNet(ctx context.Context, j *Job) (*Result, error) {
	s := j.Settings.(*GraNet)
	sch, rate, err := s.schedules(j.Steps())
	if err != nil {
		return nil, err
	}
	grow, err := growth(s.Grow)
	if err != nil {
		return nil, err
	}
	if err := batches(s.Batches); err != nil {
		return nil, err
	}
	ws, err := s.weights(j.Graph)
	if err != nil {
		return nil, err
	}
	if err := s.begin(j); err != nil {
		return nil, err
	}
	masks, err := sparse(ws, s.Initial, s.Allocate, j.Seed)
	if err != nil {
		return nil, err
	}
	x := &prune.Exchange{Rate: rate, Grow: grow, Batches: s.Batches}
	x.Masks, x.Schedule = masks, sch
	if x.Pick, err = s.pick(ws, masks); err != nil {
		return nil, err
	}
	r, err := j.exchange(ctx, x)
	if r == nil {
		return r, err
	}
	r.Notes = append(r.Notes, fmt.Sprintf("on average %.1f %% of the weights were there while training", 100*density(sch, j.Steps())))
	if n := len(sch.Events()) - 1; n < 5 {
		r.Notes = append(r.Notes, fmt.Sprintf("the sparsity rose in %d steps only: train longer, or let --every be smaller", n))
	}
	if s.Exchange > 0 && s.Every < 200 && s.Exchange > .3 {
		r.Notes = append(r.Notes, fmt.Sprintf("what grew began at zero and had %d steps before the next exchange: where that does harm, lower --exchange", s.Every))
	}
	return r, err
}

// schedules are those of the sparsity and of the exchange for a training of n
// steps.
func (s *GraNet) schedules(n int) (schedule.Gradual, schedule.Exchange, error) {
	sch := schedule.Gradual{Initial: s.Initial, Final: s.Sparsity, Begin: int(math.Round(s.Begin * float64(n))), End: int(math.Round(s.End * float64(n))), Every: s.Every, Power: 3}
	rate := schedule.Exchange{Rate: s.Exchange, Least: math.Min(least, s.Exchange), Over: n, Begin: sch.Begin, End: n, Every: s.Every}
	for _, x := range []float64{s.Begin, s.End} {
		if !(x >= 0 && x <= 1) {
			return sch, rate, fmt.Errorf("the window from %v to %v is not within [0,1] of the training", s.Begin, s.End)
		}
	}
	if n == 0 {
		return sch, rate, fmt.Errorf("pruning with regeneration happens while training: give --data and --epochs")
	}
	if err := sch.Check(n); err != nil {
		return sch, rate, err
	}
	if s.Every > sch.End-sch.Begin {
		return sch, rate, fmt.Errorf("%d steps between changes of the masks are more than the window from step %d to %d has: let --every be smaller, or train longer", s.Every, sch.Begin, sch.End)
	}
	return sch, rate, rate.Check(n)
}

// density is the mean share of weights that are left over a training of n steps.
func density(sch schedule.Gradual, n int) float64 {
	sum, now := 0.0, sch.Initial
	for t := range n {
		if sch.Event(t) {
			now = sch.At(t)
		}
		sum += 1 - now
	}
	return sum / float64(n)
}

// pick chooses, among what is left, what stays at a sparsity.
func (s *GraNet) pick(ws []*prune.Weight, left *prune.Masks) (func(float64) (*prune.Masks, error), error) {
	rank := func() [][]float32 { return score.Within(left, score.Magnitude(ws)) }
	switch s.Rank {
	case "global":
		one := make([]int, len(ws))
		for l := range one {
			one[l] = 1
		}
		return func(sparsity float64) (*prune.Masks, error) {
			return allocate.Global(ws, rank(), sparsity, one)
		}, nil
	case "uniform":
		return func(sparsity float64) (*prune.Masks, error) {
			keep, err := alike(ws, sparsity)
			if err != nil {
				return nil, err
			}
			return allocate.Select(ws, rank(), keep, prune.CutFirst), nil
		}, nil
	}
	return nil, fmt.Errorf("there is no rank %q: use global or uniform", s.Rank)
}

// alike keeps the same share of each layer; from a sparsity of 0.8 on a fifth of
// the last linear layer, and of the others what makes up for it.
func alike(ws []*prune.Weight, sparsity float64) ([]int, error) {
	keep, err := allocate.Uniform(ws, sparsity)
	last := len(ws) - 1
	for last >= 0 && ws[last].Kind != prune.Linear {
		last--
	}
	if err != nil || sparsity < .8 || last < 0 || len(ws) == 1 {
		return keep, err
	}
	n, m := prune.Total(ws), ws[last].Len()
	keep[last] = max(1, int(math.Round(.2*float64(m))))
	rest := (1-sparsity)*float64(n) - float64(keep[last])
	if rest < 1 {
		return nil, fmt.Errorf("sparsity %v leaves %.0f weights, of which the last layer, %q, keeps a fifth of its own, %d: lower the sparsity or use the global rank", sparsity, (1-sparsity)*float64(n), ws[last].Name, keep[last])
	}
	for l, w := range ws {
		if l != last {
			keep[l] = max(1, int(math.Round(rest/float64(n-m)*float64(w.Len()))))
		}
	}
	return keep, nil
}
