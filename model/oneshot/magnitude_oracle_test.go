package oneshot

import (
	"math"
	"testing"

	"pare/internal/oracle"
	"pare/model"
	"pare/prune/allocate"
)

// chain is a job of 60 steps on a network of 120, 72 and 24 weights, whose layers are of
// different sizes of weights and some of whose weights are equal but for the sign.
func chain(t *testing.T) *model.Job {
	t.Helper()
	j := oracle.Job(t, "mlp:10-12-6-4", 60, 6, 2, 8)
	for i, w := range j.Graph.Value("fc2.weight").Const.F32() {
		j.Graph.Value("fc2.weight").Const.F32()[i] = w * .3
	}
	for i := range 10 {
		j.Graph.Value("fc1.weight").Const.F32()[7*i] = .4 * float32(1-i%2*2)
	}
	return j
}

// share is how many of n weights stay at a sparsity: the nearest number, halves up.
func share(n int, sparsity float64) int { return int(math.Floor(float64(n)*(1-sparsity) + .5 + 1e-9)) }

// left is how many of n weights stay where round(sparsity n) go.
func left(n int, sparsity float64) int { return n - int(math.Round(float64(n)*sparsity)) }

// sizes are the magnitudes of all weights.
func sizes(n *oracle.Net) (out [][]float64) {
	for _, w := range n.Weights() {
		out = append(out, oracle.Sizes(w.X))
	}
	return out
}

// set gives every weight its mask.
func set(n *oracle.Net, masks [][]bool) {
	for l, w := range n.Weights() {
		w.Mask = masks[l]
	}
	n.Apply()
}

// each keeps so many of the highest scores of each layer.
func each(t *testing.T, score [][]float64, keep []int) (out [][]bool) {
	t.Helper()
	for l, s := range score {
		out = append(out, oracle.Best(t, s, keep[l], oracle.CutFirst))
	}
	return out
}

// shapes are those of the weights, [out, in].
func shapes(n *oracle.Net) (out [][]int) {
	for _, l := range n.Layers {
		out = append(out, []int{l.Out, l.In})
	}
	return out
}

