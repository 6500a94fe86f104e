package op

import (
	"fmt"
	"slices"
	"strings"

	"pare/graph"
	"pare/tensor"
)

// Upgrade rewrites a graph of an opset before 7 into one of opset 7, as far as
// the two differ for a network that is run: operands that are aligned by the
// attributes axis and broadcast, sizes and types that were attributes. The
// graph's nodes must be sorted. What a runtime's optimiser wrote is written out
// (ReadContrib).
func Upgrade(g *graph.Graph) error {
	ReadContrib(g)
	if v, ok := g.Opset[""]; !ok || v >= 7 {
		return nil
	}
	g.Opset[""] = 7
	dims := map[*graph.Value][]graph.Dim{}
	nodes := g.Nodes
	g.Nodes = nil
	for _, n := range nodes {
		if n.Domain == "" {
			if err := upgradeNode(g, n, dims); err != nil {
				return at(n, err)
			}
		}
		g.Nodes = append(g.Nodes, n)
		// What cannot be inferred yet is reported when the graph is used.
		_ = inferNode(g, n, dims)
	}
	return nil
}

func upgradeNode(g *graph.Graph, n *graph.Node, dims map[*graph.Value][]graph.Dim) error {
	drop(n, "consumed_inputs")
	switch n.Op {
	case "Add", "Sub", "Mul", "Div", "Pow", "And", "Or", "Xor", "Equal", "Greater", "Less":
		aligned := n.Attr("axis") != nil && n.Int("broadcast", 0) != 0
		first := n.Int("axis", 0)
		drop(n, "axis", "broadcast")
		if aligned {
			return alignAt(g, n, first, dims)
		}
	case "PRelu":
		if s := n.In(1); s != nil && len(s.Shape) == 1 {
			return alignAt(g, n, 1, dims)
		}
	case "Gemm":
		drop(n, "broadcast")
	case "BatchNormalization", "Dropout":
		drop(n, "is_test")
	case "RNN", "GRU", "LSTM":
		drop(n, "output_sequence")
	case "Concat":
		n.Set("axis", n.Int("axis", 1))
	case "Cast":
		if a := n.Attr("to"); a != nil && a.Kind == graph.AttrString {
			t, err := typeNamed(a.S)
			if err != nil {
				return err
			}
			n.Set("to", t)
		}
	case "Reshape":
		if s := n.Attr("shape"); s != nil {
			n.Inputs = []*graph.Value{n.In(0), g.Const(n.Name+"/shape", tensor.Vector(slices.Clone(s.Ints)...), graph.Frozen)}
			drop(n, "shape")
		}
	case "Split":
		if s := n.In(1); s != nil {
			if !s.IsConst() {
				return fmt.Errorf("the sizes of the parts are computed while running, which opset 7 lacks")
			}
			parts, err := intsOf(s.Const)
			if err != nil {
				return err
			}
			n.Inputs = n.Inputs[:1]
			n.Set("split", parts)
		}
	case "Tile":
		if n.In(2) != nil {
			return tileAlong(g, n)
		}
	case "Upsample":
		if n.Attr("height_scale") != nil {
			n.Set("scales", []float32{1, 1, n.Float("height_scale", 1), n.Float("width_scale", 1)})
			drop(n, "height_scale", "width_scale")
		}
	}
	return nil
}

func drop(n *graph.Node, names ...string) {
	n.Attrs = slices.DeleteFunc(n.Attrs, func(a graph.Attr) bool { return slices.Contains(names, a.Name) })
}

// alignAt appends axes of length 1 to the second operand, so that its first axis
// meets the given axis of the first operand.
func alignAt(g *graph.Graph, n *graph.Node, first int, dims map[*graph.Value][]graph.Dim) error {
	x, y := n.In(0), n.In(1)
	if x == nil || y == nil || x.Shape == nil || y.Shape == nil {
		return fmt.Errorf("the ranks of the operands, which are aligned by an axis, are not known")
	}
	if first < 0 {
		first += len(x.Shape)
	}
	behind := len(x.Shape) - first - len(y.Shape)
	if behind < 0 {
		return fmt.Errorf("operands %v and %v cannot be aligned at axis %d", x.Shape, y.Shape, first)
	}
	if behind == 0 {
		return nil
	}
	as := make([]int, behind)
	for i := range as {
		as[i] = len(y.Shape) + i
	}
	u := g.Add("Unsqueeze", "", []*graph.Value{y}, []string{n.Name + "/aligned"}, graph.MakeAttr("axes", as))
	n.Inputs[1] = u.Outputs[0]
	return inferNode(g, u, dims)
}

// tileAlong turns a number of repeats along one axis into repeats of all axes.
func tileAlong(g *graph.Graph, n *graph.Node) error {
	x, tiles, along := n.In(0), n.In(1), n.In(2)
	if x == nil || x.Shape == nil || !tiles.IsConst() || !along.IsConst() || tiles.Const.Len() != 1 || along.Const.Len() != 1 {
		return fmt.Errorf("the repeats must be constant and the rank known")
	}
	f, err := floats(tiles.Const)
	if err != nil {
		return err
	}
	d, err := floats(along.Const)
	if err != nil {
		return err
	}
	a, err := axis(int(d[0]), len(x.Shape))
	if err != nil {
		return err
	}
	r := make([]int64, len(x.Shape))
	for i := range r {
		r[i] = 1
	}
	r[a] = int64(f[0])
	n.Inputs = []*graph.Value{x, g.Const(n.Name+"/repeats", tensor.Vector(r...), graph.Frozen)}
	return nil
}

// typeNamed is the type that TensorProto calls so.
func typeNamed(s string) (tensor.DType, error) {
	switch s = strings.ToLower(s); s {
	case "float":
		return tensor.Float32, nil
	case "double":
		return tensor.Float64, nil
	}
	for d := tensor.DType(1); d <= tensor.BFloat16; d++ {
		if d.Valid() && d.String() == s {
			return d, nil
		}
	}
	return 0, fmt.Errorf("type %q is not known", s)
}
