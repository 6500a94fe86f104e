package objective

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"pare/graph"
	"pare/graph/op"
	"pare/onnx"
	"pare/tensor"
)

// Load reads the files of imported losses.
func (o Objective) Load() error {
	for i := range o {
		if o[i].Loss != File || o[i].Graph != nil {
			continue
		}
		var err error
		if o[i].Graph, err = onnx.Load(o[i].File); err != nil {
			return fmt.Errorf("loss: %w", err)
		}
	}
	return nil
}

// Import adds the loss of the term's file to the graph, its weight multiplied. values are
// all that its inputs may be bound to, by the names of outputs and targets; Bind says which
// where an input has another name.
func (t Term) Import(b *op.Builder, loss *graph.Graph, values map[string]*graph.Value) (*graph.Value, error) {
	bind := maps.Clone(values)
	for _, in := range slices.Sorted(maps.Keys(t.Bind)) {
		name := t.Bind[in]
		if values[name] == nil {
			return nil, fmt.Errorf("loss %s: input %q is bound to %q, which is no output and no target%s: there are %s", t.File, in, name, meant(name, names(values)), listed(values))
		}
		if !slices.ContainsFunc(loss.Inputs, func(v *graph.Value) bool { return v.Name == in }) {
			return nil, fmt.Errorf("loss %s: it has no input %q%s: it has %s", t.File, in, meant(in, valueNames(loss.Inputs)), described(loss.Inputs))
		}
		bind[in] = values[name]
	}
	v, err := Import(b, loss, bind)
	if err != nil {
		return nil, fmt.Errorf("loss %s: %w", t.File, err)
	}
	return Weigh(b, v, t.Weight)
}

// Import adds copies of the nodes of a loss to the graph of b and gives what its output
// becomes, a float32 scalar of shape []. The loss is a graph whose inputs are named as
// those of bind, which are outputs of the network and targets, in the layout in which the
// network and the data have them; its output is one number, [] or [1]. Of several outputs
// that named "loss" is taken. Its constants are not trained. Numbers of other widths are
// computed in float32, whole numbers are cast to the width that the loss takes, and
// operators keep the meaning that they have in the loss's opset. The loss itself stays as it
// is.
//
// Errors name what does not fit: an input that is bound to nothing, a type or a shape, an
// output that is not one number, an operator that is not known or would mean something
// else in the opset of b.
func Import(b *op.Builder, loss *graph.Graph, bind map[string]*graph.Value) (*graph.Value, error) {
	c, _ := loss.Clone(false) // what is changed is not the contents of constants
	out, err := theLoss(c)
	if err != nil {
		return nil, err
	}
	c.Outputs = []*graph.Value{out}
	c.Usage = graph.Usage{}
	c.Prune()
	if err := op.Check(c); err != nil {
		return nil, err
	}
	if _, err := op.ToFloat32(c); err != nil {
		return nil, err
	}
	if err := fit(c, bind); err != nil {
		return nil, err
	}
	freeze(c)
	if _, err := op.SimplifyAll(c); err != nil {
		return nil, err
	}
	freeze(c)
	if err := meet(b.G, c); err != nil {
		return nil, err
	}
	return inline(b, c, bind)
}

// theLoss is the output that is the loss.
func theLoss(g *graph.Graph) (*graph.Value, error) {
	var out *graph.Value
	for _, o := range g.Outputs {
		if len(g.Outputs) == 1 || o.Name == "loss" {
			out = o
		}
	}
	switch {
	case len(g.Outputs) == 0:
		return nil, errors.New("it has no output")
	case out == nil:
		return nil, fmt.Errorf("it has the outputs %s, and none is called loss: name the one that is to be made small so", described(g.Outputs))
	case out.From == nil:
		return nil, fmt.Errorf("its output %q is not computed", out.Name)
	case out.DType != tensor.Undefined && !out.DType.IsFloat():
		return nil, fmt.Errorf("its output %q is %v: a loss is a floating-point number", out.Name, out.DType)
	}
	return out, nil
}

// fit gives the inputs of a loss the types and shapes of what they are bound to, where these
// go together.
func fit(g *graph.Graph, bind map[string]*graph.Value) error {
	uses := g.Uses()
	sizes := map[string]graph.Dim{} // of symbols
	said := map[string]string{}
	for _, in := range g.Inputs {
		if len(uses[in]) == 0 {
			continue
		}
		v := bind[in.Name]
		if v == nil {
			return unbound(in, bind)
		}
		if !suits(in, v) {
			return fmt.Errorf("its input %q is %v%v, and what it is bound to, %q, is %v%v", in.Name, in.DType, in.Shape, v.Name, v.DType, v.Shape)
		}
		for i, d := range in.Shape {
			if d.Known() || d.Mul != 1 {
				continue
			}
			x := v.Shape[i]
			if old, ok := sizes[d.Sym]; ok && old.Known() && x.Known() && old != x {
				return fmt.Errorf("its size %q is %v in %s and %v in axis %d of input %q, %v", d.Sym, old, said[d.Sym], x, i, in.Name, v.Shape)
			}
			sizes[d.Sym], said[d.Sym] = x, fmt.Sprintf("axis %d of input %q", i, in.Name)
		}
		in.Shape = slices.Clone(v.Shape)
	}
	return nil
}

