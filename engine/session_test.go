package engine_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"pare/engine"
	"pare/graph"
	"pare/graph/op"
	"pare/tensor"
	"pare/zoo"
)

// thin makes nine of ten weights zero, so that plans take sparse kernels.
func thin(r *rand.Rand, g *graph.Graph) {
	for _, v := range g.Params() {
		if v.Const.Rank() < 2 {
			continue
		}
		for i := range v.Const.F32() {
			if r.Float64() < .9 {
				v.Const.F32()[i] = 0
			}
		}
	}
}

// batchOf fills an input for each port with a batch of n samples.
func batchOf(s *engine.Session, n int, seed uint64) map[string]*tensor.Tensor {
	in := map[string]*tensor.Tensor{}
	for _, p := range s.Inputs() {
		shape, _ := p.Shape.Bind(map[string]int{"N": n}).Ints()
		in[p.Name] = tensor.New(p.DType, shape...)
		randomize(rand.New(rand.NewPCG(seed, uint64(n))), in[p.Name], 11)
	}
	return in
}

// Calls of any batch size from many goroutines give the bits that a plan of its own
// gives, dense and sparse, with fewer plans than batch sizes.
func TestSessionConcurrent(t *testing.T) {
	const most, rounds, callers = 9, 6, 8
	for _, name := range []string{"lenet-300-100", "lenet-5", "resnet8", "vit-tiny", "gpt-tiny"} {
		for _, sparse := range []bool{false, true} {
			r := rand.New(rand.NewPCG(1, 2))
			g := build(t, name, r)
			if sparse {
				thin(r, g)
			}
			s, err := engine.NewSession(g, engine.SessionOptions{Threads: 2, MaxBatch: most, Plans: 4})
			if err != nil {
				t.Fatal(name, err)
			}
			want := make([][]float32, most+1)
			for n := 1; n <= most; n++ {
				p, err := engine.Compile(g, map[string]int{"N": n}, engine.Options{Threads: 1, Freeze: true})
				if err != nil {
					t.Fatal(name, err)
				}
				for k, x := range batchOf(s, n, 1) {
					if err := p.Input(k).Copy(x); err != nil {
						t.Fatal(err)
					}
				}
				if err := p.Run(); err != nil {
					t.Fatal(name, err)
				}
				want[n] = append(want[n], p.Output("logits").F32()...)
			}
			var all sync.WaitGroup
			for c := range callers {
				all.Go(func() {
					out := map[string]*tensor.Tensor{}
					for i := range rounds {
						n := 1 + (c+i*5)%most
						if err := s.Run(context.Background(), batchOf(s, n, 1), out); err != nil {
							t.Error(name, err)
							return
						}
						if !same(out["logits"].F32(), want[n]) {
							t.Errorf("%s, sparse %v: a batch of %d differs from a plan of its own", name, sparse, n)
						}
					}
				})
			}
			all.Wait()
			if n := s.Kept(); n > 4 {
				t.Errorf("%s: %d plans are kept, more than 4", name, n)
			}
			s.Close()
			if err := s.Run(context.Background(), batchOf(s, 1, 1), map[string]*tensor.Tensor{}); !errors.Is(err, engine.ErrClosed) {
				t.Errorf("%s: a call after Close: %v", name, err)
			}
		}
	}
}

// What is there again is used again: plans, what weights are packed as, outputs.
func TestSessionSteady(t *testing.T) {
	for _, name := range []string{"lenet-300-100", "lenet-5", "resnet20", "gpt-tiny"} {
		for _, sparse := range []bool{false, true} {
			r := rand.New(rand.NewPCG(3, 4))
			g := build(t, name, r)
			if sparse {
				thin(r, g)
			}
			s, err := engine.NewSession(g, engine.SessionOptions{Threads: 2, MaxBatch: 16})
			if err != nil {
				t.Fatal(name, err)
			}
			var ins, outs []map[string]*tensor.Tensor
			for _, n := range []int{1, 3, 16} {
				ins, outs = append(ins, batchOf(s, n, 1)), append(outs, map[string]*tensor.Tensor{})
			}
			ctx, stop := context.WithCancel(context.Background())
			run := func() {
				for i := range ins {
					if err := s.Run(ctx, ins[i], outs[i]); err != nil {
						t.Fatal(name, err)
					}
				}
			}
			run()
			if a := allocations(5, run); a > 0 {
				t.Errorf("%s, sparse %v: %v allocations", name, sparse, a)
			}
			if n := s.Kept(); n != 3 {
				t.Errorf("%s: %d plans for 3 batch sizes", name, n)
			}
			forms := s.Forms()
			// another call of the same size at the same time needs a plan more, and no weight packed again
			if err := s.PlanAnother(16); err != nil {
				t.Fatal(err)
			}
			if n := s.Forms(); forms == 0 || n != forms {
				t.Errorf("%s: a second plan of a size took the weights packed from %d to %d", name, forms, n)
			}
			stop()
			before := append([]float32{}, outs[0]["logits"].F32()...)
			if err := s.Run(ctx, batchOf(s, 1, 7), outs[0]); !errors.Is(err, context.Canceled) {
				t.Errorf("%s: a call that was cancelled: %v", name, err)
			}
			if !same(before, outs[0]["logits"].F32()) {
				t.Errorf("%s: a call that was cancelled wrote to its outputs", name)
			}
			s.Close()
		}
	}
}

