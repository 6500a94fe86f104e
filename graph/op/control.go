package op

import (
	"fmt"
	"slices"
	"strings"

	"pare/graph"
	"pare/tensor"
)

// If, Loop and Scan run subgraphs that read values of the graph around them.

// bodyOf is a subgraph by the attribute's name.
func bodyOf(n *graph.Node, name string) (*graph.Graph, error) {
	if a := n.Attr(name); a != nil && a.G != nil {
		return a.G, nil
	}
	return nil, fmt.Errorf("there is no subgraph %q", name)
}

// inferBody infers a subgraph whose inputs have types and shapes.
func (c *Infer) inferBody(g *graph.Graph) error {
	for _, v := range g.Inputs {
		delete(c.dims, v)
	}
	for _, n := range g.Nodes {
		if err := inferNode(g, n, c.dims); err != nil {
			return fmt.Errorf("subgraph %q: %w", g.Name, err)
		}
	}
	return nil
}

// either is the type and shape of a value that is one of two.
func either(c *Infer, o int, a, b *graph.Value) (tensor.DType, graph.Shape) {
	d := a.DType
	if d == tensor.Undefined {
		d = b.DType
	}
	if a.Shape == nil || b.Shape == nil || len(a.Shape) != len(b.Shape) {
		return d, nil
	}
	s := append(graph.Shape{}, a.Shape...)
	for i := range s {
		if s[i] != b.Shape[i] {
			s[i] = unknownDim(c, o, i)
		}
	}
	return d, s
}

func inferIf(c *Infer) error {
	if _, err := c.In(0); err != nil {
		return err
	}
	yes, err := bodyOf(c.Node, "then_branch")
	if err != nil {
		return err
	}
	no, err := bodyOf(c.Node, "else_branch")
	if err != nil {
		return err
	}
	for _, g := range []*graph.Graph{yes, no} {
		if len(g.Outputs) != len(c.Node.Outputs) || len(g.Inputs) > 0 {
			return fmt.Errorf("branch %q has %d inputs and %d outputs, where 0 and %d are wanted", g.Name, len(g.Inputs), len(g.Outputs), len(c.Node.Outputs))
		}
	}
	if k, ok := c.Ints(0); ok && len(k) == 1 { // the other branch need not suit the sizes
		taken := no
		if k[0] != 0 {
			taken = yes
		}
		if err := c.inferBody(taken); err != nil {
			return err
		}
		for i, o := range taken.Outputs {
			c.Out(i, o.DType, o.Shape)
		}
		return nil
	}
	errYes, errNo := c.inferBody(yes), c.inferBody(no)
	switch {
	case errYes != nil && errNo != nil:
		return errYes
	case errYes != nil || errNo != nil: // a branch that is for other sizes than these
		good := yes
		if errYes != nil {
			good = no
		}
		for i, o := range good.Outputs {
			c.Out(i, o.DType, o.Shape)
		}
		return nil
	}
	for i := range yes.Outputs {
		a, b := yes.Outputs[i], no.Outputs[i]
		if a.DType != b.DType && a.DType != tensor.Undefined && b.DType != tensor.Undefined {
			return fmt.Errorf("output %d is %v in one branch and %v in the other", i, a.DType, b.DType)
		}
		d, s := either(c, i, a, b)
		c.Out(i, d, s)
	}
	return nil
}

func runIf(r *Runner, n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
	cond := tensor.Of[bool](in[0])
	if len(cond) != 1 {
		return nil, fmt.Errorf("the condition is %v, not one bool", in[0])
	}
	name := "else_branch"
	if cond[0] {
		name = "then_branch"
	}
	g, err := bodyOf(n, name)
	if err != nil {
		return nil, err
	}
	return r.body(g, nil)
}

// carry infers a body whose inputs from the given one on are carried from one
// round to the next: sizes that change are not known. The body's outputs from
// out on are what the inputs become.
func (c *Infer) carry(g *graph.Graph, first, out, count int) error {
	for {
		if err := c.inferBody(g); err != nil {
			return err
		}
		stable := true
		for i := range count {
			v, o := g.Inputs[first+i], g.Outputs[out+i]
			if v.DType != o.DType && v.DType != tensor.Undefined && o.DType != tensor.Undefined {
				return fmt.Errorf("what is carried in %q is %v first and %v then", v.Name, v.DType, o.DType)
			}
			switch {
			case v.Shape == nil:
			case o.Shape == nil || len(o.Shape) != len(v.Shape):
				v.Shape, stable = nil, false
			default:
				for d := range v.Shape {
					if k := open(v, d); o.Shape[d] != v.Shape[d] && v.Shape[d] != k {
						v.Shape = append(graph.Shape{}, v.Shape...)
						v.Shape[d], stable = k, false
					}
				}
			}
		}
		if stable {
			return nil
		}
	}
}

// carriedOut is the shape of what is carried after an unknown number of rounds.
func carriedOut(c *Infer, o int, v *graph.Value) graph.Shape { return free(c, o, v.Shape, v) }

// free is a shape outside the body: sizes that change with what is carried are
// not known.
func free(c *Infer, o int, s graph.Shape, carried ...*graph.Value) graph.Shape {
	s = append(graph.Shape(nil), s...)
	for i := range s {
		for _, v := range carried {
			for d := range v.Shape {
				if strings.Contains(s[i].Sym, open(v, d).Sym) {
					s[i] = unknownDim(c, o, i)
				}
			}
		}
	}
	return s
}

// open is the symbol of a size that changes from round to round.
func open(v *graph.Value, d int) graph.Dim {
	return graph.Derived(fmt.Sprintf("round%d", d), graph.Sym(v.Name))
}

// stack joins the parts of all rounds along a new first axis; like gives type
// and shape where there is none.
func stack(parts []*tensor.Tensor, like *graph.Value) (*tensor.Tensor, error) {
	if len(parts) == 0 {
		shape := []int{0}
		for _, d := range like.Shape {
			k := 0
			if d.Known() {
				k = d.Mul
			}
			shape = append(shape, k)
		}
		if !like.DType.Valid() {
			return nil, fmt.Errorf("the type of output %q is not known, and there was no round", like.Name)
		}
		return alloc(like.DType, shape...)
	}
	first := parts[0]
	out, err := alloc(first.DType, append([]int{len(parts)}, first.Shape...)...)
	if err != nil {
		return nil, err
	}
	k := 0
	for i, p := range parts {
		if p.DType != first.DType || !slices.Equal(p.Shape, first.Shape) {
			return nil, fmt.Errorf("round %d gives %v where the first gave %v", i, p, first)
		}
		out.CopyRange(k, p, 0, p.Len())
		k += p.Len()
	}
	return out, nil
}

var _ = register(
	Def{Name: "If", Infer: inferIf, Control: runIf, Grad: gradIf},
	Def{Name: "Loop", Infer: inferLoop, Control: runLoop, Decompose: unrollLoop},
	Def{Name: "Scan", Infer: inferScan, Control: runScan, Decompose: unrollScan},
)
