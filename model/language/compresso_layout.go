package language

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"pare/catalog"
	"pare/graph"
	"pare/lm/family"
	"pare/prune"
	"pare/prune/structure"
)

// layout is what may go of a network: heads, places between the feed-forward layers, and
// the width of the stream; and how many weights go with each.
type layout struct {
	groups  []*structure.Group
	vectors []vector
	hidden  int     // which of the vectors is the stream's; -1: it stays whole
	gates   int     // of all vectors
	fixed   float64 // weights of attentions that lose entries with the stream alone
	whole   float64
	notes   []string
}

// vector is the gates of one group: those of a layer's heads, say.
type vector struct {
	*structure.Group
	kind     structure.Kind
	group    int  // which of the groups
	first, n int  // gates
	learned  bool // otherwise its gates are 1: it is out of scope
	own      float64
	shared   float64 // weights that go with a gate: those of an axis that is not the stream's, and those that are
}

// newLayout finds what may go. parts are some of heads, intermediate and hidden.
func newLayout(g *graph.Graph, parts []string, scope prune.Scope) (*layout, error) {
	if err := scope.Check(g); err != nil {
		return nil, err
	}
	l := &layout{hidden: -1}
	l.groups, _ = structure.Groups(g)
	kinds := structure.Kinds(g, l.groups)
	stream := l.stream(kinds)
	found := map[string]int{}
	for i, grp := range l.groups {
		part := partOf(kinds[i])
		if part == "" || part == "hidden" {
			continue
		}
		v := vector{Group: grp, kind: kinds[i], group: i, first: l.gates, n: len(grp.Channels)}
		v.learned = slices.Contains(parts, part) && grp.In(scope)
		for k, a := range grp.Axes {
			if !a.Value.IsConst() || len(a.Value.Shape) != 2 {
				continue
			}
			n := float64(len(grp.Channels[0].At[k]) * a.Value.Const.Shape[1-a.Dim])
			if stream != nil && along(stream, structure.Axis{Value: a.Value, Dim: 1 - a.Dim}) {
				v.shared += n
			} else {
				v.own += n
			}
		}
		found[part]++
		l.vectors, l.gates, l.whole = append(l.vectors, v), l.gates+v.n, l.whole+float64(v.n)*(v.own+v.shared)
	}
	l.addFixed(g, stream)
	for _, p := range [][2]string{{"heads", "attention whose heads can be cut"}, {"intermediate", "feed-forward layers behind an attention whose width can be cut"}} {
		if found[p[0]] == 0 {
			return nil, catalog.Errorf("the network has no %s: this method cuts transformers; method channels cuts what else goes together", p[1])
		}
	}
	if slices.Contains(parts, "hidden") {
		if why := l.addStream(g, stream, kinds, scope); why != "" {
			l.notes = append(l.notes, "the width of the stream stays whole: "+why)
		}
	}
	if !slices.ContainsFunc(l.vectors, func(v vector) bool { return v.learned }) {
		return nil, catalog.Errorf("{Parts} %s, {Include} and {Exclude} leave nothing that could be cut", strings.Join(parts, ","))
	}
	return l, nil
}

// addFixed counts what attentions read that no head goes with, such as the keys and values
// that all heads of a layer share.
func (l *layout) addFixed(g *graph.Graph, stream *structure.Group) {
	if stream == nil {
		return
	}
	all, seen := map[*graph.Value]bool{}, map[*graph.Value]bool{}
	for k, a := range stream.Axes {
		all[a.Value] = all[a.Value] || a.Value.IsConst() && len(a.Value.Shape) == 2 && slices.Contains(stream.Readers(), k)
	}
	for _, v := range l.vectors {
		for _, a := range v.Axes {
			seen[a.Value] = true
		}
	}
	for _, core := range attentions(g) {
		for _, x := range core {
			for _, w := range sources(x, all) {
				if !seen[w] {
					seen[w] = true
					l.fixed += float64(w.Const.Len())
				}
			}
		}
	}
	l.whole += l.fixed
}

// partOf is a kind of group by the name that {Parts} has for it.
func partOf(k structure.Kind) string {
	switch k {
	case structure.Heads, structure.GroupedHead:
		return "heads"
	case structure.FeedForward:
		return "intermediate"
	case structure.Embedding:
		return "hidden"
	}
	return ""
}

// stream is the group of the residual stream; nil: there is none, or more than one.
func (l *layout) stream(kinds []structure.Kind) (out *structure.Group) {
	for i, k := range kinds {
		if k == structure.Embedding {
			if out != nil {
				return nil
			}
			out = l.groups[i]
		}
	}
	return out
}

// along says whether a group's channels are positions of an axis.
func along(g *structure.Group, a structure.Axis) bool { return slices.Contains(g.Axes, a) }

