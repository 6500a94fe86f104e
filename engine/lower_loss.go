package engine

import (
	"fmt"
	"math"

	"pare/graph"
	"pare/internal/kernel"
	"pare/tensor"
)

// crossEntropy works on rows of k scores, some at a time.
type crossEntropy struct {
	label     *graph.Value
	from      *Program
	rows, k   int
	smoothing float32
	x         []float32
	loss      []float32 // [rows]
	scale     *float32  // of the gradient, which is the mean's
	grad      []float32 // like x; nil: the loss
	class     []int32

	weighed bool // rows count as by says
	ignore  *graph.Attr
	weight  []float32 // of the classes; nil: 1
	by      []float32 // [rows], 0 of those that are ignored
	skip    []bool    // [rows]
	total   float64   // of by
}

// newCrossEntropy reads the shape of scores and labels; nil where they are not
// class numbers.
func (l *lowering) newCrossEntropy(n *graph.Node, x, y *graph.Value) *crossEntropy {
	if y.Const != nil || y.DType != tensor.Int64 && y.DType != tensor.Int32 || sizeOf(x) == 0 {
		return nil
	}
	s := dims(x)
	t := &crossEntropy{label: y, from: l.Program, rows: s[0], k: s[1], smoothing: n.Float("label_smoothing", 0), class: make([]int32, s[0]), ignore: n.Attr("ignore_index")}
	if a := n.Attr("class_weights"); a != nil {
		if t.weight = a.Floats; len(t.weight) != t.k {
			return nil
		}
	}
	if t.weighed = t.ignore != nil || t.weight != nil; t.weighed {
		t.by, t.skip = make([]float32, t.rows), make([]bool, t.rows)
	}
	return t
}

// classes reads the labels and checks them.
func (t *crossEntropy) classes() error {
	y := t.from.at[t.label].t
	wide, narrow := tensor.Of[int64](y), tensor.Of[int32](y)
	t.total = 0
	for r := range t.class {
		c := int64(0)
		if wide != nil {
			c = wide[r]
		} else {
			c = int64(narrow[r])
		}
		if t.ignore != nil && c == t.ignore.I {
			t.class[r], t.by[r], t.skip[r] = 0, 0, true
			continue
		}
		if c < 0 || c >= int64(t.k) {
			return fmt.Errorf("label %d of sample %d is outside the %d classes", c, r, t.k)
		}
		t.class[r] = int32(c)
		if t.weighed {
			if t.by[r], t.skip[r] = 1, false; t.weight != nil {
				t.by[r] = t.weight[c]
			}
			t.total += float64(t.by[r])
		}
	}
	return nil
}

func (t *crossEntropy) per() int { return max(1, 4096/t.k) }

func (t *crossEntropy) run(p *kernel.Pool) error {
	if err := t.classes(); err != nil {
		return err
	}
	p.Run((t.rows+t.per()-1)/t.per(), t)
	return nil
}

// Do works on some rows.
func (t *crossEntropy) Do(w *kernel.Worker, i int) {
	lo, hi := i*t.per(), min(t.rows, (i+1)*t.per())
	x, class := t.x[lo*t.k:hi*t.k], t.class[lo:hi]
	if t.weighed {
		for r := lo; r < hi; r++ {
			t.row(w, r)
		}
		return
	}
	if t.grad != nil {
		kernel.CrossEntropyGrad(x, class, t.k, t.smoothing, *t.scale/float32(t.rows), t.grad[lo*t.k:hi*t.k]) //nolint:errcheck // the classes were checked
		return
	}
	kernel.CrossEntropy(x, class, t.k, t.smoothing, t.loss[lo:hi], w.Scratch(0, t.k)) //nolint:errcheck // the classes were checked
}

