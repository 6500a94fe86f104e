package gradual

import (
	"bytes"
	"math"
	"math/rand/v2"
	"testing"

	"pare/internal/modeltest"
	"pare/internal/oracle"
	"pare/model"
	"pare/model/atinit"
	"pare/model/oneshot"
	"pare/prune"
	"pare/prune/score"
	"pare/train"
)

// scattered are masks of a network of which so many entries of each layer stay, drawn as
// the methods draw them.
func scattered(t *testing.T, j *model.Job, n *oracle.Net, keep []int) {
	t.Helper()
	ws, err := prune.Weights(j.Graph, prune.Scope{})
	if err != nil {
		t.Fatal(err)
	}
	for l, draw := range score.Random(ws, j.Seed) {
		n.Layers[l].W.Mask = oracle.Best(t, oracle.Wide(draw), keep[l], oracle.CutFirst)
	}
	n.Apply()
}

// shapes are those of the weights of a network, [out, in].
func shapes(n *oracle.Net) (out [][]int) {
	for _, l := range n.Layers {
		out = append(out, []int{l.Out, l.In})
	}
	return out
}

// falling is a share that falls along half a cosine over so many steps.
func falling(from, to float64, t, over int) float64 {
	return to + (from-to)*(1+math.Cos(math.Pi*float64(t)/float64(over)))/2
}

// exchanged drops the ceil(rate*n) smallest of the n weights that each layer keeps, and
// grows as many of those that are then cut with the highest scores, at zero. What drops
// and grows at once goes on.
func exchanged(t *testing.T, n *oracle.Net, rate float64, grow [][]float64) (grown int) {
	t.Helper()
	for l, w := range n.Weights() {
		active := oracle.Count(w.Mask)
		q := int(math.Ceil(rate*float64(active) - 1e-9))
		left := oracle.Best(t, oracle.Among(w.Mask, oracle.Sizes(w.X)), active-q, oracle.CutFirst)
		wanted := append([]float64{}, grow[l]...)
		for i, keep := range left {
			if keep {
				wanted[i] = math.Inf(-1)
			}
		}
		for i, g := range oracle.Best(t, wanted, q, oracle.KeepFirst) {
			if g && !w.Mask[i] {
				grown++
			}
			left[i] = left[i] || g
		}
		w.Mask = left
	}
	n.Apply()
	return grown
}

// slopes are the magnitudes of the gradients of the batches of a step and those behind
// it in its epoch, which goes round.
func slopes(r *oracle.Training, step, batches int) [][]float64 {
	out := make([][]float64, len(r.Net.Layers))
	n := r.Stream.Steps()
	for b := range batches {
		r.Net.Gradient(r.Stream.Batch(step/n, (step%n+b)%n))
		for l, w := range r.Net.Weights() {
			if out[l] == nil {
				out[l] = make([]float64, len(w.X))
			}
			for i, g := range w.G {
				out[l][i] += g
			}
		}
	}
	for l := range out {
		out[l] = oracle.Sizes(out[l])
	}
	return out
}

// draws are the numbers by which random growth goes at a step.
func draws(r *oracle.Training, seed uint64, step int) [][]float64 {
	var out [][]float64
	for l, w := range r.Net.Weights() {
		d := rand.New(rand.NewPCG(seed, 0xe7c4<<48|uint64(step)<<16|uint64(l)))
		x := make([]float64, len(w.X))
		for i := range x {
			x[i] = float64(d.Float32())
		}
		out = append(out, x)
	}
	return out
}

