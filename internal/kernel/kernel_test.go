package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func random(r *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return x
}

// some is how many of n random cases are tried: a quarter where tests are to be short, as under
// an emulator.
func some(n int) int {
	if testing.Short() {
		return n / 4
	}
	return n
}

// eachISA runs a test at every level that the CPU has.
func eachISA(t *testing.T, f func(t *testing.T)) {
	old := Level()
	defer SetISA(old) //nolint:errcheck // it was in use before
	for _, l := range Levels() {
		if err := SetISA(l); err != nil {
			t.Fatal(err)
		}
		t.Run(l.String(), f)
	}
}

func close32(t *testing.T, what string, got []float32, want []float64, tol float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d values, want %d", what, len(got), len(want))
	}
	for i := range got {
		if d := math.Abs(float64(got[i]) - want[i]); !(d <= tol*math.Max(1, math.Abs(want[i]))) {
			t.Fatalf("%s: entry %d is %v, want %v", what, i, got[i], want[i])
		}
	}
}

func TestGemm(t *testing.T) {
	p := NewPool(2)
	defer p.Close()
	eachISA(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(1, 2))
		for c := range some(120) {
			m, n, k := 1+r.IntN(70), 1+r.IntN(80), 1+r.IntN(90)
			switch c % 10 {
			case 0:
				m, k = 1+r.IntN(20), 2000+r.IntN(200)
			case 1:
				m, n, k = 1+r.IntN(7), 1+r.IntN(300), r.IntN(70)
			case 2:
				m, n = 1+r.IntN(200), 1+r.IntN(3)
			}
			ta, tb := r.IntN(2) == 1, r.IntN(2) == 1
			lda, ldb, ldc := k+r.IntN(3), n+r.IntN(3), n+r.IntN(3)
			if ta {
				lda = m + r.IntN(3)
			}
			if tb {
				ldb = k + r.IntN(3)
			}
			a, b, y := random(r, max(m, k)*lda+k), random(r, max(n, k)*ldb+k), random(r, m*ldc)
			ep := Epilogue{Acc: r.IntN(2) == 1, Relu: r.IntN(2) == 1, Clip: r.IntN(3) == 0, Lo: -2, Hi: 4}
			if r.IntN(2) == 1 {
				ep.RowBias = random(r, m)
			}
			if r.IntN(2) == 1 {
				ep.Bias = random(r, n)
			}
			if r.IntN(2) == 1 {
				ep.Res = random(r, m*ldc)
			}
			want := make([]float64, m*ldc)
			for i := range want {
				want[i] = float64(y[i])
			}
			for i := range m {
				for j := range n {
					s := 0.0
					for q := range k {
						ai, bi := i*lda+q, q*ldb+j
						if ta {
							ai = q*lda + i
						}
						if tb {
							bi = j*ldb + q
						}
						s += float64(a[ai]) * float64(b[bi])
					}
					if ep.Bias != nil {
						s += float64(ep.Bias[j])
					}
					if ep.RowBias != nil {
						s += float64(ep.RowBias[i])
					}
					if ep.Acc {
						s += float64(y[i*ldc+j])
					}
					if ep.Res != nil {
						s += float64(ep.Res[i*ldc+j])
					}
					if ep.Relu {
						s = math.Max(0, s)
					}
					if ep.Clip {
						s = math.Min(4, math.Max(-2, s))
						if ep.Relu {
							s = math.Max(0, s)
						}
					}
					want[i*ldc+j] = s
				}
			}
			name := fmt.Sprintf("%dx%dx%d %v %v bias %v %v acc %v relu %v clip %v", m, n, k, ta, tb, ep.Bias != nil, ep.RowBias != nil, ep.Acc, ep.Relu, ep.Clip)
			g := &GemmTask{TransA: ta, TransB: tb, M: m, N: n, K: k, A: a, Lda: lda, B: b, Ldb: ldb, C: y, Ldc: ldc, Ep: ep}
			if r.IntN(3) == 0 {
				g.TransB, g.Packed = false, PackB(tb, n, k, b, ldb)
				name += " packed"
			}
			g.Run(p)
			close32(t, name, y, want, 2e-4)
		}
	})
}

