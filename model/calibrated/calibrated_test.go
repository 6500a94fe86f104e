package calibrated

import (
	"context"
	"math"
	"strings"
	"testing"

	"pare/engine"
	"pare/graph"
	"pare/graph/op"
	"pare/internal/modeltest"
	"pare/model"
	"pare/model/oneshot"

	"pare/prune/allocate"
	"pare/tensor"
)

// Conv rows lose what |w| |x| rates lowest: with an input that is silent, its weights go,
// however large they are.
func TestWandaHearsInputs(t *testing.T) {
	g := graph.New("g", 17)
	x := &graph.Value{Name: "x", DType: tensor.Float32, Shape: graph.Shape{graph.Sym("N"), graph.N(4), graph.N(5), graph.N(5)}}
	w := tensor.New(tensor.Float32, 3, 4, 3, 3)
	for i := range w.F32() {
		w.F32()[i] = float32(1 + i%5)
		if i/9%4 < 2 { // of inputs 0 and 1, which are quiet
			w.F32()[i] = 100
		}
	}
	g.Inputs = []*graph.Value{x}
	g.Outputs = g.Add("Conv", "", []*graph.Value{x, g.Const("w", w, graph.Param)}, []string{"y"}).Outputs
	if err := op.InferAll(g); err != nil {
		t.Fatal(err)
	}
	in := tensor.New(tensor.Float32, 8, 4, 5, 5)
	for i := range in.F32() {
		in.F32()[i] = 1
		if i/25%4 < 2 {
			in.F32()[i] = 1e-3
		}
	}
	j := &model.Job{Graph: g, Samples: func(yield func(map[string]*tensor.Tensor) error) error {
		return yield(map[string]*tensor.Tensor{"x": in})
	}}
	modeltest.Run(t, NewWanda(), j)
	for i, v := range w.F32() {
		if quiet := i/9%4 < 2; quiet != (v == 0) {
			t.Fatalf("entry %d is %v", i, v)
		}
	}
}

