package structured

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pare/graph"
	"pare/graph/op"
	"pare/internal/modeltest"
	"pare/model"
	"pare/prune/structure"
	"pare/tensor"
	"pare/zoo"
)

// placesOf gives the positions of a channel in an axis of a value.
func placesOf(t *testing.T, groups []*structure.Group, name string, dim, group, channel int) []int {
	t.Helper()
	for k, a := range groups[group].Axes {
		if a.Value.Name == name && a.Dim == dim {
			return groups[group].Channels[channel].At[k]
		}
	}
	t.Fatalf("%s[%d] does not belong to %v", name, dim, groups[group])
	return nil
}

// A hidden unit is a row, an entry of the bias and a column. Behind a concatenation of a and
// b channel i of b is |a|+i; flattened, channel i of maps of n places is the columns from
// i n to (i+1) n - 1.
func TestCoupledExactly(t *testing.T) {
	g, err := zoo.New("mlp:4-5-3", zoo.Options{In: []int{4}, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	groups, _ := structure.Groups(g)
	if len(groups) != 1 || len(groups[0].Weights()) != 3 {
		t.Fatalf("%v", groups)
	}
	for c := range 5 {
		for name, dim := range map[string]int{"fc1.weight": 0, "fc1.bias": 0, "fc2.weight": 1} {
			if p := placesOf(t, groups, name, dim, 0, c); !slices.Equal(p, []int{c}) {
				t.Errorf("unit %d is %v of %s", c, p, name)
			}
		}
	}

	g = graph.New("joined", 17)
	x := &graph.Value{Name: "x", DType: tensor.Float32, Shape: graph.Shape{graph.Sym("N"), graph.N(2), graph.N(3), graph.N(2)}}
	g.Inputs = []*graph.Value{x}
	b := op.NewBuilder(g, "n")
	conv := func(name string, out int) *graph.Value {
		return b.Op("Conv", x, g.Const(name, tensor.New(tensor.Float32, out, 2, 1, 1), graph.Param))
	}
	joined := b.Attr("Concat", []graph.Attr{graph.MakeAttr("axis", 1)}, conv("a", 3), conv("b", 4))
	g.Outputs = []*graph.Value{b.Op("MatMul", b.Op("Flatten", joined), g.Const("w", tensor.New(tensor.Float32, 42, 2), graph.Param))}
	if err := b.Err(); err != nil {
		t.Fatal(err)
	}
	groups, _ = structure.Groups(g)
	if len(groups) != 2 {
		t.Fatalf("%v", groups)
	}
	for k, first := range []int{0, 3} {
		for c := range groups[k].Channels {
			want := []int{}
			for i := range 6 {
				want = append(want, (first+c)*6+i)
			}
			if p := placesOf(t, groups, "w", 0, k, c); !slices.Equal(p, want) {
				t.Errorf("channel %d of %s is columns %v, want %v", c, groups[k].Name, p, want)
			}
		}
	}
}

// What stands at an operator without a rule is named and stays whole; the rest is cut.
func TestSPAUnknownOperator(t *testing.T) {
	g := graph.New("g", 17)
	x := &graph.Value{Name: "x", DType: tensor.Float32, Shape: graph.Shape{graph.Sym("N"), graph.N(8)}}
	g.Inputs = []*graph.Value{x}
	b := op.NewBuilder(g, "n")
	weight := func(name string) *graph.Value {
		w := tensor.New(tensor.Float32, 8, 8)
		for i := range w.F32() {
			w.F32()[i] = float32(i%13) - 6
		}
		return g.Const(name, w, graph.Param)
	}
	h := b.Op("MatMul", b.Op("Relu", b.Op("MatMul", x, weight("free"))), weight("kept"))
	odd := &graph.Value{Name: "odd", DType: tensor.Float32, Shape: h.Shape}
	n := &graph.Node{Op: "Riddle", Domain: "other", Name: "riddle", Inputs: []*graph.Value{h}, Outputs: []*graph.Value{odd}}
	odd.From = n
	g.Nodes = append(g.Nodes, n)
	g.Outputs = []*graph.Value{odd}
	if err := b.Err(); err != nil {
		t.Fatal(err)
	}
	said := ""
	s := NewSPA()
	s.MACs, s.Round = .6, 1
	r := modeltest.Run(t, s, &model.Job{Graph: g, Log: func(f string, a ...any) { said += fmt.Sprintf(f+"\n", a...) }})
	if w := r.Graph.Value("free").Const.Shape; w[1] != 4 {
		t.Errorf("the free weight is %v", w)
	}
	if w := r.Graph.Value("kept").Const.Shape; w[1] != 8 || !strings.Contains(said, "kept stays whole") || !strings.Contains(said, "Riddle") {
		t.Errorf("the weight before the unknown operator is %v, and it was said %q", w, said)
	}
}
