package quantise

import (
	"fmt"
	"math"
)

// bins of a histogram.
const bins = 4096

// Histogram is how values are spread: what every Rule chooses a range by. The least and
// the greatest value are exact; the others are counted in bins of one width, once the range
// is known.
type Histogram struct {
	Range        // of all values
	N      int64 // values
	Counts []int64
}

// Widen takes values into the range.
func (h *Histogram) Widen(x []float32) error {
	for i, v := range x {
		f := float64(v)
		if math.IsNaN(f) || math.IsInf(f, 0) {
			return fmt.Errorf("a NaN or infinity at place %d", i)
		}
		if h.N == 0 {
			h.Range = Range{f, f}
		}
		h.Lo, h.Hi = math.Min(h.Lo, f), math.Max(h.Hi, f)
		h.N++
	}
	return nil
}

// Count counts values that lie in the range.
func (h *Histogram) Count(x []float32) {
	if h.Counts == nil {
		h.Counts = make([]int64, bins)
	}
	per := h.width()
	for _, v := range x {
		k := 0
		if per > 0 {
			k = int((float64(v) - h.Lo) / per)
		}
		h.Counts[max(0, min(bins-1, k))]++
	}
}

// width is that of a bin.
func (h *Histogram) width() float64 { return (h.Hi - h.Lo) / bins }

// centre is the middle of a bin.
func (h *Histogram) centre(k int) float64 { return h.Lo + (float64(k)+.5)*h.width() }

// below is the value that a number of values lie below, by their bins.
func (h *Histogram) below(n float64) float64 {
	sum := 0.0
	for k, c := range h.Counts {
		if sum+float64(c) >= n && c > 0 {
			return h.Lo + (float64(k)+math.Max(0, n-sum)/float64(c))*h.width()
		}
		sum += float64(c)
	}
	return h.Hi
}
