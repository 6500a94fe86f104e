package op

import (
	"fmt"

	"pare/graph"
	"pare/tensor"
)

// Infer is what an operator's Infer sees: the node, the opset version of its
// domain, and what is known of the contents of small integer tensors, which
// carry shapes.
type Infer struct {
	Node  *graph.Node
	Opset int
	dims  map[*graph.Value][]graph.Dim
}

// maxContents bounds the integer tensors whose contents are followed.
const maxContents = 256

// InferAll sets the types and shapes of all values from those of the inputs
// and initialisers; what comes out of operators that are not known stays as it is
// (Check). Errors name the node.
func InferAll(g *graph.Graph) error {
	_, err := inferAll(g)
	return err
}

// Contents infers a graph and gives what is known of the elements of its small
// integer tensors that nodes compute. Elements that are not numbers are symbols.
func Contents(g *graph.Graph) (map[*graph.Value][]graph.Dim, error) { return inferAll(g) }

// Bind gives the symbols of the network's inputs their sizes, and infers what
// follows.
func Bind(g *graph.Graph, sizes map[string]int) error {
	for _, v := range g.Inputs {
		v.Shape = v.Shape.Bind(sizes)
	}
	return InferAll(g)
}

func inferAll(g *graph.Graph) (map[*graph.Value][]graph.Dim, error) {
	dims := map[*graph.Value][]graph.Dim{}
	for _, n := range g.Nodes {
		if err := inferNode(g, n, dims); err != nil {
			return nil, err
		}
	}
	return dims, nil
}

func inferNode(g *graph.Graph, n *graph.Node, dims map[*graph.Value][]graph.Dim) error {
	d := Lookup(n.Domain, n.Op)
	if d == nil {
		return nil // its outputs stay as the file says
	}
	if d.Infer == nil {
		return at(n, fmt.Errorf("no shape rule"))
	}
	if err := checkTypes(n); err != nil {
		return at(n, err)
	}
	c := &Infer{n, g.Version(n.Domain), dims}
	said := make([]graph.Value, len(n.Outputs))
	for i, o := range n.Outputs {
		delete(dims, o)
		if o != nil {
			said[i] = *o
		}
	}
	if err := safely(func() error { return d.Infer(c) }); err != nil {
		return at(n, err)
	}
	if err := safely(func() error { return fits(d, n) }); err != nil {
		return at(n, err)
	}
	c.follow(d)
	// What cannot be told, behind an operator that is not known, is as the file says: types,
	// and the shapes of outputs, which do not change when a network is cut.
	for i, o := range n.Outputs {
		if o == nil || o.DType != tensor.Undefined {
			continue
		}
		if o.DType = said[i].DType; o.Shape == nil && g.IsOutput(o) {
			o.Shape = said[i].Shape
		}
	}
	return nil
}

// fits asks what a definition demands of the shapes of its inputs, once all are known.
func fits(d *Def, n *graph.Node) error {
	if d.Fits == nil {
		return nil
	}
	in := make([][]int, len(n.Inputs))
	for i, v := range n.Inputs {
		if v == nil {
			continue
		}
		s, ok := v.Shape.Ints()
		if !ok {
			return nil
		}
		in[i] = append([]int{}, s...)
	}
	return d.Fits(n, in)
}

// shapesOf are the shapes of tensors as Fits takes them.
func shapesOf(in []*tensor.Tensor) [][]int {
	out := make([][]int, len(in))
	for i, t := range in {
		if t != nil {
			out[i] = append([]int{}, t.Shape...)
		}
	}
	return out
}

// safely turns a panic of a definition that met inputs or attributes of an
// impossible form into an error.
func safely(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("inputs or attributes do not suit the operator: %v", r)
		}
	}()
	return f()
}

// In is input i; an error where it is missing.
func (c *Infer) In(i int) (*graph.Value, error) {
	if v := c.Node.In(i); v != nil {
		return v, nil
	}
	return nil, fmt.Errorf("input %d is missing", i)
}

// ranked is input 0. Where its rank is not known, output 0 has its type and no
// shape, nothing else can be inferred, and ranked returns nil without an error.
func (c *Infer) ranked() (*graph.Value, error) { return c.rankedTo(c.DType(0)) }

// rankedTo is ranked for an output of another type.
func (c *Infer) rankedTo(d tensor.DType) (*graph.Value, error) {
	x, err := c.In(0)
	if err != nil {
		return nil, err
	}
	if x.Shape == nil {
		c.Out(0, d, nil)
		return nil, nil
	}
	return x, nil
}

// pair is inputs 0 and 1; an error where one is missing.
func (c *Infer) pair() (x, y *graph.Value, err error) {
	if x, err = c.In(0); err != nil {
		return nil, nil, err
	}
	if y, err = c.In(1); err != nil {
		return nil, nil, err
	}
	return x, y, nil
}

// rankedPair is ranked for inputs 0 and 1.
func (c *Infer) rankedPair() (x, y *graph.Value, err error) {
	if x, y, err = c.pair(); err != nil {
		return nil, nil, err
	}
	if x.Shape == nil || y.Shape == nil {
		c.Out(0, x.DType, nil)
		return nil, nil, nil
	}
	return x, y, nil
}

// Shape is the shape of input i, which may be of unknown rank (nil).
func (c *Infer) Shape(i int) graph.Shape {
	if v := c.Node.In(i); v != nil {
		return v.Shape
	}
	return nil
}

// DType is the type of input i, Undefined where it is left out.
func (c *Infer) DType(i int) tensor.DType {
	if v := c.Node.In(i); v != nil {
		return v.DType
	}
	return tensor.Undefined
}

// Out sets type and shape of output i, if the node has it.
func (c *Infer) Out(i int, d tensor.DType, s graph.Shape) {
	if v := c.Node.Out(i); v != nil {
		v.DType, v.Shape = d, s
	}
}

// Contents gives the elements of a small input of whole numbers, as far as
// they can be known before running: those of an initialiser, or dimensions that
// a chain of Shape, Gather, Concat, Cast … computed. False where they are not
// known.
func (c *Infer) Contents(i int) ([]graph.Dim, bool) {
	v := c.Node.In(i)
	if v == nil {
		return nil, false
	}
	if d, ok := c.dims[v]; ok {
		return d, true
	}
	if v.Const == nil || v.Role == graph.Param || v.Role == graph.Stat {
		return nil, false
	}
	return wholeNumbers(v.Const)
}

// Ints is Contents where every element is a number.
func (c *Infer) Ints(i int) ([]int, bool) {
	if v := c.Node.In(i); v != nil && v.Const != nil { // of any length
		if s, err := v.Const.Int64s(); err == nil {
			o := make([]int, len(s))
			for i, x := range s {
				o[i] = int(x)
			}
			return o, true
		}
	}
	d, ok := c.Contents(i)
	if !ok {
		return nil, false
	}
	return graph.Shape(d).Ints()
}

// SetContents records what output 0 will hold.
func (c *Infer) SetContents(d []graph.Dim) {
	if v := c.Node.Out(0); v != nil && len(d) <= maxContents {
		c.dims[v] = append([]graph.Dim{}, d...)
	}
}
