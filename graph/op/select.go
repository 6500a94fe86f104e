package op

import (
	"fmt"
	"sort"

	"pare/graph"
	"pare/tensor"
)

// chosenOf lists the positions at which a condition holds.
func chosenOf(cond *tensor.Tensor, size int) ([]int, error) {
	c := tensor.Of[bool](cond)
	if cond.DType != tensor.Bool || len(c) > size {
		return nil, fmt.Errorf("condition %v must be bool and no longer than the axis of %d", cond, size)
	}
	idx := []int{}
	for i, v := range c {
		if v {
			idx = append(idx, i)
		}
	}
	return idx, nil
}

// alongAxis is a tensor and the axis that the node names; where it names none,
// the tensor as a vector.
func alongAxis(n *graph.Node, x *tensor.Tensor) (*tensor.Tensor, int, error) {
	if n.Attr("axis") == nil {
		return x.Reshape(x.Len()), 0, nil
	}
	a, err := axis(n.Int("axis", 0), x.Rank())
	return x, a, err
}

var _ = register(
	// NonZero gives the positions of non-zero elements, [rank, count].
	Def{Name: "NonZero",
		Infer: func(c *Infer) error {
			x, err := c.rankedTo(tensor.Int64)
			if x == nil {
				return err
			}
			c.Out(0, tensor.Int64, graph.Shape{graph.N(len(x.Shape)), unknownDim(c, 0, 1)})
			return nil
		},
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			x, err := floats(in[0])
			if err != nil {
				return nil, err
			}
			var at []int
			for i, v := range x {
				if v != 0 {
					at = append(at, i)
				}
			}
			out := tensor.New(tensor.Int64, in[0].Rank(), len(at))
			for d, st := range tensor.Strides(in[0].Shape) {
				for j, i := range at {
					tensor.Of[int64](out)[d*len(at)+j] = int64(i / st % in[0].Shape[d])
				}
			}
			return single(out, nil)
		}, Grad: noGrad},

	// Compress keeps the slices along an axis (or elements) for which a
	// condition holds.
	Def{Name: "Compress",
		Infer: func(c *Infer) error {
			x, err := c.In(0)
			if err != nil {
				return err
			}
			if _, err := c.In(1); err != nil {
				return err
			}
			if c.Node.Attr("axis") == nil {
				c.Out(0, x.DType, graph.Shape{countOf(c)})
				return nil
			}
			if x.Shape == nil {
				c.Out(0, x.DType, nil)
				return nil
			}
			a, err := axis(c.Node.Int("axis", 0), len(x.Shape))
			if err != nil {
				return err
			}
			out := append(graph.Shape{}, x.Shape...)
			out[a] = countOf(c)
			c.Out(0, x.DType, out)
			return nil
		},
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			x, a, err := alongAxis(n, in[0])
			if err != nil {
				return nil, err
			}
			idx, err := chosenOf(in[1], x.Shape[a])
			if err != nil {
				return nil, err
			}
			size := x.Shape[a]
			inner, _ := tensor.Size(x.Shape[a+1:])
			shape := append([]int{}, x.Shape...)
			shape[a] = len(idx)
			return single(take(x, shape, func(i int) int {
				return (i/inner/len(idx)*size+idx[i/inner%len(idx)])*inner + i%inner
			}))
		},
		Grad: func(b *Builder, n *graph.Node, dy []*graph.Value) ([]*graph.Value, error) {
			at := b.Op("Gather", b.Op("NonZero", n.In(1)), b.Const(tensor.Scalar[int64](0)))
			return []*graph.Value{gatherGrad(b, n, dy[0], at), nil}, nil
		}},

	// Unique gives the different elements (or slices along an axis), with the
	// positions of their first occurrences, the inverse and the counts.
	Def{Name: "Unique", Infer: inferUnique, Eval: evalUnique,
		Grad: func(b *Builder, n *graph.Node, dy []*graph.Value) ([]*graph.Value, error) {
			if dy[0] == nil {
				return []*graph.Value{nil}, nil
			}
			at := n.Out(1) // equal elements: the gradient goes to the first
			if at == nil {
				at = b.Node("", "Unique", 2, n.Inputs, n.Attrs...).Outputs[1]
			}
			return []*graph.Value{gatherGrad(b, n, dy[0], at)}, nil
		}},
)

