package metric

import (
	"fmt"
	"math"
	"slices"
)

var (
	rangeParam = Param{Name: "range", Default: "1", Range: "(0,)", Doc: "the difference of the brightest and the darkest value that there can be: 1, 2 of values from -1 to 1, 255"}
	psnrMetric = define(&Metric{Name: "psnr", Doc: "peak signal-to-noise ratio, 10 log10(range^2/MSE), the mean over samples", Unit: "dB", Higher: true,
		Outputs: []string{"output"}, Targets: []string{"target"}, Target: Numbers,
		Params: []Param{rangeParam, {Name: "over", Default: "sample", Choices: []string{"sample", "set"}, Doc: "sample: the mean of the ratios of the samples; set: the ratio of the error of all samples together"}}},
		func(p Params) state {
			return &psnr{span: p.Number("range"), set: p["over"] == "set"}
		})
	ssimMetric = define(&Metric{Name: "ssim", Doc: "structural similarity (Wang et al. 2004: 11x11 Gaussian window of 1.5, K1=0.01, K2=0.03), the mean over the windows that lie inside the picture, its channels and the samples", Higher: true,
		Outputs: []string{"output"}, Targets: []string{"target"}, Target: Numbers,
		Params: []Param{rangeParam, {Name: "layout", Default: "auto", Choices: []string{"auto", "nchw", "nhwc"}, Bound: true, Doc: "where the channels of a picture of rank 4 lie; auto: the axis of at most 4"}}},
		func(p Params) state { return &ssim{span: p.Number("range"), layout: p["layout"]} })
)

// psnr sums ratios, or errors.
type psnr struct {
	span     float64
	set      bool
	sum      float64
	n        int
	perfect  int // samples without an error
	firstOne int // the first of them
}

func (m *psnr) add(b *batch) error {
	y, want, err := paired(b)
	if err != nil {
		return err
	}
	k := len(y) / b.n
	for s := range b.n {
		var e float64
		for i := s * k; i < (s+1)*k; i++ {
			e += square(float64(y[i]) - float64(want[i]))
		}
		e /= float64(k)
		m.n++
		switch {
		case m.set:
			m.sum += e
		case e == 0:
			if m.perfect == 0 {
				m.firstOne = b.seen + s
			}
			m.perfect++
		default:
			m.sum += m.ratio(e)
		}
	}
	return nil
}

func (m *psnr) ratio(e float64) float64 { return 10 * math.Log10(m.span*m.span/e) }

func (m *psnr) value() (float64, error) {
	switch {
	case m.perfect > 0:
		return 0, fmt.Errorf("it is infinite: the output is the target in %d samples, the first of which is %d; over=set measures all samples together", m.perfect, m.firstOne)
	case !m.set:
		return m.sum / float64(m.n), nil
	case m.sum == 0:
		return 0, fmt.Errorf("it is infinite: the outputs are the targets")
	}
	return m.ratio(m.sum / float64(m.n)), nil
}

// window is half of what surrounds a pixel, and gaussian its weights along one axis.
const window = 5

var gaussian = func() (g [2*window + 1]float64) {
	var sum float64
	for i := range g {
		g[i] = math.Exp(-square(float64(i-window)/1.5) / 2)
		sum += g[i]
	}
	for i := range g {
		g[i] /= sum
	}
	return g
}()

// ssim sums the similarities of samples.
type ssim struct {
	span   float64
	layout string
	sum    float64
	n      int
	rows   []float64 // the five moments, blurred along rows
}

func (m *ssim) add(b *batch) error {
	y, want, err := paired(b)
	if err != nil {
		return err
	}
	o := &b.out[0]
	c, h, w, last, err := m.read(o, o.shape)
	if err != nil {
		return err
	}
	if h < 2*window+1 || w < 2*window+1 {
		return fmt.Errorf("%s of shape %v: a picture has at least 11x11 pixels", o.name, o.shape)
	}
	for s := range b.n {
		a, t := part(y, s, b.n), part(want, s, b.n)
		var sum float64
		for k := range c {
			first, step := k*h*w, 1
			if last {
				first, step = k, c
			}
			sum += m.plane(a[first:], t[first:], h, w, step)
		}
		m.sum += sum / float64(c)
		m.n++
	}
	return nil
}

// read finds channels, height and width of a sample, and whether the channels are last.
func (m *ssim) read(o *array, s []int) (c, h, w int, last bool, err error) {
	switch {
	case len(s) == 3:
		return 1, s[1], s[2], false, nil
	case len(s) != 4:
		return 0, 0, 0, false, fmt.Errorf("%s has shape %v: [N C H W], [N H W C] or [N H W] is needed", o.name, s)
	case m.layout == "nchw", m.layout == "auto" && s[1] <= 4 && s[3] > 4:
		return s[1], s[2], s[3], false, nil
	case m.layout == "nhwc", m.layout == "auto" && s[3] <= 4 && s[1] > 4:
		return s[3], s[1], s[2], true, nil
	}
	return 0, 0, 0, false, fmt.Errorf("%s has shape %v: say layout, nchw or nhwc", o.name, s)
}

// plane is the mean similarity of one channel, whose pixels lie step apart.
func (m *ssim) plane(a, b []float32, h, w, step int) float64 {
	inner := w - 2*window
	m.rows = slices.Grow(m.rows[:0], 5*h*inner)[:5*h*inner]
	for i := range h {
		for j := range inner {
			var v [5]float64
			for k, g := range gaussian {
				at := (i*w + j + k) * step
				x, y := float64(a[at]), float64(b[at])
				v[0], v[1] = v[0]+g*x, v[1]+g*y
				v[2], v[3], v[4] = v[2]+g*x*x, v[3]+g*y*y, v[4]+g*x*y
			}
			copy(m.rows[5*(i*inner+j):], v[:])
		}
	}
	c1, c2 := square(0.01*m.span), square(0.03*m.span)
	var sum float64
	for i := range h - 2*window {
		for j := range inner {
			var v [5]float64
			for k, g := range gaussian {
				for q, x := range m.rows[5*((i+k)*inner+j):][:5] {
					v[q] += g * x
				}
			}
			xx, yy, xy := v[2]-v[0]*v[0], v[3]-v[1]*v[1], v[4]-v[0]*v[1]
			sum += (2*v[0]*v[1] + c1) * (2*xy + c2) / ((v[0]*v[0] + v[1]*v[1] + c1) * (xx + yy + c2))
		}
	}
	return sum / float64((h-2*window)*inner)
}

func (m *ssim) value() (float64, error) { return m.sum / float64(m.n), nil }
