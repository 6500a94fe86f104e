package train

import (
	"fmt"
	"slices"
	"strings"

	"pare/catalog"
	"pare/dataset"
	"pare/graph"
	"pare/graph/op"
	"pare/train/objective"
)

// reply is an output that may answer: its scores and how they lie.
type reply struct {
	of    *graph.Value
	axis  int           // of the classes
	width int           // scores of a label
	chain []*graph.Node // from the output back to what makes it a probability
	prob  *graph.Node   // that; nil: it is none
	lone  bool          // one probability for two classes
}

// root is what the scores are, before they are made a probability.
func (r *reply) root() *graph.Value {
	if r.prob != nil {
		return r.prob.In(0)
	}
	return r.of
}

// rows gives each label its scores, [rows classes]. y is the field of the labels; nil:
// there is none.
func (v *View) rows(r *reply, l *objective.Loss, y *dataset.Field) (*graph.Value, error) {
	x, made := r.of, l.Logits != "softmax"
	if r.prob != nil && !made {
		x = v.unmade(x, r.chain, r.prob)
	}
	x = v.cast(x)
	b := op.NewBuilder(v.Graph, x.Name)
	switch rank := len(x.Shape); {
	case rank == 2 && r.axis == 1: // it is as it should be
	case rank > 2 && r.axis < rank && v.samples != nil && (y == nil || y.Size() > 1):
		var err error
		if x, err = objective.Rows(b, x, r.axis); err != nil {
			return nil, err
		}
	default:
		x = b.Op("Reshape", x, b.Ints(-1, r.width))
	}
	if r.lone {
		x = v.both(b, r.of.Name, x, made)
	}
	return x, b.Err()
}

// both gives the scores of two classes where the network gives one of the second.
func (v *View) both(b *op.Builder, name string, x *graph.Value, made bool) *graph.Value {
	v.note("output %q is the probability of the second of two classes", name)
	other := b.Op("Mul", x, b.Scalar(0, x))
	if made {
		other = b.Op("Sub", b.Scalar(1, x), x)
	}
	return b.Attr("Concat", []graph.Attr{graph.MakeAttr("axis", 1)}, other, x)
}

// choose finds the output whose class axis fits the labels.
func (v *View) choose(outs []*graph.Value, y *dataset.Field, c *Compared) (*reply, error) {
	if len(outs) == 0 {
		return nil, fmt.Errorf("the network has no output")
	}
	var exact, wide []*reply
	var whys []string
	var first error
	for _, o := range outs {
		r, err := v.read(o, y)
		if err != nil {
			if first == nil {
				first = err
			}
			whys = append(whys, err.Error())
			continue
		}
		if k := classesOf(y); k == 0 || r.width == k || r.lone {
			exact = append(exact, r)
		} else {
			wide = append(wide, r)
		}
	}
	fitting := exact
	if len(fitting) == 0 {
		fitting = wide
	}
	switch {
	case len(fitting) == 0 && len(outs) == 1:
		return nil, first
	case len(fitting) == 0:
		return nil, fmt.Errorf("no output of the network answers: %s", strings.Join(whys, "; "))
	}
	for _, r := range fitting[1:] {
		if r.root() != fitting[0].root() {
			return nil, catalog.Errorf("the network has %d outputs that may be the answer, %s: give {OutputOf}", len(fitting), described(values(fitting)))
		}
	}
	r := fitting[0]
	if len(outs) > 1 && len(c.Args) == 0 {
		v.note("of the outputs %s, %q is taken for the answer", described(outs), r.of.Name)
	}
	if k := classesOf(y); k > 0 && r.width > k {
		v.note("the network has %d outputs, the data %d classes: output 0 is taken to be class 0, and so on; those from %d on are no class", r.width, k, k)
	}
	return r, nil
}

func values(rs []*reply) (out []*graph.Value) {
	for _, r := range rs {
		out = append(out, r.of)
	}
	return out
}

// classesOf is the number of classes of labels, 0 where it is not known.
func classesOf(y *dataset.Field) int {
	if y == nil {
		return 0
	}
	return y.Classes
}

