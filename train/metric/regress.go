package metric

import (
	"fmt"
	"math"
)

// numbers defines a metric of outputs that are numbers like the targets.
func numbers(name, doc, unit string, higher bool, params []Param, s func(p Params) state) *Metric {
	return define(&Metric{Name: name, Doc: doc, Unit: unit, Higher: higher,
		Outputs: []string{"output"}, Targets: []string{"target"}, Target: Numbers, Params: params}, s)
}

var (
	maeMetric  = numbers("mae", "mean absolute error", "", false, nil, func(Params) state { return &meanError{of: math.Abs} })
	mseMetric  = numbers("mse", "mean squared error", "", false, nil, func(Params) state { return &meanError{of: square} })
	rmseMetric = numbers("rmse", "root of the mean squared error", "", false, nil, func(Params) state { return &meanError{of: square, root: true} })
	mapeMetric = numbers("mape", "mean absolute error as a share of the target", "%", false,
		[]Param{{Name: "least", Default: "0", Range: "[0,)", Doc: "what the size of a target is taken to be at least; at 0 a target of 0 is an error"}},
		func(p Params) state { return &relative{least: p.Number("least")} })
	r2Metric = numbers("r2", "coefficient of determination, 1 - residual/total sum of squares; the mean over the targets of a sample", "", true, nil,
		func(Params) state { return &determination{} })
)

func square(x float64) float64 { return x * x }

// paired gives the outputs and targets of a batch.
func paired(b *batch) (y, want []float32, err error) {
	o, t := &b.out[0], &b.target[0]
	if !same(o, t) {
		return nil, nil, fmt.Errorf("%s has shape %v, and %s %v: they must be the same", o.name, o.shape, t.name, t.shape)
	}
	return o.f, t.f, nil
}

// meanError is the mean of a function of the errors.
type meanError struct {
	of   func(float64) float64
	root bool
	sum  float64
	n    int
}

func (m *meanError) add(b *batch) error {
	y, want, err := paired(b)
	if err != nil {
		return err
	}
	for i, v := range y {
		m.sum += m.of(float64(v) - float64(want[i]))
	}
	m.n += len(y)
	return nil
}

func (m *meanError) value() (float64, error) {
	v := m.sum / float64(m.n)
	if m.root {
		v = math.Sqrt(v)
	}
	return v, nil
}

// relative is the mean absolute error as a share of the target.
type relative struct {
	least float64
	sum   float64
	n     int
}

func (m *relative) add(b *batch) error {
	y, want, err := paired(b)
	if err != nil {
		return err
	}
	for i, v := range y {
		w := float64(want[i])
		size := math.Max(math.Abs(w), m.least)
		if size == 0 {
			return fmt.Errorf("%s of sample %d is 0, of which no error is a share: say least, or use mae", b.target[0].name, b.seen+i/(len(y)/b.n))
		}
		m.sum += math.Abs(float64(v)-w) / size
	}
	m.n += len(y)
	return nil
}

func (m *relative) value() (float64, error) { return m.sum / float64(m.n), nil }

// determination keeps, of each target of a sample, mean and sum of squares around it
// (Welford 1962) beside the squared errors.
type determination struct {
	n                    int
	mean, total, squares []float64
}

func (d *determination) add(b *batch) error {
	y, want, err := paired(b)
	if err != nil {
		return err
	}
	k := len(y) / b.n
	if d.mean == nil {
		d.mean, d.total, d.squares = make([]float64, k), make([]float64, k), make([]float64, k)
	}
	if len(d.mean) != k {
		return fmt.Errorf("%s has %d numbers for a sample, where there were %d", b.target[0].name, k, len(d.mean))
	}
	for s := range b.n {
		d.n++
		for j := range k {
			w := float64(want[s*k+j])
			delta := w - d.mean[j]
			d.mean[j] += delta / float64(d.n)
			d.total[j] += delta * (w - d.mean[j])
			d.squares[j] += square(float64(y[s*k+j]) - w)
		}
	}
	return nil
}

func (d *determination) value() (float64, error) {
	var sum float64
	for j, t := range d.total {
		if t == 0 {
			return 0, fmt.Errorf("target number %d of the samples is the same in all %d: nothing varies that could be explained", j, d.n)
		}
		sum += 1 - d.squares[j]/t
	}
	return sum / float64(len(d.total)), nil
}
