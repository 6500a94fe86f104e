package tensor

import (
	"fmt"
	"math"

	"github.com/x448/float16"
)

// As is a floating-point tensor in another floating-point type, rounded to the nearest
// number, ties to even; itself where it has the type already. Float64 becomes a type of 16
// bits by way of Float32. It returns an error for other types, and where a finite number
// is too large for the type, with the number's index.
func (t *Tensor) As(d DType) (*Tensor, error) {
	if !t.DType.IsFloat() || !d.IsFloat() {
		return nil, fmt.Errorf("%v does not become %v: both must be floating-point types", t, d)
	}
	if t.DType == d {
		return t, nil
	}
	out := New(d, t.Shape...)
	if bits, ok := t.Data.([]uint16); ok && d == Float32 {
		widen16(out.F32(), bits, t.DType)
		return out, nil
	}
	for i := range out.Len() {
		v := t.float(i)
		if !out.setFloat(i, v) {
			return nil, fmt.Errorf("element %d is %g, too large for %v", i, v, d)
		}
	}
	return out, nil
}

// widen16 widens the bits of Float16 or BFloat16.
func widen16(out []float32, bits []uint16, d DType) {
	if d == BFloat16 {
		for i, b := range bits {
			out[i] = BF16ToF32(b)
		}
		return
	}
	for i, b := range bits {
		out[i] = float16.Frombits(b).Float32()
	}
}

// float is an element of a floating-point tensor.
func (t *Tensor) float(i int) float64 {
	switch x := t.Data.(type) {
	case []float32:
		return float64(x[i])
	case []float64:
		return x[i]
	case []uint16:
		if t.DType == Float16 {
			return float64(float16.Frombits(x[i]).Float32())
		}
		return float64(BF16ToF32(x[i]))
	}
	return math.NaN()
}

// setFloat rounds v into an element of a floating-point tensor. It reports false where v is
// finite and becomes infinite.
func (t *Tensor) setFloat(i int, v float64) bool {
	var is float64
	switch x := t.Data.(type) {
	case []float32:
		x[i] = float32(v)
		is = float64(x[i])
	case []float64:
		x[i], is = v, v
	case []uint16:
		if t.DType == Float16 {
			x[i] = float16.Fromfloat32(float32(v)).Bits()
		} else {
			x[i] = F32ToBF16(float32(v))
		}
		is = t.float(i)
	}
	return !math.IsInf(is, 0) || math.IsInf(v, 0)
}
