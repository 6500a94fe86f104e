package kernel

// TransposeTask writes each of Batch matrices [M, N] of X as [N, M] to Y. It
// turns NCHW into NHWC (M channels, N pixels) and back, and OIHW kernels into
// rows by tap.
type TransposeTask struct {
	Batch, M, N int
	X, Y        []float32
}

// transposed is how much of a matrix's longer side a piece of work has.
const transposed = 2048

// Run transposes.
func (t *TransposeTask) Run(p *Pool) { p.Run(t.Batch*t.parts(), t) }

func (t *TransposeTask) parts() int { return (max(t.M, t.N) + transposed - 1) / transposed }

// Do transposes part of one matrix.
func (t *TransposeTask) Do(w *Worker, i int) {
	b, part := i/t.parts(), i%t.parts()
	x, y := t.X[b*t.M*t.N:(b+1)*t.M*t.N], t.Y[b*t.M*t.N:(b+1)*t.M*t.N]
	at := part * transposed
	if t.M > t.N {
		transpose(x[at*t.N:], t.N, y[at:], t.M, min(transposed, t.M-at), t.N)
		return
	}
	transpose(x[at:], t.N, y[at*t.M:], t.M, t.M, min(transposed, t.N-at))
}

// Transpose writes x, an [m, n] matrix, as [n, m].
func Transpose(x, y []float32, m, n int) { transpose(x, n, y, m, m, n) }

// TransposeBetween writes m rows of n values of x, ldx apart, as n rows of m
// values of y, ldy apart.
func TransposeBetween(x []float32, ldx int, y []float32, ldy, m, n int) {
	transpose(x, ldx, y, ldy, m, n)
}

// transpose writes m rows of n values, ldx apart, as n rows of m, ldy apart.
func transpose(x []float32, ldx int, y []float32, ldy, m, n int) {
	const block = 64
	wide := block
	if ldy%1024 == 0 {
		wide = 8 // rows of y share the cache's sets
	}
	for i0 := 0; i0 < m; i0 += block {
		i1 := min(m, i0+block)
		for j0 := 0; j0 < n; j0 += wide {
			j1 := min(n, j0+wide)
			i := i0
			j := j0
			for ; i+8 <= i1; i += 8 {
				j = j0 + 8*transVec((j1-j0)/8, x[i*ldx+j0:], ldx, y[j0*ldy+i:], ldy)
				goTranspose(x, ldx, y, ldy, i, i+8, j, j1)
			}
			goTranspose(x, ldx, y, ldy, i, i1, j0, j1)
		}
	}
}

func goTranspose(x []float32, ldx int, y []float32, ldy, i0, i1, j0, j1 int) {
	for j := j0; j < j1; j++ {
		dst := y[j*ldy+i0 : j*ldy+i1]
		k := i0*ldx + j
		for q := range dst {
			dst[q] = x[k]
			k += ldx
		}
	}
}

// HWIO writes a convolution kernel [co, ci, taps] as [taps, ci, co].
func HWIO(w, out []float32, co, ci, taps int) {
	if taps == 1 {
		transpose(w, ci, out, co, co, ci)
		return
	}
	const block, most = 16, 256 // output channels: a line of the cache; rows of a tile
	var tile [most * block]float32
	for o := 0; o < co; o += block {
		m := min(block, co-o)
		for r0 := 0; r0 < ci*taps; r0 += most {
			rows := min(most, ci*taps-r0)
			transpose(w[o*ci*taps+r0:], ci*taps, tile[:], m, m, rows)
			i, t := r0/taps, r0%taps
			for r := range rows {
				k := (t*ci+i)*co + o
				copy(out[k:k+m], tile[r*m:])
				if t++; t == taps {
					i, t = i+1, 0
				}
			}
		}
	}
}

// OIHW is the inverse of HWIO.
func OIHW(w, out []float32, co, ci, taps int) {
	for o := range co {
		for i := range ci {
			dst := out[(o*ci+i)*taps : (o*ci+i+1)*taps]
			k := i*co + o
			for t := range dst {
				dst[t] = w[k]
				k += ci * co
			}
		}
	}
}
