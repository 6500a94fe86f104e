package structure

import "pare/graph"

// Where one axis becomes several, a channel may follow any one of them: of
// [heads*d] -> [heads d] it may be a head or a place in all heads. Likewise a
// grouped convolution may lose groups, or places in all groups. Each such
// choice takes the first alternative that leaves something to cut; the
// relation is built anew until no choice changes.

// choice is one place where a rule has alternatives.
type choice struct {
	node *graph.Node
	part int // the run of a Reshape
}

// choices remembers which alternatives were tried in vain, and which axes are
// protected whatever is chosen: those that a relation in which no choice ties
// anything protects (survey).
type choices struct {
	survey  bool
	blocked map[Axis]bool
	failed  map[choice]map[int]bool
	made    []made
}

// made is a choice that had another alternative.
type made struct {
	choice
	pick int
	axes []Axis // of the alternative taken
}

// rounds bounds how often the relation is built anew.
const rounds = 16

// choose gives the index of the alternative to take: the first that has not
// failed and whose axes are not protected so far, else the first. It is negative
// where nothing is to be tied yet.
func (r *Relation) choose(part int, alternatives [][]Axis) int {
	if r.choice.survey {
		return -1
	}
	c := choice{r.node, part}
	var open []int
	for i, axes := range alternatives {
		if r.choice.failed[c][i] {
			continue
		}
		ok := true
		for _, a := range axes {
			ok = ok && r.free(a) && !r.choice.blocked[a]
		}
		if ok {
			open = append(open, i)
		}
	}
	if len(open) == 0 {
		return 0
	}
	if len(open) > 1 {
		r.choice.made = append(r.choice.made, made{c, open[0], alternatives[open[0]]})
	}
	return open[0]
}

// revise looks at the choices made once all is related, and marks those that
// left nothing to cut. It reports whether there was one.
func (r *Relation) revise() bool {
	changed := false
	fail := func(m made) {
		if r.choice.failed[m.choice] == nil {
			r.choice.failed[m.choice] = map[int]bool{}
		}
		r.choice.failed[m.choice][m.pick] = true
		changed = true
	}
	seen := map[int32]bool{} // classes for which one choice is revised already
	for _, m := range r.choice.made {
		free, apart := true, true
		for _, a := range m.axes {
			free = free && r.free(a)
			apart = apart && r.apart(a)
		}
		root := r.root(r.base[m.axes[0]])
		switch {
		case !free:
			fail(m)
		case !apart && !seen[root]:
			seen[root] = true
			fail(m)
		}
	}
	r.choice.made = nil
	return changed
}

// surveyed ends the survey.
func (r *Relation) surveyed() {
	r.choice.survey, r.choice.blocked = false, map[Axis]bool{}
	for _, a := range r.axes {
		if !r.free(a) {
			r.choice.blocked[a] = true
		}
	}
}
