package expert

import (
	"fmt"
	"slices"

	"pare/graph"
	"pare/graph/op"
	"pare/prune"
	"pare/prune/structure"
	"pare/tensor"
)

// Selection says of every expert of every mixture whether it stays; it is parallel to the
// mixtures.
type Selection []*prune.Mask

// All keeps every expert.
func All(ms []*Mixture) Selection {
	s := make(Selection, len(ms))
	for i, m := range ms {
		s[i] = prune.NewMask(m.Experts, true)
	}
	return s
}

// check refuses to leave fewer experts than tokens are given to.
func (s Selection) check(ms []*Mixture) error {
	for i, m := range ms {
		if k := s[i].Count(); k < m.Least {
			return fmt.Errorf("%d experts of %s would stay, and every token is given to %d: at least as many must stay", k, m.Name, m.Least)
		}
	}
	return nil
}

// Cut removes the experts that s does not keep, and gives a new, smaller network; g is
// left as it is. It returns an error where fewer experts of a mixture would stay than a
// token is given to.
func Cut(g *graph.Graph, ms []*Mixture, s Selection) (*graph.Graph, error) {
	if err := s.check(ms); err != nil {
		return nil, err
	}
	return cut(g, ms, s, true)
}

// cut is Cut; where deep is not set, weights that stay whole are shared with g.
func cut(g *graph.Graph, ms []*Mixture, s Selection, deep bool) (*graph.Graph, error) {
	c, m := g.Clone(deep)
	for i, mix := range ms {
		if s[i].Count() == mix.Experts {
			continue
		}
		if err := (&cutting{mix.walk, c, m, s[i]}).apply(); err != nil {
			return nil, fmt.Errorf("experts of %s: %w", mix.Name, err)
		}
	}
	if err := c.Sort(); err != nil {
		return nil, err
	}
	c.Prune()
	for _, n := range c.Nodes {
		for _, o := range n.Outputs {
			if o != nil {
				o.Shape = nil
			}
		}
	}
	if err := op.InferAll(c); err != nil {
		return nil, fmt.Errorf("the cut network is not consistent: %w", err)
	}
	return c, nil
}

// Counted is what the network takes of which a selection is left.
func Counted(g *graph.Graph, ms []*Mixture, s Selection) (structure.Cost, error) {
	c, err := cut(g, ms, s, false)
	if err != nil {
		return structure.Cost{}, err
	}
	return structure.CostOf(c), nil
}

// KeptBy says which positions of the network's values a selection leaves.
func KeptBy(ms []*Mixture, s Selection) structure.Kept {
	out := structure.Kept{}
	for i, m := range ms {
		if s[i].Count() == m.Experts {
			continue
		}
		for v, d := range m.dims {
			if out[v.Name] == nil {
				out[v.Name] = make([]*prune.Mask, len(v.Shape))
			}
			out[v.Name][d] = s[i]
		}
	}
	return out
}

// never is the logit of an expert that is never chosen.
const never = -1e9

// Silence gives a copy of the network in which the router's logits of the experts that s
// does not keep are so low that no token is given to them, and none counts where every
// token is given to all. It computes the same as the cut network.
func Silence(g *graph.Graph, ms []*Mixture, s Selection) (*graph.Graph, error) {
	c, m := g.Clone(false)
	for i, mix := range ms {
		low := tensor.New(tensor.Float32, mix.Experts)
		for e := range mix.Experts {
			if !s[i].Kept(e) {
				low.F32()[e] = never
			}
		}
		v := m[mix.Router]
		n := c.Add("Add", "", []*graph.Value{v, c.Const(v.Name+"/missing", low, graph.Frozen)}, []string{v.Name + "/silenced"})
		c.ReplaceUses(v, n.Outputs[0])
		n.Inputs[0] = v
	}
	if err := c.Sort(); err != nil {
		return nil, err
	}
	return c, op.InferAll(c)
}

