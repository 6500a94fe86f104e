package block

import (
	"fmt"
	"slices"

	"pare/graph"
	"pare/graph/op"
)

// mostSeen bounds the nodes that are looked at: of a network of many thousand sums that
// each reach far back the last ones are left whole.
const mostSeen = 20_000_000

// Options say what counts as a block.
type Options struct {
	Sublayers bool // the branches of a transformer one by one, instead of its whole blocks
	Plain     bool // layers without a shortcut too
}

// Find lists the blocks of a network whose shapes are inferred, in its order. None holds
// another: where blocks are nested the innermost are listed. whole are sums of branches
// that are no such block.
func Find(g *graph.Graph, o Options) (blocks []*Block, whole []Whole) {
	f := newFinder(g)
	for _, n := range g.Nodes {
		f.sum(n)
	}
	f.innermost()
	if len(f.found) > 0 {
		f.kinds()
	}
	blocks = f.found
	if !o.Sublayers {
		blocks = f.wholes(blocks)
	}
	if o.Plain {
		blocks = f.plain(blocks)
	}
	f.finish(blocks)
	return blocks, f.whole
}

// finder looks for blocks.
type finder struct {
	g     *graph.Graph
	uses  map[*graph.Value][]graph.Use
	out   map[*graph.Value]bool // outputs of the network
	at    map[*graph.Node]int
	inner map[*graph.Node]bool // sums that are terms of another sum
	seen  int

	found []*Block
	whole []Whole
}

func newFinder(g *graph.Graph) *finder {
	f := &finder{g: g, uses: g.Uses(), out: map[*graph.Value]bool{}, at: map[*graph.Node]int{}, inner: map[*graph.Node]bool{}}
	for _, v := range g.Outputs {
		f.out[v] = true
	}
	for i, n := range g.Nodes {
		f.at[n] = i
	}
	for _, n := range g.Nodes {
		if !f.adds(n) {
			continue
		}
		for _, v := range n.Inputs {
			if f.adds(v.From) && len(f.uses[v]) == 1 && !f.out[v] {
				f.inner[v.From] = true
			}
		}
	}
	return f
}

// adds says whether a node is a sum of values of one shape, none of them a constant.
func (f *finder) adds(n *graph.Node) bool {
	if !n.Is("Add", "Sum") || len(n.Inputs) < 2 || n.Out(0) == nil || n.Out(0).Shape == nil || !n.Out(0).DType.IsFloat() {
		return false
	}
	for _, v := range n.Inputs {
		if v == nil || v.IsConst() || !v.Shape.Equal(n.Out(0).Shape) {
			return false
		}
	}
	return true
}

// terms are the values that a sum, and the sums that are terms of it, add up.
func (f *finder) terms(n *graph.Node) (out []*graph.Value) {
	for _, v := range n.Inputs {
		if f.inner[v.From] {
			out = append(out, f.terms(v.From)...)
		} else {
			out = append(out, v)
		}
	}
	return out
}

// sum looks at the branches of a sum.
func (f *finder) sum(n *graph.Node) {
	if f.inner[n] || !f.adds(n) {
		return
	}
	terms := f.terms(n)
	why := "no branch of the sum begins at another: its shortcut is not the identity"
	found := false
	for _, r := range terms {
		for _, s := range terms {
			if r == s {
				continue
			}
			reg, ok := f.between(source(s), r)
			if !ok {
				continue
			}
			b, no := f.block(n, s, r, reg, len(terms) == 2)
			switch {
			case b != nil:
				f.found = append(f.found, b)
				found = true
			case no != "":
				why = no
			default: // nothing is multiplied by a weight: no branch of a network
				found = true
			}
			break
		}
	}
	if !found && len(terms) > 2 {
		if b := f.beside(n, terms); b != nil {
			f.found = append(f.found, b)
			found = true
		}
	}
	if f.seen > mostSeen {
		why = "the network is too large to follow its branches"
	}
	if !found {
		f.whole = append(f.whole, Whole{f.sumName(n), why})
	}
}

