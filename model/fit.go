package model

import (
	"cmp"
	"context"
	"slices"

	"pare/catalog"
	"pare/graph"
	"pare/prune"
	"pare/prune/hook"
	"pare/prune/schedule"
	"pare/run"
	"pare/train"
)

// checkpointSteps is the number of steps between checkpoints within an epoch.
const checkpointSteps = 200

// Fit trains a network by the job's recipe with hooks. It returns an error where
// training is asked for without data; with no epochs it does nothing.
func (j *Job) Fit(ctx context.Context, g *graph.Graph, hooks ...train.Hook) ([]train.Epoch, error) {
	if j.Recipe.Epochs == 0 {
		return nil, nil
	}
	cfg, err := j.config()
	if err != nil {
		return nil, err
	}
	was, err := j.before(ctx, g)
	if err != nil {
		return nil, err
	}
	cfg.Graph, cfg.Hooks = g, hooks
	if j.Record != nil {
		cfg.Hooks = append(slices.Clone(hooks), j.Record(j.Save)...)
	}
	cfg.From = j.From
	cfg.Until = j.Until
	cfg.Train = train.NewData(j.loader())
	cfg.Engine, cfg.Save, cfg.Resume, cfg.Every = j.Engine, j.Save, j.Resume, checkpointSteps
	if j.Save != "" {
		cfg.Key = j.Facts(j.method, g).Key()
	}
	cfg.Val, cfg.Say = j.Held(), j.Logf
	if j.OnStep != nil {
		total := j.Steps()
		cfg.OnStep = func(step int, loss float64) { j.OnStep(step, total, loss) }
	}
	cfg.OnEpoch = j.Epoch
	g.Usage.Drawn = false
	r, err := train.Fit(ctx, cfg)
	if r == nil {
		return nil, err
	}
	if j.course != nil && err == nil {
		j.course.Judge(r, j.held(), was)
		j.course.Rate = cmp.Or(j.course.Rate, j.Recipe.LR)
	}
	return r.Past, err
}

// order is the seed of the order and augmentation of samples.
func (j *Job) order() uint64 {
	if j.Order == 0 {
		return j.Seed
	}
	return j.Order
}

// Clean removes the checkpoints of a job that is done.
func (j *Job) Clean() { run.Clean(j.Save) }

// Series are the trainings that a job makes one after the other.
type Series struct{ run.Series }

// NewSeries plans n trainings of as many steps as the recipe has. What makes other
// trainings sets Steps.
func (j *Job) NewSeries(n int) *Series {
	return &Series{run.Series{Save: j.Save, N: n, Steps: n * j.Steps(), OnStep: j.OnStep}}
}

// Fit is the next training: by job j, which is that of the series or a copy with
// another recipe, order or beginning.
func (s *Series) Fit(ctx context.Context, j *Job, g *graph.Graph, hooks ...train.Hook) ([]train.Epoch, error) {
	k := *j
	k.Save, k.OnStep = s.Next(j.Steps())
	return k.Fit(ctx, g, hooks...)
}

// FitPart is the next training of a series whose trainings are parts of one recipe's: the
// steps from one to before another, of one learning-rate schedule and one order of samples.
// The optimiser begins anew.
func (s *Series) FitPart(ctx context.Context, j *Job, g *graph.Graph, from, until int, hooks ...train.Hook) ([]train.Epoch, error) {
	k := *j
	k.From, k.Until = from, until
	k.Save, k.OnStep = s.Next(0) // steps are counted from the recipe's first
	return k.Fit(ctx, g, hooks...)
}

// FitMasked zeroes what masks cut, and trains by the recipe while they are held.
func (j *Job) FitMasked(ctx context.Context, m *prune.Masks) (*Result, error) {
	m.Apply()
	j.Logf("%d of %d weights stay", m.Count(), prune.Total(m.Weights))
	epochs, err := j.Fit(ctx, j.Graph, &hook.Hold{Masks: m})
	res := &Result{Graph: j.Graph, Masks: m, Epochs: epochs}
	res.WarnCollapse()
	return res, err
}

