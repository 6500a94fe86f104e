package kernel

import "math"

// PoolTask is max or average pooling over NHWC. Conv gives the geometry; CI is
// the number of channels.
type PoolTask struct {
	Conv
	OH, OW  int // places; ceil mode can make them more than Conv's
	Average bool
	Include bool // average: padding counts
	X, Y    []float32
	DY, DX  []float32 // backward
	back    bool
}

// Forward computes Y.
func (t *PoolTask) Forward(p *Pool) { t.back = false; p.Run(t.N*t.OH, t) }

// Backward computes DX; a maximum's gradient goes to the first of equals.
func (t *PoolTask) Backward(p *Pool) { t.back = true; p.Run(t.N, t) }

// Do works on one output row, or back to one image.
func (t *PoolTask) Do(w *Worker, i int) {
	if !t.back {
		t.row(w, i/t.OH, i%t.OH)
		return
	}
	size := t.H * t.W * t.CI
	clear(t.DX[i*size : (i+1)*size])
	for oy := range t.OH {
		t.row(w, i, oy)
	}
}

// row works on one output row of an image.
func (t *PoolTask) row(w *Worker, n, oy int) {
	for ox := range t.OW {
		o := ((n*t.OH+oy)*t.OW + ox) * t.CI
		y0, x0 := oy*t.StrideH-t.PadT, ox*t.StrideW-t.PadL
		switch {
		case t.Average:
			t.average(n, o, y0, x0)
		case t.back:
			t.maxBack(w, n, o, y0, x0)
		default:
			t.max(n, o, y0, x0)
		}
	}
}

// tap gives the offset of a position of the window, or false outside.
func (t *PoolTask) tap(n, y, x int) (int, bool) {
	if y < 0 || y >= t.H || x < 0 || x >= t.W {
		return 0, false
	}
	return ((n*t.H+y)*t.W + x) * t.CI, true
}

func (t *PoolTask) max(n, o, y0, x0 int) {
	out := t.Y[o : o+t.CI]
	first := true
	for ky := range t.KH {
		for kx := range t.KW {
			at, ok := t.tap(n, y0+ky*t.DilH, x0+kx*t.DilW)
			switch {
			case !ok:
			case first:
				copy(out, t.X[at:at+t.CI])
				first = false
			default:
				Maximum(out, t.X[at:at+t.CI], out)
			}
		}
	}
	if first {
		Fill(out, float32(math.Inf(-1)))
	}
}

func (t *PoolTask) maxBack(w *Worker, n, o, y0, x0 int) {
	best := w.Scratch(0, t.CI)
	where := w.Scratch(1, t.CI) // offsets fit a float32 exactly below 2^24; larger images take the slow way
	exact := t.H*t.W*t.CI < 1<<24
	if !exact {
		t.maxBackSlow(n, o, y0, x0)
		return
	}
	base := n * t.H * t.W * t.CI
	first := true
	for ky := range t.KH {
		for kx := range t.KW {
			at, ok := t.tap(n, y0+ky*t.DilH, x0+kx*t.DilW)
			if !ok {
				continue
			}
			for j, v := range t.X[at : at+t.CI] {
				if first || v > best[j] || v != v {
					best[j], where[j] = v, float32(at-base+j)
				}
			}
			first = false
		}
	}
	if first {
		return
	}
	for j, d := range t.DY[o : o+t.CI] {
		t.DX[base+int(where[j])] += d
	}
}

func (t *PoolTask) maxBackSlow(n, o, y0, x0 int) {
	for j := range t.CI {
		at, best := -1, float32(0)
		for ky := range t.KH {
			for kx := range t.KW {
				if k, ok := t.tap(n, y0+ky*t.DilH, x0+kx*t.DilW); ok {
					if v := t.X[k+j]; at < 0 || v > best || v != v {
						at, best = k+j, v
					}
				}
			}
		}
		if at >= 0 {
			t.DX[at] += t.DY[o+j]
		}
	}
}

func (t *PoolTask) average(n, o, y0, x0 int) {
	count := 0
	for ky := range t.KH {
		for kx := range t.KW {
			y, x := y0+ky*t.DilH, x0+kx*t.DilW
			in := y >= 0 && y < t.H && x >= 0 && x < t.W
			// padding counts, what lies beyond it does not
			if in || t.Include && y >= -t.PadT && y < t.H+t.PadB && x >= -t.PadL && x < t.W+t.PadR {
				count++
			}
		}
	}
	f := 1 / float32(count)
	if !t.back {
		clear(t.Y[o : o+t.CI])
	}
	for ky := range t.KH {
		for kx := range t.KW {
			at, ok := t.tap(n, y0+ky*t.DilH, x0+kx*t.DilW)
			if !ok {
				continue
			}
			if t.back {
				dx := t.DX[at : at+t.CI]
				Axpby(1, dx, f, t.DY[o:o+t.CI], dx)
			} else {
				y := t.Y[o : o+t.CI]
				Axpby(1, y, f, t.X[at:at+t.CI], y)
			}
		}
	}
}
