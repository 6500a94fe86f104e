package neighbours

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
)

// Matrix is rows in memory, one after another.
type Matrix struct {
	X     []float32
	Width int
}

// Len is the number of rows.
func (m Matrix) Len() int {
	if m.Width < 1 {
		return 0
	}
	return len(m.X) / m.Width
}

// Dim is the length of a row.
func (m Matrix) Dim() int { return m.Width }

// Read copies rows.
func (m Matrix) Read(lo int, to []float32) error {
	copy(to, m.X[lo*m.Width:])
	return nil
}

// File is rows in a file: little-endian float32, one row after another.
type File struct {
	From   io.ReaderAt
	Offset int64 // where they begin, in bytes
	N      int
	Width  int
}

// Len is the number of rows.
func (f File) Len() int { return f.N }

// Dim is the length of a row.
func (f File) Dim() int { return f.Width }

// Read reads rows.
func (f File) Read(lo int, to []float32) error {
	b := make([]byte, min(len(to), 1<<16)*4)
	at := f.Offset + 4*int64(lo)*int64(f.Width)
	for len(to) > 0 {
		part := to[:min(len(to), len(b)/4)]
		if _, err := f.From.ReadAt(b[:4*len(part)], at); err != nil {
			return fmt.Errorf("row %d: %w", lo, err)
		}
		for i := range part {
			part[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
		}
		to, at = to[len(part):], at+4*int64(len(part))
	}
	return nil
}

// Some is rows of a source, by their numbers.
type Some struct {
	Of Source
	At []int32
}

// Len is the number of rows.
func (s Some) Len() int { return len(s.At) }

// Dim is the length of a row.
func (s Some) Dim() int { return s.Of.Dim() }

// Read reads rows.
func (s Some) Read(lo int, to []float32) error {
	d := s.Dim()
	for i := range len(to) / d {
		if err := s.Of.Read(int(s.At[lo+i]), to[i*d:(i+1)*d]); err != nil {
			return err
		}
	}
	return nil
}

// rows are a block of rows, ready to be compared.
type rows struct {
	x       []float32 // of length one under Cosine
	n, dim  int
	square  []float64 // of the lengths
	bias    []float32 // half of that, negative
	longest float64
}

// longest that a row may be: squares stay within float32.
const longestRow = 1e18

// read reads n rows of a source from lo on. What is there is used again.
func (r *rows) read(s Source, lo, n int, m Metric) error {
	r.room(n, s.Dim())
	if err := s.Read(lo, r.x); err != nil {
		return err
	}
	if m == Cosine {
		for i := range n {
			if err := unit(r.row(i)); err != nil {
				return fmt.Errorf("row %d %w", lo+i, err)
			}
		}
	}
	if i := r.measure(); i >= 0 {
		return fmt.Errorf("row %d has a NaN, an infinity or a length above %g: leave it out or scale it", lo+i, longestRow)
	}
	return nil
}

// room makes room for n rows.
func (r *rows) room(n, dim int) {
	if cap(r.x) < n*dim {
		r.x = make([]float32, n*dim)
	}
	if cap(r.square) < n {
		r.square, r.bias = make([]float64, n), make([]float32, n)
	}
	r.x, r.square, r.bias, r.n, r.dim = r.x[:n*dim], r.square[:n], r.bias[:n], n, dim
}

// row is row i.
func (r *rows) row(i int) []float32 { return r.x[i*r.dim : (i+1)*r.dim] }

// part is rows lo to hi, which share memory.
func (r *rows) part(lo, hi int) *rows {
	return &rows{r.x[lo*r.dim : hi*r.dim], hi - lo, r.dim, r.square[lo:hi], r.bias[lo:hi], r.longest}
}

// measure computes the lengths; it gives the first row whose length is no number or
// too large, or -1.
func (r *rows) measure() int {
	r.longest = 0
	for i := range r.n {
		s := dot(r.row(i), r.row(i))
		if !(s <= longestRow*longestRow) {
			return i
		}
		r.square[i], r.bias[i] = s, float32(-s/2)
		r.longest = max(r.longest, s)
	}
	r.longest = math.Sqrt(r.longest)
	return -1
}

// unit makes a row as long as one.
func unit(x []float32) error {
	s := dot(x, x)
	switch {
	case s == 0:
		return fmt.Errorf("is zeros, and has no direction: leave it out, or compare by l2")
	case s-s != 0:
		return fmt.Errorf("has a NaN or an infinity: leave it out")
	}
	s = 1 / math.Sqrt(s)
	for i, v := range x {
		x[i] = float32(float64(v) * s)
	}
	return nil
}

// dot is the inner product in double precision, in a fixed order.
func dot(a, b []float32) float64 {
	var s [4]float64
	b = b[:len(a)]
	i := 0
	for ; i+4 <= len(a); i += 4 {
		s[0] += float64(a[i]) * float64(b[i])
		s[1] += float64(a[i+1]) * float64(b[i+1])
		s[2] += float64(a[i+2]) * float64(b[i+2])
		s[3] += float64(a[i+3]) * float64(b[i+3])
	}
	for ; i < len(a); i++ {
		s[0] += float64(a[i]) * float64(b[i])
	}
	return s[0] + s[1] + s[2] + s[3]
}

// apart is the squared distance in double precision, in a fixed order.
func apart(a, b []float32) float64 {
	var s0, s1, s2, s3 float64
	b = b[:len(a)]
	i := 0
	for ; i+4 <= len(a); i += 4 {
		d0, d1 := float64(a[i])-float64(b[i]), float64(a[i+1])-float64(b[i+1])
		d2, d3 := float64(a[i+2])-float64(b[i+2]), float64(a[i+3])-float64(b[i+3])
		s0, s1, s2, s3 = s0+float64(d0*d0), s1+float64(d1*d1), s2+float64(d2*d2), s3+float64(d3*d3)
	}
	for ; i < len(a); i++ {
		d := float64(a[i]) - float64(b[i])
		s0 += float64(d * d)
	}
	return s0 + s1 + s2 + s3
}
