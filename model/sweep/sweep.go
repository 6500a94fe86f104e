package sweep

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"pare/catalog"
	"pare/dataset"
	"pare/engine"
	"pare/graph"
	"pare/measure"
	"pare/model"
	"pare/onnx"
	"pare/run"
	"pare/train"
)

// Sweep is many runs on the same network, data and recipe.
type Sweep struct {
	Dir      string                  // holds results.jsonl, the networks, and checkpoints of runs under way
	Networks map[uint64]*graph.Graph // the network that each seed begins with
	Data     *dataset.Data
	Recipe   model.Recipe
	Cells    []*Cell
	Jobs     int            // runs at a time, each on one thread where there are several
	Engine   engine.Options // of a run where there is one at a time, and of measurements
	Retry    bool           // runs that failed are made again

	Metrics *run.Metrics // of all trainings, and of each run as it ends; nil: they go nowhere

	LatencyCmd string // measures every network too, see model.ChannelTarget; "": none does

	OnStep func(share float64)             // of all runs, in [0,1]
	OnCell func(o *Outcome, done, all int) // one has ended
	OnTime func(done, all int)             // the time of so many networks is known
	facts  map[*Cell]*Facts
}

// Run makes the runs that are not in the folder's file, then measures how fast
// the networks are, with nothing else running. It gives an outcome for each cell, in
// their order. A run that fails is an outcome too, but not where it is the machine
// that fails (see run.IsFault). Then, and where ctx ends, it returns an error; what has
// ended is kept, and a run under way goes on from its checkpoint. The folder is this
// sweep's meanwhile: another is refused.
func (s *Sweep) Run(ctx context.Context) ([]*Outcome, error) {
	if err := s.prepare(); err != nil {
		return nil, err
	}
	l, release, err := run.LedgerOf(s.Dir, func(o *Outcome) string { return o.Key })
	if err != nil {
		return nil, err
	}
	defer release()
	var todo []*Cell
	for _, c := range s.Cells {
		if o := l.Find(s.facts[c].key()); o == nil || o.Error != "" && s.Retry {
			todo = append(todo, c)
		}
	}
	if s.LatencyCmd != "" && len(todo) > 0 { // that it fails is known before the runs
		if err := model.TryCommand(ctx, s.LatencyCmd, s.Networks[todo[0].Seed]); err != nil {
			return nil, err
		}
	}
	b := &run.Batch[*Cell, Outcome]{Ledger: l, Jobs: s.Jobs, One: s.one, OnStep: s.OnStep, OnRun: s.ended}
	if err := b.Run(ctx, todo); err != nil {
		return nil, err
	}
	out := make([]*Outcome, len(s.Cells))
	for i, c := range s.Cells {
		o := *l.Find(s.facts[c].key())
		o.Cell = *c // another sweep may have named it otherwise
		if err := s.time(ctx, l, &o); err != nil {
			return nil, err
		}
		if out[i] = &o; s.OnTime != nil {
			s.OnTime(i+1, len(out))
		}
	}
	return out, nil
}

// ended notes an outcome, and tells of it.
func (s *Sweep) ended(o *Outcome, done, all int) {
	s.Metrics.Add(o.point())
	if s.OnCell != nil {
		s.OnCell(o, done, all)
	}
}

// Methods are the names of those that a sweep runs, each once.
func (s *Sweep) Methods() (names []string) {
	for _, c := range s.Cells {
		if c.Method != nil && !slices.Contains(names, c.Method.Card().Name) {
			names = append(names, c.Method.Card().Name)
		}
	}
	return names
}

// prepare computes the facts of all cells.
func (s *Sweep) prepare() error {
	measured := s.Data.Eval().Digest()[:16]
	networks := map[*graph.Graph]string{} // seeds may share a network
	s.facts = map[*Cell]*Facts{}
	by := map[string]*Cell{}
	var all *model.Facts // what all cells have in common is looked at once
	for _, c := range s.Cells {
		g := s.Networks[c.Seed]
		if networks[g] == "" {
			networks[g] = run.Digest(g)
		}
		if all == nil {
			all = s.job(c).Facts(nil, g)
		}
		f := &Facts{Facts: *all.For(c.Method, c.Seed, networks[g]), Measured: measured}
		if o := by[f.key()]; o != nil {
			return fmt.Errorf("%q and %q are the same run at sparsity %q: leave one out", o.Label, c.Label, c.Target)
		}
		by[f.key()], s.facts[c] = c, f
	}
	return nil
}

