package jinja

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// path is what an attribute of several parts, with points between, is of a value.
func (r *run) path(v, name any) (any, error) {
	if i, ok := integer(name); ok {
		return r.item(v, i)
	}
	s, ok := texts(name)
	if !ok {
		return nil, fmt.Errorf("an attribute is a %s", kind(name))
	}
	for _, part := range strings.Split(s, ".") {
		var k any = part
		if n, err := strconv.ParseInt(part, 10, 64); err == nil {
			k = n
		}
		var err error
		if v, err = r.item(v, k); err != nil {
			return nil, err
		}
	}
	return v, nil
}

func (r *run) attrFilter(v any, a *arguments) (any, error) {
	name, err := a.text(0, "name", "")
	if err != nil {
		return nil, err
	}
	if m := r.member(v, name); m != nil {
		return m, nil
	}
	return &undefined{fmt.Sprintf("%s object has no attribute '%s'", kind(v), name)}, nil
}

func joinFilter(r *run, v any, a *arguments) (any, error) {
	items, err := r.items(v)
	if err != nil {
		return nil, err
	}
	sep, err := r.str(a.get(0, "d", ""))
	if err != nil {
		return nil, err
	}
	attr := a.get(1, "attribute", nil)
	out := &List{}
	for _, x := range items {
		if attr != nil {
			if x, err = r.path(x, attr); err != nil {
				return nil, err
			}
		}
		s, err := r.str(x)
		if err != nil {
			return nil, err
		}
		out.Items = append(out.Items, s)
	}
	return r.join(sep, out)
}

func mapFilter(r *run, v any, a *arguments) (any, error) {
	items, err := r.items(v)
	if err != nil {
		return nil, err
	}
	attr := a.get(-1, "attribute", nil)
	out := &List{}
	for _, x := range items {
		if attr != nil && len(a.pos) == 0 {
			if x, err = r.path(x, attr); err == nil {
				if _, ok := x.(*undefined); ok {
					x = a.get(-1, "default", x)
				}
			}
		} else {
			var name string
			if name, err = a.text(0, "filter", ""); err == nil {
				f := filterNames[name]
				if f == nil {
					return nil, fmt.Errorf("the filter %q is not supported", name)
				}
				x, err = f(r, x, &arguments{pos: slices.Clone(a.pos[1:]), names: a.names, named: a.named})
			}
		}
		if err != nil {
			return nil, err
		}
		out.Items = append(out.Items, x)
	}
	return out, r.alloc(16 * len(out.Items))
}

// selected are the items of which a test is true, or not; of an attribute of theirs.
func (r *run) selected(v any, a *arguments, want, attribute bool) (any, error) {
	items, err := r.items(v)
	if err != nil {
		return nil, err
	}
	rest := a.pos
	var attr any
	if attribute {
		if len(rest) == 0 {
			return nil, fmt.Errorf("missing parameter for attribute name")
		}
		attr, rest = rest[0], rest[1:]
	}
	f := func(_ *run, v any, _ *arguments) (bool, error) { return truth(v), nil }
	if len(rest) > 0 {
		name, _ := texts(rest[0])
		if f = testNames[name]; f == nil {
			return nil, fmt.Errorf("the test %q is not supported", name)
		}
		rest = rest[1:]
	}
	out := &List{}
	for _, x := range items {
		y := x
		if attribute {
			if y, err = r.path(x, attr); err != nil {
				return nil, err
			}
		}
		ok, err := f(r, y, &arguments{pos: rest})
		if err != nil {
			return nil, err
		}
		if ok == want {
			out.Items = append(out.Items, x)
		}
	}
	return out, r.alloc(16 * len(out.Items))
}
