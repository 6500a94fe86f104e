package score

import (
	"context"
	"math"
	"testing"

	"pare/dataset"
	"pare/engine"
	"pare/graph"
	"pare/prune"
	"pare/tensor"
	"pare/train"
	"pare/zoo"
)

var one = engine.Options{Threads: 1}

func network(t *testing.T, name string, in ...int) (*graph.Graph, []*prune.Weight) {
	t.Helper()
	g, err := zoo.New(name, zoo.Options{In: in, Seed: 2})
	if err != nil {
		t.Fatal(err)
	}
	ws, err := prune.Weights(g, prune.Scope{})
	if err != nil {
		t.Fatal(err)
	}
	return g, ws
}

func batches(size int) train.Source {
	tr, _ := dataset.Glyph(2, .4, 60, 10, 1)
	return train.NewData(&dataset.Loader{Set: tr, Size: size, Norm: dataset.Raw})
}

// gradients over the samples, in batches.
func gradients(t *testing.T, g *graph.Graph, ws []*prune.Weight, size int) [][]float32 {
	t.Helper()
	x, err := train.Gradients(context.Background(), g, prune.Values(ws), batches(size), train.Loss{}, one)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// The gradient over several batches is the mean of theirs.
func TestGradients(t *testing.T) {
	g, ws := network(t, "mlp:64-12-10", 1, 8, 8)
	near(t, "mean of batches", gradients(t, g, ws, 20), gradients(t, g, ws, 60), 1e-4)
}

// near compares up to a share of each layer's largest entry.
func near(t *testing.T, what string, got, want [][]float32, tol float64) {
	t.Helper()
	for l := range want {
		scale := 0.0
		for _, x := range want[l] {
			scale = math.Max(scale, math.Abs(float64(x)))
		}
		for i, x := range want[l] {
			if d := math.Abs(float64(got[l][i] - x)); !(d <= tol*scale) {
				t.Fatalf("%s: layer %d entry %d is %v, want %v (largest %v)", what, l, i, got[l][i], x, scale)
			}
		}
	}
}

// w*(H g) against a difference of gradients along g. The network is smooth:
// a difference across a ReLU's corner is not a derivative.
func TestGraSP(t *testing.T) {
	const temp, h = 2., 1e-3
	g, ws := network(t, "mlp:64-10", 1, 8, 8)
	of, warm := prune.Values(ws), train.Loss{Temper: temp}
	first, err := train.Gradients(context.Background(), g, of, batches(30), warm, one)
	if err != nil {
		t.Fatal(err)
	}
	hg, err := train.HessianProduct(context.Background(), g, of, first, batches(30), warm, one)
	if err != nil {
		t.Fatal(err)
	}
	got, err := GraSP(ws, hg)
	if err != nil {
		t.Fatal(err)
	}
	tempered := func() [][]float32 { // logits/temp: the weights and biases are divided instead
		c, m := g.Clone(true)
		for _, p := range c.Params() {
			for i := range p.Const.F32() {
				p.Const.F32()[i] /= temp
			}
		}
		same := make([]*prune.Weight, len(ws))
		for l, w := range ws {
			same[l] = &prune.Weight{Value: m[w.Value]}
		}
		d := gradients(t, c, same, 30)
		for _, x := range d {
			for i := range x {
				x[i] /= temp
			}
		}
		return d
	}
	grad := tempered()
	near(t, "the gradient behind a temperature", first, grad, 1e-4)
	norm := 0.0
	for _, x := range grad {
		for _, v := range x {
			norm += float64(v) * float64(v)
		}
	}
	norm = math.Sqrt(norm)
	move := func(by float64) [][]float32 {
		for l, w := range ws {
			for i := range w.Data() {
				w.Data()[i] += float32(by * float64(grad[l][i]))
			}
		}
		return tempered()
	}
	step := h / norm * 10
	up := move(step)
	down := move(-2 * step)
	move(step)
	want := make([][]float32, len(ws))
	for l, w := range ws {
		for i, x := range w.Data() {
			// H is the sum of two batches' Hessians, the difference is that of their mean
			want[l] = append(want[l], x*float32(2*float64(up[l][i]-down[l][i])/(2*step)))
		}
	}
	near(t, "GraSP", got, want, 2e-3)
	hg[0][3] = math.NaN()
	if _, err := GraSP(ws, hg); err == nil {
		t.Error("a score that is no number was accepted")
	}
}

// An MLP 2-2-1 by hand: R = sum over paths of |products|.
func TestFlowByHand(t *testing.T) {
	g, ws := network(t, "mlp:2-2-1", 2)
	copy(ws[0].Data(), []float32{1, -2, 3, 4}) // [out][in]
	copy(ws[1].Data(), []float32{-5, 6})
	f, err := NewFlow(g, ws, one)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	m := prune.Dense(ws)
	m.Mask[0].Set(2, false)
	for _, c := range []struct {
		m    *prune.Masks
		want [][]float32
	}{
		{nil, [][]float32{{5, 10, 18, 24}, {15, 42}}},
		{m, [][]float32{{5, 10, -1, 24}, {15, 24}}},
	} {
		got, err := f.Score(c.m)
		if err != nil {
			t.Fatal(err)
		}
		by := got[0][0] / c.want[0][0]
		for l := range got {
			for i, x := range got[l] {
				if want := c.want[l][i]; want >= 0 && math.Abs(float64(x/by-want)) > 1e-4 || want < 0 && x != want {
					t.Errorf("masks %v: weight %d of layer %d has %v, want %v", c.m != nil, i, l, x/by, want)
				}
			}
		}
	}
	if x := ws[0].Data(); x[1] != -2 {
		t.Error("the network itself was changed")
	}
}

// Powers of two change no score but for a common factor, where branches meet too;
// without them a deep network overflows.
func TestFlowPowers(t *testing.T) {
	g, ws := network(t, "resnet8", 3, 8, 8)
	f, err := NewFlow(g, ws, one)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	got, err := f.Score(nil)
	if err != nil {
		t.Fatal(err)
	}
	for v, w := range f.weight {
		copy(v.Const.F32(), w.size)
		w.power = 0
	}
	f.balance()
	if err := f.prog.Run(); err != nil {
		t.Fatal(err)
	}
	last := len(ws) - 1
	by := float64(f.abs[last].Const.F32()[0]*f.grad[last][0]) / float64(got[last][0])
	if _, frac := math.Modf(math.Log2(by)); math.Abs(frac) > 1e-5 && math.Abs(frac) < 1-1e-5 {
		t.Errorf("the common factor %v is no power of two", by)
	}
	want := make([][]float32, len(ws))
	for l, v := range f.abs {
		for i, x := range v.Const.F32() {
			want[l] = append(want[l], float32(float64(x*f.grad[l][i])/by))
		}
	}
	near(t, "with powers", got, want, 1e-5)

	name := "mlp:64"
	for range 60 {
		name += "-64"
	}
	g, ws = network(t, name, 64)
	deep, err := NewFlow(g, ws, one)
	if err != nil {
		t.Fatal(err)
	}
	defer deep.Close()
	sc, err := deep.Score(nil)
	if err != nil {
		t.Fatal(err)
	}
	first, end := total(sc[0]), total(sc[len(sc)-1]) // every layer carries the same flow
	if !(first > 0) || math.Abs(first/end-1) > 1e-4 {
		t.Errorf("the first layer carries %v, the last %v", first, end)
	}
}

func total(x []float32) float64 {
	s := 0.0
	for _, v := range x {
		s += float64(v)
	}
	return s
}

func TestFlowRefuses(t *testing.T) {
	for _, name := range []string{"vit-tiny", "gpt-tiny"} {
		g, err := zoo.New(name, zoo.Options{Seed: 1})
		if err != nil {
			t.Fatal(err)
		}
		ws, err := prune.Weights(g, prune.Scope{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := NewFlow(g, ws, one); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}

// w = (1, 2, 3): 1/14, 4/13, 9/9; a layer's scale does not matter.
func TestLAMP(t *testing.T) {
	w := func(x ...float32) *prune.Weight {
		return &prune.Weight{Value: &graph.Value{Const: tensor.From(x, 1, len(x))}}
	}
	got := LAMP([]*prune.Weight{w(2, -3, 1), w(200, -300, 100), w(0, 0)})
	for l, want := range [][]float32{{4. / 13, 1, 1. / 14}, {4. / 13, 1, 1. / 14}, {0, 0}} {
		for i := range want {
			if math.Abs(float64(got[l][i]-want[i])) > 1e-6 {
				t.Errorf("layer %d: %v, want %v", l, got[l], want)
				break
			}
		}
	}
}
