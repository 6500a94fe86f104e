package tickets

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pare/dataset"
	"pare/internal/oracle"
	"pare/model"
	"pare/train"
)

// imp is iterative magnitude pruning with rewinding in plain loops: train, cut of each layer
// the smallest round(rate n) of its n weights that are left, put the others back to where
// they were at a step, go on from there.
type imp struct {
	oracle.Series
	t      *testing.T
	j      *model.Job
	set    *Tickets
	at     int
	keep   bool
	net    *oracle.Net // the job's
	start  *oracle.Net // as at the step
	masks  [][]bool
	facts  *Facts
	orders int
}

// other is the seed of a further draw.
func other(j *model.Job, i int) uint64 { return j.Seed + uint64(i)<<32 }

// masked gives a network copies of masks.
func masked(n *oracle.Net, masks [][]bool) *oracle.Net {
	for l, w := range n.Weights() {
		w.Mask = slices.Clone(masks[l])
	}
	n.Apply()
	return n
}

func (p *imp) held() *dataset.Set {
	if p.j.Data.Val != nil {
		return p.j.Data.Val
	}
	return p.j.Data.Test
}

// fit is a training with what it comes to on what is held out.
func (p *imp) fit(n *oracle.Net, from int, order uint64, own bool, more func(r *oracle.Training)) Outcome {
	k := *p.j
	k.From, k.Order = from, order
	early, least := 0, math.Inf(1)
	p.Series.Fit(p.t, &k, n, own, func(r *oracle.Training) {
		if more != nil {
			more(r)
		}
		was := r.After
		r.After = func(step int) {
			if was != nil {
				was(step)
			}
			if p.j.Data.Val == nil || (step+1)%r.Stream.Steps() != 0 {
				return
			}
			if loss := n.Loss(oracle.Whole(p.t, p.j.Data.Val, p.j.Data.Norm)); loss < least {
				early, least = step+1, loss
			}
		}
	})
	return Outcome{Score: train.Score{Value: n.Right(oracle.Whole(p.t, p.held(), p.j.Data.Norm))}, Early: early}
}

// run searches, trains the controls and measures the stability.
func (p *imp) run() *oracle.Training {
	n, set := p.net, p.set
	rounds, rate := set.Rounds, set.Rate
	if rounds == 0 {
		for left := 1.0; left > 1-set.Sparsity+1e-9; left *= 1 - set.Rate {
			rounds++
		}
		rate = 1 - math.Pow(1-set.Sparsity, 1/float64(rounds))
	}
	last := len(n.Weights()) - 1
	for _, w := range n.Weights() {
		keep := make([]bool, len(w.X))
		for i := range keep {
			keep[i] = true
		}
		p.masks = append(p.masks, keep)
	}
	if p.at == 0 {
		p.start = n.Clone()
	}
	masked(n, p.masks)
	p.facts = &Facts{Dense: p.fit(n, 0, 0, true, func(r *oracle.Training) {
		r.After = func(step int) {
			if step+1 == p.at {
				p.start = n.Clone()
			}
		}
	})}
	p.facts.Ticket = p.facts.Dense
	for range rounds {
		var scores [][]float64
		left, all := 0, 0
		for l, w := range n.Weights() {
			scores = append(scores, oracle.Among(p.masks[l], oracle.Sizes(w.X)))
			c := oracle.Count(p.masks[l])
			if set.Global {
				if l < last {
					left += c
				}
				continue
			}
			of := rate
			if l == last {
				if of = set.Output; of < 0 {
					of = rate / 2
				}
			}
			p.masks[l] = oracle.Best(p.t, scores[l], c-int(math.Round(of*float64(c))), oracle.CutFirst)
		}
		if set.Global {
			copy(p.masks, oracle.BestOfAll(p.t, scores[:last], left-int(math.Round(rate*float64(left)))))
		}
		if !p.keep {
			p.back(n)
		}
		masked(n, p.masks)
		p.facts.Ticket = p.fit(n, p.at, 0, true, nil)
		left = 0
		for l, m := range p.masks {
			left, all = left+oracle.Count(m), all+len(n.Weights()[l].X)
		}
		p.facts.Kept = float64(left) / float64(all)
	}
	p.facts.Winning = p.facts.Ticket.Value >= p.facts.Dense.Value && p.facts.Ticket.Early <= p.facts.Dense.Early
	for _, kind := range set.Controls {
		c, m := p.control(kind)
		from := 0
		if kind == "random" {
			from = p.at
		}
		p.facts.Controls = append(p.facts.Controls, ControlOutcome{kind, p.fit(masked(c, m), from, 0, false, nil)})
	}
	if p.orders > 0 {
		p.stabilities()
	}
	if set.Untrained {
		p.back(n)
		masked(n, p.masks)
	}
	return p.Ended(n)
}

