package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// randomMask keeps a share of n entries; the bits beyond them are noise.
func randomMask(r *rand.Rand, n int, density float64) []uint64 {
	m := make([]uint64, (n+63)/64)
	for i := range 64 * len(m) {
		if r.Float64() < density {
			m[i/64] |= 1 << (i % 64)
		}
	}
	return m
}

func kept(m []uint64, i int) float64 { return float64(m[i/64] >> (i % 64) & 1) }

// each calls f for every product of a convolution over NHWC with weights OIHW.
func (c *Conv) each(f func(x, w, y int)) {
	oh, ow := c.OutH(), c.OutW()
	for i := range c.N * oh * ow * c.CO {
		o, ox, oy, n := i%c.CO, i/c.CO%ow, i/c.CO/ow%oh, i/c.CO/ow/oh
		for k := range c.CI * c.KH * c.KW {
			kx, ky, ci := k%c.KW, k/c.KW%c.KH, k/c.KW/c.KH
			iy, ix := oy*c.StrideH-c.PadT+ky*c.DilH, ox*c.StrideW-c.PadL+kx*c.DilW
			if iy >= 0 && ix >= 0 && iy < c.H && ix < c.W {
				f(((n*c.H+iy)*c.W+ix)*c.CI+ci, o*c.CI*c.KH*c.KW+k, i)
			}
		}
	}
}

// A masked convolution and its gradients against the definition, with masks that
// change between runs; the same bytes for one and two threads.
func TestMaskedConv(t *testing.T) {
	one, two := NewPool(1), NewPool(2)
	defer one.Close()
	defer two.Close()
	eachISA(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(5, 6))
		for k := range 40 {
			c := Conv{N: 1 + r.IntN(9), H: 1 + r.IntN(9), W: 1 + r.IntN(40), CI: 1 + r.IntN(6), CO: 1 + r.IntN(9), KH: 1 + r.IntN(3), KW: 1 + r.IntN(3),
				StrideH: 1 + r.IntN(3), StrideW: 1 + r.IntN(3), DilH: 1, DilW: 1, PadT: r.IntN(3), PadL: r.IntN(3), PadB: r.IntN(3), PadR: r.IntN(3), Groups: 1}
			switch k % 5 {
			case 0:
				c.StrideH, c.StrideW = 1, 1
				c.W = 8 * (1 + r.IntN(4))
			case 1:
				c.KH, c.KW, c.StrideH, c.StrideW, c.PadT, c.PadL, c.PadB, c.PadR = 1, 1, 1, 1, 0, 0, 0, 0
			case 2:
				c.DilH, c.DilW = 1+r.IntN(2), 1+r.IntN(2)
			case 3:
				c.W += 120
			}
			if !c.Masked() {
				continue
			}
			nx, nw, ny := c.N*c.H*c.W*c.CI, c.CO*c.CI*c.KH*c.KW, c.N*c.OutH()*c.OutW()*c.CO
			x, dy, w := random(r, nx), random(r, ny), random(r, nw)
			forward := &MaskedConvTask{Conv: c, X: x, W: w, Y: make([]float32, ny)}
			if r.IntN(2) == 0 {
				forward.Ep.Bias = random(r, c.CO)
			}
			if r.IntN(2) == 0 {
				forward.Ep.Res = random(r, ny)
			}
			forward.Ep.Relu = r.IntN(2) == 0
			back := &MaskedConvInputGradTask{Conv: c, DY: dy, W: w, DX: make([]float32, nx)}
			grad := &MaskedConvWeightGradTask{Conv: c, X: x, DY: dy, DW: random(r, nw)}
			for _, density := range []float64{0, 1, .2} {
				m := randomMask(r, nw, density)
				forward.Mask(m)
				back.Mask(m)
				grad.Mask(m)
				y, dx, dw := make([]float64, ny), make([]float64, nx), make([]float64, nw)
				c.each(func(xi, wi, yi int) {
					y[yi] += float64(x[xi]) * float64(w[wi]) * kept(m, wi)
					dx[xi] += float64(dy[yi]) * float64(w[wi]) * kept(m, wi)
					dw[wi] += float64(x[xi]) * float64(dy[yi]) * kept(m, wi)
				})
				for i := range y {
					if forward.Ep.Bias != nil {
						y[i] += float64(forward.Ep.Bias[i%c.CO])
					}
					if forward.Ep.Res != nil {
						y[i] += float64(forward.Ep.Res[i])
					}
					if forward.Ep.Relu {
						y[i] = math.Max(0, y[i])
					}
				}
				what := fmt.Sprintf("%+v density %v", c, density)
				var first [3][]float32
				for i, p := range []*Pool{one, two} {
					forward.Run(p)
					back.Run(p)
					grad.Run(p)
					close32(t, what+" y", forward.Y, y, 1e-4)
					close32(t, what+" dx", back.DX, dx, 1e-4)
					close32(t, what+" dw", grad.DW, dw, 2e-4)
					for j, out := range [][]float32{forward.Y, back.DX, grad.DW} {
						if i == 0 {
							first[j] = slices.Clone(out)
						} else if !slices.Equal(first[j], out) {
							t.Fatalf("%s: result %d differs between 1 and 2 threads", what, j)
						}
					}
				}
				for i := range w { // the weights move, as they do in training
					w[i] += .1 * dy[i%ny]
				}
			}
		}
	})
}

