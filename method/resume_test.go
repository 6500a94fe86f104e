package method

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"slices"
	"testing"

	"pare/train"
)

// resumes runs a job whole, and another that is stopped at some steps, each time
// resumed, on two threads at the end: network, masks, epochs and notes are to be
// the same, and no checkpoint is to be left. total is the number of steps that
// progress is to be told of (0: not looked at). It gives what the whole run came to.
func resumes(t *testing.T, name string, run func(context.Context, *Job) (*Result, error), mk func() *Job, total int, stops ...int) *Result {
	t.Helper()
	whole, err := run(context.Background(), mk())
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	save := filepath.Join(t.TempDir(), "checkpoint")
	for _, stop := range stops {
		j := mk()
		j.Save, j.Resume = save, true
		ctx, cancel := context.WithCancel(context.Background())
		j.OnStep = func(step, all int, _ float64) {
			if total > 0 && all != total || step > all {
				t.Fatalf("%s: step %d of %d, want %d in all", name, step, all, total)
			}
			if step == stop {
				cancel()
			}
		}
		if _, err := run(ctx, j); !errors.Is(err, train.ErrInterrupted) {
			t.Fatalf("%s, stopped at %d: %v", name, stop, err)
		}
		cancel()
	}
	j := mk()
	j.Save, j.Resume, j.Engine.Threads = save, true, 2
	r, err := run(context.Background(), j)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	switch {
	case !bytes.Equal(bits(whole.Graph), bits(r.Graph)):
		t.Errorf("%s: the resumed run's network differs", name)
	case whole.Masks != nil && whole.Masks.Hash() != r.Masks.Hash():
		t.Errorf("%s: the resumed run's masks differ", name)
	case !slices.Equal(whole.Epochs, r.Epochs):
		t.Errorf("%s: the resumed run's epochs are %v, want %v", name, r.Epochs, whole.Epochs)
	case !slices.Equal(whole.Notes, r.Notes):
		t.Errorf("%s: the resumed run says %q, want %q", name, r.Notes, whole.Notes)
	}
	j.Clean()
	if left, _ := filepath.Glob(save + "*"); left != nil {
		t.Errorf("%s: left behind: %v", name, left)
	}
	return whole
}
