package op

import (
	"fmt"

	"pare/graph"
	"pare/tensor"
)

// typeAttrs are the attributes that name a type.
var typeAttrs = map[string]bool{"to": true, "dtype": true, "output_dtype": true, "output_datatype": true}

// ToFloat32 turns a network of float16, bfloat16 or float64 numbers into one of
// float32, in place: inputs, initialisers, and attributes that hold such numbers
// or name such a type. Shapes and types of the values between are left to
// inference. It gives the first type that it replaced, Undefined where all was
// float32 already. float64 values outside float32's range are refused.
func ToFloat32(g *graph.Graph) (tensor.DType, error) {
	found := tensor.Undefined
	other := func(d tensor.DType) bool {
		if d == tensor.Float32 || !d.IsFloat() {
			return false
		}
		if found == tensor.Undefined {
			found = d
		}
		return true
	}
	convert := func(what string, t *tensor.Tensor) (*tensor.Tensor, error) {
		u, err := t.ToFloat32()
		if err == nil && t.Finite() < 0 {
			if i := u.Finite(); i >= 0 {
				return nil, fmt.Errorf("%s: entry %d does not fit float32", what, i)
			}
		}
		return u, err
	}
	for _, v := range g.Values() {
		if !other(v.DType) {
			continue
		}
		v.DType = tensor.Float32
		if v.Const != nil {
			var err error
			if v.Const, err = convert(fmt.Sprintf("weight %q", v.Name), v.Const); err != nil {
				return found, err
			}
		}
	}
	for _, n := range g.Nodes {
		for i := range n.Attrs {
			a := &n.Attrs[i]
			switch {
			case a.Kind == graph.AttrTensor && other(a.T.DType):
				t, err := convert(fmt.Sprintf("attribute %q", a.Name), a.T)
				if err != nil {
					return found, at(n, err)
				}
				a.T = t
			case a.Kind == graph.AttrInt && typeAttrs[a.Name] && a.I > 0 && a.I < 256 && other(tensor.DType(a.I)):
				a.I = int64(tensor.Float32)
			case a.Kind == graph.AttrGraph:
				d, err := ToFloat32(a.G)
				if err != nil {
					return found, at(n, err)
				}
				if found == tensor.Undefined {
					found = d
				}
			}
		}
	}
	return found, nil
}
