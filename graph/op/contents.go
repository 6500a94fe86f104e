package op

import (
	"math"

	"pare/graph"
	"pare/tensor"
)

// moves names the operators that only move elements about, and which of their
// inputs hold these (the others are positions and sizes); nil means all.
var moves = map[string][]int{
	"Concat": nil, "Compress": {0}, "DepthToSpace": {0}, "Expand": {0}, "Flatten": {0}, "Gather": {0},
	"GatherElements": {0}, "GatherND": {0}, "Identity": {0}, "Pad": {0, 2}, "Reshape": {0}, "ReverseSequence": {0},
	"Scatter": {0, 2}, "ScatterElements": {0, 2}, "ScatterND": {0, 2}, "Slice": {0}, "SpaceToDepth": {0},
	"Split": {0}, "Squeeze": {0}, "Tile": {0}, "Transpose": {0}, "Trilu": {0}, "Unsqueeze": {0}, "Where": {1, 2},
}

// follow works out the contents of the outputs of a node from those of its inputs,
// once types and shapes are set: exporters compute shapes and pads by chains
// of such operators.
func (c *Infer) follow(d *Def) {
	n := c.Node
	if n.Domain != "" || len(n.Inputs) == 0 || d.Eval == nil || random[n.Op] {
		return
	}
	for _, o := range n.Outputs {
		if o == nil {
			continue
		}
		if _, ok := c.dims[o]; ok || !o.DType.IsInt() && o.DType != tensor.Bool && o.DType != tensor.Float32 && o.DType != tensor.Float64 {
			return
		}
		size, ok := o.Shape.Ints()
		if !ok {
			return
		}
		if k, ok := tensor.Size(size); !ok || k > maxContents {
			return
		}
	}
	if data, ok := moves[n.Op]; ok && n.Attr("reduction") == nil {
		c.followMove(d, data)
		return
	}
	c.followNumbers(d)
}

// followMove runs a movement on labels of the elements instead of on the
// elements, and reads from the labels what has arrived where.
func (c *Infer) followMove(d *Def, data []int) {
	n := c.Node
	isData := make([]bool, len(n.Inputs))
	for i := range isData {
		isData[i] = data == nil
	}
	for _, i := range data {
		if i < len(isData) {
			isData[i] = true
		}
	}
	label := []graph.Dim{graph.N(0)} // label 0: the zero that Pad and Trilu write
	in := make([]*tensor.Tensor, len(n.Inputs))
	for i, v := range n.Inputs {
		if v == nil {
			continue
		}
		if !isData[i] {
			if in[i] = c.known(i); in[i] == nil {
				return
			}
			continue
		}
		e, ok := c.Contents(i)
		size, sized := v.Shape.Ints()
		if k, fits := tensor.Size(size); !ok || !sized || !fits || k != len(e) {
			return
		}
		in[i] = tensor.New(tensor.Int64, size...)
		for j, x := range e {
			tensor.Of[int64](in[i])[j] = int64(len(label))
			label = append(label, x)
		}
	}
	out, err := evalNode(d, n, c.Opset, in)
	if err != nil {
		return
	}
	for i, o := range n.Outputs {
		if o == nil || i >= len(out) {
			continue
		}
		ids := tensor.Of[int64](out[i])
		e := make([]graph.Dim, len(ids))
		for j, id := range ids {
			e[j] = label[id]
		}
		c.dims[o] = e
	}
}

// followNumbers evaluates a node whose inputs are all known numbers.
func (c *Infer) followNumbers(d *Def) {
	n := c.Node
	in := make([]*tensor.Tensor, len(n.Inputs))
	for i, v := range n.Inputs {
		if v == nil {
			continue
		}
		if in[i] = c.known(i); in[i] == nil {
			return
		}
	}
	out, err := evalNode(d, n, c.Opset, in)
	if err != nil {
		return
	}
	for i, o := range n.Outputs {
		if o == nil || i >= len(out) || out[i] == nil {
			continue
		}
		if e, ok := wholeNumbers(out[i]); ok {
			c.dims[o] = e
		}
	}
}

// known is input i as a tensor where it is a small constant or all of its
// contents are numbers; else nil.
func (c *Infer) known(i int) *tensor.Tensor {
	v := c.Node.In(i)
	if v.Const != nil {
		if v.Const.Len() > maxContents || v.Role == graph.Param || v.Role == graph.Stat {
			return nil
		}
		return v.Const
	}
	e, ok := c.Contents(i)
	size, sized := v.Shape.Ints()
	if k, fits := tensor.Size(size); !ok || !sized || !fits || k != len(e) {
		return nil
	}
	f := make([]int64, len(e))
	for j, x := range e {
		if !x.Known() {
			return nil
		}
		f[j] = int64(x.Mul)
	}
	t := tensor.New(v.DType, size...)
	if fillInts(t, f) != nil {
		return nil
	}
	return t
}

// wholeNumbers gives the elements of a small numeric tensor where all of them
// are whole numbers that an int holds exactly.
func wholeNumbers(t *tensor.Tensor) ([]graph.Dim, bool) {
	if t.Len() > maxContents {
		return nil, false
	}
	d := make([]graph.Dim, t.Len())
	if s, err := t.Int64s(); err == nil {
		for i, x := range s {
			d[i] = graph.N(int(x))
		}
		return d, true
	}
	f, err := t.Float64s()
	if err != nil {
		return nil, false
	}
	for i, x := range f {
		if x != math.Trunc(x) || math.Abs(x) > 1<<53 {
			return nil, false
		}
		d[i] = graph.N(int(x))
	}
	return d, true
}