// gatherGrad is the gradient of a choice of slices along the attribute axis,
// or of elements where there is none.
func gatherGrad(b *Builder, n *graph.Node, dy, at *graph.Value) *graph.Value {
	x := n.In(0)
	if a := n.Attr("axis"); a != nil {
		return b.Pare("GatherGrad", []graph.Attr{*a}, dy, at, x)
	}
	flat := b.Op("Reshape", x, b.Ints(-1))
	return b.Pare("ReshapeLike", nil, b.Pare("GatherGrad", nil, dy, at, flat), x)
}

// countOf is the number of true elements of the condition.
func countOf(c *Infer) graph.Dim {
	v, ok := c.Ints(1)
	if !ok {
		return unknownDim(c, 0, 0)
	}
	n := 0
	for _, x := range v {
		n += x
	}
	return graph.N(n)
}

func inferUnique(c *Infer) error {
	x, err := c.In(0)
	if err != nil {
		return err
	}
	count := unknownDim(c, 0, 0)
	out, inverse := graph.Shape{count}, unknownDim(c, 2, 0)
	if x.Shape != nil {
		inverse = x.Shape.Size(0, len(x.Shape))
	}
	if c.Node.Attr("axis") != nil {
		if out = nil; x.Shape != nil {
			a, err := axis(c.Node.Int("axis", 0), len(x.Shape))
			if err != nil {
				return err
			}
			out = append(graph.Shape{}, x.Shape...)
			out[a], inverse = count, x.Shape[a]
		}
	}
	c.Out(0, x.DType, out)
	c.Out(1, tensor.Int64, graph.Shape{count})
	c.Out(2, tensor.Int64, graph.Shape{inverse})
	c.Out(3, tensor.Int64, graph.Shape{count})
	return nil
}

func evalUnique(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
	x, a, err := alongAxis(n, in[0])
	if err != nil {
		return nil, err
	}
	order, err := uniqueOrder(x)
	if err != nil {
		return nil, err
	}
	size := x.Shape[a]
	inner, _ := tensor.Size(x.Shape[a+1:])
	outer, _ := tensor.Size(x.Shape[:a])
	compare := func(p, q int) int {
		for o := range outer {
			for i := range inner {
				if c := order((o*size+p)*inner+i, (o*size+q)*inner+i); c != 0 {
					return c
				}
			}
		}
		return 0
	}
	idx := make([]int, size)
	for i := range idx {
		idx[i] = i
	}
	sort.SliceStable(idx, func(p, q int) bool { return compare(idx[p], idx[q]) < 0 })
	first, class := []int{}, make([]int, size) // of each class in sorted order
	for i, p := range idx {
		if i == 0 || compare(idx[i-1], p) != 0 {
			first = append(first, p)
		}
		class[p] = len(first) - 1
	}
	if n.Int("sorted", 1) == 0 { // in order of appearance
		rank := make([]int, len(first))
		by := append([]int{}, first...)
		sort.Ints(by)
		for k, p := range first {
			rank[k] = sort.SearchInts(by, p)
		}
		for p := range class {
			class[p] = rank[class[p]]
		}
		first = by
	}
	shape := append([]int{}, x.Shape...)
	shape[a] = len(first)
	y, err := take(x, shape, func(i int) int {
		return (i/inner/len(first)*size+first[i/inner%len(first)])*inner + i%inner
	})
	if err != nil {
		return nil, err
	}
	at, inverse, counts := tensor.New(tensor.Int64, len(first)), tensor.New(tensor.Int64, size), tensor.New(tensor.Int64, len(first))
	for k, p := range first {
		tensor.Of[int64](at)[k] = int64(p)
	}
	for p, k := range class {
		tensor.Of[int64](inverse)[p] = int64(k)
		tensor.Of[int64](counts)[k]++
	}
	return []*tensor.Tensor{y, at, inverse, counts}, nil
}

func uniqueOrder(t *tensor.Tensor) (func(i, j int) int, error) {
	if s := tensor.Of[string](t); s != nil {
		return func(i, j int) int {
			switch {
			case s[i] < s[j]:
				return -1
			case s[i] > s[j]:
				return 1
			}
			return 0
		}, nil
	}
	return comparer(t)
}
