package quantise

import (
	"math"

	"pare/tensor"
)

// Range is the interval that values lie in.
type Range struct {
	Lo float64 `json:"lo"`
	Hi float64 `json:"hi"`
}

// withZero is the range and zero, which must be an integer: padding and ReLU make zeros.
func (r Range) withZero() Range { return Range{math.Min(r.Lo, 0), math.Max(r.Hi, 0)} }

// Integers are those of eight bits that numbers become.
type Integers struct {
	Type    tensor.DType
	Lo, Hi  int
	Centred bool // the zero point is the integer zero, and the range as wide on either side
}

// The integers of activations and of weights.
var (
	Unsigned = Integers{Type: tensor.Uint8, Lo: 0, Hi: 255}
	Signed   = Integers{Type: tensor.Int8, Lo: -128, Hi: 127}
	Weights  = Integers{Type: tensor.Int8, Lo: -127, Hi: 127, Centred: true}
)

// Scale is how numbers become integers: q = clip(round(x/Step) + Zero).
type Scale struct {
	Step float32 `json:"step"`
	Zero int     `json:"zero"`
}

// ScaleOf is the scale whose integers cover a range, zero among the numbers that they
// stand for exactly:
//
//	step = (hi-lo)/(Hi-Lo)    zero = round(Lo - lo/step)
//
// and with centred integers step = max(|lo|,|hi|)/Hi, zero = 0. A range of nothing has
// step 1.
func (k Integers) ScaleOf(r Range) Scale {
	r = r.withZero()
	if k.Centred {
		s := float32(math.Max(-r.Lo, r.Hi) / float64(k.Hi))
		return Scale{sound(s), 0}
	}
	s := sound(float32((r.Hi - r.Lo) / float64(k.Hi-k.Lo)))
	z := math.RoundToEven(float64(k.Lo) - r.Lo/float64(s))
	return Scale{s, int(math.Max(float64(k.Lo), math.Min(float64(k.Hi), z)))}
}

// leastStep keeps steps from being so small that integers over them overflow.
const leastStep = 1e-20

// sound is a step, or 1 where there is nothing to divide.
func sound(s float32) float32 {
	if !(s > leastStep) {
		return 1
	}
	return s
}

// Integer is what a number becomes; halves go to the even integer, and the quotient is
// taken in float32, as ONNX says.
func (k Integers) Integer(x float32, s Scale) int {
	q := math.RoundToEven(float64(x / s.Step))
	return int(math.Max(float64(k.Lo), math.Min(float64(k.Hi), q+float64(s.Zero))))
}

// Number is what an integer stands for.
func (s Scale) Number(q int) float32 { return float32(q-s.Zero) * s.Step }

// Round is what is left of a number once it was an integer.
func (k Integers) Round(x float32, s Scale) float32 { return s.Number(k.Integer(x, s)) }
