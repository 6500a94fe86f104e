package op

import (
	"fmt"
	"slices"

	"pare/graph"
	"pare/tensor"
)

// elementOffsets gives, for each element of indices, the offset in a tensor of
// the given shape that GatherElements reads and ScatterElements writes.
func elementOffsets(shape []int, indices *tensor.Tensor, a int) ([]int, error) {
	if len(shape) != indices.Rank() {
		return nil, fmt.Errorf("indices of shape %v do not fit data of shape %v", indices.Shape, shape)
	}
	for d, s := range indices.Shape {
		if d != a && s > shape[d] {
			return nil, fmt.Errorf("indices of shape %v exceed data of shape %v", indices.Shape, shape)
		}
	}
	idx, err := intsOf(indices)
	if err != nil {
		return nil, err
	}
	if err := wrapIndices(idx, shape[a]); err != nil {
		return nil, err
	}
	st := tensor.Strides(shape)
	step := st[a]
	st[a] = 0
	odometer(indices.Shape, st, func(i, off int) { idx[i] = off + idx[i]*step })
	return idx, nil
}

// blockOffsets gives, for each index tuple of GatherND and ScatterND, the
// offset of the block that it names, and the block's size.
func blockOffsets(shape []int, indices *tensor.Tensor, batch int) ([]int, int, error) {
	q := indices.Rank()
	if q == 0 || batch < 0 || batch >= q || batch > len(shape) {
		return nil, 0, fmt.Errorf("indices of shape %v do not fit data of shape %v with %d batch axes", indices.Shape, shape, batch)
	}
	k := indices.Shape[q-1]
	if k > len(shape)-batch {
		return nil, 0, fmt.Errorf("index tuples of %d do not fit data of shape %v", k, shape)
	}
	if !slices.Equal(shape[:batch], indices.Shape[:batch]) {
		return nil, 0, fmt.Errorf("the batch axes of indices %v and data %v differ", indices.Shape, shape)
	}
	idx, err := intsOf(indices)
	if err != nil {
		return nil, 0, err
	}
	st := tensor.Strides(shape)
	block, _ := tensor.Size(shape[batch+k:])
	tuples, _ := tensor.Size(indices.Shape[:q-1])
	perBatch, _ := tensor.Size(indices.Shape[batch : q-1])
	batchSize, _ := tensor.Size(shape[batch:])
	out := make([]int, tuples)
	for t := range out {
		off := t / max(1, perBatch) * batchSize
		for j := range k {
			one := idx[t*k+j : t*k+j+1]
			if err := wrapIndices(one, shape[batch+j]); err != nil {
				return nil, 0, err
			}
			off += one[0] * st[batch+j]
		}
		out[t] = off
	}
	return out, block, nil
}

// combine writes updates into a copy of data: element i goes to offset at(i),
// replacing what is there or combined with it.
func combine(data, updates *tensor.Tensor, reduction string, at func(i int) int) ([]*tensor.Tensor, error) {
	if updates.DType != data.DType {
		return nil, fmt.Errorf("updates are %v and data %v", updates.DType, data.DType)
	}
	var float func(x, y float64) float64
	var whole func(x, y int64) int64
	switch reduction {
	case "none", "":
		out := data.Clone()
		cp := copier(out, updates)
		for i := range updates.Len() {
			cp(at(i), i)
		}
		return single(out, nil)
	case "add":
		float, whole = func(x, y float64) float64 { return x + y }, func(x, y int64) int64 { return x + y }
	case "mul":
		float, whole = func(x, y float64) float64 { return x * y }, func(x, y int64) int64 { return x * y }
	case "max":
		float, whole = func(x, y float64) float64 { return max(x, y) }, func(x, y int64) int64 { return max(x, y) }
	case "min":
		float, whole = func(x, y float64) float64 { return min(x, y) }, func(x, y int64) int64 { return min(x, y) }
	default:
		return nil, fmt.Errorf("unknown reduction %q", reduction)
	}
	if !data.DType.IsFloat() {
		x, err := data.Int64s()
		if err != nil {
			return nil, err
		}
		u, err := updates.Int64s()
		if err != nil {
			return nil, err
		}
		for i, v := range u {
			x[at(i)] = whole(x[at(i)], v)
		}
		out := tensor.New(data.DType, data.Shape...)
		return single(out, fillInts(out, x))
	}
	x, err := data.Float64s()
	if err != nil {
		return nil, err
	}
	u, err := floats(updates)
	if err != nil {
		return nil, err
	}
	for i, v := range u {
		x[at(i)] = float(x[at(i)], v)
	}
	return single(ofFloats(data.DType, data.Shape, x))
}

func scatterElements(name string) Def {
	return Def{Name: name, Infer: scatterInfer,
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			a, err := axis(n.Int("axis", 0), in[0].Rank())
			if err != nil {
				return nil, err
			}
			if !slices.Equal(in[1].Shape, in[2].Shape) {
				return nil, fmt.Errorf("indices %v and updates %v differ in shape", in[1].Shape, in[2].Shape)
			}
			offs, err := elementOffsets(in[0].Shape, in[1], a)
			if err != nil {
				return nil, err
			}
			return combine(in[0], in[2], n.Str("reduction", "none"), func(i int) int { return offs[i] })
		},
		Grad: scatterGrad("GatherElements")}
}