func TestMaskedGemm(t *testing.T) {
	one, two := NewPool(1), NewPool(2)
	defer one.Close()
	defer two.Close()
	eachISA(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(7, 8))
		for range some(60) {
			m, n, k, trans := 1+r.IntN(300), 1+r.IntN(90), 1+r.IntN(120), r.IntN(2) == 0
			x, w, dy := random(r, m*k), random(r, n*k), random(r, m*n)
			forward := &MaskedGemmTask{M: m, N: n, K: k, Trans: trans, X: x, W: w, Y: make([]float32, m*n), Ep: Epilogue{Relu: r.IntN(2) == 0}}
			if r.IntN(2) == 0 {
				forward.Ep.Bias = random(r, n)
			}
			if r.IntN(2) == 0 {
				forward.Ep.Res = random(r, m*n)
			}
			grad := &MaskedGemmGradTask{M: m, N: n, K: k, X: x, DY: dy, DW: random(r, n*k)}
			for _, density := range []float64{0, 1, .2} {
				mask := randomMask(r, n*k, density)
				forward.Mask(mask)
				grad.Mask(mask)
				y, dw := make([]float64, m*n), make([]float64, n*k)
				for i := range y {
					for q := range k {
						at := q*n + i%n
						if trans {
							at = i%n*k + q
						}
						y[i] += float64(x[i/n*k+q]) * float64(w[at]) * kept(mask, at)
						dw[q*n+i%n] += float64(x[i/n*k+q]) * float64(dy[i]) * kept(mask, q*n+i%n)
					}
					if forward.Ep.Bias != nil {
						y[i] += float64(forward.Ep.Bias[i%n])
					}
					if forward.Ep.Res != nil {
						y[i] += float64(forward.Ep.Res[i])
					}
					if forward.Ep.Relu {
						y[i] = math.Max(0, y[i])
					}
				}
				what := fmt.Sprintf("%dx%dx%d %v density %v", m, n, k, trans, density)
				var first [2][]float32
				for i, p := range []*Pool{one, two} {
					forward.Run(p)
					grad.Run(p)
					close32(t, what+" y", forward.Y, y, 1e-4)
					close32(t, what+" dw", grad.DW, dw, 1e-4)
					if i == 0 {
						first = [2][]float32{slices.Clone(forward.Y), slices.Clone(grad.DW)}
					} else if !slices.Equal(first[0], forward.Y) || !slices.Equal(first[1], grad.DW) {
						t.Fatalf("%s differs between 1 and 2 threads", what)
					}
				}
			}
		}
	})
}

func TestKeep(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(9, 9))
		for range 50 {
			n := r.IntN(300)
			x, m := random(r, n), randomMask(r, n, []float64{0, .1, .9, 1}[r.IntN(4)])
			want := slices.Clone(x)
			for i := range want {
				want[i] *= float32(kept(m, i))
			}
			Keep(m, x)
			for i := range x {
				if x[i] != want[i] {
					t.Fatalf("%d numbers: number %d is %v, want %v", n, i, x[i], want[i])
				}
			}
		}
	})
}

