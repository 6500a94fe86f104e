package op

import (
	"testing"

	"pare/graph"
	"pare/tensor"
)

// What a definition demands of shapes is asked when a network is inferred: axes of length 1
// in front are none.
func TestFits(t *testing.T) {
	for _, c := range []struct {
		op     string
		x      []int
		params [][]int
		ok     bool
	}{
		{"LayerNormalization", []int{2, 5}, [][]int{{5}}, true}, {"LayerNormalization", []int{2, 5}, [][]int{{1, 5}, {1, 1, 5}}, true}, {"LayerNormalization", []int{2, 5}, [][]int{{5, 1}}, false},
		{"LayerNormalization", []int{2, 5}, nil, false}, {"RMSNormalization", []int{2, 1}, [][]int{{5}}, false},
		{"BatchNormalization", []int{2, 3, 4}, [][]int{{3}, {1, 3}, {3, 1}, {3}}, true}, {"BatchNormalization", []int{2, 3, 4}, [][]int{{3}, {3}, {}, {3}}, false},
		{"Conv", []int{2, 3, 4}, [][]int{{6, 3, 2}, {6}}, true}, {"Conv", []int{2, 3, 4}, [][]int{{6, 3, 2}, {}}, false}, {"Conv", []int{2, 3, 4}, [][]int{{6, 3, 0}}, false},
		{"GridSample", []int{2, 3, 4, 4}, [][]int{{2, 5, 5, 2}}, true}, {"GridSample", []int{2, 3, 4, 4}, [][]int{{1, 5, 5, 2}}, false}, {"GridSample", []int{2, 3, 4, 4}, [][]int{{2, 5, 5, 3}}, false},
		{"DeformConv", []int{1, 2, 4, 4}, [][]int{{2, 2, 2, 2}, {1, 8, 3, 3}}, true}, {"DeformConv", []int{1, 2, 4, 4}, [][]int{{2, 2, 2, 2}, {1, 8, 2, 3}}, false},
	} {
		g := graph.New("fits", 23)
		in := map[string]*tensor.Tensor{}
		for i, s := range append([][]int{c.x}, c.params...) {
			v := &graph.Value{Name: string(rune('a' + i)), DType: tensor.Float32, Shape: graph.Dims(s...)}
			g.Inputs, in[v.Name] = append(g.Inputs, v), tensor.New(tensor.Float32, s...)
		}
		g.Outputs = g.Add(c.op, "", g.Inputs, []string{"y"}).Outputs
		err := InferAll(g)
		if err == nil {
			_, err = Run(g, in, g.Outputs...)
			if err != nil {
				t.Errorf("%s of %v by %v is inferred, and not computed: %v", c.op, c.x, c.params, err)
			}
		}
		if (err == nil) != c.ok {
			t.Errorf("%s of %v by %v: %v", c.op, c.x, c.params, err)
		}
	}
}
