package op

import (
	bytes "encoding/binary"
	"fmt"

	"pare/graph"
	"pare/tensor"
)

// BitCast takes the bits of each element for those of another type of the same
// width.
var _ = register(Def{Name: "BitCast", Grad: noGrad,
	Infer: func(c *Infer) error {
		x, err := c.In(0)
		if err != nil {
			return err
		}
		to := tensor.DType(c.Node.Int("to", 0))
		if !to.Valid() || to == tensor.String || x.DType != tensor.Undefined && x.DType.Size() != to.Size() {
			return fmt.Errorf("the bits of %v cannot be read as data type %d", x.DType, c.Node.Int("to", 0))
		}
		c.Out(0, to, x.Shape)
		return nil
	},
	Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
		out, err := alloc(tensor.DType(n.Int("to", 0)), in[0].Shape...)
		if err != nil {
			return nil, err
		}
		if out.Bytes() != in[0].Bytes() {
			return nil, fmt.Errorf("the bits of %v cannot be read as %v", in[0], out)
		}
		b, err := bytes.Append(nil, bytes.LittleEndian, in[0].Data)
		if err != nil {
			return nil, err
		}
		_, err = bytes.Decode(b, bytes.LittleEndian, out.Data)
		return single(out, err)
	}})
