package hook_test

import (
	"context"
	"math"
	"slices"
	"testing"

	"pare/internal/modeltest"
	"pare/prune"
	"pare/prune/allocate"
	"pare/prune/hook"
	"pare/prune/schedule"
	"pare/prune/score"
	"pare/train"
	"pare/zoo"
)

// Hard masks are nested and reach the final sparsity exactly; after the window
// they do not change.
func TestGradual(t *testing.T) {
	for _, keep := range []bool{false, true} {
		j := modeltest.Job(t, 3)
		var last *prune.Masks
		var final string
		ws, _ := prune.Weights(j.Graph, prune.Scope{})
		h := &hook.Hold{Masks: prune.Dense(ws)}
		raise := &hook.Raise{Hold: h, Keep: keep,
			Schedule: schedule.Gradual{Final: .9, Begin: 6, End: 42, Every: 5, Power: 3},
			Pick: func(x float64) (*prune.Masks, error) {
				k, err := allocate.Uniform(ws, x)
				return allocate.Select(ws, score.Magnitude(ws), k, prune.KeepFirst), err
			}}
		watch := &modeltest.Watcher{F: func(r *train.Run) {
			if !keep && last != nil && !h.Masks.Within(last) {
				t.Errorf("step %d: masks are not nested", r.Step)
			}
			last = h.Masks.Clone()
			if r.Step > 42 {
				if final == "" {
					final = h.Hash()
				}
				if h.Hash() != final {
					t.Errorf("step %d: masks change after the window", r.Step)
				}
			}
		}}
		if _, err := j.Fit(context.Background(), j.Graph, h, raise, watch); err != nil {
			t.Fatal(err)
		}
		for i, w := range ws {
			want := max(1, int(math.Floor(float64(w.Len())*.1+.5)))
			if got := h.Mask[i].Count(); got != want {
				t.Errorf("keep %v: %s keeps %d, want %d", keep, w.Name, got, want)
			}
		}
		if n := len(raise.Trace); n != len(raise.Schedule.Events()) || raise.Trace[n-1].Step != 42 || raise.Trace[n-1].Wanted != .9 {
			t.Errorf("keep %v: events %+v", keep, raise.Trace)
		}
	}
}

// keep: w = (.5, .4), one stays; when the first shrinks to .3 the second returns.
func TestKeepReturns(t *testing.T) {
	g, _ := zoo.New("mlp:2-1", zoo.Options{})
	ws, _ := prune.Weights(g, prune.Scope{})
	copy(ws[0].Data(), []float32{.5, .4})
	hold := &hook.Hold{Masks: prune.Dense(ws)}
	h := &hook.Raise{Hold: hold, Keep: true, Schedule: schedule.Gradual{Final: .5, Initial: .5, Begin: 0, End: 4, Every: 1, Power: 3},
		Pick: func(s float64) (*prune.Masks, error) {
			return allocate.Select(ws, score.Magnitude(ws), []int{1}, prune.KeepFirst), nil
		}}
	r := &train.Run{Config: &train.Config{}, Total: 4, Params: []*train.Param{{Value: ws[0].Value, W: ws[0].Data()}}}
	for _, h := range []train.Hook{hold, h} {
		if err := h.Start(r); err != nil {
			t.Fatal(err)
		}
	}
	before := func() error {
		if err := hold.BeforeStep(r); err != nil {
			return err
		}
		return h.BeforeStep(r)
	}
	if err := before(); err != nil || ws[0].Data()[1] != 0 {
		t.Fatalf("after the first event: %v, %v", ws[0].Data(), err)
	}
	ws[0].Data()[0] = .3
	r.Step = 1
	if err := before(); err != nil || !slices.Equal(ws[0].Data(), []float32{0, .4}) {
		t.Errorf("after the second event: %v, %v", ws[0].Data(), err)
	}
}
