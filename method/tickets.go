package method

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path"
	"slices"
	"strconv"
	"strings"

	"pare/graph"
	"pare/prune"
	"pare/prune/allocate"
	"pare/prune/score"
	"pare/train"
)

// Tickets are the settings of iterative magnitude pruning with rewinding.
type Tickets struct {
	Sparsity  float64  `flag:"sparsity" doc:"share of every layer that is cut after the last round; sets the number of rounds where --rounds does not"`
	Rate      float64  `flag:"rate" doc:"share of the weights left that a round cuts, in [0,1)"`
	Output    float64  `flag:"output-rate" doc:"that of the output layer (-1: half of --rate; with --global none)"`
	Rates     []string `flag:"rates" doc:"rates of layers by name, PATTERN=RATE,…; the first that matches counts"`
	Rounds    int      `flag:"rounds" doc:"rounds of pruning, each a whole training (0: as many as --sparsity needs at --rate)"`
	Global    bool     `flag:"global" doc:"rank the weights of all layers together, as for deep networks"`
	Controls  []string `flag:"controls" doc:"trainings that the ticket is held against: reinit, random, sign, permute, or none"`
	Untrained bool     `flag:"untrained" doc:"give the ticket itself, its weights rewound, instead of the network trained from it"`
	Fresh
	Layers
}

func ticketDefaults() Tickets {
	return Tickets{Sparsity: .9, Rate: .2, Output: -1, Controls: []string{"reinit", "random"}}
}

// controls are the ways to spoil a ticket.
var controls = map[string]string{
	"reinit":  "its mask, weights drawn anew",
	"random":  "its weights, a random mask of as many in each layer",
	"sign":    "its mask, weights drawn anew with its signs",
	"permute": "its mask, each layer's weights at other places",
}

// check says what is wrong with the settings.
func (s *Tickets) check() error {
	switch {
	case !(s.Rate >= 0 && s.Rate < 1):
		return fmt.Errorf("--rate %v: a round cuts a share in [0,1) of what is left", s.Rate)
	case s.Output != -1 && !(s.Output >= 0 && s.Output < 1):
		return fmt.Errorf("--output-rate %v is neither a share in [0,1) nor -1", s.Output)
	case s.Rounds < 0:
		return fmt.Errorf("--rounds %d is negative", s.Rounds)
	case s.Rounds == 0 && !(s.Sparsity > 0 && s.Sparsity < 1):
		return fmt.Errorf("--sparsity %v is outside (0,1), and --rounds is not given", s.Sparsity)
	case s.Rounds == 0 && s.Rate == 0:
		return errors.New("at --rate 0 no number of rounds reaches the sparsity: give --rounds")
	}
	if len(s.Controls) == 1 && (s.Controls[0] == "none" || s.Controls[0] == "") {
		s.Controls = nil
	}
	for _, c := range s.Controls {
		if controls[c] == "" {
			return fmt.Errorf("there is no control %q: use reinit, random, sign, permute, or none", c)
		}
	}
	return nil
}

// plan gives the number of rounds, and the rate by which the layers lose where
// the rate follows from the sparsity: with as few rounds as --rate allows.
func (s *Tickets) plan() (rounds int, rate float64) {
	if s.Rounds > 0 {
		return s.Rounds, s.Rate
	}
	left := math.Log(1 - s.Sparsity)
	rounds = int(math.Ceil(left/math.Log(1-s.Rate) - 1e-9))
	return rounds, 1 - math.Exp(left/float64(rounds))
}

// rates gives each weight what a round cuts of it.
func (s *Tickets) rates(g *graph.Graph, ws []*prune.Weight, rate float64) ([]float64, error) {
	all, err := prune.Weights(g, prune.Scope{})
	if err != nil {
		return nil, err
	}
	output := s.Output
	if output < 0 {
		if output = rate / 2; s.Global {
			output = 0
		}
	}
	out := make([]float64, len(ws))
	used := make([]bool, len(s.Rates))
	for l, w := range ws {
		out[l] = rate
		if w.Value == all[len(all)-1].Value {
			out[l] = output
		}
		for i, r := range slices.Backward(s.Rates) {
			pattern, x, ok := strings.Cut(r, "=")
			v, err := strconv.ParseFloat(x, 64)
			match, bad := path.Match(pattern, w.Name)
			if !ok || err != nil || bad != nil || !(v >= 0 && v < 1) {
				return nil, fmt.Errorf("--rates %q is not PATTERN=RATE with a rate in [0,1)", r)
			}
			if match {
				out[l], used[i] = v, true
			}
		}
		if s.Global && out[l] != 0 && out[l] != rate {
			return nil, fmt.Errorf("%s has rate %v: layers that are ranked together have one, %v, or stay whole at 0", w.Name, out[l], rate)
		}
	}
	if i := slices.Index(used, false); i >= 0 {
		return nil, fmt.Errorf("--rates %q matches no weight", s.Rates[i])
	}
	return out, nil
}

