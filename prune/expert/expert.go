// Package expert finds the mixtures of experts of a network, and removes experts from them.
//
// A mixture is a router, the experts that it gives tokens to, and the sum of what they
// make, counted by the router: the operator MoE of ONNX Runtime, or the same written in
// plain operators. [Find] begins at every matrix product and follows the axis of its
// outputs: to a softmax or the largest few, to stacks of weights that are multiplied or
// looked up by the number of an expert, to branches that one number of the axis each
// multiplies, and back from there to the weights of the experts. Names only name what it
// found. What it cannot follow to the end is left whole.
//
// An expert that is missing is one that is never chosen: [Cut] gives what the network
// gives where the router's logit of the expert is negative infinity, which is what
// [Silence] does to a copy of the network.
package expert

import (
	"fmt"

	"pare/graph"
	"pare/graph/op"
	"pare/prune/structure"
)

// Mixture is a layer of experts.
type Mixture struct {
	Name    string // of the MoE, or of the router's weight
	Experts int
	// Least is how many stay: as many as a token is given to. In a mixture that gives every
	// token to all it is 1.
	Least  int
	Soft   bool         // every token is given to all experts
	Router *graph.Value // the logits
	Axis   int          // of the router's logits: the experts

	// Weights are the constants that hold an entry for each expert, the router's among
	// them, in the order of first use. Experts that are branches have weights of their own
	// beside.
	Weights []Stack
	Own     [][]*graph.Value // by expert, the weights of branches
	Each    []structure.Cost // what goes with each expert alone, for one sample

	*walk
}

// Stack is a constant that holds all experts along an axis.
type Stack struct {
	*graph.Value
	Dim int
}

// String says what is cut: "8 experts of /moe/MoE".
func (m *Mixture) String() string { return fmt.Sprintf("%d experts of %s", m.Experts, m.Name) }

// Whole is a mixture whose experts cannot be cut, and why.
type Whole struct{ Name, Why string }

// Find lists the mixtures of a network whose shapes are inferred, in its order, and what
// looks like one and stays whole.
func Find(g *graph.Graph) ([]*Mixture, []Whole) {
	var out []*Mixture
	var whole []Whole
	uses, seen, found := g.Uses(), map[*graph.Node]bool{}, map[*graph.Value]bool{}
	for _, n := range g.Nodes {
		v, dim, name := router(n)
		if v == nil || found[v] {
			continue
		}
		by := gates(v, uses)
		if by == nil {
			continue
		}
		m := &Mixture{Name: name, Experts: v.Shape[dim].Mul, Router: v, Axis: dim, walk: newWalk(g, uses, v.Shape[dim].Mul)}
		err := m.follow(v, dim)
		if m.moe == nil && op.IsMoE(by) {
			m.moe = by
		}
		if m.moe != nil {
			m.Name = label(m.moe)
			seen[m.moe] = true
		}
		if err == nil {
			err = m.weigh(g)
		}
		switch {
		case err == nil && m.ofExperts():
			out = append(out, m)
			for v := range m.dims { // of a router that two products read
				found[v] = true
			}
		case err != nil && (m.moe != nil || m.chosen && !m.shown):
			whole = append(whole, Whole{m.Name, err.Error()})
		}
	}
	for _, n := range g.Nodes {
		if op.IsMoE(n) && !seen[n] {
			whole = append(whole, Whole{label(n), "no matrix product makes its logits"})
		}
	}
	return out, whole
}

// router gives the output of a product by a constant matrix, the axis that the matrix
// makes, and a name; nil where the node is none.
func router(n *graph.Node) (v *graph.Value, dim int, name string) {
	w := n.In(1)
	if !n.Is("MatMul", "Gemm") || n.Domain != "" || !w.IsConst() || len(w.Shape) != 2 || n.In(0).IsConst() {
		return nil, 0, ""
	}
	v = n.Out(0)
	if dim = len(v.Shape) - 1; dim < 1 || !v.Shape[dim].Known() || v.Shape[dim].Mul < 2 {
		return nil, 0, ""
	}
	return v, dim, structure.Label(n, 1)
}

