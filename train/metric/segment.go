package metric

import (
	"fmt"
	"math"
)

// overlap is a metric of masks: intersection over union, or Dice's coefficient (1945).
type overlap struct {
	tally
	of         func(c counts) float64
	background bool // counts too
	sample     bool // the mean over samples
	sum        float64
	samples    int
	lone       bool // one channel: the mask alone counts
}

var overlapParams = append([]Param{
	{Name: "over", Default: "set", Choices: []string{"set", "sample"}, Doc: "set: of the pixels of all samples together; sample: the mean over samples, those left out where no class is said or there"},
	{Name: "background", Default: "yes", Choices: []string{"yes", "no"}, Doc: "whether class 0 counts in the mean over classes"}, taskParam}, classParams...)

func overlapMetric(name, doc string, of func(c counts) float64) *Metric {
	return define(&Metric{Name: name, Doc: doc, Unit: "%", Higher: true,
		Outputs: []string{"output"}, Targets: []string{"mask"}, Target: Classes, Params: overlapParams},
		func(p Params) state {
			return &overlap{tally: newTally(p), of: of, background: p["background"] == "yes", sample: p["over"] == "sample"}
		})
}

var (
	iouMetric  = overlapMetric("iou", "intersection over union of masks, the mean over classes that are said or there; of the mask alone where there is one score for each pixel", counts.iou)
	diceMetric = overlapMetric("dice", "Dice's coefficient of masks, the mean over classes that are said or there; of the mask alone where there is one score for each pixel", counts.f1)
)

func (v *overlap) add(b *batch) error {
	o, y := &b.out[0], &b.target[0]
	v.lone = len(o.f) == len(y.i) && !several(v.task, o, y)
	if !v.sample {
		return v.tally.add(b)
	}
	per, each := len(y.i)/b.n, len(o.f)/b.n
	single := batch{n: 1, out: make([]array, 1), target: make([]array, 1)}
	for s := range b.n {
		single.seen = b.seen + s
		single.out[0] = array{o.name, append([]int{o.shape[0] / b.n}, o.shape[1:]...), o.f[s*each : (s+1)*each], nil}
		single.target[0] = array{y.name, append([]int{1}, y.shape[1:]...), nil, y.i[s*per : (s+1)*per]}
		clear(v.class)
		if err := v.tally.add(&single); err != nil {
			return err
		}
		if x := v.mean(); !math.IsNaN(x) {
			v.sum += x
			v.samples++
		}
	}
	return nil
}

// mean is over the classes that are said or there; NaN where none is.
func (v *overlap) mean() float64 {
	var sum, n float64
	for c, k := range v.class {
		skip := c == 0 && (!v.background || v.lone)
		if k.said+k.there == 0 || skip {
			continue
		}
		sum += v.of(k)
		n++
	}
	return sum / n
}

func (v *overlap) value() (float64, error) {
	x := v.mean()
	if v.sample {
		x = v.sum / float64(v.samples)
	}
	if math.IsNaN(x) {
		return 0, fmt.Errorf("no class is said or there")
	}
	return x, nil
}
