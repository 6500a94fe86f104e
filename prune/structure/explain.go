package structure

import (
	"slices"
	"strings"

	"pare/graph"
	"pare/prune"
)

// Explanation says in a person's words what a group is.
type Explanation struct {
	Made    []string // layers whose outputs the channels are
	Read    []string // layers that read them
	Along   []string // normalisations, biases and other vectors that go with them
	Through []string // nodes that tie what several layers make, "Add layer1.0"
	Wide    int      // positions of one channel in the first layer that makes it
	Params  float64  // share of the network's parameters that all but one of its channels hold
	MACs    float64  // share of its multiply-accumulates
}

// Explain describes groups of g.
func Explain(g *graph.Graph, groups []*Group) []Explanation {
	maker, reader := map[Axis]string{}, map[Axis]string{}
	for _, n := range g.Nodes {
		for i, v := range n.Inputs {
			if v == nil || len(v.Shape) < 2 {
				continue
			}
			for d := range v.Shape {
				if a, ok := weight(v, d); ok && isWeight(a.Value) {
					reader[a] = Label(n, i)
				}
			}
		}
	}
	for _, n := range g.Nodes {
		for _, a := range makes(n) {
			if l, ok := reader[a]; ok {
				maker[a] = l
			}
		}
	}
	joins := joinsOf(g, groups)
	m := newMeter(g)
	whole := m.whole
	out := make([]Explanation, len(groups))
	for i, grp := range groups {
		e := &out[i]
		var made, read, along, through distinct
		in := map[Axis]bool{}
		for k, a := range grp.Axes {
			in[a] = true
			if !a.Value.IsConst() || a.Value.Role == graph.Frozen {
				continue
			}
			l, makes := maker[a]
			switch {
			case makes:
				if len(made.list) == 0 {
					e.Wide = len(grp.Channels[0].At[k])
				}
				made.add(l)
			case len(a.Value.Shape) > 1 && reader[a] != "":
				read.add(reader[a])
			case a.Value.Role == graph.Param:
				along.add(a.Value.Name)
			}
		}
		for _, n := range joins.of(grp) {
			if tiesValues(n, in) {
				through.add(n.Op + " " + place(n))
			}
		}
		e.Made, e.Read, e.Along, e.Through = made.list, read.list, along.list, through.list
		first, gone := prune.NewMask(len(grp.Channels), false), map[Axis]*prune.Mask{}
		first.Set(0, true)
		grp.remove(first, gone)
		c := m.cost(gone)
		e.Params = 1 - float64(c.Params)/float64(max(1, whole.Params))
		e.MACs = 1 - float64(c.MACs)/float64(max(1, whole.MACs))
	}
	return out
}

// isWeight says whether a constant is a weight, of numbers or of integers for them.
func isWeight(v *graph.Value) bool { return v.Role == graph.Param || v.Role == graph.Packed }

// joins are the nodes that join what others computed, by the values that they
// read, and their places in the network.
type joins struct {
	by map[*graph.Value][]*graph.Node
	at map[*graph.Node]int
}

func joinsOf(g *graph.Graph, groups []*Group) joins {
	j := joins{map[*graph.Value][]*graph.Node{}, map[*graph.Node]int{}}
	for i, l := range Outline(g, groups) {
		if l.Node == nil || l.Weight != nil {
			continue
		}
		j.at[l.Node] = i
		for _, v := range l.Node.Inputs {
			j.by[v] = append(j.by[v], l.Node)
		}
	}
	return j
}

// of lists the nodes that read a value of the group, in the network's order.
func (j joins) of(g *Group) []*graph.Node {
	var out []*graph.Node
	for _, a := range g.Axes {
		out = append(out, j.by[a.Value]...)
	}
	slices.SortFunc(out, func(a, b *graph.Node) int { return j.at[a] - j.at[b] })
	return slices.Compact(out)
}

// tiesValues says whether a node joins two values of the group.
func tiesValues(n *graph.Node, in map[Axis]bool) bool {
	k := 0
	for _, v := range n.Inputs {
		if v == nil || v.IsConst() {
			continue
		}
		for d := range v.Shape {
			if in[Axis{v, d}] {
				k++
				break
			}
		}
	}
	return k > 1
}

// distinct lists strings, each once, in the order in which they come.
type distinct struct {
	list []string
	seen map[string]bool
}

func (d *distinct) add(s string) {
	if d.seen == nil {
		d.seen = map[string]bool{}
	}
	if !d.seen[s] {
		d.seen[s] = true
		d.list = append(d.list, s)
	}
}

// Label names a node by the weight that it reads as input i, or by its own name
// where an exporter made the weight's up.
func Label(n *graph.Node, i int) string {
	v := n.In(i)
	for v != nil && v.From != nil && v.Const == nil {
		v = v.From.In(0)
	}
	if v == nil || madeUp(v.Name) {
		return place(n)
	}
	return strings.TrimSuffix(v.Name, ".weight")
}

// madeUp says whether an exporter numbered a weight instead of naming it.
func madeUp(s string) bool {
	for _, p := range []string{"onnx::", "val_", "_val_", "_to_copy", "t_", "transpose", "permute"} {
		if strings.HasPrefix(s, p) {
			return true
		}
	}
	return strings.Trim(s, "0123456789") == ""
}

// place says where in the model a node stands, as its exporter told.
func place(n *graph.Node) string {
	if s := n.Scope(); s != "" {
		return s
	}
	return short(n.Name)
}

// short takes the slashes and the operator from a node's name as exporters
// write it: "/layer1/layer1.0/conv1/Conv" is "layer1.0.conv1".
func short(s string) string {
	parts := strings.Split(strings.Trim(s, "/"), "/")
	if len(parts) > 1 {
		parts = parts[:len(parts)-1]
	}
	var out []string
	for _, p := range parts {
		if k := len(out); k > 0 && strings.HasPrefix(p, out[k-1]+".") {
			out[k-1] = p
		} else {
			out = append(out, p)
		}
	}
	return strings.Join(out, ".")
}
