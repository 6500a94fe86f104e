package train

import (
	"context"
	"math"
	"testing"

	"pare/dataset"
	"pare/engine"
	"pare/graph"
	"pare/graph/op"
	"pare/zoo"
)

// folded is a residual network whose normalisation an exporter folded away, after a
// little training.
func folded(t *testing.T) (*graph.Graph, *dataset.Data) {
	t.Helper()
	d, err := dataset.Open("digits?n=400&test_n=100")
	if err != nil {
		t.Fatal(err)
	}
	g, err := zoo.New("resnet8", zoo.Options{In: []int{1, 8, 8}, Seed: 1, Width: .5})
	if err != nil {
		t.Fatal(err)
	}
	src := func() Source {
		return NewData(&dataset.Loader{Set: d.Train, Size: 40, Norm: d.Norm, Shuffle: true, Seed: 2})
	}
	if _, err := Fit(context.Background(), &Config{Graph: g, Epochs: 3, Optimizer: SGD{Momentum: .9}, Rate: Constant(.05), Train: src()}); err != nil {
		t.Fatal(err)
	}
	foldAll(t, g)
	return g, d
}

// foldAll folds every normalisation, as exporters do.
func foldAll(t *testing.T, g *graph.Graph) {
	t.Helper()
	for {
		var bn *graph.Node
		for _, n := range g.Nodes {
			if n.Is("BatchNormalization") {
				bn = n
				break
			}
		}
		if bn == nil {
			break
		}
		if err := fold(g, bn, ""); err != nil {
			t.Fatal(err)
		}
	}
	if err := op.InferAll(g); err != nil {
		t.Fatal(err)
	}
}