// row works on one row by its weight.
func (t *crossEntropy) row(w *kernel.Worker, r int) {
	x, class, by, e := t.x[r*t.k:(r+1)*t.k], t.class[r:r+1], t.by[r], t.smoothing
	if t.weight != nil && e > 0 && !t.skip[r] {
		t.smoothed(w, r)
		return
	}
	switch {
	case by == 0 && t.grad != nil:
		clear(t.grad[r*t.k : (r+1)*t.k])
	case by == 0:
		t.loss[r] = 0
	case t.grad != nil:
		scale := float64(*t.scale) * float64(by) / t.total
		kernel.CrossEntropyGrad(x, class, t.k, e, float32(scale), t.grad[r*t.k:(r+1)*t.k]) //nolint:errcheck // the classes were checked
	default:
		kernel.CrossEntropy(x, class, t.k, e, t.loss[r:r+1], w.Scratch(0, t.k)) //nolint:errcheck // the classes were checked
		t.loss[r] *= by
	}
}

// smoothed works on one row whose target is spread over classes of unlike weight: the
// loss is a·(lse - x[class]) + sum of b·w·(lse - x), with a the weight of the class less
// the share e that is spread, and b = e/classes.
func (t *crossEntropy) smoothed(w *kernel.Worker, r int) {
	x, class, c := t.x[r*t.k:(r+1)*t.k], t.class[r:r+1], t.class[r]
	sum, b := kernel.Sum(t.weight), float64(t.smoothing)/float64(t.k)
	a := (1 - float64(t.smoothing)) * float64(t.by[r])
	if t.grad == nil {
		kernel.CrossEntropy(x, class, t.k, 0, t.loss[r:r+1], w.Scratch(0, t.k)) //nolint:errcheck // the classes were checked
		nll := float64(t.loss[r])
		lse := nll + float64(x[c])
		t.loss[r] = float32(a*nll + b*(sum*lse-kernel.Dot(t.weight, x)))
		return
	}
	grad, scale := t.grad[r*t.k:(r+1)*t.k], float64(*t.scale)
	if t.total == 0 {
		clear(grad)
		return
	}
	scale /= t.total
	kernel.CrossEntropyGrad(x, class, t.k, 0, float32(scale*(a+b*sum)), grad) //nolint:errcheck // the classes were checked
	grad[c] += float32(scale * b * sum)                                       // what was taken too much
	for k, v := range t.weight {
		grad[k] -= float32(scale * b * float64(v))
	}
}

// count is what the sum over the rows is divided by.
func (t *crossEntropy) count() float64 {
	switch {
	case !t.weighed:
		return float64(t.rows)
	case t.total == 0:
		return math.Inf(1) // no row counts
	}
	return t.total
}

func lowerCrossEntropy(l *lowering, n *graph.Node) (done bool, why string) {
	t := l.newCrossEntropy(n, n.In(0), n.In(1))
	if t == nil {
		return noClasses(n.In(1))
	}
	t.loss = make([]float32, t.rows)
	xb, out := l.get(n.In(0), plain, n), l.make(n.Out(0), plain)
	l.emitChecked(n, "cross-entropy", []*buffer{xb}, []*buffer{out}, func() { t.x = xb.data }, func(p *kernel.Pool) error {
		err := t.run(p)
		out.data[0] = float32(kernel.Sum(t.loss) / t.count())
		return err
	})
	return true, ""
}

func noClasses(y *graph.Value) (done bool, why string) {
	return no("the labels are %v %v, constant or empty; the kernel takes class numbers", y.DType, y.Shape)
}

func lowerCrossEntropyGrad(l *lowering, n *graph.Node) (done bool, why string) {
	t := l.newCrossEntropy(n, n.In(1), n.In(2))
	if t == nil {
		return noClasses(n.In(2))
	}
	db, xb, out := l.get(n.In(0), plain, n), l.get(n.In(1), plain, n), l.make(n.Out(0), plain)
	l.emitChecked(n, "cross-entropy gradient", []*buffer{db, xb}, []*buffer{out}, func() {
		t.scale, t.x, t.grad = &db.data[0], xb.data, out.data
	}, t.run)
	return true, ""
}
