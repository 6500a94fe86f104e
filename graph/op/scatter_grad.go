package op

import (
	"fmt"

	"pare/graph"
)

// scattered holds what the gradients of both scatters need: the operator that
// reads where they write.
type scattered struct {
	*Builder
	n      *graph.Node
	gather string
	attrs  []graph.Attr
}

// scatterGrad is the gradient of both scatters. Where two updates meet without
// a reduction, which one wins is not defined, and each gets the gradient.
func scatterGrad(gather string) func(b *Builder, n *graph.Node, dy []*graph.Value) ([]*graph.Value, error) {
	return func(b *Builder, n *graph.Node, dy []*graph.Value) ([]*graph.Value, error) {
		s, d := scattered{Builder: b, n: n, gather: gather}, dy[0]
		if a := n.Attr("axis"); a != nil {
			s.attrs = append(s.attrs, *a)
		}
		var data, up *graph.Value
		switch r := n.Str("reduction", "none"); r {
		case "add":
			data, up = d, s.read(d)
		case "none":
			up = s.read(d)
			data = s.write("none", d, b.Pare("ZerosLike", nil, up))
		case "mul":
			data, up = s.product(d)
		case "max", "min":
			data, up = s.extreme(d)
		default:
			return nil, fmt.Errorf("no gradient is known for the reduction %q", r)
		}
		return []*graph.Value{data, nil, up}, nil
	}
}

// read gathers where the node writes.
func (s scattered) read(v *graph.Value) *graph.Value { return s.Attr(s.gather, s.attrs, v, s.n.In(1)) }

// write scatters other updates to the same places.
func (s scattered) write(reduction string, data, up *graph.Value) *graph.Value {
	return s.Attr(s.n.Op, append([]graph.Attr{graph.MakeAttr("reduction", reduction)}, s.attrs...), data, s.n.In(1), up)
}

// extreme shares the gradient evenly among the elements that equal the result.
func (s scattered) extreme(dy *graph.Value) (data, up *graph.Value) {
	x, u, y := s.n.In(0), s.n.In(2), s.n.Out(0)
	isX, isU := s.Op("Equal", x, y), s.Op("Equal", u, s.read(y))
	count := s.write("add", cast(s.Builder, isX, x.DType), cast(s.Builder, isU, x.DType))
	d, zero := s.Op("Div", dy, count), s.Scalar(0, x)
	return s.Op("Where", isX, d, zero), s.Op("Where", isU, s.read(d), zero)
}

// product multiplies by the other factors, which dividing the product by a
// factor does not give where that is 0. (Where factors are 0, a second
// derivative takes that they stay 0.)
func (s scattered) product(dy *graph.Value) (data, up *graph.Value) {
	x, u := s.n.In(0), s.n.In(2)
	zero, one := s.Scalar(0, x), s.Scalar(1, x)
	noX, noU := s.Op("Equal", x, zero), s.Op("Equal", u, zero)
	safeX, safeU := s.Op("Where", noX, one, x), s.Op("Where", noU, one, u)
	zeros := s.write("add", cast(s.Builder, noX, x.DType), cast(s.Builder, noU, x.DType))
	p := s.Op("Mul", dy, s.write("mul", safeX, safeU))
	none := s.Op("Where", s.Op("Equal", zeros, zero), p, zero)
	single := s.Op("Where", s.Op("Equal", zeros, one), p, zero)
	return s.Op("Where", noX, single, s.Op("Div", none, safeX)),
		s.Op("Where", noU, s.read(single), s.Op("Div", s.read(none), safeU))
}
