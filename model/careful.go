package model

import (
	"cmp"
	"context"
	"math"

	"pare/catalog"
	"pare/dataset"
	"pare/graph"
	"pare/train"
	"pare/train/objective"
)

// Drives is a Method that may drive its trainings itself: it rewinds and repeats them,
// compares them, or learns its masks in them. What the recipe leaves to itself (auto)
// is then as papers have it: the usual rate, no clipping, no return, the last epoch.
type Drives interface{ Drives() bool }

// plain is the recipe with nothing left to itself.
func (r Recipe) plain() Recipe {
	if r.LR == 0 {
		r.LR = r.usual()
	}
	if r.Clip == train.Adaptive {
		r.Clip = 0
	}
	if r.Explosion == "auto" {
		r.Explosion = "stop"
	}
	if r.Keep == "auto" {
		r.Keep = "last"
	}
	return r
}

// usual is the rate where none is given, and none is sought.
func (r Recipe) usual() float64 {
	if r.Optimizer == "adam" || r.Optimizer == "adamw" {
		return usualAdam
	}
	return usualSGD
}

const (
	usualSGD  = .05
	usualAdam = 1e-3
)

const (
	testSteps = 80  // of a range test at most
	testShare = .1  // of the training at most
	testBound = 2   // the rate found is at most this number of times the usual one
	testRange = 1e5 // the test rises by this factor
	returns   = 3   // that an explosion may have
)

// rate sets the learning rate, or the test that finds it.
func (j *Job) rate(cfg *train.Config) error {
	r := j.Recipe
	rate, err := train.ParseRate(r.Schedule, cmp.Or(r.LR, r.usual()), j.Steps())
	if err != nil {
		return catalog.Errorf("{Recipe.Schedule}: %v", err)
	}
	if r.LR > 0 {
		cfg.Rate = rate
		return nil
	}
	most := 3 * testBound * r.usual() // a third of it is taken at most
	cfg.Find = &train.RangeTest{Usual: r.usual(), Most: most, Least: most / testRange, Found: j.found, Steps: min(testSteps, int(testShare*float64(j.Steps()))),
		Rate: func(peak float64) train.Rate {
			rate, _ := train.ParseRate(r.Schedule, peak, j.Steps()) // it was parsed above
			return rate
		}}
	return nil
}

// careful sets what guards a training against itself.
func (j *Job) careful(cfg *train.Config) {
	r := j.Recipe
	cfg.Clip = r.Clip
	if r.Explosion == "back" || r.Explosion == "auto" {
		cfg.Returns = returns
		cfg.Guess = j.guess(cfg.Loss)
	}
	cfg.Best = j.keepsBest() && j.Data.Val != nil
}

// guess is the loss of who knows nothing, where that is easily said: the cross-entropy
// of classes; else 0.
func (j *Job) guess(l train.Loss) float64 {
	y := j.Data.Train.Class()
	switch o := l.Objective; {
	case y == nil || y.Classes < 2 || l.Teacher != nil || len(o) > 1:
	case o == nil || len(o) == 1 && o[0].Loss == objective.CrossEntropy:
		return math.Log(float64(y.Classes))
	}
	return 0
}

// keepsBest says whether the epoch is chosen by validation.
func (j *Job) keepsBest() bool {
	return j.Recipe.Keep == "best" || j.Recipe.Keep == "auto"
}

// Of the training set is held out, where there is no validation set, a twentieth, but
// at least 250 samples, of which at most a tenth; where that is less than 100, nothing.
const (
	heldShare = .05
	heldTenth = .1
	heldFew   = 250
	heldMost  = 2000
	heldLeast = 100
)

// holdOut takes a part of the training set for validation, where an epoch is to be
// chosen and there is no validation set. It is never the test set that chooses.
func (j *Job) holdOut() error {
	if j.Steps() == 0 || !j.keepsBest() || j.Data.Val != nil {
		return nil
	}
	n := j.Data.Train.Len()
	held := min(heldMost, int(heldTenth*float64(n)), max(heldFew, int(heldShare*float64(n))))
	if held < heldLeast || n-held < j.batch() {
		return nil
	}
	rest, val, err := j.Data.Train.Split(float64(held)/float64(n), j.Seed)
	if err != nil {
		return err
	}
	d := *j.Data
	d.Train, d.Val = rest, named(val, "validation")
	j.Data = &d
	j.Logf("%d of the %d training samples are held out, to keep the best epoch ({Recipe.Keep} last trains on all)", val.Len(), n)
	return nil
}

func named(s *dataset.Set, name string) *dataset.Set {
	c := *s
	c.Name = name
	return &c
}

// before is what a network is worth before it is trained, on what is held out; nil
// where nothing is, or nobody asks.
func (j *Job) before(ctx context.Context, g *graph.Graph) (*train.Metrics, error) {
	e := j.Held()
	if j.course == nil || e == nil {
		return nil, nil
	}
	m, err := e.Run(ctx, g)
	if err != nil {
		return nil, j.Interrupted(ctx, err)
	}
	return &m, nil
}

// found says which learning rate a training has.
func (j *Job) found(rate float64, tested int) {
	if tested == 0 {
		j.Logf("learning rate %.3g, the usual one: %d steps are too few to test rates ({Recipe.LR} sets it)", rate, j.Steps())
		return
	}
	j.Logf("learning rate %.3g, from a range test of %d steps ({Recipe.LR} sets it)", rate, tested)
}