// back puts parameters and running statistics back to where they were at the step.
func (p *imp) back(n *oracle.Net) {
	for i, x := range n.Tensors() {
		copy(x.X, p.start.Tensors()[i].X)
	}
	for i, l := range n.Layers {
		if l.Norm != nil {
			copy(l.Norm.Mean, p.start.Layers[i].Norm.Mean)
			copy(l.Norm.Variance, p.start.Layers[i].Norm.Variance)
		}
	}
}

// control is a network and masks, one of which is replaced.
func (p *imp) control(kind string) (*oracle.Net, [][]bool) {
	c := p.start.Clone()
	m := slices.Clone(p.masks)
	switch kind {
	case "reinit":
		c.Draw(other(p.j, 1), func(l int) float64 { return float64(c.Layers[l].In) })
	case "sign":
		c.Draw(other(p.j, 1), func(l int) float64 { return float64(c.Layers[l].In) })
		for l, w := range c.Weights() {
			for i, x := range w.X {
				w.X[i] = math.Copysign(x, p.start.Weights()[l].X[i])
			}
		}
	case "permute":
		for l, w := range c.Weights() {
			r := rand.New(rand.NewPCG(other(p.j, 1), 0x9e12<<32|uint64(l)))
			r.Shuffle(len(w.X), func(a, b int) { w.X[a], w.X[b] = w.X[b], w.X[a] })
		}
	case "random":
		r := rand.New(rand.NewPCG(other(p.j, 1), 0x5c02e))
		for l, w := range c.Weights() {
			score := make([]float64, len(w.X))
			for i := range score {
				score[i] = float64(r.Float32())
			}
			m[l] = oracle.Best(p.t, score, oracle.Count(p.masks[l]), oracle.CutFirst)
		}
	}
	return c, m
}

// stabilities are the distances of the ticket and of a random mask: between trainings in
// several orders, and to the dense network trained from the step.
func (p *imp) stabilities() {
	dense := p.start.Clone()
	p.fit(dense, p.at, 0, false, nil)
	one := func(g *oracle.Net, m [][]bool) {
		nets := []*oracle.Net{g}
		for i := 1; i < p.orders; i++ {
			c := masked(p.start.Clone(), m)
			p.fit(c, p.at, other(p.j, i), false, nil)
			nets = append(nets, c)
		}
		var out StabilityOutcome
		pairs := 0.0
		for a := range nets {
			for b := range a {
				d := apart(nets[a], nets[b], m)
				out.Order.L2, out.Order.Angle, pairs = out.Order.L2+d.L2, out.Order.Angle+d.Angle, pairs+1
			}
		}
		out.Order.L2, out.Order.Angle = out.Order.L2/pairs, out.Order.Angle/pairs
		out.Prune = apart(g, dense, m)
		p.facts.Stability = append(p.facts.Stability, out)
	}
	one(p.net, p.masks)
	c, m := p.control("random")
	p.fit(masked(c, m), p.at, 0, false, nil)
	one(c, m)
}

// apart is the distance of the weights that masks keep.
func apart(a, b *oracle.Net, m [][]bool) Distance {
	var dd, aa, bb, ab float64
	for l, w := range a.Weights() {
		for i, x := range w.X {
			if m[l][i] {
				y := b.Weights()[l].X[i]
				dd, aa, bb, ab = dd+(x-y)*(x-y), aa+x*x, bb+y*y, ab+x*y
			}
		}
	}
	return Distance{math.Sqrt(dd), math.Acos(ab / math.Sqrt(aa*bb))}
}

