package op

import (
	"fmt"
	"math"
	"slices"

	"pare/graph"
	"pare/tensor"
)

// Operators of ai.onnx.ml that look values up: integers, numbers or strings.

// mapping is what a LabelEncoder or a CategoryMapper maps: keys to values, others to
// other.
type mapping struct {
	keys, values, other *tensor.Tensor
}

// mappingOf reads the attributes of a node. A LabelEncoder has tensors, or lists by type;
// in its first version and in a CategoryMapper strings stand beside integers, which say
// with the type of the input which are the keys.
func mappingOf(n *graph.Node, in tensor.DType) (*mapping, error) {
	m := &mapping{keys: listOf(n, "keys"), values: listOf(n, "values")}
	if names := stringsAttr(n, "cats_strings"); names != nil {
		m.keys, m.values = tensor.Vector(slices.Clone(names)...), listOf(n, "cats")
	} else if names := stringsAttr(n, "classes_strings"); names != nil {
		m.keys = tensor.Vector(slices.Clone(names)...)
		m.values = tensor.New(tensor.Int64, len(names))
		for i := range names {
			tensor.Of[int64](m.values)[i] = int64(i)
		}
	}
	if n.Attr("classes_strings") != nil || n.Attr("cats_strings") != nil {
		if in != tensor.String {
			m.keys, m.values = m.values, m.keys
		}
	}
	if m.keys == nil || m.values == nil || m.keys.Len() != m.values.Len() {
		return nil, fmt.Errorf("its keys and values are missing, or not as many")
	}
	switch m.values.DType {
	case tensor.String:
		m.other = tensor.Vector(n.Str("default_string", "_Unused"))
	case tensor.Float32:
		m.other = tensor.Vector(n.Float("default_float", float32(math.Copysign(0, -1))))
	case tensor.Int64:
		m.other = tensor.Vector(int64(n.Int("default_int64", -1)))
	default:
		m.other = tensor.New(m.values.DType, 1)
	}
	if a := n.Attr("default_tensor"); a != nil && a.T != nil && a.T.Len() == 1 {
		m.other = a.T
	}
	if m.other.DType != m.values.DType {
		return nil, fmt.Errorf("its default is %v, its values are %v", m.other.DType, m.values.DType)
	}
	return m, nil
}

// listOf is the list of an attribute PREFIX_tensor, PREFIX_int64s, PREFIX_floats or
// PREFIX_strings; nil where there is none.
func listOf(n *graph.Node, prefix string) *tensor.Tensor {
	if a := n.Attr(prefix + "_tensor"); a != nil && a.T != nil {
		return a.T
	}
	if a := n.Attr(prefix + "_int64s"); a != nil && a.Ints != nil {
		return tensor.Vector(slices.Clone(a.Ints)...)
	}
	if f := floatsAttr(n, prefix+"_floats"); f != nil {
		return tensor.Vector(slices.Clone(f)...)
	}
	if s := stringsAttr(n, prefix+"_strings"); s != nil {
		return tensor.Vector(slices.Clone(s)...)
	}
	return nil
}

// notANumber is the key of every NaN.
var notANumber any = struct{}{}

// keysOf are the elements of a tensor as keys of a map, every NaN the same.
func keysOf(t *tensor.Tensor) ([]any, error) {
	out := make([]any, t.Len())
	if s, ok := t.Data.([]string); ok {
		for i, x := range s {
			out[i] = x
		}
		return out, nil
	}
	f, err := t.Float64s()
	if err != nil {
		return nil, err
	}
	for i, x := range f {
		if out[i] = x; math.IsNaN(x) {
			out[i] = notANumber
		}
	}
	return out, nil
}

// looked maps each element of x. Of keys that are the same, the last counts from version 4
// of the domain on, before it the first, as in ONNX Runtime; and no NaN is a key before.
func (m *mapping) looked(x *tensor.Tensor, version int) (*tensor.Tensor, error) {
	if (x.DType == tensor.String) != (m.keys.DType == tensor.String) {
		return nil, fmt.Errorf("its keys are %v, its input is %v", m.keys.DType, x.DType)
	}
	keys, err := keysOf(m.keys)
	if err != nil {
		return nil, err
	}
	ask, err := keysOf(x)
	if err != nil {
		return nil, err
	}
	at := map[any]int{}
	for i, k := range keys {
		if _, again := at[k]; version >= 4 || !again && k != notANumber {
			at[k] = i
		}
	}
	if s, ok := m.values.Data.([]string); ok {
		y := make([]string, len(ask))
		for i, k := range ask {
			if j, ok := at[k]; ok {
				y[i] = s[j]
			} else {
				y[i] = tensor.Of[string](m.other)[0]
			}
		}
		return tensor.From(y, x.Shape...), nil
	}
	v, other, err := bothFloats(m.values, m.other)
	if err != nil {
		return nil, err
	}
	y := make([]float64, len(ask))
	for i, k := range ask {
		y[i] = other[0]
		if j, ok := at[k]; ok {
			y[i] = v[j]
		}
	}
	return ofFloats(m.values.DType, x.Shape, y)
}

// lookup is the definition of a LabelEncoder or a CategoryMapper.
func lookup(name string) Def {
	return Def{Domain: LearnedDomain, Name: name, Grad: noGrad,
		Infer: func(c *Infer) error {
			m, err := mappingOf(c.Node, c.DType(0))
			if err != nil {
				return err
			}
			c.Out(0, m.values.DType, c.Shape(0))
			return nil
		},
		Eval: func(n *graph.Node, version int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			m, err := mappingOf(n, in[0].DType)
			if err != nil {
				return nil, err
			}
			return single(m.looked(in[0], version))
		}}
}

var _ = register(
	lookup("LabelEncoder"),
	lookup("CategoryMapper"),

	// OneHotEncoder gives each element an axis with a one where its category stands.
	Def{Domain: LearnedDomain, Name: "OneHotEncoder", Grad: noGrad,
		Infer: func(c *Infer) error {
			cats := listOf(c.Node, "cats")
			if cats == nil {
				return fmt.Errorf("it has no categories")
			}
			s := c.Shape(0)
			if s != nil {
				s = append(slices.Clone(s), graph.N(cats.Len()))
			}
			c.Out(0, tensor.Float32, s)
			return nil
		},
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			cats := listOf(n, "cats")
			keys, err := keysOf(cats)
			if err != nil {
				return nil, err
			}
			x := in[0]
			if x.DType.IsFloat() { // numbers are cut to integers
				if x, err = Convert(x, tensor.Int64); err != nil {
					return nil, err
				}
			}
			ask, err := keysOf(x)
			if err != nil {
				return nil, err
			}
			y := tensor.New(tensor.Float32, append(slices.Clone(x.Shape), len(keys))...)
			for i, k := range ask {
				j := slices.Index(keys, k)
				if j < 0 && n.Int("zeros", 1) == 0 {
					return nil, fmt.Errorf("%v is none of its categories", k)
				} else if j >= 0 {
					y.F32()[i*len(keys)+j] = 1
				}
			}
			return single(y, nil)
		}},

	// ZipMap makes maps of rows. Here its output is the rows that it is given: the values
	// of the maps, in the order of their keys.
	Def{Domain: LearnedDomain, Name: "ZipMap",
		Infer: sameAs,
		Eval: func(_ *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			return single(in[0].Clone(), nil)
		},
		Grad: func(_ *Builder, _ *graph.Node, dy []*graph.Value) ([]*graph.Value, error) { return dy[:1], nil }},
)
