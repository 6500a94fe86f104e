package reproduce

import (
	"context"
	"fmt"
	"math"

	"gonum.org/v1/gonum/stat"

	"pare/dataset"
	"pare/evidence"
	"pare/measure"
	"pare/model"
	"pare/model/tickets"
	"pare/prune"
	"pare/prune/allocate"
	"pare/prune/score"
)

// decline is how accuracy and index went while a network was cut, a round an entry.
type decline struct{ density, accuracy, index []float64 }

// area is the mean of the accuracy over densities from lo to 1, along straight
// lines between rounds.
func (p decline) area(lo float64) float64 {
	s := 0.0
	for t := 1; t < len(p.density); t++ {
		a, b := p.density[t-1], p.density[t]
		ya, yb := p.accuracy[t-1], p.accuracy[t]
		if a <= max(b, lo) {
			continue
		}
		if b < lo {
			yb, b = yb+(ya-yb)*(lo-b)/(a-b), lo
		}
		s += (a - b) * (ya + yb) / 2
	}
	return s / (1 - lo)
}

// rounds is the number of rounds to a sparsity of 90 %.
func (p decline) rounds() float64 {
	for t, d := range p.density {
		if d <= .1 {
			return float64(t)
		}
	}
	return math.Inf(1)
}

// knee is the last round before accuracy has fallen 5 points below the dense
// network's.
func (p decline) knee() int {
	t := 0
	for t+1 < len(p.accuracy) && p.accuracy[t+1] >= p.accuracy[0]-.05 {
		t++
	}
	return t
}

// slopes are those of the index by round before and after its lowest round, up
// to the knee.
func (p decline) slopes() (before, after float64) {
	low := 0
	x := p.index[:p.knee()+1]
	for t, i := range x {
		if i < x[low] {
			low = t
		}
	}
	return slope(x[:low+1]), slope(x[low:])
}

// slope is that of the least-squares line; 0 for one point.
func slope(y []float64) float64 {
	if len(y) < 2 {
		return 0
	}
	x := make([]float64, len(y))
	for i := range x {
		x[i] = float64(i)
	}
	_, b := stat.LinearRegression(x, y, nil, false)
	return b
}

var sap = &evidence.Experiment{
	ID: "05", Name: "sap",
	About: "MLP 64-100-50-10 on the digits, 10 epochs a round, 10 rounds of SAP (p 1/2, q 1, eta 0.2: eta 0 leaves 46 % of so briefly trained a network after 10 rounds, before any knee) against cutting 20 % of the rest a round by the weights just trained (lottery ticket) and by those of the first training (one-shot), by layer and over all. Accuracies are means over the densities that all three reach (the area under accuracy against density); slopes of the index are a round's, before and after its lowest round, up to the last one within 5 points of the dense network.",
	Seeds: 6,
	Run: func(ctx context.Context, seed uint64, put func(string, float64)) error {
		d, err := dataset.Open(fmt.Sprintf("digits?seed=%d", seed))
		if err != nil {
			return err
		}
		b := &bench{d, seed}
		for _, scope := range []string{"layer", "global"} {
			s := tickets.NewSAP()
			s.Scope, s.Eta = scope, .2
			var first [][]float32
			fifth := func(m *prune.Masks, score [][]float32) (*prune.Masks, error) {
				if scope == "layer" {
					return allocate.Round(m, score, []float64{.2, .2, .2})
				}
				return allocate.RoundGlobal(m, score, .2, []bool{true, true, true})
			}
			arms := []struct {
				name   string
				rounds int
				pick   func(t int, m *prune.Masks) (*prune.Masks, error)
			}{
				{"sap", 10, func(_ int, m *prune.Masks) (*prune.Masks, error) { return s.Pick(m) }},
				{"lottery", 20, func(_ int, m *prune.Masks) (*prune.Masks, error) { return fifth(m, magnitudes(m)) }},
				{"one-shot", 20, func(t int, m *prune.Masks) (*prune.Masks, error) {
					if t == 0 {
						first = magnitudes(m)
					}
					return fifth(m, first)
				}},
			}
			paths := map[string]decline{}
			lo := 0.0
			for _, a := range arms {
				p, err := b.shrink(ctx, s, a.rounds, a.pick)
				if err != nil {
					return err
				}
				paths[a.name] = p
				lo = max(lo, p.density[len(p.density)-1])
			}
			for _, a := range arms {
				p := paths[a.name]
				put(a.name+" "+scope, p.area(lo))
				put(a.name+" (rounds to 90 %) "+scope, p.rounds())
			}
			before, after := paths["sap"].slopes()
			put("(slope of the index, first) "+scope, before)
			put("(slope of the index, then) "+scope, after)
		}
		return nil
	},
	Claims: append(sapScope("layer"), sapScope("global")...),
}