// addStream adds the gates of the stream, or says why it has none.
func (l *layout) addStream(g *graph.Graph, stream *structure.Group, kinds []structure.Kind, scope prune.Scope) string {
	switch {
	case stream == nil:
		return "no single width is found that all blocks read and add to"
	case !stream.In(scope):
		return "not all of its weights are in scope"
	}
	if name := centred(g, stream); name != "" {
		return fmt.Sprintf("normalisation %q takes the mean off, which would have to be that of the channels that stay", name)
	}
	if _, err := scaleBehind(g, stream); err != nil {
		return err.Error()
	}
	if err := family.Narrows(g); err != nil {
		return err.Error()
	}
	l.hidden = len(l.vectors)
	i := slices.Index(l.groups, stream)
	l.vectors = append(l.vectors, vector{Group: stream, kind: kinds[i], group: i, first: l.gates, n: len(stream.Channels), learned: true})
	l.gates += len(stream.Channels)
	return ""
}

// centred is the name of a normalisation over the stream that takes a mean off: what it
// gives at a channel that is zero is not zero. Empty: there is none.
func centred(g *graph.Graph, stream *structure.Group) string {
	for _, n := range g.Nodes {
		x := n.In(0)
		if x == nil || !along(stream, structure.Axis{Value: x, Dim: len(x.Shape) - 1}) {
			continue
		}
		switch rms := strings.Contains(n.Op, "Simplified") || strings.HasPrefix(n.Op, "RMS"); {
		case strings.HasSuffix(n.Op, "Normalization") && !rms:
			return cmp.Or(n.Name, n.Op)
		case n.Is("Sub") && n.In(1).From != nil && n.In(1).From.Is("ReduceMean") && n.In(1).From.In(0) == x:
			return cmp.Or(n.Name, n.Op)
		}
	}
	return ""
}

// scaleBehind gives the scale of the last normalisation, as a place in the stream's axes,
// where the table of embeddings is the output layer as well: to leave that layer as it was
// when the table takes up the gates, the scale is divided by them. -1: it is not needed.
func scaleBehind(g *graph.Graph, stream *structure.Group) (int, error) {
	uses := g.Uses()
	for _, k := range stream.Makes() {
		table := stream.Axes[k].Value
		looked := slices.ContainsFunc(uses[table], func(u graph.Use) bool { return u.Node.Is("Gather") && u.Index == 0 })
		for _, u := range uses[table] {
			if !looked || u.Node.Is("Gather") && u.Index == 0 {
				continue
			}
			n, at := u.Node, u.Index
			for n.Is("Transpose", "Identity", "Cast") && len(uses[n.Out(0)]) == 1 {
				next := uses[n.Out(0)][0]
				n, at = next.Node, next.Index
			}
			if !n.Is("MatMul", "Gemm") {
				return -1, fmt.Errorf("its table of embeddings %q is read by %s %q as well", table.Name, n.Op, n.Name)
			}
			x := n.In(1 - at)
			for x.From != nil && x.From.Is("Reshape", "Identity", "Cast") {
				x = x.From.In(0)
			}
			if x.From != nil {
				for _, v := range x.From.Inputs {
					i := slices.Index(stream.Axes, structure.Axis{Value: v, Dim: 0})
					if x.From.Is("Mul", "RMSNormalization", "SimplifiedLayerNormalization") && i >= 0 && v.IsConst() && len(v.Shape) == 1 && len(uses[v]) == 1 {
						return i, nil
					}
				}
			}
			return -1, fmt.Errorf("its table of embeddings %q is the output layer too, and no scale of a normalisation stands before that", table.Name)
		}
	}
	return -1, nil
}

// kept is by how many numbers of each vector are 1, or likely to be, and so the size of the
// network, as a share of what there was, that goes (the paper's equation of the expected
// sparsity, in factors). d gets its derivative by each of these numbers; nil: it is not
// asked for.
func (l *layout) sparsity(kept []float64, d []float64) float64 {
	width := 1.0
	if l.hidden >= 0 {
		width = kept[l.hidden] / float64(l.vectors[l.hidden].n)
	}
	n, by := l.fixed*width, l.fixed
	for i, v := range l.vectors {
		if i == l.hidden {
			continue
		}
		n += kept[i] * (v.own + v.shared*width)
		by += kept[i] * v.shared
		if d != nil {
			d[i] = -(v.own + v.shared*width) / l.whole
		}
	}
	if d != nil && l.hidden >= 0 {
		d[l.hidden] = -by / float64(l.vectors[l.hidden].n) / l.whole
	}
	return 1 - n/l.whole
}

// count is how many gates of each vector are not 0.
func (l *layout) count(z []float64) []float64 {
	out := make([]float64, len(l.vectors))
	for i, v := range l.vectors {
		for _, x := range z[v.first : v.first+v.n] {
			if x != 0 {
				out[i]++
			}
		}
	}
	return out
}
