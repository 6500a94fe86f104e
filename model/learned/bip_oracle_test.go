package learned

import (
	"math"
	"testing"

	"pare/graph"
	"pare/graph/op"
	"pare/internal/oracle"
	"pare/model"
	"pare/tensor"
)

// bipByHand is BiP in plain loops: weights by the batch of the step, then scores along
// sign(s) (theta - m g/gamma) g by another batch, then the largest scores of all layers.
// Of the epochs the first of the best validation accuracy is taken.
func bipByHand(t *testing.T, j *model.Job, s *BiP) *oracle.Training {
	b := latentByHand(t, j, s.Scored)
	b.rate = dropped(s.ScoreLR, int(math.Round(.75*float64(b.Steps))), int(math.Round(.9*float64(b.Steps))))
	if s.Mode != "unstructured" { // the last layer is no convolution
		b.theta, b.mask, b.score, b.velocity = b.theta[:len(b.theta)-1], b.mask[:len(b.mask)-1], b.score[:len(b.score)-1], b.velocity[:len(b.velocity)-1]
	}
	n := 0
	for l := range b.theta {
		copy(b.score[l], b.theta[l])
		n += len(b.theta[l])
	}
	stays := func(n int) int { return n - int(s.Sparsity*float64(n)+1e-9) }
	project := func() {
		if s.Mode == "unstructured" {
			b.largest(stays(n))
			return
		}
		for l, score := range b.score {
			layer := b.Net.Layers[l]
			slabs, of := layer.Out, func(i int) int { return i / layer.In }
			if s.Mode == "channel" {
				slabs, of = layer.In, func(i int) int { return i % layer.In }
			}
			norm := make([]float64, slabs)
			for i, x := range score {
				norm[of(i)] += x * x
			}
			keep := oracle.Best(t, norm, stays(slabs), oracle.CutFirst)
			for i := range score {
				b.mask[l][i] = keep[of(i)]
			}
		}
	}
	silence := func() { // biases behind cut filters
		for l := range b.mask {
			for o := range b.Net.Layers[l].Out {
				if s.Mode == "filter" && !b.mask[l][o*b.Net.Layers[l].In] {
					b.Net.Layers[l].B.X[o] = 0
				}
			}
		}
	}
	project()
	silence()
	b.show()
	b.Graded = func(int) { b.latent() }
	best, bestNet := -1.0, (*oracle.Net)(nil)
	b.After = func(step int) {
		b.moved()
		silence()
		b.show()
		each := b.Stream.Steps()
		b.Net.Gradient(b.Stream.Batch(j.Recipe.Epochs+step/each, step%each))
		for l, theta := range b.theta {
			d := make([]float64, len(theta))
			for i, g := range b.Net.Weights()[l].G {
				switch {
				case s.Implicit == "none" || s.Implicit == "theorem" && !b.mask[l][i]:
					d[i] = theta[i] * g
				case s.Implicit == "theorem":
					d[i] = (theta[i] - g/s.Gamma) * g
				case s.Implicit == "reference-ig":
					d[i] = theta[i] * g
				}
				if b.score[l][i] < 0 {
					d[i] = -d[i]
				}
				if s.Implicit == "reference-ig" {
					d[i] -= theta[i] * g * theta[i] * g / s.Gamma
				}
			}
			b.descend(l, step, d)
		}
		project()
		silence()
		b.show()
		if j.Data.Val != nil && (step+1)%each == 0 {
			if a := b.Net.Right(oracle.Whole(t, j.Data.Val, j.Data.Norm)); a > best {
				best, bestNet = a, b.Net.Clone()
			}
		}
	}
	b.End = func() {
		if bestNet != nil {
			*b.Net = *bestNet
		}
	}
	return b.Run()
}

// Run is BiP by hand after every step, with each implicit gradient.
func TestBiPOracle(t *testing.T) {
	for _, implicit := range []string{"theorem", "reference-ig", "none"} {
		s := NewBiP()
		s.Sparsity, s.Gamma, s.Implicit, s.ScoreLR = .6, .5, implicit, .3
		j := oracle.Job(t, "mlp:6-8-5-4", 32, 8, 4, 5)
		bipByHand(t, j, s).Follow(t, s, j)
	}
}

