package sweep

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"pare/catalog"
	"pare/dataset"
	"pare/engine"
	"pare/graph"
	"pare/measure"
	"pare/model"
	"pare/model/all"
	"pare/model/oneshot"
	"pare/model/rewrite"
	"pare/run"
	"pare/train"
	"pare/zoo"
)

func TestEntries(t *testing.T) {
	e, err := ParseEntry("magnitude:pattern=block:2x4:exclude=a*:exclude=b*", all.New)
	if err != nil {
		t.Fatal(err)
	}
	p, err := e.method("0.5")
	if err != nil {
		t.Fatal(err)
	}
	if s := p.(*oneshot.Magnitude); s.Pattern.String() != "block:2x4" || s.Sparsity != .5 || strings.Join(s.Exclude, ",") != "a*,b*" {
		t.Errorf("%+v", s)
	}
	if e, err := ParseEntry("share", all.New); err != nil || e.fixed() {
		t.Error(err)
	} else if p, err := e.method("0.9"); err != nil || p.(*rewrite.Share).Budget != .1 {
		t.Errorf("%+v, %v", p, err)
	}
	for text, fixed := range map[string]bool{"share:budget=0.2": true, "gmp": false, "65": false, "gmp:sparsity=0.7": true, "channels": true, "channels:flops=0.7": true, "channels:params=0.4": true} {
		if e, err := ParseEntry(text, all.New); err != nil || e.fixed() != fixed {
			t.Errorf("%s: %v", text, err)
		}
	}
	for text, want := range map[string]string{"nosuch": "no method", "gmp:nosuch=1": "no setting", "gmp:every=x": "whole number", "gmp:every": "NAME=VALUE", "gmp:every=1:every=2": "twice",
		"magnitude:pattern=nosuch": "neither N:M", "gmp:sparsity=1": "sparsity 1: a number in [0,1)"} {
		if _, err := ParseEntry(text, all.New); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want something with %q", text, err, want)
		}
	}
	for _, ss := range [][]string{{"1"}, {"-0.1"}, {"x"}, {"NaN"}, {"0.9", ".90"}} {
		if _, err := Cells([]*Entry{e}, ss, 1); err == nil {
			t.Errorf("sparsities %q were accepted", ss)
		}
	}
}

