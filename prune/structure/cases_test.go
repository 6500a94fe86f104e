package structure_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"pare/graph"
	"pare/graph/op"
	"pare/graph/op/cases"
	"pare/prune/structure"
	"pare/tensor"
)

// Every rule keeps its word on every case of its operator: between matrices that
// make channels of all axes, what is masked and what is cut compute the same.
func TestEveryCase(t *testing.T) {
	cut := map[string]bool{}
	for _, c := range cases.All() {
		rule := structure.Lookup(c.Domain, c.Op)
		if rule == nil || c.Op == "Dropout" && len(c.In) > 2 { // training draws by position
			continue
		}
		t.Run(c.Name(), func(t *testing.T) {
			g, in, err := between(c, false)
			if err != nil {
				t.Skip(err) // the operator takes no computed numbers there
			}
			cut[c.Op] = maskedIsCut(t, g, in) || cut[c.Op]
		})
	}
	for _, o := range []string{"Attention", "CausalConvWithState", "RotaryEmbedding", "SwiGLU"} {
		if !cut[o] {
			t.Errorf("nothing was cut around %s", o)
		}
	}
	if len(cut) < 100 {
		t.Errorf("channels of only %d operators were cut", len(cut))
	}
}

// Numbers that are computed while running tell nothing of the axes that they are
// about. These stay whole, and what is cut of the others computes the same.
func TestEveryCaseComputed(t *testing.T) {
	cut := map[string]bool{}
	for _, c := range cases.All() {
		if rule := structure.Lookup(c.Domain, c.Op); rule == nil || c.Op == "Dropout" {
			continue
		}
		t.Run(c.Name(), func(t *testing.T) {
			g, in, err := between(c, true)
			if err != nil {
				t.Skip(err)
			}
			if in != nil {
				cut[c.Op] = maskedIsCut(t, g, in) || cut[c.Op]
			}
		})
	}
	for _, o := range []string{"Slice", "Gather"} {
		if !cut[o] {
			t.Errorf("nothing was cut around %s", o)
		}
	}
}

// maskedIsCut cuts some channels of all groups, and says whether there were any.
func maskedIsCut(t *testing.T, g *graph.Graph, in map[string]*tensor.Tensor) bool {
	t.Helper()
	groups, _ := structure.Groups(g)
	r := rand.New(rand.NewPCG(1, 2))
	s := structure.All(groups)
	for i, grp := range groups {
		for ch := range grp.Channels {
			s[i].Set(ch, r.IntN(2) == 0 || s[i].Count() == 1)
		}
	}
	small, err := structure.Cut(g, groups, s)
	if err != nil {
		t.Fatal(err)
	}
	want, err := op.Run(structure.Zero(g, groups, s), in)
	if err != nil {
		t.Fatal(err)
	}
	got, err := op.Run(small, in)
	if err != nil {
		t.Fatal(err)
	}
	for name, w := range want {
		near(t, name, w, got[name])
	}
	return len(groups) > 0
}

// between is the case in float32, every axis of its inputs and outputs behind or
// before a matrix. Where computed is set the integers that the node is told are
// inputs; nothing is returned where there are none.
func between(c cases.Case, computed bool) (*graph.Graph, map[string]*tensor.Tensor, error) {
	g, in := c.Graph()
	if _, err := op.ToFloat32(g); err != nil {
		return nil, nil, err
	}
	for name, x := range in {
		y, err := x.ToFloat32()
		if err != nil {
			return nil, nil, err
		}
		in[name] = y
	}
	n := g.Nodes[0]
	g.Nodes, g.Outputs = nil, nil
	if computed && !feedIntegers(g, n, in) {
		return nil, nil, nil
	}
	b := op.NewBuilder(g, "m")
	r := rand.New(rand.NewPCG(3, 4))
	values := make([]*graph.Value, len(n.Inputs))
	for i, v := range n.Inputs {
		if values[i] = v; v != nil && v.Const == nil {
			values[i] = mixed(b, r, v)
		}
	}
	for _, o := range b.Node(n.Domain, n.Op, len(n.Outputs), values, n.Attrs...).Outputs {
		g.Outputs = append(g.Outputs, mixed(b, r, o))
	}
	return g, in, b.Err()
}

// feedIntegers makes inputs of the constant integers of a node; false: it has none.
func feedIntegers(g *graph.Graph, n *graph.Node, in map[string]*tensor.Tensor) bool {
	some := false
	for i, v := range n.Inputs {
		if v.IsConst() && (v.DType == tensor.Int64 || v.DType == tensor.Int32) {
			w := &graph.Value{Name: v.Name, DType: v.DType, Shape: v.Shape}
			in[w.Name] = v.Const
			g.Inputs, n.Inputs[i], some = append(g.Inputs, w), w, true
		}
	}
	return some
}

// mixed multiplies every axis of v by a square matrix.
func mixed(b *op.Builder, r *rand.Rand, v *graph.Value) *graph.Value {
	if b.Err() != nil || v.DType != tensor.Float32 {
		return v
	}
	last := len(v.Shape) - 1
	for d := range v.Shape {
		if !v.Shape[d].Known() || v.Shape[d].Mul < 2 {
			continue
		}
		perm := make([]int, last+1)
		for i := range perm {
			perm[i] = i
		}
		perm[d], perm[last] = last, d
		swap := []graph.Attr{graph.MakeAttr("perm", perm)}
		w := tensor.New(tensor.Float32, v.Shape[d].Mul, v.Shape[d].Mul)
		for i := range w.F32() {
			w.F32()[i] = r.Float32()
		}
		v = b.Op("MatMul", b.Attr("Transpose", swap, v), b.G.Const(fmt.Sprint("w", len(b.G.Nodes)), w, graph.Param))
		v = b.Attr("Transpose", swap, v)
	}
	return v
}

// near compares two outputs. Where what is masked holds an infinity times zero only
// the cut network has an answer.
func near(t *testing.T, name string, want, got *tensor.Tensor) {
	t.Helper()
	a, err := want.Float64s()
	if err != nil {
		return // integers: what came before is compared elsewhere
	}
	b, err := got.Float64s()
	if err != nil || len(a) != len(b) {
		t.Fatalf("%s: %v masked, %v cut", name, want.Shape, got.Shape)
	}
	scale := 1.0
	for _, x := range a {
		if !math.IsInf(x, 0) && !math.IsNaN(x) {
			scale = max(scale, math.Abs(x))
		}
	}
	for i := range a {
		if a[i] != b[i] && !math.IsNaN(a[i]) && !(math.Abs(a[i]-b[i]) <= 1e-4*scale) {
			t.Fatalf("%s: entry %d is %v masked and %v cut", name, i, a[i], b[i])
		}
	}
}
