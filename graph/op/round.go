package op

import (
	"pare/tensor"

	"github.com/x448/float16"
)

// rounder rounds a number to a 16-bit floating-point type, for operators that
// ONNX defines as several steps in the type of their inputs. Other types are
// computed in float64 and rounded once.
func rounder(d tensor.DType) func(float64) float64 {
	switch d {
	case tensor.Float16:
		return func(x float64) float64 { return float64(float16.Fromfloat32(float32(x)).Float32()) }
	case tensor.BFloat16:
		return func(x float64) float64 { return float64(tensor.BF16ToF32(tensor.F32ToBF16(float32(x)))) }
	}
	return func(x float64) float64 { return x }
}
