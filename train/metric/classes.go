package metric

import (
	"fmt"
	"math"
	"slices"
)

// ClassAxis finds the axis of the classes in the shape of an output that answers a
// target. Both shapes have the samples first:
//
//	output [N C]      target [N]        axis 1
//	output [N C 1 1]  target [N]        axis 1
//	output [N C H W]  target [N H W]    axis 1
//	output [N H W C]  target [N H W]    axis 3
//	output [N T C]    target [N T]      axis 2
//	output [N*T C]    target [N T]      axis 1
//	output [N 1]      target [N]        axis 1: one score, of the second of two classes
//	output [N H W]    target [N H W]    axis 3, behind the last: one score for each label
//
// Axes of length 1 do not count otherwise. ok is false where no axis fits, and where
// several do ([N 7 7] with [N 7]).
func ClassAxis(out, target []int) (axis int, ok bool) {
	if len(out) == 0 || len(target) == 0 {
		return 0, false
	}
	axis = -1
	single := -1 // an axis of length 1 that fits
	for k := 1; k < len(out); k++ {
		if out[0] != target[0] || !fits(out, k, target) {
			continue
		}
		switch {
		case out[k] == 1 && single < 0:
			single = k
		case out[k] == 1:
		case axis >= 0:
			return 0, false
		default:
			axis = k
		}
	}
	switch {
	case axis >= 0:
		return axis, true
	case single >= 0:
		return single, true
	case out[0] == target[0] && fits(out, len(out), target):
		return len(out), true
	case len(out) == 2 && out[0] == product(target):
		return 1, true
	}
	return 0, false
}

// fits says whether an output without its axis k has the axes of the target behind the
// first, axes of length 1 left out.
func fits(out []int, k int, target []int) bool {
	j := 1
	for i := 1; i < len(out); i++ {
		if i == k || out[i] == 1 {
			continue
		}
		for j < len(target) && target[j] == 1 {
			j++
		}
		if j == len(target) || target[j] != out[i] {
			return false
		}
		j++
	}
	for j < len(target) && target[j] == 1 {
		j++
	}
	return j == len(target)
}

func product(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// likeness says whether two shapes are one, axes of length 1 behind the first left out.
func likeness(a, b []int) bool {
	return len(a) > 0 && len(b) > 0 && a[0] == b[0] && fits(a, len(a), b)
}

// scores are an output's scores of classes beside the labels: label r has the scores
// at(r, 0) … at(r, width-1).
type scores struct {
	f      []float32
	labels []int64
	width  int // 1: one score, of the second of two classes
	inner  int // labels behind the class axis
	per    int // labels of a sample
	seen   int
	name   string // of the target
}

// at is the place of the score of class c for label r.
func (s *scores) at(r, c int) int {
	return (r/s.inner*s.width+c)*s.inner + r%s.inner
}

// row is where the scores of label r begin, and how far apart they lie.
func (s *scores) row(r int) (first, step int) { return s.at(r, 0), s.inner }

// classes are how many classes there are.
func (s *scores) classes() int { return max(2, s.width) }

// best is the class of the highest score, the first of equals. Of one score it is the
// second where the score is above cut.
func (s *scores) best(r int, cut float32) int {
	i, step := s.row(r)
	if s.width == 1 {
		if s.f[i] > cut {
			return 1
		}
		return 0
	}
	best, most := 0, s.f[i]
	for c := 1; c < s.width; c++ {
		if i += step; s.f[i] > most {
			best, most = c, s.f[i]
		}
	}
	return best
}

// label is the class of label r; ok is false where it is to be left out.
func (s *scores) label(r int, ignore int64) (c int, ok bool, err error) {
	y := s.labels[r]
	if y == ignore {
		return 0, false, nil
	}
	if y < 0 || y >= int64(s.classes()) {
		return 0, false, fmt.Errorf("%s of sample %d is %d, outside the %d classes of the output", s.name, s.seen+r/s.per, y, s.classes())
	}
	return int(y), true, nil
}

// noLabel is no label.
const noLabel = math.MinInt64

// labelling is how a metric of classes reads labels and scores.
type labelling struct {
	axis   int   // -1: found from the shapes
	ignore int64 // the label that is left out
	prob   bool  // the scores are probabilities
	cut    float32
	s      scores
}

// Parameters that metrics of classes share.
var (
	axisParam   = Param{Name: "axis", Default: "auto", Choices: []string{"auto"}, Range: "[1,7]", Whole: true, Bound: true, Doc: "the axis of the classes in the output; auto finds it from the shapes"}
	ignoreParam = Param{Name: "ignore", Default: "-100", Choices: []string{"none"}, Range: "(,)", Whole: true, Doc: "the label that is left out"}
	scoresParam = Param{Name: "scores", Default: "logits", Choices: []string{"logits", "probabilities"}, Bound: true, Doc: "what the output holds"}
	cutParam    = Param{Name: "threshold", Default: "0.5", Range: "(0,1)", Doc: "the probability above which a lone score says yes"}
)

var classParams = []Param{axisParam, ignoreParam, scoresParam, cutParam}

// newLabelling reads the parameters.
func newLabelling(p Params) labelling {
	l := labelling{axis: p.Whole("axis", -1), ignore: int64(p.Whole("ignore", noLabel)), prob: p["scores"] == "probabilities"}
	cut := p.Number("threshold")
	if math.IsNaN(cut) {
		cut = 0.5
	}
	if !l.prob {
		cut = math.Log(cut / (1 - cut))
	}
	l.cut = float32(cut)
	return l
}

// of pairs a batch's scores with its labels.
func (l *labelling) of(b *batch) (*scores, error) {
	o, t := b.out[0], b.target[0]
	axis, ok := l.axis, true
	if axis < 0 {
		if axis, ok = ClassAxis(o.shape, t.shape); !ok {
			return nil, fmt.Errorf("%s of shape %v has no one axis for the classes of %s of shape %v: give axis", o.name, o.shape, t.name, t.shape)
		}
	}
	s := &l.s
	*s = scores{f: o.f, labels: t.i, width: 1, inner: 1, per: len(t.i) / b.n, seen: b.seen, name: t.name}
	if axis > len(o.shape) {
		return nil, fmt.Errorf("%s of shape %v has no axis %d", o.name, o.shape, axis)
	}
	if axis < len(o.shape) {
		s.width, s.inner = o.shape[axis], product(o.shape[axis+1:])
	}
	if len(o.f) != len(t.i)*s.width || !fits(o.shape, axis, t.shape) && !(len(o.shape) == 2 && o.shape[0] == len(t.i)) {
		return nil, fmt.Errorf("%s of shape %v does not give %s of shape %v the scores of classes on axis %d", o.name, o.shape, t.name, t.shape, axis)
	}
	if err := l.probable(&o, b); err != nil {
		return nil, err
	}
	return s, nil
}

// probable is an error where what is called a probability is none.
func (l *labelling) probable(o *array, b *batch) error {
	if !l.prob {
		return nil
	}
	for i, v := range o.f {
		if v < -1e-3 || v > 1+1e-3 {
			return fmt.Errorf("%s of sample %d is %v, which is no probability: say scores=logits", o.name, b.seen+i/(len(o.f)/b.n), v)
		}
	}
	return nil
}

// same says whether two arrays hold as many numbers for each sample in the same order.
func same(a, b *array) bool { return slices.Equal(a.shape, b.shape) || likeness(a.shape, b.shape) }
