package hygiene

import (
	"cmp"
	"slices"
)

// Suggest makes decisions of what was found, in the order of the samples. Of samples
// that are alike one stays, of the last set and there the first, and each is dropped that is like
// one that stays: a training sample rather than the test sample which it gives away. Labels that are
// likely wrong are changed, and those that are by their margins alone go with their samples, for which class is right is not known. Outliers are kept: most are rare rather than wrong.
func (f *Findings) Suggest() []Decision {
	by := map[int]*Decision{}
	add := func(i int, d Decision) {
		was, ok := by[i]
		if !ok {
			d.ID = f.corpus.ID(i)
			by[i] = &d
			return
		}
		was.Found += ";" + d.Found
		if rank(d.Action) > rank(was.Action) {
			was.Action, was.Label, was.With, was.Score = d.Action, d.Label, d.With, d.Score
		}
	}
	labels := f.corpus.labels()
	same := f.equal()
	for _, d := range f.redundant() {
		found := "near duplicate"
		if g, ok := same[int(d.A)]; ok && same[int(d.B)] == g {
			found = "duplicate"
		}
		if labels[d.A] != labels[d.B] {
			found += " with another label"
		}
		if f.setOf(int(d.A)) < f.setOf(int(d.B)) {
			found += ";leak"
		}
		add(int(d.A), Decision{Found: found, With: f.corpus.ID(int(d.B)), Score: float64(d.Distance), Action: Drop})
	}
	for _, l := range f.Labels {
		set, _ := f.corpus.Find(l.Sample)
		add(l.Sample, Decision{Found: "label", Score: l.Score, Action: Relabel, Label: class(f.corpus[set], l.Likely)})
	}
	relabelled := map[int]bool{}
	for _, l := range f.Labels {
		relabelled[l.Sample] = true
	}
	for _, l := range f.LowMargin {
		d := Decision{Found: "margin", Score: l.Margin, Action: Drop}
		if relabelled[l.Sample] {
			d.Action = Keep // the new label stands
		}
		add(l.Sample, d)
	}
	for _, o := range f.Outliers {
		add(o.Sample, Decision{Found: "outlier", Score: float64(o.Distance), Action: Keep})
	}
	order := make([]int, 0, len(by))
	for i := range by {
		order = append(order, i)
	}
	slices.Sort(order)
	out := make([]Decision, len(order))
	for k, i := range order {
		out[k] = *by[i]
	}
	return out
}

// equal is, by sample, the number of the group of those that are the same, from 1.
func (f *Findings) equal() map[int]int {
	out := map[int]int{}
	for k, g := range f.Exact {
		for _, i := range g.Samples {
			out[i] = k + 1
		}
	}
	return out
}

// rank orders actions by how much they change: what is dropped need not be relabelled.
func rank(a Action) int { return slices.Index([]Action{Keep, Relabel, Drop}, a) }

func (f *Findings) setOf(i int) int { k, _ := f.corpus.Find(i); return k }

// redundant are the samples A that are like a sample B which stays.
func (f *Findings) redundant() (out []Pair) {
	first := func(a, b int32) int { return cmp.Or(f.setOf(int(b))-f.setOf(int(a)), int(a-b)) }
	like := map[int32][]Pair{} // by both, as A
	join := func(p Pair) {
		like[p.A] = append(like[p.A], p)
		like[p.B] = append(like[p.B], Pair{p.B, p.A, p.Distance})
	}
	for _, p := range f.pairs {
		join(p)
	}
	for _, g := range f.Exact { // all are the same as the one that stays
		stays := int32(g.Samples[0])
		for _, i := range g.Samples {
			if first(int32(i), stays) < 0 {
				stays = int32(i)
			}
		}
		for _, i := range g.Samples {
			if int32(i) != stays {
				join(Pair{A: int32(i), B: stays})
			}
		}
	}
	order := make([]int32, 0, len(like))
	for i := range like {
		order = append(order, i)
	}
	slices.SortFunc(order, first)
	stays := map[int32]bool{}
	for _, i := range order {
		var nearest *Pair
		for _, p := range like[i] {
			if stays[p.B] && (nearest == nil || p.Distance < nearest.Distance || p.Distance == nearest.Distance && p.B < nearest.B) {
				nearest = &p
			}
		}
		if nearest == nil {
			stays[i] = true
		} else {
			out = append(out, *nearest)
		}
	}
	return out
}
