//go:build unix

package kernel

import (
	"fmt"
	"slices"
	"testing"
	"unsafe"
)

func at(x []float32) unsafe.Pointer { return first(x, 0) }

// Every micro-kernel of every height and width against its definition: A's numbers side by side
// and apart, with what may be added, within fences.
func TestTilesNEON(t *testing.T) {
	f := newFences(t)
	for width, byRows := range tilesNEON {
		for mr, run := range byRows {
			if run == nil {
				continue
			}
			for k := 1; k < 11; k++ {
				f.again()
				rows, apart := 1+k%3, 1+k%2*2 // of A: numbers that lie so far apart
				ais := k*apart + 1
				ars := mr*ais + 1
				ldb, ldc := width+k%3, width+k%2
				a, b := f.floats((rows-1)*ars+(mr-1)*ais+(k-1)*apart+1), f.floats((rows*k-1)*ldb+width)
				c, res := f.floats((mr-1)*ldc+width), f.floats((mr-1)*ldc+width)
				start := slices.Clone(c)
				tl := tile{Rows: rows, K: k, A: at(a), Ars: 4 * ars, Ais: 4 * ais, Aks: 4 * apart, B: at(b), Ldb: 4 * ldb, C: at(c), Ldc: 4 * ldc, Flags: k % 4, Lo: -1, Hi: 2}
				if k%2 == 0 {
					tl.Bias, tl.Res, tl.Ldr = at(f.floats(width)), at(res), 4*ldc
				}
				if k%3 == 0 {
					tl.RowBias = at(f.floats(mr))
				}
				one := tl
				goTile(&one, mr, width)
				want := slices.Clone(c)
				copy(c, start)
				one = tl
				run((*byte)(unsafe.Pointer(&one)))
				close32(t, fmt.Sprintf("%d by %d, %d rows of %d", mr, width, rows, k), c, wide(want), 1e-5)
			}
		}
	}
}

// The same for tiles by channels.
func TestChannelsNEON(t *testing.T) {
	f := newFences(t)
	for mr, run := range channelsNEON {
		if run == nil {
			continue
		}
		for n := 1; n < 30; n++ {
			f.again()
			rows, k := 1+n%3, 1+n%4
			aks, ais, ldb, ldc := n+1, n+2, n+n%2, n+n%3
			ars, brs := mr*ais+k*aks, n
			a, b := f.floats((rows-1)*ars+(mr-1)*ais+(k-1)*aks+n), f.floats((rows*k-1)*ldb+(rows-1)*brs+n)
			c, res := f.floats((mr-1)*ldc+n), f.floats((mr-1)*ldc+n)
			start := slices.Clone(c)
			tl := tile{Rows: rows, K: k, A: at(a), Ars: 4 * ars, Ais: 4 * ais, Aks: 4 * aks, B: at(b), Ldb: 4 * ldb, Brs: 4 * brs, C: at(c), Ldc: 4 * ldc, Flags: n % 4, Lo: -1, Hi: 2}
			if n%2 == 0 {
				tl.Bias, tl.Res, tl.Ldr = at(f.floats(n)), at(res), 4*ldc
			}
			one := tl
			goChannels(&one, mr, n)
			want := slices.Clone(c)
			copy(c, start)
			one = tl
			one.Vecs = n
			run((*byte)(unsafe.Pointer(&one)))
			close32(t, fmt.Sprintf("%d rows of %d channels", mr, n), c, wide(want), 1e-5)
		}
	}
}

