package tickets

import (
	"math"
	"slices"
	"sort"
	"testing"

	"pare/internal/modeltest"
	"pare/internal/oracle"
	"pare/model"
)

// pqByHand is the PQ index, by the means of powers.
func pqByHand(w []float64, p, q float64) float64 {
	var a, b float64
	for _, x := range w {
		a += math.Pow(math.Abs(x), p) / float64(len(w))
		b += math.Pow(math.Abs(x), q) / float64(len(w))
	}
	return 1 - math.Pow(a, 1/p)/math.Pow(b, 1/q)
}

// giniByHand is half the mean difference of all pairs over the mean.
func giniByHand(w []float64) float64 {
	var apart, sum float64
	for _, x := range w {
		sum += math.Abs(x)
		for _, y := range w {
			apart += math.Abs(math.Abs(x) - math.Abs(y))
		}
	}
	return apart / (2 * float64(len(w)) * sum)
}

// lessByHand cuts of the entries that a mask keeps the smallest that the index allows, in
// all parts together, each a list of places (l, i).
func (p *sapHand) less(places [][2]int) {
	var alive [][2]int
	var w []float64
	at := func(e [2]int) float64 { return math.Abs(p.net.Weights()[e[0]].X[e[1]]) }
	for _, e := range places {
		if p.masks[e[0]][e[1]] {
			alive, w = append(alive, e), append(w, at(e))
		}
	}
	s, d := p.s, float64(len(w))
	if d == 0 {
		return
	}
	r := d * math.Pow(1+s.Eta, -s.Q/(s.Q-s.P)) * math.Pow(1-pqByHand(w, s.P, s.Q), s.P*s.Q/(s.Q-s.P))
	cut := int(math.Floor(d*math.Min(s.Gamma*(1-math.Ceil(r)/d), s.Beta) + 1e-9))
	sort.SliceStable(alive, func(a, b int) bool { return at(alive[a]) < at(alive[b]) })
	for k := range max(0, cut) {
		p.next[alive[k][0]][alive[k][1]] = false
	}
}

type sapHand struct {
	oracle.Series
	s           *SAP
	net         *oracle.Net
	masks, next [][]bool
	trace       SAPTrace
}

// look notes the indices of what is left of all weights.
func (p *sapHand) look(masks [][]bool) (pq, gini, left float64) {
	var w []float64
	all := 0
	for l, x := range p.net.Weights() {
		for i, v := range x.X {
			if all++; masks[l][i] {
				w = append(w, v)
			}
		}
	}
	return pqByHand(w, p.s.P, p.s.Q), giniByHand(w), float64(len(w)) / float64(all)
}

// run is SAP in plain loops: train, measure, cut, go back to the initial weights.
func (p *sapHand) run(t *testing.T, j *model.Job) *oracle.Training {
	p.net = oracle.Read(t, j.Graph)
	first := p.net.Clone()
	for _, w := range p.net.Weights() {
		keep := make([]bool, len(w.X))
		for i := range keep {
			keep[i] = true
		}
		p.masks = append(p.masks, keep)
	}
	masked(p.net, p.masks)
	for round := 0; ; round++ {
		p.Fit(t, j, p.net, true, nil)
		pq, gini, left := p.look(p.masks)
		p.trace.Index, p.trace.Gini, p.trace.Left = append(p.trace.Index, pq), append(p.trace.Gini, gini), append(p.trace.Left, left)
		if round == p.s.Rounds {
			return p.Ended(p.net)
		}
		p.next = nil
		for _, m := range p.masks {
			p.next = append(p.next, slices.Clone(m))
		}
		var all [][2]int
		for l, layer := range p.net.Layers {
			var whole [][2]int
			for o := range layer.Out {
				var row [][2]int
				for k := range layer.In {
					row = append(row, [2]int{l, o*layer.In + k})
				}
				if whole = append(whole, row...); p.s.Scope == "neuron" {
					p.less(row)
				}
			}
			if all = append(all, whole...); p.s.Scope == "layer" {
				p.less(whole)
			}
		}
		if p.s.Scope == "global" {
			p.less(all)
		}
		p.masks = p.next
		pq, _, _ = p.look(p.masks)
		p.trace.Pruned = append(p.trace.Pruned, pq)
		p.net.Layers = first.Clone().Layers
		masked(p.net, p.masks)
	}
}

// Run is SAP by hand, step by step, in every scope, with other norms, tolerance, pace and
// bound.
func TestSAPOracle(t *testing.T) {
	for _, scope := range []string{"neuron", "layer", "global"} {
		for k, f := range []func(s *SAP, j *model.Job){
			func(s *SAP, j *model.Job) { s.Eta = .2 },
			func(s *SAP, j *model.Job) { s.P, s.Q, s.Eta = 1, 2, .05; oracle.Normalise(t, j) },
			func(s *SAP, j *model.Job) { s.Gamma, s.Beta, s.Eta = 3, .25, .2 },
			func(s *SAP, j *model.Job) { s.Gamma, s.Eta = 1.7, .1 },
		} {
			s := NewSAP()
			s.Scope, s.Rounds = scope, 3
			j := ticketJob(t, false)
			f(s, j)
			p := &sapHand{s: s}
			r := p.run(t, j).Follow(t, s, j)
			if t.Failed() {
				t.Fatalf("%s, case %d", scope, k)
			}
			if left := p.trace.Left; !(left[3] < left[1] && left[1] < 1) {
				t.Fatalf("%s, case %d: of the weights are left %v, which tells nothing", scope, k, left)
			}
			got := r.Facts.(*SAPTrace)
			for what, pair := range map[string][2][]float64{"index": {got.Index, p.trace.Index}, "Gini": {got.Gini, p.trace.Gini}, "left": {got.Left, p.trace.Left}, "pruned": {got.Pruned, p.trace.Pruned}} {
				if !slices.EqualFunc(pair[0], pair[1], func(a, b float64) bool { return math.Abs(a-b) < 1e-5 }) {
					t.Errorf("%s, case %d: %s %v, by hand %v", scope, k, what, pair[0], pair[1])
				}
			}
		}
	}
}

// Where no mass may go, or nothing is cut of what the index allows, or all weights are
// alike, nothing is removed, and what is left is the dense training.
func TestSAPNothing(t *testing.T) {
	for k, f := range []func(s *SAP, j *model.Job){
		func(s *SAP, j *model.Job) { s.Eta = -1 },
		func(s *SAP, j *model.Job) { s.Gamma = 0 },
		func(s *SAP, j *model.Job) {
			j.Recipe.LR = 1e-30
			for _, p := range j.Graph.Params() {
				for i := range p.Const.F32() {
					p.Const.F32()[i] = float32(1-2*(i%2)) / 4
				}
			}
		},
	} {
		s := NewSAP()
		s.Rounds = 2
		j := ticketJob(t, false)
		f(s, j)
		n := oracle.NewTraining(t, j).Run().Net
		r := modeltest.Run(t, s, j)
		for _, w := range n.Weights() {
			for range w.X {
				w.Mask = append(w.Mask, true)
			}
		}
		n.Compare(t, []string{"eta -1", "gamma 0", "weights alike"}[k], r)
	}
}
