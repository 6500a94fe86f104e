package calibrate

import (
	"context"
	"math/rand/v2"
	"os"
	"reflect"
	"strings"
	"testing"

	"pare/engine"
	"pare/graph"
	"pare/graph/op"
	"pare/prune"
	"pare/tensor"
)

func drawn(r *rand.Rand, shape ...int) *tensor.Tensor {
	x := tensor.New(tensor.Float32, shape...)
	for i := range x.F32() {
		x.F32()[i] = float32(r.NormFloat64())
	}
	return x
}

// Rows give back what was put into them, from memory or from a file that nobody finds when it
// is closed.
func TestRows(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	a, b, c := drawn(r, 2, 3), drawn(r, 4, 2), drawn(r, 1, 5)
	for _, memory := range []int{0, 30, 1 << 20} {
		dir := t.TempDir()
		rows := NewRows(memory, dir)
		for _, x := range []*tensor.Tensor{a, b, c} {
			if err := rows.Add(x); err != nil {
				t.Fatal(err)
			}
		}
		want := []*tensor.Tensor{a, drawn(r, 4, 2), drawn(r, 1, 5)}
		for i := range 2 {
			if err := rows.Put(i+1, want[i+1]); err != nil {
				t.Fatal(err)
			}
		}
		for i, w := range want {
			x, err := rows.Get(i)
			if err != nil || !reflect.DeepEqual(x, w) || x == w {
				t.Errorf("memory %d: row %d is %v (%v), want %v", memory, i, x, err, w)
			}
		}
		if on := rows.Spilled(); on != map[int]int{0: 76, 30: 52, 1 << 20: 0}[memory] || rows.Len() != 3 {
			t.Errorf("memory %d: %d bytes are spilled", memory, on)
		}
		if err := rows.Put(0, b); err == nil {
			t.Error("a value of another shape was taken")
		}
		if err := rows.Add(tensor.New(tensor.Int64, 2)); err == nil || !strings.Contains(err.Error(), "float32") {
			t.Errorf("whole numbers: %v", err)
		}
		if err := rows.Close(); err != nil {
			t.Error(err)
		}
		if left, _ := os.ReadDir(dir); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	}
}

// A walk over rows sees what a walk over samples sees, wherever they lie and however little
// may be kept between two layers.
func TestWalkOverRows(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	g := graph.New("g", 17)
	x := &graph.Value{Name: "x", DType: tensor.Float32, Shape: graph.Shape{graph.Sym("N"), graph.N(5)}}
	g.Inputs = []*graph.Value{x}
	b := op.NewBuilder(g, "g")
	h := b.Op("Relu", b.Op("MatMul", x, g.Const("v", drawn(r, 5, 7), graph.Param)))
	g.Outputs = []*graph.Value{b.Op("Add", b.Op("MatMul", h, g.Const("w", drawn(r, 7, 5), graph.Param)), x)}
	if err := op.InferAll(g); err != nil {
		t.Fatal(err)
	}
	samples := []*tensor.Tensor{drawn(r, 3, 5), drawn(r, 3, 5), drawn(r, 2, 5)}
	ws, err := prune.Weights(g, prune.Scope{})
	if err != nil {
		t.Fatal(err)
	}
	look := func(w *Walk) (all []any) {
		layers, _ := Layers(g, ws)
		for _, l := range layers {
			ms, err := l.Inputs(context.Background(), w, true)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range ms {
				all = append(all, m.Rows, m.X, m.XX)
			}
		}
		v := w.View(g.Outputs, nil)
		defer v.Close()
		for b := range w.Batches() {
			y, err := v.Run(context.Background(), b)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, y[0].Clone())
		}
		return all
	}
	opt := Options{Engine: engine.Options{Threads: 1}}
	w, err := NewWalk(g, func(yield func(map[string]*tensor.Tensor) error) error {
		for _, s := range samples {
			if err := yield(map[string]*tensor.Tensor{"x": s}); err != nil {
				return err
			}
		}
		return nil
	}, opt)
	if err != nil {
		t.Fatal(err)
	}
	want := look(w)
	for _, memory := range []int{0, 60, 1 << 20} {
		for _, keep := range []int{1, 0} {
			rows := NewRows(memory, t.TempDir())
			defer rows.Close()
			for _, s := range samples {
				if err := rows.Add(s); err != nil {
					t.Fatal(err)
				}
			}
			opt.Memory, opt.Moments = keep, 1<<20
			w, err := NewWalkOver(g, rows, opt)
			if err != nil {
				t.Fatal(err)
			}
			if got := look(w); !reflect.DeepEqual(got, want) {
				t.Errorf("memory %d, %d kept: %v, want %v", memory, keep, got, want)
			}
		}
	}
	if _, err := NewWalkOver(g, NewRows(0, ""), opt); err == nil {
		t.Error("a walk over nothing began")
	}
}
