package sweep

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"time"

	"pare/catalog"
	"pare/data"
	"pare/data/coreset"
	"pare/dataset"
	"pare/engine"
	"pare/graph"
	"pare/model"
	"pare/onnx"
	"pare/run"
	"pare/train"
	"pare/train/dynamics"
)

// Equal says what trainings on few samples have in common with that on all.
type Equal string

// Trainings have as many epochs, and so fewer steps, or as many steps.
const (
	Epochs Equal = "epochs"
	Steps  Equal = "steps"
)

// Sweep is many runs of the same network, data and recipe.
type Sweep struct {
	Dir      string                  // holds results.jsonl, the networks that were trained on all, and checkpoints
	Networks map[uint64]*graph.Graph // the network that each seed begins with
	Data     *dataset.Data           // judged on its test or validation set, which trains nothing
	Recipe   model.Recipe
	Cells    []*Cell
	Equal    Equal
	Jobs     int // runs at a time; the times of several disturb each other
	Engine   engine.Options
	Retry    bool // runs that failed are made again

	Metrics *run.Metrics // of all trainings; nil: they go nowhere

	OnStep func(share float64)           // of the runs on all samples, then of the others
	OnRun  func(o *Outcome, done, n int) // one has ended

	facts map[*Cell]*Facts
	full  map[uint64]*known
}

// Check returns an error, before any work, where a run is impossible.
func (s *Sweep) Check() error {
	switch d, r := s.Data, &s.Recipe; {
	case d.Train == nil:
		return catalog.Errorf("{Data} has no training set")
	case d.Test == nil && d.Val == nil:
		return catalog.Errorf("{Data} has no test set that trainings could be judged by: give one with it, or hold one out (?val=0.1)")
	case r.Epochs < 1:
		return catalog.Errorf("{Recipe.Epochs} %d: what is chosen is judged by a training", r.Epochs)
	case r.Keep == "best":
		return catalog.Errorf("{Recipe.Keep} best: epochs are judged by samples that choose nothing here; the last one counts")
	case r.Sampler != "" && r.Sampler != "all":
		return catalog.Errorf("{Recipe.Sampler} %s: samplers are methods here: name rs2 among {Methods}", r.Sampler)
	case s.Equal != Epochs && s.Equal != Steps:
		return catalog.Errorf("{Equal} %q: epochs or steps", s.Equal)
	}
	s.Recipe.Keep = "last"
	if s.Recipe.Batch == model.AutoBatch {
		s.Recipe.Batch = usualBatch
	}
	n := s.Data.Train.Len()
	for _, c := range s.Cells {
		m, err := c.samples(n)
		if err == nil && m < s.Recipe.Batch {
			err = catalog.Errorf("it keeps %d of %d samples, fewer than a batch of %d: keep more, or give a smaller {Recipe.Batch}", m, n, s.Recipe.Batch)
		}
		if !c.free() && data.Classes(s.Data.Train) == nil {
			err = catalog.Errorf("it chooses by a training of classes, and samples of {Data} have not one class each")
		}
		if err != nil {
			return fmt.Errorf("%s: %w", c.name(), err)
		}
	}
	return s.prepare()
}

// usualBatch is that of a recipe that names none.
const usualBatch = 128

// judged is the set that trainings are judged by.
func (s *Sweep) judged() *dataset.Set { return s.Data.Eval() }

// job trains on samples, and is judged by others after each epoch.
func (s *Sweep) job(c *Cell, on *dataset.Set) *model.Job {
	e := s.Engine
	if s.Jobs > 1 {
		e.Threads = 1
	}
	return &model.Job{Data: &dataset.Data{Spec: s.Data.Spec, Train: on, Test: s.judged(), Norm: s.Data.Norm, NormName: s.Data.NormName}, Recipe: s.Recipe, Seed: c.Seed, Engine: e}
}

// prepare computes the facts of all cells.
func (s *Sweep) prepare() error {
	s.facts, s.full = map[*Cell]*Facts{}, map[uint64]*known{}
	networks := map[*graph.Graph]string{} // seeds may share a network
	by := map[string]*Cell{}
	var common *model.Facts // what all cells have in common is looked at once
	for _, c := range s.Cells {
		g := s.Networks[c.Seed]
		if networks[g] == "" {
			networks[g] = run.Digest(g)
		}
		if common == nil {
			common = s.job(c, s.Data.Train).Facts(nil, g)
		}
		f := &Facts{Facts: *common.For(nil, c.Seed, networks[g]), Equal: s.Equal}
		f.of(c)
		if c.Method == nil {
			f.Equal = "" // it is the same for both
			s.full[c.Seed] = &known{cell: c, scores: map[string]*scored{}}
		}
		if o := by[f.key()]; o != nil {
			return fmt.Errorf("%q and %q are the same run with %q kept: leave one out", o.Label, c.Label, c.Keep)
		}
		by[f.key()], s.facts[c] = c, f
	}
	return nil
}

// Run makes the runs that are not in the folder's file: those on all samples, which
// methods choose by, then the others. It gives an outcome for each cell, in their order. A
// run that fails is an outcome too, but not where it is the machine that fails (see
// run.IsFault). Then, and where ctx ends, it returns an error; what has ended is kept, and
// a run under way goes on from its checkpoint. The folder is this sweep's meanwhile.
func (s *Sweep) Run(ctx context.Context) ([]*Outcome, error) {
	if err := s.Check(); err != nil {
		return nil, err
	}
	l, release, err := run.LedgerOf(s.Dir, func(o *Outcome) string { return o.Key })
	if err != nil {
		return nil, err
	}
	defer release()
	first, then := s.todo(l)
	b := &run.Batch[*Cell, Outcome]{Ledger: l, Jobs: s.Jobs, One: s.one, OnStep: s.OnStep, OnRun: s.OnRun}
	if err := b.Run(ctx, first); err != nil {
		return nil, err
	}
	for _, k := range s.full {
		k.outcome = l.Find(s.facts[k.cell].key())
	}
	if err := b.Run(ctx, then); err != nil {
		return nil, err
	}
	out := make([]*Outcome, len(s.Cells))
	for i, c := range s.Cells {
		o := *l.Find(s.facts[c].key())
		o.Cell = *c // another sweep may have named it otherwise
		out[i] = &o
	}
	return out, nil
}

