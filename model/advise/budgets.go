package advise

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"pare/catalog"
	"pare/graph"
	"pare/measure"
	"pare/model"
	"pare/model/oneshot"
	"pare/model/structured"
	"pare/prune"
	"pare/prune/structure"
)

// Shares of the multiply-accumulates that stay, and sparsities of single weights, that a
// study looks at.
var (
	shares     = []float64{.75, .5, .25}
	sparsities = []float64{.5, .8, .9, .95}
)

// budgets measures what cuts of channels and of single weights come to.
func (s *study) budgets(ctx context.Context) error {
	var gs []*graph.Graph
	add := func(cut string, asked float64, g *graph.Graph) error {
		score, err := s.judge(ctx, g)
		if err != nil {
			return err
		}
		size, _, err := measure.OfContext(ctx, g)
		if err != nil {
			return err
		}
		b := Budget{Cut: cut, Asked: asked, MACs: share(size.MACs, s.size.MACs), Params: share(size.Kept, s.size.Params), Bytes: share(size.Bytes, s.size.Bytes),
			Energy: Energy(g, size) / Energy(s.ask.Graph, s.size), Worse: s.Whole.Worse(score.Value)}
		if cut == "weights" {
			b.Bytes = share(size.SparseBytes, s.size.Bytes)
		}
		s.Budgets, gs = append(s.Budgets, b), append(gs, g)
		s.tell("budgets", len(gs), len(shares)+len(sparsities))
		return nil
	}
	for _, x := range shares {
		if s.rates == nil {
			break
		}
		g, err := s.channels(ctx, x)
		if err != nil {
			s.Notes = append(s.Notes, fmt.Sprintf("channels cannot be cut to %g of the multiply-accumulates: %v", x, err))
			continue
		}
		if err := add("channels", x, g); err != nil {
			return err
		}
	}
	for _, x := range sparsities {
		g, err := s.weights(ctx, x)
		if err != nil {
			return err
		}
		if err := add("weights", x, g); err != nil {
			return err
		}
	}
	sp, err := measure.Latency(ctx, append([]*graph.Graph{s.ask.Graph}, gs...), 1, 9, 20*time.Millisecond, s.ask.Engine)
	if err != nil {
		return err
	}
	s.fact("latency", sp[0].Seconds.Median*1000, "ms")
	for i := range s.Budgets {
		b := &s.Budgets[i]
		b.Time = sp[i+1].Ratio.Median
		name := fmt.Sprintf("%s-%g", b.Cut, b.Asked)
		s.fact(name+"-time", b.Time, "%")
		s.fact(name+"-worse", b.Worse, s.unit())
		s.fact(name+"-bytes", b.Bytes, "%")
		s.fact(name+"-energy", b.Energy, "%")
	}
	return nil
}

func share(x, of int64) float64 { return float64(x) / float64(max(1, of)) }

// channels cuts a copy of the network to a share of the multiply-accumulates, as the
// method of that name does before it trains.
func (s *study) channels(ctx context.Context, macs float64) (*graph.Graph, error) {
	m := structured.NewChannels()
	m.MACs = model.Count(macs)
	m.Rate = s.rate
	return s.cut(ctx, m)
}

// rate is how channels were rated once.
func (s *study) rate(*graph.Graph, []*structure.Group) ([][]float64, bool, error) {
	return s.rates, s.costs, nil
}

// weights cuts single weights of a copy, the smallest of all layers together.
func (s *study) weights(ctx context.Context, sparsity float64) (*graph.Graph, error) {
	m := oneshot.NewGlobalMP()
	m.Sparsity = sparsity
	return s.cut(ctx, m)
}

func (s *study) cut(ctx context.Context, m model.Method) (*graph.Graph, error) {
	j := *s.job
	j.Graph, _ = s.ask.Graph.Clone(true)
	r, err := model.Run(ctx, m, &j)
	if err != nil {
		return nil, err
	}
	return r.Graph, nil
}

// goal finds the sparsity whose sparse form is within a goal of bytes, and the share of
// multiply-accumulates that is within a goal of energy.
func (s *study) goal(ctx context.Context) error {
	s.Sparsity, s.MACs = .9, .5
	if err := s.within(ctx); err != nil {
		return err
	}
	switch s.Goal.Of {
	case "bytes":
		most := s.Goal.Share(float64(s.size.Bytes)) * float64(s.size.Bytes)
		x, bytes, err := search(func(x float64) (float64, error) {
			g, err := s.weights(ctx, x)
			if err == nil && s.Data != "" {
				err = stir(g)
			}
			if err != nil {
				return 0, err
			}
			size, _, err := measure.OfContext(ctx, g)
			return float64(size.SparseBytes)*margin + about, err
		}, most)
		if err != nil {
			return err
		}
		if s.Sparsity = x; x == 0 {
			s.Sparsity = .99
		}
		s.fact("found-sparsity", x, "%")
		s.fact("found-bytes", bytes, "bytes")
	case "energy":
		if s.rates == nil {
			return nil
		}
		x, energy, err := search(func(x float64) (float64, error) {
			g, err := s.channels(ctx, 1-x)
			if err != nil {
				return math.Inf(1), ctx.Err()
			}
			size, _, err := measure.OfContext(ctx, g)
			return Energy(g, size), err
		}, s.Goal.Share(1)*Energy(s.ask.Graph, s.size))
		if err != nil {
			return err
		}
		s.MACs = math.Round(100*(1-x)) / 100
		s.fact("found-macs", s.MACs, "%")
		s.fact("found-energy", energy/Energy(s.ask.Graph, s.size), "%")
		if x == 0 {
			delete(s.Facts, "found-macs")
		}
	}
	s.fact("sparsity", s.Sparsity, "%")
	return nil
}

