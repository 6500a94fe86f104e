package op

import (
	"fmt"
	"slices"

	"pare/graph"
	"pare/tensor"
)

// Widen is ToFloat32 for a network that will be written again: every value keeps in
// Stored the floating-point type that it has, and AsStored gives it back.
func Widen(g *graph.Graph) (tensor.DType, error) {
	if err := InferAll(g); err != nil {
		return tensor.Undefined, err
	}
	eachValue(g, func(v *graph.Value) {
		if v.DType.IsFloat() && v.Stored == tensor.Undefined {
			v.Stored = v.DType
		}
	})
	g.Meta.Stored = make([]tensor.DType, len(g.Outputs))
	for i, v := range g.Outputs {
		g.Meta.Stored[i] = v.Stored
	}
	return ToFloat32(g)
}

// eachValue visits the values of a graph and its subgraphs.
func eachValue(g *graph.Graph, f func(*graph.Value)) {
	for _, v := range g.Values() {
		f(v)
	}
	for _, n := range g.Nodes {
		for _, s := range n.Subgraphs() {
			eachValue(s, f)
		}
	}
}

// little is the size in bytes of constants that are not worth a node.
const little = 256

// leaves is the bytes of the initialisers that a constant is made of, in the types that
// they are stored in.
func leaves(v *graph.Value) int {
	if v == nil {
		return 0
	}
	if v.Made == nil {
		return stored(v) * v.Const.Len()
	}
	n := 0
	for _, x := range v.Made.Inputs {
		n += leaves(x)
	}
	return n
}

// stored is the bytes of an element in a file.
func stored(v *graph.Value) int {
	if v.Stored != tensor.Undefined {
		return v.Stored.Size()
	}
	return v.DType.Size()
}

// madeBy is what is to be written in the place of c, an output of n that was computed:
// nil where that is not smaller.
func madeBy(n *graph.Node, c *graph.Value) *graph.Node {
	if len(n.Outputs) != 1 || len(n.Captures()) > 0 {
		return nil
	}
	in := 0
	for _, v := range n.Inputs {
		if v == nil {
			continue
		}
		if !v.IsConst() {
			return nil
		}
		in += leaves(v)
	}
	if stored(c)*c.Const.Len() <= in+little {
		return nil
	}
	k := *n
	k.Inputs, k.Attrs = slices.Clone(n.Inputs), slices.Clone(n.Attrs)
	return &k
}

// AsStored gives the graph in the form in which it is written: values have the
// floating-point types that they had in the file, by casts where types meet, and
// constants that were computed of smaller ones are computed again. It is g itself where
// there is nothing of the kind, else a copy that shares the weights. It returns an error
// where a weight does not fit its type.
func AsStored(g *graph.Graph) (*graph.Graph, error) {
	made, types := false, g.Meta.Stored != nil
	for _, v := range g.Consts() {
		made = made || v.Made != nil
	}
	if !made && !types {
		return g, nil
	}
	c, _ := g.Clone(false)
	if made {
		unfold(c)
	}
	if !types {
		return c, nil
	}
	r := &restorer{top: c, dims: map[*graph.Value][]graph.Dim{}, cast: map[castKey]*graph.Value{}}
	for _, v := range c.Consts() {
		if v.Stored != tensor.Undefined {
			if err := r.narrow(v, v.Stored); err != nil {
				return nil, err
			}
		}
	}
	for _, v := range c.Inputs {
		if v.Stored != tensor.Undefined {
			v.DType = v.Stored
		}
	}
	c.Fresh("Cast") // the names are counted while all nodes are there
	if err := r.graph(c, g.Meta.Stored); err != nil {
		return nil, err
	}
	return c, c.Sort()
}

// unfold puts the nodes back that constants were made by. A constant that is no longer
// what its node gives stays as it is.
func unfold(g *graph.Graph) {
	done := map[*graph.Value]bool{}
	var nodes []*graph.Node
	var back func(v *graph.Value)
	back = func(v *graph.Value) {
		if v == nil || done[v] || v.Made == nil {
			return
		}
		done[v] = true
		n := v.Made
		v.Made = nil
		if !gives(g, n, v.Const) {
			return
		}
		for _, x := range n.Inputs {
			back(x)
		}
		v.Const, v.Role, v.From = nil, graph.Auto, n
		n.Outputs = []*graph.Value{v}
		nodes = append(nodes, n)
	}
	for _, v := range g.Consts() {
		back(v)
	}
	g.Nodes = append(nodes, g.Nodes...)
}

