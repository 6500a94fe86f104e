package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// rounded is a row as whole numbers times what the largest of each group is over 127.
func rounded(x []float32) []float64 {
	out := make([]float64, len(x))
	for g := 0; g < len(x); g += 32 {
		group := x[g:min(g+32, len(x))]
		most := max(slices.Max(group), -slices.Min(group))
		for i, v := range group {
			if by := 127 / most; most > 0 { // in float32: it says which of two numbers is nearer
				out[g+i] = math.RoundToEven(float64(v*by)) / 127 * float64(most)
			}
		}
	}
	return out
}

// A matrix of whole numbers holds what Int8 holds, and its products are those of what it
// holds with rows rounded likewise: for any shape, number of rows, and instructions.
func TestWhole(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(3, 4))
		for _, s := range [][2]int{{1, 1}, {16, 32}, {17, 31}, {40, 33}, {64, 96}, {35, 577}} {
			for _, zeros := range []float64{0, .6, 1} {
				rows, cols := s[0], s[1]
				w := sparseMatrix(r, rows, cols, zeros)
				as, err := Pack(w, rows, cols, Int8)
				if err != nil {
					t.Fatal(err)
				}
				held := make([]float32, rows*PackedWidth(cols))
				as.Expand(&Worker{}, 0, rows, held, PackedWidth(cols))
				for _, sparse := range []bool{false, true} {
					name := fmt.Sprintf("%dx%d %v %v", rows, cols, zeros, sparse)
					m, err := PackWhole(w, rows, cols, sparse)
					if err != nil {
						t.Fatal(err)
					}
					got := m.Expand()
					for o := range rows {
						if !slices.Equal(got[o*cols:][:cols], held[o*PackedWidth(cols):][:cols]) {
							t.Fatalf("%s: row %d is held as other numbers", name, o)
						}
					}
					if n := len(got) - count(got, 0); m.Sparse() != sparse || m.Bytes() != WholeBytes(sparse, rows, cols, n) {
						t.Errorf("%s: %d bytes, foretold %d", name, m.Bytes(), WholeBytes(sparse, rows, cols, n))
					}
					for _, n := range []int{1, 2, 3, 7, 8, 13} {
						wholeProducts(t, name, r, m, got, n)
					}
				}
			}
		}
	})
}

func wholeProducts(t *testing.T, name string, r *rand.Rand, m *WholeMatrix, held []float32, n int) {
	t.Helper()
	ldx, ldy := m.Cols+1, m.Rows+2
	x, y := random(r, n*ldx), make([]float32, n*ldy)
	for i := range y {
		y[i] = 77
	}
	clear(x[:min(32, m.Cols)]) // a group without a largest
	var q WholeRows
	q.Room(n, m.Cols)
	q.Set(x, n, ldx, m.Cols)
	lo := m.Rows / 3 / 16 * 16
	m.Dots(&Worker{}, &q, lo, m.Rows, y, ldy)
	for i := range n {
		row := rounded(x[i*ldx:][:m.Cols])
		for o := lo; o < m.Rows; o++ {
			want, size := 0., 1e-7
			for k, v := range held[o*m.Cols:][:m.Cols] {
				want, size = want+float64(v)*row[k], size+math.Abs(float64(v)*row[k])
			}
			if d := math.Abs(float64(y[i*ldy+o-lo]) - want); !(d <= 1e-6*size) {
				t.Fatalf("%s: product %d of row %d is %v, want %v", name, i, o, y[i*ldy+o-lo], want)
			}
		}
		for _, v := range y[i*ldy+m.Rows-lo : (i+1)*ldy] {
			if v != 77 {
				t.Fatalf("%s: it wrote behind the products", name)
			}
		}
	}
}

// Rows are rounded alike by all instructions, in blocks of any number of rows, and a product
// does not depend on the rows beside; what is not finite stays so.
func TestWholeRows(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	const rows, cols, n = 48, 100, 11
	x, w := random(r, n*cols), sparseMatrix(r, rows, cols, .5)
	for i := range 32 {
		x[i] = float32(i-16) / 2 // halves between whole numbers
	}
	x[2*cols+70], x[3*cols+99], x[4*cols+3] = float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1))
	m, err := PackWhole(w, rows, cols, true)
	if err != nil {
		t.Fatal(err)
	}
	var first []float32
	eachISA(t, func(t *testing.T) {
		var all, one WholeRows
		all.Room(n, cols)
		one.Room(1, cols)
		all.Set(x, n, cols, cols)
		y, z := make([]float32, n*rows), make([]float32, rows)
		m.Dots(&Worker{}, &all, 0, rows, y, rows)
		for i := range n {
			one.Set(x[i*cols:], 1, cols, cols)
			var plain [4 * wholeRecord]uint32
			var row [128]float32
			copy(row[:], x[i*cols:][:cols])
			goWholeRow(row[:], plain[:], wholeRecord)
			for k, v := range one.records {
				if bad := i >= 2 && i <= 4; !bad && v != plain[k] {
					t.Fatalf("row %d, word %d is %x, want %x", i, k, v, plain[k])
				}
			}
			m.Dots(&Worker{}, &one, 0, rows, z, rows)
			for o, v := range z {
				finite := !math.IsNaN(float64(v)) && !math.IsInf(float64(v), 0)
				if bad := i >= 2 && i <= 4; bad == finite {
					t.Fatalf("product %d of row %d is %v", o, i, v)
				} else if !bad && v != y[i*rows+o] {
					t.Fatalf("product %d of row %d is %v alone and %v among others", o, i, v, y[i*rows+o])
				}
			}
		}
		if first == nil {
			first = y
		}
		for i, v := range y {
			if a := first[i]; !(math.Abs(float64(v-a)) <= 1e-5) && !(v != v || a != a || math.IsInf(float64(a), 0)) {
				t.Fatalf("product %d is %v by other instructions, %v", i, v, a)
			}
		}
	})
}

func TestWholeRefuses(t *testing.T) {
	if _, err := PackWhole([]float32{1, float32(math.Inf(1))}, 2, 1, false); err == nil {
		t.Error("an infinite weight is held")
	}
}
