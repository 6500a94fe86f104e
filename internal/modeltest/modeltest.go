// Package modeltest is what the tests of the families of methods share: a small job,
// hooks that look on, and the demand that a run which was stopped and resumed comes to
// the same.
package modeltest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pare/dataset"
	"pare/engine"
	"pare/graph"
	"pare/model"
	"pare/train"
	"pare/zoo"
)

// Job is a job on a linear network of two layers, of 1280 and 200 weights, and 400
// images: 20 steps an epoch.
func Job(t testing.TB, epochs int) *model.Job {
	t.Helper()
	return job(t, "mlp:64-20-10", zoo.Options{In: []int{1, 8, 8}, Seed: 1}, 400, epochs)
}

// ConvJob is a job of one epoch of 10 steps on a narrow network of the zoo.
func ConvJob(t testing.TB, name string) *model.Job {
	t.Helper()
	return job(t, name, zoo.Options{In: []int{1, 8, 8}, Seed: 1, Width: .5}, 200, 1)
}

func job(t testing.TB, name string, o zoo.Options, samples, epochs int) *model.Job {
	t.Helper()
	g, err := zoo.New(name, o)
	if err != nil {
		t.Fatal(err)
	}
	tr, te := dataset.Glyph(2, .4, samples, samples/2, 1)
	return &model.Job{Graph: g, Data: &dataset.Data{Train: tr, Test: te, Norm: dataset.Raw}, Seed: 3, Engine: engine.Options{Threads: 1},
		Recipe: model.Recipe{Epochs: epochs, Batch: 20, LR: .05, Schedule: "cosine", Optimizer: "sgd", Momentum: .9, Decay: 1e-3}}
}

// Run lets a method work, and fails where it does not end well.
func Run(t testing.TB, m model.Method, j *model.Job) *model.Result {
	t.Helper()
	r, err := model.Run(context.Background(), m, j)
	if err != nil {
		t.Fatalf("%s: %v", m.Card().Name, err)
	}
	return r
}

// Refused fails unless a method says no, with a text in its words.
func Refused(t testing.TB, m model.Method, j *model.Job, want string) {
	t.Helper()
	if _, err := model.Run(context.Background(), m, j); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%s: %v, want something with %q", m.Card().Name, err, want)
	}
}

// Bits are the parameters of a network, byte for byte.
func Bits(g *graph.Graph) []byte {
	var out []byte
	for _, p := range g.Params() {
		for _, x := range p.Const.F32() {
			u := math.Float32bits(x)
			out = append(out, byte(u), byte(u>>8), byte(u>>16), byte(u>>24))
		}
	}
	return out
}

// Said are the notes of a result in one text, fields by their own names.
func Said(r *model.Result) string {
	var b strings.Builder
	for _, n := range r.Notes {
		fmt.Fprintln(&b, n)
	}
	return b.String()
}

// Watcher calls a function after every step.
type Watcher struct {
	train.Base
	F func(*train.Run)
}

// AfterStep calls it.
func (w *Watcher) AfterStep(r *train.Run) error { w.F(r); return nil }

// Begun calls a function before the first step of a training.
type Begun struct {
	train.Base
	F func(*train.Run)
}

// Start calls it.
func (w Begun) Start(r *train.Run) error { w.F(r); return nil }

// Resumes runs a job whole, and another that is stopped at some steps, each time
// resumed, on two threads at the end: network, masks, epochs, notes and facts are to
// be the same, and no checkpoint is to be left. total is the number of steps that
// progress is to be told of (0: not looked at). It gives what the whole run came to.
func Resumes(t *testing.T, name string, mk func() (model.Method, *model.Job), total int, stops ...int) *model.Result {
	t.Helper()
	m, j := mk()
	whole, err := model.Run(context.Background(), m, j)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	save := filepath.Join(t.TempDir(), "checkpoint")
	for _, stop := range stops {
		m, j := mk()
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
		if _, err := model.Run(ctx, m, j); !errors.Is(err, train.ErrInterrupted) {
			t.Fatalf("%s, stopped at %d: %v", name, stop, err)
		}
		cancel()
	}
	m, j = mk()
	j.Save, j.Resume, j.Engine.Threads = save, true, 2
	r, err := model.Run(context.Background(), m, j)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	switch {
	case !bytes.Equal(Bits(whole.Graph), Bits(r.Graph)):
		t.Errorf("%s: the resumed run's network differs", name)
	case whole.Masks != nil && whole.Masks.Hash() != r.Masks.Hash():
		t.Errorf("%s: the resumed run's masks differ", name)
	case !slices.Equal(whole.Epochs, r.Epochs):
		t.Errorf("%s: the resumed run's epochs are %v, want %v", name, r.Epochs, whole.Epochs)
	case !slices.Equal(whole.Notes, r.Notes):
		t.Errorf("%s: the resumed run says %q, want %q", name, r.Notes, whole.Notes)
	case facts(t, whole) != facts(t, r):
		t.Errorf("%s: the resumed run found %s, want %s", name, facts(t, r), facts(t, whole))
	}
	j.Clean()
	if left, _ := filepath.Glob(save + "*"); left != nil {
		t.Errorf("%s: left behind: %v", name, left)
	}
	return whole
}

// facts are the facts of a result as JSON, which is to read back as it was written.
func facts(t *testing.T, r *model.Result) string {
	t.Helper()
	if r.Facts == nil {
		return ""
	}
	b, err := json.Marshal(r.Facts)
	if err != nil {
		t.Fatalf("facts %+v: %v", r.Facts, err)
	}
	again := reflect.New(reflect.TypeOf(r.Facts).Elem()).Interface()
	if err := json.Unmarshal(b, again); err != nil {
		t.Fatalf("facts %s: %v", b, err)
	}
	if c, err := json.Marshal(again); err != nil || !bytes.Equal(b, c) {
		t.Errorf("facts %s read back as %s (%v)", b, c, err)
	}
	return string(b)
}
