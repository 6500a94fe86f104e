package model_test

import (
	"bytes"
	"context"
	"math"
	"strings"
	"testing"

	"pare/dataset"
	"pare/internal/modeltest"
	"pare/model"
	"pare/model/oneshot"
	"pare/train"
)

// What the recipe cannot do is said before any work.
func TestCheck(t *testing.T) {
	for want, f := range map[string]func(j *model.Job){
		"fewer than one batch": func(j *model.Job) { j.Recipe.Batch = 401 },
		"no training set":      func(j *model.Job) { j.Data.Train = nil },
		"at least 0 epochs":    func(j *model.Job) { j.Recipe.Epochs = -1 },
		"Recipe.Crop":          func(j *model.Job) { j.Recipe.Crop = -1 },
		"no images": func(j *model.Job) {
			j.Recipe.Flip = true
			s := *j.Data.Train
			x := *s.X()
			x.Shape = []int{64}
			s.Fields = []*dataset.Field{&x, s.Fields[1]}
			j.Data.Train = &s
		},
		"learning rate":     func(j *model.Job) { j.Recipe.LR = math.NaN() },
		"unknown optimiser": func(j *model.Job) { j.Recipe.Optimizer = "nosuch" },
		"there is no loss":  func(j *model.Job) { j.Recipe.Loss = "nosuch" },
		"not with mse":      func(j *model.Job) { j.Recipe.Loss, j.Recipe.Smoothing = "mse", .1 },
		"Recipe.Clip":       func(j *model.Job) { j.Recipe.Clip = math.NaN() },
	} {
		j := modeltest.Job(t, 1)
		f(j)
		if err := j.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want something with %q", err, want)
		}
	}
	if err := modeltest.Job(t, 1).Check(); err != nil {
		t.Error(err)
	}
}

// Without data, epochs or a batch there is no step, and who needs one says why.
func TestSteps(t *testing.T) {
	for _, f := range []func(j *model.Job){
		func(j *model.Job) { j.Data = nil }, func(j *model.Job) { j.Data.Train = nil },
		func(j *model.Job) { j.Recipe.Epochs = 0 }, func(j *model.Job) { j.Recipe.Batch = 0 },
	} {
		j := modeltest.Job(t, 2)
		if j.Steps() != 40 || j.NeedsTraining("x") != nil {
			t.Errorf("%d steps, %v", j.Steps(), j.NeedsTraining("x"))
		}
		f(j)
		if err := j.NeedsTraining("masks move"); j.Steps() != 0 || err == nil || err.Error() != "masks move: give Data and Recipe.Epochs" {
			t.Errorf("%d steps, %v", j.Steps(), err)
		}
	}
	j := modeltest.Job(t, 2)
	if n, err := j.StepAt("Until", train.At{X: 1.5, Unit: train.Epochs}); err != nil || n != 30 {
		t.Errorf("step %d, %v", n, err)
	}
	if _, err := j.StepAt("Until", train.At{X: 41}); err == nil || !strings.Contains(err.Error(), "Until 41it is step 41 of a training of 40") {
		t.Error(err)
	}
}

// Training by oneself is refused: a network without labels and teacher has nothing to
// learn from.
func TestNothingToLearn(t *testing.T) {
	j := modeltest.Job(t, 1)
	s := *j.Data.Train
	s.Fields = s.Fields[:1]
	j.Data.Train, j.Data.Test = &s, nil
	if _, err := j.Train(context.Background()); err == nil || !strings.Contains(err.Error(), "nothing to learn from") {
		t.Error(err)
	}
}

// The batch that is chosen is 128, less where there are fewer samples; and where a
// distillation would have less than 400 steps half of it, and again, down to 16.
func TestAutoBatch(t *testing.T) {
	for _, c := range []struct {
		recover                string
		samples, epochs, batch int
	}{
		{"train", 400, 2, 128}, {"train", 100, 2, 64}, {"auto", 400, 2, 128},
		{"distil", 400, 134, 128}, {"distil", 400, 133, 64}, {"distil", 400, 67, 64}, {"distil", 400, 40, 32}, {"distil", 400, 1, 16}, {"distil", 10, 1, 8},
	} {
		j := modeltest.Job(t, c.epochs)
		j.Recipe.Recover, j.Recipe.Batch = c.recover, model.AutoBatch
		j.Data.Train = j.Data.Train.First(c.samples)
		if want := c.epochs * (c.samples / c.batch); j.Steps() != want {
			t.Errorf("%+v: %d steps, want %d", c, j.Steps(), want)
		}
		if err := j.Check(); err != nil {
			t.Errorf("%+v: %v", c, err)
		}
	}
	j := modeltest.Job(t, 1)
	j.Recipe.Recover, j.Recipe.Batch = "distil", model.AutoBatch
	auto := modeltest.Run(t, &oneshot.GlobalMP{Sparsity: .5}, j)
	j = modeltest.Job(t, 1)
	j.Recipe.Recover, j.Recipe.Batch = "distil", 16
	if !bytes.Equal(modeltest.Bits(auto.Graph), modeltest.Bits(modeltest.Run(t, &oneshot.GlobalMP{Sparsity: .5}, j).Graph)) {
		t.Error("a batch that is chosen makes another network than the same one given")
	}
}
