package structure

import (
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

// Then is what is left after a further cut, whose masks are over the positions that k
// leaves.
func (k Kept) Then(next Kept) Kept {
	if k == nil {
		return next
	}
	out := Kept{}
	for name, masks := range k {
		out[name] = masks
	}
	for name, more := range next {
		was := k[name]
		if was == nil {
			out[name] = more
			continue
		}
		all := make([]*prune.Mask, len(more))
		for d := range more {
			switch {
			case was[d] == nil:
				all[d] = more[d]
			case more[d] == nil:
				all[d] = was[d]
			default:
				all[d] = nested(was[d], more[d])
			}
		}
		out[name] = all
	}
	return out
}

// nested is a mask of what a second one keeps of the positions that a first one keeps.
func nested(first, second *prune.Mask) *prune.Mask {
	m := prune.NewMask(first.Len, false)
	at := 0
	for i := range first.Len {
		if first.Kept(i) {
			m.Set(i, second.Kept(at))
			at++
		}
	}
	return m
}
