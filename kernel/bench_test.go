package kernel

import (
	"fmt"
	"testing"
)

// bench measures a function on one thread; work is in billions of unit.
func bench(b *testing.B, name string, work float64, unit string, f func(p *Pool)) {
	b.Run(name, func(b *testing.B) {
		p := NewPool(1)
		defer p.Close()
		f(p)
		for b.Loop() {
			f(p)
		}
		b.ReportMetric(work*float64(b.N)/b.Elapsed().Seconds()/1e9, unit)
	})
}

func BenchmarkNorm(b *testing.B) {
	for _, s := range [][2]int{{128 * 32 * 32, 16}, {128 * 8 * 8, 64}, {128 * 8 * 8, 256}} {
		n, c := s[0], s[1]
		f := func(k int) []float32 { return make([]float32, k) }
		t := &NormTask{Rows: n, C: c, X: f(n * c), Scale: f(c), Bias: f(c), Eps: 1e-5, Relu: true, Y: f(n * c), Mean: f(c), Istd: f(c),
			DY: f(n * c), DX: f(n * c), DScale: f(c), DBias: f(c)}
		name := fmt.Sprintf("%dx%d", n, c)
		bytes := 4 * float64(n*c)
		bench(b, name+"/forward", 3*bytes, "GB/s", t.Forward)
		bench(b, name+"/backward", 7*bytes, "GB/s", t.Backward)
	}
}

func BenchmarkFunctions(b *testing.B) {
	n := 8192
	x, y, z, v := make([]float32, n), make([]float32, n), make([]float32, n), make([]float32, n)
	for i := range x {
		x[i] = float32(i%100)/10 - 5
	}
	adam := &AdamStep{LR: 1e-3, Beta1: .9, Beta2: .999, Eps: 1e-8, T: 1}
	for name, f := range map[string]func(){
		"exp": func() { Exp(x, y) }, "log": func() { Log(x, y) }, "tanh": func() { Tanh(x, y) }, "gelu": func() { Gelu(x, y) },
		"gelu gradient": func() { GeluGrad(x, x, y) }, "sigmoid": func() { Sigmoid(x, y) }, "add": func() { Add(x, y, z) },
		"softmax 10": func() { Softmax(x[:8190], y, 10) }, "softmax 1024": func() { Softmax(x, y, 1024) }, "sum": func() { Sum(x) },
		"adam": func() { adam.Step(z, x, y, v, nil) }, "transpose 64x128": func() { Transpose(x, y, 64, 128) },
		"transpose 3x2730": func() { Transpose(x, y, 3, 2730) },
	} {
		bench(b, name, float64(n), "G/s", func(*Pool) { f() })
	}
}
