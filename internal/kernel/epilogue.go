package kernel

import (
	"math"
	"unsafe"
)

// Epilogue is what is done to a result before it is stored, in this order:
// the biases are added, then what the output held (Acc), then the residual;
// then ReLU, or the value is held between Lo and Hi.
type Epilogue struct {
	Bias    []float32 // by column (output channel); nil: none
	RowBias []float32 // by row, products of matrices only; nil: none
	Res     []float32 // laid out like the output; nil: none
	Relu    bool
	Clip    bool // hold between Lo and Hi
	Lo, Hi  float32
	Acc     bool // add to the output instead of replacing it
}

// Bounds are those of the activation; ok is false where there is none.
func (e *Epilogue) Bounds() (lo, hi float32, ok bool) {
	lo, hi = float32(math.Inf(-1)), float32(math.Inf(1))
	if e.Relu {
		lo = 0
	}
	if e.Clip {
		lo, hi = max(lo, e.Lo), e.Hi
	}
	return lo, hi, e.Relu || e.Clip
}

// row finishes a row that holds plain sums: c is the output, which starts at
// place `at` of the whole, in row i and column j of its matrix.
func (e *Epilogue) row(sum, c []float32, at, i, j int) {
	n := len(sum)
	if e.Bias != nil {
		Add(sum, e.Bias[j:j+n], sum)
	}
	if e.RowBias != nil {
		Affine(1, sum, e.RowBias[i], sum)
	}
	if e.Acc {
		Add(sum, c, sum)
	}
	if e.Res != nil {
		Add(sum, e.Res[at:at+n], sum)
	}
	if lo, hi, ok := e.Bounds(); ok {
		Clip(sum, lo, hi, sum)
	}
	if &sum[0] != &c[0] {
		copy(c, sum)
	}
}

func first(x []float32, i int) unsafe.Pointer {
	if x == nil {
		return nil
	}
	return unsafe.Pointer(&x[i])
}