// late is a context that is done once a call has a plan: it is asked for its
// channel again.
type late struct {
	context.Context
	asked int
}

func (c *late) Done() <-chan struct{} {
	c.asked++
	done := make(chan struct{})
	if c.asked > 1 {
		close(done)
	}
	return done
}

func (c *late) Err() error {
	if c.asked > 1 {
		return context.Canceled
	}
	return nil
}

// A call that is cancelled while it runs ends, and its plan serves the next one.
func TestSessionCancel(t *testing.T) {
	g := build(t, "lenet-5", rand.New(rand.NewPCG(1, 2)))
	s, err := engine.NewSession(g, engine.SessionOptions{Plans: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	in, out := batchOf(s, 3, 1), map[string]*tensor.Tensor{}
	if err := s.Run(&late{Context: context.Background()}, in, out); !errors.Is(err, context.Canceled) || len(out) > 0 {
		t.Errorf("cancelled while it runs: %v, outputs %v", err, out)
	}
	if err := s.Run(context.Background(), in, out); err != nil {
		t.Fatal(err)
	}
	want, err := op.Run(g, in)
	if err != nil {
		t.Fatal(err)
	}
	compare(t, "after a cancelled call", out["logits"], want["logits"], 1e-4)
	if n := s.Kept(); n != 1 {
		t.Errorf("%d plans are kept, not 1", n)
	}
}

// several builds a network of inputs of several types: float32 with a batch, int64
// with a batch and a length, and a float32 without either.
func several(t *testing.T) *graph.Graph {
	g := graph.New("several", 17)
	n, l := graph.Sym("N"), graph.Sym("T")
	x := &graph.Value{Name: "x", DType: tensor.Float32, Shape: graph.Shape{n, l, graph.N(4)}}
	at := &graph.Value{Name: "at", DType: tensor.Int64, Shape: graph.Shape{n, l}}
	shift := &graph.Value{Name: "shift", DType: tensor.Float32, Shape: graph.Dims(4)}
	g.Inputs = []*graph.Value{x, at, shift}
	w := tensor.New(tensor.Float32, 11, 4)
	randomize(rand.New(rand.NewPCG(1, 1)), w, 0)
	b := op.NewBuilder(g, "t")
	y := b.Op("Add", b.Op("Add", x, b.Op("Gather", g.Const("w", w, graph.Param), at)), shift)
	big := b.Op("Greater", y, b.Scalar(0, x))
	g.Outputs = []*graph.Value{y, big}
	if b.Err() != nil {
		t.Fatal(b.Err())
	}
	return g
}

func TestSessionInputs(t *testing.T) {
	g := several(t)
	if _, err := engine.NewSession(g, engine.SessionOptions{}); err == nil || !strings.Contains(err.Error(), "largest size of T") {
		t.Errorf("no largest size of T: %v", err)
	}
	s, err := engine.NewSession(g, engine.SessionOptions{MaxBatch: 3, Max: map[string]int{"T": 5}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	give := func(n, l int) map[string]*tensor.Tensor {
		in := map[string]*tensor.Tensor{"x": tensor.New(tensor.Float32, n, l, 4), "at": tensor.New(tensor.Int64, n, l), "shift": tensor.New(tensor.Float32, 4)}
		for _, x := range in {
			randomize(rand.New(rand.NewPCG(2, 2)), x, 11)
		}
		return in
	}
	out := map[string]*tensor.Tensor{}
	for _, z := range [][2]int{{1, 1}, {3, 5}, {2, 4}, {3, 5}} {
		in := give(z[0], z[1])
		if err := s.Run(context.Background(), in, out); err != nil {
			t.Fatal(z, err)
		}
		want, err := op.Run(g, in)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range g.Outputs {
			a, _ := out[o.Name].Float64s()
			b, _ := want[o.Name].Float64s()
			if fmt.Sprint(out[o.Name].Shape, a) != fmt.Sprint(want[o.Name].Shape, b) {
				t.Errorf("%v: %q is %v %v, want %v %v", z, o.Name, out[o.Name], a, want[o.Name], b)
			}
		}
	}
	for say, change := range map[string]func(in map[string]*tensor.Tensor){
		`input "at" is missing`:             func(in map[string]*tensor.Tensor) { delete(in, "at") },
		`no input "extra"`:                  func(in map[string]*tensor.Tensor) { in["extra"] = in["x"] },
		`input "at" is int32`:               func(in map[string]*tensor.Tensor) { in["at"] = tensor.New(tensor.Int32, 2, 2) },
		`input "shift" has shape [5]`:       func(in map[string]*tensor.Tensor) { in["shift"] = tensor.New(tensor.Float32, 5) },
		`input "x" has shape [2 4]`:         func(in map[string]*tensor.Tensor) { in["x"] = tensor.New(tensor.Float32, 2, 4) },
		`N from 1 to 3`:                     func(in map[string]*tensor.Tensor) { in["x"] = tensor.New(tensor.Float32, 4, 2, 4) },
		`T from 1 to 5`:                     func(in map[string]*tensor.Tensor) { in["x"] = tensor.New(tensor.Float32, 2, 6, 4) },
		`input "x" has shape [0 2 4]`:       func(in map[string]*tensor.Tensor) { in["x"] = tensor.New(tensor.Float32, 0, 2, 4) },
		`so that N is 3, and another`:       func(in map[string]*tensor.Tensor) { in["at"] = tensor.New(tensor.Int64, 3, 2) },
		`of type []float32 do not fill`:     func(in map[string]*tensor.Tensor) { in["x"].Data = in["x"].F32()[1:] },
		`of type []float64 do not fill`:     func(in map[string]*tensor.Tensor) { in["x"].Data = make([]float64, 16) },
		`index 0 is 11, outside a table`:    func(in map[string]*tensor.Tensor) { tensor.Of[int64](in["at"])[0] = 11 },
		`the network has no output "other"`: nil,
	} {
		in, out := give(2, 2), map[string]*tensor.Tensor{}
		if change != nil {
			change(in)
		} else {
			out["other"] = in["x"]
		}
		if err := s.Run(context.Background(), in, out); err == nil || !strings.Contains(err.Error(), say) {
			t.Errorf("want an error that says %q, have %v", say, err)
		}
	}
	if err := s.Run(context.Background(), give(1, 1), nil); err == nil {
		t.Error("a call without a map for outputs")
	}
}

// A network of fixed sizes, and one whose sizes depend on data.
func TestSessionFixed(t *testing.T) {
	g := graph.New("fixed", 17)
	x := &graph.Value{Name: "x", DType: tensor.Float32, Shape: graph.Dims(2, 3)}
	g.Inputs = []*graph.Value{x}
	b := op.NewBuilder(g, "t")
	g.Outputs = []*graph.Value{b.Op("Relu", x), b.Op("NonZero", x)}
	if b.Err() != nil {
		t.Fatal(b.Err())
	}
	s, err := engine.NewSession(g, engine.SessionOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	out := map[string]*tensor.Tensor{}
	for _, v := range [][]float32{{1, 0, -1, 0, 0, 2}, {0, 0, 0, 0, 0, 3}} {
		in := map[string]*tensor.Tensor{"x": tensor.From(v, 2, 3)}
		if err := s.Run(context.Background(), in, out); err != nil {
			t.Fatal(err)
		}
		want, _ := op.Run(g, in)
		for name, w := range want {
			if fmt.Sprint(w, w.Data) != fmt.Sprint(out[name], out[name].Data) {
				t.Errorf("%v: %q is %v %v, want %v %v", v, name, out[name], out[name].Data, w, w.Data)
			}
		}
	}
	if err := s.Run(context.Background(), map[string]*tensor.Tensor{"x": tensor.New(tensor.Float32, 1, 3)}, out); err == nil || !strings.Contains(err.Error(), "[2 3]") {
		t.Errorf("another batch than the fixed one: %v", err)
	}
}

// The time of a call: from one goroutine on one thread, from two at once, and from
// sixteen whose calls run by themselves or are put together.
func BenchmarkSession(b *testing.B) {
	for _, name := range []string{"lenet-300-100", "resnet20", "vit-tiny"} {
		g, err := zoo.New(name, zoo.Options{Seed: 1})
		if err != nil {
			b.Fatal(err)
		}
		for _, c := range []struct {
			name    string
			callers int
			o       engine.SessionOptions
		}{{"one", 1, engine.SessionOptions{Threads: 1}}, {"two", 2, engine.SessionOptions{}}, {"sixteen", 16, engine.SessionOptions{}}, {"sixteen together", 16, engine.SessionOptions{Gather: true, MaxBatch: 16}}} {
			b.Run(name+"/"+c.name, func(b *testing.B) {
				s, err := engine.NewSession(g, c.o)
				if err != nil {
					b.Fatal(err)
				}
				defer s.Close()
				var left atomic.Int64
				run := func(n int) {
					left.Store(int64(n))
					var all sync.WaitGroup
					for range c.callers {
						all.Go(func() {
							in, out := batchOf(s, 1, 1), map[string]*tensor.Tensor{}
							for left.Add(-1) >= 0 {
								if err := s.Run(context.Background(), in, out); err != nil {
									b.Error(err)
									return
								}
							}
						})
					}
					all.Wait()
				}
				run(20 * c.callers) // plans are made
				b.ResetTimer()
				run(b.N)
			})
		}
	}
}
