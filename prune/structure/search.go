package structure

import (
	"fmt"
	"math"
	"slices"
	"sort"
	"strings"

	"pare/graph"
	"pare/report"
)

// Select keeps the best channels so that the target is just met. Channels of
// all groups are ranked together by score (or by their rank within the group
// where Even is set), and as few go as will do. It returns an error that states the least
// reachable cost where no cut meets the target.
func Select(g *graph.Graph, groups []*Group, score [][]float64, t Target) (Selection, error) {
	sel, _, err := SelectRounded(g, groups, score, t)
	return sel, err
}

// SelectRounded is Select that tells what was rounded.
func SelectRounded(g *graph.Graph, groups []*Group, score [][]float64, t Target) (Selection, []Rounded, error) {
	for _, x := range []float64{t.MACs, t.Params, t.Bytes, t.Activations} {
		if !(x >= 0) || math.IsInf(x, 0) {
			return nil, nil, fmt.Errorf("target %v is neither a share in (0,1] nor a number above 1", x)
		}
	}
	open := slices.ContainsFunc(groups, func(g *Group) bool { return !t.left(g) })
	switch {
	case len(groups) == 0:
		return nil, nil, fmt.Errorf("no channels can be cut from this network%s", t.reasons(": "))
	case !open:
		return nil, nil, fmt.Errorf("no channels may be cut: weights that are to stay whole make all of them%s", t.reasons("; "))
	}
	s := &search{Target: t, g: g, groups: groups, score: score, m: newMeter(g)}
	s.fix(score)
	if err := s.m.also(g, t); err != nil {
		return nil, nil, err
	}
	found, err := s.exact()
	if err == nil && t.Within != nil {
		found, err = s.measured(found)
	}
	if err != nil {
		return nil, nil, err
	}
	return found.Selection, found.rounded, nil
}

// search looks for the largest network within a target.
type search struct {
	Target
	g      *graph.Graph
	groups []*Group
	score  [][]float64
	m      *meter
}

// found is a cut that meets a target.
type found struct {
	Selection
	rounded []Rounded
}

// cost is what a cut leaves, by the meter.
func (s *search) cost(sel Selection) Cost { return s.m.cost(sel.removed(s.groups)) }

// counted finds the cut by what the meter counts.
func (s *search) counted() (*found, error) {
	t, groups := s.Target, s.groups
	near := func(x Selection) float64 { return t.near(s.m, s.cost(x)) }
	if t.Costs {
		if x := t.begin(groups); t.asks() && near(x) <= 1 {
			return &found{Selection: x}, nil
		}
		if x := t.cheapest(s.g, groups, s.score, func(x Selection) bool { return near(x) <= 1 }); x != nil {
			return &found{Selection: x}, nil
		}
	}
	all := t.ranked(groups, s.score)
	k := t.reach(groups, all, near)
	if k > len(all) {
		x, _ := t.choose(groups, all)
		return nil, s.unreachable(s.cost(x))
	}
	x, rounded := t.choose(groups, all[:k])
	best := near(x)
	for range steps {
		if k == 0 || best >= 1-slack {
			break
		}
		step := all[k-1].g // its channels stay from here on
		all = append(slices.Clone(all[:k-1]), slices.DeleteFunc(slices.Clone(all[k-1:]), func(x channel) bool { return x.g == step })...)
		if k = t.reach(groups, all, near); k > len(all) {
			break
		}
		other, of := t.choose(groups, all[:k])
		if n := near(other); n > best {
			x, rounded, best = other, of, n
		}
	}
	return &found{x, rounded}, nil
}

// unreachable says what the least is that a cut can leave, and what stays whole and why.
func (s *search) unreachable(least Cost) error {
	parts := []string{fmt.Sprintf("%.3g of the MACs and %.3g of the parameters", share(least.MACs, s.m.whole.MACs), share(least.Params, s.m.whole.Params))}
	if s.MACs > 1 {
		parts = append(parts, report.Scaled(float64(least.MACs)).Text+" MACs")
	}
	if s.Params > 1 {
		parts = append(parts, report.Count(least.Params).Text+" parameters")
	}
	if s.Bytes > 0 {
		parts = append(parts, report.Bytes(least.Bytes).Text+" on disk")
	}
	if s.Activations > 0 {
		parts = append(parts, report.Bytes(least.Activations).Text+" of activations")
	}
	return fmt.Errorf("no cut of channels reaches the target: the least is %s%s%s", strings.Join(parts, ", "), s.held(), s.reasons("; "))
}

// share is a part of a whole; 0 of nothing.
func share(part, whole int64) float64 { return float64(part) / float64(max(1, whole)) }

// held says which groups keep their channels because they are to.
func (s *search) held() string {
	var whole, some []string
	for i, g := range s.groups {
		switch w := s.widths(i); {
		case s.left(g), w.Exactly > 0:
			whole = append(whole, g.Name)
		case w.Least > 1 || s.Least > 0 && s.least(i, len(g.Channels)) > 1:
			some = append(some, g.Name)
		}
	}
	out := ""
	if len(whole) > 0 {
		out += "; asked to stay as they are: the groups of " + few(whole)
	}
	if len(some) > 0 {
		out += "; asked to keep a part at least: the groups of " + few(some)
	}
	return out
}

// few lists the first names.
func few(names []string) string {
	if n := len(names) - 3; n > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:3], ", "), n)
	}
	return strings.Join(names, ", ")
}

// slack is the share of a target by which a cut may go further than was asked. Widths go
// in multiples, and where many layers share a group one step of it can take the network
// far below the target: then the group is left as it was before the step, and others are
// cut in its place, if that comes nearer to the target.
const slack = .05

// steps is how many such groups are left at most.
const steps = 16

// asks says whether anything counted is asked.
func (t Target) asks() bool { return t.MACs > 0 || t.Params > 0 || t.Bytes > 0 || t.Activations > 0 }

// near is what a cut leaves, as a share of the target: of the one that it is nearest to.
func (t Target) near(m *meter, c Cost) float64 {
	share := func(left, whole int64, target float64) float64 {
		if target == 0 || whole == 0 {
			return 0
		}
		if target > 1 {
			return float64(left) / target
		}
		return float64(left) / (target * float64(whole))
	}
	return max(share(c.MACs, m.whole.MACs, t.MACs), share(c.Params, m.whole.Params, t.Params),
		share(c.Bytes, m.whole.Bytes, t.Bytes), share(c.Activations, m.whole.Activations, t.Activations))
}

// reach is how many of the channels must be cut, from the front, to meet the target;
// more than there are where all do not.
func (t Target) reach(groups []*Group, all []channel, near func(Selection) float64) int {
	return sort.Search(len(all)+1, func(k int) bool { s, _ := t.choose(groups, all[:k]); return near(s) <= 1 })
}