// gives says whether a node computes a constant, bit by bit.
func gives(g *graph.Graph, n *graph.Node, want *tensor.Tensor) bool {
	in := make([]*tensor.Tensor, len(n.Inputs))
	for i, v := range n.Inputs {
		if v != nil {
			if in[i] = v.Const; in[i] == nil {
				return false
			}
		}
	}
	d := Lookup(n.Domain, n.Op)
	if d == nil || d.Eval == nil {
		return false
	}
	out, err := evalNode(d, n, g.Version(n.Domain), in)
	return err == nil && len(out) > 0 && out[0] != nil && out[0].DType == want.DType &&
		slices.Equal(out[0].Shape, want.Shape) && want.DType != tensor.String && slices.Equal(out[0].Raw(), want.Raw())
}

type castKey struct {
	v *graph.Value
	d tensor.DType
}

// restorer gives the values of a graph their types back, node after node.
type restorer struct {
	top  *graph.Graph
	dims map[*graph.Value][]graph.Dim
	cast map[castKey]*graph.Value
}

// narrow gives an initialiser another type.
func (r *restorer) narrow(v *graph.Value, d tensor.DType) error {
	t, err := narrowed(v.Const, d)
	if err != nil {
		return fmt.Errorf("weight %q: %w", v.Name, err)
	}
	v.Const, v.DType, v.Stored = t, d, d
	return nil
}

// narrowed is a tensor as another floating-point type; an error where a number does not
// fit that.
func narrowed(t *tensor.Tensor, d tensor.DType) (*tensor.Tensor, error) {
	u, err := Convert(t, d)
	if err != nil || u == t {
		return u, err
	}
	if i := u.Finite(); i >= 0 && t.Finite() < 0 {
		return nil, fmt.Errorf("entry %d does not fit %v, the type that it has in the file: convert the network to float32 first", i, d)
	}
	return u, nil
}

// graph restores a graph whose inputs and initialisers are restored; out are the types
// that its outputs should have.
func (r *restorer) graph(g *graph.Graph, out []tensor.DType) error {
	nodes := g.Nodes
	g.Nodes = nil
	for _, n := range nodes {
		if err := r.node(g, n); err != nil {
			return err
		}
		g.Nodes = append(g.Nodes, n)
	}
	for i, v := range g.Outputs {
		want := v.Stored
		if len(out) == len(g.Outputs) && out[i] != tensor.Undefined {
			want = out[i]
		}
		if want == tensor.Undefined || v.DType == want || !v.DType.IsFloat() {
			continue
		}
		o := *v
		o.DType = want
		if v.Const == nil {
			v.Name, v.Unknown, v.Listed = r.top.Fresh(v.Name+"/"+v.DType.String()), nil, false
		}
		n := &graph.Node{Op: "Cast", Name: r.top.Fresh(o.Name + "/Cast"), Inputs: []*graph.Value{v}, Outputs: []*graph.Value{&o},
			Attrs: []graph.Attr{graph.MakeAttr("to", want)}}
		o.From, o.Const = n, nil
		g.Nodes, g.Outputs[i] = append(g.Nodes, n), &o
	}
	return nil
}

// ownType are the operators whose output is of a type that an attribute says, or not of
// that of their inputs.
var ownType = map[string]bool{"Cast": true, "CastLike": true, "QuantizeLinear": true, "DequantizeLinear": true, "Bernoulli": true, "EyeLike": true,
	"RandomNormalLike": true, "RandomUniformLike": true, "Loop": true, "Scan": true, "If": true, "OneHot": true, "ConstantOfShape": true, "Constant": true}