// within cuts channels to a goal that is among their budgets, to learn whether it can be
// reached, and at what cost.
func (s *study) within(ctx context.Context) error {
	m := structured.NewChannels()
	if _, err := catalog.Find(m, s.Goal.Of); err != nil || s.rates == nil {
		return nil
	}
	m.MACs = 0
	if err := catalog.Set(m, s.Goal.Of, s.Goal.Text); err != nil {
		return err
	}
	m.Rate = s.rate
	g, err := s.cut(ctx, m)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		s.Notes = append(s.Notes, fmt.Sprintf("channels do not reach the goal: %v", err))
		return nil
	}
	score, err := s.judge(ctx, g)
	if err != nil {
		return err
	}
	size, _, err := measure.OfContext(ctx, g)
	if err != nil {
		return err
	}
	s.fact("goal-macs", share(size.MACs, s.size.MACs), "%")
	s.fact("goal-bytes", float64(size.Bytes), "bytes")
	s.fact("goal-worse", s.Whole.Worse(score.Value), s.unit())
	return nil
}

// A trained sparse form takes about so much more than one that is cut alone: a share, as
// masks of trained weights are not the same, and bytes, for what a file says of its making.
const (
	margin = 1.02
	about  = 256
)

// stir makes a network's numbers as unlike as training does, so that a sparse form of
// initial biases, which are all zero, or of weights of few values is not thought small:
// every number moves by up to a thousandth of itself, and zeros become numbers where no
// weight was cut.
func stir(g *graph.Graph) error {
	ws, err := prune.Weights(g, prune.Scope{})
	if err != nil {
		return err
	}
	cut := map[*graph.Value]bool{}
	for _, w := range ws {
		cut[w.Value] = true
	}
	r := rand.New(rand.NewPCG(1, 2))
	for _, v := range g.Params() {
		x := v.Const.F32()
		for i := range x {
			by := 1e-3 * r.Float32()
			if x[i] == 0 && !cut[v] {
				x[i] = by
			}
			x[i] *= 1 + by
		}
	}
	return nil
}

// search finds the least of 0.01 to 0.99, in hundredths, whose cost is at most what is
// allowed, where cost falls; 0: none is.
func search(cost func(x float64) (float64, error), most float64) (x, at float64, err error) {
	lo, hi := 0, 100 // too much at lo, within at hi, if that were allowed
	for hi-lo > 1 {
		mid := (lo + hi) / 2
		c, err := cost(float64(mid) / 100)
		if err != nil {
			return 0, 0, err
		}
		if c <= most {
			hi, at = mid, c
		} else {
			lo = mid
		}
	}
	if hi == 100 {
		return 0, 0, nil
	}
	return float64(hi) / 100, at, nil
}

// steps are those of training that are timed, the first of which are warming up.
const steps, warm = 6, 2

// training measures what a step of training takes, and how many epochs the budget has
// room for.
func (s *study) training(ctx context.Context) error {
	s.Epochs = model.Defaults().Epochs
	if s.ask.Data == nil {
		s.Epochs = 0
		return nil
	}
	if s.ask.Budget == 0 {
		return nil
	}
	j := *s.job
	j.Recipe = model.Defaults()
	j.Recipe.Epochs, j.Recipe.LR, j.Recipe.Inner = 1, 1e-4, "off"
	j.Graph, _ = s.ask.Graph.Clone(true)
	timed, stop := context.WithCancel(ctx)
	defer stop()
	var at []time.Time
	epoch := 0 // steps
	j.OnStep = func(_, of int, _ float64) {
		epoch = of
		if at = append(at, time.Now()); len(at) == steps {
			stop()
		}
	}
	m := oneshot.NewGlobalMP()
	m.Sparsity = .5
	_, err := model.Run(timed, m, &j)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	switch {
	case len(at) <= warm && err != nil && !errors.Is(err, context.Canceled):
		return err
	case len(at) <= warm:
		s.Notes = append(s.Notes, "there are too few samples to time the training: the budget of time is not looked at")
		return nil
	}
	s.Step = at[len(at)-1].Sub(at[warm-1]).Seconds() / float64(len(at)-warm)
	s.Epoch = s.Step * float64(epoch)
	// A tenth is left for the range test, validation, and what is measured at the end.
	s.Epochs = int(.9 * s.ask.Budget.Seconds() / s.Epoch)
	s.fact("epoch", s.Epoch, "s")
	s.fact("epochs", float64(s.Epochs), "")
	return nil
}