// granetOracle raises the sparsity over [6, 36) of 60 steps and at 36, every 10 steps,
// from a start by the Erdős-Rényi rule, and exchanges weights every 10 steps from 6 on.
func granetOracle(t *testing.T, s *GraNet, j *model.Job) *oracle.Training {
	t.Helper()
	r := oracle.NewTraining(t, j)
	all := oracle.Total(r.Net.Weights())
	start := make([]int, len(r.Net.Layers))
	for l, w := range r.Net.Weights() {
		start[l] = len(w.X)
	}
	if s.Initial > 0 {
		start = oracle.ErdosRenyi(shapes(r.Net), int(math.Floor(float64(all)*(1-s.Initial)+.5+1e-9)), 4)
	}
	scattered(t, j, r.Net, start)
	grown := 0
	r.Before = func(step int) {
		rise := step == 6 || step == 16 || step == 26 || step == 36
		move := step >= 6 && (step-6)%10 == 0
		if rise {
			sparsity := rising(s.Initial, s.Sparsity, 6, 36, step, 3)
			var size [][]float64
			for _, w := range r.Net.Weights() {
				size = append(size, oracle.Among(w.Mask, oracle.Sizes(w.X)))
			}
			var masks [][]bool
			if s.Rank == "global" {
				for _, x := range size { // of each layer the largest stays
					best := 0
					for i := range x {
						if x[i] >= x[best] {
							best = i
						}
					}
					x[best] = math.Inf(1)
				}
				masks = oracle.BestOfAll(t, size, all-int(math.Round(sparsity*float64(all))))
			} else {
				// A fifth of the last layer from 0.8 on, the others alike.
				for l, w := range r.Net.Weights() {
					n, last := float64(len(w.X)), float64(len(r.Net.Layers[len(r.Net.Layers)-1].W.X))
					keep := math.Floor(n*(1-sparsity) + .5 + 1e-9)
					if fifth := math.Round(.2 * last); sparsity >= .8 && l == len(size)-1 {
						keep = fifth
					} else if sparsity >= .8 {
						keep = math.Round(((1-sparsity)*float64(all) - fifth) / (float64(all) - last) * n)
					}
					masks = append(masks, oracle.Best(t, size[l], int(keep), oracle.CutFirst))
				}
			}
			for l, w := range r.Net.Weights() {
				for i := range w.Mask {
					w.Mask[i] = w.Mask[i] && masks[l][i]
				}
			}
			r.Net.Apply()
		}
		if move && s.Exchange > 0 {
			grow := draws(r, j.Seed, step)
			if s.Grow == "gradient" {
				grow = slopes(r, step, s.Batches)
			}
			grown += exchanged(t, r.Net, falling(s.Exchange, math.Min(.005, s.Exchange), step, r.Steps), grow)
		}
	}
	if r.Run(); (grown > 0) != (s.Exchange > 0) {
		t.Errorf("%d weights grew: the test says nothing", grown)
	}
	return r
}

// Every step of GraNet is the plain computation's: dense and sparse starts, both ranks,
// growth by gradients of one batch and of three, and at random, without exchange, at
// constant sparsity, and with Adam, whose moments of what grows start at zero too.
func TestGraNetOracle(t *testing.T) {
	for name, f := range map[string]func(s *GraNet, r *model.Recipe){
		"sparse start": func(*GraNet, *model.Recipe) {},
		"dense start":  func(s *GraNet, _ *model.Recipe) { s.Initial = 0 },
		"uniform":      func(s *GraNet, _ *model.Recipe) { s.Initial, s.Rank = 0, "uniform" },
		"batches":      func(s *GraNet, _ *model.Recipe) { s.Batches = 3 },
		"random":       func(s *GraNet, _ *model.Recipe) { s.Grow = "random" },
		"no exchange":  func(s *GraNet, _ *model.Recipe) { s.Exchange = 0 },
		"constant":     func(s *GraNet, _ *model.Recipe) { s.Initial = s.Sparsity },
		"adam":         func(_ *GraNet, r *model.Recipe) { r.Optimizer, r.LR = "adam", .01 },
		"least":        func(s *GraNet, _ *model.Recipe) { s.Sparsity, s.Initial = .3, .3 },
		"dead":         func(s *GraNet, _ *model.Recipe) { s.Sparsity, s.Initial, s.Grow = .5, .5, "random" },
		"floor":        func(s *GraNet, _ *model.Recipe) { s.Initial, s.Exchange = 0, 0 },
		"nesterov":     func(_ *GraNet, r *model.Recipe) { r.Optimizer = "nesterov" },
	} {
		layers := "mlp:10-12-6-4"
		if name == "least" { // layers of which the least share is several weights
			layers = "mlp:20-40-6-4"
		}
		j := oracle.Job(t, layers, 60, 6, 6, 8)
		s := NewGraNet()
		s.Sparsity, s.Begin, s.End, s.Every, s.Exchange = .85, train.Share(.1), train.Share(.6), 10, .3
		f(s, &j.Recipe)
		switch name {
		case "dead": // what grows into an output that is never above zero stays at zero, but counts
			j.Graph.Value("fc1.bias").Const.F32()[0] = -100
		case "floor": // a layer of which nothing would be left: its weights are small, and do not learn
			for i := range j.Graph.Value("fc2.bias").Const.F32() {
				j.Graph.Value("fc2.bias").Const.F32()[i] = -100
			}
			for i := range j.Graph.Value("fc2.weight").Const.F32() {
				j.Graph.Value("fc2.weight").Const.F32()[i] *= .01
			}
		}
		r := granetOracle(t, s, j)
		t.Run(name, func(t *testing.T) { r.Follow(t, s, j) })
	}
}

