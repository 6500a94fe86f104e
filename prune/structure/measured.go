package structure

import "fmt"

// What is measured, such as time, says nothing of a cut before it is made. Of the cuts that
// meet the rest of a target with ever fewer multiply-accumulates (or parameters, where
// there are none) the largest is looked for that is within: by halves, as time falls with
// size on the whole; each network is measured once.

// grid is how many sizes are tried where the smallest network is not within.
const grid = 8

// measured goes on from the cut that meets what is counted.
func (s *search) measured(from *found) (*found, error) {
	knob, size := &s.MACs, func(x *found) float64 { return float64(s.cost(x.Selection).MACs) }
	if s.m.whole.MACs == 0 {
		knob, size = &s.Params, func(x *found) float64 { return float64(s.cost(x.Selection).Params) }
	}
	asked := *knob
	defer func() { *knob = asked }()
	seen := map[string]float64{}
	least := 0.0
	within := func(x *found) (bool, error) {
		share, ok := seen[x.key()]
		if !ok {
			cut, err := s.cut(x.Selection)
			if err != nil {
				return false, err
			}
			if share, err = s.Within(cut); err != nil {
				return false, err
			}
			if seen[x.key()] = share; len(seen) == 1 || share < least {
				least = share
			}
		}
		return share <= 1, nil
	}
	if ok, err := within(from); ok || err != nil {
		return from, err
	}
	smallest, _ := s.choose(s.groups, s.ranked(s.groups, s.score))
	good := &found{Selection: smallest}
	hi, lo := size(from), size(good) // too slow, and fast enough
	ok, err := within(good)
	if err != nil {
		return nil, err
	}
	for k := 1; !ok && k < grid; k++ { // a smaller network may be slower
		*knob = max(2, lo+float64(k)/grid*(hi-lo))
		x, err := s.exact()
		if err != nil {
			continue
		}
		if ok, err = within(x); err != nil {
			return nil, err
		} else if ok {
			good, lo = x, *knob
		}
	}
	if !ok {
		return nil, &NotWithin{Networks: len(seen), Least: least, Whole: s.held() + s.reasons("; ")}
	}
	for hi-lo > 1 {
		*knob = max(2, float64(int64((hi+lo)/2)))
		x, err := s.exact()
		if err != nil { // what is counted allows none between
			hi = *knob
			continue
		}
		switch ok, err := within(x); {
		case err != nil:
			return nil, err
		case ok:
			good, lo = x, *knob
		default:
			hi = *knob
		}
	}
	return good, nil
}

// NotWithin says that no cut is within what is measured.
type NotWithin struct {
	Networks int     // that were measured
	Least    float64 // share of what may be taken that the best of them takes
	Whole    string  // what stays whole and why, behind a semicolon
}

// Error says so.
func (e *NotWithin) Error() string {
	return fmt.Sprintf("no cut of channels is within what is measured: the best of %d networks takes %.3g of what it may%s", e.Networks, e.Least, e.Whole)
}