// todo are the runs to make: on all samples, and on some. One on all is made again where
// its files are gone and a choice takes them.
func (s *Sweep) todo(l *run.Ledger[Outcome]) (first, then []*Cell) {
	needed := map[uint64]bool{}
	missing := func(c *Cell) bool {
		o := l.Find(s.facts[c].key())
		return o == nil || o.Error != "" && s.Retry
	}
	for _, c := range s.Cells {
		if c.Method != nil && missing(c) {
			then = append(then, c)
			needed[c.Seed] = needed[c.Seed] || !c.free()
		}
	}
	for _, c := range s.Cells {
		if c.Method != nil {
			continue
		}
		o := l.Find(s.facts[c].key())
		gone := o != nil && o.Error == "" && needed[c.Seed] && !(there(s.Dir, o.Network) && there(s.Dir, o.Dynamics))
		if missing(c) || gone {
			first = append(first, c)
		}
	}
	return first, then
}

func there(dir, name string) bool {
	_, err := os.Stat(filepath.Join(dir, name))
	return name != "" && err == nil
}

// one makes a run. Only what ends the sweep is an error: a run that fails is an outcome.
func (s *Sweep) one(ctx context.Context, c *Cell, progress func(float64)) (*Outcome, error) {
	f := s.facts[c]
	o := &Outcome{Key: f.key(), Cell: *c, Facts: *f}
	err := s.train(ctx, c, o, progress)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if run.IsFault(err) {
		return nil, fmt.Errorf("%s: %w", c.name(), err)
	}
	if err != nil {
		return &Outcome{Key: o.Key, Cell: o.Cell, Facts: o.Facts, Error: catalog.Rename(err, c.setting)}, nil
	}
	return o, nil
}

// setting calls a field as an entry does.
func (c *Cell) setting(field string) string {
	for _, m := range []data.Method{c.Method, c.Scorer} {
		if m != nil {
			if name := catalog.NameOf(m, field); name != field {
				return name
			}
		}
	}
	return model.SettingName(nil, field)
}

// train chooses samples, and trains on them. What panics fails.
func (s *Sweep) train(ctx context.Context, c *Cell, o *Outcome, progress func(float64)) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = run.Panicked(r)
		}
	}()
	set, err := s.choose(ctx, c, o)
	if err != nil {
		return err
	}
	j := s.job(c, set)
	j.Record = s.Metrics.Watcher(c.name(), false)
	if j.Recipe.LR == 0 && c.Method != nil { // found on all samples, once for all
		j.Recipe.LR = s.full[c.Seed].outcome.Rate
	}
	if r, is := c.Method.(*coreset.RS2); is {
		j.Recipe.Sampler = r.Sampler().String()
	}
	steps := stepsOf(j)
	if s.Equal == Steps && c.Method != nil {
		whole := stepsOf(s.job(c, s.Data.Train))
		j.Recipe.Epochs = max(1, int(math.Round(float64(s.Recipe.Epochs*whole)/float64(steps))))
	}
	j.Graph, _ = s.Networks[c.Seed].Clone(true)
	j.Save, j.Resume = filepath.Join(s.Dir, o.Key+".checkpoint"), true
	j.OnStep = func(step, total int, _ float64) { progress(float64(step) / float64(max(1, total))) }
	k := &clock{now: time.Now}
	j.Watch = []train.Hook{k}
	if c.Method == nil && data.Classes(set) != nil {
		o.Dynamics = fmt.Sprintf("all-seed%d-%.8s.dynamics", c.Seed, o.Key)
		r := dynamics.NewRecorder(filepath.Join(s.Dir, o.Dynamics), dynamics.About{Network: run.Digest(j.Graph), Recipe: catalog.Values(&j.Recipe), Seed: c.Seed})
		defer r.Close() //nolint:errcheck // it is synced after each epoch
		j.Watch = append(j.Watch, r)
	}
	res, err := j.Train(ctx)
	if err != nil {
		return err
	}
	o.ended(res, k, c)
	if c.Method == nil {
		o.Network = fmt.Sprintf("all-seed%d-%.8s.pare", c.Seed, o.Key)
		if err := onnx.WriteSparse(filepath.Join(s.Dir, o.Network), res.Graph, false); err != nil {
			return err
		}
	}
	j.Clean()
	return nil
}

// ended notes what a training came to.
func (o *Outcome) ended(res *model.Result, k *clock, c *Cell) {
	o.Epochs, o.Course = len(res.Epochs), k.Course
	o.Score = res.Epochs[len(res.Epochs)-1].Score
	if res.Course != nil {
		o.Rate = res.Course.Rate
		if w := res.Course.Warning(); w != "" {
			o.Warnings = append(o.Warnings, w)
		}
	}
	for _, n := range res.Notes {
		o.Notes = append(o.Notes, n.With(c.setting))
	}
}

// stepsOf are the steps of an epoch.
func stepsOf(j *model.Job) int {
	by, _ := dataset.ParseSampler(j.Recipe.Sampler) // it is made here, or "all"
	return max(1, (&dataset.Loader{Set: j.Data.Train, Size: j.Recipe.Batch, Sampler: by}).Steps())
}