// cutting removes experts of one mixture from a copy of its network.
type cutting struct {
	*walk
	c    *graph.Graph
	m    map[*graph.Value]*graph.Value
	stay *prune.Mask
}

func (t *cutting) apply() error {
	for v, d := range t.dims {
		if v.IsConst() {
			masks := make([]*prune.Mask, len(v.Shape))
			masks[d] = t.stay
			k := t.m[v]
			k.Const = structure.Kept{v.Name: masks}.Take(v.Name, t.m[v].Const)
			k.Shape = graph.Dims(k.Const.Shape...)
		}
	}
	at := map[*graph.Node]*graph.Node{}
	for i, n := range t.c.Nodes { // nodes of other mixtures may stand behind these
		if i < len(t.g.Nodes) {
			at[t.g.Nodes[i]] = n
		}
	}
	for old := range at {
		if t.nodes[old] {
			if err := t.adapt(old, at[old]); err != nil {
				return err
			}
		}
	}
	for _, n := range t.joins {
		k := at[n]
		k.Inputs = slices.Clone(k.Inputs)
		var in []*graph.Value
		for i, v := range k.Inputs {
			if t.stay.Kept(i) {
				in = append(in, v)
			}
		}
		k.Inputs = in
	}
	for i := len(t.drops) - 1; i >= 0; i-- { // from the end, so that operands stand where they were
		t.lose(t.drops[i], at[t.drops[i].node])
	}
	return nil
}

// gone says whether none of some experts stays.
func (t *cutting) gone(of []int) bool {
	return !slices.ContainsFunc(of, t.stay.Kept)
}

// lose takes an operand from a node.
func (t *cutting) lose(d drop, n *graph.Node) {
	switch {
	case !t.gone(d.of):
	case d.keep >= 0:
		t.c.ReplaceUses(n.Out(0), n.In(d.keep))
	default:
		if n.Inputs = slices.Delete(slices.Clone(n.Inputs), d.in, d.in+1); len(n.Inputs) == 1 {
			t.c.ReplaceUses(n.Out(0), n.In(0))
		}
	}
}

// number is what the number of an expert that stays becomes.
func (t *cutting) number(e int) int {
	k := 0
	for i := range e {
		if t.stay.Kept(i) {
			k++
		}
	}
	return k
}

// adapt changes what a node says in numbers about the experts.
func (t *cutting) adapt(old, n *graph.Node) error {
	x, y := old.In(0), old.Out(0)
	left := t.stay.Count()
	switch {
	case old.Is("Reshape", "Expand") && t.here(old):
		return t.reshape(old, n, 1, t.dims[y]-len(y.Shape))
	case old.Is("ConstantOfShape") && t.here(old):
		return t.reshape(old, n, 0, t.dims[y]-len(y.Shape))
	case old.Is("OneHot") && t.here(old):
		depth := tensor.New(tensor.Int64, old.In(1).Const.Shape...)
		tensor.Of[int64](depth)[0] = int64(left)
		d, err := op.Convert(depth, old.In(1).DType)
		if err != nil {
			return err
		}
		n.Inputs[1] = t.c.Const(old.In(1).Name, d, graph.Frozen)
	case old.Is("Equal"):
		if e, ok := t.single(old); ok && t.stay.Kept(e) {
			for i, v := range old.Inputs {
				if v.IsConst() {
					return t.renumber(n, i, v, func(int) int { return t.number(e) })
				}
			}
		}
		if _, ok := t.counted(old); ok {
			for i, v := range old.Inputs {
				if v.IsConst() {
					k := 0
					return t.renumber(n, i, t.m[v], func(int) int { k++; return k - 1 })
				}
			}
		}
	}
	d, ok := t.dims[x]
	if !ok || t.here(old) || !old.Is("Gather", "Slice", "Split") || t.index[old.In(1)] {
		return nil
	}
	return t.pick(old, n, d)
}

