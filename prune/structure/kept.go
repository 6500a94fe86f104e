package structure

import (
	"slices"

	"pare/prune"
	"pare/tensor"
)

// Kept says which positions of a network's values are left in the network that was cut
// from it: by a value's name, which is the same in both, a mask for each axis; nil: all
// stay.
type Kept map[string][]*prune.Mask

// KeptBy is what a selection leaves.
func KeptBy(groups []*Group, s Selection) Kept {
	out := Kept{}
	for a, m := range s.removed(groups) {
		if out[a.Value.Name] == nil {
			out[a.Value.Name] = make([]*prune.Mask, len(a.Value.Shape))
		}
		out[a.Value.Name][a.Dim] = m
	}
	return out
}

// Take gives the positions of a value's numbers that stay. Where all do, it is t itself.
func (k Kept) Take(name string, t *tensor.Tensor) *tensor.Tensor {
	for d, m := range k[name] {
		if m != nil && d < len(t.Shape) && t.Shape[d] == m.Len {
			t = take(t, d, m)
		}
	}
	return t
}

// Then is what is left after a further cut of the network that k left: next says which
// positions of its values stay.
func (k Kept) Then(next Kept) Kept {
	out := Kept{}
	for name, masks := range k {
		out[name] = slices.Clone(masks)
	}
	for name, masks := range next {
		if out[name] == nil {
			out[name] = make([]*prune.Mask, len(masks))
		}
		for d, m := range masks {
			if m == nil {
				continue
			}
			was := out[name][d]
			if was == nil {
				out[name][d] = m
				continue
			}
			both, i := was.Clone(), 0
			for p := range was.Len {
				if was.Kept(p) {
					both.Set(p, m.Kept(i))
					i++
				}
			}
			out[name][d] = both
		}
	}
	return out
}
