package neighbours

import (
	"math"

	"pare/internal/kernel"
)

// screen compares rows with rows by a product of matrices, and computes only the
// distances that may be small enough.
//
// With s = q·b - |b|²/2 the squared distance is |q|² - 2s, so a row b can be among the
// nearest of q only where s >= (|q|² - worst)/2. The product computes s with an error of
// at most γ(|q||b| + |b|²/2), γ = n·u/(1-n·u) for sums of n terms in any order (Higham:
// Accuracy and Stability of Numerical Algorithms, 2nd edition, section 3.1).
type screen struct {
	pool *kernel.Pool
	task kernel.GemmTask
	s    []float32
	some []float32 // rows that were gathered
}

func newScreen() *screen { return &screen{pool: kernel.NewPool(1)} }

// Sizes of the blocks of a product: its rows and its columns.
const (
	tileRows    = 128
	tileColumns = 1024
	stretch     = 128 // columns that are ruled out together
)

// against says what rows are compared with.
type against struct {
	*rows
	packed *kernel.PackedB // the same, laid out for products; nil: it is not
	ids    []int32         // numbers of the rows; nil: from first on
	first  int
}

func (b *against) id(j int) int32 {
	if b.ids != nil {
		return b.ids[j]
	}
	return int32(b.first + j)
}

// offer gives the rows q at the places `at`, all where it is nil, what is near of b.
// Those of number own[i] are left out for row i.
func (c *screen) offer(q *rows, at []int32, own []int32, b *against, t *nearest) {
	m := q.n
	if at != nil {
		m = len(at)
	}
	for i0 := 0; i0 < m; i0 += tileRows {
		i1 := min(m, i0+tileRows)
		x := []float32(nil)
		if at == nil {
			x = q.x[i0*q.dim : i1*q.dim]
		} else {
			x = c.gather(q, at[i0:i1])
		}
		step := tileColumns
		if b.packed != nil {
			step = b.n
		}
		for j0 := 0; j0 < b.n; j0 += step {
			j1 := min(b.n, j0+step)
			c.product(x, i1-i0, b, j0, j1)
			for i := i0; i < i1; i++ {
				k := i
				if at != nil {
					k = int(at[i])
				}
				self := int32(-1)
				if own != nil {
					self = own[k]
				}
				c.take(q, k, self, b, j0, j1, c.s[(i-i0)*(j1-j0):(i-i0+1)*(j1-j0)], t)
			}
		}
	}
}

// gather lays rows side by side.
func (c *screen) gather(q *rows, at []int32) []float32 {
	if n := len(at) * q.dim; cap(c.some) < n {
		c.some = make([]float32, tileRows*q.dim)
	}
	for i, k := range at {
		copy(c.some[i*q.dim:(i+1)*q.dim], q.row(int(k)))
	}
	return c.some[:len(at)*q.dim]
}

// product computes s of m rows and rows j0 to j1 of b.
func (c *screen) product(x []float32, m int, b *against, j0, j1 int) {
	n := j1 - j0
	if cap(c.s) < m*n {
		c.s = make([]float32, tileRows*n)
	}
	c.s = c.s[:m*n]
	g := &c.task
	*g = kernel.GemmTask{TransB: true, M: m, N: n, K: b.dim, A: x, Lda: b.dim, B: b.x[j0*b.dim:], Ldb: b.dim, C: c.s, Ldc: n,
		Packed: b.packed, Ep: kernel.Epilogue{Bias: b.bias[j0:j1]}}
	g.Run(c.pool)
}

// take offers row k of q those of rows j0 to j1 that may be near enough.
func (c *screen) take(q *rows, k int, self int32, b *against, j0, j1 int, s []float32, t *nearest) {
	least := leastScore(q, k, b.rows, t.worst(k))
	for lo := 0; lo < len(s); lo += stretch {
		part := s[lo:min(lo+stretch, len(s))]
		if kernel.Max(part) < least {
			continue
		}
		for j, v := range part {
			if v < least {
				continue
			}
			j += j0 + lo
			id := b.id(j)
			if id == self {
				continue
			}
			d := float32(apart(q.row(k), b.row(j)))
			if d > t.worst(k) {
				continue
			}
			t.offer(k, d, id)
			least = leastScore(q, k, b.rows, t.worst(k))
		}
	}
}

// leastScore is what s is at least, as the product computes it, for a row that is no
// farther than worst.
func leastScore(q *rows, k int, b *rows, worst float32) float32 {
	const unit = 1. / (1 << 24) // of rounding
	n := float64(q.dim + 4)
	gamma := 1.01 * n * unit / (1 - n*unit)
	l := math.Sqrt(q.square[k])
	s := (q.square[k]-float64(worst)*(1+2*unit))/2 - gamma*(l*b.longest+b.longest*b.longest/2) - n*math.SmallestNonzeroFloat32*(1<<24)
	return float32(s - math.Abs(s)*4*unit)
}