// node gives the inputs of a node types that go together, as far as they were said to
// be of others than its output is, and the output the type that follows.
func (r *restorer) node(g *graph.Graph, n *graph.Node) error {
	r.attrs(n)
	want := tensor.Undefined // of the output, where the inputs have it too
	if o := n.Out(0); o != nil && n.Domain == "" && !ownType[n.Op] {
		want = o.Stored
	}
	s := signatures[n.Op]
	for i, v := range n.Inputs {
		if v == nil || !v.DType.IsFloat() || n.Domain != "" || len(s.in) == 0 {
			continue
		}
		k := s.at(i)
		if k < 0 {
			continue
		}
		d := want
		if k != s.at(0) && (s.in[k].group == 0 || s.in[k].group != s.in[s.at(0)].group) || d == tensor.Undefined {
			d = r.common(n, s, k)
		}
		if d == tensor.Undefined || v.DType == d || !d.IsFloat() {
			continue
		}
		w, err := r.as(g, v, d)
		if err != nil {
			return at(n, err)
		}
		n.Inputs[i] = w
	}
	if err := r.bodies(g, n); err != nil {
		return err
	}
	return inferNode(r.top, n, r.dims)
}

// at is the place of input i in the signature; -1: it has none.
func (s signature) at(i int) int {
	if i < len(s.in) {
		return i
	}
	if s.more {
		return len(s.in) - 1
	}
	return -1
}

// common is the type of the inputs of group k of a signature: of the first whose type is
// known; where it has no such input, that of input 0 for normalisations, which older
// versions want of one type.
func (r *restorer) common(n *graph.Node, s signature, k int) tensor.DType {
	same := func(j int) bool { return j == k || j >= 0 && s.in[j].group != 0 && s.in[j].group == s.in[k].group }
	for i, v := range n.Inputs {
		if v != nil && same(s.at(i)) && v.DType.IsFloat() && (v.Const == nil || v.Stored != tensor.Undefined) {
			return v.DType
		}
	}
	if x := n.In(0); x != nil && n.Is("BatchNormalization", "RMSNormalization") {
		return x.DType
	}
	return tensor.Undefined
}

// as is a value in another type: a constant that is little, or of no type of its own, is
// converted, another value cast.
func (r *restorer) as(g *graph.Graph, v *graph.Value, d tensor.DType) (*graph.Value, error) {
	k := castKey{v, d}
	if w := r.cast[k]; w != nil {
		return w, nil
	}
	if v.Const != nil && (v.Stored == tensor.Undefined || v.Const.Bytes() <= little) {
		w := *v
		w.Name = r.top.Fresh(v.Name)
		if err := r.narrow(&w, d); err != nil {
			return nil, err
		}
		r.cast[k] = &w
		return &w, nil
	}
	n := g.Add("Cast", "", []*graph.Value{v}, []string{v.Name + "/" + d.String()}, graph.MakeAttr("to", d))
	n.Name, n.Outputs[0].Name = r.top.Fresh(n.Name), r.top.Fresh(n.Outputs[0].Name)
	n.Outputs[0].DType, n.Outputs[0].Shape = d, v.Shape
	if g == r.top { // others see only their own graph's
		r.cast[k] = n.Outputs[0]
	}
	return n.Outputs[0], nil
}

// attrs gives back the types that attributes name and the tensors that they hold.
func (r *restorer) attrs(n *graph.Node) {
	o := n.Out(0)
	if o == nil || o.Stored == tensor.Undefined {
		return
	}
	for i := range n.Attrs {
		a := &n.Attrs[i]
		switch {
		case a.Kind == graph.AttrInt && typeAttrs[a.Name] && tensor.DType(a.I) == tensor.Float32:
			a.I = int64(o.Stored)
		case a.Kind == graph.AttrTensor && a.T.DType == tensor.Float32 && n.Is("Constant", "ConstantOfShape"):
			if t, err := Convert(a.T, o.Stored); err == nil {
				a.T = t
			}
		}
	}
}

// bodies restores the subgraphs of a node. What a body takes has the type that it had,
// and the node is given it in that.
func (r *restorer) bodies(g *graph.Graph, n *graph.Node) error {
	for _, s := range n.Subgraphs() {
		for i, v := range s.Inputs {
			if v.Stored == tensor.Undefined {
				continue
			}
			v.DType = v.Stored
			if x := n.In(i); n.Is("Loop", "Scan") && x != nil && x.DType.IsFloat() && x.DType != v.DType {
				w, err := r.as(g, x, v.DType)
				if err != nil {
					return err
				}
				n.Inputs[i] = w
			}
		}
		if err := r.graph(s, nil); err != nil {
			return err
		}
	}
	return nil
}
