package model

import (
	"context"
	"fmt"

	"pare/catalog"
	"pare/graph"
)

// Goal judges networks that are cut and not yet trained. Good must be true up
// to some strength of the cut and false beyond it (such as accuracy), or, where
// Weakest is set, the other way round (such as speed).
type Goal struct {
	Good    func(g *graph.Graph) (bool, error)
	Weakest bool

	last func() float64 // what was found of the network judged last
}

// try lets a method work without training, on a copy of the job's network.
func try(ctx context.Context, m Method, j *Job) (*Result, error) {
	g, _ := j.Graph.Clone(true)
	k := j.On(g)
	k.tried = k.Steps() > 0
	k.Recipe.Epochs, k.Save, k.Log = 0, "", nil
	return Run(ctx, m, k)
}

// Seek finds the strongest cut of a method whose result is still good (or the
// weakest that is good already): it bisects the method's target, sparsity or
// the share of MACs that stays, leaves it in the method's settings, and says what
// was found. It returns an error where no cut is good, or the method has no such
// target.
func Seek(ctx context.Context, m Method, j *Job, goal Goal) (found *catalog.Assignment, err error) {
	var target *catalog.Setting
	for _, s := range catalog.Settings(m) {
		if s.Name == "sparsity" || s.Name == "macs" {
			target = s
		}
	}
	if target == nil || m.Card().Needs == catalog.Trains {
		return nil, fmt.Errorf("method %s has no target that can be sought before training", m.Card().Name)
	}
	set := func(cut float64) (*catalog.Assignment, error) {
		if target.Name == "macs" {
			cut = 1 - cut
		}
		a := &catalog.Assignment{Name: target.Name, Value: fmt.Sprintf("%.4f", cut)}
		return a, target.Set(a.Value)
	}
	best := -1.0 // the last cut that was made and good
	good := func(cut float64) (bool, error) {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		if _, err := set(cut); err != nil {
			return false, err
		}
		r, err := try(ctx, m, j)
		if err != nil {
			return goal.Weakest, ctx.Err() // a cut that cannot be made is too strong
		}
		ok, err := goal.Good(r.Graph)
		if ok {
			best = cut
		}
		return ok, err
	}
	none := fmt.Errorf("no cut of method %s meets what is asked", m.Card().Name)
	lo, hi := .02, .995
	end := lo
	if goal.Weakest {
		end = hi
	}
	if ok, err := good(end); err != nil || !ok {
		if err == nil {
			err = none
		}
		return nil, err
	}
	for range 8 {
		mid := (lo + hi) / 2
		ok, err := good(mid)
		if err != nil {
			return nil, err
		}
		if ok != goal.Weakest {
			lo = mid
		} else {
			hi = mid
		}
	}
	if best < 0 { // all that seemed to meet it was too strong to be made
		return nil, none
	}
	return set(best)
}