// read says how an output answers.
func (v *View) read(o *graph.Value, y *dataset.Field) (*reply, error) {
	if !o.DType.IsFloat() {
		return nil, fmt.Errorf("output %q holds %v, not scores of classes", o.Name, o.DType)
	}
	s, ok := o.Shape.Ints()
	if !ok {
		return nil, fmt.Errorf("the shape of output %q, %v, is not known before it runs: scores of a known number of classes are needed", o.Name, o.Shape)
	}
	r := &reply{of: o}
	if r.axis = v.axis(s, y); r.axis < 0 {
		return nil, fmt.Errorf("output %q has shape %v for %d samples%s", o.Name, s, v.Batch, wanted(y))
	}
	r.width = 1
	if r.axis < len(s) {
		r.width = s[r.axis]
	}
	r.chain, r.prob = probability(v.Graph, o, r.width)
	k := classesOf(y)
	r.lone = k == 2 && r.width == 1 && r.prob.Is("Sigmoid") && y.Size() == 1
	if k > r.width && !r.lone {
		more := ""
		if r.width == 1 && k == 2 {
			more = "; one output is understood where it ends in a Sigmoid"
		}
		return nil, fmt.Errorf("the %s set has %d classes, the network %d outputs (%q %v)%s%s", v.samples.Name, k, r.width, o.Name, s, more, y.ClassHint(r.width))
	}
	return r, nil
}

// wanted says what an output should look like.
func wanted(y *dataset.Field) string {
	if y != nil && y.Size() > 1 {
		return fmt.Sprintf(" of %v places: each place has a label, so that [batch %s classes] is needed, or [batch classes %[2]s]", y.Shape, shapeText(y.Shape))
	}
	return ": each sample has one label, so that [batch classes] is needed; a network that answers for every place of an image or a text needs such labels, or a pooling at its end"
}

// axis is that of the classes: for samples with one label the only one beside the
// batch that has more than one position; past the last where there is none; else the
// one that the labels lack. -1 where the output does not fit the labels.
func (v *View) axis(s []int, y *dataset.Field) int {
	n := len(s)
	if v.samples == nil {
		switch rest := long(s); {
		case n < 2:
			return -1
		case len(rest) == 1 && s[n-1] == 1:
			return rest[0]
		}
		return n - 1
	}
	if y != nil && y.Size() > 1 {
		return v.axisOf(s, y.Shape)
	}
	if n == 1 && v.Batch == 1 && s[0] > 1 { // the only sample's axis is left out
		return 0
	}
	if n == 0 || s[0] != v.Batch {
		return -1
	}
	switch rest := long(s); len(rest) {
	case 0:
		return min(1, n)
	case 1:
		return rest[0]
	}
	return -1
}

// axisOf is the axis that an output has and the labels of its places lack: the last, as
// of text, or the first behind the batch, as of images.
func (v *View) axisOf(s, places []int) int {
	n := len(s)
	if n == 2 && s[0] == v.Batch*size(places) {
		return 1
	}
	if n < 2 || s[0] != v.Batch {
		return -1
	}
	want := squeezed(places)
	try := []int{n - 1, 1}
	if len(want) > 1 {
		try = []int{1, n - 1}
	}
	for k := 2; k < n-1; k++ {
		try = append(try, k)
	}
	for _, k := range try {
		if slices.Equal(squeezed(slices.Concat(s[1:k], s[k+1:])), want) {
			return k
		}
	}
	return -1
}

func size(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// long lists the axes but the first that have more than one position.
func long(s []int) (axes []int) {
	for k, d := range s {
		if k > 0 && d != 1 {
			axes = append(axes, k)
		}
	}
	return axes
}

// probability finds the softmax over width scores, or sigmoid, that an output comes
// from, and the nodes between, which only move numbers.
func probability(g *graph.Graph, o *graph.Value, width int) (chain []*graph.Node, prob *graph.Node) {
	for n := o.From; n != nil; n = n.In(0).From {
		switch {
		case n.Is("Sigmoid"):
			return chain, n
		case n.Is("Softmax", "LogSoftmax"):
			if over(g, n) != width || width == 1 {
				return nil, nil
			}
			return chain, n
		case !n.Is("Identity", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "Dropout") && !(n.Is("Cast") && n.In(0) != nil && n.In(0).DType.IsFloat()):
			return nil, nil
		}
		if chain = append(chain, n); n.In(0) == nil {
			return nil, nil
		}
	}
	return nil, nil
}

// over is how many scores a softmax makes probabilities of.
func over(g *graph.Graph, n *graph.Node) int {
	s, ok := n.In(0).Shape.Ints()
	axis, all := n.Int("axis", -1), false
	if g.Version("") < 13 {
		axis, all = n.Int("axis", 1), true
	}
	if axis < 0 {
		axis += len(s)
	}
	if !ok || axis < 0 || axis >= len(s) {
		return 0
	}
	if !all {
		return s[axis]
	}
	size := 1
	for _, d := range s[axis:] {
		size *= d
	}
	return size
}
