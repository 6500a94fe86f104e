package engine_test

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"pare/engine"
	"pare/graph"
	"pare/graph/op"
	"pare/internal/kernel"
	"pare/internal/randnet"
	"pare/tensor"
)

// sparseSteps counts steps that skip zeros.
var sparseSteps int

// quantisedOutput runs a network on the engine; it fails where a step has no kernel.
func quantisedOutput(t *testing.T, n *randnet.Quantised, threads int) []float32 {
	t.Helper()
	p, err := engine.Compile(n.Graph, nil, engine.Options{Threads: threads, Freeze: true})
	if err != nil {
		t.Fatalf("%s: %v\n%v", n.Kind, err, n.Graph)
	}
	defer p.Close()
	if err := p.CheckMemory(); err != nil {
		t.Fatalf("%s: %v\n%v", n.Kind, err, strings.Join(p.Explain(), "\n"))
	}
	var y []float32
	for range 2 {
		copy(p.Input("x").F32(), n.X.F32())
		p.Poison()
		if err := p.Run(); err != nil {
			t.Fatalf("%s: %v", n.Kind, err)
		}
		z := p.Output(n.Graph.Outputs[0].Name).F32()
		if y == nil {
			y = append(y, z...)
		}
		for i := range z {
			if z[i] != y[i] {
				t.Fatalf("%s: the second run differs", n.Kind)
			}
		}
	}
	for _, s := range p.Plan() {
		if strings.HasPrefix(s.Kernel, "sparse") {
			sparseSteps++
		}
		known := s.Kernel != "reference" || strings.HasSuffix(n.Kind, "Integer") && s.Op == "Cast"
		if !known {
			t.Errorf("%s: %v\n%v", n.Kind, s, n.Graph)
		}
	}
	return y
}

// TestQuantised holds networks of every quantised operator to the definitions, at every level of
// instructions: within one step, and nearly always the same.
func TestQuantised(t *testing.T) {
	level := kernel.Level()
	defer func() {
		if err := kernel.SetISA(level); err != nil {
			t.Fatal(err)
		}
	}()
	for _, kind := range randnet.QuantisedKinds {
		all, off := 0, 0
		seeds := uint64(24)
		if strings.HasPrefix(kind, "sparse") {
			seeds = 3
		}
		for seed := range seeds {
			n, err := randnet.NewQuantised(kind, seed, false)
			if err != nil {
				t.Fatal(err)
			}
			ref, err := op.Run(n.Graph, map[string]*tensor.Tensor{"x": n.X}, n.Graph.Outputs...)
			if err != nil {
				t.Fatalf("%s: %v\n%v", kind, err, n.Graph)
			}
			want := ref[n.Graph.Outputs[0].Name].F32()
			var first []float32
			for d := kernel.DotGeneric; d <= kernel.DotAMX; d++ {
				if kernel.SetDot(d) != nil {
					continue
				}
				got := quantisedOutput(t, n, 1+int(seed%3))
				if first == nil {
					first = got
				}
				for i := range got {
					if got[i] != first[i] {
						t.Fatalf("%s: %v gives %v, the first way %v", kind, d, got[i], first[i])
					}
				}
			}
			if err := kernel.SetISA(level); err != nil {
				t.Fatal(err)
			}
			steps := 1.
			if kind == "block" { // of several layers
				steps = 3
			}
			most := 0.
			for _, v := range want {
				most = max(most, math.Abs(float64(v)))
			}
			for i, v := range first {
				d := math.Abs(float64(v) - float64(want[i]))
				all++
				switch {
				case n.Exact && d != 0, n.Step == 0 && !(d <= 1e-5*most), n.Step > 0 && !(d <= steps*n.Step*1.001):
					t.Fatalf("%s, seed %d: output %d is %v, want %v, step %v\n%v", kind, seed, i, v, want[i], n.Step, n.Graph)
				case n.Step > 0 && d > n.Step/2:
					off++
				}
			}
		}
		if strings.HasPrefix(kind, "sparse") && sparseSteps == 0 && kernel.SetDot(kernel.DotVNNI) == nil {
			t.Errorf("%s: no weight was so sparse that zeros were skipped", kind)
		}
		if err := kernel.SetISA(level); err != nil {
			t.Fatal(err)
		}
		sparseSteps = 0
		if kind != "block" && off*200 > all {
			t.Errorf("%s: %d of %d are off by a step", kind, off, all)
		}
	}
}

// TestQuantisedGeneric is the same with the plain loops.
func TestQuantisedGeneric(t *testing.T) {
	level := kernel.Level()
	defer func() {
		if err := kernel.SetISA(level); err != nil {
			t.Fatal(err)
		}
	}()
	for _, kind := range randnet.QuantisedKinds {
		for seed := range uint64(3) {
			n, err := randnet.NewQuantised(kind, seed, false)
			if err != nil {
				t.Fatal(err)
			}
			var want []float32
			for _, l := range []kernel.ISA{kernel.AVX512, kernel.AVX2, kernel.Generic} {
				if kernel.SetISA(l) != nil {
					continue
				}
				got := quantisedOutput(t, n, 2)
				if want == nil {
					want = got
				}
				for i := range got {
					if d := math.Abs(float64(got[i]) - float64(want[i])); d > 1e-5*math.Abs(float64(want[i])) && n.Step == 0 || d > n.Step/2 && n.Step > 0 {
						t.Fatalf("%s, seed %d: %v gives %v, want %v", kind, seed, l, got[i], want[i])
					}
				}
			}
		}
	}
}

// What a Gemm of bytes adds is a number for each column, for each row, or for each place.
func TestQuantisedGemmAddend(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, shape := range [][]int{{4}, {1, 4}, {4, 1}, {4, 4}, {1}, {}} {
		for trans := range 2 {
			g := graph.New("gemm", 21)
			x := &graph.Value{Name: "x", DType: tensor.Float32, Shape: graph.Dims(4, 6)}
			g.Inputs = []*graph.Value{x}
			b := op.NewBuilder(g, "v")
			s, z := b.Const(tensor.Scalar(float32(.05))), b.Const(tensor.Scalar(uint8(100)))
			w := tensor.New(tensor.Int8, 6, 4)
			if trans == 1 {
				w = tensor.New(tensor.Int8, 4, 6)
			}
			for i := range tensor.Of[int8](w) {
				tensor.Of[int8](w)[i] = int8(r.IntN(255) - 127)
			}
			back := b.Op("DequantizeLinear", b.Op("QuantizeLinear", x, s, z), s, z)
			y := b.Attr("Gemm", []graph.Attr{graph.MakeAttr("transB", trans)}, back, b.Op("DequantizeLinear", b.Const(w), s), b.Const(noise(r, 0, shape...)))
			if b.Err() != nil {
				t.Fatal(b.Err())
			}
			g.Outputs = []*graph.Value{y}
			against(t, g, map[string]*tensor.Tensor{"x": noise(r, 0, 4, 6)}, false)
		}
	}
}
