package calibrate

import (
	"fmt"
	"math"

	"pare/internal/kernel"
)

// Moments are sums over the rows of a group of a layer: of its inputs x, [cols], and, for
// least squares, of its targets y, [outs].
type Moments struct {
	Rows       int
	Cols, Outs int
	X, Y       []float64 // sums of x and y
	Squares    []float64 // of x by column: the squared norms of the columns
	XX         []float64 // of x xᵀ, [cols, cols]; nil where they were not asked for
	XY         []float64 // of x yᵀ, [cols, outs]; nil without targets
	YY         []float64 // of y by output

	pool *kernel.Pool // nil: the shared one

	At func(o, k int) int // place of an entry of the group's matrix [outs, cols] in the weight
}

// chunkOf is the number of rows that are summed up in single precision: fewer where there
// are many columns.
func chunkOf(cols int) int { return max(64, min(2048, 1<<24/max(1, cols))) }

// panel is the number of columns of a product at a time: below the diagonal nothing is
// computed.
const panel = 512

// sums adds up the moments of a layer.
type sums struct {
	opt   Options
	whole bool
	of    []*Moments

	pool    *kernel.Pool
	own     bool
	chunk   int
	x, y, c []float32
}

func (s *sums) close() {
	if s.own {
		s.pool.Close()
	}
}

// begin takes memory for the moments of a product.
func (s *sums) begin(p *product, targets bool) error {
	bytes := 0
	if s.whole {
		bytes = 8 * p.groups * p.cols * (p.cols + p.outs)
	}
	if p.cols > 0 && p.groups > 0 && (p.cols > math.MaxInt32 || bytes > s.opt.moments()) {
		return fmt.Errorf("its %d columns have %d bytes of second moments, more than the %d that are allowed", p.cols, bytes, s.opt.moments())
	}
	if s.pool = s.opt.Engine.Pool; s.pool == nil {
		if s.opt.Engine.Threads == 0 {
			s.pool = kernel.Shared()
		} else {
			s.pool, s.own = kernel.NewPool(s.opt.Engine.Threads), true
		}
	}
	for g := range p.groups {
		m := &Moments{Cols: p.cols, Outs: p.outs, X: make([]float64, p.cols), Squares: make([]float64, p.cols),
			pool: s.pool, At: func(o, k int) int { return p.at(g, o, k) }}
		if s.whole {
			m.XX = make([]float64, p.cols*p.cols)
		}
		if targets {
			m.Y, m.YY, m.XY = make([]float64, p.outs), make([]float64, p.outs), make([]float64, p.cols*p.outs)
		}
		s.of = append(s.of, m)
	}
	s.chunk = chunkOf(p.cols)
	if s.whole {
		s.c = make([]float32, p.cols*max(min(panel, p.cols), p.outs))
	}
	return nil
}

// add sums up a batch: x is the input's tensor, y is nil or writes rows of targets.
func (s *sums) add(p *product, x []float32, y func(g, lo, hi int, dst []float32)) error {
	if s.of == nil {
		if err := s.begin(p, y != nil); err != nil {
			return err
		}
	}
	if len(s.of) != p.groups || s.of[0].Cols != p.cols || s.of[0].Outs != p.outs {
		return fmt.Errorf("its matrix is [%d %d %d] for some samples and [%d %d %d] for others", len(s.of), s.of[0].Outs, s.of[0].Cols, p.groups, p.outs, p.cols)
	}
	if n := min(s.chunk, p.rows); n*p.cols > len(s.x) {
		s.x = make([]float32, n*p.cols)
		if y != nil {
			s.y = make([]float32, n*p.outs)
		}
	}
	for g, m := range s.of {
		m.Rows += p.rows
		for lo := 0; lo < p.rows; lo += s.chunk {
			hi := min(lo+s.chunk, p.rows)
			p.inputs(x, g, lo, hi, s.x)
			m.columns(s.x[:(hi-lo)*p.cols])
			if s.whole {
				s.gram(m, hi-lo)
			}
			if y != nil {
				y(g, lo, hi, s.y)
				s.cross(m, hi-lo)
			}
		}
	}
	return nil
}

// columns adds rows to the first moments, and to the squares.
func (m *Moments) columns(x []float32) {
	for ; len(x) > 0; x = x[m.Cols:] {
		for k, v := range x[:m.Cols] {
			m.X[k] += float64(v)
			m.Squares[k] += float64(v) * float64(v)
		}
	}
}

// gram adds the second moments of n rows.
func (s *sums) gram(m *Moments, n int) {
	k := m.Cols
	for j := 0; j < k; j += panel {
		w := min(panel, k-j)
		t := &kernel.GemmTask{TransA: true, M: j + w, N: w, K: n, A: s.x, Lda: k, B: s.x[j:], Ldb: k, C: s.c, Ldc: w}
		t.Run(s.pool)
		for a := range j + w {
			row := m.XX[a*k+j : a*k+j+w]
			for b, v := range s.c[a*w : (a+1)*w] {
				row[b] += float64(v)
			}
		}
	}
}

// cross adds the moments of n rows with their targets.
func (s *sums) cross(m *Moments, n int) {
	for y := s.y[:n*m.Outs]; len(y) > 0; y = y[m.Outs:] {
		for o, v := range y[:m.Outs] {
			m.Y[o] += float64(v)
			m.YY[o] += float64(v) * float64(v)
		}
	}
	t := &kernel.GemmTask{TransA: true, M: m.Cols, N: m.Outs, K: n, A: s.x, Lda: m.Cols, B: s.y, Ldb: m.Outs, C: s.c, Ldc: m.Outs}
	t.Run(s.pool)
	for i, v := range s.c[:m.Cols*m.Outs] {
		m.XY[i] += float64(v)
	}
}

// check mirrors the second moments, and returns an error where activations were not
// finite.
func (s *sums) check(name string) error {
	for _, m := range s.of {
		for _, v := range append(append([]float64{}, m.Squares...), m.YY...) {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				return fmt.Errorf("%s: the activations that the samples make there are not finite", name)
			}
		}
		for a := range m.Cols {
			if m.XX == nil {
				break
			}
			for b := range a {
				m.XX[a*m.Cols+b] = m.XX[b*m.Cols+a]
			}
		}
	}
	return nil
}
