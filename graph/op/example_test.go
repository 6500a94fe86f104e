package op_test

import (
	"fmt"

	"pare/graph"
	"pare/graph/op"
	"pare/tensor"
)

// The gradient of a graph is made of nodes of the same graph.
func ExampleGradient() {
	g := graph.New("square", 17)
	x := &graph.Value{Name: "x", DType: tensor.Float32, Shape: graph.Dims(3)}
	g.Inputs = []*graph.Value{x}
	b := op.NewBuilder(g, "square")
	y := b.Op("Mul", x, x)
	g.Outputs = []*graph.Value{y}
	if b.Err() != nil {
		fmt.Println(b.Err())
		return
	}
	dx, err := op.Gradient(g, y, nil, []*graph.Value{x})
	if err != nil {
		fmt.Println(err)
		return
	}
	out, err := op.Run(g, map[string]*tensor.Tensor{"x": tensor.Vector[float32](1, 2, 3)}, dx...)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(out[y.Name].F32(), out[dx[0].Name].F32())
	// Output: [1 4 9] [2 4 6]
}
