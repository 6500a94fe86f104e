package kernel

import (
	"math"

	"github.com/x448/float16"
)

// Half-precision numbers as their bits: float16 is IEEE binary16, bfloat16 the
// upper half of a float32. Conversions to them round to nearest, ties to even.

// FromFloat16 converts binary16 to float32.
func FromFloat16(x []uint16, dst []float32) {
	checkHalf(len(x), len(dst))
	fromF16(x, dst)
}

// ToFloat16 converts float32 to binary16; what is too large becomes infinite.
func ToFloat16(x []float32, dst []uint16) {
	checkHalf(len(x), len(dst))
	toF16(x, dst)
}

// FromBFloat16 converts bfloat16 to float32.
func FromBFloat16(x []uint16, dst []float32) {
	checkHalf(len(x), len(dst))
	fromBF16(x, dst)
}

// ToBFloat16 converts float32 to bfloat16.
func ToBFloat16(x []float32, dst []uint16) {
	checkHalf(len(x), len(dst))
	for i, v := range x {
		b := math.Float32bits(v)
		if v != v {
			dst[i] = uint16(b>>16) | 1<<6 // a quiet NaN, whatever bits are cut off
			continue
		}
		dst[i] = uint16((b + 0x7fff + b>>16&1) >> 16)
	}
}

func checkHalf(n, m int) {
	if m < n {
		panic("kernel: operands of unequal length")
	}
}

func goFromF16(x []uint16, dst []float32) {
	for i, v := range x {
		dst[i] = float16.Frombits(v).Float32()
	}
}

func goToF16(x []float32, dst []uint16) {
	for i, v := range x {
		dst[i] = float16.Fromfloat32(v).Bits()
	}
}

func goFromBF16(x []uint16, dst []float32) {
	for i, v := range x {
		dst[i] = math.Float32frombits(uint32(v) << 16)
	}
}