// gateSteps bounds how far behind a router its logits are compared with each other.
const gateSteps = 32

// gates gives the node that soon compares numbers with each other, as a router's are: a
// softmax, the largest few of them, or an MoE; nil where there is none.
func gates(v *graph.Value, uses map[*graph.Value][]graph.Use) *graph.Node {
	next, seen := []*graph.Value{v}, map[*graph.Value]bool{v: true}
	for len(next) > 0 && len(seen) < gateSteps {
		v, next = next[0], next[1:]
		for _, u := range uses[v] {
			n := u.Node
			if n.Is("Softmax", "TopK", "ArgMax", "Sigmoid") || op.IsMoE(n) && u.Index == op.MoERouter {
				return n
			}
			if !elementwise[n.Op] && !alone[n.Op] && !n.Is("Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose") {
				continue
			}
			if o := n.Out(0); !seen[o] {
				seen[o] = true
				next = append(next, o)
			}
		}
	}
	return nil
}

// label names a node.
func label(n *graph.Node) string {
	if n.Name != "" {
		return n.Name
	}
	return n.Out(0).Name
}

// ofExperts says whether more goes with an expert than numbers by which it is chosen: a
// matrix of its own, in a stack or in a branch.
func (m *Mixture) ofExperts() bool {
	for _, s := range m.Weights {
		if len(s.Shape) >= 3 {
			return true
		}
	}
	row := int64(0)
	for _, s := range m.Weights {
		row += int64(s.Const.Len() / m.Experts)
	}
	for _, c := range m.Each {
		if c.Params <= row {
			return false
		}
	}
	return true
}

// weigh lists the weights of a mixture that was followed to its end, and what each expert
// costs.
func (m *Mixture) weigh(g *graph.Graph) error {
	for _, v := range g.Consts() {
		if d, ok := m.dims[v]; ok && v.DType.IsFloat() {
			m.Weights = append(m.Weights, Stack{v, d})
		}
	}
	m.Soft = m.least == 0
	if m.Least = max(1, m.least); m.Experts <= m.Least {
		return nil // it is a mixture of which nothing may go
	}
	whole := structure.CostOf(g)
	m.Each, m.Own = make([]structure.Cost, m.Experts), make([][]*graph.Value, m.Experts)
	for e := range m.Each {
		if e > 0 && m.alike() {
			m.Each[e] = m.Each[0]
			continue
		}
		s := All([]*Mixture{m})
		s[0].Set(e, false)
		c, err := cut(g, []*Mixture{m}, s, false)
		if err != nil {
			return err
		}
		x := structure.CostOf(c)
		m.Each[e] = structure.Cost{MACs: whole.MACs - x.MACs, Params: whole.Params - x.Params}
		left := map[string]bool{}
		for _, v := range c.Consts() {
			left[v.Name] = true
		}
		for _, v := range g.Consts() {
			if !left[v.Name] && v.Role == graph.Param {
				m.Own[e] = append(m.Own[e], v)
			}
		}
	}
	return nil
}

// Norms are the sums of squares of the weights of each expert, the router's left out.
func (m *Mixture) Norms() []float64 {
	out := make([]float64, m.Experts)
	for _, s := range m.Weights {
		if m.Router.From.In(1) == s.Value {
			continue
		}
		x := s.Const.F32()
		inner := 1
		for _, n := range s.Const.Shape[s.Dim+1:] {
			inner *= n
		}
		for i, v := range x {
			out[i/inner%m.Experts] += float64(v) * float64(v)
		}
	}
	for e, own := range m.Own {
		for _, v := range own {
			for _, x := range v.Const.F32() {
				out[e] += float64(x) * float64(x)
			}
		}
	}
	return out
}

// alike says whether all experts are entries of stacks, so that one costs as much as
// another.
func (m *Mixture) alike() bool { return len(m.drops) == 0 && len(m.joins) == 0 }
