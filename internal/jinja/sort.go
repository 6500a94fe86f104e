package jinja

import (
	"fmt"
	"slices"
	"strings"
)

// sorted are values in the order of their keys; values of equal keys stay as they are.
func (r *run) sorted(in []any, reverse bool, key func(any) (any, error)) ([]any, error) {
	type pair struct{ key, value any }
	pairs := make([]pair, len(in))
	for i, x := range in {
		k, err := key(x)
		if err != nil {
			return nil, err
		}
		pairs[i] = pair{k, x}
	}
	if err := r.alloc(32 * len(in)); err != nil {
		return nil, err
	}
	var failed error
	slices.SortStableFunc(pairs, func(a, b pair) int {
		if failed != nil {
			return 0
		}
		if reverse {
			a, b = b, a
		}
		if failed = r.spend(1); failed != nil {
			return 0
		}
		less, err := r.less(a.key, b.key)
		if err != nil {
			failed = err
			return 0
		}
		if less {
			return -1
		}
		more, err := r.less(b.key, a.key)
		if err != nil {
			failed = err
		}
		if more {
			return 1
		}
		return 0
	})
	out := make([]any, len(pairs))
	for i, p := range pairs {
		out[i] = p.value
	}
	return out, failed
}

// lowered is a key that does not tell cases apart.
func lowered(v any, cased bool) any {
	if s, ok := texts(v); ok && !cased {
		return lower(s)
	}
	return v
}

// keyOf is what values are sorted by.
func (r *run) keyOf(attr any, cased bool) func(any) (any, error) {
	return func(v any) (any, error) {
		if attr == nil {
			return lowered(v, cased), nil
		}
		name, ok := texts(attr)
		if !ok || !strings.Contains(name, ",") {
			x, err := r.path(v, attr)
			return lowered(x, cased), err
		}
		out := &List{}
		for _, part := range strings.Split(name, ",") {
			x, err := r.path(v, part)
			if err != nil {
				return nil, err
			}
			out.Items = append(out.Items, lowered(x, cased))
		}
		return out, nil
	}
}

func sortFilter(r *run, v any, a *arguments) (any, error) {
	if err := a.check(3, "reverse", "case_sensitive", "attribute"); err != nil {
		return nil, err
	}
	items, err := r.items(v)
	if err != nil {
		return nil, err
	}
	out, err := r.sorted(items, truth(a.get(0, "reverse", false)), r.keyOf(a.get(2, "attribute", nil), truth(a.get(1, "case_sensitive", false))))
	return &List{Items: out}, err
}

func dictSort(r *run, v any, a *arguments) (any, error) {
	d, ok := v.(*Dict)
	if !ok {
		return nil, fmt.Errorf("dictsort is of a dict, not of a %s", kind(v))
	}
	by, err := a.text(1, "by", "key")
	if err != nil || by != "key" && by != "value" {
		return nil, fmt.Errorf(`you can only sort by either "key" or "value"`)
	}
	p, err := r.pairs(d)
	if err != nil {
		return nil, err
	}
	at := 0
	if by == "value" {
		at = 1
	}
	cased := truth(a.get(0, "case_sensitive", false))
	out, err := r.sorted(p.(*List).Items, truth(a.get(2, "reverse", false)), func(x any) (any, error) { return lowered(x.(*List).Items[at], cased), nil })
	return &List{Items: out}, err
}

func unique(r *run, v any, a *arguments) (any, error) {
	items, err := r.items(v)
	if err != nil {
		return nil, err
	}
	key := r.keyOf(a.get(1, "attribute", nil), truth(a.get(0, "case_sensitive", false)))
	seen, out := NewDict(), &List{}
	for _, x := range items {
		k, err := key(x)
		if err != nil {
			return nil, err
		}
		if !hashable(k) {
			return nil, fmt.Errorf("unhashable type: '%s'", kind(k))
		}
		if _, ok := seen.Get(k); !ok {
			seen.Set(k, true)
			out.Items = append(out.Items, x)
		}
	}
	return out, r.alloc(64 * len(items))
}

func (r *run) extreme(v any, a *arguments, largest bool) (any, error) {
	items, err := r.items(v)
	if err != nil {
		return nil, err
	}
	if len(items) == 0 {
		return &undefined{"the extreme of an empty sequence"}, nil
	}
	key := r.keyOf(a.get(1, "attribute", nil), truth(a.get(0, "case_sensitive", false)))
	var best, bestKey any
	for i, x := range items {
		k, err := key(x)
		if err != nil {
			return nil, err
		}
		better := i == 0
		if !better {
			lo, hi := k, bestKey
			if largest {
				lo, hi = bestKey, k
			}
			if better, err = r.less(lo, hi); err != nil {
				return nil, err
			}
		}
		if better {
			best, bestKey = x, k
		}
	}
	return best, nil
}

func groupBy(r *run, v any, a *arguments) (any, error) {
	items, err := r.items(v)
	if err != nil {
		return nil, err
	}
	attr := a.get(0, "attribute", nil)
	plain := r.keyOf(attr, true)
	key := r.keyOf(attr, truth(a.get(2, "case_sensitive", false)))
	sorted, err := r.sorted(items, false, key)
	if err != nil {
		return nil, err
	}
	out := &List{}
	var last any
	for i, x := range sorted {
		k, err := key(x)
		if err != nil {
			return nil, err
		}
		same := false
		if i > 0 {
			if same, err = r.equal(k, last, 0); err != nil {
				return nil, err
			}
		}
		if !same {
			shown, err := plain(x)
			if err != nil {
				return nil, err
			}
			out.Items = append(out.Items, &List{[]any{shown, &List{}}, true})
			last = k
		}
		group := out.Items[len(out.Items)-1].(*List).Items[1].(*List)
		group.Items = append(group.Items, x)
	}
	return out, r.alloc(64 * len(sorted))
}
