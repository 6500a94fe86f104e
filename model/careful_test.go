package model_test

import (
	"context"
	"math"
	"strings"
	"testing"

	"pare/dataset"
	"pare/internal/modeltest"
	"pare/measure"
	"pare/model"
	"pare/model/gradual"
	"pare/model/oneshot"
	"pare/model/structured"
	"pare/model/tickets"
	"pare/train"
)

// careful is a job with 1,200 images and everything left to the recipe.
func careful(t *testing.T, epochs int) *model.Job {
	t.Helper()
	j := modeltest.Job(t, epochs)
	j.Data.Train, j.Data.Test = dataset.Glyph(2, .4, 1200, 200, 1)
	r := model.Defaults()
	r.Epochs, r.Batch = epochs, 20
	j.Recipe = r
	return j
}

// What is left to the recipe is said, is found out without the test set, and makes a
// run that resumes to the same bytes, notes and course.
func TestCareful(t *testing.T) {
	course := []*measure.Course{}
	for _, m := range []func() model.Method{
		func() model.Method { return &oneshot.GlobalMP{Sparsity: .8} },
		func() model.Method {
			c := structured.NewChannels()
			c.ChannelTarget = model.ChannelTarget{MACs: .5, Least: .1}
			return c
		},
	} {
		r := modeltest.Resumes(t, m().Card().Name, func() (model.Method, *model.Job) { return m(), careful(t, 4) }, 0, 3, 100, 170)
		if r.Course == nil || r.Course.Tested != 21 || r.Course.Kept == 0 || r.Course.N != 120 || r.Course.Set != "validation" || r.Course.After.Value < .6 {
			t.Errorf("%s: %+v", m().Card().Name, r.Course)
		}
		course = append(course, r.Course)
	}
	j := careful(t, 4)
	var said []string
	j.Log = func(format string, _ ...any) { said = append(said, format) }
	clear(j.Data.Test.Class().Ints) // the test set says nonsense
	r := modeltest.Run(t, &oneshot.GlobalMP{Sparsity: .8}, j)
	if c := course[0]; r.Course.Rate != c.Rate || r.Course.Kept != c.Kept || r.Course.After != c.After {
		t.Errorf("with another test set %+v, else %+v", r.Course, c)
	}
	for _, want := range []string{"are held out", "range test"} {
		if !strings.Contains(strings.Join(said, "\n"), want) {
			t.Errorf("%q says nothing with %q", said, want)
		}
	}
}

// Where epochs have fewer masks than the end, none of them is kept: the sparsity is
// that which is asked for.
func TestCarefulRaising(t *testing.T) {
	m := gradual.NewGMP()
	m.Sparsity, m.Every, m.End = .9, 5, train.Share(.6)
	j := careful(t, 5)
	r := modeltest.Run(t, m, j)
	if s := r.Masks.Sparsity(); s < .899 || s > .901 || r.Course.Kept < 4 {
		t.Errorf("sparsity %v, epoch %d of %d is kept", s, r.Course.Kept, r.Course.Epochs)
	}
	for l, w := range r.Masks.Weights {
		for i, x := range w.Data() {
			if x != 0 && !r.Masks.Mask[l].Kept(i) {
				t.Fatalf("%s[%d] is cut and %v", w.Name, i, x)
			}
		}
	}
}

// Methods that drive their trainings have the plain recipe: the result is that of one
// whose every field is given.
func TestDrives(t *testing.T) {
	run := func(f func(r *model.Recipe)) *model.Result {
		j := careful(t, 2)
		f(&j.Recipe)
		return modeltest.Run(t, &tickets.Lottery{Tickets: tickets.NewLottery().Tickets}, j)
	}
	auto := run(func(*model.Recipe) {})
	plain := run(func(r *model.Recipe) { r.LR, r.Clip, r.Explosion, r.Keep = .05, 0, "stop", "last" })
	if string(modeltest.Bits(auto.Graph)) != string(modeltest.Bits(plain.Graph)) || auto.Course != nil {
		t.Error("a method that drives its trainings has another training")
	}
	if d, ok := model.Method(&oneshot.Magnitude{Rounds: 3}).(model.Drives); !ok || !d.Drives() || (&oneshot.Magnitude{Rounds: 1}).Drives() {
		t.Error("rounds of a method are a series, one is not")
	}
}

