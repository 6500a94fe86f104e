package op

import (
	"fmt"
	"slices"

	"pare/graph"
	"pare/tensor"
)

// MatMulNBits and GatherBlockQuantized read weights of 2, 4 or 8 bits that lie in bytes,
// low bits first, in blocks along a row with a scale each, and a zero point. They stay
// operators of the runtime: written as DequantizeLinear, weights of 4 bits would take
// twice the bytes, and the runtime would not find its kernels again.

// nbits are rows of numbers of few bits.
type nbits struct {
	rows, cols   int
	bits, block  int
	data         []uint8 // rows of whole blocks
	scale        []float64
	zero         []float64 // by block, as scale
	group        []int     // by column, the block whose scale it has; nil: its own
	blocks, size int       // of a row; bytes of a row
}

// nbitsOf reads rows of cols numbers and their blocks.
func nbitsOf(bits, block, rows, cols int, data, scale, zero, group *tensor.Tensor) (*nbits, error) {
	q := &nbits{rows: rows, cols: cols, bits: bits, block: block}
	if bits != 2 && bits != 4 && bits != 8 || block < 1 || block > 1<<20 || rows < 1 || cols < 1 || data == nil || data.DType != tensor.Uint8 {
		return nil, fmt.Errorf("%d rows of %d numbers of %d bits in blocks of %d are not known: 2, 4 and 8 bits in uint8 are", rows, cols, bits, block)
	}
	q.data, q.blocks = tensor.Of[uint8](data), (cols+block-1)/block
	q.size = len(q.data) / rows
	if len(q.data) != rows*q.size || q.size*8/bits < cols || q.size > (q.blocks*block*bits+7)/8 {
		return nil, fmt.Errorf("%d bytes do not hold %d rows of %d numbers of %d bits", len(q.data), rows, cols, bits)
	}
	var err error
	if q.scale, err = floats(scale); err != nil {
		return nil, err
	}
	if len(q.scale) != rows*q.blocks {
		return nil, fmt.Errorf("%d scales for %d rows of %d blocks", len(q.scale), rows, q.blocks)
	}
	if err := q.zeros(zero); err != nil || group == nil {
		return q, err
	}
	if q.group, err = intsOf(group); err != nil {
		return nil, err
	}
	if len(q.group) < cols {
		return nil, fmt.Errorf("%d groups for %d columns", len(q.group), cols)
	}
	for _, k := range q.group {
		if k < 0 || k >= q.blocks {
			return nil, fmt.Errorf("group %d of %d", k, q.blocks)
		}
	}
	return q, nil
}

// zeros reads the zero points: numbers, or packed as the data, row by row; half of the
// range where there are none.
func (q *nbits) zeros(t *tensor.Tensor) error {
	q.zero = make([]float64, len(q.scale))
	if t == nil {
		for i := range q.zero {
			q.zero[i] = float64(int(1) << (q.bits - 1))
		}
		return nil
	}
	if t.DType != tensor.Uint8 {
		z, err := floats(t)
		if err == nil && len(z) != len(q.zero) {
			err = fmt.Errorf("%d zero points for %d scales", len(z), len(q.zero))
		}
		q.zero = z
		return err
	}
	row := (q.blocks*q.bits + 7) / 8
	z := tensor.Of[uint8](t)
	if len(z) != q.rows*row {
		return fmt.Errorf("%d bytes of zero points for %d rows of %d blocks", len(z), q.rows, q.blocks)
	}
	for i := range q.zero {
		q.zero[i] = field(z[i/q.blocks*row:], i%q.blocks, q.bits)
	}
	return nil
}

// field is number k of those of so many bits in bytes.
func field(b []uint8, k, bits int) float64 {
	k *= bits
	return float64(b[k/8] >> (k % 8) & (1<<bits - 1))
}

// at is the number in row i and column k.
func (q *nbits) at(i, k int) float64 {
	j := k / q.block
	if q.group != nil {
		j = q.group[k]
	}
	j += i * q.blocks
	return (field(q.data[i*q.size:], k, q.bits) - q.zero[j]) * q.scale[j]
}