// beside is the block of all branches of a sum that begin at one of its terms and share what
// they compute first, such as a normalisation; nil: there is none.
func (f *finder) beside(n *graph.Node, terms []*graph.Value) *Block {
	for _, s := range terms {
		var branches []*graph.Value
		var between []*graph.Node
		for _, r := range terms {
			if r == s {
				continue
			}
			if nodes, ok := f.between(source(s), r); ok {
				branches, between = append(branches, r), append(between, nodes...)
			}
		}
		if len(branches) < 2 || len(branches) < len(terms)-1 {
			continue
		}
		gone := f.gone(branches...)
		is := map[*graph.Node]bool{}
		for _, m := range gone {
			is[m] = true
		}
		if slices.ContainsFunc(between, func(m *graph.Node) bool { return !is[m] }) || !slices.ContainsFunc(gone, multiplies) || f.out[n.Out(0)] && source(s).From == nil {
			continue
		}
		b := &Block{In: s, Out: n.Out(0), Nodes: gone}
		for _, r := range branches {
			b.parts = append(b.parts, part{branch: r})
		}
		return b
	}
	return nil
}

// source follows a value back through nodes that change nothing.
func source(v *graph.Value) *graph.Value {
	for v.From.Is("Identity", "Dropout", "DequantizeLinear") && v.From.In(0) != nil && !v.From.In(0).IsConst() {
		quantised := v.From.Is("DequantizeLinear")
		v = v.From.In(0)
		if quantised {
			break
		}
	}
	return v
}

// between lists the nodes through which r comes from s, in the network's order; false
// where it does not come from it.
func (f *finder) between(s, r *graph.Value) ([]*graph.Node, bool) {
	first := -1
	if s.From != nil {
		first = f.at[s.From]
	}
	behind := map[*graph.Node]bool{}
	var list []int
	stack := []*graph.Value{r}
	for len(stack) > 0 && f.seen <= mostSeen {
		v := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		n := v.From
		if n == nil || behind[n] || f.at[n] <= first {
			continue
		}
		f.seen++
		behind[n] = true
		list = append(list, f.at[n])
		for _, vs := range [][]*graph.Value{n.Inputs, n.Captures()} {
			for _, x := range vs {
				if x != nil {
					stack = append(stack, x)
				}
			}
		}
	}
	slices.Sort(list)
	from := map[*graph.Value]bool{s: true}
	var out []*graph.Node
	for _, i := range list {
		n := f.g.Nodes[i]
		if !slices.ContainsFunc(n.Inputs, func(v *graph.Value) bool { return from[v] }) && !slices.ContainsFunc(n.Captures(), func(v *graph.Value) bool { return from[v] }) {
			continue
		}
		out = append(out, n)
		for _, v := range n.Outputs {
			if v != nil {
				from[v] = true
			}
		}
	}
	return out, from[r] && len(out) > 0 && f.seen <= mostSeen
}

// block is the block of a branch r that a sum adds to s; where it is none, why, and ""
// where it is nothing that anyone would call one. alone says that the sum adds nothing
// else.
func (f *finder) block(n *graph.Node, s, r *graph.Value, between []*graph.Node, alone bool) (*Block, string) {
	gone := f.gone(r)
	is := map[*graph.Node]bool{}
	for _, m := range gone {
		is[m] = true
	}
	if !slices.ContainsFunc(append(gone[:len(gone):len(gone)], between...), multiplies) {
		return nil, ""
	}
	for _, m := range between {
		if is[m] {
			continue
		}
		return nil, fmt.Sprintf("what its branch computes is used elsewhere too: %q", m.Out(0).Name)
	}
	y := n.Out(0)
	b := &Block{In: s, Out: y, Nodes: gone, parts: []part{{branch: r}}}
	if us := f.uses[y]; alone && len(us) == 1 && us[0].Index == 0 && !f.out[y] && len(us[0].Node.Outputs) == 1 && again(us[0].Node, source(s).From) {
		b.parts[0].after, b.Out, b.Norm = us[0].Node, us[0].Node.Out(0), us[0].Node.Is("LayerNormalization", "RMSNormalization")
	}
	if f.out[b.Out] && source(s).From == nil {
		return nil, "it is all that stands between an input of the network and an output"
	}
	return b, ""
}