// Dense and masked passes of training at 90 % zeros.
func BenchmarkMasked(b *testing.B) {
	p := NewPool(1)
	defer p.Close()
	r := rand.New(rand.NewPCG(1, 2))
	run := func(name string, f func(p *Pool)) {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				f(p)
			}
		})
	}
	for _, c := range []Conv{
		{N: 128, H: 32, W: 32, CI: 16, CO: 16, KH: 3, KW: 3, StrideH: 1, StrideW: 1, PadT: 1, PadL: 1, PadB: 1, PadR: 1},
		{N: 128, H: 32, W: 32, CI: 16, CO: 32, KH: 3, KW: 3, StrideH: 2, StrideW: 2, PadT: 1, PadL: 1, PadB: 1, PadR: 1},
		{N: 128, H: 16, W: 16, CI: 32, CO: 32, KH: 3, KW: 3, StrideH: 1, StrideW: 1, PadT: 1, PadL: 1, PadB: 1, PadR: 1},
		{N: 128, H: 8, W: 8, CI: 64, CO: 64, KH: 3, KW: 3, StrideH: 1, StrideW: 1, PadT: 1, PadL: 1, PadB: 1, PadR: 1},
	} {
		c.DilH, c.DilW, c.Groups = 1, 1, 1
		nw := c.CO * c.CI * c.KH * c.KW
		x, dy, w, dw := random(r, c.N*c.H*c.W*c.CI), random(r, c.N*c.OutH()*c.OutW()*c.CO), random(r, nw), make([]float32, nw)
		m := randomMask(r, nw, .1)
		forward, back, grad := &MaskedConvTask{Conv: c, X: x, W: w, Y: dy}, &MaskedConvInputGradTask{Conv: c, DY: dy, W: w, DX: x}, &MaskedConvWeightGradTask{Conv: c, X: x, DY: dy, DW: dw}
		forward.Mask(m)
		back.Mask(m)
		grad.Mask(m)
		name := fmt.Sprintf("conv%d-%d at %d/", c.CI, c.CO, c.H)
		run(name+"dense", (&ConvTask{Conv: c, X: x, Wt: w, Y: dy}).Run)
		run(name+fmt.Sprintf("masked %.0fk", forward.Cost()/1e3), forward.Run)
		run(name+"dense dx", (&ConvInputGradTask{Conv: c, DY: dy, Wt: w, DX: x}).Run)
		run(name+fmt.Sprintf("masked dx %.0fk", back.Cost()/1e3), back.Run)
		run(name+"dense dw", (&ConvWeightGradTask{Conv: c, X: x, DY: dy, DW: dw}).Run)
		run(name+fmt.Sprintf("masked dw %.0fk", grad.Cost()/1e3), grad.Run)
	}
	for _, s := range []struct{ m, n, k int }{{64, 300, 784}, {2048, 128, 128}, {2048, 512, 128}, {2048, 128, 512}} {
		x, w, y := random(r, s.m*s.k), random(r, s.n*s.k), random(r, s.m*s.n)
		m := randomMask(r, s.n*s.k, .1)
		forward, grad := &MaskedGemmTask{M: s.m, N: s.n, K: s.k, X: x, W: w, Y: y}, &MaskedGemmGradTask{M: s.m, N: s.n, K: s.k, X: x, DY: y, DW: make([]float32, s.n*s.k)}
		forward.Mask(m)
		grad.Mask(m)
		name := fmt.Sprintf("gemm%dx%dx%d/", s.m, s.n, s.k)
		run(name+"dense", (&GemmTask{M: s.m, N: s.n, K: s.k, A: x, Lda: s.k, B: w, Ldb: s.n, C: y, Ldc: s.n}).Run)
		run(name+fmt.Sprintf("masked %.0fk", forward.Cost()/1e3), forward.Run)
		run(name+"dense dw", (&GemmTask{TransA: true, M: s.k, N: s.n, K: s.m, A: x, Lda: s.k, B: y, Ldb: s.n, C: grad.DW, Ldc: s.n}).Run)
		run(name+fmt.Sprintf("masked dw %.0fk", grad.Cost()/1e3), grad.Run)
		run(name+"mask", func(*Pool) { forward.Mask(m); grad.Mask(m) })
	}
}
