package tickets

import (
	_ "embed"

	"context"
	"fmt"
	"math"
	"path"
	"slices"
	"strconv"
	"strings"

	"pare/catalog"
	"pare/graph"
	"pare/model"
	"pare/prune"
	"pare/prune/allocate"
	"pare/prune/hook"
	"pare/prune/score"
	"pare/train"
)

// Tickets are the settings of iterative magnitude pruning with rewinding.
type Tickets struct {
	Sparsity  float64  `flag:"sparsity" range:"[0,1)" doc:"share of every layer that is cut after the last round; sets the number of rounds where --rounds does not"`
	Rate      float64  `flag:"rate" range:"[0,1)" doc:"share of the weights left that a round cuts"`
	Output    float64  `flag:"output-rate" range:"[0,1)" also:"-1" doc:"that of the output layer, or layers (-1: half of --rate; with --global none)"`
	Rates     []string `flag:"rates" doc:"rates of layers by name, PATTERN=RATE,…; the first that matches counts"`
	Rounds    int      `flag:"rounds" range:"[0,)" doc:"rounds of pruning, each a whole training (0: as many as --sparsity needs at --rate)"`
	Global    bool     `flag:"global" doc:"rank the weights of all layers together, as for deep networks"`
	Controls  []string `flag:"controls" choice:"reinit,random,sign,permute" also:"none" doc:"trainings that the ticket is held against: reinit, random, sign, permute, or none"`
	Untrained bool     `flag:"untrained" doc:"give the ticket itself, its weights rewound, instead of the network trained from it"`
	model.Fresh
	model.Layers
}

func ticketDefaults() Tickets {
	return Tickets{Sparsity: .9, Rate: .2, Output: -1, Controls: []string{"reinit", "random"}}
}

// controls says what each replaces of the ticket.
var controls = map[string]string{
	"reinit":  "its mask, weights drawn anew",
	"random":  "its weights, a random mask of as many in each layer",
	"sign":    "its mask, weights drawn anew with its signs",
	"permute": "its mask, each layer's weights at other places",
}

// check says which settings do not go together.
func (s *Tickets) check() error {
	switch {
	case s.Rounds == 0 && s.Sparsity == 0:
		return catalog.Errorf("{Sparsity} 0 asks for no round of pruning: give a number in (0,1), or {Rounds}")
	case s.Rounds == 0 && s.Rate == 0:
		return catalog.Errorf("at {Rate} 0 no number of rounds reaches the sparsity: give {Rounds}")
	case len(s.Controls) > 1 && slices.Contains(s.Controls, "none"):
		return catalog.Errorf("{Controls} %s: either none or some", strings.Join(s.Controls, ","))
	}
	return nil
}

