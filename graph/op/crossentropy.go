package op

import (
	"fmt"
	"math"

	"pare/graph"
	"pare/tensor"
)

// crossEntropy is what SoftmaxCrossEntropy and its gradient read: the scores of rows, the
// class of each, and how much each counts.
type crossEntropy struct {
	x             []float64
	label         []int // 0 where the row is ignored
	rows, classes int
	smoothing     float64
	weight        []float64 // of classes
	skip          []bool    // rows that are ignored; nil: none
	total         float64   // of the weights of the rows that count
}

func crossEntropyOf(n *graph.Node, logits, labels *tensor.Tensor) (*crossEntropy, error) {
	x, err := floats(logits)
	if err != nil {
		return nil, err
	}
	label, err := intsOf(labels)
	if err != nil {
		return nil, err
	}
	if logits.Rank() != 2 || len(label) != logits.Shape[0] {
		return nil, fmt.Errorf("logits %v and labels %v do not go together", logits.Shape, labels.Shape)
	}
	c := &crossEntropy{x: x, label: label, rows: logits.Shape[0], classes: logits.Shape[1], smoothing: float64(n.Float("label_smoothing", 0))}
	if c.weight, err = crossEntropyWeights(n, c.classes); err != nil {
		return nil, err
	}
	ignore := n.Attr("ignore_index")
	if ignore != nil {
		c.skip = make([]bool, c.rows)
	}
	for i, l := range label {
		switch {
		case ignore != nil && l == int(ignore.I):
			c.skip[i], c.label[i] = true, 0
		case l < 0 || l >= c.classes:
			return nil, fmt.Errorf("label %d of sample %d is outside the %d classes", l, i, c.classes)
		default:
			c.total += c.weight[l]
		}
	}
	return c, nil
}

// crossEntropyWeights are the weights of the classes, 1 where none are given.
func crossEntropyWeights(n *graph.Node, classes int) ([]float64, error) {
	w := make([]float64, classes)
	a := n.Attr("class_weights")
	if a != nil && len(a.Floats) != classes {
		return nil, fmt.Errorf("%d weights do not fit %d classes", len(a.Floats), classes)
	}
	for i := range w {
		if w[i] = 1; a != nil {
			w[i] = float64(a.Floats[i])
		}
	}
	return w, nil
}

// each calls f for the rows that count, with their scores and the logarithm of the sum of
// these exponentiated.
func (c *crossEntropy) each(f func(r int, row []float64, lse float64)) {
	if c.total == 0 {
		return
	}
	for r := range c.rows {
		if c.skip == nil || !c.skip[r] {
			row := c.x[r*c.classes : (r+1)*c.classes]
			f(r, row, logSum(row))
		}
	}
}

// crossEntropyScale is what the softmax of a row is multiplied by in the gradient, as nodes:
// dy/rows, or for every row by its weight.
func crossEntropyScale(b *Builder, n *graph.Node) (*graph.Value, error) {
	dy, x, label := n.In(0), n.In(1), n.In(2)
	classes, e := x.Shape[1].Mul, float64(n.Float("label_smoothing", 0))
	ignore := n.Attr("ignore_index")
	if ignore == nil && n.Attr("class_weights") == nil {
		rows := b.Pare("SumTo", nil, b.Pare("OnesLike", nil, x), dy) // rows*classes
		return b.Op("Div", b.Op("Mul", dy, b.Scalar(float64(classes), dy)), rows), nil
	}
	weight, err := crossEntropyWeights(n, classes)
	if err != nil {
		return nil, err
	}
	sum := 0.0
	for _, w := range weight {
		sum += w
	}
	by := make([]float64, classes)
	for i, w := range weight {
		by[i] = (1-e)*w + e*sum/float64(classes)
	}
	toFloat := []graph.Attr{graph.MakeAttr("to", x.DType)}
	var counts *graph.Value
	if ignore != nil {
		skip := b.Op("Equal", label, b.Scalar(float64(ignore.I), label))
		label = b.Op("Where", skip, b.Scalar(0, label), label)
		counts = b.Attr("Cast", toFloat, b.Op("Not", skip))
	}
	of := func(table []float64) *graph.Value {
		t, err := ofFloats(x.DType, []int{classes}, table)
		if err != nil {
			b.err = err
			return x
		}
		v := b.Op("Gather", b.Const(t), label)
		if counts != nil {
			v = b.Op("Mul", v, counts)
		}
		return v
	}
	total := reduce(b, "ReduceSum", of(weight), []int{0}, true)
	none := b.Attr("Cast", toFloat, b.Op("Equal", total, b.Scalar(0, total)))
	return b.Op("Mul", b.Unsqueeze(b.Op("Div", of(by), b.Op("Add", total, none)), 1), dy), nil
}

