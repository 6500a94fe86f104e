package op

import (
	"math"

	"pare/tensor"
)

// bounds are the least and the greatest number of an integer type.
func bounds(d tensor.DType) (lo, hi float64) {
	bits := d.Bits()
	switch d {
	case tensor.Uint4, tensor.Uint8, tensor.Uint16, tensor.Uint32, tensor.Uint64:
		return 0, math.Ldexp(1, bits) - 1
	}
	return -math.Ldexp(1, bits-1), math.Ldexp(1, bits-1) - 1
}

// saturated rounds to the nearest integer, ties to even, within the bounds of
// a type.
func saturated(x []float64, d tensor.DType) []float64 {
	lo, hi := bounds(d)
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = max(lo, min(hi, math.RoundToEven(v)))
	}
	return out
}
