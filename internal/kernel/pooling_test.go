package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// pooled is a window of a channel: the values, and where they lie.
func (t *PoolTask) pooled(n, oy, ox, c int) (at []int) {
	for ky := range t.KH {
		for kx := range t.KW {
			y, x := oy*t.StrideH-t.PadT+ky*t.DilH, ox*t.StrideW-t.PadL+kx*t.DilW
			if y >= 0 && y < t.H && x >= 0 && x < t.W {
				at = append(at, ((n*t.H+y)*t.W+x)*t.CI+c)
			}
		}
	}
	return at
}

// Pooling forward and backward, written plainly, at every level, over odd sizes,
// strides and starts of the slices.
func TestPooling(t *testing.T) {
	p := NewPool(2)
	defer p.Close()
	eachISA(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(3, 9))
		for i := range 80 {
			c := Conv{N: 1 + r.IntN(3), H: 3 + r.IntN(9), W: 3 + r.IntN(9), CI: []int{1, 3, 7, 8, 16, 17, 33, 40}[i%8], KH: 1 + r.IntN(3), KW: 1 + r.IntN(3),
				StrideH: 1 + r.IntN(3), StrideW: 1 + r.IntN(3), DilH: 1, DilW: 1, Groups: 1}
			c.CO = c.CI
			if r.IntN(3) == 0 {
				c.PadT, c.PadL, c.PadB, c.PadR = r.IntN(c.KH), r.IntN(c.KW), r.IntN(c.KH), r.IntN(c.KW)
			}
			if r.IntN(4) == 0 && c.H > 4 {
				c.DilH = 2
				if c.PadT+c.PadB > 0 {
					c.DilH = 1 // a window must touch the image
				}
			}
			if (c.KH-1)*c.DilH >= c.H+c.PadT+c.PadB {
				continue
			}
			task := &PoolTask{Conv: c, OH: c.OutH(), OW: c.OutW(), Average: i%2 == 0, Include: r.IntN(2) == 0}
			off := r.IntN(5)
			in, out := c.N*c.H*c.W*c.CI, c.N*task.OH*task.OW*c.CI
			task.X, task.DY = random(r, in+off)[off:], random(r, out+off)[off:]
			for k := range task.X {
				task.X[k] = float32(math.Round(4 * float64(task.X[k]))) // equals are common
			}
			task.Y, task.DX = random(r, out+off)[off:], random(r, in+off)[off:]
			y, dx := make([]float64, out), make([]float64, in)
			for n := range c.N {
				for o := range task.OH * task.OW {
					for ch := range c.CI {
						at := task.pooled(n, o/task.OW, o%task.OW, ch)
						k := (n*task.OH*task.OW+o)*c.CI + ch
						count := float64(len(at))
						if task.Include {
							count = float64(c.KH * c.KW)
						}
						best := at[0]
						for _, a := range at {
							if task.Average {
								y[k] += float64(task.X[a]) / count
								dx[a] += float64(task.DY[k]) / count
							}
							if task.X[a] > task.X[best] {
								best = a
							}
						}
						if !task.Average {
							y[k] = float64(task.X[best])
							dx[best] += float64(task.DY[k])
						}
					}
				}
			}
			task.Forward(p)
			task.Backward(p)
			close32(t, fmt.Sprintf("pooled %+v", c), task.Y, y, 1e-5)
			close32(t, fmt.Sprintf("pooled back %+v", c), task.DX, dx, 1e-5)
		}
	})
}

// Vector functions give the same wherever their slices begin, and write nothing
// beside them.
func TestStarts(t *testing.T) {
	fs := map[string]func(x, y, dst []float32){
		"add": Add, "sub": Sub, "mul": Mul, "div": Div, "max": Maximum, "relugrad": ReluGrad, "gelugrad": GeluGrad,
		"clipgrad": func(x, y, d []float32) { ClipGrad(x, y, -.5, .5, d) },
		"axpby":    func(x, y, d []float32) { Axpby(.5, x, -2, y, d) },
	}
	for name, f := range map[string]func(x, dst []float32){"exp": Exp, "log": Log, "sigmoid": Sigmoid, "tanh": Tanh, "erf": Erf, "gelu": Gelu, "gelutanh": GeluTanh,
		"sqrt": Sqrt, "reciprocal": Reciprocal, "abs": Abs, "relu": Relu, "hardswish": HardSwish, "scale": func(x, d []float32) { Scale(3, x, d) }, "clip": func(x, d []float32) { Clip(x, -1, 1, d) }} {
		fs[name] = func(x, y, d []float32) { f(x, d) }
	}
	eachISA(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(5, 6))
		x, y, z := random(r, 80), random(r, 80), random(r, 80)
		for name, f := range fs {
			for _, n := range []int{0, 1, 5, 8, 15, 16, 17, 33, 47} {
				want := append([]float32{}, z[:n]...)
				f(x[:n:n], y[:n:n], want)
				for off := 1; off < 17; off += 3 {
					a, b, d := make([]float32, 100), make([]float32, 100), make([]float32, 100)
					copy(a[off:], x[:n])
					copy(b[(off+5)%17:], y[:n])
					for i := range d {
						d[i] = 99
					}
					copy(d[off/2:], z[:n])
					f(a[off:off+n], b[(off+5)%17:][:n], d[off/2:off/2+n])
					for i, v := range d {
						k := i - off/2
						if inside := k >= 0 && k < n; inside && math.Float32bits(v) != math.Float32bits(want[k]) || !inside && v != 99 {
							t.Fatalf("%s of %d values begun at %d: entry %d is %v", name, n, off, k, v)
						}
					}
				}
			}
		}
	})
}

// Products by batches, and one added to what the result held.
func TestProducts(t *testing.T) {
	p := NewPool(2)
	defer p.Close()
	eachISA(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(1, 9))
		for i := range 60 {
			m, n, k, batch := 1+r.IntN(20), 1+r.IntN(40), 1+r.IntN(30), 1+r.IntN(4)
			if i%5 == 0 {
				m = 1 + r.IntN(3)
			}
			a, b, c := random(r, batch*m*k), random(r, batch*k*n), random(r, batch*m*n)
			sb := k * n
			if r.IntN(3) == 0 {
				sb = 0 // one matrix for all
			}
			want, old := make([]float64, batch*m*n), append([]float32{}, c...)
			for q := range want {
				g, row, col := q/(m*n), q/n%m, q%n
				for j := range k {
					want[q] += float64(a[(g*m+row)*k+j]) * float64(b[g*sb+j*n+col])
				}
			}
			g := &GemmTask{M: m, N: n, K: k, A: a, Lda: k, Sa: m * k, B: b, Ldb: n, Sb: sb, C: c, Ldc: n, Sc: m * n, Batch: batch}
			g.Run(p)
			close32(t, fmt.Sprintf("%d products %d %d %d", batch, m, n, k), c, want, 1e-4)
			copy(c, old)
			for q := range m * n {
				want[q] += float64(old[q])
			}
			g.Batch, g.Ep.Acc = 1, true
			g.Run(p)
			close32(t, fmt.Sprintf("added product %d %d %d", m, n, k), c[:m*n], want[:m*n], 1e-4)
		}
	})
}