func logits(t *testing.T, g *graph.Graph, d *dataset.Data) []float32 {
	t.Helper()
	p, err := engine.Compile(g, map[string]int{"N": 20}, engine.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	l := &dataset.Loader{Set: d.Test, Size: 20, Norm: d.Norm}
	if _, err := l.Fill(0, 0, []dataset.Buffer{{X: p.Input(p.InputNames()[0]).F32()}}); err != nil {
		t.Fatal(err)
	}
	if err := p.Run(); err != nil {
		t.Fatal(err)
	}
	return append([]float32{}, p.Output(p.OutputNames()[0]).F32()...)
}

func furthest(a, b []float32) float64 {
	most, scale := 0.0, 0.0
	for i := range a {
		most = math.Max(most, math.Abs(float64(a[i]-b[i])))
		scale = math.Max(scale, math.Abs(float64(a[i])))
	}
	return most / scale
}

// The function is the same with the normalisation put back, and with it folded again;
// every filter has the same norm.
func TestRenormalise(t *testing.T) {
	g, d := folded(t)
	before := logits(t, g, d)
	names := map[string]bool{}
	for _, v := range g.Consts() {
		names[v.Name] = true
	}
	src := NewData(&dataset.Loader{Set: d.Train, Size: 40, Norm: d.Norm, Shuffle: true, Seed: 1})
	r, err := Renormalise(context.Background(), g, src, 50, Loss{}, engine.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Names) != 7 { // all convolutions of a ResNet-8
		t.Errorf("%d convolutions: %v", len(r.Names), r.Names)
	}
	if e := furthest(before, logits(t, g, d)); e > 1e-5 {
		t.Errorf("with normalisation the outputs differ by %.2g", e)
	}
	sum, filters := 0.0, 0
	for _, bn := range r.norms {
		for _, n := range normsOf(bn.In(0).From.In(1)) {
			sum, filters = sum+n*n, filters+1
		}
	}
	if e := math.Abs(sum/float64(filters) - filterSquare); e > .01 {
		t.Errorf("the mean square of the norms of filters is off by %v", e)
	}
	w := g.Params()[0].Const.F32()
	w[0], w[1] = 0, 0
	cut := logits(t, g, d)
	if err := r.Fold(g); err != nil {
		t.Fatal(err)
	}
	if err := op.InferAll(g); err != nil {
		t.Fatal(err)
	}
	if e := furthest(cut, logits(t, g, d)); e > 1e-5 {
		t.Errorf("folded again the outputs differ by %.2g", e)
	}
	if w[0] != 0 || w[1] != 0 {
		t.Error("a weight at zero came back")
	}
	for _, n := range g.Nodes {
		if n.Is("BatchNormalization") {
			t.Errorf("%s is still there", n.Name)
		}
	}
	for _, v := range g.Consts() {
		if !names[v.Name] {
			t.Errorf("%s was not in the file", v.Name)
		}
	}
}

func normsOf(w *graph.Value) []float64 {
	out := make([]float64, w.Const.Shape[0])
	filter := w.Const.Len() / len(out)
	for c := range out {
		out[c] = math.Sqrt(square(w.Const.F32()[c*filter : (c+1)*filter]))
	}
	return out
}

// rms is the root of the mean square of the logarithms' deviation from their mean.
func rms(logs []float64) float64 {
	mean, sum := 0.0, 0.0
	for _, x := range logs {
		mean += x / float64(len(logs))
	}
	for _, x := range logs {
		sum += (x - mean) * (x - mean)
	}
	return math.Sqrt(sum / float64(len(logs)))
}

// Filters get the norms back that they had before they were folded, but for a common
// factor: those at which weight decay and gradients are in balance. One norm for all of
// them is much further away.
func TestEquilibrium(t *testing.T) {
	d, err := dataset.Open("digits?n=400&test_n=100")
	if err != nil {
		t.Fatal(err)
	}
	g, err := zoo.New("resnet8", zoo.Options{In: []int{1, 8, 8}, Seed: 1, Width: .5})
	if err != nil {
		t.Fatal(err)
	}
	src := func(seed uint64) Source {
		return NewData(&dataset.Loader{Set: d.Train, Size: 40, Norm: d.Norm, Shuffle: true, Seed: seed})
	}
	if _, err := Fit(context.Background(), &Config{Graph: g, Loss: Loss{Smoothing: .2}, Epochs: 40, Optimizer: SGD{Momentum: .9, Decay: .01}, Rate: Constant(.05), Train: src(2)}); err != nil {
		t.Fatal(err)
	}
	was := map[string][]float64{}
	for _, n := range g.Nodes {
		if n.Is("Conv") {
			was[n.In(1).Name] = normsOf(n.In(1))
		}
	}
	foldAll(t, g)
	r, err := Renormalise(context.Background(), g, src(3), 10, Loss{}, engine.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	var one, off []float64
	for _, bn := range r.norms {
		w := bn.In(0).From.In(1)
		for c, n := range normsOf(w) {
			before := was[w.Name][c]
			one, off = append(one, math.Log(before)), append(off, math.Log(before/n))
		}
	}
	if a, b := rms(off), rms(one); a > .7*b {
		t.Errorf("norms of filters are off by %.3f, and by %.3f with one norm for all", a, b)
	}

	// What a filter is multiplied by says nothing.
	norms := func() [][]float64 {
		var convs []*graph.Node
		for _, bn := range r.norms {
			convs = append(convs, bn.In(0).From)
		}
		out, err := equilibrium(context.Background(), g, convs, src(3), 2, Loss{}, engine.Options{Threads: 1})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	before := norms()
	for _, bn := range r.norms {
		for c, n := range normsOf(bn.In(0).From.In(1)) {
			rescale(bn, c, n*float64(1+c%3))
		}
	}
	for i, after := range norms() {
		for c, n := range after {
			if math.Abs(n/before[i][c]-1) > .01 {
				t.Errorf("filter %d of convolution %d: %v, and %v where it is larger", c, i, before[i][c], n)
			}
		}
	}
}

// A channel that training gave up, and folding made a filter of almost nothing, is not
// blown up to a filter like the others: it is still the first to be cut.
func TestRenormaliseDead(t *testing.T) {
	g, d := folded(t)
	before := logits(t, g, d)
	conv := Unnormalised(g)[1]
	w := conv.In(1).Const
	filter := w.Len() / w.Shape[0]
	for i := range filter {
		w.F32()[filter+i] *= 1e-4
	}
	conv.In(2).Const.F32()[1] = 0
	dead := logits(t, g, d)
	if furthest(before, dead) < 1e-3 {
		t.Fatal("the channel said nothing before")
	}
	src := NewData(&dataset.Loader{Set: d.Train, Size: 40, Norm: d.Norm, Shuffle: true, Seed: 1})
	if _, err := Renormalise(context.Background(), g, src, 50, Loss{}, engine.Options{Threads: 1}); err != nil {
		t.Fatal(err)
	}
	if e := furthest(dead, logits(t, g, d)); e > 1e-5 {
		t.Errorf("with normalisation the outputs differ by %.2g", e)
	}
	for c, n := range normsOf(conv.In(1)) {
		if (n < .1) != (c == 1) {
			t.Errorf("filter %d has norm %.3f", c, n)
		}
	}
}

// What has a normalisation of its own, or needs none, is left alone.
func TestUnnormalised(t *testing.T) {
	for _, name := range []string{"resnet8", "mlp:64-10", "lenet-300-100"} {
		g, err := zoo.New(name, zoo.Options{Seed: 1})
		if err != nil {
			t.Fatal(err)
		}
		if n := Unnormalised(g); n != nil {
			t.Errorf("%s: %d convolutions", name, len(n))
		}
	}
}
