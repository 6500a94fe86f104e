package op

import (
	"fmt"
	"math"

	"pare/tensor"

	"github.com/x448/float16"
)

// fill converts numbers into the storage of t; integers truncate and wrap.
func fill(t *tensor.Tensor, x []float64) error {
	switch d := t.Data.(type) {
	case []float32:
		for i, v := range x {
			d[i] = float32(v)
		}
	case []float64:
		copy(d, x)
	case []uint16:
		for i, v := range x {
			switch t.DType {
			case tensor.Float16:
				d[i] = float16.Fromfloat32(float32(v)).Bits()
			case tensor.BFloat16:
				d[i] = tensor.F32ToBF16(float32(v))
			default:
				d[i] = uint16(toInt(v))
			}
		}
	case []int64:
		for i, v := range x {
			d[i] = toInt(v)
		}
	case []int32:
		for i, v := range x {
			d[i] = int32(toInt(v))
		}
	case []int16:
		for i, v := range x {
			d[i] = int16(toInt(v))
		}
	case []int8:
		for i, v := range x {
			d[i] = int8(toInt(v))
		}
	case []uint8:
		for i, v := range x {
			d[i] = uint8(toInt(v))
		}
	case []uint32:
		for i, v := range x {
			d[i] = uint32(toInt(v))
		}
	case []uint64:
		for i, v := range x {
			if v >= math.MaxInt64 {
				d[i] = uint64(v)
			} else {
				d[i] = uint64(toInt(v))
			}
		}
	case []bool:
		for i, v := range x {
			d[i] = v != 0
		}
	default:
		return fmt.Errorf("%v does not hold numbers", t.DType)
	}
	return nil
}

func toInt(v float64) int64 {
	if v != v {
		return 0
	}
	return int64(v)
}

// fillInts converts integers into the storage of t; they wrap.
func fillInts(t *tensor.Tensor, x []int64) error {
	switch d := t.Data.(type) {
	case []int64:
		copy(d, x)
	case []int32:
		narrow(d, x)
	case []int16:
		narrow(d, x)
	case []int8:
		narrow(d, x)
	case []uint8:
		narrow(d, x)
	case []uint32:
		narrow(d, x)
	case []uint64:
		narrow(d, x)
	case []uint16:
		if t.DType != tensor.Uint16 {
			return fill(t, asFloats(x))
		}
		narrow(d, x)
	case []bool:
		for i, v := range x {
			d[i] = v != 0
		}
	default:
		return fill(t, asFloats(x))
	}
	return nil
}

func narrow[T int32 | int16 | int8 | uint8 | uint16 | uint32 | uint64](d []T, x []int64) {
	for i, v := range x {
		d[i] = T(v)
	}
}

func asFloats(x []int64) []float64 {
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = float64(v)
	}
	return out
}
