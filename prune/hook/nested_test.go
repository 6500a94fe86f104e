package hook_test

import (
	"context"
	"testing"

	"pare/internal/modeltest"
	"pare/prune"
	"pare/prune/hook"
	"pare/prune/schedule"
	"pare/train"
)

// What hard masks have cut stays cut, also where a choice wants it back, as it may of
// weights that are zero by chance.
func TestRaiseStaysNested(t *testing.T) {
	j := modeltest.Job(t, 1)
	ws, _ := prune.Weights(j.Graph, prune.Scope{})
	h := &hook.Hold{Masks: prune.Dense(ws)}
	event := 0
	raise := &hook.Raise{Hold: h, Schedule: schedule.Gradual{Final: .5, End: 12, Every: 4, Power: 1},
		Pick: func(float64) (*prune.Masks, error) {
			m := prune.Dense(ws)
			m.Mask[0].Set(event, false) // another one each time
			event++
			return m, nil
		}}
	watch := &modeltest.Watcher{F: func(r *train.Run) {
		for i := range event {
			if h.Mask[0].Kept(i) || ws[0].Data()[i] != 0 {
				t.Fatalf("step %d: entry %d is back", r.Step, i)
			}
		}
	}}
	if _, err := j.Fit(context.Background(), j.Graph, h, raise, watch); err != nil {
		t.Fatal(err)
	}
	if event != 4 {
		t.Errorf("%d events", event)
	}
}
