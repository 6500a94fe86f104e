package method

import (
	"context"
	"fmt"
	"math"

	"pare/prune"
	"pare/prune/schedule"
)

// RigL are the settings of the rigged lottery.
type RigL struct {
	Sparsity float64 `flag:"sparsity" doc:"sparsity from the first step to the last, in [0,1)"`
	Allocate string  `flag:"allocate" doc:"how much of each layer: erk, er, or uniform (the first convolution stays whole)"`
	Drop     float64 `flag:"drop" doc:"share of each layer's weights that is exchanged at first; it falls along a cosine to 0"`
	Every    int     `flag:"every" doc:"steps between changes of the masks"`
	Until    float64 `flag:"until" doc:"end of the changes, as a share of the training"`
	Batches  int     `flag:"grow-batches" doc:"batches whose gradients say what grows"`
	Fresh
	Layers
}

var rigl = &Method{
	Name: "rigl", Title: "RigL: sparse training that drops by magnitude and grows by gradient",
	Paper: "Evci, Gale, Menick, Castro, Elsen: Rigging the Lottery: Making All Tickets Winners (ICML 2020). arXiv 1911.11134",
	Cuts:  "weights", Needs: Trains,
	Doc: `Trains a network that is sparse from the first step to the last. Every few steps each layer drops the
k = f(t) n of its n weights that have the smallest magnitude and grows the k others with the largest gradient, at
zero; f(t) = (drop/2)(1 + cos(pi t/t_end)). Gradients of what is cut are computed at these steps alone; all others
cost what the weights that are left cost.

The authors' code was read. As there, what is dropped may grow at once and then goes on as if nothing had been, and
moments of what grows begin at zero. Departures: an exchange does not take the place of an optimiser step, it comes
before one, with a gradient of its own on the same batch; the drop counts are rounded up where the code truncates, so
that small layers take part; there is no exchange at step 0; the layers' counts are rounded so that their sum is exact,
where the code truncates the zeros of each; no noise is added to the magnitudes. With --grow-batches above 1 the
gradients of the batches that follow are averaged in.`,
	Settings: func() any { return riglDefaults() },
	Run:      runRigL,
}

func riglDefaults() *RigL {
	return &RigL{Sparsity: .9, Allocate: "erk", Drop: .3, Every: 100, Until: .75, Batches: 1}
}

func runRigL(ctx context.Context, j *Job) (*Result, error) {
	s := j.Settings.(*RigL)
	if !(s.Until > 0 && s.Until <= 1) {
		return nil, fmt.Errorf("the changes of the masks end at %v of the training: give a share in (0,1]", s.Until)
	}
	if err := batches(s.Batches); err != nil {
		return nil, err
	}
	ws, err := s.weights(j.Graph)
	if err != nil {
		return nil, err
	}
	if s.Allocate == "uniform" {
		if ws = behindFirst(ws); len(ws) == 0 {
			return nil, fmt.Errorf("only the first convolution is prunable, and it stays whole with a uniform allocation: use erk")
		}
	}
	if err := s.begin(j); err != nil {
		return nil, err
	}
	masks, err := sparse(ws, s.Sparsity, s.Allocate, j.Seed)
	if err != nil {
		return nil, err
	}
	end := int(math.Round(s.Until * float64(j.Steps())))
	x := &prune.Exchange{Gradual: prune.Gradual{Hold: prune.Hold{Masks: masks}}, Batches: s.Batches,
		Rate: schedule.Exchange{Rate: s.Drop, Over: end, End: end, Every: s.Every}}
	r, err := j.exchange(ctx, x)
	if r != nil {
		r.Notes = append(r.Notes, seldom(x)...)
	}
	return r, err
}

// behindFirst leaves out the first convolution.
func behindFirst(ws []*prune.Weight) []*prune.Weight {
	for l, w := range ws {
		if w.Kind == prune.Conv {
			return append(append([]*prune.Weight{}, ws[:l]...), ws[l+1:]...)
		}
	}
	return ws
}
