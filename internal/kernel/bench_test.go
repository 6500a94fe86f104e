package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"unsafe"
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
	for _, s := range [][2]int{{128 * 32 * 32, 16}, {128 * 8 * 8, 64}, {128 * 8 * 8, 256}, {64 * 32 * 32, 144}, {64 * 16 * 16, 192}} {
		n, c := s[0], s[1]
		f := func(k int) []float32 { return make([]float32, k) }
		t := &NormTask{Rows: n, C: c, X: f(n * c), Scale: f(c), Bias: f(c), Eps: 1e-5, Clip: true, Hi: float32(math.Inf(1)), Y: f(n * c), Mean: f(c), Istd: f(c),
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

func BenchmarkGemm(b *testing.B) {
	for _, n := range []int{128, 512, 1024} {
		for _, th := range []int{1, 2} {
			b.Run(fmt.Sprintf("%d/%dT", n, th), func(b *testing.B) {
				p := NewPool(th)
				defer p.Close()
				x, y, z := make([]float32, n*n), make([]float32, n*n), make([]float32, n*n)
				g := &GemmTask{M: n, N: n, K: n, A: x, Lda: n, B: y, Ldb: n, C: z, Ldc: n}
				for b.Loop() {
					g.Run(p)
				}
				b.ReportMetric(2*float64(n)*float64(n)*float64(n)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
			})
		}
	}
}

func BenchmarkConv(b *testing.B) {
	for _, s := range []struct {
		name              string
		ci, co, hw, k, st int
		groups            int
	}{
		{"3x3", 16, 16, 32, 3, 1, 1}, {"3x3", 32, 32, 16, 3, 1, 1}, {"3x3", 64, 64, 8, 3, 1, 1}, {"3x3", 3, 16, 32, 3, 1, 1}, {"3x3/2", 16, 32, 32, 3, 2, 1},
		{"1x1/2", 64, 128, 16, 1, 2, 1}, {"1x1", 64, 64, 16, 1, 1, 1}, {"7x7/2", 3, 64, 64, 7, 2, 1}, {"3x3 depthwise", 96, 96, 16, 3, 1, 96},
		{"3x3/2 depthwise", 96, 96, 16, 3, 2, 96}, {"3x3 grouped", 64, 64, 16, 3, 1, 8}, {"5x5", 10, 27, 16, 5, 1, 1},
	} {
		p := (s.k - 1) / 2
		c := Conv{N: 16, H: s.hw, W: s.hw, CI: s.ci, CO: s.co, KH: s.k, KW: s.k, StrideH: s.st, StrideW: s.st, DilH: 1, DilW: 1, PadT: p, PadL: p, PadB: p, PadR: p, Groups: s.groups}
		x, y, w := make([]float32, c.N*c.H*c.W*c.CI), make([]float32, c.N*c.OutH()*c.OutW()*c.CO), make([]float32, c.KH*c.KW*c.CI/c.Groups*c.CO)
		fwd := &ConvTask{Conv: c, X: x, Wt: w, Y: y}
		dx := &ConvInputGradTask{Conv: c, DY: y, Wt: w, DX: x}
		dw := &ConvWeightGradTask{Conv: c, X: x, DY: y, DW: w}
		flops := 2 * float64(len(y)) * float64(len(w)/c.CO)
		name := fmt.Sprintf("%s %d-%d at %d/", s.name, s.ci, s.co, s.hw)
		bench(b, name+"forward", flops, "GFLOP/s", fwd.Run)
		bench(b, name+"dx", flops, "GFLOP/s", dx.Run)
		bench(b, name+"dw", flops, "GFLOP/s", dw.Run)
	}
}

func BenchmarkSparse(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, d := range []float64{.5, .2, .1, .05} {
		for _, s := range [][3]int{{128, 768, 768}, {128, 3072, 768}, {64, 300, 784}} {
			m, n, k := s[0], s[1], s[2]
			wt := random(r, n*k)
			thin(r, wt, d)
			t := NewSparseGemm(m, n, k, wt)
			t.X, t.Y = random(r, m*k), make([]float32, m*n)
			bench(b, fmt.Sprintf("product %dx%dx%d at %v/", m, n, k, d), 2*float64(m*n*k), "dense-GFLOP/s", t.Run)
		}
		for _, s := range [][4]int{{16, 32, 3, 1}, {32, 16, 3, 1}, {64, 8, 3, 1}, {64, 56, 1, 1}, {256, 14, 3, 1}, {2048, 7, 1, 1}, {128, 28, 3, 2}} {
			pad := s[2] / 2
			c := Conv{N: 4, H: s[1], W: s[1], CI: s[0], CO: min(512, s[0]), KH: s[2], KW: s[2], StrideH: s[3], StrideW: s[3], DilH: 1, DilW: 1, PadT: pad, PadL: pad, PadB: pad, PadR: pad, Groups: 1}
			w := random(r, c.CO*c.CI*c.KH*c.KW)
			thin(r, w, d)
			t := NewSparseConv(c, w)
			t.X, t.Y = random(r, c.N*c.CI*c.H*c.W+Slack), make([]float32, c.N*c.CO*c.OutH()*c.OutW())
			bench(b, fmt.Sprintf("conv %dx%d/%d %d at %d, %v/", c.KH, c.KW, s[3], c.CI, c.H, d), 2*float64(len(t.Y)*c.CI*c.KH*c.KW), "dense-GFLOP/s", t.Run)
		}
	}
}

// The sparse micro-kernel alone: inputs that the first cache holds and that it
// does not, vectors in one line of the cache and across two.
func BenchmarkSparseTile(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	const rows = 64
	for _, vec := range []int{16, 8} {
		for _, nv := range []int{8, 4, 2} {
			for _, k := range []int{16, 48, 768} {
				for _, off := range []int{0, 1} {
					w := random(r, rows*k)
					for i := range w {
						if i%4 > 1 {
							w[i] = 0
						}
					}
					s := NewSparse(w, rows, k, k, false, func(c int) int32 { return int32(4 * c * nv * vec) })
					x, y := alignedFloats(nv*vec*k + 16)[off:], alignedFloats(nv*vec*rows)
					bench(b, fmt.Sprintf("%dx%d/%d inputs/off %d/", nv, vec, k, off), float64(NonZeros(w)), "G-entries/s", func(*Pool) {
						t := &sparseTile{Entries: s.first(0), Counts: unsafe.Pointer(&s.Counts[0]), Rows: rows,
							X: unsafe.Pointer(&x[0]), Y: unsafe.Pointer(&y[0]), YPlane: 4 * nv * vec}
						runSparse(t, vec, 1, nv, nv*vec)
					})
				}
			}
		}
	}
}

func BenchmarkPow(b *testing.B) {
	x := random(rand.New(rand.NewPCG(1, 2)), 1<<14)
	Abs(x, x)
	y := make([]float32, len(x))
	for b.Loop() {
		PowOf(x, 1.7, y)
	}
	b.SetBytes(int64(4 * len(x)))
}
