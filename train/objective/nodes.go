package objective

import (
	"pare/graph"
	"pare/graph/op"
	"pare/tensor"
)

// mean is the mean of all elements.
func mean(b *op.Builder, x *graph.Value) *graph.Value { return all(b, "ReduceMean", x) }

// total is the sum of all elements.
func total(b *op.Builder, x *graph.Value) *graph.Value { return all(b, "ReduceSum", x) }

func all(b *op.Builder, name string, x *graph.Value) *graph.Value {
	return b.Attr(name, []graph.Attr{graph.MakeAttr("keepdims", 0)}, x)
}

// square is x².
func square(b *op.Builder, x *graph.Value) *graph.Value { return b.Op("Mul", x, x) }

// plus is x + c.
func plus(b *op.Builder, x *graph.Value, c float64) *graph.Value {
	if c == 0 {
		return x
	}
	return b.Op("Add", x, b.Scalar(c, x))
}

// times is x·c.
func times(b *op.Builder, x *graph.Value, c float64) *graph.Value {
	if c == 1 {
		return x
	}
	return b.Op("Mul", x, b.Scalar(c, x))
}

// minusFrom is c - x.
func minusFrom(b *op.Builder, c float64, x *graph.Value) *graph.Value {
	return b.Op("Sub", b.Scalar(c, x), x)
}

// float makes truth values 1 and 0.
func float(b *op.Builder, x *graph.Value) *graph.Value {
	return b.Attr("Cast", []graph.Attr{graph.MakeAttr("to", tensor.Float32)}, x)
}

// share is sum/count of what counts, 0 where nothing does. count holds whole numbers, or
// weights of which some may be tiny.
func share(b *op.Builder, sum, count *graph.Value) *graph.Value {
	none := float(b, b.Op("Equal", count, b.Scalar(0, count)))
	return b.Op("Div", sum, b.Op("Add", count, none))
}

// counts is 1 where a target is not the number that is ignored, and the target with 0
// in the place of that.
func counts(b *op.Builder, target *graph.Value, ignore float64) (mask, rest *graph.Value) {
	if target.DType.IsFloat() { // as comparisons with a number, which are one pass
		far := b.Op("Greater", b.Op("Abs", plus(b, target, -ignore)), b.Scalar(0, target))
		zero := b.Scalar(0, target)
		return b.Op("Where", far, b.Scalar(1, target), zero), b.Op("Where", far, target, zero)
	}
	skip := b.Op("Equal", target, b.Scalar(ignore, target))
	return float(b, b.Op("Not", skip)), b.Op("Where", skip, b.Scalar(0, target), target)
}

// oneHot is 1 at the class of each row and 0 elsewhere, [rows classes].
func oneHot(b *op.Builder, target *graph.Value, classes int) *graph.Value {
	values := b.Const(tensor.Vector[float32](0, 1))
	return b.Attr("OneHot", []graph.Attr{graph.MakeAttr("axis", -1)}, target, b.Ints(classes), values)
}