// Without exchange and from a dense start GraNet is gradual magnitude pruning, bit for
// bit: with the uniform rank that of each layer, with the global one that over all layers.
func TestGraNetWithoutIngredient(t *testing.T) {
	run := func(m model.Method) []byte {
		return modeltest.Bits(modeltest.Run(t, m, oracle.Job(t, "mlp:10-12-6-4", 60, 6, 6, 8)).Graph)
	}
	s, g := NewGraNet(), NewGMP()
	s.Sparsity, s.Initial, s.Begin, s.End, s.Every, s.Exchange, s.Rank = .7, 0, train.Share(.2), train.Share(.6), 5, 0, "uniform"
	g.Sparsity, g.Begin, g.End, g.Every = s.Sparsity, s.Begin, s.End, s.Every
	if !bytes.Equal(run(s), run(g)) {
		t.Error("GraNet without exchange is not gmp")
	}
	s.Rank, s.Begin, s.End, s.Every = "global", train.At{}, train.Share(.5), 1
	if !bytes.Equal(run(s), run(&oneshot.GlobalMP{Sparsity: .7, Gradual: true})) {
		t.Error("GraNet without exchange is not gradual global magnitude pruning")
	}
}

// Every step of RigL is the plain computation's: exchanges every 7 steps before step 45,
// the share falling to 0 there; none at step 0.
func TestRigLOracle(t *testing.T) {
	for name, f := range map[string]func(s *RigL, r *model.Recipe){
		"plain":   func(*RigL, *model.Recipe) {},
		"batches": func(s *RigL, _ *model.Recipe) { s.Batches = 4 },
		"drop 0":  func(s *RigL, _ *model.Recipe) { s.Drop = 0 },
		"adam":    func(_ *RigL, r *model.Recipe) { r.Optimizer, r.LR = "adam", .01 },
	} {
		j := oracle.Job(t, "mlp:10-12-6-4", 60, 6, 6, 8)
		s := NewRigL()
		s.Sparsity, s.Every = .75, 7
		f(s, &j.Recipe)
		r := oracle.NewTraining(t, j)
		scattered(t, j, r.Net, oracle.ErdosRenyi(shapes(r.Net), 54, 4)) // a quarter of 216
		grown := 0
		r.Before = func(step int) {
			if step > 0 && step < 45 && step%7 == 0 && s.Drop > 0 {
				grown += exchanged(t, r.Net, falling(s.Drop, 0, step, 45), slopes(r, step, s.Batches))
			}
		}
		if r.Run(); (grown > 0) != (s.Drop > 0) {
			t.Errorf("%d weights grew: the test says nothing", grown)
		}
		t.Run(name, func(t *testing.T) { r.Follow(t, s, j) })
	}
}

// With nothing dropped RigL trains a static random mask, bit for bit that of the method
// random; so does SET, whose allocation of matrices is the same.
func TestNothingDropped(t *testing.T) {
	run := func(m model.Method) []byte {
		return modeltest.Bits(modeltest.Run(t, m, oracle.Job(t, "mlp:10-12-6-4", 60, 6, 6, 8)).Graph)
	}
	l, s, want := NewRigL(), NewSET(), atinit.NewRandom()
	l.Sparsity, l.Drop, l.Every, s.Sparsity, s.Zeta, want.Sparsity = .75, 0, 5, .75, 0, .75
	if !bytes.Equal(run(l), run(want)) {
		t.Error("RigL that drops nothing is not a static mask")
	}
	if !bytes.Equal(run(s), run(want)) {
		t.Error("SET that drops nothing is not a static mask")
	}
}

