package sweep

import (
	"math"
	"math/rand/v2"
	"strconv"
)

// Factor is a name with the values that it takes: a list, or a range of numbers.
type Factor struct {
	Name   string
	Values []string // those of a list, or of a range with steps; nil: any number of a range

	From, To float64 // of a range, both in it
	Log      bool    // evenly in the logarithm
	Steps    int     // numbers that are taken of the range, evenly, both ends among them; 0: it is drawn from
	Whole    bool    // numbers are whole
}

// steps are the numbers that a grid takes of a range, without those that rounding makes the
// same.
func (f *Factor) steps() (out []string) {
	for i := range f.Steps {
		x := f.text(float64(i) / float64(max(1, f.Steps-1)))
		if len(out) == 0 || out[len(out)-1] != x {
			out = append(out, x)
		}
	}
	return out
}

// text is the number at a share of the range, with six digits.
func (f *Factor) text(share float64) string {
	x := f.From + (f.To-f.From)*share
	if f.Log {
		x = f.From * math.Pow(f.To/f.From, share)
	}
	if f.Whole {
		return strconv.FormatFloat(math.Max(f.From, math.Min(f.To, math.Round(x))), 'f', -1, 64)
	}
	x, _ = strconv.ParseFloat(strconv.FormatFloat(x, 'g', 6, 64), 64)
	return strconv.FormatFloat(math.Max(f.From, math.Min(f.To, x)), 'g', -1, 64)
}

// draw takes one value at random. Whole numbers are equally likely, but in a logarithmic range.
func (f *Factor) draw(r *rand.Rand) string {
	if f.Values != nil {
		return f.Values[r.IntN(len(f.Values))]
	}
	if f.Whole && !f.Log {
		return strconv.Itoa(int(f.From) + r.IntN(int(f.To)-int(f.From)+1))
	}
	return f.text(r.Float64())
}