// wanted are the controls that are trained.
func (s *Tickets) wanted() []string {
	if len(s.Controls) == 1 && (s.Controls[0] == "none" || s.Controls[0] == "") {
		return nil
	}
	return s.Controls
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
	last := prune.Last(g, all)
	out := make([]float64, len(ws))
	used := make([]bool, len(s.Rates))
	for l, w := range ws {
		out[l] = rate
		if last[w.Value] {
			out[l] = output
		}
		for i, r := range slices.Backward(s.Rates) {
			pattern, x, ok := strings.Cut(r, "=")
			v, err := strconv.ParseFloat(x, 64)
			match, bad := path.Match(pattern, w.Name)
			if !ok || err != nil || bad != nil || !(v >= 0 && v < 1) {
				return nil, catalog.Errorf("{Rates} %q is not PATTERN=RATE with a rate in [0,1)", r)
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
		return nil, catalog.Errorf("{Rates} %q matches no weight", s.Rates[i])
	}
	return out, nil
}

// IMP is iterative magnitude pruning with rewinding under way: train, cut the
// smallest of what is left, put the weights back to where they were at a step,
// repeat.
type IMP struct {
	*model.Job
	Masks *prune.Masks // of the present round

	// Trained, where not nil, is called after the dense training (round 0) and that
	// of each round.
	Trained func(round int, e []train.Epoch) error

	set    *Tickets
	ws     []*prune.Weight
	rate   []float64 // by weight
	global float64   // of all weights ranked together
	rounds int
	at     int  // the step to which weights and schedule go back
	keep   bool // weights stay as trained, only the schedule goes back

	start *hook.Snapshot
	runs  *model.Series
	hooks []train.Hook // that look on in every training
}

// NewIMP prepares a search whose weights go back to an optimiser step. more is the
// number of trainings that the caller makes beside it by Control and Stabilities.
func NewIMP(j *model.Job, set *Tickets, at, more int) (*IMP, error) {
	if err := set.check(); err != nil {
		return nil, err
	}
	if err := j.NeedsTraining("tickets are found by training"); err != nil {
		return nil, err
	}
	if set.wanted() != nil && j.Held() == nil {
		return nil, catalog.Errorf("ticket and controls are compared on samples that are not trained on, and {Data} has none: keep some out (val=0.1), or give {Controls} none")
	}
	ws, err := set.Weights(j.Graph)
	if err != nil {
		return nil, err
	}
	p := &IMP{Job: j, set: set, ws: ws, at: at, Masks: prune.Dense(ws)}
	p.rounds, p.global = set.plan()
	p.runs = j.NewSeries(1 + p.rounds + len(set.wanted()) + more)
	if p.rate, err = set.rates(j.Graph, ws, p.global); err != nil {
		return nil, err
	}
	if err := set.Redraw(j); err != nil {
		return nil, err
	}
	p.start = hook.NewSnapshot(j.Graph, at)
	return p, nil
}

// Search finds the ticket and trains it. The job's network ends trained.
func (p *IMP) Search(ctx context.Context) error {
	p.Logf("%d trainings: the dense network, %d rounds of pruning and %d to compare with", p.runs.N, p.rounds, p.runs.N-1-p.rounds)
	for i := range p.rounds + 1 {
		from := p.at
		var hooks []train.Hook
		if i == 0 {
			from, hooks = 0, []train.Hook{p.start}
		} else if err := p.cut(); err != nil {
			return fmt.Errorf("round %d of %d: %w", i, p.rounds, err)
		}
		epochs, err := p.fit(ctx, p.Graph, p.Masks, from, 0, hooks...)
		if err != nil {
			return fmt.Errorf("round %d of %d: %w", i, p.rounds, err)
		}
		if p.Trained == nil {
			continue
		}
		if err := p.Trained(i, epochs); err != nil {
			return fmt.Errorf("after round %d of %d: %w", i, p.rounds, err)
		}
	}
	return nil
}

// cut prunes by the trained weights and rewinds.
func (p *IMP) cut() error {
	var err error
	sc := score.Magnitude(p.ws)
	if p.set.Global {
		part := make([]bool, len(p.ws))
		for l := range part {
			part[l] = p.rate[l] > 0
		}
		p.Masks, err = allocate.RoundGlobal(p.Masks, sc, p.global, part)
	} else {
		p.Masks, err = allocate.Round(p.Masks, sc, p.rate)
	}
	if err == nil && !p.keep {
		err = p.start.Restore(p.Graph)
	}
	if err == nil {
		p.Masks.Apply()
	}
	return err
}

// fit is the next training: of g with masks, the schedule from a step on, in the
// given order of samples (0: the job's). Its optimiser begins anew.
func (p *IMP) fit(ctx context.Context, g *graph.Graph, m *prune.Masks, from int, order uint64, hooks ...train.Hook) ([]train.Epoch, error) {
	k := *p.Job
	k.From = from
	if order != 0 {
		k.Order = order
	}
	return p.runs.Fit(ctx, &k, g, slices.Concat([]train.Hook{&hook.Hold{Masks: m}}, hooks, p.hooks)...)
}

// Control trains a control (reinit, random, sign or permute) on a copy of the
// network.
func (p *IMP) Control(ctx context.Context, kind string) (*graph.Graph, []train.Epoch, error) {
	g, m, err := p.replaced(kind)
	if err != nil {
		return nil, nil, err
	}
	from := 0
	if kind == "random" { // its weights are those of the ticket
		from = p.at
	}
	epochs, err := p.fit(ctx, g, m, from, 0)
	return g, epochs, err
}

// replaced gives a copy of the network with the ticket's initial weights and mask,
// one of them replaced as a control wants it.
func (p *IMP) replaced(kind string) (*graph.Graph, *prune.Masks, error) {
	g, _ := p.Graph.Clone(true)
	m, err := p.on(g, p.Masks)
	if err != nil {
		return nil, nil, err
	}
	switch kind {
	case "reinit", "sign":
		err = prune.Init{Seed: p.OtherSeed(1)}.Apply(g)
	default:
		err = p.start.Restore(g)
	}
	if err != nil {
		return nil, nil, err
	}
	for l, w := range m.Weights {
		switch kind {
		case "sign":
			prune.Signed(w, p.start.Of(w))
		case "permute":
			prune.Permute(w, p.OtherSeed(1), l)
		}
	}
	if kind == "random" {
		m = allocate.Shuffle(m, p.OtherSeed(1))
	}
	m.Apply()
	return g, m, nil
}

// on gives masks to the same weights of a copy of the network.
func (p *IMP) on(g *graph.Graph, m *prune.Masks) (*prune.Masks, error) {
	ws, err := p.set.Weights(g)
	return &prune.Masks{Weights: ws, Mask: m.Clone().Mask}, err
}
