package measure_test

import (
	"fmt"
	"math"
	"testing"

	"pare/engine"
	"pare/graph"
	"pare/graph/op"
	"pare/internal/hostile"
	"pare/measure"
	"pare/prune/structure"
	"pare/tensor"
)

// chain is a network of n nodes, each reading the one before.
func chain(n int) *graph.Graph {
	g := graph.New("chain", 17)
	x := &graph.Value{Name: "x", DType: tensor.Float32, Shape: graph.Shape{graph.Sym("N"), graph.N(4)}}
	g.Inputs = []*graph.Value{x}
	for i := range n {
		m := &graph.Node{Op: []string{"Relu", "Tanh", "Neg"}[i%3], Name: fmt.Sprint("node", i), Inputs: []*graph.Value{x}}
		x = &graph.Value{Name: fmt.Sprint("v", i), From: m}
		m.Outputs = []*graph.Value{x}
		g.Nodes = append(g.Nodes, m)
	}
	g.Outputs = []*graph.Value{x}
	return g
}

// A file may hold a chain of any length: every pass over a network takes time
// in proportion to it.
func TestLongChain(t *testing.T) {
	spent := map[string][]float64{}
	for _, n := range []int{10_000, 100_000} {
		g := chain(n)
		at := func(what string, f func() error) {
			from := hostile.Processor()
			if err := f(); err != nil {
				t.Fatalf("%d nodes: %s: %v", n, what, err)
			}
			spent[what] = append(spent[what], (hostile.Processor() - from).Seconds())
		}
		at("check", func() error { return op.Check(g) })
		at("infer", func() error { return op.InferAll(g) })
		at("simplify", func() error { _, err := op.Simplify(g); op.Classify(g); return err })
		at("groups", func() error {
			groups, _ := structure.Groups(g)
			structure.Explain(g, groups)
			structure.Outline(g, groups)
			return nil
		})
		at("size", func() error { _, _, err := measure.Of(g); return err })
		at("run", func() error {
			p, err := engine.Compile(g, map[string]int{"N": 1}, engine.Options{Threads: 1, Freeze: true})
			if err != nil {
				return err
			}
			defer p.Close()
			return p.Run()
		})
	}
	for what, s := range spent {
		t.Logf("%s: %.3f s, %.3f s", what, s[0], s[1])
		if s[1] > 60*math.Max(s[0], .02) { // ten times where it is linear, a hundred where it is quadratic
			t.Errorf("%s: ten times the nodes take %.0f times as long (%.2f s)", what, s[1]/s[0], s[1])
		}
	}
}
