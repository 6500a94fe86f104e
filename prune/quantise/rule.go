package quantise

import (
	"math"
	"strconv"
	"strings"

	"pare/catalog"
)

// Rule chooses the range that integers cover, from how values are spread. What lies
// outside is cut off, so that what lies inside has smaller steps.
type Rule struct {
	Name   string
	Counts bool // it looks at the bins, not at the range alone
	Range  func(h *Histogram, k Integers) Range
}

// MinMax covers all values.
var MinMax = Rule{"min-max", false, func(h *Histogram, _ Integers) Range { return h.Range }}

// Percentile covers so many per cent of the values, and leaves as many out below as above.
func Percentile(percent float64) Rule {
	return Rule{"percentile:" + strconv.FormatFloat(percent, 'g', -1, 64), true, func(h *Histogram, _ Integers) Range {
		out := float64(h.N) * (100 - percent) / 200
		return Range{math.Max(h.Lo, h.below(out)), math.Min(h.Hi, h.below(float64(h.N)-out))}
	}}
}

// shrinks is the number of ranges that MSE tries.
const shrinks = 200

// MSE covers the range whose rounding and cutting off have the least mean squared error.
var MSE = Rule{"mse", true, func(h *Histogram, k Integers) Range {
	whole := h.withZero()
	best, least := whole, math.Inf(1)
	for i := shrinks; i > 0; i-- {
		f := float64(i) / shrinks
		r := Range{f * whole.Lo, f * whole.Hi}
		if e := h.error(k, k.ScaleOf(r)); e < least {
			best, least = r, e
		}
	}
	return best
}}

// error is the sum of the squared errors of a scale, by the middles of the bins.
func (h *Histogram) error(k Integers, s Scale) float64 {
	sum := 0.0
	for i, c := range h.Counts {
		if c > 0 {
			x := h.centre(i)
			q := math.Max(float64(k.Lo), math.Min(float64(k.Hi), math.RoundToEven(x/float64(s.Step))+float64(s.Zero)))
			d := x - (q-float64(s.Zero))*float64(s.Step)
			sum += float64(c) * d * d
		}
	}
	return sum
}

// Entropy covers the range by which least is lost of the distribution: of windows around
// zero, growing a bin at a time from as many bins as there are integers, the one whose
// values as integers diverge least from its values as they are, with what lies outside put
// at its ends, by Kullback and Leibler (Migacz, 8-bit Inference with TensorRT, 2017; as ONNX
// Runtime's calibration has it, for values of either sign). The bin of zero counts as the
// one above it, as in NVIDIA's pytorch-quantization: the zeros that a ReLU makes are exact
// with any range, and would outweigh all others.
var Entropy = Rule{"entropy", true, func(h *Histogram, k Integers) Range {
	whole := h.withZero()
	most := math.Max(-whole.Lo, whole.Hi)
	if most == 0 {
		return whole
	}
	counts, zero := h.around(most)
	levels := k.Hi - k.Lo + 1
	if zero > 0 {
		levels /= 2 // on either side
	}
	side := len(counts) - zero
	best, least := most, math.Inf(1)
	for i := min(levels, side); i <= side; i++ {
		lo := max(0, zero-i)
		if d := divergence(counts, lo, zero+i, k.Hi-k.Lo+1); d < least {
			best, least = most*float64(i)/float64(side), d
		}
	}
	return Range{math.Max(whole.Lo, -best), math.Min(whole.Hi, best)}
}}

// entropyBins are those on a side of zero, as many as TensorRT has.
const entropyBins = 2048

// around lays the values out in bins on both sides of zero, up to a magnitude; zero is the
// first bin above it. Without values below zero there are none below.
func (h *Histogram) around(most float64) (counts []float64, zero int) {
	if h.Lo < 0 {
		zero = entropyBins
	}
	counts = make([]float64, zero+entropyBins)
	for k, c := range h.Counts {
		if c > 0 {
			at := zero + int(math.Floor(h.centre(k)/most*entropyBins))
			counts[max(0, min(len(counts)-1, at))] += float64(c)
		}
	}
	counts[zero] = counts[zero+1]
	return counts, zero
}

// divergence is that of the values in bins [lo,hi) from what levels of them make of them.
func divergence(counts []float64, lo, hi, levels int) float64 {
	n := hi - lo
	p := append([]float64{}, counts[lo:hi]...)
	for k, c := range counts {
		switch {
		case k < lo:
			p[0] += c
		case k >= hi:
			p[n-1] += c
		}
	}
	sumP, sumQ := 0.0, 0.0
	q := make([]float64, n)
	for l := range levels {
		from, to := l*n/levels, (l+1)*n/levels
		sum, some := 0.0, 0
		for k := from; k < to; k++ {
			if sum += counts[lo+k]; p[k] > 0 {
				some++
			}
		}
		for k := from; k < to; k++ {
			if p[k] > 0 {
				q[k] = sum / float64(some)
			}
			sumP, sumQ = sumP+p[k], sumQ+q[k]
		}
	}
	if sumP == 0 || sumQ == 0 {
		return math.Inf(1)
	}
	d := 0.0
	for k := range p {
		if p[k] > 0 {
			d += p[k] / sumP * math.Log(p[k]/sumP/math.Max(q[k]/sumQ, 1e-12))
		}
	}
	return d
}

// usualPercentile is that of Percentile where none is said.
const usualPercentile = 99.99

// ParseRule reads a rule by its name: min-max, percentile, percentile:99.9, entropy, mse.
func ParseRule(text string) (Rule, error) {
	name, arg, has := strings.Cut(text, ":")
	switch {
	case name == "percentile":
		p := usualPercentile
		var err error
		if has {
			p, err = strconv.ParseFloat(arg, 64)
		}
		if err != nil || !(p > 50 && p <= 100) {
			return Rule{}, catalog.Errorf("percentile:%s: per cent above 50 and at most 100 are needed, such as percentile:99.99", arg)
		}
		return Percentile(p), nil
	case !has:
		for _, r := range []Rule{MinMax, Entropy, MSE} {
			if r.Name == name {
				return r, nil
			}
		}
	}
	return Rule{}, catalog.Errorf("%q is no rule for ranges: use min-max, percentile[:PERCENT], entropy or mse", text)
}