// hunt is iterative magnitude pruning with rewinding: train, cut the smallest of
// what is left, put the weights back to where they were at a step, repeat.
type hunt struct {
	*Job
	set    *Tickets
	ws     []*prune.Weight
	rate   []float64 // by weight
	global float64   // of all weights ranked together
	rounds int
	runs   int  // trainings in all
	at     int  // the step to which weights and schedule go back
	keep   bool // weights stay as trained, only the schedule goes back
	orders int  // of the samples, over which stability is measured

	hooks   []train.Hook                           // take part in every training
	trained func(round int, e []train.Epoch) error // after the dense training (0) and each round

	start *prune.Point
	masks *prune.Masks
	run   int // the next training
}

func newHunt(j *Job, set *Tickets, at int) (*hunt, error) {
	if err := set.check(); err != nil {
		return nil, err
	}
	if j.Steps() == 0 {
		return nil, errors.New("tickets are found by training: give --data and --epochs")
	}
	if set.Controls != nil && j.held() == nil {
		return nil, errors.New("ticket and controls are compared on samples that are not trained on, and --data has none: keep some out (val=0.1), or give --controls none")
	}
	ws, err := set.weights(j.Graph)
	if err != nil {
		return nil, err
	}
	h := &hunt{Job: j, set: set, ws: ws, at: at, masks: prune.Dense(ws)}
	h.rounds, h.global = set.plan()
	h.runs = 1 + h.rounds + len(set.Controls)
	if h.rate, err = set.rates(j.Graph, ws, h.global); err != nil {
		return nil, err
	}
	if err := set.begin(j); err != nil {
		return nil, err
	}
	h.start = prune.NewPoint(j.Graph, at)
	return h, nil
}

// search finds the ticket and trains it. The job's network ends trained.
func (h *hunt) search(ctx context.Context) error {
	h.logf("%d trainings: the dense network, %d rounds of pruning and %d to compare with", h.runs, h.rounds, h.runs-1-h.rounds)
	for i := range h.rounds + 1 {
		from, hooks := h.at, h.hooks
		if i == 0 {
			from, hooks = 0, append([]train.Hook{h.start}, hooks...)
		} else if err := h.cut(); err != nil {
			return fmt.Errorf("round %d of %d: %w", i, h.rounds, err)
		}
		epochs, err := h.fit(ctx, h.Graph, h.masks, from, 0, hooks...)
		if err != nil {
			return fmt.Errorf("round %d of %d: %w", i, h.rounds, err)
		}
		if err := h.trained(i, epochs); err != nil {
			return fmt.Errorf("after round %d of %d: %w", i, h.rounds, err)
		}
	}
	return nil
}

// cut prunes by the trained weights and rewinds.
func (h *hunt) cut() error {
	var err error
	sc := score.Magnitude(h.ws)
	if h.set.Global {
		part := make([]bool, len(h.ws))
		for l := range part {
			part[l] = h.rate[l] > 0
		}
		h.masks, err = allocate.RoundGlobal(h.masks, sc, h.global, part)
	} else {
		h.masks, err = allocate.Round(h.masks, sc, h.rate)
	}
	if err == nil && !h.keep {
		err = h.start.Restore(h.Graph)
	}
	if err == nil {
		h.masks.Apply()
	}
	return err
}

// fit is the next training: of g with masks, the schedule from a step on, in the
// given order of samples (0: the job's). Its optimiser begins anew.
func (h *hunt) fit(ctx context.Context, g *graph.Graph, m *prune.Masks, from int, order uint64, hooks ...train.Hook) ([]train.Epoch, error) {
	k := *h.round(h.run, h.runs)
	h.run++
	k.From = from
	if order != 0 {
		k.Order = order
	}
	return k.Fit(ctx, g, append([]train.Hook{&prune.Hold{Masks: m}}, hooks...)...)
}

// control trains the ticket spoilt in one way, on a copy of the network.
func (h *hunt) control(ctx context.Context, kind string) (*graph.Graph, []train.Epoch, error) {
	g, m, err := h.spoil(kind)
	if err != nil {
		return nil, nil, err
	}
	from := 0
	if kind == "random" { // its weights are those of the ticket
		from = h.at
	}
	epochs, err := h.fit(ctx, g, m, from, 0, h.hooks...)
	return g, epochs, err
}

// otherSeed tells the draws of the controls from those of the network.
const otherSeed = 1 << 32

// spoil gives a copy of the network with the ticket's initial weights and mask, one
// of them replaced.
func (h *hunt) spoil(kind string) (*graph.Graph, *prune.Masks, error) {
	g, _ := h.Graph.Clone(true)
	m, err := h.on(g, h.masks)
	if err != nil {
		return nil, nil, err
	}
	switch kind {
	case "reinit", "sign":
		err = prune.Init{Seed: h.Seed + otherSeed}.Apply(g)
	default:
		err = h.start.Restore(g)
	}
	if err != nil {
		return nil, nil, err
	}
	for l, w := range m.Weights {
		switch kind {
		case "sign":
			prune.Signed(w, h.start.Of(w))
		case "permute":
			prune.Permute(w, h.Seed+otherSeed, l)
		}
	}
	if kind == "random" {
		m = shuffled(m, m.Weights, h.Seed+otherSeed)
	}
	m.Apply()
	return g, m, nil
}

// on gives masks to the same weights of a copy of the network.
func (h *hunt) on(g *graph.Graph, m *prune.Masks) (*prune.Masks, error) {
	ws, err := h.set.weights(g)
	return &prune.Masks{Weights: ws, Mask: m.Clone().Mask}, err
}