// The implicit gradient fades as gamma grows: without it BiP is the alternation of weights
// and masks.
func TestBiPAlternates(t *testing.T) {
	without, with := NewBiP(), NewBiP()
	without.Implicit, with.Gamma = "none", 1e30
	for _, s := range []*BiP{without, with} {
		s.Sparsity = .5
		hand := NewBiP()
		hand.Sparsity, hand.Implicit = .5, "none"
		j := oracle.Job(t, "mlp:6-8-4", 32, 8, 3, 5)
		bipByHand(t, j, hand).Follow(t, s, j)
	}
}

// With a validation set the first of the best epochs is taken.
func TestBiPOracleBest(t *testing.T) {
	for seed := uint64(1); seed < 4; seed++ {
		s := NewBiP()
		s.Sparsity, s.ScoreLR = .7, .3
		j := oracle.Job(t, "mlp:6-8-4", 40, 8, 4, seed)
		j.Recipe.LR, j.Recipe.Schedule = .3, "constant"
		var err error
		if j.Data.Train, j.Data.Val, err = j.Data.Train.Split(.2, 1); err != nil {
			t.Fatal(err)
		}
		bipByHand(t, j, s).Follow(t, s, j)
	}
}

// convJob is a job on the same chain as convolutions of one pixel, but for the last layer.
func convJob(t *testing.T, seed uint64) *model.Job {
	t.Helper()
	j := oracle.Job(t, "mlp:6-8-5-4", 32, 8, 4, seed)
	j.Data.Train.X().Shape = []int{6, 1, 1}
	was := j.Graph
	g := graph.New("conv", 17)
	x := &graph.Value{Name: "x", DType: tensor.Float32, Shape: append(graph.Shape{graph.Sym("N")}, graph.Dims(6, 1, 1)...)}
	g.Inputs = []*graph.Value{x}
	b := op.NewBuilder(g, "g")
	of := func(name string, shape ...int) *graph.Value {
		return g.Const(name, tensor.From(was.Value(name).Const.F32(), shape...), graph.Param)
	}
	x = b.Op("Relu", b.Op("Conv", x, of("fc1.weight", 8, 6, 1, 1), of("fc1.bias", 8)))
	x = b.Op("Relu", b.Op("Conv", x, of("fc2.weight", 5, 8, 1, 1), of("fc2.bias", 5)))
	g.Outputs = []*graph.Value{b.Attr("Gemm", []graph.Attr{graph.MakeAttr("transB", 1)}, b.Op("Flatten", x), of("fc3.weight", 4, 5), of("fc3.bias", 4))}
	if err := b.Err(); err != nil {
		t.Fatal(err)
	}
	if err := op.InferAll(g); err != nil {
		t.Fatal(err)
	}
	j.Graph = g
	return j
}

// Structured BiP is BiP by hand too: whole filters, or input channels, by the norm of their
// scores, as many of each layer. A bias is zero for as long as its filter is cut, also while
// the scores are moved. In the end the units that are silent, or that nothing reads,
// are removed.
func TestBiPOracleStructured(t *testing.T) {
	for _, c := range []struct {
		mode string
		seed uint64
	}{{"filter", 6}, {"filter", 12}, {"channel", 5}} {
		s, mode := NewBiP(), c.mode
		s.Mode, s.Sparsity, s.Gamma, s.ScoreLR = mode, .5, .5, 3
		j := convJob(t, c.seed)
		run := bipByHand(t, j, s)
		removed := 0
		for l := range 2 { // by what makes a unit, or what reads it
			layer, next := run.Net.Layers[l], run.Net.Layers[l+1]
			keep := make([]bool, layer.Out)
			for i, x := range layer.W.X {
				keep[i/layer.In] = keep[i/layer.In] || mode == "filter" && x != 0
			}
			for i, x := range next.W.X {
				keep[i%next.In] = keep[i%next.In] || mode == "channel" && x != 0
			}
			removed += layer.Out - oracle.Count(keep)
			run.Net.Narrow(l, keep)
		}
		r := run.Follow(t, s, j)
		if f := r.Facts.(*BiPFacts); *f != (BiPFacts{Channels: 13, Removed: removed}) || removed == 0 {
			t.Errorf("%s: %+v, want %d of 13 removed", mode, f, removed)
		}
	}
}
