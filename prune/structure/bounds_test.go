package structure_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"pare/graph"
	"pare/graph/op"
	"pare/internal/hostile"
	"pare/prune/structure"
	"pare/tensor"
)

// A few bytes can state axes of any length. They take no memory, and what meets
// them stays whole and says why.
func TestAbsurdAxes(t *testing.T) {
	g := graph.New("absurd", 17)
	x := &graph.Value{Name: "x", DType: tensor.Float32, Shape: graph.Dims(1, 4, 1<<40, 1<<30)}
	g.Inputs = []*graph.Value{x}
	add := func(op string, in []*graph.Value, attrs ...graph.Attr) *graph.Value {
		return g.Add(op, "", in, []string{op}, attrs...).Out(0)
	}
	w := g.Const("w", tensor.New(tensor.Float32, 8, 4, 1, 1), graph.Param)
	y := add("Conv", []*graph.Value{x, w})
	for range 20 {
		y = add("Relu", []*graph.Value{y})
	}
	// a channel becomes 2^70 positions in a row, and then a channel again
	long := &graph.Value{Name: "long", DType: tensor.Float32, Shape: graph.Dims(1, 8, 1<<25)}
	g.Inputs = append(g.Inputs, long)
	u := g.Const("u", tensor.New(tensor.Float32, 8, 8, 1), graph.Param)
	z := add("Conv", []*graph.Value{long, u})
	z = add("Flatten", []*graph.Value{z})
	for range 20 {
		z = add("Relu", []*graph.Value{z})
	}
	k := g.Const("shape", tensor.Vector[int64](1, 8, 1<<25), graph.Frozen)
	z = add("Reshape", []*graph.Value{z, k})
	z = add("ReduceMax", []*graph.Value{z}, graph.MakeAttr("axes", []int{1, 2}))
	g.Outputs = []*graph.Value{add("ReduceMax", []*graph.Value{y}, graph.MakeAttr("axes", []int{1, 2, 3})), z}
	if err := op.InferAll(g); err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	groups, whole := structure.Groups(g)
	structure.Explain(g, groups)
	structure.Outline(g, groups)
	runtime.ReadMemStats(&after)
	if took := after.TotalAlloc - before.TotalAlloc; took > hostile.Memory {
		t.Errorf("%d bytes were taken", took)
	}
	said := fmt.Sprint(groups)
	for _, p := range whole {
		said += "\n" + p.Value.Name + ": " + p.Why
	}
	if len(groups) > 0 || !strings.Contains(said, "u: Flatten \"Flatten/Flatten\"") {
		t.Errorf("what is said:\n%s", said)
	}
}

// residual is a network of blocks that add to what they read.
func residual(blocks int) *graph.Graph {
	g := graph.New("blocks", 17)
	x := &graph.Value{Name: "x", DType: tensor.Float32, Shape: graph.Shape{graph.Sym("N"), graph.N(8)}}
	g.Inputs = []*graph.Value{x}
	layer := func(x *graph.Value, in, out int) *graph.Value {
		w := g.Const("w", tensor.New(tensor.Float32, in, out), graph.Param)
		return g.Add("MatMul", "", []*graph.Value{x, w}, []string{"y"}).Out(0)
	}
	x = layer(x, 8, 8)
	for k := range blocks {
		h := g.Add("Relu", "", []*graph.Value{layer(x, 8, 16)}, []string{"h"}).Out(0)
		x = g.Add("Add", "", []*graph.Value{x, layer(h, 16, 8)}, []string{fmt.Sprintf("/block%d/x", k)}).Out(0)
	}
	g.Outputs = []*graph.Value{layer(x, 8, 2)}
	return g
}

// Finding, describing and drawing the groups takes time in proportion to the
// blocks, each of which has a group of its own.
func TestManyBlocks(t *testing.T) {
	var spent []float64
	for _, n := range []int{100, 1600} {
		g := residual(n)
		if err := op.InferAll(g); err != nil {
			t.Fatal(err)
		}
		from := hostile.Processor()
		groups, _ := structure.Groups(g)
		e := structure.Explain(g, groups)
		structure.Outline(g, groups)
		spent = append(spent, (hostile.Processor() - from).Seconds())
		if len(groups) != n+1 || len(e[0].Through) != n || len(e[0].Made) != n+1 || e[1].MACs <= 0 {
			t.Fatalf("%d blocks: %d groups, %v, %v", n, len(groups), e[0].Through, e[1])
		}
	}
	t.Logf("%.3f s, %.3f s", spent[0], spent[1])
	if spent[1] > 80*max(spent[0], .01) { // 16 where it is linear, 256 where it is quadratic
		t.Errorf("16 times the blocks take %.0f times as long", spent[1]/spent[0])
	}
}