var _ = register(
	// SoftmaxCrossEntropy(logits [R,C], label int64 [R]) is the mean over rows
	// of -log softmax(logits)[label]. With label_smoothing e the target is
	// (1-e) on the label plus e/C everywhere (Szegedy et al. 2016). Rows whose label is
	// ignore_index do not count. With class_weights w the target is multiplied by them, and
	// the mean is the sum over the rows divided by that of w[label]; 0 where that is 0.
	Def{Domain: graph.Pare, Name: "SoftmaxCrossEntropy",
		Infer: func(c *Infer) error {
			x, y := c.Shape(0), c.Shape(1)
			if len(x) != 2 || len(y) != 1 {
				return fmt.Errorf("logits %v and labels %v must be [rows, classes] and [rows]", x, y)
			}
			if x[0].Known() && y[0].Known() && x[0] != y[0] {
				return fmt.Errorf("logits %v and labels %v differ in rows", x, y)
			}
			c.Out(0, c.DType(0), graph.Shape{})
			return nil
		},
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			c, err := crossEntropyOf(n, in[0], in[1])
			if err != nil {
				return nil, err
			}
			sum := 0.0
			c.each(func(r int, row []float64, lse float64) {
				loss := (1 - c.smoothing) * (lse - row[c.label[r]]) * c.weight[c.label[r]]
				for k, v := range row {
					loss += c.smoothing / float64(c.classes) * (lse - v) * c.weight[k]
				}
				sum += loss / c.total
			})
			return single(ofFloats(in[0].DType, []int{}, []float64{sum}))
		},
		Grad: func(b *Builder, n *graph.Node, dy []*graph.Value) ([]*graph.Value, error) {
			return []*graph.Value{b.Pare("SoftmaxCrossEntropyGrad", n.Attrs, dy[0], n.In(0), n.In(1)), nil}, nil
		}},

	// SoftmaxCrossEntropyGrad(dy scalar, logits, label) = dy*(softmax - target)/rows.
	Def{Domain: graph.Pare, Name: "SoftmaxCrossEntropyGrad",
		Infer: func(c *Infer) error { c.Out(0, c.DType(1), c.Shape(1)); return nil },
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			c, err := crossEntropyOf(n, in[1], in[2])
			if err != nil {
				return nil, err
			}
			d, err := floats(in[0])
			if err != nil {
				return nil, err
			}
			out := make([]float64, len(c.x))
			target := make([]float64, c.classes)
			c.each(func(r int, row []float64, lse float64) {
				sum := 0.0
				for k, w := range c.weight {
					if target[k] = c.smoothing / float64(c.classes) * w; k == c.label[r] {
						target[k] += (1 - c.smoothing) * w
					}
					sum += target[k]
				}
				if n.Attr("class_weights") == nil {
					sum = 1 // but for rounding
				}
				for k, v := range row {
					out[r*c.classes+k] = d[0] * (math.Exp(v-lse)*sum - target[k]) / c.total
				}
			})
			return single(ofFloats(in[1].DType, in[1].Shape, out))
		},
		Grad: func(b *Builder, n *graph.Node, du []*graph.Value) ([]*graph.Value, error) {
			// linear in dy; in the logits through softmax (labels are constants)
			dy, x := n.In(0), n.In(1)
			p := b.Attr("Softmax", []graph.Attr{graph.MakeAttr("axis", 1)}, x)
			one := b.Pare("OnesLike", nil, dy)
			unit := b.Pare("SoftmaxCrossEntropyGrad", n.Attrs, one, x, n.In(2))
			ddy := b.Pare("ReshapeLike", nil, b.Pare("SumTo", nil, b.Op("Mul", du[0], unit), b.Pare("OnesLike", nil, dy)), dy)
			if !x.Shape[1].Known() {
				return nil, fmt.Errorf("the number of classes is not known")
			}
			scale, err := crossEntropyScale(b, n)
			if err != nil {
				return nil, err
			}
			dx := b.Op("Mul", b.Pare("SoftmaxGrad", []graph.Attr{graph.MakeAttr("axes", []int{1})}, du[0], p), scale)
			return []*graph.Value{ddy, dx, nil}, nil
		}},
)