// Every allocation and pattern of magnitude pruning cuts what the plain computation does,
// and every step of the fine-tuning is the same, with biases that are larger than most
// weights and are not cut.
func TestMagnitudeOracle(t *testing.T) {
	pattern := func(s string) allocate.Pattern {
		p, err := allocate.ParsePattern(s)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	for name, c := range map[string]struct {
		f    func(s *Magnitude)
		pick func(t *testing.T, n *oracle.Net) [][]bool
	}{
		"uniform": {func(*Magnitude) {}, func(t *testing.T, n *oracle.Net) [][]bool {
			return each(t, sizes(n), []int{share(120, .7), share(72, .7), share(24, .7)})
		}},
		"erk": {func(s *Magnitude) { s.Allocate = "erk" }, func(t *testing.T, n *oracle.Net) [][]bool {
			return each(t, sizes(n), oracle.ErdosRenyi(shapes(n), share(216, .7), 4))
		}},
		"er": {func(s *Magnitude) { s.Allocate = "er" }, func(t *testing.T, n *oracle.Net) [][]bool {
			return each(t, sizes(n), oracle.ErdosRenyi(shapes(n), share(216, .7), 2))
		}},
		"global": {func(s *Magnitude) { s.Allocate = "global" }, func(t *testing.T, n *oracle.Net) [][]bool { return oracle.BestOfAll(t, sizes(n), left(216, .7)) }},
		"2:4": {func(s *Magnitude) { s.Pattern = pattern("2:4") }, func(t *testing.T, n *oracle.Net) (out [][]bool) {
			for l, w := range sizes(n) {
				mask := make([]bool, 0, len(w))
				for row, in := 0, n.Layers[l].In; row < len(w); row += in {
					for at := row; at < row+in; at += 4 {
						group := w[at:min(at+4, row+in)]
						mask = append(mask, oracle.Best(t, group, (len(group)+1)/2, oracle.KeepFirst)...)
					}
				}
				out = append(out, mask)
			}
			return out
		}},
		"block": {func(s *Magnitude) { s.Pattern = pattern("block:2x5") }, func(t *testing.T, n *oracle.Net) (out [][]bool) {
			for l, w := range sizes(n) {
				in := n.Layers[l].In
				across := (in + 4) / 5
				sum := make([]float64, n.Layers[l].Out/2*across)
				for i, x := range w {
					sum[i/in/2*across+i%in/5] += x
				}
				keep := oracle.Best(t, sum, share(len(sum), .7), oracle.KeepFirst)
				mask := make([]bool, len(w))
				for i := range w {
					mask[i] = keep[i/in/2*across+i%in/5]
				}
				out = append(out, mask)
			}
			return out
		}},
	} {
		t.Run(name, func(t *testing.T) {
			j, s := chain(t), NewMagnitude()
			s.Sparsity = .7
			c.f(s)
			oracle.Held(t, s, j, func(n *oracle.Net) [][]bool { return c.pick(t, n) })
		})
	}
}

// Rounds cut the same share of what is left, each by the weights that the training before
// has come to, and train by the whole recipe; gradual cuts along a cubic over the first
// half.
func TestMagnitudeOracleInTime(t *testing.T) {
	j, s := chain(t), NewMagnitude()
	s.Sparsity, s.Rounds, s.Allocate = .8, 3, "global"
	r := oracle.NewTraining(t, j)
	for round := 1; round <= 3; round++ {
		set(r.Net, oracle.BestOfAll(t, sizes(r.Net), left(216, 1-math.Pow(.2, float64(round)/3))))
		r.Net.Begin()
		r.Run()
	}
	r.Follow(t, s, j)

	for name, pick := range map[string]func(t *testing.T, n *oracle.Net, sparsity float64) [][]bool{
		"uniform": func(t *testing.T, n *oracle.Net, s float64) [][]bool {
			return each(t, sizes(n), []int{share(120, s), share(72, s), share(24, s)})
		},
		"global-mp": func(t *testing.T, n *oracle.Net, s float64) [][]bool {
			return oracle.BestOfAll(t, sizes(n), left(216, s))
		},
	} {
		t.Run(name, func(t *testing.T) {
			j := chain(t)
			j.Recipe.LR, j.Recipe.Decay = .1, .1 // what is cut would come back if it could
			r := oracle.NewTraining(t, j)
			r.Before = func(step int) {
				if step <= r.Steps/2 { // 20 steps: an event each
					set(r.Net, pick(t, r.Net, .8-.8*math.Pow(1-float64(step)/float64(r.Steps/2), 3)))
				}
			}
			var m model.Method = &GlobalMP{Sparsity: .8, Gradual: true}
			if name == "uniform" {
				m = &Magnitude{Sparsity: .8, Allocate: "uniform", Rounds: 1, Gradual: true}
			}
			r.Run().Follow(t, m, j)
		})
	}
}

// Global magnitude pruning ranks all layers together, but the largest weights of each
// stay, as many as the minimum says: with and without one that binds.
func TestGlobalMPOracle(t *testing.T) {
	for _, mt := range []float64{0, .05, 4.8} { // of 216: 0, 0, 10
		j := chain(t)
		least := int(216 * mt / 100)
		oracle.Held(t, &GlobalMP{Sparsity: .75, MT: mt}, j, func(n *oracle.Net) [][]bool {
			score := sizes(n)
			for _, s := range score {
				for i, best := range oracle.Best(t, s, least, oracle.CutFirst) {
					if best {
						s[i] = math.Inf(1)
					}
				}
			}
			masks := oracle.BestOfAll(t, score, left(216, .75))
			if k := oracle.Count(masks[1]); (k == 10) != (mt > 4) {
				t.Errorf("a minimum of %d: the second layer keeps %d: the test says nothing", least, k)
			}
			return masks
		})
	}
}

// LAMP scores a weight by its square over the squares of those of its layer that are at
// least as large; of equal weights the first is the smaller. With one layer it is magnitude
// pruning.
func TestLAMPOracle(t *testing.T) {
	oracle.Held(t, &LAMP{Sparsity: .75}, chain(t), func(n *oracle.Net) [][]bool {
		score := make([][]float64, 3)
		for l, w := range n.Weights() {
			for i, x := range w.X {
				sum := 0.0
				for k, y := range w.X {
					if y*y > x*x || y*y == x*x && k >= i {
						sum += y * y
					}
				}
				score[l] = append(score[l], x*x/sum)
			}
		}
		return oracle.BestOfAll(t, score, left(216, .75))
	})
	oracle.Held(t, &LAMP{Sparsity: .6}, oracle.Job(t, "mlp:9-7", 60, 6, 1, 3), func(n *oracle.Net) [][]bool {
		return each(t, sizes(n), []int{left(63, .6)})
	})
}