// CutAndTune zeroes what masks cut, says what that alone came to, and fine-tunes by
// the recipe while the masks are held.
func (j *Job) CutAndTune(ctx context.Context, m *prune.Masks) (*Result, error) {
	m.Apply()
	if _, err := j.Repair(ctx, &Result{Graph: j.Graph, Masks: m}); err != nil {
		return nil, err
	}
	if err := j.LogUntuned(ctx, j.Graph); err != nil {
		return nil, err
	}
	return j.FitMasked(ctx, m)
}

// FitRounds cuts in rounds, each followed by the whole recipe of fine-tuning: pick
// chooses the masks of a round by the weights' present values.
func (j *Job) FitRounds(ctx context.Context, rounds int, sparsity float64, pick func(round int, sparsity float64) (*prune.Masks, error)) (*Result, error) {
	steps, err := schedule.Iterative(sparsity, rounds)
	if err != nil {
		return nil, err
	}
	if rounds > 1 && j.Recipe.Epochs == 0 {
		return nil, catalog.Errorf("rounds of pruning have fine-tuning between them: give {Data} and {Recipe.Epochs}")
	}
	res := &Result{Graph: j.Graph}
	runs := j.NewSeries(rounds)
	for i, x := range steps {
		if res.Masks, err = pick(i, x); err != nil {
			return nil, err
		}
		res.Masks.Apply()
		j.Logf("round %d of %d: %d of %d weights stay", i+1, rounds, res.Masks.Count(), prune.Total(res.Masks.Weights))
		if _, err := j.Repair(ctx, res); err != nil {
			return nil, err
		}
		if err := j.LogUntuned(ctx, j.Graph); err != nil {
			return nil, err
		}
		epochs, err := runs.Fit(ctx, j, j.Graph, &hook.Hold{Masks: res.Masks})
		if err != nil {
			return nil, err
		}
		res.Add(epochs)
	}
	res.WarnCollapse()
	return res, nil
}

// FitRaising trains by the recipe while a schedule raises the sparsity; keep: cut
// weights may come back (see hook.Raise).
func (j *Job) FitRaising(ctx context.Context, ws []*prune.Weight, s schedule.Gradual, keep bool, pick func(sparsity float64) (*prune.Masks, error)) (*Result, error) {
	if err := j.NeedsTraining("gradual pruning happens while training"); err != nil {
		return nil, err
	}
	if err := s.Check(j.Steps()); err != nil {
		return nil, err
	}
	hold := &hook.Hold{Masks: prune.Dense(ws)}
	epochs, err := j.Fit(ctx, j.Graph, hold, &hook.Raise{Hold: hold, Schedule: s, Keep: keep, Pick: pick})
	res := &Result{Graph: j.Graph, Masks: hold.Masks, Epochs: epochs}
	res.WarnCollapse()
	return res, err
}

// Window sets the start and end of a schedule, held in the fields Begin and End.
func (j *Job) Window(s schedule.Gradual, begin, end train.At) (schedule.Gradual, error) {
	if err := j.NeedsTraining("the sparsity rises while training"); err != nil {
		return s, err
	}
	var err error
	if s.Begin, err = j.StepAt("Begin", begin); err != nil {
		return s, err
	}
	if s.End, err = j.StepAt("End", end); err != nil {
		return s, err
	}
	return s, s.Check(j.Steps())
}

// HalfWay is the schedule of methods that may raise the sparsity along a cubic over
// the first half of the fine-tuning, in at most 50 steps.
func (j *Job) HalfWay(sparsity float64) schedule.Gradual {
	return schedule.Gradual{Final: sparsity, End: j.Steps() / 2, Every: max(1, j.Steps()/100), Power: 3}
}
