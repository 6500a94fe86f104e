// Package graph holds a network as a value that can be built, printed, cloned
// and rewritten.
//
// A [Graph] has nodes; a [Node] applies an operator to values; a [Value] is an
// input, an initialiser (its Const is set) or an output of a node. Nodes point
// to the values that they read and values to the node that makes them, so a
// rewrite changes pointers and names are only for people and files. A [Shape]
// may have sizes that are symbols, such as that of the batch; a [Role] says
// whether a constant is a weight, a running statistic or frozen.
//
// The operators' names and semantics are ONNX's, and the graph does not know
// them: package graph/op does. Operators that only training needs live in the
// domain [Pare] and are never written to a file.
package graph

import (
	"pare/tensor"
)

// Graph is a network. Nodes are kept in an order in which every value is
// produced before it is used (Sort restores it).
type Graph struct {
	Name    string
	Doc     string
	Inputs  []*Value // fed at run time; initialisers are not among them
	Outputs []*Value
	Nodes   []*Node
	Opset   map[string]int // version of each operator domain; "" is ai.onnx
	Meta    Meta
	Unknown []byte // fields of the file's graph that Pare does not know, kept as they were
	Usage   Usage

	names map[string]int // counters for fresh names
}

// Meta is what an ONNX model says of itself in addition to its graph.
type Meta struct {
	IRVersion       int64
	Producer        string
	ProducerVersion string
	Domain          string
	ModelVersion    int64
	Doc             string
	Props           []Prop         // metadata_props, in order
	Stored          []tensor.DType // of the outputs, as Stored of values; nil: none
	Unknown         []byte         // unknown fields and parts carried through unchanged, as wire bytes
}

// Prop is a key and a value of the metadata.
type Prop struct{ Key, Value string }

// Role says what an initialiser is for.
type Role uint8

// The roles of values.
const (
	Auto   Role = iota // not classified (see Classify)
	Param              // trained by gradient descent
	Stat               // running statistic of a normalisation, moved by training but not by a gradient
	Frozen             // constant of the computation
	Packed             // weight that is stored as integers, behind a DequantizeLinear: neither trained nor cut
)

// Value is a tensor in the graph: an input, an initialiser (Const set) or the
// output of a node.
type Value struct {
	Name  string
	DType tensor.DType
	Shape Shape          // nil where not known
	Const *tensor.Tensor // the contents of an initialiser
	Role  Role
	From  *Node // producer; nil for inputs and initialisers
	Doc   string

	Listed  bool   // of an output of a node: the file says its type and shape
	Unknown []byte // what else the file says of it

	// Stored is the floating-point type of a float32 value in the file, where all such
	// types are computed in float32 (op.Widen); it is written in it. Undefined: not known.
	Stored tensor.DType

	// Made is the node that an initialiser was computed by, of initialisers alone,
	// where it is larger than these; it is written in the initialiser's place.
	Made *Node
}

// IsConst says whether the value is an initialiser.
func (v *Value) IsConst() bool { return v != nil && v.Const != nil }

// Ints are the whole numbers of a constant; false where it is none.
func (v *Value) Ints() ([]int, bool) {
	if !v.IsConst() {
		return nil, false
	}
	s, err := v.Const.Int64s()
	if err != nil {
		return nil, false
	}
	out := make([]int, len(s))
	for i, x := range s {
		out[i] = int(x)
	}
	return out, true
}

// Node applies an operator.
type Node struct {
	Op      string
	Domain  string // "" is ai.onnx, "pare" is the training side
	Name    string
	Inputs  []*Value // nil where an optional input is left out
	Outputs []*Value // nil where an optional output is left out
	Attrs   []Attr
	Doc     string

	Unknown []byte
}

// Pare is the domain of operators that never appear in an exported file.
const Pare = "pare"

// New is an empty graph of the given ai.onnx opset.
func New(name string, opset int) *Graph {
	return &Graph{Name: name, Opset: map[string]int{"": opset}, Meta: Meta{IRVersion: 8, Producer: "pare"}}
}

// In is input i, or nil where it is left out.
func (n *Node) In(i int) *Value {
	if i < len(n.Inputs) {
		return n.Inputs[i]
	}
	return nil
}

// Out is output i, or nil where it is left out.
func (n *Node) Out(i int) *Value {
	if i < len(n.Outputs) {
		return n.Outputs[i]
	}
	return nil
}

// Is says whether the node applies an ai.onnx operator of one of the names.
func (n *Node) Is(ops ...string) bool {
	if n == nil || n.Domain != "" {
		return false
	}
	for _, o := range ops {
		if n.Op == o {
			return true
		}
	}
	return false
}

// Version is the opset version that gives the node's operator its meaning.
func (g *Graph) Version(domain string) int { return g.Opset[domain] }