// sapScope are the claims of one scope.
func sapScope(scope string) []evidence.Claim {
	sap, lottery := "sap "+scope, "lottery "+scope
	return []evidence.Claim{
		{Text: scope + ": the index first falls, then rises before accuracy collapses, in every seed", Check: func(v evidence.Values) (string, bool) {
			ok := true
			first, then := v["(slope of the index, first) "+scope], v["(slope of the index, then) "+scope]
			for i := range first {
				ok = ok && first[i] <= 0 && then[i] > 0
			}
			return fmt.Sprintf("%+.4f, then %+.4f a round", stat.Mean(first, nil), stat.Mean(then, nil)), ok && len(first) > 0
		}},
		{Text: scope + ": at least as accurate as one-shot over the densities, in two thirds of the seeds", Check: func(v evidence.Values) (string, bool) {
			d := v.Diff(sap, "one-shot "+scope)
			n := 0
			for _, x := range d {
				if x >= 0 {
					n++
				}
			}
			return fmt.Sprintf("%s, %d of %d seeds", evidence.Points(d), n, len(d)), n > 0 && 3*n >= 2*len(d)
		}},
		{Text: scope + ": within noise of the lottery ticket (not worse by more than the 95 % interval), in fewer rounds to 90 %", Check: func(v evidence.Values) (string, bool) {
			d := v.Diff(sap, lottery)
			few, many := v.Mean("sap (rounds to 90 %) "+scope), v.Mean("lottery (rounds to 90 %) "+scope)
			return fmt.Sprintf("%s, %.3g against %.3g rounds", evidence.Points(d), few, many), len(d) > 1 && stat.Mean(d, nil) >= -evidence.Interval(d) && few < many
		}},
	}
}

// shrink runs an arm and records it.
func (b *bench) shrink(ctx context.Context, s *tickets.SAP, rounds int, pick func(t int, m *prune.Masks) (*prune.Masks, error)) (decline, error) {
	var p decline
	g, err := b.mlp(64, 100, 50, 10)
	if err != nil {
		return p, err
	}
	ws, err := prune.Weights(g, prune.Scope{})
	if err != nil {
		return p, err
	}
	j := b.job(g, model.Recipe{Epochs: 10, Batch: 50, LR: .1, Schedule: "cosine", Optimizer: "nesterov", Momentum: .9, Decay: 5e-4})
	_, err = tickets.Rewound(ctx, j, ws, rounds, func(t int, m *prune.Masks) (*prune.Masks, error) {
		a, err := b.accuracy(ctx, g)
		if err != nil {
			return nil, err
		}
		p.density = append(p.density, 1-m.Sparsity())
		p.accuracy = append(p.accuracy, a)
		p.index = append(p.index, measure.PQ(m.Kept(), s.P, s.Q))
		return pick(t, m)
	})
	return p, err
}

// magnitudes are those of what the masks keep; what is cut ranks below.
func magnitudes(m *prune.Masks) [][]float32 { return score.Within(m, score.Magnitude(m.Weights)) }
