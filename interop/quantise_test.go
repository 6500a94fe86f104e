package interop

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"pare/graph"
	"pare/graph/op"
	"pare/model"
	"pare/model/lowbit"
	"pare/onnx"
	"pare/tensor"
	"pare/zoo"
)

// Networks of integers that Pare writes run in ONNX Runtime, in every mode, and give there
// what Pare gives, but for a few roundings that fall the other way, and the same class.
func TestQuantise(t *testing.T) {
	py := python(t, "onnxruntime", "numpy")
	runs := &ortRuns{dir: t.TempDir()}
	type want struct {
		name string
		out  []float32
	}
	var wants []want
	r := rand.New(rand.NewPCG(1, 2))
	for _, n := range []struct {
		name string
		in   []int
	}{{"resnet8", []int{3, 8, 8}}, {"mlp:64-32-10", []int{64}}, {"vit-tiny", []int{3, 16, 16}}} {
		for _, mode := range []string{"static", "static int8", "dynamic", "4", "8"} {
			g, err := zoo.New(n.name, zoo.Options{Seed: 1, In: n.in, Classes: 10})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := model.Prepare(g); err != nil {
				t.Fatal(err)
			}
			name := g.Inputs[0].Name
			x := tensor.New(tensor.Float32, append([]int{16}, n.in...)...)
			for i := range x.F32() {
				x.F32()[i] = float32(r.NormFloat64())
			}
			in := map[string]*tensor.Tensor{name: x}
			s := lowbit.Defaults()
			switch mode {
			case "static":
				s.Samples = 16
			case "static int8":
				s.Samples, s.Activations = 16, "int8"
			case "dynamic":
				s.Mode = mode
			default:
				s.Mode = "weights"
				fmt.Sscan(mode, &s.Bits) //nolint:errcheck // it is a number
			}
			j := &model.Job{Graph: g, Seed: 1, Samples: func(yield func(map[string]*tensor.Tensor) error) error { return yield(in) }}
			res, err := s.Run(context.Background(), j)
			if err != nil {
				if n.name == "resnet8" && (mode == "dynamic" || mode == "4") {
					continue // convolutions, and little else
				}
				t.Fatalf("%s, %s: %v", n.name, mode, err)
			}
			out := answer(t, res.Graph, in)
			runs.write(t, res.Graph, onnx.Options{}, in)
			wants = append(wants, want{n.name + ", " + mode, out})
		}
	}
	runs.run(t, py)
	for k, w := range wants {
		got, err := runs.outputs(t, k)
		if err != nil {
			t.Errorf("%s: %v", w.name, err)
			continue
		}
		most, far, same := 1e-9, 0.0, 0
		for i, v := range w.out {
			most = math.Max(most, math.Abs(float64(v)))
			far = math.Max(far, math.Abs(float64(v-got[0][i])))
		}
		rows := len(w.out) / 10
		for i := range rows {
			if best(w.out[10*i:10*i+10]) == best(got[0][10*i:10*i+10]) {
				same++
			}
		}
		if far > .05*most || same < rows-1 {
			t.Errorf("%s: ONNX Runtime is %.3g of %.3g away, and %d of %d classes are the same", w.name, far, most, same, rows)
		}
	}
}

// answer is the first output of a network, by its definition.
func answer(t *testing.T, g *graph.Graph, in map[string]*tensor.Tensor) []float32 {
	t.Helper()
	out, err := op.Run(g, in)
	if err != nil {
		t.Fatal(err)
	}
	return out[g.Outputs[0].Name].F32()
}

func best(x []float32) (at int) {
	for i, v := range x {
		if v > x[at] {
			at = i
		}
	}
	return at
}