// sweep2 is two methods at two sparsities on the digits.
func sweep2(t *testing.T, dir string, texts ...string) *Sweep {
	t.Helper()
	d, err := dataset.Open("digits?n=320&test_n=200")
	if err != nil {
		t.Fatal(err)
	}
	g, err := zoo.New("mlp:64-12-10", zoo.Options{In: []int{1, 8, 8}, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	var es []*Entry
	for _, x := range texts {
		e, err := ParseEntry(x, all.New)
		if err != nil {
			t.Fatal(err)
		}
		es = append(es, e)
	}
	cells, err := Cells(es, []string{"0.5", "0.9"}, 2)
	if err != nil {
		t.Fatal(err)
	}
	return &Sweep{Dir: dir, Networks: map[uint64]*graph.Graph{1: g, 2: g}, Data: d, Cells: cells, Jobs: 2, Engine: engine.Options{Threads: 1},
		Recipe: model.Recipe{Epochs: 2, Batch: 32, LR: .1, Schedule: "cosine", Optimizer: "sgd", Momentum: .9}}
}

// A sweep that is stopped goes on; what has ended is not run again; the outcomes
// are those of a sweep that was not stopped. A method that fails stops no other.
func TestSweep(t *testing.T) {
	methods := []string{"global-mp", "gmp:every=2", "global-mp:mt=60"}
	whole, err := sweep2(t, t.TempDir(), methods...).Run(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(context.Background())
	s := sweep2(t, dir, methods...)
	s.OnCell = func(_ *Outcome, done, _ int) {
		if done == 5 {
			cancel()
		}
	}
	if _, err := s.Run(ctx); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	cancel()
	torn, err := os.OpenFile(filepath.Join(dir, "results.jsonl"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	torn.WriteString(`{"key":"half a li`) //nolint:errcheck // the next run fails then
	torn.Close()
	s = sweep2(t, dir, methods...)
	again := 0
	s.OnCell = func(_ *Outcome, _, all int) { again = all }
	outs, err := s.Run(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if n := len(s.Cells); again == 0 || again > n-5 {
		t.Errorf("%d of %d runs were made after 5 had ended", again, n)
	}
	failed := 0
	for i, o := range outs {
		w := whole[i]
		if o.Score != w.Score || o.Loss != w.Loss || o.Size != w.Size || o.Error != w.Error || o.Key != w.Key {
			t.Errorf("%s %s %d: %+v, uninterrupted %+v", o.Label, o.Target, o.Seed, o, w)
		}
		if o.Error != "" {
			failed++
			if o.Label != methods[2] || !strings.Contains(o.Error, "the minimum kept in each layer") {
				t.Errorf("%s: %s", o.Label, o.Error)
			}
		} else if o.Time == nil || o.Time.Median <= 0 || o.Epochs != 2 {
			t.Errorf("%s: time %v, %d epochs", o.Label, o.Time, o.Epochs)
		}
	}
	if failed != 4 {
		t.Errorf("%d runs failed, want 4", failed)
	}
	s = sweep2(t, dir, methods...)
	s.OnCell = func(o *Outcome, _, _ int) { t.Errorf("%s was run again", o.Label) }
	if _, err := s.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	s, again = sweep2(t, dir, methods...), 0
	s.Retry, s.OnCell = true, func(_ *Outcome, _, all int) { again = all }
	if _, err := s.Run(context.Background()); err != nil || again != 4 {
		t.Errorf("%d runs were made again, %v; 4 had failed", again, err)
	}
	left, _ := filepath.Glob(filepath.Join(dir, "*.checkpoint*"))
	if len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if _, err := sweep2(t, dir, "gmp", "gmp:power=3").Run(context.Background()); err == nil || !strings.Contains(err.Error(), "the same run") {
		t.Errorf("one method by two names: %v", err)
	}
}

func TestSummary(t *testing.T) {
	o := func(label, target string, acc float64, nnz int64, err string) *Outcome {
		return &Outcome{Cell: Cell{Label: label, Target: target}, Score: train.Score{Metric: "accuracy", Unit: "%", Higher: true, Value: acc}, Size: measure.Size{Params: 100, NonZero: nnz, Bytes: 10 * nnz, SparseBytes: 3 * nnz}, Error: err, Time: &measure.Spread{Median: .5, Half: .1}}
	}
	rows := Summarise([]*Outcome{o(Dense, "", .9, 100, ""), o("a", "0.5", .8, 50, ""), o("b", "0.5", .7, 50, ""), o("c", "0.5", 0, 0, "no"), o("a", "0.5", .6, 52, "")})
	if len(rows) != 4 {
		t.Fatalf("%d rows", len(rows))
	}
	a, c := rows[1], rows[3]
	if a.Seeds != 2 || a.Score.Value < .699 || a.Score.Value > .701 || a.Spread < .141 || a.Spread > .142 || a.Kept != 51 || a.ONNX != 510 || a.Bytes != 153 || a.Sparsity != .49 || a.Time != .5 || a.TimeHalf != .1 {
		t.Errorf("%+v", a)
	}
	if !rows[0].Front || a.Front || !rows[2].Front || c.Front || c.Failed != 1 {
		t.Errorf("front: %v %v %v %v", rows[0].Front, a.Front, rows[2].Front, c.Front)
	}
}

// disk is a method on a machine whose disk is full.
type disk struct{ Full *bool }

func (d *disk) Card() *catalog.Card { return &catalog.Card{Name: "disk", Title: "disk"} }

func (d *disk) Run(_ context.Context, j *model.Job) (*model.Result, error) {
	if *d.Full {
		return nil, fmt.Errorf("checkpoint: %w", &fs.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC})
	}
	return &model.Result{Graph: j.Graph}, nil
}

// What the machine fails in ends the sweep and is no outcome: it is tried again. A
// folder that another sweep works in is refused.
func TestFaults(t *testing.T) {
	dir, full := t.TempDir(), true
	s := sweep2(t, dir, "global-mp")
	s.Jobs = 1
	s.Cells = []*Cell{{Label: Dense, Seed: 1}, {Label: "disk", Seed: 1, Method: &disk{&full}}}
	if _, err := s.Run(context.Background()); !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, "results.jsonl"))
	if err != nil || strings.Contains(string(b), "disk") || !strings.Contains(string(b), Dense) {
		t.Errorf("%v: %s", err, b)
	}
	full = false
	outs, err := s.Run(context.Background())
	if err != nil || len(outs) != 2 || outs[1].Error != "" || outs[1].Score.Value == 0 {
		t.Errorf("%v: %+v", err, outs)
	}
	lock, err := run.Take(filepath.Join(dir, "results.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Release()
	var busy *run.BusyError
	if _, err := s.Run(context.Background()); !errors.As(err, &busy) {
		t.Error(err)
	}
}

// Each fact that decides an outcome gives it another key.
func TestFacts(t *testing.T) {
	key := func(f func(s *Sweep)) string {
		s := sweep2(t, t.TempDir(), "global-mp")
		s.Cells = s.Cells[:2]
		f(s)
		if err := s.prepare(); err != nil {
			t.Fatal(err)
		}
		return s.facts[s.Cells[1]].key()
	}
	was := key(func(*Sweep) {})
	if key(func(s *Sweep) { s.Engine.Threads, s.Jobs = 2, 1 }) != was {
		t.Error("threads are a fact")
	}
	for what, f := range map[string]func(s *Sweep){
		"norm": func(s *Sweep) { s.Data.Norm.Scale *= 2 }, "validation": func(s *Sweep) { s.Data.Val = s.Data.Test }, "test": func(s *Sweep) { s.Data.Test = s.Data.Test.First(9) },
		"training": func(s *Sweep) { s.Data.Train = s.Data.Train.First(99) }, "recipe": func(s *Sweep) { s.Recipe.LR /= 2 }, "seed": func(s *Sweep) { s.Cells[1].Seed = 2 },
		"method": func(s *Sweep) { s.Cells[1].Method = oneshot.NewLAMP() }, "setting": func(s *Sweep) { s.Cells[1].Method.(*oneshot.GlobalMP).MT = .3 },
		"network": func(s *Sweep) { s.Networks[1].Nodes[2].Name = "x" },
	} {
		if key(f) == was {
			t.Errorf("another %s is the same run", what)
		}
	}
}
