package engine_test

import (
	"context"
	"fmt"

	"pare/engine"
	"pare/graph"
	"pare/graph/op"
	"pare/tensor"
)

func ExampleSession() {
	g := graph.New("double", 17)
	x := &graph.Value{Name: "x", DType: tensor.Float32, Shape: graph.Shape{graph.Sym("N"), graph.N(2)}}
	g.Inputs = []*graph.Value{x}
	b := op.NewBuilder(g, "double")
	y := b.Op("Add", x, x)
	if b.Err() != nil {
		fmt.Println(b.Err())
		return
	}
	y.Name = "y"
	g.Outputs = []*graph.Value{y}

	s, err := engine.NewSession(g, engine.SessionOptions{MaxBatch: 8})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()
	out := map[string]*tensor.Tensor{} // given again, its tensors are used again
	for _, batch := range []*tensor.Tensor{tensor.From([]float32{1, 2}, 1, 2), tensor.From([]float32{1, 2, 3, 4, 5, 6}, 3, 2)} {
		if err := s.Run(context.Background(), map[string]*tensor.Tensor{"x": batch}, out); err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(out["y"], out["y"].F32())
	}
	err = s.Run(context.Background(), map[string]*tensor.Tensor{"x": tensor.New(tensor.Float32, 9, 2)}, out)
	fmt.Println(err)
	// Output:
	// float32[1 2] [2 4]
	// float32[3 2] [2 4 6 8 10 12]
	// input "x" has shape [9 2]: the network takes "x" float32[N 2] with N from 1 to 8
}