// The zero values of a recipe guard nothing: experiments are as they were.
func TestPlain(t *testing.T) {
	j := careful(t, 2)
	j.Recipe.LR, j.Recipe.Clip, j.Recipe.Explosion, j.Recipe.Keep = .05, 0, "", ""
	r := modeltest.Run(t, &oneshot.GlobalMP{Sparsity: .8}, j)
	if c := r.Course; c.Tested != 0 || c.Kept != 0 || c.Backs != nil || c.Rate != .05 || c.Set != "test" {
		t.Errorf("%+v", c)
	}
	j = careful(t, 1)
	j.Recipe.LR, j.Recipe.Clip, j.Recipe.Explosion, j.Recipe.Schedule = 1e20, 0, "", "constant"
	if _, err := model.Run(context.Background(), &oneshot.GlobalMP{Sparsity: .8}, j); err == nil || !strings.Contains(err.Error(), train.ErrDiverged.Error()) {
		t.Errorf("%v", err)
	}
}

// Where an explosion is to be undone the training goes back, three times at most.
func TestCarefulGoesBack(t *testing.T) {
	for explosion, want := range map[string]string{"back": "going back 3 times", "auto": "going back 3 times", "stop": ""} {
		j := careful(t, 1)
		j.Recipe.LR, j.Recipe.Clip, j.Recipe.Explosion, j.Recipe.Schedule = 1e20, 0, explosion, "constant"
		_, err := model.Run(context.Background(), &oneshot.GlobalMP{Sparsity: .8}, j)
		if err == nil || !strings.Contains(err.Error(), train.ErrDiverged.Error()) || strings.Contains(err.Error(), "going back") != (want != "") || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want something with %q", explosion, err, want)
		}
	}
}

// One step of plain descent is as long as the rate times the limit of the gradient's norm,
// where that is above it.
func TestCarefulClips(t *testing.T) {
	const rate, limit = .5, .02
	j := modeltest.Job(t, 1)
	j.Recipe = model.Recipe{Epochs: 1, Batch: j.Data.Train.Len(), LR: rate, Schedule: "constant", Optimizer: "sgd", Clip: limit}
	before, _ := j.Graph.Clone(true)
	if _, err := j.Fit(context.Background(), j.Graph); err != nil {
		t.Fatal(err)
	}
	square := 0.
	for k, p := range j.Graph.Params() {
		was := before.Params()[k].Const.F32()
		for i, x := range p.Const.F32() {
			square += math.Pow(float64(x)-float64(was[i]), 2)
		}
	}
	if step := math.Sqrt(square); math.Abs(step-rate*limit) > 1e-5 {
		t.Errorf("the weights moved by %v, want %v", step, rate*limit)
	}
}

// A training that does harm is warned of, one that does not is not.
func TestWarning(t *testing.T) {
	of := func(metric string, higher bool, n int, before, after float64) *measure.Course {
		s := train.Score{Metric: metric, Higher: higher}
		c := &measure.Course{N: n, Before: s, After: s}
		c.Before.Value, c.After.Value = before, after
		return c
	}
	for _, c := range []struct {
		course *measure.Course
		warns  bool
	}{
		{of("accuracy", true, 500, .9, .8), true}, {of("accuracy", true, 500, .9, .89), false}, {of("accuracy", true, 500, .1, .9), false}, {of("accuracy", true, 0, .9, .1), false},
		{of("mae", false, 500, .1, .2), true}, {of("mae", false, 500, .2, .1), false}, {of("r2", true, 500, .9, .8999), false}, {of("r2", true, 500, .9, .7), true}, {nil, false},
	} {
		if w := c.course.Warning(); (w != "") != c.warns {
			t.Errorf("%+v: %q", c.course, w)
		}
	}
	set, _ := dataset.Glyph(2, .4, 500, 10, 1)
	for _, c := range []struct {
		accuracy float64
		warns    bool
	}{{.1, true}, {.12, true}, {.2, false}, {.9, false}} {
		if w := measure.Chance(&train.Metrics{N: 500, Scores: []train.Score{{Metric: "accuracy", Unit: "%", Higher: true, Value: c.accuracy}}}, set); (w != "") != c.warns {
			t.Errorf("accuracy %v: %q", c.accuracy, w)
		}
	}
}
