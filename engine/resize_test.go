package engine_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"pare/graph"
	"pare/graph/op"
	"pare/tensor"
)

// Resizing in every mode and by every rule of coordinates, in both layouts, gives what
// the definition says, forward and backward.
func TestResize(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 1))
	one := func(s ...string) string { return s[r.IntN(len(s))] }
	for trial := range 160 {
		rank := 1 + r.IntN(3)
		g := graph.New("resize", 19)
		s := []int{1 + r.IntN(2), 1 + r.IntN(5)}
		for range rank {
			s = append(s, 1+r.IntN(9))
		}
		x := &graph.Value{Name: "x", DType: tensor.Float32, Shape: graph.Dims(s...)}
		g.Inputs = []*graph.Value{x}
		b := op.NewBuilder(g, "v")
		v := x
		if trial%2 == 0 { // channels last
			v = b.Op("Conv", x, g.Const("w", noise(r, 0, append([]int{s[1], s[1]}, 1, 1, 1)[:2+rank]...), graph.Param))
		}
		as := []graph.Attr{graph.MakeAttr("mode", one("nearest", "linear", "linear", "cubic")),
			graph.MakeAttr("coordinate_transformation_mode", one("half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric", "tf_crop_and_resize")),
			graph.MakeAttr("nearest_mode", one("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")),
			graph.MakeAttr("antialias", r.IntN(2)), graph.MakeAttr("extrapolation_value", 7.), graph.MakeAttr("exclude_outside", r.IntN(2))}
		roi := tensor.New(tensor.Float32, 2*len(s))
		for i := range s {
			roi.F32()[len(s)+i] = 1
			if i > 1 {
				roi.F32()[i], roi.F32()[len(s)+i] = .3*r.Float32()-.1, .7+.5*r.Float32()
			}
		}
		args := []*graph.Value{v, g.Const("roi", roi, graph.Frozen)}
		if r.IntN(2) == 0 {
			k := make([]float32, len(s))
			for i := range k {
				k[i] = 1
				if i > 1 || r.IntN(8) == 0 {
					k[i] = []float32{1, 2, 3, .5, .6, 1.7}[r.IntN(6)]
				}
			}
			args = append(args, g.Const("scales", tensor.From(k, len(k)), graph.Frozen))
		} else {
			k := make([]int, len(s))
			copy(k, s)
			for i := range k[2:] {
				k[2+i] = 1 + r.IntN(15)
			}
			args = append(args, nil, b.Ints(k...))
		}
		y := b.Attr("Resize", as, args...)
		if b.Err() != nil {
			t.Fatal(b.Err())
		}
		if n := y.Shape.Size(0, len(y.Shape)); !n.Known() || n.Mul == 0 {
			continue
		}
		y.Name = "y"
		g.Outputs = []*graph.Value{y}
		for _, line := range against(t, g, map[string]*tensor.Tensor{"x": noise(r, 0, s...)}, true) {
			if strings.Contains(line, "reference") {
				t.Fatal(line)
			}
		}
	}
}

// Padding in every mode, of axes that are given too, and cutting, forward and backward.
func TestPad(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 2))
	for trial := range 120 {
		g := graph.New("pad", 19)
		s := []int{1 + r.IntN(2), 1 + r.IntN(4), 1 + r.IntN(6), 1 + r.IntN(6)}
		x := &graph.Value{Name: "x", DType: tensor.Float32, Shape: graph.Dims(s...)}
		g.Inputs = []*graph.Value{x}
		b := op.NewBuilder(g, "v")
		v := x
		if trial%2 == 0 { // channels last
			v = b.Op("Conv", x, g.Const("w", noise(r, 0, s[1], s[1], 1, 1), graph.Param))
		}
		axes := r.Perm(4)[:1+r.IntN(4)]
		pads := make([]int, 2*len(axes))
		for i := range pads {
			if pads[i] = r.IntN(4); r.IntN(6) == 0 && s[axes[i%len(axes)]] > 2 {
				pads[i] = -1
			}
		}
		args := []*graph.Value{v, b.Ints(pads...), g.Const("fill", tensor.Scalar(float32(r.IntN(2))*1.5), graph.Frozen), b.Ints(axes...)}
		y := b.Attr("Pad", []graph.Attr{graph.MakeAttr("mode", []string{"constant", "constant", "reflect", "edge", "wrap"}[r.IntN(5)])}, args...)
		if b.Err() != nil {
			t.Fatal(b.Err())
		}
		y.Name = "y"
		g.Outputs = []*graph.Value{y}
		for _, line := range against(t, g, map[string]*tensor.Tensor{"x": noise(r, 0, s...)}, true) {
			if strings.Contains(line, "reference") {
				t.Fatal(line)
			}
		}
	}
}
