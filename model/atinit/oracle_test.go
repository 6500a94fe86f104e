package atinit

import (
	"math"
	"slices"
	"testing"

	"pare/internal/modeltest"
	"pare/internal/oracle"
	"pare/model"
	"pare/prune"
	"pare/prune/score"
)

// chain is a job of 40 steps on a network of 120, 72 and 24 weights; labels are smoothed
// while training, but not for scores.
func chain(t *testing.T) *model.Job {
	t.Helper()
	j := oracle.Job(t, "mlp:10-12-6-4", 400, 20, 2, 8)
	j.Recipe.Smoothing = .1
	return j
}

// scored are the samples that weights are scored on: as many of each class, as they lie.
func scored(t *testing.T, j *model.Job, perClass int) oracle.Batch {
	t.Helper()
	set, err := j.Data.Train.Balanced(perClass, j.Seed)
	if err != nil {
		t.Fatal(err)
	}
	return oracle.NewStream(t, set, j.Data.Norm, set.Len(), false, 0).Batch(0, 0)
}

// left is how many of n weights stay where round(sparsity n) go.
func left(n int, sparsity float64) int { return n - int(math.Round(float64(n)*sparsity)) }

// sensitivity is |g w| of the loss on the samples.
func sensitivity(n *oracle.Net, b oracle.Batch) (out [][]float64) {
	c := n.Clone()
	c.Smoothing = 0
	c.Gradient(b)
	for _, w := range c.Weights() {
		s := make([]float64, len(w.X))
		for i, x := range w.X {
			s[i] = math.Abs(x * w.G[i])
		}
		out = append(out, s)
	}
	return out
}

// SNIP keeps the largest |g w| over all layers, g the mean over all samples that are
// drawn, in one batch or in two.
func TestSNIPOracle(t *testing.T) {
	for _, perClass := range []int{10, 80} {
		j := chain(t)
		oracle.Held(t, &SNIP{Sparsity: .8, Sampled: model.Sampled{PerClass: perClass}}, j, func(n *oracle.Net) [][]bool {
			return oracle.BestOfAll(t, sensitivity(n, scored(t, j, perClass)), left(216, .8))
		})
	}
}

// Of one linear layer the sensitivity is |w_ck mean((p_c - y_c) x_k)|.
func TestSNIPOfOneLayer(t *testing.T) {
	j := oracle.Job(t, "mlp:7-5", 100, 10, 1, 4)
	r := oracle.NewTraining(t, j)
	b := scored(t, j, 6)
	l := r.Net.Layers[0]
	mean := make([]float64, 35)
	for s, x := range b.X {
		p, sum := make([]float64, 5), 0.0
		for c := range p {
			z := l.B.X[c]
			for k := range x {
				z += l.W.X[7*c+k] * x[k]
			}
			p[c] = math.Exp(z)
			sum += p[c]
		}
		for c := range p {
			p[c] /= sum
			if c == b.Y[s] {
				p[c]--
			}
			for k := range x {
				mean[7*c+k] += p[c] * x[k] / float64(len(b.X))
			}
		}
	}
	for i := range mean {
		mean[i] = math.Abs(mean[i] * l.W.X[i])
	}
	l.W.Mask = oracle.Best(t, mean, left(35, .6), oracle.CutFirst)
	r.Run().Follow(t, &SNIP{Sparsity: .6, Sampled: model.Sampled{PerClass: 6}}, j)
}

// flow is w (H g), H and g the Hessian and the gradient by the weights of the loss of
// outputs over a temperature: H g is a difference quotient of gradients.
func flow(n *oracle.Net, b oracle.Batch, temper float64) (out [][]float64) {
	at := func(h float64, along [][]float64) [][]float64 {
		c := n.Clone()
		c.Smoothing, c.Temper = 0, temper
		for l, w := range c.Weights() {
			for i := range along[l] {
				w.X[i] += h * along[l][i]
			}
		}
		c.Gradient(b)
		var g [][]float64
		for _, w := range c.Weights() {
			g = append(g, w.G)
		}
		return g
	}
	g := at(0, make([][]float64, len(n.Layers)))
	norm := 0.0
	for _, x := range slices.Concat(g...) {
		norm += x * x
	}
	h := 1e-5 / math.Sqrt(norm)
	up, down := at(h, g), at(-h, g)
	for l, w := range n.Weights() {
		s := make([]float64, len(w.X))
		for i, x := range w.X {
			s[i] = x * (up[l][i] - down[l][i]) / (2 * h)
		}
		out = append(out, s)
	}
	return out
}