// Every sparse micro-kernel against its definition, with any number of places in the last
// vector: what does not count is neither written nor, where it would be added to, read.
func TestSparseNEON(t *testing.T) {
	f := newFences(t)
	for _, group := range []int{1, blockRows} {
		for r := 1; r <= 8; r++ {
			for nv := 1; r*nv <= 8; nv++ {
				for n := 8*nv - 7; n <= 8*nv; n++ {
					f.again()
					const planes, high = 8, 3
					pitch := 8*nv + 4
					cols, yrow := planes*high, n+1
					x, w := f.floats(planes*(r+high)*pitch), random(f.r, planes*cols)
					pattern(f.r, w, planes, cols)
					s := NewSparse(w, planes, cols, cols, group > 1, func(c int) int32 { return int32(4 * (c/high*(r+high) + c%high) * pitch) })
					yplane := r * yrow
					y, res := f.floats((planes-1)*yplane+(r-1)*yrow+n), f.floats((planes-1)*yplane+(r-1)*yrow+n)
					start := slices.Clone(y)
					tl := sparseTile{X: at(x), XRow: 4 * pitch, Y: at(y), YRow: 4 * yrow, YPlane: 4 * yplane, Flags: n % 4, Lo: -1, Hi: 2}
					if n%2 == 0 {
						tl.Bias = at(f.floats(planes))
					}
					if n%3 == 0 {
						tl.Res = at(res)
					}
					one := tl
					s.rows(&one, 0, 0, planes)
					goSparse(&one, r, n)
					want := slices.Clone(y)
					copy(y, start)
					one = tl
					s.rows(&one, 0, 0, planes)
					runSparse(&one, 8, r, nv, n)
					close32(t, fmt.Sprintf("%d rows of %d places, %d together", r, n, group), y, wide(want), 1e-5)
				}
			}
		}
	}
}

// Sampled products against their definition.
func TestSampledNEON(t *testing.T) {
	f := newFences(t)
	for n := 1; n < 40; n++ {
		f.again()
		rows, planes := 1+n%4, 3
		xrow, drow := (n+7)&^7+n%3, n+n%2
		x, d := f.floats(9+rows*xrow+8), f.floats((planes*rows-1)*drow+n)
		counts := []int32{8, 0, int32(4 * (1 + n%3))}
		offs := make([]int32, 8+counts[2])
		for i := range offs {
			offs[i] = int32(4 * (i % 9))
		}
		sum := f.floats(len(offs))
		start := slices.Clone(sum)
		tl := sampled{Offs: unsafe.Pointer(&offs[0]), Counts: unsafe.Pointer(&counts[0]), Rows: planes, X: at(x), XRow: 4 * xrow,
			D: at(d), DRow: 4 * drow, DPlane: 4 * rows * drow, R: rows, Sum: at(sum)}
		one := tl
		goSampled(&one, n)
		want := slices.Clone(sum)
		copy(sum, start)
		one = tl
		runSampled(&one, 8, n)
		close32(t, fmt.Sprintf("%d rows of %d places", rows, n), sum, wide(want), 1e-5)
	}
}

// Without the dot product of bytes the products of whole numbers are the same bits: the sums of
// a group are whole.
func TestWholeWithoutDot(t *testing.T) {
	if !addsBytes {
		t.Skip("this CPU has no SDOT to compare with")
	}
	defer func() { addsBytes = true }()
	f := newFences(t)
	for _, sparse := range []bool{false, true} {
		for n := 1; n < 6; n++ {
			const rows, cols = 37, 130
			m, err := PackWhole(sparseMatrix(f.r, rows, cols, .5), rows, cols, sparse)
			if err != nil {
				t.Fatal(err)
			}
			f.again()
			x, y, z := f.floats(n*cols), f.floats(n*rows), f.floats(n*rows)
			var q WholeRows
			q.Room(n, cols)
			q.Set(x, n, cols, cols)
			addsBytes = true
			m.Dots(&Worker{}, &q, 0, rows, y, rows)
			addsBytes = false
			m.Dots(&Worker{}, &q, 0, rows, z, rows)
			if !slices.Equal(y, z) {
				t.Fatalf("sparse %v, %d rows: the bits differ", sparse, n)
			}
		}
	}
}

// Sums of products of the largest whole numbers do not overflow.
func TestWholeLargest(t *testing.T) {
	defer func(b bool) { addsBytes = b }(addsBytes)
	w, x := make([]float32, 16*64), make([]float32, 64)
	for i := range w {
		w[i] = -127
	}
	for i := range x {
		x[i] = 127
	}
	m, err := PackWhole(w, 16, 64, false)
	if err != nil {
		t.Fatal(err)
	}
	var q WholeRows
	q.Room(1, 64)
	q.Set(x, 1, 64, 64)
	for _, addsBytes = range []bool{addsBytes, false} {
		y := make([]float32, 16)
		m.Dots(&Worker{}, &q, 0, 16, y, 16)
		for _, v := range y {
			if v != -127*127*64 {
				t.Fatalf("%v, want %v", v, -127*127*64)
			}
		}
	}
}