// missing is the mean square by which a pruned network's outputs differ from the dense
// one's, on the test set.
func missing(t *testing.T, m model.Method, recover string) float64 {
	t.Helper()
	j := modeltest.ConvJob(t, "resnet8")
	j.Recipe.Epochs, j.Recipe.Recover = 0, recover
	batches, err := (&model.Job{Graph: j.Graph, Data: j.Data, Seed: 99}).Calibration(64)
	if err != nil {
		t.Fatal(err)
	}
	scores := func(g *graph.Graph) (y []float32) {
		if err := batches(func(in map[string]*tensor.Tensor) error {
			p, err := engine.Compile(g, map[string]int{g.Inputs[0].Shape[0].Sym: in[g.Inputs[0].Name].Shape[0]}, engine.Options{Threads: 1})
			if err != nil {
				return err
			}
			defer p.Close()
			if err := p.Input(g.Inputs[0].Name).Copy(in[g.Inputs[0].Name]); err != nil {
				return err
			}
			if err := p.Run(); err != nil {
				return err
			}
			y = append(y, p.Output(p.OutputNames()[0]).F32()...)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		return y
	}
	want := scores(j.Graph)
	e := 0.0
	for i, v := range scores(modeltest.Run(t, m, j).Graph) {
		e += float64(v-want[i]) * float64(v-want[i]) / float64(len(want))
	}
	return e
}

// Each looks at more than the one before, and comes closer to the dense network.
func TestOrder(t *testing.T) {
	magnitude := &oneshot.Magnitude{Sparsity: .6, Allocate: "uniform", Rounds: 1}
	wanda, gpt := NewWanda(), NewSparseGPT()
	wanda.Sparsity, gpt.Sparsity = .6, .6
	a, b, c := missing(t, magnitude, ""), missing(t, gpt, ""), missing(t, gpt, "solve")
	d := missing(t, wanda, "solve")
	if w := missing(t, wanda, ""); b > .8*w || d > .8*w || b > .8*a || c > b {
		t.Errorf("magnitude misses %.3g, wanda %.3g and %.3g when solved, sparsegpt %.3g and %.3g when solved", a, w, d, b, c)
	}
}

// Patterns come out as they are asked for, in every layer.
func TestPatterns(t *testing.T) {
	for _, text := range []string{"2:4", "1:3", "block:2x4"} {
		p, err := allocate.ParsePattern(text)
		if err != nil {
			t.Fatal(err)
		}
		wanda, gpt, ria, dsnot := NewWanda(), NewSparseGPT(), NewRIA(), NewDSnoT()
		wanda.Pattern, gpt.Pattern, gpt.BlockSize, ria.Pattern, dsnot.Pattern, dsnot.Threshold = p, p, 10, p, p, 0
		methods := []model.Method{wanda, gpt, ria, dsnot}
		if p.H > 0 {
			methods = methods[:3] // tiles are not exchanged
		}
		for _, m := range methods {
			r := modeltest.Run(t, m, modeltest.Job(t, 0))
			for l, w := range r.Masks.Weights {
				rows, cols, at := w.Matrix()
				for o := range rows {
					for k := range cols {
						if p.M > 0 && k%p.M == 0 {
							n := 0
							for i := k; i < min(k+p.M, cols); i++ {
								if r.Masks.Mask[l].Kept(at(o, i)) {
									n++
								}
							}
							if g := min(p.M, cols-k); n != (g*p.N+p.M-1)/p.M {
								t.Fatalf("%s %s: %d of %d stay in row %d from %d on", m.Card().Name, text, n, g, o, k)
							}
						}
						if p.H > 0 && r.Masks.Mask[l].Kept(at(o, k)) != r.Masks.Mask[l].Kept(at(o/p.H*p.H, k/p.W*p.W)) {
							t.Fatalf("%s %s: the tile of %d %d is cut in part", m.Card().Name, text, o, k)
						}
					}
				}
			}
			if s := r.Masks.Sparsity(); p.H > 0 && math.Abs(s-.5) > .02 {
				t.Errorf("%s %s: sparsity %v", m.Card().Name, text, s)
			}
		}
	}
}

// Training goes on with what is cut held; what is cut stays zero.
func TestFineTuned(t *testing.T) {
	for _, m := range []model.Method{NewWanda(), NewSparseGPT(), NewRIA(), NewDSnoT()} {
		r := modeltest.Run(t, m, modeltest.Job(t, 1))
		if len(r.Epochs) != 1 || r.Masks.Sparsity() != .5 {
			t.Errorf("%s: %d epochs, sparsity %v", m.Card().Name, len(r.Epochs), r.Masks.Sparsity())
		}
		for l, w := range r.Masks.Weights {
			for i, v := range w.Data() {
				if v != 0 && !r.Masks.Mask[l].Kept(i) {
					t.Fatalf("%s: %s[%d] is cut and %v", m.Card().Name, w.Name, i, v)
				}
			}
		}
	}
}

// A weight that is not seen multiplying is left whole and named; with nothing else there
// is an error with the way on.
func TestLeftWhole(t *testing.T) {
	g := graph.New("g", 17)
	x := &graph.Value{Name: "x", DType: tensor.Float32, Shape: graph.Shape{graph.N(3), graph.Sym("N"), graph.N(4)}}
	g.Inputs = []*graph.Value{x}
	weight := func(name string, shape ...int) *graph.Value {
		w := tensor.New(tensor.Float32, shape...)
		for i := range w.F32() {
			w.F32()[i] = float32(i%7) - 3
		}
		return g.Const(name, w, graph.Param)
	}
	n := g.Add("RNN", "", []*graph.Value{x, weight("gates", 1, 4, 4), weight("state", 1, 4, 4)}, []string{"h"}, graph.MakeAttr("hidden_size", 4))
	g.Outputs = g.Add("MatMul", "", []*graph.Value{n.Out(0), weight("w", 4, 6)}, []string{"y"}).Outputs
	if err := op.InferAll(g); err != nil {
		t.Fatal(err)
	}
	job := func() *model.Job {
		c, _ := g.Clone(true)
		return &model.Job{Graph: c, Samples: func(yield func(map[string]*tensor.Tensor) error) error {
			in := tensor.New(tensor.Float32, 3, 8, 4)
			for i := range in.F32() {
				in.F32()[i] = float32(i%5) - 2
			}
			return yield(map[string]*tensor.Tensor{"x": in})
		}}
	}
	r := modeltest.Run(t, NewSparseGPT(), job())
	if len(r.Masks.Weights) != 1 || !strings.Contains(modeltest.Said(r), "gates multiplies in RNN") {
		t.Errorf("%d masks; said %s", len(r.Masks.Weights), modeltest.Said(r))
	}
	only := NewWanda()
	only.Include = []string{"gates"}
	modeltest.Refused(t, only, job(), "method magnitude needs no samples")
}

func TestBadInput(t *testing.T) {
	none := modeltest.Job(t, 0)
	none.Data = nil
	modeltest.Refused(t, NewWanda(), none, "give Data")
	broken := modeltest.Job(t, 0)
	broken.Graph.Value("fc1.bias").Const.F32()[0] = float32(math.Inf(1))
	modeltest.Refused(t, NewSparseGPT(), broken, "not finite")
	few := NewSparseGPT()
	few.Samples.Samples = 20
	if said := modeltest.Said(modeltest.Run(t, few, modeltest.Job(t, 0))); !strings.Contains(said, "more inputs than the samples have rows") {
		t.Errorf("said %s", said)
	}
	for want, f := range map[string]func(j *model.Job){
		"give Recipe.Epochs 0":   func(j *model.Job) { j.Recipe.Epochs = 1 },
		"need no labels":         func(j *model.Job) { j.Data = nil },
		"Recover pray: use auto": func(j *model.Job) { j.Recipe.Recover = "pray" },
	} {
		j := modeltest.Job(t, 0)
		j.Recipe.Recover = "solve"
		f(j)
		modeltest.Refused(t, &oneshot.GlobalMP{Sparsity: .5}, j, want)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	j := modeltest.Job(t, 0)
	j.Recipe.Recover = "solve"
	if _, err := model.Run(ctx, &oneshot.GlobalMP{Sparsity: .5}, j); err == nil {
		t.Error("a context that has ended was not heard")
	}
}
