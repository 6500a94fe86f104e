package op

import (
	"testing"

	"pare/graph"
	"pare/tensor"
)

// The kernel and the bias of a deformable convolution are trained, its offsets are
// not.
func TestParamsOfDeformConv(t *testing.T) {
	g := graph.New("deform", 19)
	x := &graph.Value{Name: "x", DType: tensor.Float32, Shape: graph.Dims(1, 1, 2, 2)}
	g.Inputs = []*graph.Value{x}
	c := func(name string, shape ...int) *graph.Value {
		return g.Const(name, tensor.New(tensor.Float32, shape...), graph.Auto)
	}
	n := g.Add("DeformConv", "", []*graph.Value{x, c("w", 1, 1, 1, 1), c("offset", 1, 2, 2, 2), c("b", 1)}, []string{"y"})
	g.Outputs = n.Outputs
	Classify(g)
	for name, want := range map[string]graph.Role{"w": graph.Param, "offset": graph.Frozen, "b": graph.Param} {
		if r := g.Value(name).Role; r != want {
			t.Errorf("%s: role %v, want %v", name, r, want)
		}
	}
}

// A definition that lacks what it must have, or whose name is taken, is refused.
func TestRegisterRefuses(t *testing.T) {
	relu := *Lookup("", "Relu")
	for what, d := range map[string]Def{
		"twice":    relu,
		"no name":  {Infer: relu.Infer, Eval: relu.Eval},
		"no Infer": {Domain: "example.com", Name: "A", Eval: relu.Eval},
		"no Eval":  {Domain: "example.com", Name: "A", Infer: relu.Infer},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: accepted", what)
				}
			}()
			Register(d)
		}()
	}
}
