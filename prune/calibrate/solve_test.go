package calibrate

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"

	"pare/engine"
	"pare/graph"
	"pare/graph/op"
	"pare/internal/answer"
	"pare/prune"
	"pare/prune/structure"
	"pare/tensor"
	"pare/zoo"

	"gonum.org/v1/gonum/mat"
)

// momentsOf are those of inputs [rows, cols] and targets [rows, outs].
func momentsOf(x, y *mat.Dense) *Moments {
	n, cols := x.Dims()
	_, outs := y.Dims()
	m := &Moments{Rows: n, Cols: cols, Outs: outs, X: make([]float64, cols), Y: make([]float64, outs), YY: make([]float64, outs)}
	var xx, xy mat.Dense
	xx.Mul(x.T(), x)
	xy.Mul(x.T(), y)
	m.XX, m.XY = xx.RawMatrix().Data, xy.RawMatrix().Data
	for r := range n {
		for k := range cols {
			m.X[k] += x.At(r, k)
		}
		for o := range outs {
			m.Y[o] += y.At(r, o)
			m.YY[o] += y.At(r, o) * y.At(r, o)
		}
	}
	return m
}

func gaussian(r *rand.Rand, n, k int) *mat.Dense {
	m := mat.NewDense(n, k, nil)
	for i := range m.RawMatrix().Data {
		m.RawMatrix().Data[i] = r.NormFloat64()
	}
	return m
}

// The gradient of what Ridge minimises is zero at every entry that is free, and the
// others are zero: with all entries, with columns cut, and with rows cut differently.
func TestRidge(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	const rows, cols, outs, damp = 40, 12, 5, .05
	x, y := gaussian(r, rows, cols), gaussian(r, rows, outs)
	columns, uneven := prune.NewMask(outs*cols, true), prune.NewMask(outs*cols, true)
	for i := range outs * cols {
		columns.Set(i, i%cols%3 != 0)
		uneven.Set(i, r.IntN(2) == 0)
	}
	for name, kept := range map[string]*prune.Mask{"all": nil, "columns": columns, "uneven": uneven} {
		m := momentsOf(x, y)
		w0 := gaussian(r, outs, cols).RawMatrix().Data
		for i := range w0 {
			if kept != nil && !kept.Kept(i) {
				w0[i] = 0
			}
		}
		trace := 0.0
		for k := range cols {
			trace += m.XX[k*cols+k] / cols
		}
		w, err := m.Ridge(damp, w0, kept)
		if err != nil {
			t.Fatal(err)
		}
		for o := range outs {
			for k := range cols {
				i := o*cols + k
				if kept != nil && !kept.Kept(i) {
					if w[i] != 0 {
						t.Errorf("%s: entry %d is cut and %v", name, i, w[i])
					}
					continue
				}
				g := damp * trace * (w[i] - w0[i])
				for n := range rows {
					e := -y.At(n, o)
					for c := range cols {
						e += w[o*cols+c] * x.At(n, c)
					}
					g += e * x.At(n, k)
				}
				if math.Abs(g) > 1e-3 {
					t.Errorf("%s: the gradient at %d %d is %v", name, o, k, g)
				}
			}
		}
	}
}

// metric is how far outputs of a network lie from a dense one's.
func metric(t *testing.T, g *graph.Graph, x *tensor.Tensor, want []float32) float64 {
	t.Helper()
	e, all := 0.0, 0.0
	for i, v := range answer.To(t, g, x) {
		e += float64(v-want[i]) * float64(v-want[i])
		all += float64(want[i]) * float64(want[i])
	}
	return e / all
}

// shaken moves the statistics and biases of a network that was drawn, as training does.
func shaken(t *testing.T, name string) (*graph.Graph, *tensor.Tensor) {
	t.Helper()
	g, err := zoo.New(name, zoo.Options{In: []int{2, 8, 8}, Seed: 1, Width: .5})
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(8, 8))
	for _, v := range g.Consts() {
		if len(v.Shape) != 1 || v.Const.F32() == nil {
			continue
		}
		for i := range v.Const.F32() {
			v.Const.F32()[i] += float32(.3 * math.Abs(r.NormFloat64()))
		}
	}
	return g, random(r, 128, 2, 8, 8)
}

// A cut network whose channels were copies of others is solved back to the dense one:
// every layer finds in what is left what it had before, through normalisation,
// residual sums and shortcuts.
func TestSolveFindsWhatIsThere(t *testing.T) {
	for _, name := range []string{"resnet8", "conv-2"} {
		g, x := shaken(t, name)
		groups, _ := structure.Groups(g)
		sel := structure.All(groups)
		for i, grp := range groups {
			for c := range len(grp.Channels) / 2 { // the second half becomes the first again
				for k, a := range grp.Axes {
					if a.Value.IsConst() && grp.Reads(a.Value) != k {
						copyChannel(a.Value, a.Dim, grp.Channels[c].At[k], grp.Channels[c+len(grp.Channels)/2].At[k])
					}
				}
				sel[i].Set(c+len(grp.Channels)/2, false)
			}
		}
		cut, err := structure.Cut(g, groups, sel)
		if err != nil {
			t.Fatal(err)
		}
		ctx := context.Background()
		batches := func(yield func(map[string]*tensor.Tensor) error) error {
			return yield(map[string]*tensor.Tensor{g.Inputs[0].Name: x})
		}
		want, err := op.Run(bound(t, g, x), map[string]*tensor.Tensor{g.Inputs[0].Name: x})
		if err != nil {
			t.Fatal(err)
		}
		y := want[g.Outputs[0].Name].F32()
		before := metric(t, cut, x, y)
		s := &Solver{Damp: 1e-5, Log: t.Logf, Options: Options{Engine: engine.Options{Threads: 2}}}
		solved, skips, err := s.Solve(ctx, g, cut, structure.KeptBy(groups, sel), batches)
		if err != nil {
			t.Fatal(err)
		}
		after := metric(t, cut, x, y)
		if len(skips) > 0 || len(solved) == 0 || before < .05 || after > 1e-3 {
			t.Errorf("%s: %.2g of the output was missing, %.2g is after solving %d layers; left out %v", name, before, after, len(solved), skips)
		}
	}
}