// Every step of SET is the plain computation's: after each epoch but the last every layer
// loses a share of its positive weights, the smallest, and of its negative ones, the
// largest, and what is at zero, and grows as many at random places, all at zero.
func TestSETOracle(t *testing.T) {
	for name, c := range map[string]struct {
		f     func(s *SET, r *model.Recipe)
		every int
		keep  []int // of 120, 72 and 24; nil: Erdős-Rényi of a quarter
	}{
		"epochs":  {func(*SET, *model.Recipe) {}, 10, nil},
		"steps":   {func(s *SET, _ *model.Recipe) { s.Every = 7 }, 7, nil},
		"epsilon": {func(s *SET, _ *model.Recipe) { s.Epsilon = 1.5 }, 10, []int{33, 27, 15}}, // 1.5 (n+m)
		"adam":    {func(_ *SET, r *model.Recipe) { r.Optimizer, r.LR = "adam", .01 }, 10, nil},
	} {
		j := oracle.Job(t, "mlp:10-12-6-4", 60, 6, 6, 8)
		s := NewSET()
		s.Sparsity = .75
		c.f(s, &j.Recipe)
		r := oracle.NewTraining(t, j)
		if c.keep == nil {
			c.keep = oracle.ErdosRenyi(shapes(r.Net), 54, 2)
		}
		scattered(t, j, r.Net, c.keep)
		grown := 0
		r.Before = func(step int) {
			if step == 0 || step%c.every != 0 {
				return
			}
			for l, w := range r.Net.Weights() {
				left := evolved(t, w, s.Zeta)
				q := oracle.Count(w.Mask) - oracle.Count(left)
				w.Mask = left
				r.Net.Apply()
				free := draws(r, j.Seed, step)[l]
				for i, keep := range left {
					if keep {
						free[i] = math.Inf(-1)
					}
				}
				next := oracle.Best(t, free, q, oracle.KeepFirst)
				for i := range next {
					next[i] = next[i] || left[i]
				}
				w.Mask = next
				grown += q
			}
		}
		if r.Run(); grown == 0 {
			t.Error("nothing grew: the test says nothing")
		}
		t.Run(name, func(t *testing.T) { r.Follow(t, s, j) })
	}
}

// evolved leaves out the ceil(zeta*n) positive weights that are smallest, the
// ceil(zeta*m) negative ones that are largest, and those at zero.
func evolved(t *testing.T, w *oracle.Tensor, zeta float64) []bool {
	t.Helper()
	left := make([]bool, len(w.X))
	for _, sign := range []float64{1, -1} {
		n := 0
		size := make([]float64, len(w.X))
		for i, x := range w.X {
			if size[i] = math.Inf(-1); w.Mask[i] && sign*x > 0 {
				size[i] = sign * x
				n++
			}
		}
		for i, keep := range oracle.Best(t, size, n-int(math.Ceil(zeta*float64(n)-1e-9)), oracle.CutFirst) {
			left[i] = left[i] || keep
		}
	}
	return left
}

// Of convolutions the kernel counts in the allocation of RigL and of GraNet's sparse
// start, and does not in that of SET: the counts of all layers are those of the formula,
// and stay so.
func TestExchangeAllocations(t *testing.T) {
	rigl, granet, set := NewRigL(), NewGraNet(), NewSET()
	rigl.Sparsity, rigl.Every = .8, 3
	granet.Sparsity, granet.Initial, granet.Every = .8, .8, 3
	set.Sparsity, set.Every = .8, 3
	er := NewRigL()
	er.Sparsity, er.Every, er.Allocate = .8, 3, "er"
	for _, c := range []struct {
		m    model.Method
		dims int
	}{{rigl, 4}, {granet, 4}, {set, 2}, {er, 2}} {
		r := modeltest.Run(t, c.m, modeltest.ConvJob(t, "resnet8"))
		var shapes [][]int
		for _, w := range r.Masks.Weights {
			shapes = append(shapes, w.Const.Shape)
		}
		want := oracle.ErdosRenyi(shapes, int(math.Floor(.2*float64(prune.Total(r.Masks.Weights))+.5)), c.dims)
		for l, k := range want {
			// Rises at one sparsity may move a weight from layer to layer by rank.
			if got := r.Masks.Mask[l].Count(); got != k {
				t.Errorf("%s: %s keeps %d of %d, want %d", c.m.Card().Name, r.Masks.Weights[l].Name, got, r.Masks.Weights[l].Len(), k)
			}
		}
	}
}
