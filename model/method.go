// Package model pares networks. A Method is a published way to do so: a pointer to
// its settings, which describes itself by a Card and works on a Job. The methods are
// in the packages below this one, by family; this package names none of them.
//
//	m := oneshot.NewGlobalMP()
//	m.Sparsity = 0.8
//	res, err := model.Run(ctx, m, &model.Job{Graph: g, Data: data, Recipe: recipe, Seed: 1})
package model

import (
	"context"
	"fmt"
	"slices"

	"pare/catalog"
	"pare/dataset"
	"pare/engine"
	"pare/graph"
	"pare/internal/printable"
	"pare/measure"
	"pare/prune"
	"pare/prune/calibrate"
	"pare/prune/structure"
	"pare/train"
)

// Method is a published method: a pointer to a struct of its settings (see
// catalog.Settings).
type Method interface {
	Card() *catalog.Card
	Run(ctx context.Context, j *Job) (*Result, error)
}

// Job is what a method works on.
type Job struct {
	Graph  *graph.Graph // prepared (see Prepare); methods change it
	Data   *dataset.Data
	Recipe Recipe
	Order  uint64       // seed of the order and augmentation of samples; 0: Seed
	From   int          // optimiser steps regarded as done: the schedule and the data go on there
	Until  int          // the step that a training ends at, on the schedule of the whole; 0: the last one
	Loss   train.Loss   // beside the recipe's smoothing: a teacher to distil from
	Dense  *graph.Graph // the network before, which fidelity is measured by; nil: a copy of Graph, where there are no labels
	Seed   uint64
	Engine engine.Options

	// Samples are what runs through the network where a method looks at what goes into
	// layers: batches for any inputs, without labels. nil: those of Data's training set.
	Samples  calibrate.Batches
	Together int // samples that run at once there, at most; 0: 64. The network's batch is free

	// MaxDrop is how much worse than Graph the network may be, in the units of the metric,
	// after the training behind each cut, for methods that cut in steps (see Cutter): the cut
	// that loses more is taken back, and is the last. It is judged on the validation set. nil:
	// nothing is asked for.
	MaxDrop *float64

	// Watch looks on in a training by the recipe alone (see Train); methods have hooks of
	// their own.
	Watch []train.Hook

	// Record gives what looks on in a training, by its checkpoint, whatever the method; see
	// run.Metrics. It may be nil.
	Record func(save string) []train.Hook

	Save   string // checkpoint, "" for none
	Resume bool
	Log    func(format string, a ...any)
	OnStep func(step, total int, loss float64)
	Epoch  func(train.Epoch)

	whole   *graph.Graph             // the network before, where what is cut is to be solved
	solved  *Result                  // the notes of that, once it was done
	implied bool                     // nobody asked for that but the distillation
	course  *measure.Course          // of the training under way; nil: nobody asks
	method  Method                   // whose settings a checkpoint belongs to
	tried   bool                     // the cut is made to be looked at, before a training that is to follow
	fold    func(*graph.Graph) error // folds what was put in for the training again; nil: nothing was
}

// Result is what came out.
type Result struct {
	Graph  *graph.Graph
	Masks  *prune.Masks    // of methods that cut single weights
	Kept   structure.Kept  // of methods that cut channels: which positions of the values stay; nil: all
	Epochs []train.Epoch   // of the training, if any
	Front  *Front          // of methods that find several networks; nil: there is one
	Course *measure.Course // what it decided by itself; nil where it was none, or the method's own
	Notes  []catalog.Text  // what the user should know, for people
	Facts  any             // what the method found out, for machines: a type of its own that JSON writes and reads back
}

