package kernel

import "math"

// BytePool is max or average pooling of bytes over NHWC. An average is quantised from From to
// To and held between Lo and Hi, in units of To's scale.
type BytePool struct {
	Conv
	OH, OW           int
	Average, Include bool
	From, To         Quantisation
	Lo, Hi           float32
	X, Y             []byte
}

// Run computes Y.
func (t *BytePool) Run(p *Pool) { p.Run(t.N*t.OH, t) }

// Do works on one output row.
func (t *BytePool) Do(w *Worker, i int) {
	n, oy := i/t.OH, i%t.OH
	for ox := range t.OW {
		out := t.Y[((n*t.OH+oy)*t.OW+ox)*t.CI:][:t.CI]
		y0, x0 := oy*t.StrideH-t.PadT, ox*t.StrideW-t.PadL
		if t.Average {
			t.average(w, out, n, y0, x0)
			continue
		}
		first := true
		t.taps(n, y0, x0, func(x []byte) {
			if first {
				copy(out, x)
				first = false
			} else {
				maxBytes(out, x, out)
			}
		})
		if first {
			fillBytes(out, 0)
		}
	}
}

// taps visits the pixels of a window that lie in the image.
func (t *BytePool) taps(n, y0, x0 int, visit func(x []byte)) {
	for ky := range t.KH {
		for kx := range t.KW {
			y, x := y0+ky*t.DilH, x0+kx*t.DilW
			if y >= 0 && y < t.H && x >= 0 && x < t.W {
				visit(t.X[((n*t.H+y)*t.W+x)*t.CI:][:t.CI])
			}
		}
	}
}

func (t *BytePool) average(w *Worker, out []byte, n, y0, x0 int) {
	sums := w.ints(0, t.CI)
	clear(sums)
	inside, count := int32(0), 0
	t.taps(n, y0, x0, func(x []byte) {
		inside++
		for j, v := range x {
			sums[j] += int32(v)
		}
	})
	for ky := range t.KH {
		for kx := range t.KW {
			y, x := y0+ky*t.DilH, x0+kx*t.DilW
			in := y >= 0 && y < t.H && x >= 0 && x < t.W
			if in || t.Include && y >= -t.PadT && y < t.H+t.PadB && x >= -t.PadL && x < t.W+t.PadR {
				count++
			}
		}
	}
	scale := t.From.Scale / (t.To.Scale * float32(count))
	for j, s := range sums {
		x := float32(s-inside*int32(t.From.Zero)) * scale
		out[j] = byte(int32(math.RoundToEven(float64(min(max(x, t.Lo), t.Hi)))) + int32(t.To.Zero))
	}
}

// ByteTranspose writes each of Batch matrices [M, N] of bytes as [N, M].
type ByteTranspose struct {
	Batch, M, N int
	X, Y        []byte
}

// Run transposes.
func (t *ByteTranspose) Run(p *Pool) { p.Run(t.Batch, t) }

// Do transposes one matrix.
func (t *ByteTranspose) Do(w *Worker, b int) {
	x, y := t.X[b*t.M*t.N:][:t.M*t.N], t.Y[b*t.M*t.N:][:t.M*t.N]
	if t.M <= 4 {
		for i := range t.M {
			row := x[i*t.N:][:t.N]
			for j, v := range row {
				y[j*t.M+i] = v
			}
		}
		return
	}
	const block = 32
	for i0 := 0; i0 < t.M; i0 += block {
		for j0 := 0; j0 < t.N; j0 += block {
			for i := i0; i < min(t.M, i0+block); i++ {
				for j := j0; j < min(t.N, j0+block); j++ {
					y[j*t.M+i] = x[i*t.N+j]
				}
			}
		}
	}
}
