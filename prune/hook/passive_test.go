package hook_test

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"pare/graph"
	"pare/internal/modeltest"
	"pare/prune"
	"pare/prune/hook"
	"pare/train"
)

// Weights of several steps come from one training.
func TestSnapshots(t *testing.T) {
	j := modeltest.Job(t, 2)
	ps := []*hook.Snapshot{hook.NewSnapshot(j.Graph, 0), hook.NewSnapshot(j.Graph, 20), hook.NewSnapshot(j.Graph, 40)}
	first, _ := j.Graph.Clone(true)
	if _, err := j.Fit(context.Background(), j.Graph, ps[0], ps[1], ps[2]); err != nil {
		t.Fatal(err)
	}
	last := modeltest.Bits(j.Graph)
	for i, want := range []func() bool{
		func() bool { return bytes.Equal(modeltest.Bits(j.Graph), modeltest.Bits(first)) },
		func() bool {
			return !bytes.Equal(modeltest.Bits(j.Graph), modeltest.Bits(first)) && !bytes.Equal(modeltest.Bits(j.Graph), last)
		},
		func() bool { return bytes.Equal(modeltest.Bits(j.Graph), last) },
	} {
		if err := ps[i].Restore(j.Graph); err != nil || !want() {
			t.Errorf("snapshot %d, %v", i, err)
		}
		b, err := ps[i].MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		if err := ps[i].UnmarshalBinary(b); err != nil {
			t.Error(err)
		}
		for _, bad := range [][]byte{b[:7], b[:len(b)-1], append(b[:len(b):len(b)], 0)} {
			if err := ps[i].UnmarshalBinary(bad); err == nil {
				t.Errorf("%d bytes were accepted", len(bad))
			}
		}
	}
}

// Several snapshots of one list survive kills before, between and after their steps,
// each with its own weights.
func TestSnapshotsResume(t *testing.T) {
	plain := modeltest.Job(t, 2)
	want := map[int][]byte{}
	if _, err := plain.Fit(context.Background(), plain.Graph, &modeltest.Watcher{F: func(r *train.Run) { want[r.Step] = modeltest.Bits(plain.Graph) }}); err != nil {
		t.Fatal(err)
	}
	save := filepath.Join(t.TempDir(), "checkpoint")
	for _, stop := range []int{3, 12, 26, 0} {
		j := modeltest.Job(t, 2)
		j.Save, j.Resume = save, true
		ps := []*hook.Snapshot{hook.NewSnapshot(j.Graph, 18), hook.NewSnapshot(j.Graph, 9), hook.NewSnapshot(j.Graph, 31)} // not in the order of their steps
		ctx, cancel := context.WithCancel(context.Background())
		j.OnStep = func(step, _ int, _ float64) {
			if step == stop {
				cancel()
			}
		}
		_, err := j.Fit(ctx, j.Graph, ps[0], ps[1], ps[2])
		cancel()
		if stop > 0 {
			if !errors.Is(err, train.ErrInterrupted) {
				t.Fatalf("stopped at %d: %v", stop, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(modeltest.Bits(j.Graph), want[40]) {
			t.Error("the resumed run's network differs")
		}
		for _, p := range ps {
			g, _ := j.Graph.Clone(true)
			if err := p.Restore(g); err != nil || !bytes.Equal(modeltest.Bits(g), want[p.At]) {
				t.Errorf("the weights of step %d are others (%v)", p.At, err)
			}
		}
	}
	j := modeltest.Job(t, 2)
	j.Save, j.Resume = save, true
	var four []train.Hook
	for range 4 {
		four = append(four, hook.NewSnapshot(j.Graph, 5))
	}
	if _, err := j.Fit(context.Background(), j.Graph, four...); err == nil || !strings.Contains(err.Error(), `no state of "snapshot#4"`) {
		t.Errorf("a fourth snapshot, of three that were saved: %v", err)
	}
}

// What only looks on leaves cut weights at zero of themselves, and a hook that is not
// known may not.
func TestHeldOfItself(t *testing.T) {
	j := modeltest.Job(t, 1)
	ws, err := prune.Weights(j.Graph, prune.Scope{})
	if err != nil {
		t.Fatal(err)
	}
	m := prune.Dense(ws)
	hold := &hook.Hold{Masks: m}
	passive := []train.Hook{hold, train.Observer{}, hook.NewSnapshot(j.Graph, 3), &hook.Best{Of: m}, &hook.Raise{Hold: hold}, &hook.Exchange{Hold: hold}}
	r := &train.Run{Config: &train.Config{Hooks: passive}}
	if !r.Held() {
		t.Error("what looks on counts as a change")
	}
	r.DenseGradients(true)
	if r.Held() {
		t.Error("with gradients in full nothing stays of itself")
	}
	r.DenseGradients(false)
	for _, unknown := range []train.Hook{train.Base{}, &modeltest.Watcher{}, &train.SAM{}, &hook.Silence{}, &hook.Latent{}} {
		if r.Hooks = append(passive[:len(passive):len(passive)], unknown); r.Held() {
			t.Errorf("%T counts as one that changes nothing", unknown)
		}
	}
}

// Best takes the masks, and the weights, of the most accurate epoch, of equals the
// first; nothing where no epoch has ended.
func TestBest(t *testing.T) {
	j := modeltest.Job(t, 1)
	ws, err := prune.Weights(j.Graph, prune.Scope{})
	if err != nil {
		t.Fatal(err)
	}
	m := prune.Dense(ws)
	run := func() *train.Run {
		r := &train.Run{Config: &train.Config{Graph: j.Graph}}
		for _, w := range ws {
			r.Params = append(r.Params, &train.Param{Value: w.Value, W: w.Data()})
		}
		return r
	}
	b := &hook.Best{Of: m, Whole: true}
	if err := b.Start(run()); err != nil || b.Take() != m {
		t.Errorf("before the first epoch: %v", err)
	}
	for i, accuracy := range []float64{.5, .75, .75, .5} {
		ws[0].Data()[0] = float32(i)
		m.Mask[0].Set(i, false)
		if err := b.AfterEpoch(nil, train.Epoch{Score: train.Score{Higher: true, Value: accuracy}}); err != nil {
			t.Fatal(err)
		}
	}
	state, err := b.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	c := &hook.Best{Of: m, Whole: true}
	if err := c.UnmarshalBinary(state); err != nil {
		t.Fatal(err)
	}
	if err := c.Start(run()); err != nil {
		t.Fatal(err)
	}
	for _, b := range []*hook.Best{b, c} {
		ws[0].Data()[0] = 9
		best := b.Take()
		if ws[0].Data()[0] != 1 || best.Mask[0].Count() != ws[0].Len()-2 || best.Mask[0].Kept(1) || !best.Mask[0].Kept(2) {
			t.Errorf("weight %v, %d kept", ws[0].Data()[0], best.Mask[0].Count())
		}
	}
	for _, n := range []int{1, 15, 17, len(state) - 1} {
		if err := (&hook.Best{Of: m}).UnmarshalBinary(state[:n]); err == nil {
			t.Errorf("a state cut to %d bytes was accepted", n)
		}
	}
	other := &hook.Best{Of: m}
	if err := other.UnmarshalBinary(state); err != nil {
		t.Fatal(err)
	}
	if err := other.Start(&train.Run{Config: &train.Config{Graph: graph.New("g", 17)}}); err == nil || !strings.Contains(err.Error(), "tensors") {
		t.Errorf("weights of another kind: %v", err)
	}
}
