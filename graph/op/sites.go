package op

import "pare/graph"

// Site is a place where an initialiser is a parameter of an operator. Sites and
// Params are all that is known of where the weights of a network are: what counts
// as one, what is cut, trained and drawn anew follows from them.
type Site struct {
	Value *graph.Value // the initialiser
	Node  *graph.Node  // the operator, maybe in a subgraph
	Param              // what it is there; Out and Outs are axes of Value
	Body  *graph.Node  // the outermost If, Loop or Scan that the operator is in, or nil
	// Behind is the node through which the numbers of the initialiser become others
	// before they are a parameter (a scaling, a sum); nil: they are the same numbers.
	Behind *graph.Node
}

// Sites lists where the initialisers of a network are parameters, in the order of
// its nodes, those of subgraphs included.
func Sites(g *graph.Graph) []Site {
	var out []Site
	fixed := map[*graph.Value]bool{}
	markConstants(g, fixed)
	eachNode(g, nil, func(n, body *graph.Node) {
		for _, p := range Params(n) {
			v := n.In(p.In)
			if v == nil || !fixed[v] || p.Data && allConstant(n, fixed) {
				continue
			}
			s := Site{Node: n, Param: p, Body: body}
			if s.find(v) {
				out = append(out, s)
			}
		}
	})
	return out
}

// find follows a parameter back to the initialiser.
func (s *Site) find(v *graph.Value) bool {
	axes := append([]int{s.Out}, s.Outs...)
	for steps := 0; v != nil && v.Const == nil && v.From != nil && steps < maxBehind; steps++ {
		n := v.From
		if d := Lookup(n.Domain, n.Op); s.Behind == nil && d != nil && d.Turns != nil {
			for i, a := range axes {
				if v.Shape == nil || a >= len(v.Shape) {
					return false
				}
				axes[i] = d.Turns(n, a)
			}
			v = n.In(0)
			continue
		}
		if s.Behind == nil {
			s.Behind = n
		}
		v = carried(n)
	}
	if !v.IsConst() {
		return false
	}
	s.Value, s.Out = v, axes[0]
	if s.Outs != nil {
		s.Outs = axes[1:]
	}
	return true
}

// maxBehind bounds how far behind a layer its weight is looked for.
const maxBehind = 64

// carried is the operand of a node of constants that holds the weight which the
// node changes: the largest, of equals the first that is more than zeros and ones.
func carried(n *graph.Node) *graph.Value {
	var best *graph.Value
	most := -1
	for i, v := range operands(n) {
		if v == nil || !v.DType.IsFloat() && !v.From.Is("QuantizeLinear") {
			continue
		}
		size, ok := v.Shape.Ints()
		if !ok {
			if i == 0 {
				return v
			}
			continue
		}
		k := 2 * prod(size)
		if !isBinary(v) {
			k++
		}
		if k > most {
			best, most = v, k
		}
	}
	return best
}

// isBinary says whether a constant holds zeros and ones alone, as a mask does.
func isBinary(v *graph.Value) bool {
	if v.Const == nil {
		return false
	}
	for _, x := range v.Const.F32() {
		if x != 0 && x != 1 {
			return false
		}
	}
	return v.Const.F32() != nil
}

// operands are the inputs of a node whose numbers its output is made of; the
// others are shapes, axes, scales.
func operands(n *graph.Node) []*graph.Value {
	if n.Is("Add", "Sub", "Mul", "Div", "Concat", "Where") {
		return n.Inputs
	}
	return n.Inputs[:min(1, len(n.Inputs))]
}

// Source follows an axis of a value to the initialiser whose numbers it holds:
// through nodes that turn axes or change the type. False where there is none.
func Source(v *graph.Value, dim int) (*graph.Value, int, bool) {
	for v != nil && v.Const == nil && v.From != nil && dim >= 0 && dim < len(v.Shape) {
		d := Lookup(v.From.Domain, v.From.Op)
		if d == nil || d.Turns == nil {
			break
		}
		dim, v = d.Turns(v.From, dim), v.From.In(0)
	}
	if v.IsConst() && dim >= 0 && dim < len(v.Shape) {
		return v, dim, true
	}
	return nil, 0, false
}

// Each calls f for every node of a network, those of subgraphs after the node that
// owns them.
func Each(g *graph.Graph, f func(n *graph.Node)) {
	eachNode(g, nil, func(n, _ *graph.Node) { f(n) })
}

func eachNode(g *graph.Graph, body *graph.Node, f func(n, body *graph.Node)) {
	for _, n := range g.Nodes {
		f(n, body)
		for _, s := range n.Subgraphs() {
			owner := body
			if owner == nil {
				owner = n
			}
			eachNode(s, owner, f)
		}
	}
}

// markConstants marks the initialisers and all that is computed from them alone.
func markConstants(g *graph.Graph, fixed map[*graph.Value]bool) {
	for _, v := range g.Consts() {
		fixed[v] = true
	}
	eachNode(g, nil, func(n, _ *graph.Node) {
		if len(n.Inputs) == 0 || random[n.Op] || !allConstant(n, fixed) {
			return
		}
		for _, o := range n.Outputs {
			fixed[o] = true
		}
	})
	delete(fixed, nil)
}

func allConstant(n *graph.Node, fixed map[*graph.Value]bool) bool {
	for _, v := range n.Inputs {
		if v != nil && !fixed[v] {
			return false
		}
	}
	return true
}

func sameAxis(_ *graph.Node, dim int) int { return dim }

func init() {
	for name, f := range map[string]func(n *graph.Node, dim int) int{
		"Identity": sameAxis, "Cast": sameAxis, "QuantizeLinear": sameAxis, "DequantizeLinear": sameAxis,
		"Transpose": func(n *graph.Node, dim int) int {
			if p, err := permutation(n, len(n.Out(0).Shape)); err == nil {
				return p[dim]
			}
			return dim
		},
	} {
		defs[key{"", name}].Turns = f
	}
}