// naive visits every product of a convolution.
func naive(c *Conv, f func(x, w, y int)) {
	ci, co := c.CI/c.Groups, c.CO/c.Groups
	for n := range c.N {
		for oy := range c.OutH() {
			for ox := range c.OutW() {
				for o := range c.CO {
					for ky := range c.KH {
						for kx := range c.KW {
							y, x := oy*c.StrideH-c.PadT+ky*c.DilH, ox*c.StrideW-c.PadL+kx*c.DilW
							if y < 0 || x < 0 || y >= c.H || x >= c.W {
								continue
							}
							for i := range ci {
								f(((n*c.H+y)*c.W+x)*c.CI+o/co*ci+i, ((ky*c.KW+kx)*ci+i)*c.CO+o, ((n*c.OutH()+oy)*c.OutW()+ox)*c.CO+o)
							}
						}
					}
				}
			}
		}
	}
}

func TestConv(t *testing.T) {
	p := NewPool(2)
	defer p.Close()
	eachISA(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(3, 4))
		for k := range some(80) {
			g := 1
			ci, co := 1+r.IntN(20), 1+r.IntN(40)
			switch k % 5 {
			case 1:
				g = 1 + r.IntN(3)
				ci, co = g*(1+r.IntN(4)), g*(1+r.IntN(5))
			case 2:
				ci = 1 + r.IntN(40)
				if k%10 == 2 { // whole vectors need no border
					ci = 16 * (1 + r.IntN(3))
				}
				co, g = ci, ci
			}
			c := Conv{N: 1 + r.IntN(3), H: 5 + r.IntN(8), W: 5 + r.IntN(14), CI: ci, CO: co, KH: 1 + r.IntN(3), KW: 1 + r.IntN(3),
				StrideH: 1 + r.IntN(2), StrideW: 1 + r.IntN(2), DilH: 1 + r.IntN(2), DilW: 1 + r.IntN(2),
				PadT: r.IntN(3), PadL: r.IntN(3), PadB: r.IntN(3), PadR: r.IntN(3), Groups: g}
			if k%5 == 3 {
				c.KH, c.KW, c.StrideH, c.StrideW, c.PadT, c.PadL, c.PadB, c.PadR = 1, 1, 1, 1, 0, 0, 0, 0
			}
			if k%5 == 4 { // strides beyond the kernel and kernels of several phases
				c.KH, c.KW, c.StrideH, c.StrideW, c.DilH, c.DilW = 1+r.IntN(5), 1+r.IntN(5), 1+r.IntN(4), 1+r.IntN(4), 1, 1
			}
			if k%10 == 9 && c.Groups == 1 { // short rows of many channels
				c.W, c.CI = 4+r.IntN(4), 64+r.IntN(9)
				ci = c.CI
			}
			if k%20 == 0 { // heavy weights pass once
				ci, co = 180+r.IntN(9), 165+r.IntN(9)
				c.H, c.W, c.CI, c.CO, c.KH, c.KW, c.DilW = 5, 7, ci, co, 3, 3, 1
			}
			x, w := random(r, c.N*c.H*c.W*ci), random(r, c.KH*c.KW*ci/g*co)
			dy := random(r, c.N*c.OutH()*c.OutW()*co)
			y, dx, dw := make([]float32, len(dy)), make([]float32, len(x)), make([]float32, len(w))
			wy, wx, ww := make([]float64, len(dy)), make([]float64, len(x)), make([]float64, len(w))
			ep := Epilogue{Bias: random(r, co), Relu: k%2 == 0}
			if k%3 == 0 {
				ep.Res = random(r, len(y))
			}
			for i := range wy {
				wy[i] = float64(ep.Bias[i%co])
				if ep.Res != nil {
					wy[i] += float64(ep.Res[i])
				}
			}
			naive(&c, func(xi, wi, yi int) {
				wy[yi] += float64(x[xi]) * float64(w[wi])
				wx[xi] += float64(dy[yi]) * float64(w[wi])
				ww[wi] += float64(dy[yi]) * float64(x[xi])
			})
			if ep.Relu {
				for i := range wy {
					wy[i] = math.Max(0, wy[i])
				}
			}
			name := fmt.Sprintf("%+v", c)
			(&ConvTask{Conv: c, X: x, Wt: w, Y: y, Ep: ep}).Run(p)
			close32(t, "forward "+name, y, wy, 2e-4)
			if packed := PackConv(&c, w); packed != nil {
				clear(y)
				(&ConvTask{Conv: c, X: x, Packed: packed, Y: y, Ep: ep}).Run(p)
				close32(t, "packed "+name, y, wy, 2e-4)
			}
			(&ConvInputGradTask{Conv: c, DY: dy, Wt: w, DX: dx}).Run(p)
			close32(t, "input gradient "+name, dx, wx, 2e-4)
			(&ConvWeightGradTask{Conv: c, X: x, DY: dy, DW: dw}).Run(p)
			close32(t, "weight gradient "+name, dw, ww, 3e-4)
		}
	})
}

