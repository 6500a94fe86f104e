package structure

import (
	"fmt"
	"math"
	"slices"

	"pare/graph"
)

// What the meter counts of a file and of activations is not what the cut network has to
// the byte: a file says of its tensors how large they are, and some rules put nodes and
// constants beside those that they adapt. The cut is made and counted, and the meter's
// limits are moved by the difference, until what is made is within and no larger network
// was seen that is.

// corrections is how often the limits are moved at most.
const corrections = 24

// exact finds the cut whose network, once made, meets what is counted.
func (s *search) exact() (*found, error) {
	x, err := s.counted()
	if err != nil || s.Bytes == 0 && s.Activations == 0 && s.Final == nil {
		return x, err
	}
	whole, err := s.made(All(s.groups))
	if err != nil {
		return nil, err
	}
	limit := s.limits(whole)
	asked := s.Target
	defer func() { s.Target = asked }()
	var best *found
	most := math.Inf(-1) // what it leaves, as a share of the target
	var over Cost        // what was made and not within
	seen := map[string]bool{}
	for range corrections {
		real, err := s.made(x.Selection)
		if err != nil {
			return nil, err
		}
		near := nearest(real, limit)
		if near <= 1 && near > most {
			best, most = x, near
		} else if near > 1 {
			over = real
		}
		est := s.cost(x.Selection)
		again := seen[x.key()]
		if seen[x.key()] = true; again && best != nil {
			break
		}
		for k, l := range limit.each() {
			if l == 0 {
				continue
			}
			to := float64(l) - float64(real.each()[k]-est.each()[k])
			if again { // where the difference is of the same cut, another is needed
				to = math.Min(to, float64(est.each()[k])-1)
			}
			s.set(k, math.Max(2, to))
		}
		if x, err = s.counted(); err != nil {
			break
		}
	}
	switch {
	case best != nil:
		return best, nil
	case err == nil:
		err = s.unreachable(over)
	}
	return nil, err
}

// CostOf counts what a network takes in the end: what the target asks for, and always its
// multiply-accumulates and parameters.
func (t Target) CostOf(g *graph.Graph) (Cost, error) {
	if t.Final != nil {
		c, err := t.Final(g)
		if err != nil {
			return Cost{}, err
		}
		g = c
	}
	return t.costOf(g)
}

// made counts what a cut network has in the end.
func (s *search) made(sel Selection) (Cost, error) {
	cut, err := s.cut(sel)
	if err != nil {
		return Cost{}, err
	}
	return s.costOf(cut)
}

// cut makes what a network is in the end.
func (s *search) cut(sel Selection) (*graph.Graph, error) {
	cut, err := Cut(s.g, s.groups, sel)
	if err == nil && s.Final != nil {
		cut, err = s.Final(cut)
	}
	return cut, err
}

// each lists the counts, in the order of the target's fields.
func (c Cost) each() [4]int64 { return [4]int64{c.MACs, c.Params, c.Bytes, c.Activations} }

// set moves a field of the target, in the order of Cost's.
func (s *search) set(k int, x float64) {
	*[4]*float64{&s.MACs, &s.Params, &s.Bytes, &s.Activations}[k] = x
}

// limits are what may stay of a whole, as numbers; 0: not asked.
func (t Target) limits(whole Cost) Cost {
	of := func(target float64, whole int64) int64 {
		switch {
		case target == 0:
			return 0
		case target > 1:
			return int64(target)
		}
		return max(1, int64(target*float64(whole)))
	}
	return Cost{of(t.MACs, whole.MACs), of(t.Params, whole.Params), of(t.Bytes, whole.Bytes), of(t.Activations, whole.Activations)}
}

// nearest is what is taken as a share of the limits: of the one that it is nearest to.
func nearest(c, limit Cost) float64 {
	near := 0.0
	for k, l := range limit.each() {
		if l > 0 {
			near = math.Max(near, float64(c.each()[k])/float64(l))
		}
	}
	return near
}

// key names a cut by how many channels stay of each group.
func (f *found) key() string {
	out := make([]int, len(f.Selection))
	for i, m := range f.Selection {
		out[i] = m.Count()
	}
	return fmt.Sprint(out)
}

// begin keeps all channels but those of groups whose widths are given.
func (t Target) begin(groups []*Group) Selection {
	sel := All(groups)
	for i, out := range t.fixed {
		for _, c := range out {
			sel[i].Set(c, false)
		}
	}
	return sel
}

// fix finds the channels that go of groups whose widths are given: those worth least.
func (t *Target) fix(score [][]float64) {
	t.fixed = make([][]int, len(score))
	for i, s := range score {
		n := t.widths(i).Exactly
		if n <= 0 || n >= len(s) {
			continue
		}
		order := make([]int, len(s))
		for c := range order {
			order[c] = c
		}
		slices.SortStableFunc(order, func(a, b int) int {
			switch {
			case s[a] < s[b]:
				return -1
			case s[a] > s[b]:
				return 1
			}
			return 0
		})
		t.fixed[i] = order[:len(s)-n]
	}
}