// again says whether a node does once more what another has done already: it changes
// nothing where the two follow each other, or normalises what is normalised.
func again(n, was *graph.Node) bool {
	switch {
	case n == nil || was == nil || n.Op != was.Op || n.Domain != was.Domain:
		return false
	case n.Is("Relu"):
		return true
	case n.Is("Clip"):
		for i := 1; i < 3; i++ {
			a, b := n.In(i), was.In(i)
			if a == b {
				continue
			}
			x, y := a != nil && a.IsConst(), b != nil && b.IsConst()
			if !x || !y || a.DType != b.DType || a.Const.F32() == nil || len(a.Const.F32()) != 1 || len(b.Const.F32()) != 1 || a.Const.F32()[0] != b.Const.F32()[0] {
				return false
			}
		}
		return n.Attr("min") == nil && n.Attr("max") == nil && was.Attr("min") == nil && was.Attr("max") == nil
	case n.Is("LayerNormalization", "RMSNormalization"):
		return n.Int("axis", -1) == was.Int("axis", -1)
	}
	return false
}

// multiplies says whether a node has a weight.
func multiplies(n *graph.Node) bool {
	for _, p := range op.Params(n) {
		if v := n.In(p.In); v != nil && len(v.Shape) > 1 && (p.Part == op.Kernel || p.Part == op.Depthwise || p.Part == op.Matrix || p.Part == op.Gates) {
			if w, _, ok := op.Source(v, 0); ok && w.Role != graph.Frozen {
				return true
			}
		}
	}
	return false
}

// gone lists the nodes that nobody needs where one use of each of some values is gone, in
// the network's order.
func (f *finder) gone(vs ...*graph.Value) []*graph.Node {
	lost := map[*graph.Value]int{} // uses
	is := map[*graph.Node]bool{}
	var list []int
	stack := slices.Clone(vs)
	for len(stack) > 0 {
		v := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		lost[v]++
		n := v.From
		if n == nil || is[n] || slices.ContainsFunc(n.Outputs, func(o *graph.Value) bool { return o != nil && (f.out[o] || lost[o] < len(f.uses[o])) }) {
			continue
		}
		f.seen++
		is[n] = true
		list = append(list, f.at[n])
		for _, vs := range [][]*graph.Value{n.Inputs, n.Captures()} {
			for _, x := range vs {
				if x != nil {
					stack = append(stack, x)
				}
			}
		}
	}
	slices.Sort(list)
	out := make([]*graph.Node, len(list))
	for i, k := range list {
		out[i] = f.g.Nodes[k]
	}
	return out
}

// innermost leaves out blocks that hold others.
func (f *finder) innermost() {
	in := map[*graph.Node]int{} // sums of blocks
	for _, b := range f.found {
		in[f.sumOf(b)]++
	}
	var kept []*Block
	for _, b := range f.found {
		n := 0
		for _, m := range b.Nodes {
			n += in[m]
		}
		if n == 0 {
			kept = append(kept, b)
			continue
		}
		f.whole = append(f.whole, Whole{f.sumName(f.sumOf(b)), fmt.Sprintf("it holds %d blocks that go one by one", n)})
	}
	f.found = kept
}

// sumOf is the node that adds a block's branch.
func (f *finder) sumOf(b *Block) *graph.Node { return f.uses[b.parts[0].branch][0].Node }
