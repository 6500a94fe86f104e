package model_test

import (
	"context"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pare/catalog"
	"pare/internal/modeltest"
	"pare/model"
	"pare/model/gradual"
	"pare/model/oneshot"
	"pare/prune"
	"pare/train"
)

// A checkpoint is refused where any fact differs that the bytes depend on, and the fact
// is named; it is taken where none does. One line a fact: a fact without one fails.
func TestResumeOther(t *testing.T) {
	type change struct {
		fact string
		f    func(m *oneshot.GlobalMP, j *model.Job) model.Method
	}
	job := func(f func(j *model.Job)) func(*oneshot.GlobalMP, *model.Job) model.Method {
		return func(m *oneshot.GlobalMP, j *model.Job) model.Method { f(j); return m }
	}
	teacher := func(f func(l *train.Loss)) func(*oneshot.GlobalMP, *model.Job) model.Method {
		return job(func(j *model.Job) {
			g, _ := j.Graph.Clone(true)
			j.Loss = train.Loss{Teacher: g, Alpha: .5, T: 2}
			f(&j.Loss)
		})
	}
	changes := []change{
		{"method=", func(*oneshot.GlobalMP, *model.Job) model.Method { return &oneshot.LAMP{Sparsity: .5} }},
		{"sparsity=", func(m *oneshot.GlobalMP, j *model.Job) model.Method { m.Sparsity = .6; return m }},
		{"seed=", job(func(j *model.Job) { j.Seed = 4 })},
		{"order=", job(func(j *model.Job) { j.Order = 4 })},
		{"training data=", job(func(j *model.Job) { j.Data.Train = j.Data.Train.First(399) })},
		{"training data=", job(func(j *model.Job) {
			s := *j.Data.Train
			s.Fields = slices.Clone(s.Fields)
			y := *s.Fields[1]
			y.Ints = slices.Clone(y.Ints)
			y.Ints[3]++
			s.Fields[1] = &y
			j.Data.Train = &s
		})},
		{"held-out data=", job(func(j *model.Job) { j.Data.Val = j.Data.Train })},
		{"held-out data=", job(func(j *model.Job) { j.Data.Test = j.Data.Test.First(10) })},
		{"normalisation=", job(func(j *model.Job) { j.Data.Norm.Scale *= 2 })},
		{"normalisation=", job(func(j *model.Job) { j.Data.Norm.Mean = []float32{.5} })},
		{"teacher=", teacher(func(*train.Loss) {})},
		{"network=", job(func(j *model.Job) { j.Graph.Params()[0].Const.F32()[0]++ })},
		{"network=", job(func(j *model.Job) { j.Graph.Nodes[len(j.Graph.Nodes)-2].Op = "Tanh" })},
		{"network=", job(func(j *model.Job) { j.Graph.Nodes[0].Name = "other" })},
		{"network=", job(func(j *model.Job) { j.Graph.Meta.Producer = "other" })},
	}
	other := map[string]string{"renorm": "off", "on-explosion": "back", "keep-epoch": "last", "schedule": "linear", "optimizer": "nesterov", "loss": "mse", "flip": "true", "momentum": "0.5", "smoothing": "0.1", "epochs": "2", "batch": "25", "sampler": "rs2:0.5", "crop": "1", "recover": "distil", "inner": "on", "metric": "top-k"}
	for _, s := range catalog.Settings(&model.Recipe{}) {
		changes = append(changes, change{s.Name + "=", job(func(j *model.Job) {
			value := other[s.Name]
			if value == "" {
				value = "0.0123"
			}
			if err := catalog.Set(&j.Recipe, s.Name, value); err != nil {
				t.Fatal(err)
			}
		})})
	}
	changes = append(changes, change{"output=", job(func(j *model.Job) { j.Graph.Usage.OutputOf = j.Graph.Outputs[0].Name })})
	begun := modeltest.Job(t, 1)
	begun.Save = filepath.Join(t.TempDir(), "checkpoint")
	modeltest.Run(t, &oneshot.GlobalMP{Sparsity: .5}, begun)
	resume := func(f func(m *oneshot.GlobalMP, j *model.Job) model.Method) error {
		k := modeltest.Job(t, 1)
		k.Save, k.Resume = begun.Save, true
		m := f(&oneshot.GlobalMP{Sparsity: .5}, k)
		_, err := model.Run(context.Background(), m, k)
		return err
	}
	for _, c := range changes {
		if err := resume(c.f); err == nil || !strings.Contains(err.Error(), "begun with "+c.fact) {
			t.Errorf("another %s: %v", c.fact, err)
		}
	}
	for what, f := range map[string]func(j *model.Job){
		"nothing": func(*model.Job) {}, "threads": func(j *model.Job) { j.Engine.Threads = 2 }, "names of data": func(j *model.Job) { j.Data.Spec = "other" },
		"the order that is the seed's": func(j *model.Job) { j.Order = j.Seed }, "more memory": func(j *model.Job) { j.Engine.Most = 1 << 30 },
	} {
		if err := resume(job(f)); err != nil {
			t.Errorf("%s differs: %v", what, err)
		}
	}
	kinds := map[string]bool{"format=": true, "from step=": true} // a constant; a series' own (below)
	for _, c := range changes {
		kinds[c.fact] = true
	}
	m := &oneshot.GlobalMP{Sparsity: .5}
	for _, line := range begun.Facts(m, begun.Graph).Key() {
		name, _, _ := strings.Cut(line, "=")
		if _, err := catalog.Find(m, name); !kinds[name+"="] && err != nil {
			t.Errorf("no test changes %s", name)
		}
	}
	a, b := begun.Facts(nil, begun.Graph), *begun
	b.From = 7
	if slices.Equal(a.Key(), b.Facts(nil, begun.Graph).Key()) {
		t.Error("the step that a training begins at is no fact")
	}
	if c := a.For(m, begun.Seed, a.Network); !slices.Equal(c.Key(), begun.Facts(m, begun.Graph).Key()) {
		t.Error("the facts of a cell are not those of its job")
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

// A training that begins at a step has the steps from there on, at their rates.
func TestFitFrom(t *testing.T) {
	j := modeltest.Job(t, 2)
	j.From, j.Recipe.Schedule = 30, "linear"
	var rates []float64
	es, err := j.Fit(context.Background(), j.Graph, &modeltest.Watcher{F: func(r *train.Run) { rates = append(rates, r.Rate(r.Step-1)/j.Recipe.LR) }})
	if err != nil || len(es) != 1 || es[0].Epoch != 2 {
		t.Fatalf("epochs %+v, %v", es, err)
	}
	if len(rates) != 10 {
		t.Fatalf("%d steps are left, want 10", len(rates))
	}
	for i, got := range rates {
		if want := 1 - float64(30+i)/40; math.Abs(got-want) > 1e-12 {
			t.Errorf("step %d: %v of the rate, want %v", 30+i, got, want)
		}
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
