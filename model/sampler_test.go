package model_test

import (
	"context"
	"errors"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pare/internal/modeltest"
	"pare/model"
	"pare/train"
)

// sampled trains by a sampler; at > 0 stops it there.
func sampled(t *testing.T, sampler string, epochs, stop int, save string, watch ...train.Hook) (*model.Job, []train.Epoch, error) {
	t.Helper()
	j := modeltest.Job(t, 1)
	j.Recipe.Sampler, j.Recipe.Epochs, j.Watch = sampler, epochs, watch
	j.Save, j.Resume = save, save != ""
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	j.OnStep = func(step, _ int, _ float64) {
		if step == stop {
			cancel()
		}
	}
	es, err := j.Fit(ctx, j.Graph, watch...)
	return j, es, err
}

func weights(j *model.Job) (out []uint32) {
	for _, v := range j.Graph.Consts() {
		for _, x := range v.Const.F32() {
			out = append(out, math.Float32bits(x))
		}
	}
	return out
}

// A share of 1 is an ordinary training to the byte; half shares without replacement, in
// whole batches, are the same batches in twice as many epochs.
func TestSamplerOfAll(t *testing.T) {
	plain, _, err := sampled(t, "all", 2, 0, "")
	if err != nil {
		t.Fatal(err)
	}
	for sampler, epochs := range map[string]int{"rs2:1": 2, "rs2:1:replace": 2, "rs2:0.5": 4} {
		j, es, err := sampled(t, sampler, epochs, 0, "")
		if err != nil {
			t.Fatal(err)
		}
		if len(es) != epochs || !slices.Equal(weights(j), weights(plain)) {
			t.Errorf("%s: the weights are others after %d epochs", sampler, len(es))
		}
	}
	if j, _, _ := sampled(t, "rs2:0.5:replace", 4, 0, ""); slices.Equal(weights(j), weights(plain)) {
		t.Error("with replacement the batches are the same")
	}
}

// A training that stops in the middle of a round goes on to the same bytes.
func TestSamplerResumes(t *testing.T) {
	for _, sampler := range []string{"rs2:0.3", "rs2:0.3:replace", "rs2:0.3:replace:stratified:fill"} {
		whole, _, err := sampled(t, sampler, 5, 0, "")
		if err != nil {
			t.Fatal(err)
		}
		save := filepath.Join(t.TempDir(), "checkpoint")
		per := whole.Steps() / 5
		if _, _, err := sampled(t, sampler, 5, 2*per+1, save); !errors.Is(err, train.ErrInterrupted) {
			t.Fatalf("%s: %v", sampler, err)
		}
		j, _, err := sampled(t, sampler, 5, 0, save)
		if err != nil || !slices.Equal(weights(j), weights(whole)) {
			t.Errorf("%s: resumed it ends otherwise (%v)", sampler, err)
		}
	}
}

// rates notes the learning rate of every step.
type rates struct {
	train.Observer
	of    []float64
	total int
}

func (r *rates) AfterGrad(run *train.Run) error {
	r.of, r.total = append(r.of, run.Rate(run.Step)), run.Total
	return nil
}

// The schedule is that of the steps that there are: X rounds of floor(m/B), or with fill
// ceil(m/B), along the cosine from its peak to its end.
func TestSamplerSchedule(t *testing.T) {
	for sampler, per := range map[string]int{"rs2:0.3": 0, "rs2:0.3:fill": 1} {
		var r rates
		j, es, err := sampled(t, sampler, 4, 0, "", &r)
		if err != nil {
			t.Fatal(err)
		}
		m, b := int(math.Round(.3*float64(j.Data.Train.Len()))), j.Recipe.Batch
		if per = (m + per*(b-1)) / b; r.total != 4*per || len(r.of) != 4*per || j.Steps() != 4*per || es[3].Step != 4*per {
			t.Errorf("%s: %d steps of %d, %d wanted", sampler, len(r.of), r.total, 4*per)
		}
		lr := j.Recipe.LR
		for at, want := range map[int]float64{0: lr, 2 * per: lr / 2} {
			if math.Abs(r.of[at]-want) > 1e-12 {
				t.Errorf("%s: rate %v at step %d, not %v", sampler, r.of[at], at, want)
			}
		}
		if end := train.Cosine(lr, 1e-4, 4*per)(4 * per); end != 1e-4 {
			t.Errorf("the last rate is %v", end)
		}
	}
}

func TestSamplerRefused(t *testing.T) {
	for _, sampler := range []string{"rs2:0.001", "rs2:2", "rs3:1", "rs2:0.1:stratified", "rs2:0.01:replace:stratified"} {
		if _, _, err := sampled(t, sampler, 2, 0, ""); err == nil || !strings.Contains(err.Error(), "Sampler") {
			t.Errorf("%s: %v", sampler, err)
		}
	}
}

// The batch that is chosen fits into a round.
func TestSamplerBatch(t *testing.T) {
	j := modeltest.Job(t, 2)
	j.Recipe.Sampler, j.Recipe.Batch = "rs2:0.1", model.AutoBatch
	if got, want := j.Steps(), 2*(40/32); got != want {
		t.Errorf("%d steps, not %d", got, want)
	}
	if err := j.Check(); err != nil {
		t.Error(err)
	}
}
