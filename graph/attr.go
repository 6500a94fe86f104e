package graph

import "pare/tensor"

// AttrKind is the type of an attribute; the numbers are ONNX's AttributeType.
type AttrKind uint8

// The kinds of attributes that Pare interprets.
const (
	AttrFloat   AttrKind = 1
	AttrInt     AttrKind = 2
	AttrString  AttrKind = 3
	AttrTensor  AttrKind = 4
	AttrGraph   AttrKind = 5
	AttrFloats  AttrKind = 6
	AttrInts    AttrKind = 7
	AttrStrings AttrKind = 8
	AttrTensors AttrKind = 9
	AttrGraphs  AttrKind = 10
)

// Attr is a named constant of a node. Kind says which field holds it.
type Attr struct {
	Name    string
	Kind    AttrKind
	F       float32
	I       int64
	S       string
	T       *tensor.Tensor
	G       *Graph
	Floats  []float32
	Ints    []int64
	Strings []string
	Tensors []*tensor.Tensor
	Graphs  []*Graph
	Raw     []byte // an attribute of another kind, as wire bytes
	Unknown []byte // what else the file says of it
}

// Attr finds an attribute by name, or nil.
func (n *Node) Attr(name string) *Attr {
	for i := range n.Attrs {
		if n.Attrs[i].Name == name {
			return &n.Attrs[i]
		}
	}
	return nil
}

// Int is an integer attribute, or def where it is left out.
func (n *Node) Int(name string, def int) int {
	if a := n.Attr(name); a != nil && a.Kind == AttrInt {
		return int(a.I)
	}
	return def
}

// Float is a float attribute, or def.
func (n *Node) Float(name string, def float32) float32 {
	if a := n.Attr(name); a != nil && a.Kind == AttrFloat {
		return a.F
	}
	return def
}

// Str is a string attribute, or def.
func (n *Node) Str(name, def string) string {
	if a := n.Attr(name); a != nil && a.Kind == AttrString {
		return a.S
	}
	return def
}

// Ints is a copy of a list-of-integers attribute, or nil where it is left out.
func (n *Node) Ints(name string) []int {
	a := n.Attr(name)
	if a == nil || a.Kind != AttrInts {
		return nil
	}
	o := make([]int, len(a.Ints))
	for i, v := range a.Ints {
		o[i] = int(v)
	}
	return o
}

// Set adds or replaces an attribute. The value is an int, int64, float32,
// float64, string, []int, []int64, []float32, []string, *tensor.Tensor or *Graph.
func (n *Node) Set(name string, v any) *Node {
	a := MakeAttr(name, v)
	if old := n.Attr(name); old != nil {
		*old = a
	} else {
		n.Attrs = append(n.Attrs, a)
	}
	return n
}

// MakeAttr makes an attribute of a Go value; see Set. It panics on other types.
func MakeAttr(name string, v any) Attr {
	a := Attr{Name: name}
	switch v := v.(type) {
	case int:
		a.Kind, a.I = AttrInt, int64(v)
	case int64:
		a.Kind, a.I = AttrInt, v
	case tensor.DType:
		a.Kind, a.I = AttrInt, int64(v)
	case float32:
		a.Kind, a.F = AttrFloat, v
	case float64:
		a.Kind, a.F = AttrFloat, float32(v)
	case string:
		a.Kind, a.S = AttrString, v
	case []int:
		a.Kind, a.Ints = AttrInts, make([]int64, len(v))
		for i, x := range v {
			a.Ints[i] = int64(x)
		}
	case []int64:
		a.Kind, a.Ints = AttrInts, v
	case []float32:
		a.Kind, a.Floats = AttrFloats, v
	case []string:
		a.Kind, a.Strings = AttrStrings, v
	case *tensor.Tensor:
		a.Kind, a.T = AttrTensor, v
	case *Graph:
		a.Kind, a.G = AttrGraph, v
	default:
		panic("graph: attribute " + name + " has a type that ONNX lacks")
	}
	return a
}
