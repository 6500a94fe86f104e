package structure

import (
	"fmt"
	"slices"
	"sort"
	"strings"

	"pare/graph"
	"pare/graph/op"
	"pare/prune"
)

// Group is a coupled group of the dependency graph: each of its channels touches
// the same axes, and any of them may be cut as long as one stays.
type Group struct {
	Name     string // the weight that makes the channels
	Axes     []Axis // every axis that a channel has positions in, weights and activations
	Channels []Channel

	makers []string // all weights that make the channels
	made   []bool   // by axis: along it a weight makes them
}

// Channel is one class of coupled positions: At[k] lists its positions in axis
// k of the group.
type Channel struct{ At [][]int }

// Protected is an axis of a weight that cannot be cut, and why.
type Protected struct {
	Axis
	Why string
}

// Groups finds the coupled channels of a network whose shapes are inferred.
// Protected lists the output axes of weights that are left whole.
func Groups(g *graph.Graph) ([]*Group, []Protected) {
	r, made := relate(g), makers(g)
	classes, order := r.classes(made)
	byPattern := map[string]*Group{}
	var out []*Group
	for _, t := range order {
		c := classes[t]
		key := fmt.Sprint(c.axes)
		grp := byPattern[key]
		if grp == nil {
			grp = &Group{}
			for _, ai := range c.axes {
				grp.Axes = append(grp.Axes, r.axes[ai])
				grp.made = append(grp.made, made[r.axes[ai]] != "")
				if name := made[r.axes[ai]]; name != "" {
					grp.makers = append(grp.makers, name)
				}
				if grp.Name == "" {
					grp.Name = made[r.axes[ai]]
				}
			}
			byPattern[key] = grp
			out = append(out, grp)
		}
		grp.Channels = append(grp.Channels, Channel{c.at})
	}
	kept := out[:0]
	for _, grp := range out {
		if len(grp.Channels) > 1 {
			kept = append(kept, grp)
		}
	}
	rank := firstUse(g)
	sort.SliceStable(kept, func(i, j int) bool { return rank[kept[i].Name] < rank[kept[j].Name] })
	return kept, protected(g, r, made)
}

// class is what is coupled to one channel.
type class struct {
	axes []int   // indices into the relation's axes, ascending
	at   [][]int // positions, parallel to axes
}

// classes collects the classes that a weight makes and that may be cut, by their
// first positions, and these in order.
func (r *Relation) classes(made map[Axis]string) (map[int32]*class, []int32) {
	classes := map[int32]*class{}
	for a := range made {
		for i := range r.Size(a.Value, a.Dim) {
			if t := r.root(r.base[a] + int32(i)); r.why[t] == 0 {
				classes[t] = &class{}
			}
		}
	}
	var order []int32
	for ai, a := range r.axes {
		b := r.base[a]
		for i := range a.Value.Shape[a.Dim].Mul {
			t := r.root(b + int32(i))
			c := classes[t]
			if c == nil {
				continue
			}
			if c.axes == nil {
				order = append(order, t)
			}
			if k := len(c.axes); k == 0 || c.axes[k-1] != ai {
				c.axes = append(c.axes, ai)
				c.at = append(c.at, nil)
			}
			c.at[len(c.at)-1] = append(c.at[len(c.at)-1], i)
		}
	}
	return classes, order
}

// makers maps the axis of every weight along which it makes channels to the
// weight's name.
func makers(g *graph.Graph) map[Axis]string {
	out := map[Axis]string{}
	op.Each(g, func(n *graph.Node) {
		for _, a := range makes(n) {
			out[a] = a.Value.Name
		}
	})
	return out
}

func firstUse(g *graph.Graph) map[string]int {
	out := map[string]int{}
	for i, v := range g.Consts() {
		out[v.Name] = i
	}
	return out
}

func protected(g *graph.Graph, r *Relation, made map[Axis]string) []Protected {
	var out []Protected
	for _, a := range r.axes {
		if made[a] == "" {
			continue
		}
		for i := range r.Size(a.Value, a.Dim) {
			if why, ok := r.stays(r.base[a] + int32(i)); ok {
				out = append(out, Protected{a, why})
				break
			}
		}
	}
	rank := firstUse(g)
	sort.SliceStable(out, func(i, j int) bool { return rank[out[i].Value.Name] < rank[out[j].Value.Name] })
	return out
}

// Makers lists the weights that make the channels.
func (g *Group) Makers() []string { return slices.Clone(g.makers) }

// Weights lists the axes of the group that belong to initialisers.
func (g *Group) Weights() []Axis {
	var out []Axis
	for _, a := range g.Axes {
		if a.Value.IsConst() {
			out = append(out, a)
		}
	}
	return out
}

// Integers says whether weights of the group are integers that a DequantizeLinear reads.
func (g *Group) Integers() bool {
	return slices.ContainsFunc(g.Axes, func(a Axis) bool { return a.Value.IsConst() && a.Value.Role == graph.Packed })
}

// String lists what is tied: "16 channels of conv1.weight: conv1.weight[0] bn1.weight[0] ...".
func (g *Group) String() string {
	var w []string
	for _, a := range g.Weights() {
		w = append(w, fmt.Sprintf("%s[%d]", a.Value.Name, a.Dim))
	}
	return fmt.Sprintf("%d channels of %s: %s", len(g.Channels), g.Name, strings.Join(w, " "))
}

// Reads gives which axis of the group is one along which a weight reads its channels, and
// makes none; -1 where it does not.
func (g *Group) Reads(v *graph.Value) int {
	for k, a := range g.Axes {
		if a.Value == v && len(v.Shape) > 1 && !g.made[k] {
			return k
		}
	}
	return -1
}

// In says whether all weights that make the group's channels are in a scope, so that
// channels may go.
func (g *Group) In(s prune.Scope) bool {
	return !slices.ContainsFunc(g.makers, func(name string) bool { return !s.Match(name) })
}