func TestNorm(t *testing.T) {
	p := NewPool(2)
	defer p.Close()
	eachISA(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(5, 6))
		for i, s := range [][2]int{{7, 3}, {200, 16}, {3000, 37}, {64, 8}} {
			n, c := s[0], s[1]
			lo, hi := []float32{0, -.5}[i%2], []float32{float32(math.Inf(1)), 1}[i%2]
			k := &NormTask{Rows: n, C: c, X: random(r, n*c), Scale: random(r, c), Bias: random(r, c), Eps: 1e-5, Clip: true, Lo: lo, Hi: hi,
				Res: random(r, n*c), Y: make([]float32, n*c), Mean: make([]float32, c), Istd: make([]float32, c), Var: make([]float32, c),
				DY: random(r, n*c), DX: make([]float32, n*c), DScale: make([]float32, c), DBias: make([]float32, c)}
			for i := range k.X {
				k.X[i] += 100 // a mean that would cancel in a sum of squares
			}
			if n > 100 {
				k.X[0] = 3e4 // a first row far from the rest
			}
			k.Forward(p)
			wy, wdx, wds, wdb := make([]float64, n*c), make([]float64, n*c), make([]float64, c), make([]float64, c)
			for j := range c {
				m, v := 0.0, 0.0
				for i := range n {
					m += float64(k.X[i*c+j]) / float64(n)
				}
				for i := range n {
					v += (float64(k.X[i*c+j]) - m) * (float64(k.X[i*c+j]) - m) / float64(n)
				}
				is := 1 / math.Sqrt(v+1e-5)
				for i := range n {
					xh := (float64(k.X[i*c+j]) - m) * is
					v := xh*float64(k.Scale[j]) + float64(k.Bias[j]) + float64(k.Res[i*c+j])
					wy[i*c+j] = math.Min(math.Max(float64(lo), v), float64(hi))
					if y := k.Y[i*c+j]; y > lo && y < hi {
						wds[j] += float64(k.DY[i*c+j]) * xh
						wdb[j] += float64(k.DY[i*c+j])
					}
				}
				for i := range n {
					xh, g := (float64(k.X[i*c+j])-m)*is, 0.0
					if y := k.Y[i*c+j]; y > lo && y < hi {
						g = float64(k.DY[i*c+j])
					}
					wdx[i*c+j] = float64(k.Scale[j]) * is * (g - wdb[j]/float64(n) - xh*wds[j]/float64(n))
				}
			}
			close32(t, "y", k.Y, wy, 2e-3)
			k.Backward(p)
			close32(t, "dbias", k.DBias, wdb, 1e-3)
			close32(t, "dscale", k.DScale, wds, 2e-3)
			close32(t, "dx", k.DX, wdx, 2e-3)
		}
	})
}

