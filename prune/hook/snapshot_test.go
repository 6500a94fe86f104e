package hook

import (
	"strings"
	"testing"

	"pare/train"
	"pare/zoo"
)

func TestSnapshot(t *testing.T) {
	g, err := zoo.New("resnet8", zoo.Options{Seed: 1, Width: .25})
	if err != nil {
		t.Fatal(err)
	}
	w := g.Params()[0].Const.F32()
	stat := g.Value("bn1.running_var").Const.F32()
	p := NewSnapshot(g, 2)
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
	q := NewSnapshot(g, 2)
	if err := q.UnmarshalBinary(b); err != nil {
		t.Fatal(err)
	}
	for _, p := range []*Snapshot{p, q} {
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