// Run validates a method's settings and the job, and lets the method work.
func Run(ctx context.Context, m Method, j *Job) (*Result, error) {
	if err := catalog.Validate(m); err != nil {
		return nil, fmt.Errorf("method %s: %w", m.Card().Name, err)
	}
	if err := j.Check(); err != nil {
		return nil, err
	}
	k := *j
	k.method = m
	k.sizeBatch()
	notes, err := k.settle()
	if err != nil {
		return nil, err
	}
	notes = append(notes, k.noteTrained(m)...)
	if k.Dense == nil && k.Steps() > 0 && k.Loss.Teacher == nil {
		if distils, err := k.distils(); err != nil {
			return nil, err
		} else if distils {
			k.Dense, _ = j.Graph.Clone(true)
		}
	}
	if d, ok := m.(Drives); ok && d.Drives() {
		k.Recipe = k.Recipe.plain()
	} else {
		k.course = &measure.Course{}
	}
	if err := k.holdOut(); err != nil {
		return nil, err
	}
	var left []prune.Skip
	if s, ok := m.(interface{ Scope() prune.Scope }); ok {
		left = prune.Skipped(j.Graph, s.Scope())
	}
	if err := k.beforeSolve(); err != nil {
		return nil, err
	}
	work := func() (*Result, error) {
		res, err := m.Run(ctx, &k)
		if err != nil {
			return res, err
		}
		return res, k.afterWork(ctx, res)
	}
	f, keeps := m.(AsIs)
	var res *Result
	if keeps && f.AsIs() {
		res, err = work()
	} else {
		res, err = k.renormalised(ctx, work)
	}
	if res != nil {
		res.Notes = append(notes, res.Notes...)
		res.took(k.course)
		res.NoteLeft(slices.DeleteFunc(left, func(s prune.Skip) bool { return res.Kept[s.Name] != nil })) // integers whose channels were cut
	}
	return res, err
}

// took keeps the course of a training, if there was one.
func (r *Result) took(c *measure.Course) {
	if c != nil && c.Epochs > 0 {
		r.Course = c
	}
}

// NoteLeft says what weights a method left whole, and why: a line for each reason.
func (r *Result) NoteLeft(left []prune.Skip) {
	var reasons []string
	by := map[string][]prune.Skip{}
	for _, s := range left {
		if by[s.Why] == nil {
			reasons = append(reasons, s.Why)
		}
		by[s.Why] = append(by[s.Why], s)
	}
	for _, why := range reasons {
		n, names := 0, []string{}
		for _, s := range by[why] {
			n, names = n+s.Len, append(names, s.Name)
		}
		r.Note("%d weights are left whole: %s %s", n, printable.Few(names), why)
	}
}

// AsIs is a Method that may need the network as the file has it, because it leaves the
// weights alone or reads them from somewhere else: then nothing is put into the network
// for the training (see Recipe.Renorm).
type AsIs interface{ AsIs() bool }

// Note adds a sentence for people; fields of settings stand in it as {Field}.
func (r *Result) Note(format string, a ...any) {
	r.Notes = append(r.Notes, catalog.Text(fmt.Sprintf(format, a...)))
}

// Add appends the epochs of a further training, counted on from those before.
func (r *Result) Add(epochs []train.Epoch) {
	before := 0
	if n := len(r.Epochs); n > 0 {
		before = r.Epochs[n-1].Epoch
	}
	for _, e := range epochs {
		e.Epoch += before
		r.Epochs = append(r.Epochs, e)
	}
}

// WarnCollapse notes layers of which nothing is left.
func (r *Result) WarnCollapse() { r.NoteEmpty(r.Masks.Empty()) }

// NoteEmpty notes layers of which nothing is left.
func (r *Result) NoteEmpty(names []string) {
	for _, name := range names {
		r.Note("nothing is left of %s: the network may be cut in two; cut less, keep a minimum of each layer (setting mt of method global-mp), or leave this one out with {Exclude}", name)
	}
}

// Logf reports progress, if anyone listens.
func (j *Job) Logf(format string, a ...any) {
	if j.Log != nil {
		j.Log(format, a...)
	}
}

// On gives a job like this one on another network.
func (j *Job) On(g *graph.Graph) *Job {
	k := *j
	k.Graph = g
	return &k
}

// otherSeed keeps draws apart that a run makes beside those of its own seed.
const otherSeed = 1 << 32

// OtherSeed is a seed for the i-th further draw of a run, from 1: of a control, or
// another order of the samples.
func (j *Job) OtherSeed(i int) uint64 { return j.Seed + uint64(i)*otherSeed }
