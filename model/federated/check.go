package federated

import (
	"fmt"

	"pare/prune"
	"pare/train"
)

// What a client sends is hostile until it is checked: who sends what cannot be is left
// out of the round, and named.

// checkNorms returns an error where statistics are not finite or a variance is negative.
func checkNorms(l *Layout, ms []train.Moments) error {
	for i, m := range ms {
		if !finite(m.Mean) || !finite(m.Var) {
			return fmt.Errorf("the statistics of %s are not finite", l.Norms[i].Name)
		}
		for _, v := range m.Var {
			if v < 0 {
				return fmt.Errorf("a variance of %s is negative: %v", l.Norms[i].Name, v)
			}
		}
	}
	return nil
}

// checkUpdate returns an error where numbers are not finite, or pairs are not what was
// asked for: of another layer, more than the quota, or of positions that are kept.
func checkUpdate(l *Layout, u *Update, masks []*prune.Mask, ask []Quota) error {
	if !isFinite(u.Loss) {
		return fmt.Errorf("the loss is %v", u.Loss)
	}
	for i, v := range u.Model.Values {
		if !finite(v) {
			return fmt.Errorf("%s has a NaN or infinity", l.Sparse[i].Name)
		}
	}
	for i, v := range u.Model.Dense {
		if !finite(v) {
			return fmt.Errorf("%s has a NaN or infinity", l.Dense[i].Name)
		}
	}
	if err := checkNorms(l, u.Model.Norms); err != nil {
		return err
	}
	if len(u.Grow) != len(ask) {
		return fmt.Errorf("gradients of %d layers were sent, and those of %d were asked for", len(u.Grow), len(ask))
	}
	for i, g := range u.Grow {
		name := l.Sparse[g.Layer].Name
		switch {
		case g.Layer != ask[i].Layer:
			return fmt.Errorf("gradients of %s were sent, which were not asked for", name)
		case len(g.Index) > ask[i].Count:
			return fmt.Errorf("%d pairs of %s were sent, and %d at most were asked for", len(g.Index), name, ask[i].Count)
		case !finite(g.Value):
			return fmt.Errorf("a gradient of %s is not finite", name)
		}
		for _, k := range g.Index {
			if masks[g.Layer].Kept(k) {
				return fmt.Errorf("a gradient of %s is of position %d, which is not cut", name, k)
			}
		}
	}
	return nil
}
