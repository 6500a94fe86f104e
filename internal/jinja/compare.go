package jinja

import (
	"fmt"
	"strings"
)

func (r *run) comparison(e *compare, s *scope) (any, error) {
	a, err := r.eval(e.first, s)
	if err != nil {
		return nil, err
	}
	for i, op := range e.ops {
		b, err := r.eval(e.rest[i], s)
		if err != nil {
			return nil, err
		}
		ok, err := r.compare(op, a, b)
		if err != nil || !ok {
			return false, err
		}
		a = b
	}
	return true, nil
}

func (r *run) compare(op string, a, b any) (bool, error) {
	if op == "<" || op == ">" || op == "<=" || op == ">=" {
		for _, v := range []any{a, b} {
			if u, ok := v.(*undefined); ok {
				return false, fmt.Errorf("'%s' is undefined", u.name)
			}
		}
	}
	switch op {
	case "==", "!=":
		ok, err := r.equal(a, b, 0)
		return ok == (op == "=="), err
	case "<":
		return r.less(a, b)
	case ">":
		return r.less(b, a)
	case "<=", ">=":
		if op == ">=" {
			a, b = b, a
		}
		ok, err := r.less(a, b)
		if err != nil || ok {
			return ok, err
		}
		return r.equal(a, b, 0)
	}
	ok, err := r.contains(b, a)
	return ok == (op == "in"), err
}

// contains says whether a value is in another.
func (r *run) contains(in, v any) (bool, error) {
	if s, ok := texts(in); ok {
		t, ok := texts(v)
		if !ok {
			return false, fmt.Errorf("'in <string>' requires string as left operand, not %s", kind(v))
		}
		return strings.Contains(s, t), r.spend(len(s) / 64)
	}
	if d, ok := in.(*Dict); ok {
		if k := kind(v); k == "dict" || k == "list" {
			return false, fmt.Errorf("unhashable type: '%s'", k)
		}
		_, ok := d.Get(v)
		return ok, nil
	}
	items, err := r.items(in)
	for _, x := range items {
		if ok, err := r.equal(x, v, 0); ok || err != nil {
			return ok, err
		}
	}
	return false, err
}
