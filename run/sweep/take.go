package sweep

import (
	"context"
	"fmt"
	"path/filepath"

	"pare/run"
	"pare/run/job"
)

// take notes what a job came to.
func (r *Runner) take(ctx context.Context, e *ended) error {
	if e.err != nil && e.hopeless == "" {
		if ctx.Err() != nil {
			return nil // it was interrupted, and is missing still
		}
		return e.err
	}
	o := r.outcome(e.m)
	if err := r.fill(o, e); err != nil {
		o.Status, o.Why, o.Validation = Failed, err.Error(), None
	}
	delete(r.fresh, o.ID)
	return r.add(o)
}

// outcome is that of a run of which nothing is known.
func (r *Runner) outcome(m *member) *Outcome {
	return &Outcome{ID: m.job.ID, Label: m.Label(len(r.Sweep.Models) > 1), Config: *m.Config, Values: m.varied(r.Sweep), Cell: m.cell, Seed: m.seed, Status: Missing,
		Metric: r.Metric.Name, Validation: None, Test: None, Elapsed: r.elapsed().Seconds()}
}

// fill takes from an end what an outcome says.
func (r *Runner) fill(o *Outcome, e *ended) error {
	d := e.done
	if d == nil { // it was stopped
		o.Status, o.Why, o.Curve = Stopped, e.hopeless, e.curve
		o.Epochs, o.Validation = len(o.Curve), Number(last(o.Curve))
		if was := r.ledger.Find(o.ID); was != nil {
			o.Run = was.Run
		}
		return nil
	}
	o.Run, o.Seconds, o.Tries, o.Worker = d.Run, d.Seconds, d.Tries, d.Worker
	o.Curve, o.Epochs = e.curve, len(e.curve)
	if d.Status == run.Failed {
		o.Status, o.Why = Failed, d.Error
		return nil
	}
	switch {
	case e.hopeless != "" && d.Status != run.Done:
		o.Status, o.Why = Stopped, e.hopeless
	case d.Status == run.Done:
		o.Status = Done
		return r.worth(o, d)
	case e.until == 0:
		return fmt.Errorf("it ended as %s before its end", d.Status)
	case len(o.Curve) < e.until:
		return fmt.Errorf("it paused after %s, and tells of %d", plural(e.until, "epoch"), len(o.Curve))
	default:
		o.Status = Paused
	}
	o.Validation = Number(last(o.Curve))
	return nil
}

// ValidationOf begins the names of values on the validation set beside those of the test set.
const ValidationOf = "validation_"

// worth takes what a network that came out is worth. The test set is read here alone, and
// nothing that is decided later reads it.
func (r *Runner) worth(o *Outcome, d *job.Done) error {
	o.Numbers = map[string]float64{}
	for name, x := range d.Values {
		o.Numbers[name] = x
	}
	if d.Output != nil {
		dir, err := filepath.Abs(r.Dir)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, d.Output.Path)
		if err != nil {
			return err
		}
		o.File = filepath.ToSlash(rel)
	}
	name := r.Metric.Name
	if x, ok := d.Values[name]; ok && r.Inputs.Tested { // else it is measured on the validation set
		o.Test = Number(x)
	}
	x, ok := d.Values[ValidationOf+name]
	if !ok {
		return fmt.Errorf("it has no %s on the validation set: is that what the recipe judges by?", r.Metric.Name)
	}
	o.Validation = Number(x)
	return nil
}

func last(xs []float64) float64 {
	if len(xs) == 0 {
		return float64(None)
	}
	return xs[len(xs)-1]
}

func best(xs []float64, higher bool) float64 {
	out := float64(None)
	for _, x := range xs {
		if order(x, out, higher) < 0 {
			out = x
		}
	}
	return out
}
