package engine_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"pare/graph"
	"pare/graph/op"
	"pare/tensor"
)

// Samples of grids, over one to three axes, in every mode, and beyond the border.
func TestGridSample(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 1))
	for trial := range 120 {
		rank := 1 + trial%3
		s := []int{1 + r.IntN(2), 1 + r.IntN(20)}
		gs := []int{s[0]}
		for range rank {
			s, gs = append(s, 1+r.IntN(6)), append(gs, 1+r.IntN(6))
		}
		as := []graph.Attr{graph.MakeAttr("mode", []string{"linear", "nearest", "cubic"}[r.IntN(3)]), graph.MakeAttr("padding_mode", []string{"zeros", "border", "reflection"}[r.IntN(3)]),
			graph.MakeAttr("align_corners", r.IntN(2))}
		g, feed := oneOperator(t, r, 0, "GridSample", as, s, append(gs, rank))
		for _, line := range against(t, g, feed, trial%4 == 0) {
			if strings.Contains(line, "GridSample): reference") {
				t.Fatal(line)
			}
		}
	}
}

// Deformable convolutions, with groups of weights and of offsets, with masks and without.
func TestDeformConv(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 2))
	sparse := 0
	for trial := range 60 {
		groups, shared := 1+r.IntN(3), 1+r.IntN(3)
		ci, co := groups*shared*(1+r.IntN(3)), groups*(1+r.IntN(4))
		k := []int{1 + r.IntN(3), 1 + r.IntN(3)}
		zeros := 0.
		if trial%5 == 0 {
			groups, zeros, ci, co = 1, .95, 12*shared, 24
		}
		as := []graph.Attr{graph.MakeAttr("group", groups), graph.MakeAttr("offset_group", shared), graph.MakeAttr("strides", []int{1 + r.IntN(2), 1 + r.IntN(2)}),
			graph.MakeAttr("dilations", []int{1 + r.IntN(2), 1 + r.IntN(2)}), graph.MakeAttr("pads", []int{r.IntN(2), r.IntN(2), r.IntN(2), r.IntN(2)})}
		s := []int{1 + r.IntN(2), ci, 5 + r.IntN(6), 5 + r.IntN(6)}
		// the size of the output, from a plain convolution
		plain, _ := oneOperator(t, r, 0, "Conv", as, s, []int{co, ci / groups, k[0], k[1]})
		out, _ := plain.Outputs[0].Shape.Ints()
		g := graph.New("deformed", 19)
		b := op.NewBuilder(g, "v")
		x := &graph.Value{Name: "x", DType: tensor.Float32, Shape: graph.Dims(s...)}
		g.Inputs = []*graph.Value{x}
		args := []*graph.Value{x, g.Const("w", noise(r, zeros, co, ci/groups, k[0], k[1]), graph.Param), g.Const("offset", noise(r, .2, s[0], shared*2*k[0]*k[1], out[2], out[3]), graph.Param), nil, nil}
		if r.IntN(2) == 0 {
			args[3] = g.Const("b", noise(r, 0, co), graph.Param)
		}
		if r.IntN(2) == 0 {
			args[4] = g.Const("mask", noise(r, 0, s[0], shared*k[0]*k[1], out[2], out[3]), graph.Param)
		}
		y := b.Op("Relu", b.Attr("DeformConv", as, args...))
		if b.Err() != nil {
			t.Fatal(b.Err())
		}
		y.Name = "y"
		g.Outputs = []*graph.Value{y}
		for _, line := range against(t, g, map[string]*tensor.Tensor{"x": noise(r, 0, s...)}, trial%4 == 0) {
			if strings.Contains(line, "DeformConv): reference") {
				t.Fatal(line)
			}
			if strings.Contains(line, "sparse product") {
				sparse++
			}
		}
	}
	if sparse == 0 {
		t.Error("none was sparse")
	}
}