func scatterInfer(c *Infer) error {
	for i := range 3 {
		if _, err := c.In(i); err != nil {
			return err
		}
	}
	if a, b := c.DType(0), c.DType(2); a != b && a != tensor.Undefined && b != tensor.Undefined {
		return fmt.Errorf("updates are %v and data %v", b, a)
	}
	return sameAs(c)
}

var _ = register(
	scatterElements("ScatterElements"),
	scatterElements("Scatter"),
	Def{Name: "ScatterND", Infer: scatterInfer,
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			offs, block, err := blockOffsets(in[0].Shape, in[1], 0)
			if err != nil {
				return nil, err
			}
			if in[2].Len() != len(offs)*block {
				return nil, fmt.Errorf("updates of shape %v for %d blocks of %d", in[2].Shape, len(offs), block)
			}
			return combine(in[0], in[2], n.Str("reduction", "none"), func(i int) int { return offs[i/block] + i%block })
		},
		Grad: scatterGrad("GatherND")},

	Def{Name: "GatherElements",
		Infer: func(c *Infer) error {
			x, idx, err := c.pair()
			if err != nil {
				return err
			}
			if x.Shape != nil {
				if _, err := axis(c.Node.Int("axis", 0), len(x.Shape)); err != nil {
					return err
				}
				if idx.Shape != nil && len(idx.Shape) != len(x.Shape) {
					return fmt.Errorf("indices of shape %v do not fit data of shape %v", idx.Shape, x.Shape)
				}
			}
			c.Out(0, x.DType, idx.Shape)
			return nil
		},
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			a, err := axis(n.Int("axis", 0), in[0].Rank())
			if err != nil {
				return nil, err
			}
			offs, err := elementOffsets(in[0].Shape, in[1], a)
			if err != nil {
				return nil, err
			}
			return single(take(in[0], in[1].Shape, func(i int) int { return offs[i] }))
		},
		Grad: func(b *Builder, n *graph.Node, dy []*graph.Value) ([]*graph.Value, error) {
			as := []graph.Attr{graph.MakeAttr("axis", n.Int("axis", 0)), graph.MakeAttr("reduction", "add")}
			return []*graph.Value{b.Attr("ScatterElements", as, b.Pare("ZerosLike", nil, n.In(0)), n.In(1), dy[0]), nil}, nil
		}},
	Def{Name: "GatherND",
		Infer: func(c *Infer) error {
			x, idx, err := c.pair()
			if err != nil {
				return err
			}
			q, batch := len(idx.Shape), c.Node.Int("batch_dims", 0)
			if x.Shape == nil || idx.Shape == nil || q > 0 && !idx.Shape[q-1].Known() {
				c.Out(0, x.DType, nil)
				return nil
			}
			if q == 0 || batch < 0 || batch >= q || idx.Shape[q-1].Mul > len(x.Shape)-batch {
				return fmt.Errorf("indices of shape %v do not fit data of shape %v with %d batch axes", idx.Shape, x.Shape, batch)
			}
			out := append(graph.Shape{}, idx.Shape[:q-1]...)
			c.Out(0, x.DType, append(out, x.Shape[batch+idx.Shape[q-1].Mul:]...))
			return nil
		},
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			batch := n.Int("batch_dims", 0)
			offs, block, err := blockOffsets(in[0].Shape, in[1], batch)
			if err != nil {
				return nil, err
			}
			q := in[1].Rank()
			shape := append([]int{}, in[1].Shape[:q-1]...)
			shape = append(shape, in[0].Shape[batch+in[1].Shape[q-1]:]...)
			return single(take(in[0], shape, func(i int) int { return offs[i/block] + i%block }))
		},
		Grad: func(b *Builder, n *graph.Node, dy []*graph.Value) ([]*graph.Value, error) {
			return []*graph.Value{b.Pare("GatherNDGrad", n.Attrs, dy[0], n.In(1), n.In(0)), nil}, nil
		}},

	// GatherNDGrad(dy, indices, like) adds dy up where GatherND read.
	Def{Domain: graph.Pare, Name: "GatherNDGrad",
		Infer: func(c *Infer) error { c.Out(0, c.DType(0), c.Shape(2)); return nil },
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			offs, block, err := blockOffsets(in[2].Shape, in[1], n.Int("batch_dims", 0))
			if err != nil {
				return nil, err
			}
			zero := tensor.New(in[0].DType, in[2].Shape...)
			return combine(zero, in[0], "add", func(i int) int { return offs[i/block] + i%block })
		},
		Grad: func(b *Builder, n *graph.Node, dy []*graph.Value) ([]*graph.Value, error) {
			return []*graph.Value{b.Attr("GatherND", n.Attrs, dy[0], n.In(1)), nil, nil}, nil
		}},
)
