package engine_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"pare/engine"
	"pare/graph"
	"pare/graph/op"
	"pare/tensor"
)

// Any permutation of axes, against the reference evaluation.
func TestTranspose(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		rank := 2 + r.IntN(4)
		shape, perm := make([]int, rank), r.Perm(rank)
		for i := range shape {
			shape[i] = []int{1, 2, 3, 8, 9, 17}[r.IntN(6)]
		}
		g := graph.New("moves", 17)
		x := &graph.Value{Name: "x", DType: tensor.Float32, Shape: graph.Dims(shape...)}
		g.Inputs = []*graph.Value{x}
		b := op.NewBuilder(g, "t")
		g.Outputs = []*graph.Value{b.Attr("Transpose", []graph.Attr{graph.MakeAttr("perm", perm)}, x)}
		agrees(t, fmt.Sprint(shape, perm), g, func(in *tensor.Tensor) { randomize(r, in, 0) })
	}
}

// agrees runs a graph of one input and compares.
func agrees(t *testing.T, what string, g *graph.Graph, fill func(in *tensor.Tensor)) {
	t.Helper()
	p, err := engine.Compile(g, nil, engine.Options{Threads: 2})
	if err != nil {
		t.Fatal(what, err)
	}
	defer p.Close()
	in := p.Input(g.Inputs[0].Name)
	fill(in)
	want, err := op.Run(g, map[string]*tensor.Tensor{g.Inputs[0].Name: in})
	if err != nil {
		t.Fatal(what, err)
	}
	for range 2 {
		if err := p.Run(); err != nil {
			t.Fatal(what, err)
		}
		for i, o := range p.OutputNames() {
			compare(t, fmt.Sprint(what, " output ", i), p.Output(o), want[g.Outputs[i].Name], 1e-6)
		}
	}
	for _, s := range p.Plan() {
		if s.Kernel == "reference" {
			t.Errorf("%s: %s has no fast kernel", what, s.Op)
		}
	}
}

// Rows of a table, counted from either end, and their gradient, where rows are
// read more than once.
func TestTable(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, shape := range [][]int{{7, 5}, {300, 130}, {4, 3, 6}} {
		g := graph.New("table", 17)
		at := &graph.Value{Name: "at", DType: tensor.Int64, Shape: graph.Dims(3, 11)}
		g.Inputs = []*graph.Value{at}
		table := tensor.New(tensor.Float32, shape...)
		randomize(r, table, 0)
		w := g.Const("w", table, graph.Param)
		b := op.NewBuilder(g, "t")
		y := b.Op("Gather", w, at)
		g.Outputs = []*graph.Value{y, b.Pare("GatherGrad", nil, b.Op("Mul", y, y), at, w)}
		g.Opset[graph.Pare] = 1
		if err := op.InferAll(g); err != nil {
			t.Fatal(err)
		}
		agrees(t, fmt.Sprint(shape), g, func(in *tensor.Tensor) {
			for i := range tensor.Of[int64](in) {
				tensor.Of[int64](in)[i] = int64(r.IntN(2*shape[0]) - shape[0])
			}
		})
		p, err := engine.Compile(g, nil, engine.Options{Threads: 1})
		if err != nil {
			t.Fatal(err)
		}
		tensor.Of[int64](p.Input("at"))[4] = int64(shape[0])
		if err := p.Run(); err == nil || !strings.Contains(err.Error(), "outside a table") {
			t.Errorf("an index beyond the table: %v", err)
		}
		p.Close()
	}
}
