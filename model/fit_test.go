package model_test

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pare/internal/modeltest"
	"pare/model"
	"pare/model/gradual"
	"pare/model/oneshot"
	"pare/prune"
	"pare/train"
)

// A checkpoint of another seed, recipe, target, method, data, teacher or network is
// refused.
func TestResumeOther(t *testing.T) {
	for name, f := range map[string]func(m *oneshot.GlobalMP, j *model.Job) model.Method{
		"seed=":          func(m *oneshot.GlobalMP, j *model.Job) model.Method { j.Seed = 4; return m },
		"lr=":            func(m *oneshot.GlobalMP, j *model.Job) model.Method { j.Recipe.LR = .01; return m },
		"sparsity=":      func(m *oneshot.GlobalMP, j *model.Job) model.Method { m.Sparsity = .6; return m },
		"method=":        func(*oneshot.GlobalMP, *model.Job) model.Method { return &oneshot.LAMP{Sparsity: .5} },
		"training data=": func(m *oneshot.GlobalMP, j *model.Job) model.Method { j.Data.Train = j.Data.Test; return m },
		"order=":         func(m *oneshot.GlobalMP, j *model.Job) model.Method { j.Order = 4; return m },
		"teacher=": func(m *oneshot.GlobalMP, j *model.Job) model.Method {
			j.Loss = train.Loss{Teacher: j.Graph, Alpha: .5, T: 2}
			return m
		},
		"network=": func(m *oneshot.GlobalMP, j *model.Job) model.Method { j.Graph.Params()[0].Const.F32()[0]++; return m },
	} {
		j := modeltest.Job(t, 1)
		j.Save = filepath.Join(t.TempDir(), "checkpoint")
		modeltest.Run(t, &oneshot.GlobalMP{Sparsity: .5}, j)
		k := modeltest.Job(t, 1)
		k.Save, k.Resume = j.Save, true
		m := f(&oneshot.GlobalMP{Sparsity: .5}, k)
		if _, err := model.Run(context.Background(), m, k); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("another %s: %v", name, err)
		}
	}
}

// Trainings of a series have checkpoints of their own, progress counts through, and
// steps that were not planned are added.
func TestSeries(t *testing.T) {
	j := modeltest.Job(t, 1)
	j.Save = filepath.Join(t.TempDir(), "checkpoint")
	var last, total int
	j.OnStep = func(step, all int, _ float64) {
		if step != last+1 || all < step {
			t.Fatalf("step %d of %d follows on %d", step, all, last)
		}
		last, total = step, all
	}
	runs := j.NewSeries(2)
	long := *j
	long.Recipe.Epochs = 2
	for i, k := range []*model.Job{j, &long} {
		es, err := runs.Fit(context.Background(), k, j.Graph)
		if err != nil || len(es) != i+1 {
			t.Fatalf("%d epochs, %v", len(es), err)
		}
	}
	if last != 60 || total != 60 {
		t.Errorf("%d steps of %d, want 60", last, total)
	}
	if left, _ := filepath.Glob(j.Save + "*"); !slices.Equal(left, []string{j.Save + ".1", j.Save + ".2"}) {
		t.Errorf("checkpoints %v", left)
	}
	j.Clean()
	if left, _ := filepath.Glob(j.Save + "*"); left != nil {
		t.Errorf("left behind: %v", left)
	}
}

// Epochs of further trainings are counted on.
func TestAdd(t *testing.T) {
	r := &model.Result{}
	r.Add([]train.Epoch{{Epoch: 1, Loss: 4}, {Epoch: 2, Loss: 3}})
	r.Add(nil)
	r.Add([]train.Epoch{{Epoch: 1, Loss: 2}})
	if want := []train.Epoch{{Epoch: 1, Loss: 4}, {Epoch: 2, Loss: 3}, {Epoch: 3, Loss: 2}}; !slices.Equal(r.Epochs, want) {
		t.Errorf("%v", r.Epochs)
	}
}

// Layers of which nothing is left are named; a note calls fields by who shows it.
func TestWarnCollapse(t *testing.T) {
	ws, err := prune.Weights(modeltest.Job(t, 0).Graph, prune.Scope{})
	if err != nil {
		t.Fatal(err)
	}
	r := &model.Result{Masks: prune.Dense(ws)}
	r.WarnCollapse()
	if r.Notes != nil {
		t.Errorf("%q", r.Notes)
	}
	r.Masks.Mask[1] = prune.NewMask(ws[1].Len(), false)
	r.WarnCollapse()
	if len(r.Notes) != 1 || !strings.Contains(fmt.Sprint(r.Notes[0]), "nothing is left of "+ws[1].Name) || !strings.HasSuffix(fmt.Sprint(r.Notes[0]), "with Exclude") ||
		!strings.HasSuffix(r.Notes[0].With(func(f string) string { return "--" + strings.ToLower(f) }), "with --exclude") {
		t.Errorf("%q", r.Notes)
	}
}

// What a method refuses of its settings, of the job and of the network is refused
// before any work.
func TestRunRefuses(t *testing.T) {
	m := oneshot.NewGlobalMP()
	m.Sparsity = 1
	modeltest.Refused(t, m, modeltest.Job(t, 0), "method global-mp: Sparsity 1: a number in [0,1) is needed")
	j := modeltest.Job(t, 1)
	j.Recipe.Batch = 401
	modeltest.Refused(t, oneshot.NewGlobalMP(), j, "Recipe.Batch")
	modeltest.Refused(t, gradual.NewGMP(), modeltest.Job(t, 0), "give Data and Recipe.Epochs")
}
