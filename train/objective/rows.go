package objective

import (
	"fmt"

	"pare/graph"
	"pare/graph/op"
)

// Rows brings scores of any rank into the layout ByRows, [rows classes]: the axis of the
// classes is moved last where it is not, and the axes before it become one. A negative
// axis counts from the end. The number of classes must be known, other sizes need not be.
// A target of the shape of the output without that axis, flattened, goes with it.
func Rows(b *op.Builder, out *graph.Value, axis int) (*graph.Value, error) {
	rank := len(out.Shape)
	at := axis
	if at < 0 {
		at += rank
	}
	switch {
	case rank < 2:
		return nil, fmt.Errorf("output %q has shape %v: a loss by classes needs [batch, …]", out.Name, out.Shape)
	case at < 1 || at >= rank:
		return nil, fmt.Errorf("axis %d is no axis of classes of output %q, which has shape %v: one of 1 to %d, or -1 for the last", axis, out.Name, out.Shape, rank-1)
	case !out.Shape[at].Known():
		return nil, fmt.Errorf("output %q has shape %v: the number of classes, axis %d, must be known", out.Name, out.Shape, at)
	}
	classes := out.Shape[at].Mul
	if at != rank-1 {
		perm := make([]int, 0, rank)
		for a := range rank {
			if a != at {
				perm = append(perm, a)
			}
		}
		out = b.Attr("Transpose", []graph.Attr{graph.MakeAttr("perm", append(perm, at))}, out)
	}
	if rank > 2 {
		out = b.Op("Reshape", out, b.Ints(-1, classes))
	}
	return out, b.Err()
}

// ClassAxis finds the axis of an output that its target lacks, so that it is that of the
// classes: the one without which the shapes agree. Where several would do, axis 1 is
// taken, as PyTorch has it, if it is among them and certain is false; certain is true
// where just one does. It returns an error where none does.
func ClassAxis(out, target graph.Shape) (axis int, certain bool, err error) {
	var fit []int
	for a := 1; a < len(out) && len(out) == len(target)+1; a++ {
		rest := append(append(graph.Shape{}, out[:a]...), out[a+1:]...)
		if agree(rest, target) && out[a].Known() {
			fit = append(fit, a)
		}
	}
	if len(fit) == 0 {
		return 0, false, fmt.Errorf("an output of shape %v and class numbers of shape %v do not go together: without the axis of the classes the shapes must be the same", out, target)
	}
	return fit[0], len(fit) == 1, nil
}
