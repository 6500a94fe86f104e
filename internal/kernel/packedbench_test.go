package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// Products with packed matrices that lie in the cache, on one thread: nanoseconds for 32
// columns of a row, the quickest of all.
func BenchmarkPacked(b *testing.B) {
	const rows, cols = 128, 576
	for _, f := range []PackedForm{Half, Int8, SparseHalf, SparseInt8, SparseFloat} {
		for _, n := range []int{1, 4, 8} {
			b.Run(fmt.Sprintf("%v/%d", f, n), func(b *testing.B) {
				r := rand.New(rand.NewPCG(1, 2))
				p, err := Pack(sparseMatrix(r, rows, cols, .7), rows, cols, f)
				if err != nil {
					b.Fatal(err)
				}
				x, y, w := random(r, n*cols), make([]float32, n*rows), &Worker{}
				best := math.Inf(1)
				for b.Loop() {
					begun := time.Now()
					p.Dots(w, x, n, cols, 0, rows, y, rows)
					best = min(best, float64(time.Since(begun)))
				}
				b.ReportMetric(best/(rows*cols/packedGroup), "ns/group")
			})
		}
	}
}

// Products with matrices of whole numbers that lie in the cache, likewise.
func BenchmarkWhole(b *testing.B) {
	const rows, cols = 128, 576
	for _, sparse := range []bool{false, true} {
		for _, n := range []int{1, 2, 4, 8, 64} {
			b.Run(fmt.Sprintf("sparse=%v/%d", sparse, n), func(b *testing.B) {
				r := rand.New(rand.NewPCG(1, 2))
				m, err := PackWhole(sparseMatrix(r, rows, cols, .7), rows, cols, sparse)
				if err != nil {
					b.Fatal(err)
				}
				x, y, w := random(r, n*cols), make([]float32, n*rows), &Worker{}
				var q WholeRows
				q.Room(n, cols)
				best := math.Inf(1)
				for b.Loop() {
					begun := time.Now()
					q.Set(x, n, cols, cols)
					m.Dots(w, &q, 0, rows, y, rows)
					best = min(best, float64(time.Since(begun)))
				}
				b.ReportMetric(best/(rows*cols/packedGroup), "ns/group")
			})
		}
	}
}
