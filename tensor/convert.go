package tensor

import (
	"fmt"
	"math"
	"slices"

	"github.com/x448/float16"
)

// BF16ToF32 widens the bits of a bfloat16.
func BF16ToF32(b uint16) float32 { return math.Float32frombits(uint32(b) << 16) }

// F32ToBF16 rounds to the nearest bfloat16, ties to even; NaN stays NaN.
func F32ToBF16(f float32) uint16 {
	u := math.Float32bits(f)
	if f != f {
		return uint16(u>>16) | 0x40
	}
	return uint16((u + 0x7fff + (u>>16)&1) >> 16)
}

// Float64s copies the elements as float64 (bool as 0 and 1). It returns an
// error for strings.
func (t *Tensor) Float64s() ([]float64, error) {
	switch d := t.Data.(type) {
	case []float32:
		return widen(d), nil
	case []float64:
		return slices.Clone(d), nil
	case []int8:
		return widen(d), nil
	case []int16:
		return widen(d), nil
	case []int32:
		return widen(d), nil
	case []int64:
		return widen(d), nil
	case []uint8:
		return widen(d), nil
	case []uint32:
		return widen(d), nil
	case []uint64:
		return widen(d), nil
	case []uint16:
		o := make([]float64, len(d))
		for i, v := range d {
			switch t.DType {
			case Float16:
				o[i] = float64(float16.Frombits(v).Float32())
			case BFloat16:
				o[i] = float64(BF16ToF32(v))
			default:
				o[i] = float64(v)
			}
		}
		return o, nil
	case []bool:
		o := make([]float64, len(d))
		for i, v := range d {
			if v {
				o[i] = 1
			}
		}
		return o, nil
	}
	return nil, fmt.Errorf("tensor: %v has no numbers", t)
}

// Int64s copies the elements of an integer or bool tensor as int64.
func (t *Tensor) Int64s() ([]int64, error) {
	switch d := t.Data.(type) {
	case []int64:
		return slices.Clone(d), nil
	case []uint64:
		return toInt64(d), nil
	case []int32:
		return toInt64(d), nil
	case []uint32:
		return toInt64(d), nil
	case []int16:
		return toInt64(d), nil
	case []int8:
		return toInt64(d), nil
	case []uint8:
		return toInt64(d), nil
	case []uint16:
		if t.DType == Uint16 {
			return toInt64(d), nil
		}
	case []bool:
		o := make([]int64, len(d))
		for i, v := range d {
			if v {
				o[i] = 1
			}
		}
		return o, nil
	}
	return nil, fmt.Errorf("tensor: %v is not an integer tensor", t)
}

// ToFloat32 is the tensor as Float32: itself where it is one already, a
// converted copy of any other numeric type.
func (t *Tensor) ToFloat32() (*Tensor, error) {
	if t.DType == Float32 {
		return t, nil
	}
	if t.DType == Float16 || t.DType == BFloat16 {
		return t.As(Float32)
	}
	f, err := t.Float64s()
	if err != nil {
		return nil, err
	}
	o := New(Float32, t.Shape...)
	for i, v := range f {
		o.Data.([]float32)[i] = float32(v)
	}
	return o, nil
}

// Finite returns the index of the first NaN or infinity of a floating-point
// tensor, or -1.
func (t *Tensor) Finite() int {
	switch d := t.Data.(type) {
	case []float32:
		for i, v := range d {
			if math.Float32bits(v)&0x7f800000 == 0x7f800000 {
				return i
			}
		}
	case []float64:
		for i, v := range d {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				return i
			}
		}
	case []uint16:
		for i, v := range d {
			if t.DType == Float16 && v&0x7c00 == 0x7c00 || t.DType == BFloat16 && v&0x7f80 == 0x7f80 {
				return i
			}
		}
	}
	return -1
}

func widen[T float32 | int8 | int16 | int32 | int64 | uint8 | uint32 | uint64](s []T) []float64 {
	o := make([]float64, len(s))
	for i, v := range s {
		o[i] = float64(v)
	}
	return o
}

func toInt64[T int8 | int16 | int32 | uint8 | uint16 | uint32 | uint64](s []T) []int64 {
	o := make([]int64, len(s))
	for i, v := range s {
		o[i] = int64(v)
	}
	return o
}