func TestVectors(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(7, 8))
		for _, n := range []int{1, 7, 8, 15, 16, 17, 31, 100} {
			x, y, z := random(r, n), random(r, n), random(r, n)
			check := func(name string, f func(dst []float32), g func(i int) float64) {
				dst := append([]float32{}, z...)
				want := make([]float64, n)
				for i := range want {
					want[i] = g(i)
				}
				f(dst)
				close32(t, fmt.Sprint(name, n), dst, want, 1e-6)
			}
			X, Y := func(i int) float64 { return float64(x[i]) }, func(i int) float64 { return float64(y[i]) }
			check("add", func(d []float32) { Add(x, y, d) }, func(i int) float64 { return X(i) + Y(i) })
			check("sub", func(d []float32) { Sub(x, y, d) }, func(i int) float64 { return X(i) - Y(i) })
			check("mul", func(d []float32) { Mul(x, y, d) }, func(i int) float64 { return X(i) * Y(i) })
			check("axpby", func(d []float32) { Axpby(.5, x, -2, y, d) }, func(i int) float64 { return .5*X(i) - 2*Y(i) })
			check("relu", func(d []float32) { Relu(x, d) }, func(i int) float64 { return math.Max(0, X(i)) })
			check("relugrad", func(d []float32) { ReluGrad(x, y, d) }, func(i int) float64 {
				if Y(i) > 0 {
					return X(i)
				}
				return 0
			})
		}
	})
}

// The same bytes for any number of threads.
func TestThreads(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	one := func(n, h, w, ci, co, k, stride, groups int) Conv {
		return Conv{N: n, H: h, W: w, CI: ci, CO: co, KH: k, KW: k, StrideH: stride, StrideW: stride, DilH: 1, DilW: 1,
			PadT: k / 2, PadL: k / 2, PadB: k / 2, PadR: k / 2, Groups: groups}
	}
	for _, c := range []Conv{
		one(9, 11, 13, 7, 19, 3, 1, 1), one(1, 14, 14, 40, 70, 3, 1, 1), one(3, 7, 7, 180, 170, 3, 1, 1), one(1, 7, 7, 130, 130, 3, 1, 1),
		one(2, 9, 9, 32, 32, 3, 2, 32), one(2, 9, 9, 32, 32, 3, 1, 32), one(3, 9, 9, 16, 24, 3, 1, 8), one(1, 8, 8, 64, 96, 1, 2, 1), one(5, 4, 4, 70, 33, 3, 1, 1),
	} {
		x, w := random(r, c.N*c.H*c.W*c.CI), random(r, c.KH*c.KW*c.CI/c.Groups*c.CO)
		dy := random(r, c.N*c.OutH()*c.OutW()*c.CO)
		var first [3][]float32
		for _, n := range []int{1, 2, 3} {
			p := NewPool(n)
			y, dx, dw := make([]float32, len(dy)), make([]float32, len(x)), make([]float32, len(w))
			(&ConvTask{Conv: c, X: x, Wt: w, Y: y}).Run(p)
			(&ConvInputGradTask{Conv: c, DY: dy, Wt: w, DX: dx}).Run(p)
			(&ConvWeightGradTask{Conv: c, X: x, DY: dy, DW: dw}).Run(p)
			p.Close()
			for i, got := range [][]float32{y, dx, dw} {
				if first[i] == nil {
					first[i] = got
				} else if !slices.Equal(first[i], got) {
					t.Errorf("%+v: %s differs with %d threads", c, []string{"output", "dx", "dw"}[i], n)
				}
			}
		}
	}
}

type countTask struct{ hits []int32 }

func (c *countTask) Do(w *Worker, i int) { c.hits[i]++ }

func TestPool(t *testing.T) {
	p := NewPool(3)
	defer p.Close()
	for _, n := range []int{0, 1, 2, 100, 1000} {
		c := &countTask{make([]int32, n)}
		for range 50 {
			p.Run(n, c)
		}
		for i, h := range c.hits {
			if h != 50 {
				t.Fatalf("piece %d of %d ran %d times", i, n, h)
			}
		}
	}
	c := &countTask{make([]int32, 64)}
	if a := testing.AllocsPerRun(100, func() { p.Run(64, c) }); a != 0 {
		t.Errorf("%v allocations a run", a)
	}
}

