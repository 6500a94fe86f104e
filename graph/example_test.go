package graph_test

import (
	"fmt"

	"pare/graph"
	"pare/tensor"
)

// A graph is built by adding nodes, and printed with its values.
func Example() {
	g := graph.New("tiny", 17)
	x := &graph.Value{Name: "x", DType: tensor.Float32, Shape: graph.Shape{graph.Sym("N"), graph.N(2)}}
	g.Inputs = []*graph.Value{x}
	w := g.Const("w", tensor.From([]float32{1, 2, 3, 4}, 2, 2), graph.Param)
	h := g.Add("MatMul", "", []*graph.Value{x, w}, []string{"h"}).Out(0)
	y := g.Add("Relu", "", []*graph.Value{h}, []string{"y"}).Out(0)
	g.Outputs = []*graph.Value{y}

	for _, n := range g.Nodes {
		fmt.Println(n.Op, n.In(0).Name, "->", n.Out(0).Name)
	}
	fmt.Println(x.Shape, len(g.Params()), "weight")
	// Output:
	// MatMul x -> h
	// Relu h -> y
	// [N 2] 1 weight
}
