package method

import (
	"context"
	"fmt"

	"pare/graph"
)

// Wish judges networks that are cut and not yet trained. Good must be true up
// to some strength of the cut and false beyond it (such as accuracy), or, where
// Weakest is set, the other way round (such as speed).
type Wish struct {
	Good    func(g *graph.Graph) (bool, error)
	Weakest bool
}

// Seek finds the strongest cut of a method whose result is still good (or the
// weakest that is good already): it bisects the method's target, sparsity or
// the share of MACs that goes, and leaves it in the job's settings. It returns
// an error where no cut is good, or the method has no such target.
func Seek(ctx context.Context, m *Method, j *Job, w Wish) (string, error) {
	var target *Setting
	settings := Settings(j.Settings)
	for i, s := range settings {
		if s.Name == "sparsity" || s.Name == "flops" {
			target = &settings[i]
		}
	}
	if target == nil || m.Needs == Trains {
		return "", fmt.Errorf("method %s has no target that can be sought before training", m.Name)
	}
	set := func(cut float64) string {
		if target.Name == "flops" {
			cut = 1 - cut
		}
		s := fmt.Sprintf("%.4f", cut)
		target.Set(s) //nolint:errcheck // it is a number
		return "--" + target.Name + " " + s
	}
	best := -1.0 // the last cut that was made and good
	try := func(cut float64) (bool, error) {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		set(cut)
		k := *j
		k.Graph, _ = j.Graph.Clone(true)
		k.Recipe.Epochs, k.Save, k.Log = 0, "", nil
		r, err := m.Run(ctx, &k)
		if err != nil {
			return w.Weakest, nil // a cut that cannot be made is too strong
		}
		ok, err := w.Good(r.Graph)
		if ok {
			best = cut
		}
		return ok, err
	}
	none := fmt.Errorf("no cut of method %s meets what is asked", m.Name)
	lo, hi := .02, .995
	end := lo
	if w.Weakest {
		end = hi
	}
	if ok, err := try(end); err != nil || !ok {
		if err == nil {
			err = none
		}
		return "", err
	}
	for range 8 {
		mid := (lo + hi) / 2
		ok, err := try(mid)
		if err != nil {
			return "", err
		}
		if ok != w.Weakest {
			lo = mid
		} else {
			hi = mid
		}
	}
	if best < 0 { // all that seemed to meet it was too strong to be made
		return "", none
	}
	return set(best), nil
}
