package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// sparseMatrix draws a matrix of which a share is zero.
func sparseMatrix(r *rand.Rand, rows, cols int, zeros float64) []float32 {
	w := make([]float32, rows*cols)
	for i := range w {
		if r.Float64() >= zeros {
			w[i] = float32(r.NormFloat64())
		}
	}
	return w
}

// What a form holds lies as near to the weights as its numbers can, is written out alike by
// every instruction set, and its products are those of what it holds.
func TestPacked(t *testing.T) {
	forms := []PackedForm{Half, Int8, SparseHalf, SparseInt8, SparseFloat}
	eachISA(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(1, 2))
		for _, f := range forms {
			for _, s := range [][2]int{{1, 1}, {5, 31}, {7, 32}, {6, 33}, {9, 96}, {3, 577}} {
				for _, zeros := range []float64{0, .5, .9, 1} {
					rows, cols := s[0], s[1]
					name := fmt.Sprintf("%v %dx%d %v", f, rows, cols, zeros)
					w := sparseMatrix(r, rows, cols, zeros)
					p, err := Pack(w, rows, cols, f)
					if err != nil {
						t.Fatal(name, err)
					}
					width := PackedWidth(cols)
					held := make([]float32, rows*width)
					for o := range rows {
						p.unpack(o, held[o*width:][:width])
						for c, v := range held[o*width:][:width] {
							want, far := float32(0), float32(0)
							if c < cols {
								want = w[o*cols+c]
							}
							switch {
							case f.scaled():
								g := w[o*cols+c/32*32 : o*cols+min(cols, c/32*32+32)]
								if c < cols {
									far = max(slices.Max(g), -slices.Min(g)) / 127 * .57
								}
							case f.size() == 2:
								far = float32(math.Abs(float64(want)))/2048 + 0x1p-25
							}
							if d := v - want; !(max(d, -d) <= far) {
								t.Fatalf("%s: %v is held as %v", name, want, v)
							}
						}
					}
					if n := len(w) - count(w, 0); !f.scaled() && p.Bytes() != PackedBytes(f, rows, cols, n) {
						t.Errorf("%s: %d bytes, foretold %d", name, p.Bytes(), PackedBytes(f, rows, cols, n))
					}
					worker := &Worker{}
					got := make([]float32, rows*(width+3))
					p.Expand(worker, 0, rows, got, width+3)
					for o := range rows {
						if !slices.Equal(got[o*(width+3):][:width], held[o*width:][:width]) {
							t.Fatalf("%s: row %d is written out as other numbers", name, o)
						}
					}
					packedProducts(t, name, r, p, held)
				}
			}
		}
	})
}

func count(x []float32, v float32) (n int) {
	for _, u := range x {
		if u == v {
			n++
		}
	}
	return n
}

// packedProducts compares inner products with those in doubles.
func packedProducts(t *testing.T, name string, r *rand.Rand, p *Packed, held []float32) {
	t.Helper()
	width := PackedWidth(p.Cols)
	for _, n := range []int{1, 2, 3, 8, 11} {
		ldx, ldy := width+1, p.Rows+2
		x, y := make([]float32, n*ldx), make([]float32, n*ldy)
		for i := range x {
			if i%ldx < p.Cols {
				x[i] = float32(r.NormFloat64())
			}
		}
		for i := range y {
			y[i] = 77
		}
		lo := p.Rows / 3
		p.Dots(&Worker{}, x, n, ldx, lo, p.Rows, y, ldy)
		for i := range n {
			for o := lo; o < p.Rows; o++ {
				want, size := 0., 1e-7
				for k, v := range held[o*width:][:width] {
					d := float64(v) * float64(x[i*ldx+k])
					want, size = want+d, size+math.Abs(d)
				}
				if d := math.Abs(float64(y[i*ldy+o-lo]) - want); !(d <= 1e-6*size) {
					t.Fatalf("%s: product %d of row %d is %v, want %v", name, i, o, y[i*ldy+o-lo], want)
				}
			}
			for _, v := range y[i*ldy+p.Rows-lo : (i+1)*ldy] {
				if v != 77 {
					t.Fatalf("%s: it wrote behind the products", name)
				}
			}
		}
	}
}

// Every number that a form has is kept as it is: all of float16, and groups of whole numbers
// times a float16.
func TestPackedExact(t *testing.T) {
	var w []float32
	for b := range 1 << 16 {
		if b>>10&31 != 31 {
			one, err := Pack([]float32{1}, 1, 1, Half)
			if err != nil {
				t.Fatal(err)
			}
			one.values[0], one.values[1] = byte(b), byte(b>>8)
			var y [32]float32
			one.unpack(0, y[:])
			w = append(w, y[0])
		}
	}
	var q []float32
	for i := range 255 * 32 {
		largest := float32([]int{127, 8, 57}[i/32%3]) // as of Q8_0, of Q4_0, of what is left of a group
		q = append(q, []float32{-largest, max(-largest, min(largest, float32(i/32-127)))}[min(i%32, 1)]*0x1.234p-9)
	}
	for f, w := range map[PackedForm][]float32{Half: w, SparseHalf: w, Int8: q, SparseInt8: q} {
		p, err := Pack(w, 1, len(w), f)
		if err != nil {
			t.Fatal(err)
		}
		y := make([]float32, PackedWidth(len(w)))
		p.Expand(&Worker{}, 0, 1, y, len(y))
		if !slices.Equal(y[:len(w)], w) {
			t.Errorf("%v changes numbers that it has", f)
		}
	}
}

func TestPackedRefuses(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	for _, f := range []PackedForm{Half, Int8, SparseHalf, SparseInt8} {
		for _, v := range []float32{inf, -inf, nan, 1e7 * 127} {
			if _, err := Pack([]float32{1, v}, 2, 1, f); err == nil || !strings.Contains(err.Error(), "row 1: ") || !strings.Contains(err.Error(), "cannot hold") {
				t.Errorf("%v of %v: %v", f, v, err)
			}
		}
	}
	p, err := Pack([]float32{1e-9, 1e-8}, 1, 2, Int8)
	if err != nil || p.scales[0] != 1 || p.values[0] != 0 {
		t.Errorf("numbers below those of float16: %+v, %v", p, err)
	}
	const tiny = 0x1p-24 // float16's least, which is all that is left of 1.4 times as much
	p, err = Pack([]float32{127 * 1.4 * tiny, -127 * 1.4 * tiny}, 1, 2, Int8)
	if err != nil || p.scales[0] != 1 || int8(p.values[0]) != 127 || int8(p.values[1]) != -127 {
		t.Errorf("a scale that is rounded down by much: %+v, %v", p, err)
	}
}
