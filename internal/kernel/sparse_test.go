package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// thin zeroes all but a share of the entries.
func thin(r *rand.Rand, x []float32, density float64) {
	for i := range x {
		if r.Float64() >= density {
			x[i] = 0
		}
	}
}

// pattern zeroes entries of w, [rows, cols], at random, in blocks of rows or of
// columns, or all but n of m neighbours in a row or a column.
func pattern(r *rand.Rand, w []float32, rows, cols int) {
	high, wide := 1, 1
	switch r.IntN(6) {
	case 0:
		high = 16
	case 1:
		wide = 16
	case 2:
		high = 4
	case 3, 4: // 2:4 and 1:4
		down, n := r.IntN(2) == 0, 1+r.IntN(2)
		for i := range w {
			k := i % cols
			if down {
				k = i / cols
			}
			if k%4 < 4-n {
				w[i] = 0
			}
		}
		return
	}
	density := []float64{0, .1, .5, 1}[r.IntN(4)]
	for i := 0; i < rows; i += high {
		for j := 0; j < cols; j += wide {
			if r.Float64() < density {
				continue
			}
			for y := i; y < min(rows, i+high); y++ {
				clear(w[y*cols+j : y*cols+min(cols, j+wide)])
			}
		}
	}
}

// planarConv is the definition of a convolution over planes, in float64.
func planarConv(c *Conv, x, w []float32, y []float64) {
	oh, ow := c.OutH(), c.OutW()
	for i := range y {
		ox, oy, o, n := i%ow, i/ow%oh, i/ow/oh%c.CO, i/ow/oh/c.CO
		for ci := range c.CI {
			for ky := range c.KH {
				for kx := range c.KW {
					iy, ix := oy*c.StrideH-c.PadT+ky*c.DilH, ox*c.StrideW-c.PadL+kx*c.DilW
					if iy >= 0 && ix >= 0 && iy < c.H && ix < c.W {
						y[i] += float64(x[((n*c.CI+ci)*c.H+iy)*c.W+ix]) * float64(w[((o*c.CI+ci)*c.KH+ky)*c.KW+kx])
					}
				}
			}
		}
	}
}

func TestSparseConv(t *testing.T) {
	one, p := NewPool(1), NewPool(2)
	defer one.Close()
	defer p.Close()
	eachISA(t, func(t *testing.T) {
		blocks := map[bool]bool{}
		defer func() {
			if len(blocks) != 2 {
				t.Error("only one form was tried")
			}
		}()
		r := rand.New(rand.NewPCG(5, 6))
		for k := range some(120) {
			c := Conv{N: 1 + r.IntN(5), H: 3 + r.IntN(12), W: 3 + r.IntN(40), CI: 1 + r.IntN(9), CO: 1 + r.IntN(20), KH: 1 + r.IntN(3), KW: 1 + r.IntN(3),
				StrideH: 1 + r.IntN(2), StrideW: 1 + r.IntN(3), DilH: 1, DilW: 1, PadT: r.IntN(3), PadL: r.IntN(3), PadB: r.IntN(3), PadR: r.IntN(3), Groups: 1}
			switch k % 4 {
			case 0:
				c.StrideW = 1
			case 1:
				c.KH, c.KW, c.StrideH, c.StrideW, c.PadT, c.PadL, c.PadB, c.PadR = 1, 1, 1, 1, 0, 0, 0, 0
			case 3:
				c.CI += 60 // several slabs
				c.CO = (c.CO + 3) / 4 * 4
			case 2:
				c.DilH, c.DilW = 1+r.IntN(2), 1+r.IntN(2)
				c.H, c.W = c.H+2, c.W+2
			}
			nx := c.N * c.H * c.W * c.CI
			x, w := random(r, nx+Slack), random(r, c.CO*c.CI*c.KH*c.KW)
			pattern(r, w, c.CO, len(w)/c.CO)
			want := make([]float64, c.N*c.CO*c.OutH()*c.OutW())
			planarConv(&c, x, w, want)
			ep := Epilogue{Relu: r.IntN(2) == 0}
			if r.IntN(2) == 0 {
				ep.Bias = random(r, c.CO)
			}
			if r.IntN(2) == 0 {
				ep.Res = random(r, len(want))
			}
			for i := range want {
				if ep.Bias != nil {
					want[i] += float64(ep.Bias[i/c.OutH()/c.OutW()%c.CO])
				}
				if ep.Res != nil {
					want[i] += float64(ep.Res[i])
				}
				if ep.Relu {
					want[i] = math.Max(0, want[i])
				}
			}
			task := NewSparseConv(c, w)
			if task == nil {
				t.Fatalf("%+v: not supported", c)
			}
			task.X, task.Y, task.Ep = x[:nx], make([]float32, len(want)), ep
			for range 2 {
				task.Run(p)
				close32(t, fmt.Sprintf("%+v", c), task.Y, want, 1e-4)
			}
			blocks[task.Blocks()] = true
			two := slices.Clone(task.Y)
			task.Run(one)
			if !slices.Equal(two, task.Y) {
				t.Fatalf("%+v: one thread and two differ", c)
			}
		}
	})
}

func TestSparseGemm(t *testing.T) {
	one, p := NewPool(1), NewPool(2)
	defer one.Close()
	defer p.Close()
	eachISA(t, func(t *testing.T) {
		blocks := map[bool]bool{}
		defer func() {
			if len(blocks) != 2 {
				t.Error("only one form was tried")
			}
		}()
		r := rand.New(rand.NewPCG(7, 8))
		for i := range some(80) {
			m, n, k := 1+r.IntN(300), 1+r.IntN(150), 1+r.IntN(300)
			if i%5 == 0 {
				m, n, k = 1, 1+r.IntN(900), 1+r.IntN(900)
			}
			if i%2 == 0 {
				n = (n + 3) / 4 * 4
			}
			x, wt := random(r, m*k+Slack)[:m*k], random(r, n*k)
			pattern(r, wt, n, k)
			ep := Epilogue{Relu: r.IntN(2) == 0}
			if r.IntN(2) == 0 {
				ep.Bias = random(r, n)
			}
			if r.IntN(2) == 0 {
				ep.Res = random(r, m*n)
			}
			want := make([]float64, m*n)
			for i := range want {
				for q := range k {
					want[i] += float64(x[i/n*k+q]) * float64(wt[i%n*k+q])
				}
				if ep.Bias != nil {
					want[i] += float64(ep.Bias[i%n])
				}
				if ep.Res != nil {
					want[i] += float64(ep.Res[i])
				}
				if ep.Relu {
					want[i] = math.Max(0, want[i])
				}
			}
			task := NewSparseGemm(m, n, k, wt)
			task.X, task.Y, task.Ep = x, make([]float32, m*n), ep
			for range 2 {
				task.Run(p)
				close32(t, fmt.Sprintf("%dx%dx%d", m, n, k), task.Y, want, 1e-4)
			}
			blocks[task.Blocks()] = true
			two := slices.Clone(task.Y)
			task.Run(one)
			if !slices.Equal(two, task.Y) {
				t.Fatalf("%dx%dx%d: one thread and two differ", m, n, k)
			}
		}
	})
}
