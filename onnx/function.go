package onnx

import (
	"fmt"

	"pare/onnx/onnxpb"

	"google.golang.org/protobuf/proto"
)

// inliner writes the functions of a model out where nodes call them.
type inliner struct {
	funcs map[funcKey]*onnxpb.FunctionProto
	opset map[string]int64
	taken map[string]bool // names of values
	nodes map[string]bool // names of nodes
	fresh int
	left  int // bytes that the calls may still become
}

// costOf is about what a node takes in memory.
func costOf(n *onnxpb.NodeProto) int {
	c := 500 + 2*proto.Size(n)
	for _, a := range n.Attribute {
		c += 350
		for _, g := range append([]*onnxpb.GraphProto{a.G}, a.Graphs...) {
			for _, m := range g.GetNode() {
				c += costOf(m)
			}
		}
	}
	return c
}

type funcKey struct{ domain, name, overload string }

// inline replaces the calls of the model's functions by their nodes, which may
// take at most the given bytes. The model has no functions afterwards, nor the
// domains that only they had.
func inline(m *onnxpb.ModelProto, most int) error {
	if len(m.Functions) == 0 {
		return nil
	}
	in := &inliner{funcs: map[funcKey]*onnxpb.FunctionProto{}, opset: map[string]int64{}, taken: map[string]bool{}, nodes: map[string]bool{}, left: most}
	for _, o := range m.OpsetImport {
		in.opset[domainOf(o.GetDomain())] = o.GetVersion()
	}
	for _, f := range m.Functions {
		in.funcs[funcKey{domainOf(f.GetDomain()), f.GetName(), f.GetOverload()}] = f
	}
	eachName(m.Graph, func(s string) { in.taken[s] = true })
	eachNode(m.Graph, func(n *onnxpb.NodeProto) { in.nodes[n.GetName()] = true })
	if err := in.graph(m.Graph, nil); err != nil {
		return err
	}
	for _, o := range m.OpsetImport {
		delete(in.opset, domainOf(o.GetDomain()))
	}
	for d, v := range in.opset { // a function may use domains that the model does not name
		m.OpsetImport = append(m.OpsetImport, &onnxpb.OperatorSetIdProto{Domain: proto.String(d), Version: proto.Int64(v)})
	}
	m.Functions = nil
	return nil
}

// eachNode visits the nodes of a graph and its subgraphs.
func eachNode(g *onnxpb.GraphProto, f func(*onnxpb.NodeProto)) {
	for _, n := range g.GetNode() {
		f(n)
		for _, a := range n.Attribute {
			for _, s := range append([]*onnxpb.GraphProto{a.G}, a.Graphs...) {
				eachNode(s, f)
			}
		}
	}
}

// rename gives a node that is written out a name that no other node has: its caller's,
// and its own or its operator's; none where neither has one.
func (in *inliner) rename(n *onnxpb.NodeProto, caller string) {
	name := n.GetName()
	switch {
	case caller != "" && name != "":
		name = caller + "/" + name
	case caller != "":
		name = caller + "/" + n.GetOpType()
	case name == "":
		return
	}
	t := name
	for in.nodes[t] {
		in.fresh++
		t = fmt.Sprintf("%s_f%d", name, in.fresh)
	}
	in.nodes[t] = true
	n.Name = proto.String(t)
}

// eachName visits the names that a graph and its subgraphs define.
func eachName(g *onnxpb.GraphProto, f func(string)) {
	for _, v := range g.GetInput() {
		f(v.GetName())
	}
	for _, t := range g.GetInitializer() {
		f(t.GetName())
	}
	for _, t := range g.GetSparseInitializer() {
		f(t.GetValues().GetName())
	}
	for _, n := range g.GetNode() {
		for _, o := range n.Output {
			f(o)
		}
		for _, a := range n.Attribute {
			if a.G != nil {
				eachName(a.G, f)
			}
			for _, s := range a.Graphs {
				eachName(s, f)
			}
		}
	}
}

// graph writes out the calls of a graph and its subgraphs; stack holds the
// functions that are being written out.
func (in *inliner) graph(g *onnxpb.GraphProto, stack []funcKey) error {
	var out []*onnxpb.NodeProto
	for _, n := range g.Node {
		ns, err := in.node(n, stack)
		if err != nil {
			return err
		}
		out = append(out, ns...)
	}
	g.Node = out
	return nil
}