// renumber gives a node a constant of its own whose numbers are others.
func (t *cutting) renumber(n *graph.Node, i int, v *graph.Value, f func(x int) int) error {
	s, err := v.Const.Int64s()
	if err != nil {
		return err
	}
	k := tensor.New(tensor.Int64, v.Const.Shape...)
	for j, x := range s {
		tensor.Of[int64](k)[j] = int64(f(int(x)))
	}
	if k, err = op.Convert(k, v.DType); err != nil {
		return err
	}
	n.Inputs[i] = t.c.Const(v.Name, k, graph.Frozen)
	return nil
}

// reshape changes the wanted shape of a node, input i; at counts from its end. A shape that
// is put together of pieces is changed in the piece that says how many experts there are.
func (t *cutting) reshape(old, n *graph.Node, i, at int) error {
	v := old.In(i)
	if s, ok := v.Ints(); ok {
		if k := len(s) + at; k >= 0 && s[k] > 1 {
			j := -1
			return t.renumber(n, i, v, func(x int) int {
				if j++; j == k {
					return t.stay.Count()
				}
				return x
			})
		}
		return nil
	}
	if v.From.Is("Shape") {
		return nil // of what has fewer experts itself
	}
	if v.From.Is("Concat") && size(v, 0) > 0 {
		k := size(v, 0) + at // the entry, counted from the piece that is looked at
		for j, p := range v.From.Inputs {
			if w := size(p, 0); k >= w {
				k -= w
				continue
			}
			if s, ok := p.Ints(); !ok {
				break
			} else if s[k] <= 1 {
				return nil
			}
			join := &graph.Node{Inputs: slices.Clone(t.m[v].From.Inputs)}
			l := -1
			if err := t.renumber(join, j, p, func(x int) int {
				if l++; l == k {
					return t.stay.Count()
				}
				return x
			}); err != nil {
				return err
			}
			n.Inputs[i] = t.c.Add("Concat", "", join.Inputs, []string{v.Name}, v.From.Attrs...).Outputs[0]
			return nil
		}
	}
	return fmt.Errorf("%s has a shape that is computed, in which the number of experts is not found", told(old))
}

// pick changes which entry a node takes.
func (t *cutting) pick(old, n *graph.Node, d int) error {
	at, _ := t.entries(old, d)
	switch {
	case old.Is("Split"):
		var outs []*graph.Value
		for i, o := range n.Outputs {
			if t.stay.Kept(i) {
				outs = append(outs, o)
			}
		}
		n.Outputs = outs
		ones := make([]int, len(outs))
		for i := range ones {
			ones[i] = 1
		}
		switch {
		case n.Attr("split") != nil:
			n.Set("split", ones)
		case n.In(1) != nil:
			k := tensor.New(tensor.Int64, len(outs))
			for i := range ones {
				tensor.Of[int64](k)[i] = 1
			}
			n.Inputs[1] = t.c.Const(old.In(1).Name, k, graph.Frozen)
		case n.Attr("num_outputs") != nil:
			n.Set("num_outputs", len(outs))
		}
	case !t.stay.Kept(at[0]): // nobody reads it any more
	case old.Is("Gather"):
		return t.renumber(n, 1, old.In(1), func(int) int { return t.number(at[0]) })
	default:
		return t.slice(old, n, d, t.number(at[0]))
	}
	return nil
}

// slice makes a Slice begin at another expert.
func (t *cutting) slice(old, n *graph.Node, d, e int) error {
	_, k, _ := t.start(old, d)
	for i, to := range []int{e, e + 1} {
		name := []string{"starts", "ends"}[i]
		if v := old.In(i + 1); v != nil {
			j := -1
			if err := t.renumber(n, i+1, v, func(x int) int {
				if j++; j == k {
					return to
				}
				return x
			}); err != nil {
				return err
			}
			continue
		}
		s := slices.Clone(old.Ints(name))
		s[k] = to
		n.Set(name, s)
	}
	return nil
}
