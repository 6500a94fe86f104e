package zoo

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pare/graph"
	"pare/graph/op"
	"pare/onnx"
	"pare/tensor"
)

// feed fills a graph's inputs for a batch: floats from N(0,1), integers below
// most of their input.
func feed(g *graph.Graph, batch int, most map[string]int, seed uint64) map[string]*tensor.Tensor {
	r := rand.New(rand.NewPCG(seed, 1))
	in := map[string]*tensor.Tensor{}
	for _, v := range g.Inputs {
		s, _ := v.Shape.Bind(map[string]int{"N": batch}).Ints()
		t := tensor.New(v.DType, s...)
		for i := range t.F32() {
			t.F32()[i] = float32(r.NormFloat64())
		}
		for i := range tensor.Of[int64](t) {
			tensor.Of[int64](t)[i] = int64(r.IntN(most[v.Name]))
		}
		in[v.Name] = t
	}
	return in
}

// Networks of tasks beside classification: sizes of outputs, finite values, a
// gradient for every weight, and the same after a file.
func TestTasks(t *testing.T) {
	for _, c := range []struct {
		name string
		o    Options
		most map[string]int
		want [][]int
		size int // parameters, by hand
	}{
		{"unet-2", Options{In: []int{3, 8, 12}, Classes: 4}, nil, [][]int{{2, 4, 8, 12}}, 0},
		{"ssd-2", Options{In: []int{3, 32, 48}, Classes: 3}, nil, [][]int{{2, 60, 4}, {2, 60, 4}}, 0},
		{"bert-2-8-2-classifier", Options{In: []int{6}, Classes: 3, Tables: []int{20}}, map[string]int{"input_ids": 20, "attention_mask": 2}, [][]int{{2, 3}},
			20*8 + 6*8 + 8 + 16 + 2*(4*72+2*16+8*32+32+32*8+8) + 72 + 27},
		{"cnn-2-sigmoid", Options{In: []int{1, 8, 8}, Classes: 5}, nil, [][]int{{2, 5}}, 9*(2+8+16+32+64) + 2*(2+4+4+8+8) + 45},
		{"cnn-2-embedding", Options{In: []int{1, 8, 8}, Classes: 6}, nil, [][]int{{2, 6}}, 0},
		{"cnn-2", Options{In: []int{1, 8, 8}}, nil, [][]int{{2, 10}}, 0},
		{"image-table-2-5", Options{In: []int{3, 8, 8}, Classes: 4}, nil, [][]int{{2, 4}}, 0},
		{"regressor-2-7", Options{In: []int{5}, Classes: 3}, nil, [][]int{{2, 3}}, 42 + 56 + 24},
		{"lstm-2-4", Options{In: []int{5, 3}, Classes: 2}, nil, [][]int{{2, 2}}, 16*3 + 64 + 32 + 2*64 + 32 + 10},
		{"espcn-2", Options{In: []int{1, 5, 6}}, nil, [][]int{{2, 1, 10, 12}}, 26*64 + (64*9+1)*32 + (32*9+1)*4},
		{"ncf-4", Options{Tables: []int{7, 9}}, map[string]int{"user": 7, "item": 9}, [][]int{{2, 1}}, 16*4 + 9*16 + 17*8 + 9*4 + 5},
	} {
		t.Run(c.name, func(t *testing.T) {
			g, err := New(c.name, c.o)
			if err != nil {
				t.Fatal(err)
			}
			n := 0
			for _, p := range g.Params() {
				n += p.Const.Len()
			}
			if c.size > 0 && n != c.size {
				t.Errorf("%d parameters, want %d", n, c.size)
			}
			in := feed(g, 2, c.most, 3)
			res, err := op.Run(g, in)
			if err != nil {
				t.Fatal(err)
			}
			b, err := onnx.Encode(g, onnx.Options{})
			if err != nil {
				t.Fatal(err)
			}
			h, err := onnx.Decode(b, "")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := op.Simplify(h); err != nil {
				t.Fatal(err)
			}
			again, err := op.Run(h, in)
			if err != nil {
				t.Fatal(err)
			}
			for i, y := range g.Outputs {
				if got := res[y.Name]; !slices.Equal(got.Shape, c.want[i]) || got.Finite() >= 0 {
					t.Errorf("%s: shape %v, want %v, or a value that is not finite", y.Name, got.Shape, c.want[i])
				} else if !close32(got.F32(), again[y.Name].F32()) {
					t.Errorf("%s differs after a file", y.Name)
				}
			}
			if len(h.Params()) != len(g.Params()) {
				t.Errorf("%d weights are found in the file, %d were made", len(h.Params()), len(g.Params()))
			}
			if c.name == "cnn-2-embedding" {
				for r := range 2 {
					s := 0.0
					for _, v := range res["embedding"].F32()[6*r : 6*r+6] {
						s += float64(v) * float64(v)
					}
					if math.Abs(s-1) > 1e-5 {
						t.Errorf("an embedding has length %v", math.Sqrt(s))
					}
				}
			}
			for i, y := range g.Outputs {
				moved(t, h, h.Outputs[i], y.Name)
			}
		})
	}
	for _, c := range []struct {
		name string
		o    Options
	}{
		{"unet-4", Options{In: []int{3, 6, 8}}}, {"unet-0", Options{}}, {"ssd-0", Options{}}, {"bert-1-8-3-classifier", Options{}}, {"bert-1-8-2-classifier", Options{Tables: []int{1, 2}}},
		{"espcn-0", Options{}}, {"espcn-99", Options{}}, {"lstm-1-4", Options{In: []int{3}}}, {"lstm-0-4", Options{}}, {"ncf-4", Options{Tables: []int{3}}}, {"ncf-0", Options{}},
		{"regressor-0-3", Options{}}, {"regressor-1-3", Options{In: []int{2, 2}}}, {"image-table-2-0", Options{}}, {"cnn-0", Options{}},
	} {
		if _, err := New(c.name, c.o); err == nil {
			t.Errorf("%s %+v was built", c.name, c.o)
		}
	}
}

// moved wants every weight that an output depends on to have a gradient by it,
// and all weights where there is one output.
func moved(t *testing.T, g *graph.Graph, y *graph.Value, name string) {
	t.Helper()
	c, m := g.Clone(false)
	var of []*graph.Value
	for _, p := range g.Params() {
		of = append(of, m[p])
	}
	b := op.NewBuilder(c, "loss")
	if err := op.Bind(c, map[string]int{"N": 2}); err != nil {
		t.Fatal(err)
	}
	loss := b.Op("ReduceSum", b.Op("Mul", m[y], m[y]))
	grads, err := op.Gradient(c, loss, nil, of)
	if err != nil {
		t.Fatal(name, err)
	}
	none := 0
	for _, d := range grads {
		if d == nil {
			none++
		}
	}
	if len(g.Outputs) == 1 && none > 0 || none == len(grads) {
		t.Errorf("%s: %d of %d weights have no gradient", name, none, len(grads))
	}
}

func close32(a, b []float32) bool {
	for i := range a {
		if d := float64(a[i] - b[i]); !(math.Abs(d) < 1e-5) {
			return false
		}
	}
	return len(a) == len(b)
}
