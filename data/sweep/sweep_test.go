package sweep

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pare/data/coreset"
	"pare/dataset"
	"pare/engine"
	"pare/graph"
	"pare/measure"
	"pare/model"
	"pare/train"
	"pare/zoo"
)

func TestEntries(t *testing.T) {
	e, err := ParseEntry("ccs:cutoff=0.1:strata=7@el2n:window=5")
	if err != nil || e.fixed {
		t.Fatal(err)
	}
	if m, err := e.method("0.3"); err != nil || m.(*coreset.CCS).Keep != .3 || m.(*coreset.CCS).Cutoff != .1 || m.(*coreset.CCS).Strata != 7 {
		t.Errorf("%+v, %v", m, err)
	}
	if e, err = ParseEntry("rank:keep=0.2"); err != nil || !e.fixed || e.scorer != "aum" {
		t.Errorf("%+v, %v", e, err)
	}
	if e, err = ParseEntry("herding:samples=20"); err != nil || !e.fixed || e.scorer != "" {
		t.Errorf("%+v, %v", e, err)
	}
	for text, want := range map[string]string{"nosuch": "no method", "aum": "rank@aum", "rank@ccs": "gives no scores", "rank@nosuch": "no method", "rank@": "no method", "rs2@aum": "by no score",
		"label-mapping": "another task", "ccs:cutoff=auto": "no pilot", "ccs:nosuch=1": "no setting", "ccs:keep=2": "keep", "rank@el2n:window=x": "whole number"} {
		if _, err := ParseEntry(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want something with %q", text, err, want)
		}
	}
	for _, ss := range [][]string{{"0"}, {"1.1"}, {"x"}, {"NaN"}, {"0.1", ".10"}} {
		if _, err := Cells([]*Entry{e}, ss, 1); err == nil {
			t.Errorf("shares %q were accepted", ss)
		}
	}
	cells, err := Cells([]*Entry{e}, []string{"0.1", "0.5"}, 2)
	if err != nil || len(cells) != 8 || cells[0].Label != All || cells[1].Label != Random || cells[2].Keep != "0.5" || cells[3].Keep != "" || cells[4].Seed != 2 {
		t.Errorf("%+v, %v", cells, err)
	}
}

// Random samples are there once, whatever other draws are compared.
func TestRandomIsThere(t *testing.T) {
	for text, want := range map[string]int{"random-subset": 2, "random-subset:stratified=true": 3, "rs2": 3} {
		e, err := ParseEntry(text)
		if err != nil {
			t.Fatal(err)
		}
		cells, err := Cells([]*Entry{e}, []string{"0.5"}, 1)
		if err != nil || len(cells) != want || cells[1].Label != Random {
			t.Errorf("%s: %+v, %v", text, cells, err)
		}
	}
}