// node is a node, or what stands for it.
func (in *inliner) node(n *onnxpb.NodeProto, stack []funcKey) ([]*onnxpb.NodeProto, error) {
	k := funcKey{domainOf(n.GetDomain()), n.GetOpType(), n.GetOverload()}
	f := in.funcs[k]
	if f == nil {
		for _, a := range n.Attribute {
			for _, g := range append([]*onnxpb.GraphProto{a.G}, a.Graphs...) {
				if g == nil {
					continue
				}
				if len(stack) > maxDepth {
					return nil, fmt.Errorf("subgraphs are nested more than %d deep", maxDepth)
				}
				if err := in.graph(g, append(stack, funcKey{})); err != nil {
					return nil, err
				}
			}
		}
		return []*onnxpb.NodeProto{n}, nil
	}
	for _, s := range stack {
		if s == k {
			return nil, fmt.Errorf("function %s calls itself", k.name)
		}
	}
	if len(stack) > maxDepth {
		return nil, fmt.Errorf("functions call one another more than %d deep", maxDepth)
	}
	if err := in.versions(k, f); err != nil {
		return nil, err
	}
	c := &call{in: in, to: map[string]string{"": ""}, attrs: map[string]*onnxpb.AttributeProto{}}
	for _, a := range f.AttributeProto {
		c.attrs[a.GetName()] = a
	}
	for _, a := range n.Attribute {
		c.attrs[a.GetName()] = a
	}
	if len(n.Input) > len(f.Input) || len(n.Output) > len(f.Output) {
		return nil, fmt.Errorf("node %q gives function %s %d inputs and %d outputs; it has %d and %d",
			n.GetName(), k.name, len(n.Input), len(n.Output), len(f.Input), len(f.Output))
	}
	for i, name := range f.Input {
		c.to[name] = ""
		if i < len(n.Input) {
			c.to[name] = n.Input[i]
		}
	}
	var out []*onnxpb.NodeProto
	for i, name := range f.Output {
		if i >= len(n.Output) || n.Output[i] == "" {
			continue
		}
		if from, ok := c.to[name]; ok { // an input, or an output named twice
			out = append(out, &onnxpb.NodeProto{OpType: proto.String("Identity"), Input: []string{from}, Output: []string{n.Output[i]}})
			continue
		}
		c.to[name] = n.Output[i]
	}
	in.left -= 500
	for _, m := range f.Node {
		if in.left -= costOf(m); in.left < 0 {
			return nil, fmt.Errorf("functions, written out, take too much memory for a file of this size")
		}
		b, err := c.node(m, n.GetName())
		if err != nil {
			return nil, fmt.Errorf("function %s: %w", k.name, err)
		}
		ns, err := in.node(b, append(stack, k))
		if err != nil {
			return nil, err
		}
		out = append(out, ns...)
	}
	return out, nil
}

// versions checks that a function means the same operators as the model.
func (in *inliner) versions(k funcKey, f *onnxpb.FunctionProto) error {
	for _, o := range f.OpsetImport {
		d := domainOf(o.GetDomain())
		switch v, ok := in.opset[d]; {
		case !ok:
			in.opset[d] = o.GetVersion()
		case v != o.GetVersion():
			return fmt.Errorf("function %s uses version %d of domain %q and the model version %d: convert them to one", k.name, o.GetVersion(), d, v)
		}
	}
	return nil
}

// call is one call of a function: the names and attributes that its nodes get.
type call struct {
	in    *inliner
	to    map[string]string // names of the function to names of the model
	attrs map[string]*onnxpb.AttributeProto
}

// name gives a value of the function a unique name in the model.
func (c *call) name(s string) string {
	if t, ok := c.to[s]; ok {
		return t
	}
	t := s
	for c.in.taken[t] {
		c.in.fresh++
		t = fmt.Sprintf("%s_f%d", s, c.in.fresh)
	}
	c.in.taken[t] = true
	c.to[s] = t
	return t
}

func (c *call) node(n *onnxpb.NodeProto, caller string) (*onnxpb.NodeProto, error) {
	m := proto.Clone(n).(*onnxpb.NodeProto)
	c.in.rename(m, caller)
	for i, s := range m.Input {
		m.Input[i] = c.name(s)
	}
	for i, s := range m.Output {
		m.Output[i] = c.name(s)
	}
	var keep []*onnxpb.AttributeProto
	for _, a := range m.Attribute {
		if r := a.GetRefAttrName(); r != "" {
			given := c.attrs[r]
			if given == nil {
				continue // left out by the caller
			}
			if c.in.left -= 350 + 2*proto.Size(given); c.in.left < 0 {
				return nil, fmt.Errorf("functions, written out, take too much memory for a file of this size")
			}
			b := proto.Clone(given).(*onnxpb.AttributeProto)
			b.Name = a.Name
			for _, g := range append([]*onnxpb.GraphProto{b.G}, b.Graphs...) {
				eachNode(g, func(n *onnxpb.NodeProto) { c.in.rename(n, caller) })
			}
			keep = append(keep, b)
			continue
		}
		for _, g := range append([]*onnxpb.GraphProto{a.G}, a.Graphs...) {
			if g != nil {
				if err := c.graph(g, caller); err != nil {
					return nil, err
				}
			}
		}
		keep = append(keep, a)
	}
	m.Attribute = keep
	return m, nil
}

// graph renames a subgraph of the function's.
func (c *call) graph(g *onnxpb.GraphProto, caller string) error {
	rename := func(s *string) {
		if s != nil {
			*s = c.name(*s)
		}
	}
	for _, v := range append(append([]*onnxpb.ValueInfoProto{}, g.Input...), g.ValueInfo...) {
		rename(v.Name)
	}
	for _, t := range g.Initializer {
		rename(t.Name)
	}
	for _, t := range g.SparseInitializer {
		rename(t.Values.Name)
	}
	for i, n := range g.Node {
		m, err := c.node(n, caller)
		if err != nil {
			return err
		}
		g.Node[i] = m
	}
	for _, v := range g.Output {
		rename(v.Name)
	}
	return nil
}
