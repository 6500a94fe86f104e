package graph

import (
	"fmt"
	"strings"
)

// String lists the graph, a node a line.
func (g *Graph) String() string {
	var b strings.Builder
	name := func(v *Value) string {
		if v == nil {
			return "_"
		}
		return v.Name
	}
	fmt.Fprintf(&b, "graph %s\n", g.Name)
	for _, v := range g.Inputs {
		fmt.Fprintf(&b, "  in  %s %v%v\n", v.Name, v.DType, v.Shape)
	}
	for _, v := range g.Consts() {
		fmt.Fprintf(&b, "  par %s %v%v\n", v.Name, v.DType, v.Shape)
	}
	for _, n := range g.Nodes {
		var o, i []string
		for _, v := range n.Outputs {
			o = append(o, name(v))
		}
		for _, v := range n.Inputs {
			i = append(i, name(v))
		}
		op := n.Op
		if n.Domain != "" {
			op = n.Domain + "." + op
		}
		fmt.Fprintf(&b, "  %s = %s(%s)", strings.Join(o, ", "), op, strings.Join(i, ", "))
		if v := n.Out(0); v != nil {
			fmt.Fprintf(&b, "  %v%v", v.DType, v.Shape)
		}
		b.WriteByte('\n')
	}
	for _, v := range g.Outputs {
		fmt.Fprintf(&b, "  out %s\n", v.Name)
	}
	return b.String()
}