// GraSP cuts the largest -w (H g) over all layers, at the temperature of the authors and
// at one of 1, where the curvature is another.
func TestGraSPOracle(t *testing.T) {
	for _, c := range []struct {
		temper   float64
		perClass int
	}{{200, 10}, {1, 10}} {
		j := chain(t)
		oracle.Held(t, &GraSP{Sparsity: .7, Temperature: c.temper, Sampled: model.Sampled{PerClass: c.perClass}}, j, func(n *oracle.Net) [][]bool {
			return oracle.BestOfAll(t, flow(n, scored(t, j, c.perClass), c.temper), left(216, .7))
		})
	}
}

// synflow cuts in so many rounds the lowest |w| dR/d|w|, R the sum of what comes out of
// the network of |w| without biases for an input of ones.
func synflow(t *testing.T, n *oracle.Net, sparsity float64, rounds int) [][]bool {
	t.Helper()
	masks := make([][]bool, len(n.Layers))
	for l, w := range n.Weights() {
		masks[l] = slices.Repeat([]bool{true}, len(w.X))
	}
	for k := 1; k <= rounds; k++ {
		size := func(l, i int) float64 {
			if !masks[l][i] {
				return 0
			}
			return math.Abs(n.Layers[l].W.X[i])
		}
		in := [][]float64{slices.Repeat([]float64{1}, n.Layers[0].In)} // what reaches each layer
		for l, layer := range n.Layers {
			y := make([]float64, layer.Out)
			for i := range layer.W.X {
				y[i/layer.In] += size(l, i) * in[l][i%layer.In]
			}
			in = append(in, y)
		}
		score := make([][]float64, len(n.Layers))
		back := slices.Repeat([]float64{1}, len(in[len(in)-1])) // dR by what the layer gives
		for l := len(n.Layers) - 1; l >= 0; l-- {
			layer := n.Layers[l]
			next := make([]float64, layer.In)
			for i := range layer.W.X {
				score[l] = append(score[l], size(l, i)*back[i/layer.In]*in[l][i%layer.In])
				next[i%layer.In] += size(l, i) * back[i/layer.In]
			}
			score[l] = oracle.Among(masks[l], score[l])
			back = next
		}
		s := sparsity
		if k < rounds {
			s = 1 - math.Pow(1-sparsity, float64(k)/float64(rounds))
		}
		masks = oracle.BestOfAll(t, score, left(oracle.Total(n.Weights()), s))
	}
	return masks
}

// SynFlow cuts in rounds, scores anew in each, and what it keeps then is not what one
// round keeps; with one round it is one-shot, and with one layer and one round magnitude
// pruning.
func TestSynFlowOracle(t *testing.T) {
	var kept [][]bool
	for _, rounds := range []int{1, 2, 20} {
		oracle.Held(t, &SynFlow{Sparsity: .8, Iterations: rounds}, chain(t), func(n *oracle.Net) [][]bool {
			masks := synflow(t, n, .8, rounds)
			kept = append(kept, slices.Concat(masks...))
			return masks
		})
	}
	if slices.Equal(kept[0], kept[2]) || slices.Equal(kept[2], kept[4]) {
		t.Error("all numbers of rounds keep the same: the test says nothing")
	}
	oracle.Held(t, &SynFlow{Sparsity: .6, Iterations: 1}, oracle.Job(t, "mlp:7-5", 100, 10, 1, 4), func(n *oracle.Net) [][]bool {
		return [][]bool{oracle.Best(t, oracle.Sizes(n.Layers[0].W.X), left(35, .6), oracle.CutFirst)}
	})
}

