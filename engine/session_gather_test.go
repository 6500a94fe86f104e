package engine_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"pare/engine"
	"pare/graph"
	"pare/graph/op"
	"pare/tensor"
)

// Calls that wait at the same time run as one batch, those that fit together, and each
// has its own results.
func TestSessionGather(t *testing.T) {
	g := several(t)
	shift := g.Inputs[2]
	g.Inputs = g.Inputs[:2]
	w := tensor.New(tensor.Float32, 4)
	randomize(rand.New(rand.NewPCG(1, 3)), w, 0)
	g.ReplaceUses(shift, g.Const("shift", w, graph.Param))
	s, err := engine.NewSession(g, engine.SessionOptions{MaxBatch: 6, Max: map[string]int{"T": 3}, Gather: true, Linger: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	// lengths 1 and 2 with 6 samples each: an hour would pass if they were not put together
	var all sync.WaitGroup
	for i, n := range []int{1, 1, 3, 3, 2, 2} {
		all.Go(func() {
			r := rand.New(rand.NewPCG(7, uint64(i)))
			in := map[string]*tensor.Tensor{"x": tensor.New(tensor.Float32, n, 1+i%2, 4), "at": tensor.New(tensor.Int64, n, 1+i%2)}
			for _, name := range []string{"x", "at"} {
				randomize(r, in[name], 11)
			}
			want, err := op.Run(g, in)
			if err != nil {
				t.Error(err)
				return
			}
			out := map[string]*tensor.Tensor{}
			if i > 2 { // what is there is written over
				for name, x := range want {
					out[name] = tensor.New(x.DType, x.Shape...)
				}
			}
			had := out[g.Outputs[0].Name]
			if err := s.Run(context.Background(), in, out); err != nil {
				t.Error(i, err)
				return
			}
			for name, x := range want {
				a, _ := out[name].Float64s()
				b, _ := x.Float64s()
				if len(a) != len(b) {
					t.Errorf("call %d: %q has shape %v, want %v", i, name, out[name].Shape, x.Shape)
					continue
				}
				for k := range a {
					if a[k] != b[k] {
						t.Fatalf("call %d: %q is %v at %d, want %v", i, name, a[k], k, b[k])
					}
				}
			}
			if had != nil && had != out[g.Outputs[0].Name] {
				t.Errorf("call %d: an output that fits was replaced", i)
			}
		})
	}
	all.Wait()
}

// Without a time to wait, calls run with those that wait for a core, and one that fails
// leaves the others as they are.
func TestSessionGatherErrors(t *testing.T) {
	g := several(t)
	shift := g.Inputs[2]
	g.Inputs = g.Inputs[:2]
	g.ReplaceUses(shift, g.Const("shift", tensor.New(tensor.Float32, 4), graph.Param))
	for _, linger := range []time.Duration{0, time.Millisecond} {
		s, err := engine.NewSession(g, engine.SessionOptions{MaxBatch: 4, Max: map[string]int{"T": 1}, Gather: true, Linger: linger})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(context.Background())
		defer stop()
		var all sync.WaitGroup
		for i := range 16 {
			all.Go(func() {
				for k := range 20 {
					in := map[string]*tensor.Tensor{"x": tensor.New(tensor.Float32, 1, 1, 4), "at": tensor.New(tensor.Int64, 1, 1)}
					in["x"].F32()[0] = float32(100*i + k)
					bad := (i+k)%5 == 0
					if bad {
						tensor.Of[int64](in["at"])[0] = 11
					}
					use := context.Background()
					if i == 3 {
						use = ctx
						if k == 10 {
							stop()
						}
					}
					out := map[string]*tensor.Tensor{}
					err := s.Run(use, in, out)
					switch {
					case i == 3 && k >= 10:
						if !errors.Is(err, context.Canceled) {
							t.Errorf("a call that was cancelled: %v", err)
						}
					case bad:
						if err == nil || !strings.Contains(err.Error(), "outside a table") {
							t.Errorf("an index outside its table: %v", err)
						}
					case err != nil:
						t.Error(err)
					default:
						want, _ := op.Run(g, in)
						if y := g.Outputs[0].Name; out[y].F32()[0] != want[y].F32()[0] {
							t.Errorf("%v, want %v", out[y].F32()[0], want[y].F32()[0])
						}
					}
				}
			})
		}
		all.Wait()
		if n := s.LargestBatch(); n > 4 {
			t.Errorf("calls ran as a batch of %d, more than 4", n)
		}
		s.Close()
		if err := s.Run(context.Background(), map[string]*tensor.Tensor{"x": tensor.New(tensor.Float32, 1, 1, 4), "at": tensor.New(tensor.Int64, 1, 1)}, map[string]*tensor.Tensor{}); !errors.Is(err, engine.ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
	}
	for say, o := range map[string]engine.SessionOptions{
		"fixed size":   {Gather: true, MaxBatch: 1},
		"not negative": {Linger: -1, Gather: true},
		"Gather":       {Linger: 1},
	} {
		o.Max = map[string]int{"T": 1}
		if _, err := engine.NewSession(g, o); err == nil || !strings.Contains(err.Error(), say) {
			t.Errorf("%+v: %v", o, err)
		}
	}
	if _, err := engine.NewSession(several(t), engine.SessionOptions{Gather: true, Max: map[string]int{"T": 1}}); err == nil || !strings.Contains(err.Error(), `"shift"`) {
		t.Errorf("an input without the batch: %v", err)
	}
}