// one makes a run. Only what ends the sweep is an error: a run that fails is an
// outcome.
func (s *Sweep) one(ctx context.Context, c *Cell, progress func(float64)) (*Outcome, error) {
	f := s.facts[c]
	o := &Outcome{Key: f.key(), Cell: *c, Facts: *f}
	start := time.Now()
	j := s.job(c)
	j.Graph, _ = s.Networks[c.Seed].Clone(true)
	j.Save, j.Resume = filepath.Join(s.Dir, o.Key+".checkpoint"), true
	j.Record = s.Metrics.Watcher(c.name(), true)
	j.OnStep = func(step, total int, _ float64) { progress(float64(step) / float64(max(1, total))) }
	g, err := s.cut(ctx, c, j, o)
	if err == nil {
		var m train.Metrics
		if m, err = measure.Metrics(ctx, g, s.Data, s.judge(c), j.Engine); err == nil {
			o.Score, o.Loss = m.Main(), m.Loss
			o.warn(&m, s.Data.Eval())
			o.Size, _, err = measure.Of(g)
		}
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	o.Seconds = time.Since(start).Seconds()
	if run.IsFault(err) {
		return nil, fmt.Errorf("%s %s seed %d: %w", c.Label, c.Target, c.Seed, err)
	}
	if err != nil {
		return &Outcome{Key: o.Key, Cell: o.Cell, Facts: o.Facts, Seconds: o.Seconds, Error: catalog.Rename(err, c.setting)}, nil
	}
	o.File = c.file() + "-" + o.Key[:8] + ".pare"
	if err := onnx.WriteSparse(filepath.Join(s.Dir, o.File), g, false); err != nil {
		return nil, err
	}
	j.Clean()
	return o, nil
}

// judge is how the runs of a cell are judged: by the recipe's loss and metric, fidelity
// against the network before.
func (s *Sweep) judge(c *Cell) train.Judge {
	j := s.job(c)
	j.Dense = s.Networks[c.Seed]
	return j.Judge()
}

// job is what a cell's method works on, but for network and checkpoint. It does not
// see the test set.
func (s *Sweep) job(c *Cell) *model.Job {
	e := s.Engine
	if s.Jobs > 1 {
		e.Threads = 1
	}
	return &model.Job{Data: &dataset.Data{Spec: s.Data.Spec, Train: s.Data.Train, Val: s.Data.Val, Norm: s.Data.Norm, NormName: s.Data.NormName},
		Recipe: s.Recipe, Seed: c.Seed, Engine: e}
}

// cut runs the method, or trains the dense network. A method that panics fails.
func (s *Sweep) cut(ctx context.Context, c *Cell, j *model.Job, o *Outcome) (g *graph.Graph, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = run.Panicked(r)
		}
	}()
	if c.Method == nil {
		r, err := j.Train(ctx)
		return o.made(c, r, err)
	}
	r, err := model.Run(ctx, c.Method, j)
	return o.made(c, r, err)
}

// made notes what a training came to.
func (o *Outcome) made(c *Cell, r *model.Result, err error) (*graph.Graph, error) {
	if err != nil {
		return nil, err
	}
	o.Epochs, o.Course = len(r.Epochs), r.Course
	for _, n := range r.Notes {
		o.Notes = append(o.Notes, n.With(c.setting))
	}
	return r.Graph, nil
}

// warn notes what is wrong with what was trained.
func (o *Outcome) warn(m *train.Metrics, set *dataset.Set) {
	for _, w := range []string{measure.Chance(m, set), o.Course.Warning()} {
		if w != "" && o.Epochs > 0 {
			o.Warnings = append(o.Warnings, w)
		}
	}
}

// name names a cell among those of its sweep.
func (c *Cell) name() string {
	return strings.ReplaceAll(fmt.Sprintf("%s %s seed %d", c.Label, c.Target, c.Seed), "  ", " ")
}

// point is what an outcome adds to the metrics: what the network was found to be.
func (o *Outcome) point() *run.Point {
	p := &run.Point{Time: time.Now(), Of: o.name(), Training: 0}
	if o.Error == "" {
		p.Values = []run.Value{{Name: "final_loss", X: o.Loss}, {Name: "final_" + o.Score.Metric, X: o.Score.Value}, {Name: "final_sparsity", X: o.Size.Sparsity()}, {Name: "seconds", X: o.Seconds}}
	}
	return p
}

// file names a cell's network: letters, digits and .=- of what it is.
func (c *Cell) file() string {
	name := c.Label
	if c.Target != "" {
		name += "-" + c.Target
	}
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '=' || r == '-' {
			return r
		}
		return '_'
	}, fmt.Sprintf("%.80s-seed%d", name, c.Seed))
}
