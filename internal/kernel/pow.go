package kernel

import "math"

// Pow writes x^y of positive numbers as 2^(y*log2 x), in float64: the logarithm and
// the power are a table of 32 places and a polynomial between two, whose errors, 1e-11
// at most together, do not show in float32 (as musl's powf does it). Whatever else, the
// numbers with their own rules among them, is left to math.Pow.

const powBits = 5

var (
	logAt [1 << powBits]struct{ inverse, log float64 } // of the middles of [1,2) in 32 parts
	expAt [1 << powBits]float64                        // 2^(i/32)
)

func init() {
	for i := range logAt {
		c := 1 + (float64(i)+.5)/(1<<powBits)
		logAt[i].inverse, logAt[i].log = 1/c, math.Log2(c)
		expAt[i] = math.Exp2(float64(i) / (1 << powBits))
	}
}

// Pow writes x^y.
func Pow(x, y, dst []float32) {
	for i := range dst {
		dst[i] = pow(x[i], y[i])
	}
}

// PowOf writes x^y of one y.
func PowOf(x []float32, y float32, dst []float32) {
	switch y {
	case 1:
		copy(dst, x)
	case 2:
		Mul(x, x, dst)
	case -1:
		Reciprocal(x, dst)
	default:
		for i, v := range x[:len(dst)] {
			dst[i] = pow(v, y)
		}
	}
}

func pow(x, y float32) float32 {
	b := math.Float32bits(x)
	if b-0x00800000 >= 0x7f000000 { // not positive, denormal, infinite or no number
		return float32(math.Pow(float64(x), float64(y)))
	}
	at := &logAt[b>>(23-powBits)&(1<<powBits-1)]
	m := float64(math.Float32frombits(b&0x007fffff | 0x3f800000))
	r := m*at.inverse - 1
	const l = 1 / math.Ln2
	log := at.log + float64(int(b>>23)-127) + r*(l+r*(-l/2+r*(l/3+r*(-l/4+r*(l/5-r*(l/6))))))
	e := float64(y) * log
	if !(e > -125 && e < 127) {
		return float32(math.Pow(float64(x), float64(y)))
	}
	const c = math.Ln2
	const whole = 3 << 51 // what is added to it is rounded to a whole number
	u := e*(1<<powBits) + whole
	k := int(int32(math.Float64bits(u)))
	f := e - (u-whole)/(1<<powBits)
	p := 1 + f*(c+f*(c*c/2+f*(c*c*c/6+f*(c*c*c*c/24))))
	scale := math.Float64frombits(uint64(1023+k>>powBits) << 52)
	return float32(expAt[k&(1<<powBits-1)] * p * scale)
}