func bound(t *testing.T, g *graph.Graph, x *tensor.Tensor) *graph.Graph {
	t.Helper()
	c, _ := g.Clone(false)
	if err := op.Bind(c, map[string]int{g.Inputs[0].Shape[0].Sym: x.Shape[0]}); err != nil {
		t.Fatal(err)
	}
	return c
}

// copyChannel copies positions of an axis to others.
func copyChannel(v *graph.Value, dim int, from, to []int) {
	shape := v.Const.Shape
	inner := 1
	for _, k := range shape[dim+1:] {
		inner *= k
	}
	d := v.Const.F32()
	for o := 0; o < len(d); o += shape[dim] * inner {
		for i := range from {
			copy(d[o+to[i]*inner:o+(to[i]+1)*inner], d[o+from[i]*inner:o+(from[i]+1)*inner])
		}
	}
}

// Solving a masked network leaves what is cut at zero, and comes closer to the dense one
// than masks alone; a network that was not cut stays what it is.
func TestSolveMasked(t *testing.T) {
	g, x := shaken(t, "resnet8")
	in := g.Inputs[0].Name
	batches := func(yield func(map[string]*tensor.Tensor) error) error {
		return yield(map[string]*tensor.Tensor{in: x})
	}
	want, err := op.Run(bound(t, g, x), map[string]*tensor.Tensor{in: x})
	if err != nil {
		t.Fatal(err)
	}
	y := want[g.Outputs[0].Name].F32()
	for _, share := range []float64{0, .5} {
		cut, _ := g.Clone(true)
		ws, err := prune.Weights(cut, prune.Scope{})
		if err != nil {
			t.Fatal(err)
		}
		masks := prune.Dense(ws)
		for l, w := range ws {
			abs := make([]float32, w.Len())
			for i, v := range w.Data() {
				abs[i] = float32(math.Abs(float64(v)))
			}
			masks.Mask[l] = prune.TopK(abs, w.Len()-int(share*float64(w.Len())), prune.CutFirst)
		}
		masks.Apply()
		before := metric(t, cut, x, y)
		s := &Solver{Damp: 1e-2, Options: Options{Engine: engine.Options{Threads: 1}}}
		if _, _, err := s.Solve(context.Background(), g, cut, nil, batches); err != nil {
			t.Fatal(err)
		}
		after := metric(t, cut, x, y)
		if share == 0 && after > 1e-6 || share > 0 && after > .5*before {
			t.Errorf("%v cut: %.3g of the output was missing, %.3g is", share, before, after)
		}
		for l, w := range ws {
			for i, v := range w.Data() {
				if v != 0 && !masks.Mask[l].Kept(i) {
					t.Fatalf("%s[%d] is cut and %v", w.Name, i, v)
				}
			}
		}
	}
}

// What losing a channel costs is what least squares without it leave, and what is left
// takes over: of two channels that are copies the second is dear once the first is gone.
func TestEliminate(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 7))
	const rows, cols, outs = 60, 6, 4
	x := gaussian(r, rows, cols)
	for n := range rows {
		x.Set(n, 1, x.At(n, 0)+.01*x.At(n, 1)) // a copy, nearly
	}
	w := gaussian(r, outs, cols)
	var y mat.Dense
	y.Mul(x, w.T())
	var h, inv mat.Dense
	h.Mul(x.T(), x)
	if err := inv.Inverse(&h); err != nil {
		t.Fatal(err)
	}
	of := [][]int{{0}, {1}, {2, 3}, {4, 5}}
	rd := &reader{&surgeon{inverse: append([]float64{}, inv.RawMatrix().Data...), w: append([]float64{}, w.RawMatrix().Data...), cols: cols, outs: outs}, of}
	for c, s := range of {
		var use []int
		for k := range cols {
			if len(s) == 1 && k != s[0] || len(s) == 2 && k != s[0] && k != s[1] {
				use = append(use, k)
			}
		}
		sub := mat.NewDense(rows, len(use), nil)
		for i, k := range use {
			for n := range rows {
				sub.Set(n, i, x.At(n, k))
			}
		}
		var fit, left mat.Dense
		if err := fit.Solve(sub, &y); err != nil {
			t.Fatal(err)
		}
		left.Mul(sub, &fit)
		left.Sub(&y, &left)
		want := mat.Norm(&left, 2)
		if got := rd.cost(s); math.Abs(got-want*want) > 1e-6*(1+want*want) {
			t.Errorf("channel %d costs %v, least squares leave %v", c, got, want*want)
		}
	}
	cost := eliminate([]*reader{rd}, len(of))
	first, second := min(cost[0], cost[1]), max(cost[0], cost[1])
	if first > .1 || second < 10*first {
		t.Errorf("two copies cost %v and %v", cost[0], cost[1])
	}
}
