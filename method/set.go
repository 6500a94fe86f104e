package method

import (
	"context"
	"fmt"

	"pare/prune"
	"pare/prune/allocate"
	"pare/prune/schedule"
)

// SET are the settings of sparse evolutionary training.
type SET struct {
	Sparsity float64 `flag:"sparsity" doc:"sparsity from the first step to the last, in [0,1), spread over the layers as Erdős-Rényi graphs"`
	Epsilon  float64 `flag:"epsilon" doc:"in place of the sparsity: a layer of n inputs and m outputs keeps epsilon (n+m) of its connections"`
	Zeta     float64 `flag:"zeta" doc:"share of each layer's weights that is exchanged"`
	Every    int     `flag:"every" doc:"steps between changes of the masks (0: an epoch)"`
	Fresh
	Layers
}

var set = &Method{
	Name: "set", Title: "SET: sparse evolutionary training, which drops by magnitude and grows at random",
	Paper: "Mocanu, Mocanu, Stone, Nguyen, Gibescu, Liotta: Scalable training of artificial neural networks with adaptive sparse connectivity inspired by network science (Nature Communications 2018). arXiv 1707.04780",
	Cuts:  "weights", Needs: Trains,
	Doc: `Trains a network that is sparse from the first step to the last. Layers begin as Erdős-Rényi graphs: a connection
is there with probability epsilon (n+m)/(nm). After each epoch but the last every layer loses the share zeta of its
positive weights that are smallest and of its negative ones that are largest, and grows as many at random places. No
gradient of what is cut is ever needed.

The authors' code was read: it drops by sign as the paper says, the two shares each on its side of zero, and so does
this. New weights begin at zero, as in the authors' code for Keras (their code for sparse matrices draws them from
N(0, 0.01)), those that return at once too, and so do their moments. Departures: the number of connections is exact;
--sparsity gives the density of the whole, from which epsilon follows; --epsilon gives epsilon itself, 20 in the
authors' code for CIFAR-10. A kernel of a convolution counts as one connection of a layer and keeps the same share.`,
	Settings: func() any { return setDefaults() },
	Run:      runSET,
}

func setDefaults() *SET { return &SET{Sparsity: .9, Zeta: .3} }

func runSET(ctx context.Context, j *Job) (*Result, error) {
	s := j.Settings.(*SET)
	if s.Every < 0 {
		return nil, fmt.Errorf("%d steps between changes of the masks: give at least 1, or 0 for an epoch", s.Every)
	}
	ws, err := s.weights(j.Graph)
	if err != nil {
		return nil, err
	}
	if err := s.begin(j); err != nil {
		return nil, err
	}
	keep, err := s.keep(ws)
	if err != nil {
		return nil, err
	}
	masks, err := drawn(ws, keep, j.Seed)
	if err != nil {
		return nil, err
	}
	rate := schedule.Exchange{Rate: s.Zeta, Every: s.Every, End: j.Steps()}
	if s.Every == 0 {
		rate.Every = j.Steps() / max(1, j.Recipe.Epochs)
	}
	x := &prune.Exchange{Gradual: prune.Gradual{Hold: prune.Hold{Masks: masks}}, Rate: rate, Drop: prune.WeakestOfSign, Grow: prune.AtRandom, Anew: true}
	r, err := j.exchange(ctx, x)
	if r != nil {
		r.Notes = append(r.Notes, seldom(x)...)
		r.Notes = append(r.Notes, fmt.Sprintf("%.2f %% of the weights were cut throughout", 100*masks.Sparsity()))
	}
	return r, err
}

// keep is the number of connections of each layer.
func (s *SET) keep(ws []*prune.Weight) ([]int, error) {
	if s.Epsilon == 0 {
		return allocate.ErdosRenyi(ws, s.Sparsity, false)
	}
	return allocate.Epsilon(ws, s.Epsilon)
}
