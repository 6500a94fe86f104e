package language

import (
	"fmt"
	"slices"
	"strings"

	"pare/catalog"
	"pare/graph"
	"pare/prune"
	"pare/prune/block"
	"pare/prune/structure"
)

// decoder is what of a transformer may become narrower while its hidden width stays.
type decoder struct {
	layers []decoderLayer
	roots  []*root
	notes  []catalog.Text // of layers that stay whole, or in part
}

// decoderLayer is one of its blocks, by the names of its values, which cuts leave.
type decoderLayer struct{ name, in, out string }

// root is a group of coupled channels within a layer: the heads of its attention, each with
// the heads of queries that share its keys and values, or the neurons of its feed-forward
// layer.
type root struct {
	name  string // of the group
	layer int
	kind  structure.Kind
	unit  int      // positions of a channel in the weight that has fewest: the width of a head, or 1
	parts []string // weights that go with it
	makes []string // those of them that make the channels
	first int      // channels before the first cut
}

// heads says whether it is those of an attention.
func (r *root) heads() bool { return r.kind != structure.FeedForward }

// findDecoder finds the layers of a transformer and what may become narrower in them: groups
// of which all weights that make them are in scope. It returns an error that says what is
// missing.
func findDecoder(g *graph.Graph, scope prune.Scope) (*decoder, error) {
	d := &decoder{}
	blocks, whole := block.Find(g, block.Options{})
	in := map[string]int{} // layers by the names of their weights
	for _, b := range blocks {
		if b.Kind != block.Transformer && b.Kind != block.Attention {
			continue
		}
		for _, v := range b.Weights {
			in[v.Name] = len(d.layers)
		}
		d.layers = append(d.layers, decoderLayer{b.Name, b.In.Name, b.Out.Name})
	}
	if len(d.layers) == 0 {
		return nil, fmt.Errorf("the network has no layer of a transformer, an attention beside a shortcut%s: method channels makes any network narrower", reasons(whole))
	}
	groups, _ := structure.Groups(g)
	has := make([][2]bool, len(d.layers))
	outside := 0
	for i, kind := range structure.Kinds(g, groups) {
		grp := groups[i]
		if kind != structure.Heads && kind != structure.GroupedHead && kind != structure.FeedForward {
			continue
		}
		at, ok := layerOf(grp, in)
		if !ok {
			if kind != structure.FeedForward { // others stand behind the layers, such as in a classifier
				d.note("%s stays whole: its weights are of no single layer", grp.Name)
			}
			continue
		}
		r := &root{name: grp.Name, layer: at, kind: kind, unit: unit(grp), parts: weightsOf(grp), makes: grp.Makers(), first: len(grp.Channels)}
		has[at][half(r)] = true
		if !grp.In(scope) {
			outside++
			continue
		}
		d.roots = append(d.roots, r)
	}
	for i, l := range d.layers {
		for k, what := range []string{"heads of its attention (q, k, v and o)", "neurons of its feed-forward layer (gate, up and down)"} {
			if !has[i][k] {
				d.note("layer %s: no %s could be found that may go one by one", l.name, what)
			}
		}
	}
	switch {
	case len(d.roots) == 0 && outside > 0:
		return nil, catalog.Errorf("{Include} and {Exclude} leave no heads and no neurons that may go")
	case len(d.roots) == 0:
		return nil, fmt.Errorf("of the network's %d layers nothing may go: no heads (q, k, v and o) and no neurons (gate, up and down) could be found that go one by one", len(d.layers))
	}
	return d, nil
}

func (d *decoder) note(format string, a ...any) {
	d.notes = append(d.notes, catalog.Text(fmt.Sprintf(format, a...)))
}

// half is 0 of heads, and 1 of neurons.
func half(r *root) int {
	if r.heads() {
		return 0
	}
	return 1
}

// layerOf is the one layer that has all weights which make a group's channels.
func layerOf(grp *structure.Group, in map[string]int) (at int, ok bool) {
	for i, name := range grp.Makers() {
		k, known := in[name]
		if !known || i > 0 && k != at {
			return 0, false
		}
		at = k
	}
	return at, true
}

// unit is the number of positions that a channel has in the matrix in which it has fewest:
// of heads the rows of keys.
func unit(grp *structure.Group) int {
	least := 0
	for k, a := range grp.Axes {
		if a.Value.IsConst() && len(a.Value.Shape) > 1 {
			if n := len(grp.Channels[0].At[k]); least == 0 || n < least {
				least = n
			}
		}
	}
	return max(1, least)
}

// weightsOf names the weights that go with a group, in its order.
func weightsOf(grp *structure.Group) (out []string) {
	for _, a := range grp.Weights() {
		out = append(out, a.Value.Name)
	}
	return out
}

// reasons are those of what is no block, some of many.
func reasons(whole []block.Whole) string {
	var out []string
	for i, w := range whole {
		if i == 3 {
			out = append(out, fmt.Sprintf("and %d more", len(whole)-i))
			break
		}
		out = append(out, w.Name+": "+w.Why)
	}
	if out == nil {
		return ""
	}
	return " (" + strings.Join(out, "; ") + ")"
}

// in are the groups of a network that the roots are, in their order; nil stands for those
// of which a single channel is left. Where that is a head of keys and values, the heads of
// queries that share it could go one by one: they are another group, of the same name.
func (d *decoder) in(g *graph.Graph) []*structure.Group {
	groups, _ := structure.Groups(g)
	by := map[string]*structure.Group{}
	for _, grp := range groups {
		by[grp.Name] = grp
	}
	out := make([]*structure.Group, len(d.roots))
	for i, r := range d.roots {
		if grp := by[r.name]; grp != nil && unit(grp) == r.unit && slices.Equal(weightsOf(grp), r.parts) {
			out[i] = grp
		}
	}
	return out
}

// scope are the weights that make what may go.
func (d *decoder) scope() (s prune.Scope) {
	for _, r := range d.roots {
		s.Include = append(s.Include, r.makes...)
	}
	return s
}

// least is what stays where every root keeps one channel.
func (d *decoder) least(g *graph.Graph) structure.Cost {
	groups := slices.DeleteFunc(d.in(g), func(grp *structure.Group) bool { return grp == nil })
	sel := structure.All(groups)
	for i, grp := range groups {
		for c := 1; c < len(grp.Channels); c++ {
			sel[i].Set(c, false)
		}
	}
	return structure.Counted(g, groups, sel)
}
