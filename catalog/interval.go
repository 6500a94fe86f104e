package catalog

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Interval is a range of numbers. An open end excludes its bound.
type Interval struct {
	Lo, Hi         float64 // ±Inf: no bound
	OpenLo, OpenHi bool
}

// ParseInterval reads an interval such as [0,1), (0,) or (,): a round bracket
// excludes the bound, a missing bound is none.
func ParseInterval(text string) (Interval, error) {
	bad := fmt.Errorf("%q is no interval such as [0,1) or (0,)", text)
	if len(text) < 3 {
		return Interval{}, bad
	}
	lo, hi, ok := strings.Cut(text[1:len(text)-1], ",")
	if !ok || !strings.ContainsAny(text[:1], "[(") || !strings.ContainsAny(text[len(text)-1:], "])") {
		return Interval{}, bad
	}
	in := Interval{math.Inf(-1), math.Inf(1), text[0] == '(', text[len(text)-1] == ')'}
	for _, e := range []struct {
		text string
		to   *float64
	}{{lo, &in.Lo}, {hi, &in.Hi}} {
		if e.text == "" {
			continue
		}
		x, err := strconv.ParseFloat(strings.TrimSpace(e.text), 64)
		if err != nil {
			return Interval{}, bad
		}
		*e.to = x
	}
	return in, nil
}

// Has says whether x is a finite number in the interval.
func (in Interval) Has(x float64) bool {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return false
	}
	return (x > in.Lo || x == in.Lo && !in.OpenLo) && (x < in.Hi || x == in.Hi && !in.OpenHi)
}

// String says the interval in words.
func (in Interval) String() string {
	num := func(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) }
	switch lo, hi := !math.IsInf(in.Lo, 0), !math.IsInf(in.Hi, 0); {
	case lo && hi:
		left, right := "[", "]"
		if in.OpenLo {
			left = "("
		}
		if in.OpenHi {
			right = ")"
		}
		return "a number in " + left + num(in.Lo) + "," + num(in.Hi) + right
	case lo && in.OpenLo:
		return "a number above " + num(in.Lo)
	case lo:
		return "a number of at least " + num(in.Lo)
	case hi && in.OpenHi:
		return "a number below " + num(in.Hi)
	case hi:
		return "a number of at most " + num(in.Hi)
	}
	return "a finite number"
}