// Random pruning keeps of each layer what its allocation says, at the places of the
// largest draws, scales the weights for it, and trains with the masks held.
func TestRandomOracle(t *testing.T) {
	sizes := []float64{120, 72, 24}
	share := func(density ...float64) []int {
		for l := range density {
			density[l] *= sizes[l]
		}
		return oracle.Rounded(density, 43) // a fifth of 216
	}
	shapes := [][]int{{12, 10}, {6, 12}, {4, 6}}
	counts := func(score func(n *oracle.Net, b oracle.Batch) [][]float64) func(n *oracle.Net, b oracle.Batch) []int {
		return func(n *oracle.Net, b oracle.Batch) (out []int) {
			for _, m := range oracle.BestOfAll(t, score(n, b), 43) {
				out = append(out, oracle.Count(m))
			}
			return out
		}
	}
	fixed := func(keep []int) func(*oracle.Net, oracle.Batch) []int {
		return func(*oracle.Net, oracle.Batch) []int { return keep }
	}
	force := 0.0 // of igq: Σ n/(F n + 1) = 43
	for lo, hi := 0., 1.; hi-lo > 1e-14; {
		force = (lo + hi) / 2
		if 120/(force*120+1)+72/(force*72+1)+24/(force*24+1) > 43 {
			lo = force
		} else {
			hi = force
		}
	}
	d := 43. / 216
	for name, c := range map[string]struct {
		allocate, scale string
		keep            func(n *oracle.Net, b oracle.Batch) []int
	}{
		"uniform":  {"uniform", "none", fixed(share(d, d, d))},
		"uniform+": {"uniform+", "none", fixed(share(d, d, d))}, // at a density of a fifth there is no classifier's share
		"er":       {"er", "overall", fixed(oracle.ErdosRenyi(shapes, 43, 2))},
		"erk":      {"erk", "layer", fixed(oracle.ErdosRenyi(shapes, 43, 4))},
		"erk+":     {"erk+", "none", fixed(append(oracle.ErdosRenyi(shapes[:2], 43-12, 4), 12))}, // half of the last layer
		"igq":      {"igq", "none", fixed(share(1/(force*120+1), 1/(force*72+1), 1/(force*24+1)))},
		"snip":     {"snip", "none", counts(sensitivity)},
		"grasp":    {"grasp", "none", counts(func(n *oracle.Net, b oracle.Batch) [][]float64 { return flow(n, b, 200) })},
		"synflow": {"synflow", "none", func(n *oracle.Net, _ oracle.Batch) (out []int) {
			for _, m := range synflow(t, n, .8, 100) {
				out = append(out, oracle.Count(m))
			}
			return out
		}},
		"magnitude": {"magnitude", "layer", counts(func(n *oracle.Net, _ oracle.Batch) (out [][]float64) {
			for _, w := range n.Weights() {
				out = append(out, oracle.Sizes(w.X))
			}
			return out
		})},
	} {
		t.Run(name, func(t *testing.T) {
			j := chain(t)
			s := NewRandom()
			s.Sparsity, s.Allocate, s.Scale, s.FCDensity, s.PerClass = .8, c.allocate, c.scale, .5, 10
			ws, err := prune.Weights(j.Graph, prune.Scope{})
			if err != nil {
				t.Fatal(err)
			}
			draws := score.Random(ws, j.Seed)
			oracle.Held(t, s, j, func(n *oracle.Net) (masks [][]bool) {
				keep := c.keep(n, scored(t, j, 10))
				for l, w := range n.Weights() {
					masks = append(masks, oracle.Best(t, oracle.Wide(draws[l]), keep[l], oracle.CutFirst))
					by := map[string]float64{"none": 1, "overall": d, "layer": float64(keep[l]) / sizes[l]}[c.scale]
					for i := range w.X {
						w.X[i] /= math.Sqrt(by)
					}
				}
				return masks
			})
		})
	}
}

// Of convolutions erk counts the kernel in the sum, er does not, and uniform counts
// neither: the counts of every layer are those of the formula, and no two rules agree.
func TestRandomAllocations(t *testing.T) {
	seen := map[string][]int{}
	for _, name := range []string{"erk", "er", "uniform", "uniform+"} {
		j := modeltest.ConvJob(t, "resnet8")
		j.Recipe.Epochs = 0
		s := NewRandom()
		s.Sparsity, s.Allocate = .85, name
		r := modeltest.Run(t, s, j)
		var shapes [][]int
		var even []float64
		all := 0
		for l, w := range r.Masks.Weights {
			shapes = append(shapes, w.Const.Shape)
			even = append(even, float64(w.Len()))
			all += w.Len()
			seen[name] = append(seen[name], r.Masks.Mask[l].Count())
		}
		total, last := int(math.Floor(float64(all)*.15+.5)), len(even)-1
		var want []int
		switch name {
		case "erk":
			want = oracle.ErdosRenyi(shapes, total, 4)
		case "er":
			want = oracle.ErdosRenyi(shapes, total, 2)
		case "uniform":
			for l := range even {
				even[l] *= float64(total) / float64(all)
			}
			want = oracle.Rounded(even, total)
		case "uniform+": // the first whole, a fifth of the last, the others alike
			d := (float64(total) - even[0] - .2*even[last]) / (float64(all) - even[0] - even[last])
			for l := 1; l < last; l++ {
				even[l] *= d
			}
			even[last] *= .2
			want = oracle.Rounded(even, total)
		}
		if !slices.Equal(seen[name], want) {
			t.Errorf("%s keeps %v, want %v", name, seen[name], want)
		}
	}
	for a := range seen {
		for b := range seen {
			if a != b && slices.Equal(seen[a], seen[b]) {
				t.Errorf("%s and %s keep the same of all layers: the test says nothing", a, b)
			}
		}
	}
}