// nbitsMatrix is the right matrix [K N] of a MatMulNBits, in the type of its scales.
func nbitsMatrix(n *graph.Node, in []*tensor.Tensor) (*tensor.Tensor, error) {
	if n.Int("weight_prepacked", 0) != 0 {
		return nil, fmt.Errorf("its weight is laid out for one device: export the network without packing it before")
	}
	q, err := nbitsOf(n.Int("bits", 4), n.Int("block_size", 0), n.Int("N", 0), n.Int("K", 0), arg(in, 1), arg(in, 2), arg(in, 3), arg(in, 4))
	if err != nil {
		return nil, err
	}
	y := make([]float64, q.rows*q.cols)
	for i := range q.rows {
		for k := range q.cols {
			y[k*q.rows+i] = q.at(i, k)
		}
	}
	return ofFloats(in[2].DType, []int{q.cols, q.rows}, y)
}

// PackedBits says how many numbers a constant of bytes holds for a node, and how many of
// them are not zero; false where it holds none of few bits, or they cannot be read.
func PackedBits(n *graph.Node, v *graph.Value) (numbers, nonZero int64, ok bool) {
	in := make([]*tensor.Tensor, 5)
	for i := range in {
		if w := n.In(i); w != nil {
			in[i] = w.Const
		}
	}
	var q *nbits
	var err error
	switch {
	case n.Domain != ContribDomain:
		return 0, 0, false
	case n.Op == "MatMulNBits" && n.In(1) == v && n.Int("weight_prepacked", 0) == 0 && in[2] != nil:
		q, err = nbitsOf(n.Int("bits", 4), n.Int("block_size", 0), n.Int("N", 0), n.Int("K", 0), in[1], in[2], in[3], in[4])
	case n.Op == "GatherBlockQuantized" && n.In(0) == v && in[0] != nil && in[0].Rank() == 2 && in[2] != nil:
		q, err = nbitsOf(n.Int("bits", 4), n.Int("block_size", 128), in[0].Shape[0], in[0].Shape[1]*8/max(1, n.Int("bits", 4)), in[0], in[2], in[3], nil)
	default:
		return 0, 0, false
	}
	if err != nil {
		return 0, 0, false
	}
	for i := range q.rows {
		for k := range q.cols {
			if q.at(i, k) != 0 {
				nonZero++
			}
		}
	}
	return int64(q.rows) * int64(q.cols), nonZero, true
}

// gatheredBits are the rows of a GatherBlockQuantized.
func gatheredBits(n *graph.Node, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
	bits, t := n.Int("bits", 4), in[0]
	if t.DType == tensor.Int4 || t.DType == tensor.Uint4 {
		return gathered4(n, in)
	}
	if t.Rank() != 2 || n.Int("gather_axis", 0) != 0 || n.Int("quantize_axis", 1) != 1 && n.Int("quantize_axis", 1) != -1 || bits < 1 {
		return nil, fmt.Errorf("%v is not a table whose rows are in blocks", t)
	}
	cols := t.Shape[1] * 8 / bits
	q, err := nbitsOf(bits, n.Int("block_size", 128), t.Shape[0], cols, t, in[2], arg(in, 3), nil)
	if err != nil {
		return nil, err
	}
	at, err := intsOf(in[1])
	if err != nil {
		return nil, err
	}
	shape := append(append([]int{}, in[1].Shape...), cols)
	if _, ok := tensor.Size(shape); !ok {
		return nil, fmt.Errorf("%v is too large", shape)
	}
	y := make([]float64, len(at)*cols)
	for i, row := range at {
		if row < 0 {
			row += q.rows
		}
		if row < 0 || row >= q.rows {
			continue // zeros, other than in Gather
		}
		for k := range cols {
			y[i*cols+k] = q.at(row, k)
		}
	}
	return single(ofFloats(in[2].DType, shape, y))
}

