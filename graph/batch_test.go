package graph

import (
	"maps"
	"testing"
)

func inputs(shapes ...Shape) *Graph {
	g := New("g", 17)
	for _, s := range shapes {
		g.Inputs = append(g.Inputs, &Value{Name: "x", Shape: s})
	}
	return g
}

// A free first axis takes the batch; one that is fixed says how many samples there are.
func TestBatch(t *testing.T) {
	for _, c := range []struct {
		what  string
		g     *Graph
		sizes map[string]int
		batch int
	}{
		{"free", inputs(Shape{Sym("N"), N(3), N(8)}), map[string]int{"N": 5}, 5},
		{"fixed", inputs(Shape{N(64), N(3)}), map[string]int{}, 64},
		{"only the first axis", inputs(Shape{Sym("N"), Sym("T")}), map[string]int{"N": 5}, 5},
		{"only the first input", inputs(Shape{Sym("N")}, Shape{Sym("M")}), map[string]int{"N": 5}, 5},
		{"a scalar", inputs(Shape{}), map[string]int{}, 5},
		{"no input", inputs(), map[string]int{}, 5},
	} {
		if sizes, batch := c.g.Batch(5); !maps.Equal(sizes, c.sizes) || batch != c.batch {
			t.Errorf("%s: %v, %d; want %v, %d", c.what, sizes, batch, c.sizes, c.batch)
		}
	}
}

// First axes are as many as the samples, other free axes what is assumed; a name that is both is as
// many as the samples.
func TestSizes(t *testing.T) {
	for _, c := range []struct {
		what  string
		g     *Graph
		sizes map[string]int
	}{
		{"free", inputs(Shape{Sym("N"), N(3)}), map[string]int{"N": 5}},
		{"fixed", inputs(Shape{N(64), N(3)}), map[string]int{}},
		{"other axes", inputs(Shape{Sym("N"), Sym("T"), N(4)}), map[string]int{"N": 5, "T": 128}},
		{"two inputs", inputs(Shape{Sym("N"), Sym("T")}, Shape{Sym("M"), N(2)}), map[string]int{"N": 5, "T": 128, "M": 5}},
		{"a shared name", inputs(Shape{Sym("N"), N(3)}, Shape{Sym("N"), Sym("T")}), map[string]int{"N": 5, "T": 128}},
		{"twice", inputs(Shape{Sym("N"), Sym("N")}), map[string]int{"N": 5}},
		{"first, then another", inputs(Shape{Sym("N"), N(3)}, Shape{Sym("M"), Sym("N")}), map[string]int{"N": 5, "M": 5}},
		{"another, then first", inputs(Shape{Sym("M"), Sym("N")}, Shape{Sym("N"), N(3)}), map[string]int{"N": 5, "M": 5}},
		{"no input", inputs(), map[string]int{}},
	} {
		if sizes := c.g.Sizes(5); !maps.Equal(sizes, c.sizes) {
			t.Errorf("%s: %v, want %v", c.what, sizes, c.sizes)
		}
	}
}

// A recurrent layer takes the samples along the second axis: the first is the time.
func TestBatchAxis(t *testing.T) {
	g := inputs(Shape{Sym("T"), Sym("N"), N(4)}, Shape{N(1), Sym("N"), N(8)})
	g.Add("GRU", "", []*Value{g.Inputs[0], nil, nil, nil, nil, g.Inputs[1]}, []string{"y"})
	if sizes := g.Sizes(5); !maps.Equal(sizes, map[string]int{"T": 128, "N": 5}) {
		t.Error(sizes)
	}
}
