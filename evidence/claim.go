package evidence

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/gonum/stat"
)

// Claim is one sentence of the paper as a test that can fail: a figure of every seed
// whose mean keeps a bound for the method, and does not keep it for the method without
// its ingredient in the method's place.
type Claim struct {
	Text    string
	Method  string   // the arm that the claim is of
	Without []string // arms of the method without an ingredient, one at least: none may keep the bound
	Figure  Figure
	Side    Side
	Bound   float64 // in the figure's unit
}

// Figure is what a claim measures of an arm: a number for each seed.
type Figure struct {
	Of   func(v Values, arm string) []float64
	Unit string // such as "pp", percentage points
}

// Side is where a mean must be to keep a bound.
type Side uint8

// The sides of a bound.
const (
	AtLeast Side = iota // it is at least the bound
	AtMost              // at most
	Within              // its absolute value is at most the bound
)

// slack is how far the mean x is on the right side of the bound; below 0 it is on the
// wrong one.
func (s Side) slack(x, bound float64) float64 {
	switch s {
	case AtMost:
		return bound - x
	case Within:
		return bound - math.Abs(x)
	}
	return x - bound
}

func (c *Claim) needed() string {
	return strings.TrimSpace(fmt.Sprintf("%s %.3g %s", [...]string{"≥", "≤", "|·| ≤"}[c.Side], c.Bound, c.Figure.Unit))
}

// Verdict is what became of a claim.
type Verdict struct {
	Text     string    `json:"text"`
	Method   string    `json:"method"`
	Measured string    `json:"measured"` // mean with its 95 % interval
	Needed   string    `json:"needed"`
	Without  []Without `json:"without"`
	Holds    bool      `json:"holds"` // for the method, and for none of the others
	Share    *float64  `json:"share"` // the interval's half-width, as a share of the distance to the bound; null: one seed, or it does not hold
}

// Without is what a claim comes to for the method without an ingredient.
type Without struct {
	Arm      string `json:"arm"`
	Measured string `json:"measured"`
	Keeps    bool   `json:"keeps"` // the bound, which refutes the claim
}

// Sure says whether there were enough seeds: the interval is at most half of the
// distance to the bound.
func (v *Verdict) Sure() bool { return v.Share != nil && *v.Share <= .5 }

// Judge puts the claim to the test.
func (c *Claim) Judge(v Values) Verdict {
	keeps, said := c.keeps(v, c.Method)
	out := Verdict{Text: c.Text, Method: c.Method, Measured: said, Needed: c.needed(), Holds: keeps && len(c.Without) > 0}
	for _, arm := range c.Without {
		w := Without{Arm: arm}
		w.Keeps, w.Measured = c.keeps(v, arm)
		out.Without = append(out.Without, w)
		// An arm that was not measured refutes nothing and supports nothing.
		out.Holds = out.Holds && !w.Keeps && w.Measured != nothing
	}
	if x := c.Figure.Of(v, c.Method); out.Holds && len(x) > 1 {
		share := Interval(x) / c.Side.slack(stat.Mean(x, nil), c.Bound)
		if !math.IsInf(share, 0) && !math.IsNaN(share) {
			out.Share = &share
		}
	}
	return out
}

// nothing stands where an arm was not measured.
const nothing = "not measured"

// keeps says whether an arm keeps the bound, and what was measured.
func (c *Claim) keeps(v Values, arm string) (bool, string) {
	x := c.Figure.Of(v, arm)
	if len(x) == 0 || slices.ContainsFunc(x, math.IsNaN) {
		return false, nothing
	}
	return c.Side.slack(stat.Mean(x, nil), c.Bound) >= 0, c.Figure.write(x)
}

// write shows a mean with its interval, which one seed does not have.
func (f Figure) write(x []float64) string {
	verb := "%.3g"
	if f.Unit == "pp" {
		verb = "%+.1f"
	}
	s := fmt.Sprintf(verb, stat.Mean(x, nil))
	if len(x) > 1 {
		s += fmt.Sprintf(" ± "+strings.TrimPrefix(strings.Replace(verb, "+", "", 1), " "), Interval(x))
	}
	return strings.TrimSpace(s + " " + f.Unit)
}

// Over is by how many percentage points an arm is above another.
func Over(other string) Figure {
	return Figure{func(v Values, arm string) []float64 {
		d := v.Diff(arm, other)
		for i := range d {
			d[i] *= 100
		}
		return d
	}, "pp"}
}

// Ratio is a value of an arm, named after a prefix, over that of another.
func Ratio(prefix, other string) Figure {
	return Figure{func(v Values, arm string) []float64 {
		a, b := v[prefix+arm], v[prefix+other]
		if len(a) != len(b) {
			return nil
		}
		out := make([]float64, len(a))
		for i := range a {
			out[i] = a[i] / b[i]
		}
		return out
	}, ""}
}

// Beats claims that an arm is above another by a number of points.
func Beats(text, arm, other string, points float64, without ...string) Claim {
	return Claim{text, arm, without, Over(other), AtLeast, points}
}

// Near claims that an arm and another differ by at most a number of points.
func Near(text, arm, other string, points float64, without ...string) Claim {
	return Claim{text, arm, without, Over(other), Within, points}
}

// Comparison asks, without a bound, what an ingredient does at this scale: it is of those
// that no small setting is known to show.
type Comparison struct {
	Text    string // the ingredient
	Method  string // the arm with it
	Without string // and the arm without it
}

// Answer is what a comparison came to.
type Answer struct {
	Text     string `json:"text"`
	Method   string `json:"method"`
	Without  string `json:"without"`
	Measured string `json:"measured"`
	Says     string `json:"says"`
}

// Answer compares the arms: an ingredient helps or harms where the 95 % interval of the
// difference leaves zero out.
func (c *Comparison) Answer(v Values) Answer {
	a := Answer{Text: c.Text, Method: c.Method, Without: c.Without, Measured: nothing, Says: "not shown at this scale"}
	f := Over(c.Without)
	d := f.Of(v, c.Method)
	if len(d) == 0 || slices.ContainsFunc(d, math.IsNaN) {
		return a
	}
	a.Measured = f.write(d)
	switch m, within := stat.Mean(d, nil), Interval(d); {
	case m > within:
		a.Says = "helps"
	case m < -within:
		a.Says = "did not help"
	}
	return a
}