// sweepOf is a sweep on the digits.
func sweepOf(t *testing.T, dir string, shares []string, seeds int, texts ...string) *Sweep {
	t.Helper()
	d, err := dataset.Open("digits?n=320&test_n=100")
	if err != nil {
		t.Fatal(err)
	}
	var es []*Entry
	for _, x := range texts {
		e, err := ParseEntry(x)
		if err != nil {
			t.Fatal(err)
		}
		es = append(es, e)
	}
	cells, err := Cells(es, shares, seeds)
	if err != nil {
		t.Fatal(err)
	}
	r := model.Defaults()
	r.Epochs, r.Batch, r.LR, r.Clip = 6, 16, .05, 0
	s := &Sweep{Dir: dir, Networks: map[uint64]*graph.Graph{}, Data: d, Recipe: r, Cells: cells, Equal: Epochs, Engine: engine.Options{Threads: 1}}
	for seed := uint64(1); seed <= uint64(seeds); seed++ {
		if s.Networks[seed], err = zoo.New("mlp:64-12-10", zoo.Options{In: []int{1, 8, 8}, Seed: seed}); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func done(t *testing.T, s *Sweep) []*Outcome {
	t.Helper()
	outs, err := s.Run(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return outs
}

// timeless are outcomes as the file has them, without what a clock says.
func timeless(t *testing.T, outs []*Outcome) (out []string) {
	t.Helper()
	for _, o := range outs {
		c := *o
		c.Course = slices.Clone(o.Course)
		for i := range c.Course {
			c.Course[i].Seconds = 0
		}
		c.Selection, c.Before = 0, 0
		b, err := json.Marshal(&c)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, string(b))
	}
	return out
}

var every = []string{"rs2", "ccs:cutoff=0.1", "rank@grand", "rank:end=easy@prototypes", "herding", "k-centre:keep=0.2"}

// All methods are run, choose by the training on all samples, are charged for it, and are
// made once; the next sweep makes what is missing.
func TestSweep(t *testing.T) {
	dir := t.TempDir()
	outs := done(t, sweepOf(t, dir, []string{"0.25", "0.5"}, 1, every...))
	all := outs[0]
	if len(outs) != 1+2*6+1 || all.Label != All || all.Samples != 320 || all.Epochs != 6 || all.last().Step != 120 || len(all.Course) != 6 || all.Score.Value != all.last().Score || all.Score.Value < .5 {
		t.Fatalf("%+v", all)
	}
	for _, o := range outs[1:] {
		share := map[string]int{"0.25": 80, "0.5": 160, "": 64}[o.Keep]
		if o.Error != "" || o.Samples != share || o.last().Step != 6*(share/16) || o.Rate != .05 {
			t.Errorf("%s %s: %+v", o.Label, o.Keep, o)
		}
		if free := o.Label == "rs2" || o.Label == Random; free != (o.Before == 0) || o.Before > 0 && (o.Before != all.last().Seconds || o.Selection <= 0) {
			t.Errorf("%s is charged %v and %v, and all took %v", o.Label, o.Before, o.Selection, all.last().Seconds)
		}
	}
	made := 0
	s := sweepOf(t, dir, []string{"0.25", "0.5"}, 1, every...)
	s.OnRun = func(*Outcome, int, int) { made++ }
	if again := done(t, s); made != 0 || !slices.Equal(timeless(t, outs), timeless(t, again)) {
		t.Errorf("%d runs are made again", made)
	}
	// The log of all samples is gone: it is made again where a choice takes it, and alone.
	if err := os.Remove(filepath.Join(dir, all.Dynamics)); err != nil {
		t.Fatal(err)
	}
	s = sweepOf(t, dir, []string{"0.25", "0.75"}, 1, "rs2", "ccs:cutoff=0.1")
	var labels []string
	s.OnRun = func(o *Outcome, _, _ int) { labels = append(labels, o.Label+o.Keep) }
	done(t, s)
	if want := []string{All, Random + "0.75", "rs20.75", "ccs:cutoff=0.10.75"}; !slices.Equal(labels, want) {
		t.Errorf("made %v, want %v", labels, want)
	}
}

// The bytes do not depend on how many runs are made at a time, nor on whether they were
// stopped.
func TestStopped(t *testing.T) {
	texts := []string{"rs2", "ccs:cutoff=0.1", "rank@prototypes"}
	want := timeless(t, done(t, sweepOf(t, t.TempDir(), []string{"0.25"}, 2, texts...)))
	s := sweepOf(t, t.TempDir(), []string{"0.25"}, 2, texts...)
	s.Jobs = 3
	if got := timeless(t, done(t, s)); !slices.Equal(got, want) {
		t.Error("several runs at a time come to something else")
	}
	dir := t.TempDir()
	for stops := 0; ; stops++ {
		s := sweepOf(t, dir, []string{"0.25"}, 2, texts...)
		ctx, cancel := context.WithCancel(context.Background())
		steps := 0
		s.OnStep = func(float64) {
			if steps++; steps == 70 {
				cancel()
			}
		}
		outs, err := s.Run(ctx)
		cancel()
		if err == nil {
			if stops == 0 {
				t.Error("it was never stopped")
			}
			if got := timeless(t, outs); !slices.Equal(got, want) {
				t.Error("what was stopped comes to something else")
			}
			break
		}
		if !errors.Is(err, context.Canceled) || stops > 50 {
			t.Fatal(err)
		}
	}
	es, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range es {
		if strings.HasSuffix(e.Name(), ".checkpoint") {
			t.Errorf("%s is left", e.Name())
		}
	}
}

// A rate that is found is found once, on all samples: a training of few steps would come to
// the usual one.
func TestRate(t *testing.T) {
	s := sweepOf(t, t.TempDir(), []string{"0.25"}, 1, "rs2")
	s.Recipe.LR, s.Recipe.Epochs = 0, 20
	for _, o := range done(t, s) {
		if o.Rate == .05 || o.Rate <= 0 {
			t.Errorf("%s has rate %v", o.Label, o.Rate)
		}
	}
}

// With as many steps, trainings on few samples have more epochs.
func TestEqualSteps(t *testing.T) {
	s := sweepOf(t, t.TempDir(), []string{"0.25"}, 1, "rs2", "ccs:cutoff=0.1")
	s.Equal = Steps
	outs := done(t, s)
	for _, o := range outs {
		if o.last().Step != 120 || o.Rate != .05 {
			t.Errorf("%s has %d steps at rate %v", o.Label, o.last().Step, o.Rate)
		}
	}
	if outs[1].Epochs != 24 {
		t.Errorf("%d epochs", outs[1].Epochs)
	}
}

// A run that fails is shown and does not end the others; it is made again where that is
// asked for.
func TestFailed(t *testing.T) {
	dir := t.TempDir()
	make1 := func() *Sweep { return sweepOf(t, dir, []string{"0.25"}, 1, "rank@el2n:window=50", "rs2") }
	outs := done(t, make1())
	if outs[2].Error == "" || !strings.Contains(outs[2].Error, "window") || outs[3].Error != "" {
		t.Fatalf("%+v", outs[2])
	}
	made := 0
	s := make1()
	s.Retry, s.OnRun = true, func(*Outcome, int, int) { made++ }
	if done(t, s); made != 1 {
		t.Errorf("%d runs are made again", made)
	}
	rows := Summarise(outs, []float64{.9})
	if r := rows[2]; r.Failed != 1 || r.Seeds != 0 {
		t.Errorf("%+v", r)
	}
	if p := s.Page("net", &measure.Origin{}, rows, outs); len(p.Sections) < 3 || p.Sections[2].Heading != "What failed" {
		t.Errorf("%+v", p.Sections)
	}
}

// The score that samples are chosen by, and its settings, make another run of it.
func TestScores(t *testing.T) {
	outs := done(t, sweepOf(t, t.TempDir(), []string{"0.25"}, 1, "rank@aum", "rank@el2n:window=2", "rank@el2n:window=5"))
	keys := map[string]bool{}
	for _, o := range outs {
		keys[o.Key] = true
	}
	if len(keys) != 5 || outs[3].last() == outs[4].last() {
		t.Errorf("%d keys", len(keys))
	}
}

func TestRefused(t *testing.T) {
	for _, c := range []struct {
		what func(s *Sweep)
		says string
	}{
		{func(s *Sweep) { s.Recipe.Epochs = 0 }, "Epochs"},
		{func(s *Sweep) { s.Recipe.Keep = "best" }, "Keep"},
		{func(s *Sweep) { s.Recipe.Sampler = "rs2:0.1" }, "Sampler"},
		{func(s *Sweep) { s.Equal = "nosuch" }, "Equal"},
		{func(s *Sweep) { s.Data = &dataset.Data{Train: s.Data.Train, Norm: s.Data.Norm} }, "test set"},
		{func(s *Sweep) { s.Data = &dataset.Data{Test: s.Data.Test} }, "training set"},
		{func(s *Sweep) { s.Recipe.Batch = 128 }, "fewer than a batch"},
		{func(s *Sweep) { s.Cells = append(s.Cells, s.Cells[1]) }, "same run"},
	} {
		s := sweepOf(t, t.TempDir(), []string{"0.25"}, 1, "rs2")
		c.what(s)
		if _, err := s.Run(context.Background()); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("want %q, got %v", c.says, err)
		}
	}
	s := sweepOf(t, t.TempDir(), []string{"0.95"}, 1, "ccs:cutoff=0.1")
	if err := s.Check(); err == nil || !strings.Contains(err.Error(), "Cutoff") {
		t.Error(err)
	}
}

// When a share of the score of all samples is reached, by hand: of each seed against its
// own, with what was spent before, and only where it is.
func TestReach(t *testing.T) {
	score := func(x float64) train.Score { return train.Score{Metric: "accuracy", Unit: "%", Higher: true, Value: x} }
	outs := []*Outcome{
		{Cell: Cell{Label: All, Seed: 1}, Score: score(.8), Course: []Point{{10, 1, .5}, {20, 2, .75}, {30, 3, .8}}, Samples: 100},
		{Cell: Cell{Label: "m", Keep: "0.5", Seed: 1}, Score: score(.74), Course: []Point{{5, .5, .4}, {10, 1, .73}, {15, 1.5, .74}}, Before: 3, Selection: .25, Samples: 50},
		{Cell: Cell{Label: All, Seed: 2}, Score: score(.9), Course: []Point{{10, 1, .85}, {20, 2, .9}, {30, 4, .9}}, Samples: 100},
		{Cell: Cell{Label: "m", Keep: "0.5", Seed: 2}, Score: score(.76), Course: []Point{{5, .5, .7}, {10, 1, .75}, {15, 1.5, .76}}, Before: 4, Selection: .75, Samples: 50},
	}
	rows := Summarise(outs, []float64{.9, .5})
	m := rows[1] // .9 of .8 is .72: seed 1 at step 10; .9 of .9 is .81: seed 2 never
	if x := m.Reach[0]; x.Seeds != 1 || x.Steps != 10 || x.Seconds != 4.25 || x.Ratio != 4.25/2 {
		t.Errorf("%+v", x)
	}
	// Half: .4 and .45, both at step 5, after 3.75 and 5.25 s; all after 1 s each.
	if x := m.Reach[1]; x.Seeds != 2 || x.Steps != 5 || x.Seconds != 4.5 || x.Ratio != 4.5 {
		t.Errorf("%+v", x)
	}
	if m.Seeds != 2 || math.Abs(m.Score.Value-.75) > 1e-12 || math.Abs(m.Spread-.02/math.Sqrt2) > 1e-12 || m.Samples != 50 || m.Steps != 15 || m.Epoch != .5 || m.Training != 1.5 || m.Selection != 4 {
		t.Errorf("%+v", m)
	}
	if p := m.Course[1]; p.Step != 10 || p.Seconds != 5 || math.Abs(p.Score-.74) > 1e-12 {
		t.Errorf("%+v", p)
	}
	low := *outs[0]
	low.Score = train.Score{Metric: "loss", Value: .3}
	if r := Summarise([]*Outcome{&low}, []float64{.9}); r[0].Reach != nil {
		t.Errorf("a share of a loss is reached: %+v", r[0].Reach)
	}
}

// What is said against random samples looks at the seeds' spread.
func TestAgainst(t *testing.T) {
	of := func(label string, x, sd float64) *Row {
		return &Row{Label: label, Keep: "0.1", Seeds: 3, Spread: sd, Score: train.Score{Metric: "accuracy", Unit: "%", Higher: true, Value: x}}
	}
	got := against([]*Row{of(Random, .5, .01), of("a", .525, .01), of("b", .515, .01), of("c", .4, 0)})
	if len(got) != 1 || !strings.HasSuffix(got[0], "apart: a.") {
		t.Errorf("%q", got)
	}
	if got = against([]*Row{of(Random, .5, .01), of("b", .515, .01)}); !strings.Contains(got[0], "no method") {
		t.Errorf("%q", got)
	}
}

// A clock counts steps and not the judging, and goes on from its state.
func TestClock(t *testing.T) {
	at := time.Unix(0, 0)
	k := &clock{now: func() time.Time { return at }}
	pass := func(f func() error, after time.Duration) {
		at = at.Add(after)
		if err := f(); err != nil {
			t.Fatal(err)
		}
	}
	before, step := func() error { return k.BeforeStep(nil) }, func() error { return k.AfterStep(nil) }
	epoch := func() error { return k.AfterEpoch(nil, train.Epoch{Step: 2, Score: train.Score{Value: .5}}) }
	pass(before, 50*time.Second) // nothing has begun
	pass(step, time.Second)
	pass(before, time.Second) // a wait for samples
	pass(step, time.Second)
	pass(epoch, 30*time.Second) // judging
	b, err := k.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	pass(before, 0)
	if pass(step, time.Second); k.Spent != 4 {
		t.Errorf("%+v", k)
	}
	k = &clock{now: k.now}
	if err := k.UnmarshalBinary(b); err != nil {
		t.Fatal(err)
	}
	pass(before, 900*time.Second) // it was stopped
	pass(step, 2*time.Second)
	if k.Spent != 5 || len(k.Course) != 1 || k.Course[0] != (Point{2, 3, .5}) {
		t.Errorf("%+v", k)
	}
}
