package allocate

import (
	"context"
	"math"
	"strings"
	"testing"

	"pare/dataset"
	"pare/engine"
	"pare/graph"
	"pare/graph/op"
	"pare/prune"
	"pare/prune/score"
	"pare/tensor"
	"pare/zoo"
)

func probe(t *testing.T, arch string, samples int) (*Probe, *prune.Masks) {
	t.Helper()
	g, err := zoo.New(arch, zoo.Options{In: []int{1, 8, 8}, Seed: 1, Width: .5})
	if err != nil {
		t.Fatal(err)
	}
	ws, err := prune.Weights(g, prune.Scope{})
	if err != nil {
		t.Fatal(err)
	}
	set, _ := dataset.Glyph(2, .4, samples, 1, 1)
	l := &dataset.Loader{Set: set, Size: 16, Norm: dataset.Raw}
	fill := func(i int, x []*tensor.Tensor) (int, error) {
		if i*16 >= set.Len() {
			return 0, nil
		}
		return l.Fill(0, i, []dataset.Buffer{{X: x[0].F32()}})
	}
	return &Probe{Graph: g, Points: 10, Batch: 16, Fill: fill, Engine: engine.Options{Threads: 1}}, prune.Dense(ws)
}

// outputs runs the whole network, frozen, on every sample.
func outputs(t *testing.T, p *Probe) []float32 {
	t.Helper()
	prog, err := engine.Compile(p.Graph, map[string]int{"N": p.Batch}, engine.Options{Threads: 1, Freeze: true})
	if err != nil {
		t.Fatal(err)
	}
	defer prog.Close()
	var out []float32
	for i := 0; ; i++ {
		n, err := p.Fill(i, []*tensor.Tensor{prog.Input("input")})
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			return out
		}
		if err := prog.Run(); err != nil {
			t.Fatal(err)
		}
		out = append(out, prog.Output("logits").F32()[:10*n]...)
	}
}

// Curves are what the whole network does when one layer is cut, and the weights
// are put back. The last batch is not full.
func TestCurves(t *testing.T) {
	for _, arch := range []string{"mlp:64-20-10", "resnet8"} {
		for _, worst := range []bool{false, true} {
			p, m := probe(t, arch, 40)
			p.Worst = worst
			before, _ := p.Graph.Clone(true)
			want := outputs(t, p)
			sc := score.Magnitude(m.Weights)
			curves, err := p.Curves(context.Background(), m, sc)
			if err != nil {
				t.Fatal(err)
			}
			for l, w := range m.Weights {
				c := curves[l]
				if c.Keep[0] != w.Len() || c.Distortion[0] != 0 || c.Keep[len(c.Keep)-1] < w.Const.Shape[w.Out] {
					t.Errorf("%s: curve %v", w.Name, c)
				}
				for d := 1; d < len(c.Keep); d += 3 {
					keep := prune.TopK(sc[l], c.Keep[d], prune.CutFirst)
					whole := append([]float32{}, w.Data()...)
					keep.Apply(w.Data())
					top, sum := squares(want, outputs(t, p), 10)
					copy(w.Data(), whole)
					x := sum / 40
					if worst {
						x = top
					}
					x = max(x, c.Distortion[d-1]) // monotone
					if math.Abs(c.Distortion[d]-x) > 1e-5*(x+1e-3) {
						t.Errorf("%s: distortion %v with %d weights, want %v", w.Name, c.Distortion[d], c.Keep[d], x)
					}
				}
				for i, x := range before.Value(w.Name).Const.F32() {
					if w.Data()[i] != x {
						t.Fatalf("%s was not put back", w.Name)
					}
				}
			}
		}
	}
}

// A final softmax is left out; what is cut already costs nothing.
func TestCurvesAgain(t *testing.T) {
	p, m := probe(t, "mlp:64-20-10", 32)
	plain, err := p.Curves(context.Background(), m, score.Magnitude(m.Weights))
	if err != nil {
		t.Fatal(err)
	}
	b := op.NewBuilder(p.Graph, "end")
	p.Graph.Outputs[0] = b.Op("Softmax", p.Graph.Outputs[0])
	if err := b.Err(); err != nil {
		t.Fatal(err)
	}
	soft, err := p.Curves(context.Background(), m, score.Magnitude(m.Weights))
	if err != nil {
		t.Fatal(err)
	}
	for l := range plain {
		for d, x := range plain[l].Distortion {
			if soft[l].Distortion[d] != x {
				t.Fatalf("layer %d: distortion %v behind the softmax, %v before", l, soft[l].Distortion[d], x)
			}
		}
	}
	m.Mask[0] = prune.TopK(score.Magnitude(m.Weights)[0], 500, prune.CutFirst)
	m.Apply()
	p.Least = .1
	c, err := p.Curves(context.Background(), m, score.Magnitude(m.Weights))
	if err != nil {
		t.Fatal(err)
	}
	if c[0].Keep[0] != 500 || c[0].Keep[1] != 384 || c[0].Distortion[0] != 0 || c[0].Keep[len(c[0].Keep)-1] != 128 {
		t.Errorf("curve of a layer with 500 of 1280 weights: %v", c[0])
	}
	if c[1].Keep[len(c[1].Keep)-1] != 20 { // of 200, for 10 outputs
		t.Errorf("curve of the last layer: %v", c[1])
	}
}

// Small cuts of several layers add up (the premise of the knapsack).
func TestAdditive(t *testing.T) {
	p, m := probe(t, "mlp:64-40-40-10", 64)
	sc := score.Magnitude(m.Weights)
	curves, err := p.Curves(context.Background(), m, sc)
	if err != nil {
		t.Fatal(err)
	}
	want := outputs(t, p)
	keep := make([]int, len(curves))
	sum := 0.0
	for l, c := range curves {
		keep[l] = c.Keep[2] // a fifth of each layer
		sum += c.At(keep[l])
	}
	cut := Select(m.Weights, sc, keep, prune.CutFirst)
	got, err := p.Distortion(context.Background(), cut)
	if err != nil {
		t.Fatal(err)
	}
	cut.Apply()
	_, all := squares(want, outputs(t, p), 10)
	if all /= 64; math.Abs(got-all) > 1e-5*all {
		t.Errorf("distortion %v, want %v", got, all)
	}
	if math.Abs(sum-all) > .2*all {
		t.Errorf("the distortions of single layers add up to %v, that of all is %v", sum, all)
	}
}

func TestCurvesRefuse(t *testing.T) {
	for want, f := range map[string]func(p *Probe){
		"at least 2":            func(p *Probe) { p.Points = 1 },
		"least share 1":         func(p *Probe) { p.Least = 1 },
		"no calibration sample": func(p *Probe) { p.Fill = func(int, []*tensor.Tensor) (int, error) { return 0, nil } },
		"not finite": func(p *Probe) {
			f := p.Fill
			p.Fill = func(i int, x []*tensor.Tensor) (int, error) {
				n, err := f(i, x)
				x[0].F32()[5] = float32(math.Inf(1))
				return n, err
			}
		},
		"batch is fixed": func(p *Probe) { p.Graph.Inputs[0].Shape[0] = graph.N(7) },
	} {
		p, m := probe(t, "mlp:64-20-10", 16)
		f(p)
		if _, err := p.Curves(context.Background(), m, score.Magnitude(m.Weights)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want something with %q", err, want)
		}
	}
}
