package train

import (
	"strings"
	"testing"

	"pare/dataset"
	"pare/graph"
	"pare/graph/op"
	"pare/tensor"
)

// Numbers that a table has no row for are refused before work.
func TestTables(t *testing.T) {
	g := graph.New("lookup", 17)
	in := &graph.Value{Name: "ids", DType: tensor.Int64, Shape: graph.Shape{graph.Sym("N"), graph.N(2)}}
	g.Inputs = []*graph.Value{in}
	table := &graph.Value{Name: "table", DType: tensor.Float32, Shape: graph.Shape{graph.N(5), graph.N(3)}, Const: tensor.New(tensor.Float32, 5, 3)}
	b := op.NewBuilder(g, "t")
	g.Outputs = []*graph.Value{b.Op("Gather", table, b.Op("Identity", in))}
	if b.Err() != nil {
		t.Fatal(b.Err())
	}
	for most, bad := range map[int32]string{4: "", 5: "the number 5, and the network looks it up from input \"ids\" in a table of 5 rows", 900: "of 5 rows (\"table\")"} {
		s := dataset.New("test", &dataset.Field{Name: "ids", Shape: []int{2}, Ints: []int32{0, 1, 2, most}})
		_, err := NewView(g, s, 1, nil)
		switch {
		case bad == "" && err != nil:
			t.Error(err)
		case bad != "" && (err == nil || !strings.Contains(err.Error(), bad) || !strings.Contains(err.Error(), "sample 1")):
			t.Errorf("%d: %v, want something with %q", most, err, bad)
		}
	}
}
