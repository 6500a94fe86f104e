package model_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"pare/graph"
	"pare/internal/modeltest"
	"pare/model"
	"pare/prune"
	"pare/tensor"
)

// half is a network of float16 whose weight has these bits.
func half(bits ...uint16) *graph.Graph {
	g := graph.New("g", 17)
	x := &graph.Value{Name: "x", DType: tensor.Float16, Shape: graph.Shape{graph.Sym("N"), graph.N(2)}}
	g.Inputs = []*graph.Value{x}
	w := g.Const("w", &tensor.Tensor{DType: tensor.Float16, Shape: []int{2, 2}, Data: bits}, graph.Auto)
	g.Outputs = g.Add("MatMul", "", []*graph.Value{x, w}, []string{"y"}).Outputs
	return g
}

// A network of float32 is ready as it is; one of float16 is computed in float32, which is
// said, and can be pruned.
func TestPrepare(t *testing.T) {
	if notes, err := model.Prepare(modeltest.Job(t, 0).Graph); err != nil || notes != nil {
		t.Errorf("%q, %v", notes, err)
	}
	g := half(0x3c00, 0xb800, 0x4000, 0x3400)
	notes, err := model.Prepare(g)
	if err != nil || len(notes) != 1 || !strings.Contains(notes[0], "float16 numbers are computed in float32 and written as float16") {
		t.Fatalf("%q, %v", notes, err)
	}
	ws, err := prune.Weights(g, prune.Scope{})
	if err != nil || len(ws) != 1 || !slices.Equal(ws[0].Data(), []float32{1, -.5, 2, .25}) {
		t.Errorf("%v, %v", ws, err)
	}
}

// A weight that is no finite number is named, and the entry; a constant that is no
// weight, such as the minus infinity of a mask, may be what it is.
func TestPrepareBroken(t *testing.T) {
	for _, x := range []float64{math.NaN(), math.Inf(-1)} {
		g := modeltest.Job(t, 0).Graph
		g.Value("fc2.bias").Const.F32()[3] = float32(x)
		if _, err := model.Prepare(g); err == nil || !strings.Contains(err.Error(), `weight "fc2.bias"`) || !strings.Contains(err.Error(), "entry 3") {
			t.Errorf("%v: %v", x, err)
		}
		g.Value("fc2.bias").Role = graph.Frozen
		if _, err := model.Prepare(g); err != nil {
			t.Errorf("%v in what is no weight: %v", x, err)
		}
	}
	if _, err := model.Prepare(half(0x3c00, 0x7e00, 0x4000, 0x3400)); err == nil || !strings.Contains(err.Error(), "entry 1") {
		t.Errorf("NaN of float16: %v", err)
	}
}

// An operator that is not known is named, unless what it makes of numbers of another type
// would have to be known.
func TestPrepareUnknown(t *testing.T) {
	g := modeltest.Job(t, 0).Graph
	g.Nodes[len(g.Nodes)-1].Op = "NoSuchOp"
	if notes, err := model.Prepare(g); err != nil || len(notes) != 1 || !strings.Contains(notes[0], "NoSuchOp") {
		t.Errorf("%q, %v", notes, err)
	}
	g = half(0x3c00, 0x3c00, 0x4000, 0x3400)
	g.Nodes[0].Op = "NoSuchOp"
	if _, err := model.Prepare(g); err == nil || !strings.Contains(err.Error(), "NoSuchOp") {
		t.Errorf("of float16: %v", err)
	}
}
