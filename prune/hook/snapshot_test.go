package hook

import (
	"slices"
	"strings"
	"testing"

	"pare/graph"
	"pare/tensor"
	"pare/train"
	"pare/zoo"
)

func TestPoint(t *testing.T) {
	g, err := zoo.New("resnet8", zoo.Options{Seed: 1, Width: .25})
	if err != nil {
		t.Fatal(err)
	}
	w := g.Params()[0].Const.F32()
	stat := g.Value("bn1.running_var").Const.F32()
	p := NewPoint(g, 2)
	if err := p.Restore(g); err == nil || !strings.Contains(err.Error(), "did not reach") {
		t.Errorf("before the step: %v", err)
	}
	r := &train.Run{Config: &train.Config{Graph: g}}
	for r.Step = 0; r.Step < 4; r.Step++ {
		w[0], stat[0] = float32(r.Step), float32(10+r.Step)
		if err := p.AfterStep(r); err != nil {
			t.Fatal(err)
		}
	}
	b, err := p.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	q := NewPoint(g, 2)
	if err := q.UnmarshalBinary(b); err != nil {
		t.Fatal(err)
	}
	for _, p := range []*Point{p, q} {
		w[0], stat[0] = 7, 7
		if err := p.Restore(g); err != nil || w[0] != 2 || stat[0] != 12 {
			t.Errorf("restored %v and %v, %v", w[0], stat[0], err)
		}
	}
	if err := q.UnmarshalBinary(b[4:]); err == nil {
		t.Error("a state that is too short was accepted")
	}
	small, _ := zoo.New("mlp:4-2", zoo.Options{})
	if err := p.Restore(small); err == nil || !strings.Contains(err.Error(), "counterpart") {
		t.Errorf("another network: %v", err)
	}
}

func TestRedraw(t *testing.T) {
	g, _ := zoo.New("mlp:8-8", zoo.Options{Seed: 1})
	ws, _ := Weights(g, Scope{})
	old := slices.Clone(ws[0].Data())
	if err := (Init{Seed: 9}).Apply(g); err != nil {
		t.Fatal(err)
	}
	Signed(ws[0], old)
	for i, x := range ws[0].Data() {
		if x == old[i] || x > 0 != (old[i] > 0) {
			t.Fatalf("entry %d: %v from %v", i, x, old[i])
		}
	}
	copy(ws[0].Data(), old)
	Permute(ws[0], 1, 0)
	x := slices.Clone(ws[0].Data())
	if slices.Equal(x, old) {
		t.Error("nothing moved")
	}
	slices.Sort(x)
	slices.Sort(old)
	if !slices.Equal(x, old) {
		t.Error("other values than the layer's")
	}
}

// [directions, gates*hidden, inputs] of a recurrent network.
func TestRecurrentInputs(t *testing.T) {
	w := &Weight{Value: &graph.Value{Const: tensor.New(tensor.Float32, 2, 12, 5)}, Kind: Recurrent, Out: 1}
	if w.Inputs() != 5 || w.FanIn() != 5 {
		t.Errorf("%d inputs, fan-in %v", w.Inputs(), w.FanIn())
	}
}
