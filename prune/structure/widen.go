package structure

import (
	"fmt"
	"slices"

	"pare/graph"
	"pare/graph/op"
	"pare/tensor"
)

// widens are the operators through which a group may get more channels: what they do to
// a channel does not depend on how many there are, and nothing at them says the number.
var widens = []string{
	"Conv", "ConvTranspose", "Gemm", "MatMul", "BatchNormalization", "InstanceNormalization", "LayerNormalization", "PRelu",
	"Relu", "LeakyRelu", "Sigmoid", "HardSwish", "HardSigmoid", "Clip", "Gelu", "Elu", "Selu", "Softplus", "Tanh", "Erf", "Mish", "Identity", "Dropout",
	"Add", "Sub", "Mul", "Div", "Sum", "MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool", "Flatten",
}

// Rigid says of each group why it cannot get more channels; "" where it can: Widen makes
// new channels behind the old ones, so that along every axis of the group its channels must
// be all there is, in order, and lie in operators that take any number.
func Rigid(g *graph.Graph, groups []*Group) []string {
	uses := g.Uses()
	out := make([]string, len(groups))
	for i, grp := range groups {
		out[i] = grp.rigid(uses)
	}
	return out
}

func (g *Group) rigid(uses map[*graph.Value][]graph.Use) string {
	for k, a := range g.Axes {
		next := 0
		for _, c := range g.Channels {
			if len(c.At[k]) != len(g.Channels[0].At[k]) {
				return fmt.Sprintf("its channels have different shares of %s", a.Value.Name)
			}
			for _, p := range c.At[k] {
				if p != next {
					return fmt.Sprintf("its channels lie apart in %s", a.Value.Name)
				}
				next++
			}
		}
		if graph.N(next) != a.Value.Shape[a.Dim] {
			return fmt.Sprintf("%s has other channels beside them", a.Value.Name)
		}
		nodes := []*graph.Node{}
		if a.Value.From != nil {
			nodes = append(nodes, a.Value.From)
		}
		for _, u := range uses[a.Value] {
			nodes = append(nodes, u.Node)
		}
		for _, n := range nodes {
			if !n.Is(widens...) {
				return fmt.Sprintf("it is not known how %s %q takes more channels", n.Op, n.Name)
			}
			if n.Int("group", 1) > 1 && !g.alone(n) {
				return fmt.Sprintf("%s %q has groups of several channels", n.Op, n.Name)
			}
		}
	}
	return ""
}

// alone says whether a convolution has one of the group's channels in each of its groups.
func (g *Group) alone(n *graph.Node) bool {
	w := n.In(1)
	return n.Is("Conv") && w.IsConst() && w.Const.Shape[1] == 1 && w.Const.Shape[0] == n.Int("group", 1) &&
		slices.ContainsFunc(g.Axes, func(a Axis) bool { return a.Value == w && a.Dim == 0 })
}

// Widen gives a copy of the network whose groups have more channels: group i as many as
// width[i] says, at least as many as it has. The new ones stand behind the old ones and
// repeat their weights, so that new weights are to be drawn, or the network trained. It
// returns an error for a group that Rigid gives a reason for.
func Widen(g *graph.Graph, groups []*Group, width []int) (*graph.Graph, error) {
	why := Rigid(g, groups)
	from := map[Axis][]int{} // which position of the axis each of the new one's repeats
	for i, grp := range groups {
		n := len(grp.Channels)
		switch {
		case width[i] == n:
			continue
		case width[i] < n:
			return nil, fmt.Errorf("group %q has %d channels, and is to get %d: cut it", grp.Name, n, width[i])
		case why[i] != "":
			return nil, fmt.Errorf("group %q cannot get more channels: %s", grp.Name, why[i])
		}
		for k, a := range grp.Axes {
			for c := range width[i] {
				from[a] = append(from[a], grp.Channels[c%n].At[k]...)
			}
		}
	}
	c, m := g.Clone(true)
	for _, v := range g.Consts() {
		for d := range v.Shape {
			if at := from[Axis{v, d}]; at != nil {
				t, err := repeat(m[v].Const, d, at)
				if err != nil {
					return nil, fmt.Errorf("weight %q: %w", v.Name, err)
				}
				m[v].Const, m[v].Shape = t, graph.Dims(t.Shape...)
			}
		}
	}
	for i, n := range c.Nodes {
		if old := g.Nodes[i]; old.Int("group", 1) > 1 {
			if at := from[Axis{old.In(1), 0}]; at != nil {
				n.Set("group", len(at))
			}
		}
		for _, o := range n.Outputs {
			if o != nil {
				o.Shape = nil
			}
		}
	}
	if err := op.InferAll(c); err != nil {
		return nil, fmt.Errorf("the wider network is not consistent: %w", err)
	}
	return c, nil
}

// repeat takes positions of an axis, any number of times each.
func repeat(t *tensor.Tensor, dim int, at []int) (*tensor.Tensor, error) {
	x := t.F32()
	if x == nil {
		return nil, fmt.Errorf("%v is not float32", t.DType)
	}
	shape := slices.Clone(t.Shape)
	shape[dim] = len(at)
	out := tensor.New(t.DType, shape...)
	y := out.F32()
	outer, inner := around(t.Shape, dim)
	for o := range outer {
		for _, i := range at {
			y = y[copy(y, x[(o*t.Shape[dim]+i)*inner:(o*t.Shape[dim]+i+1)*inner]):]
		}
	}
	return out, nil
}