// suits says whether a value may be bound to an input, but for what its symbols stand for.
func suits(in, v *graph.Value) bool {
	d, e := in.DType, v.DType
	if d != e && !(d.IsInt() && e.IsInt()) && d != tensor.Undefined {
		return false
	}
	return in.Shape == nil || agree(in.Shape, v.Shape)
}

// unbound is the error for an input whose name nothing has.
func unbound(in *graph.Value, bind map[string]*graph.Value) error {
	fits := map[string]*graph.Value{}
	for name, v := range bind {
		if suits(in, v) {
			fits[name] = v
		}
	}
	way := fmt.Sprintf("none of %s is like it", listed(bind))
	if len(fits) > 0 {
		way = fmt.Sprintf("those that would fit are %s: rename it, or bind it with onnx:FILE(%s=NAME)", listed(fits), quoted(in.Name))
	}
	return fmt.Errorf("its input %q %v%v has the name of no output and no target%s; %s", in.Name, in.DType, in.Shape, meant(in.Name, names(bind)), way)
}

// freeze makes all constants such that are not trained.
func freeze(g *graph.Graph) {
	for _, v := range g.Consts() {
		v.Role = graph.Frozen
	}
}

// meet makes a loss one that can stand in a graph of other versions.
func meet(g, loss *graph.Graph) error {
	for domain, v := range loss.Opset {
		w, ok := g.Opset[domain]
		switch {
		case !ok:
			g.Opset[domain] = v
		case v == w:
		case domain != "":
			return fmt.Errorf("it is of version %d of the operators of %q, and the network of version %d: export it with that one", v, domain, w)
		default:
			if err := op.Reversion(loss, w); err != nil {
				return fmt.Errorf("%w: export the loss with opset %d, that of the network", err, w)
			}
		}
	}
	return nil
}

// inline moves the nodes of a loss to the graph of b.
func inline(b *op.Builder, c *graph.Graph, bind map[string]*graph.Value) (*graph.Value, error) {
	out := c.Outputs[0]
	c.Outputs = nil
	for _, in := range c.Inputs {
		v := bind[in.Name]
		if v == nil {
			continue // nothing reads it
		}
		if in.DType != v.DType && in.DType != tensor.Undefined {
			v = b.Attr("Cast", []graph.Attr{graph.MakeAttr("to", in.DType)}, v)
		}
		c.ReplaceUses(in, v)
	}
	keep := map[*graph.Value]bool{}
	for _, v := range bind {
		keep[v] = true
	}
	rename(b.G, c, b.Stem, keep)
	for _, n := range c.Nodes {
		b.Append(n)
	}
	if err := b.Err(); err != nil {
		return nil, err
	}
	one := len(out.Shape) == 0 || len(out.Shape) == 1 && out.Shape[0] == graph.N(1)
	if out.Shape == nil || !one || out.DType != tensor.Float32 {
		return nil, fmt.Errorf("its output %q is %v%v: a loss is one number, of shape [] or [1]; end it in a mean or a sum", out.Name, out.DType, out.Shape)
	}
	if len(out.Shape) == 1 {
		out = b.Squeeze(out, 0)
	}
	return out, b.Err()
}

// rename gives all that a graph holds names that are new in g, those of subgraphs too.
func rename(g, c *graph.Graph, stem string, seen map[*graph.Value]bool) {
	value := func(v *graph.Value) {
		if v != nil && !seen[v] {
			seen[v] = true
			v.Name = g.Fresh(stem + "/" + v.Name)
		}
	}
	for _, v := range c.Consts() {
		value(v)
	}
	for _, n := range c.Nodes {
		n.Name = g.Fresh(stem + "/" + n.Name)
		for _, o := range n.Outputs {
			value(o)
		}
		for _, s := range n.Subgraphs() {
			for _, v := range s.Inputs {
				value(v)
			}
			rename(g, s, stem, seen)
		}
	}
}

func valueNames(vs []*graph.Value) []string {
	var out []string
	for _, v := range vs {
		out = append(out, v.Name)
	}
	return out
}

func names(of map[string]*graph.Value) []string { return slices.Sorted(maps.Keys(of)) }

// described lists values with their types.
func described(vs []*graph.Value) string {
	var out []string
	for _, v := range vs {
		out = append(out, fmt.Sprintf("%q %v%v", v.Name, v.DType, v.Shape))
	}
	if len(out) == 0 {
		return "nothing"
	}
	return strings.Join(out, ", ")
}

// listed is described, by other names.
func listed(of map[string]*graph.Value) string {
	var out []string
	for _, name := range names(of) {
		out = append(out, fmt.Sprintf("%q %v%v", name, of[name].DType, of[name].Shape))
	}
	if len(out) == 0 {
		return "nothing"
	}
	return strings.Join(out, ", ")
}
