package metric

import (
	"cmp"
	"fmt"
	"slices"
)

var (
	rankingParams = []Param{taskParam, axisParam, ignoreParam, scoresParam}
	aurocMetric   = define(&Metric{Name: "auroc", Doc: "area under the receiver operating characteristic; of several classes the mean, each against the rest, over those that are there and not everywhere", Unit: "%", Higher: true,
		Outputs: []string{"output"}, Targets: []string{"label"}, Target: Classes, Params: rankingParams},
		func(p Params) state { return &ranking{labelling: newLabelling(p), task: p["task"], area: auroc} })
	precisionAreaMetric = define(&Metric{Name: "average-precision", Doc: "mean of the precision at each label found as scores fall, weighted by the gain in recall; the mean over the classes that are there (mAP)", Unit: "%", Higher: true,
		Outputs: []string{"output"}, Targets: []string{"label"}, Target: Classes, Params: rankingParams},
		func(p Params) state {
			return &ranking{labelling: newLabelling(p), task: p["task"], area: averagePrecision}
		})
)

// mostKept bounds the numbers that a metric keeps until the end.
const mostKept = 1 << 27

// scored is a score and whether it should be high.
type scored struct {
	score float64
	yes   bool
}

// ranking keeps the scores of each class until the end.
type ranking struct {
	labelling
	task  string
	area  func(x []scored) (float64, bool)
	class [][]scored
	kept  int
}

func (k *ranking) add(b *batch) error {
	o, y := &b.out[0], &b.target[0]
	if several(k.task, o, y) {
		return k.addEach(b, o, y)
	}
	s, err := k.of(b)
	if err != nil {
		return err
	}
	n := s.width
	if n <= 2 {
		n = 1
	}
	if err := k.room(n, len(s.labels)*n); err != nil {
		return err
	}
	for r := range s.labels {
		y, ok, err := s.label(r, k.ignore)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		first, step := s.row(r)
		switch at := func(c int) float64 { return float64(s.f[first+c*step]) }; {
		case s.width == 1:
			k.class[0] = append(k.class[0], scored{at(0), y == 1})
		case s.width == 2 && k.prob:
			k.class[0] = append(k.class[0], scored{at(1), y == 1})
		case s.width == 2:
			k.class[0] = append(k.class[0], scored{at(1) - at(0), y == 1})
		default:
			shift := 0.0
			if !k.prob {
				shift = logSum(s, r)
			}
			for c := range s.width {
				k.class[c] = append(k.class[c], scored{at(c) - shift, y == c})
			}
		}
	}
	return nil
}

// room makes place for n classes and more numbers.
func (k *ranking) room(n, more int) error {
	if k.class == nil {
		k.class = make([][]scored, n)
	}
	if len(k.class) != n {
		return fmt.Errorf("there are %d classes, where there were %d", n, len(k.class))
	}
	if k.kept += more; k.kept > mostKept/2 {
		return fmt.Errorf("more than %d scores: measure on fewer samples", mostKept/2)
	}
	return nil
}

// addEach keeps a yes or no for each class, on the second axis.
func (k *ranking) addEach(b *batch, o, y *array) error {
	if !same(o, y) || len(o.shape) < 2 {
		return fmt.Errorf("%s has shape %v, and %s %v: a yes or no for each class needs the same", o.name, o.shape, y.name, y.shape)
	}
	if err := k.probable(o, b); err != nil {
		return err
	}
	n := o.shape[1]
	if err := k.room(n, len(o.f)); err != nil {
		return err
	}
	inner := product(o.shape[2:])
	for i, v := range o.f {
		yes, ok, err := flag(b, y, i, k.ignore)
		if err != nil {
			return err
		}
		if ok {
			c := i / inner % n
			k.class[c] = append(k.class[c], scored{float64(v), yes})
		}
	}
	return nil
}

// value is the mean over the classes for which it is defined.
func (k *ranking) value() (float64, error) {
	var sum float64
	n := 0
	for _, x := range k.class {
		slices.SortFunc(x, func(a, b scored) int { return cmp.Compare(b.score, a.score) })
		if v, ok := k.area(x); ok {
			sum += v
			n++
		}
	}
	if n == 0 {
		return 0, fmt.Errorf("it is undefined: the labels are all of one kind")
	}
	return sum / float64(n), nil
}

// auroc is the share of pairs of a yes and a no of which the yes has the higher score,
// equal scores counted half (Mann and Whitney 1947). x is sorted, the highest first.
func auroc(x []scored) (float64, bool) {
	var yes, no, pairs float64
	for i := 0; i < len(x); {
		j, y := i, 0.0
		for ; j < len(x) && x[j].score == x[i].score; j++ {
			if x[j].yes {
				y++
			}
		}
		n := float64(j-i) - y
		pairs += n*yes + n*y/2
		yes, no, i = yes+y, no+n, j
	}
	return pairs / (yes * no), yes > 0 && no > 0
}

// averagePrecision is the sum of (R_i - R_(i-1)) P_i over the distinct scores. x is
// sorted, the highest first.
func averagePrecision(x []scored) (float64, bool) {
	var yes, sum float64
	for i := 0; i < len(x); {
		j, y := i, 0.0
		for ; j < len(x) && x[j].score == x[i].score; j++ {
			if x[j].yes {
				y++
			}
		}
		yes += y
		sum += y * yes / float64(j)
		i = j
	}
	return sum / yes, yes > 0
}
