package metric

import (
	"fmt"
	"math"
)

// fidelity defines a metric between an output and the same output of a reference.
func fidelity(name, doc, unit string, higher bool, params []Param, s func(p Params) state) *Metric {
	return define(&Metric{Name: name, Doc: doc, Unit: unit, Higher: higher,
		Outputs: []string{"output"}, Targets: []string{"reference"}, Target: None, Params: params}, s)
}

var (
	agreementMetric = fidelity("agreement", "share of rows of scores whose best class is the reference's, or, of one score, whose yes or no is", "%", true,
		[]Param{{Name: "axis", Default: "auto", Choices: []string{"auto"}, Range: "[1,7]", Whole: true, Bound: true, Doc: "the axis of the classes; auto: the only one longer than 1, or the last of [N T C], or the second of [N C H W]"}, scoresParam, cutParam},
		func(p Params) state { return &agreement{labelling: newLabelling(p)} })
	relativeErrorMetric = fidelity("relative-error", "size of the difference from the reference's output as a share of its size, ||a-b||/||b|| over all samples", "%", false, nil,
		func(Params) state { return &relativeError{} })
	cosineMetric = fidelity("cosine", "mean over samples of the cosine of the angle between the output and the reference's; of two that are zero it is 1, of one 0", "", true, nil,
		func(Params) state { return &cosines{} })
)

// agreement counts rows whose best class is the reference's.
type agreement struct {
	labelling
	other    scores
	right, n int
}

func (a *agreement) add(b *batch) error {
	o, t := &b.out[0], &b.target[0]
	if _, _, err := paired(b); err != nil {
		return err
	}
	axis := a.axis
	if axis < 0 {
		axis = likelyAxis(o.shape)
	}
	if axis > len(o.shape) {
		return fmt.Errorf("%s of shape %v has no axis %d", o.name, o.shape, axis)
	}
	if err := a.probable(o, b); err != nil {
		return err
	}
	width, inner := 1, 1
	if axis < len(o.shape) {
		width, inner = o.shape[axis], product(o.shape[axis+1:])
	}
	a.s = scores{f: o.f, width: width, inner: inner}
	a.other = scores{f: t.f, width: width, inner: inner}
	rows := len(o.f) / width
	for r := range rows {
		if a.s.best(r, a.cut) == a.other.best(r, a.cut) {
			a.right++
		}
	}
	a.n += rows
	return nil
}

// likelyAxis is where the classes of a shape probably lie.
func likelyAxis(shape []int) int {
	long, at := 0, len(shape)-1
	for k := 1; k < len(shape); k++ {
		if shape[k] > 1 {
			long++
			at = k
		}
	}
	switch {
	case len(shape) == 1:
		return 1
	case long > 1 && len(shape) == 4:
		return 1
	case long > 1:
		return len(shape) - 1
	}
	return at
}

func (a *agreement) value() (float64, error) { return share(a.right, a.n) }

// relativeError sums squares of differences, and of the reference.
type relativeError struct{ apart, size float64 }

func (e *relativeError) add(b *batch) error {
	y, want, err := paired(b)
	if err != nil {
		return err
	}
	for i, v := range y {
		w := float64(want[i])
		e.apart += square(float64(v) - w)
		e.size += w * w
	}
	return nil
}

func (e *relativeError) value() (float64, error) {
	if e.size == 0 {
		return 0, fmt.Errorf("it is undefined: the reference's output is zero")
	}
	return math.Sqrt(e.apart / e.size), nil
}

// cosines sums cosines of samples.
type cosines struct {
	sum float64
	n   int
}

func (c *cosines) add(b *batch) error {
	y, want, err := paired(b)
	if err != nil {
		return err
	}
	for s := range b.n {
		c.sum += cosine(part(y, s, b.n), part(want, s, b.n))
	}
	c.n += b.n
	return nil
}

func (c *cosines) value() (float64, error) { return c.sum / float64(c.n), nil }