// check lets a method work, holds it and its facts to the search by hand, and gives these.
func (p *imp) check(m model.Method) *Facts {
	p.t.Helper()
	r := p.run().Follow(p.t, m, p.j)
	if p.t.Failed() {
		return p.facts
	}
	got, want := r.Facts.(*Facts), p.facts
	near := func(a, b float64) bool { return math.Abs(a-b) < 1e-5 }
	same := func(a, b Outcome) bool { return near(a.Value, b.Value) && a.Early == b.Early }
	ok := near(got.Kept, want.Kept) && same(got.Dense, want.Dense) && same(got.Ticket, want.Ticket) && got.Winning == want.Winning &&
		len(got.Controls) == len(want.Controls) && len(got.Stability) == len(want.Stability)
	for i := range min(len(got.Controls), len(want.Controls)) {
		ok = ok && got.Controls[i].Control == want.Controls[i].Control && same(got.Controls[i].Outcome, want.Controls[i].Outcome)
	}
	for i := range min(len(got.Stability), len(want.Stability)) {
		a, b := got.Stability[i], want.Stability[i]
		ok = ok && near(a.Order.L2, b.Order.L2) && near(a.Order.Angle, b.Order.Angle) && near(a.Prune.L2, b.Prune.L2) && near(a.Prune.Angle, b.Prune.Angle)
	}
	if !ok {
		p.t.Errorf("found %+v, by hand %+v", got, want)
	}
	return want
}

// ticketJob is a job with samples that are held out: for validation, or as a test set.
func ticketJob(t *testing.T, val bool) *model.Job {
	j := oracle.Job(t, "mlp:6-8-5-4", 60, 8, 3, 3)
	j.Recipe.LR = .2
	rest, held, err := j.Data.Train.Split(.4, 1)
	if err != nil {
		t.Fatal(err)
	}
	if j.Data.Train, j.Data.Test = rest, held; val { // other classes, on which training does not always help
		j.Data.Val = oracle.Job(t, "mlp:6-8-5-4", 24, 8, 3, 8).Data.Train
	}
	return j
}

func byHand(t *testing.T, j *model.Job, set *Tickets) *imp {
	return &imp{t: t, j: j, set: set, net: oracle.Read(t, j.Graph)}
}

// Run is the search by hand, step by step: layer by layer with all controls, and with all
// layers ranked together, normalisation and Adam.
func TestLotteryOracle(t *testing.T) {
	won, lost, early := 0, 0, 0
	for _, f := range []func(s *Lottery, j *model.Job){
		func(s *Lottery, j *model.Job) { s.Controls = []string{"reinit", "random", "sign", "permute"} },
		func(s *Lottery, j *model.Job) { s.Sparsity, s.Rounds, s.Rate, s.Output = .7, 0, .4, .3 },
		func(s *Lottery, j *model.Job) {
			s.Global, s.Untrained = true, true
			j.Recipe.Optimizer, j.Recipe.LR = "adam", .003
			oracle.Normalise(t, j)
		},
	} {
		for _, val := range []bool{false, true} {
			s := NewLottery()
			s.Rounds, s.Rate, s.Controls = 2, .3, nil
			j := ticketJob(t, val)
			f(s, j)
			facts := byHand(t, j, &s.Tickets).check(s)
			if facts.Winning {
				won++
			} else {
				lost++
			}
			if val && facts.Ticket.Early < j.Steps() {
				early++
			}
		}
	}
	if won == 0 || lost == 0 || early == 0 {
		t.Errorf("%d tickets win, %d lose, %d are best before the end, which tells too little", won, lost, early)
	}
}

// One round is one-shot pruning with rewinding: the magnitude mask of the trained network
// over its initial weights.
func TestLotteryOneShot(t *testing.T) {
	s := NewLottery()
	s.Rounds, s.Rate, s.Output, s.Controls, s.Untrained = 1, .6, .6, nil, true
	j := ticketJob(t, false)
	n := oracle.Read(t, j.Graph)
	trained := oracle.NewTraining(t, j).Run()
	for l, w := range n.Weights() {
		w.Mask = oracle.Best(t, oracle.Sizes(trained.Net.Weights()[l].X), len(w.X)-int(math.Round(.6*float64(len(w.X)))), oracle.CutFirst)
	}
	n.Apply()
	r, err := model.Run(t.Context(), s, j)
	if err != nil {
		t.Fatal(err)
	}
	n.Compare(t, "one round", r)
}
