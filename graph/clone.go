package graph

import (
	"maps"
	"slices"
)

// Clone copies the graph. The initialisers' tensors are copied too where deep
// is set, else shared. The map leads from each old value to its copy.
func (g *Graph) Clone(deep bool) (*Graph, map[*Value]*Value) {
	m := map[*Value]*Value{}
	c := g.cloneInto(m, deep)
	return c, m
}

// Inline appends copies of the nodes of a subgraph that take args as its inputs,
// and returns what its outputs become. Initialisers and values that the
// subgraph captures are shared.
func (g *Graph) Inline(body *Graph, args []*Value) []*Value {
	m := map[*Value]*Value{}
	for i, v := range body.Inputs {
		m[v] = args[i]
	}
	for _, v := range body.Consts() {
		m[v] = v
	}
	c := body.cloneInto(m, false)
	for _, n := range c.Nodes {
		n.Name = g.Fresh(n.Name)
		for _, o := range n.Outputs {
			if o != nil {
				o.Name = g.Fresh(o.Name)
			}
		}
	}
	g.Nodes = append(g.Nodes, c.Nodes...)
	return c.Outputs
}

// Lift copies a subgraph as a graph of its own: the values of the graphs around it
// that it reads, initialisers excepted, become inputs behind its own. They are listed
// in that order.
func (g *Graph) Lift() (*Graph, []*Value) {
	var outer []*Value
	m := map[*Value]*Value{}
	for _, v := range (&Node{Attrs: []Attr{MakeAttr("body", g)}}).Captures() {
		if v.Const == nil {
			outer = append(outer, v)
			m[v] = &Value{Name: v.Name, DType: v.DType, Shape: slices.Clone(v.Shape)}
		}
	}
	c := g.cloneInto(m, false)
	for _, v := range outer {
		c.Inputs = append(c.Inputs, m[v])
	}
	return c, outer
}

func (g *Graph) cloneInto(m map[*Value]*Value, deep bool) *Graph {
	c := &Graph{Name: g.Name, Doc: g.Doc, Opset: maps.Clone(g.Opset), Meta: g.Meta, Unknown: slices.Clone(g.Unknown), Usage: Usage{Sizes: maps.Clone(g.Usage.Sizes), Drawn: g.Usage.Drawn, OutputOf: g.Usage.OutputOf}}
	c.Meta.Props, c.Meta.Stored = slices.Clone(g.Meta.Props), slices.Clone(g.Meta.Stored)
	own := map[*Value]bool{}
	for _, v := range g.Inputs {
		own[v] = true
	}
	for _, n := range g.Nodes {
		for _, v := range n.Outputs {
			own[v] = true
		}
	}
	var value func(v *Value) *Value
	value = func(v *Value) *Value {
		if v == nil {
			return nil
		}
		if w, ok := m[v]; ok {
			return w
		}
		if v.Const == nil && !own[v] {
			return v // captured from a graph outside the one that is copied
		}
		w := *v
		w.From = nil
		w.Shape = slices.Clone(v.Shape)
		if deep && v.Const != nil {
			w.Const = v.Const.Clone()
		}
		m[v] = &w
		if v.Made != nil {
			k := *v.Made
			k.Inputs = nil
			for _, x := range v.Made.Inputs {
				k.Inputs = append(k.Inputs, value(x))
			}
			k.Attrs = slices.Clone(k.Attrs)
			w.Made = &k
		}
		return &w
	}
	for _, v := range g.Inputs {
		c.Inputs = append(c.Inputs, value(v))
	}
	for _, n := range g.Nodes {
		k := &Node{Op: n.Op, Domain: n.Domain, Name: n.Name, Doc: n.Doc, Unknown: slices.Clone(n.Unknown)}
		for _, v := range n.Inputs {
			k.Inputs = append(k.Inputs, value(v))
		}
		for _, v := range n.Outputs {
			w := value(v)
			if w != nil {
				w.From = k
			}
			k.Outputs = append(k.Outputs, w)
		}
		for _, a := range n.Attrs {
			if a.G != nil {
				a.G = a.G.cloneInto(m, deep)
			}
			if a.Graphs != nil {
				gs := make([]*Graph, len(a.Graphs))
				for i, s := range a.Graphs {
					gs[i] = s.cloneInto(m, deep)
				}
				a.Graphs = gs
			}
			k.Attrs = append(k.Attrs, a)
		}
		c.Nodes = append(c.Nodes, k)
	}
	for _, v := range g.Outputs {
		c.Outputs = append(c.Outputs, value(v))
	}
	return c
}