var _ = register(
	// MatMulNBits(A, bytes [N blocks bytes], scales, zero points, groups, bias).
	Def{Domain: ContribDomain, Name: "MatMulNBits",
		Infer: func(c *Infer) error {
			x, err := c.ranked()
			if x == nil {
				return err
			}
			k, out := len(x.Shape)-1, slices.Clone(x.Shape)
			if k < 0 || x.Shape[k].Known() && x.Shape[k].Mul != c.Node.Int("K", 0) {
				return fmt.Errorf("the last axis of %v is not %d", x.Shape, c.Node.Int("K", 0))
			}
			out[k] = graph.N(c.Node.Int("N", 0))
			c.Out(0, x.DType, out)
			return nil
		},
		Eval: func(n *graph.Node, opset int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			w, err := nbitsMatrix(n, in)
			if err == nil {
				w, err = Convert(w, in[0].DType)
			}
			if err != nil {
				return nil, err
			}
			y, err := Lookup("", "MatMul").Eval(&graph.Node{}, 13, []*tensor.Tensor{in[0], w})
			if err != nil || arg(in, 5) == nil {
				return y, err
			}
			return Lookup("", "Add").Eval(&graph.Node{}, 13, []*tensor.Tensor{y[0], in[5]})
		},
		Decompose: func(b *Builder, n *graph.Node) ([]*graph.Value, error) {
			in := make([]*tensor.Tensor, 6)
			for i := 1; i < 5; i++ {
				if v := n.In(i); v != nil {
					if in[i] = v.Const; v.Const == nil {
						return nil, fmt.Errorf("its weight is not constant")
					}
				}
			}
			w, err := nbitsMatrix(n, in)
			if err == nil {
				w, err = Convert(w, n.In(0).DType)
			}
			if err != nil {
				return nil, err
			}
			return one(added(b, b.Op("MatMul", n.In(0), b.Const(w)), n.In(5)))
		},
		MACs: func(n *graph.Node) int64 {
			s := n.Out(0).Shape
			return int64(s.Size(0, len(s)).Times(graph.N(n.Int("K", 0))).Mul)
		},
		Params: func(*graph.Node) []Param { return []Param{{In: 1, Part: Quantised}, {In: 5, Part: Bias}} }},

	// GatherBlockQuantized(bytes [rows bytes], rows to look up, scales, zero points).
	Def{Domain: ContribDomain, Name: "GatherBlockQuantized", Grad: noGrad,
		Infer: func(c *Infer) error {
			t, at, err := c.pair()
			if err != nil {
				return err
			}
			s, err := c.In(2)
			if err != nil {
				return err
			}
			if t.Shape == nil || at.Shape == nil {
				c.Out(0, s.DType, nil)
				return nil
			}
			if t.DType == tensor.Int4 || t.DType == tensor.Uint4 {
				a, err := axis(c.Node.Int("gather_axis", 0), len(t.Shape))
				if err == nil {
					c.Out(0, s.DType, slices.Concat(t.Shape[:a], at.Shape, t.Shape[a+1:]))
				}
				return err
			}
			bits := c.Node.Int("bits", 4)
			if t.DType != tensor.Uint8 || len(t.Shape) != 2 || !t.Shape[1].Known() || bits < 1 {
				return fmt.Errorf("%v %v is not a table of bytes", t.DType, t.Shape)
			}
			c.Out(0, s.DType, append(slices.Clone(at.Shape), graph.N(t.Shape[1].Mul*8/bits)))
			return nil
		},
		Eval:   func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) { return gatheredBits(n, in) },
		Params: func(*graph.Node) []Param { return []Param{{In: 0, Part: Quantised}} }},
)

// gathered4 is a GatherBlockQuantized of numbers of 4 bits, which have a type of their
// own: all are scaled, and then looked up.
func gathered4(n *graph.Node, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
	scale := &graph.Node{Attrs: []graph.Attr{graph.MakeAttr("axis", n.Int("quantize_axis", 1)), graph.MakeAttr("block_size", n.Int("block_size", 128))}}
	x, err := Lookup("", "DequantizeLinear").Eval(scale, 21, []*tensor.Tensor{in[0], in[2], arg(in, 3)})
	if err != nil {
		return nil, err
	}
	return Lookup("", "Gather").Eval(&graph.Node{Attrs: []graph.Attr{graph.MakeAttr("axis", n.Int("gather_axis", 0))}}, 13, []*tensor.Tensor{x[0], in[1]})
}