func TestTranspose(t *testing.T) {
	p := NewPool(2)
	defer p.Close()
	r := rand.New(rand.NewPCG(7, 8))
	for _, s := range [][3]int{{1, 3, 5000}, {2, 5000, 3}, {1, 2049, 17}, {3, 9, 11}, {1, 2048, 2048}, {1, 1, 1}} {
		x := TransposeTask{Batch: s[0], M: s[1], N: s[2], X: random(r, s[0]*s[1]*s[2])}
		x.Y = make([]float32, len(x.X))
		x.Run(p)
		for i, v := range x.X {
			b, m, n := i/(s[1]*s[2]), i/s[2]%s[1], i%s[2]
			if y := x.Y[(b*s[2]+n)*s[1]+m]; y != v {
				t.Fatalf("%v: [%d,%d,%d] is %v, want %v", s, b, n, m, y, v)
			}
		}
	}
}

// A product is the same bytes for any number of threads, where its pieces and
// the parts of a long sum are chosen anew for each.
func TestGemmThreads(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(9, 10))
		for k := range some(some(60)) { // each is large
			m, n, depth := 1+r.IntN(150), 1+r.IntN(300), 1+r.IntN(300)
			if k%2 == 0 {
				depth = longK + r.IntN(50)
			}
			ta, tb := k%3 == 1, k%5 == 1
			a, b := random(r, m*depth), random(r, depth*n)
			var want []float32
			for threads := 1; threads <= 4; threads++ {
				p := NewPool(threads)
				g := &GemmTask{TransA: ta, TransB: tb, M: m, N: n, K: depth, A: a, B: b, C: make([]float32, m*n), Lda: depth, Ldb: n, Ldc: n}
				if ta {
					g.Lda = m
				}
				if tb {
					g.Ldb = depth
				}
				g.Run(p)
				p.Close()
				if want == nil {
					want = g.C
				} else if !slices.Equal(want, g.C) {
					t.Fatalf("%dx%dx%d, transposed %v %v: %d threads give other bytes than 1", m, n, depth, ta, tb, threads)
				}
			}
		}
	})
}

// Weights are put in the order of the kernels, and back.
func TestHWIO(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 9))
	for range 200 {
		co, ci, taps := 1+r.IntN(40), 1+r.IntN(60), 1+r.IntN(12)
		w, got, back := make([]float32, co*ci*taps), make([]float32, co*ci*taps), make([]float32, co*ci*taps)
		for i := range w {
			w[i] = float32(i)
		}
		HWIO(w, got, co, ci, taps)
		for o := range co {
			for i := range ci {
				for k := range taps {
					if v := got[(k*ci+i)*co+o]; v != w[(o*ci+i)*taps+k] {
						t.Fatalf("[%d, %d, %d]: %v at %d, %d, %d", co, ci, taps, v, o, i, k)
					}
				}
			}
		}
		if OIHW(got, back, co, ci, taps); !slices.Equal(back, w) {
			t.Fatalf("[%d, %d, %d]: another weight comes back", co, ci, taps)
		}
	}
}

// Zeros of both signs are none, and what is no number is one.
func TestNonZeros(t *testing.T) {
	minus, nan := float32(math.Copysign(0, -1)), float32(math.NaN())
	w := []float32{0, minus, 1, -1, math.SmallestNonzeroFloat32, nan, float32(math.Inf(-1)), 0}
	if n := NonZeros(w); n != 5 {
		t.Errorf("%d numbers that are not zero, want 5", n)
	}
	if n := sharedNonZeros([]float32{0, minus, 1, 0, 0, 0, 0, nan, 0, 0, minus, 0}, 3, 3); n != 2 {
		t.Errorf("%d columns that are not zero, want 2", n)
	}
}
