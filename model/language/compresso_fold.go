package language

import (
	"slices"

	"pare/graph"
	"pare/prune/block"
	"pare/prune/structure"
	"pare/tensor"
)

// gateName is what the gates are called in the network that they act in.
const gateName = "pare.compresso.gates"

// gated gives a copy of a network, with the same weights, in which gates act: on what heads
// give before the output projection reads it, on what the layers before the activation of a
// feed-forward part make, and on all that is added to the stream. Only the gates, and the
// weights that have adapters, are trained.
func (l *layout) gated(g *graph.Graph, adapted []string) (*graph.Graph, *graph.Value, error) {
	c, _ := g.Clone(false)
	c.Usage.Sizes = nil // samples may be longer, with a prompt before them
	m := c.Const(gateName, tensor.From(slices.Repeat([]float32{1}, l.gates+1), 1, l.gates+1), graph.Param)
	groups, _ := structure.Groups(c)
	if err := structure.GateReads(c, groups, l.places(true), m); err != nil {
		return nil, nil, err
	}
	if err := structure.GateMakes(c, groups, l.places(false), m); err != nil {
		return nil, nil, err
	}
	for _, v := range c.Params() {
		if v != m && !slices.Contains(adapted, v.Name) {
			v.Role = graph.Frozen
		}
	}
	return c, m, nil
}

// places says where the gates of the groups of a network begin, for those that act where
// weights read, or where they make.
func (l *layout) places(read bool) []int {
	first := slices.Repeat([]int{-1}, len(l.groups))
	for _, v := range l.vectors {
		if v.learned && (partOf(v.kind) == "heads") == read {
			first[v.group] = v.first
		}
	}
	return first
}

// fold multiplies weights of a network by gates: the output projection's by those of the
// heads, what comes before an activation by those of the feed-forward part, and all that
// makes the stream by the stream's. The network then gives what the gated one does.
func (l *layout) fold(g *graph.Graph, z []float64) error {
	for i, v := range l.vectors {
		if !v.learned {
			continue
		}
		by := z[v.first : v.first+v.n]
		if partOf(v.kind) == "heads" {
			v.ScaleReads(by)
			continue
		}
		if i == l.hidden {
			k, err := scaleBehind(g, v.Group)
			if err != nil {
				return err
			}
			if k >= 0 {
				back := slices.Repeat([]float64{1}, v.n)
				for c, x := range by {
					if x != 0 {
						back[c] = 1 / x
					}
				}
				v.Scale(k, back)
			}
		}
		v.ScaleMakes(g, by)
	}
	return nil
}

// cut removes what has gates of 0 from a network whose gates are folded: channels, and
// branches of which nothing is left. Where such a branch cannot go as a whole, its last
// channel stays; those are named.
func (l *layout) cut(g *graph.Graph, z []float64) (out *graph.Graph, kept structure.Kept, gone, left []string, err error) {
	stay := map[string][]bool{} // by the group's name
	var empty []*block.Block
	blocks, _ := block.Find(g, block.Options{Sublayers: true})
	for _, v := range l.vectors {
		of := make([]bool, v.n)
		for c := range of {
			of[c] = !v.learned || z[v.first+c] != 0
		}
		stay[v.Name] = of
		if slices.Contains(of, true) {
			continue
		}
		if i := slices.IndexFunc(blocks, func(b *block.Block) bool {
			return !b.Norm && slices.ContainsFunc(b.Weights, func(w *graph.Value) bool { return w.Name == v.Name })
		}); i >= 0 {
			empty, gone = append(empty, blocks[i]), append(gone, blocks[i].Name)
			delete(stay, v.Name)
			continue
		}
		of[0] = true // it is zero
		left = append(left, v.Name)
	}
	if len(empty) > 0 {
		if g, err = block.Remove(g, empty); err != nil {
			return nil, nil, nil, nil, err
		}
	}
	groups, _ := structure.Groups(g)
	sel := structure.All(groups)
	for i, grp := range groups {
		of := stay[grp.Name]
		if of == nil || len(of) != len(grp.Channels) {
			continue
		}
		for c, stays := range of {
			sel[i].Set(c, stays)
		}
	}
	out, err = structure.Cut(g, groups, sel)
	return out, structure.KeptBy(groups, sel), gone, left, err
}
