package op

import (
	"fmt"

	"pare/graph"
	"pare/tensor"
)

// depthSource gives, for element i of the deep tensor [N, C*s*s, H, W], the
// offset of the same element in the wide tensor [N, C, H*s, W*s]. In mode DCR
// the channels are ordered by (row, column, C), in mode CRD by (C, row, column).
func depthSource(c, h, w, s int, crd bool) func(i int) int {
	return func(i int) int {
		x := i % w
		y := i / w % h
		k := i / w / h % (c * s * s)
		n := i / w / h / (c * s * s)
		ch, rc := k%c, k/c
		if crd {
			ch, rc = k/(s*s), k%(s*s)
		}
		return ((n*c+ch)*h*s+y*s+rc/s)*w*s + x*s + rc%s
	}
}

func blockSize(n *graph.Node) (int, error) {
	s := n.Int("blocksize", 0)
	if s < 1 || s > 1<<15 {
		return 0, fmt.Errorf("blocksize %d is not between 1 and %d", s, 1<<15)
	}
	return s, nil
}

func inferDepth(toSpace bool) func(c *Infer) error {
	return func(c *Infer) error {
		x, err := c.In(0)
		if err != nil {
			return err
		}
		s, err := blockSize(c.Node)
		if err != nil {
			return err
		}
		if x.Shape == nil {
			c.Out(0, x.DType, nil)
			return nil
		}
		if len(x.Shape) != 4 {
			return fmt.Errorf("shape %v is not [N C H W]", x.Shape)
		}
		scale := func(d graph.Dim, up bool, by int) (graph.Dim, error) {
			if up {
				return d.Times(graph.N(by)), nil
			}
			q, ok := d.Over(graph.N(by))
			if !ok && d.Known() {
				return q, fmt.Errorf("%v in shape %v is not a multiple of %d", d, x.Shape, by)
			} else if !ok {
				q = graph.Derived(fmt.Sprintf("1/%d", by), d)
			}
			return q, nil
		}
		out := append(graph.Shape{}, x.Shape...)
		for i, by := range []int{1, s * s, s, s} {
			if out[i], err = scale(out[i], (i == 1) != toSpace || by == 1, by); err != nil {
				return err
			}
		}
		c.Out(0, x.DType, out)
		return nil
	}
}

func evalDepth(toSpace bool) func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
	return func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
		s, err := blockSize(n)
		if err != nil {
			return nil, err
		}
		d := in[0].Shape
		deep, wide := d, d
		if toSpace {
			wide = []int{d[0], d[1] / (s * s), d[2] * s, d[3] * s}
		} else {
			deep = []int{d[0], d[1] * s * s, d[2] / s, d[3] / s}
		}
		at := depthSource(wide[1], deep[2], deep[3], s, n.Str("mode", "DCR") == "CRD")
		if !toSpace {
			return single(take(in[0], deep, at))
		}
		out := tensor.New(in[0].DType, wide...)
		if out.Len() != in[0].Len() {
			return nil, fmt.Errorf("block size %d does not fit shape %v", s, d)
		}
		cp := copier(out, in[0])
		for i := range out.Len() {
			cp(at(i), i)
		}
		return single(out, nil)
	}
}

// The two operators undo each other. ONNX's SpaceToDepth has no mode; the one
// of the pare domain has.
var _ = register(
	Def{Name: "DepthToSpace", Infer: inferDepth(true), Eval: evalDepth(true),
		Grad: func(b *Builder, n *graph.Node, dy []*graph.Value) ([]*graph.Value, error) {
			return []*graph.Value{b.Pare("SpaceToDepth", n.Attrs, dy[0])}, nil
		}},
	Def{Name: "SpaceToDepth", Infer: inferDepth(false), Eval: evalDepth(false),
		Grad: func(b *Builder, n *graph.Node, dy []*graph.Value) ([]*graph.Value, error) {
			return []*graph.Value{b.Attr("DepthToSpace", n.Attrs, dy[0])}, nil
		}},
	Def{Domain: graph.Pare, Name: "SpaceToDepth", Infer: inferDepth(false), Eval: evalDepth(false),
		Grad: func(b *Builder, n *graph.Node, dy []*graph.Value) ([]*graph.Value, error) {
			return []*graph.Value{b.Attr("DepthToSpace", n.Attrs, dy[0])}, nil
		}},
)
