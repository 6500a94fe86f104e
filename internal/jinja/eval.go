package jinja

import (
	"fmt"
	"slices"
	"strings"
)

// eval gives the value of an expression.
func (r *run) eval(e expr, s *scope) (any, error) {
	if err := r.spend(1); err != nil {
		return nil, err
	}
	switch e := e.(type) {
	case *literal:
		return e.value, nil
	case *name_:
		if v, ok := s.get(e.name); ok {
			return v, nil
		}
		return &undefined{e.name}, nil
	case *unary:
		return r.unary(e, s)
	case *binary:
		return r.binaryExpr(e, s)
	case *compare:
		return r.comparison(e, s)
	case *cond:
		v, err := r.eval(e.test, s)
		if err != nil {
			return nil, err
		}
		if truth(v) {
			return r.eval(e.then, s)
		}
		if e.other == nil {
			return &undefined{"the value of a condition without else"}, nil
		}
		return r.eval(e.other, s)
	case *attr:
		v, err := r.eval(e.of, s)
		if err != nil {
			return nil, err
		}
		return r.attribute(v, e.name)
	case *item:
		v, err := r.eval(e.of, s)
		if err != nil {
			return nil, err
		}
		k, err := r.eval(e.key, s)
		if err != nil {
			return nil, err
		}
		return r.item(v, k)
	}
	return r.evalMore(e, s)
}

// evalMore gives the value of what calls, or makes lists.
func (r *run) evalMore(e expr, s *scope) (any, error) {
	switch e := e.(type) {
	case *slice:
		return r.slice(e, s)
	case *callExpr:
		f, a, err := r.operands(e.f, &e.call, s)
		if err != nil {
			return nil, err
		}
		v, err := r.callValue(f, a)
		return v, at(e.line, err)
	case *filter:
		v, a, err := r.operands(e.of, &e.call, s)
		if err != nil {
			return nil, err
		}
		v, err = filterNames[e.name](r, v, a)
		return v, at(e.line, err)
	case *test:
		v, a, err := r.operands(e.of, &e.call, s)
		if err != nil {
			return nil, err
		}
		ok, err := testNames[e.name](r, v, a)
		return ok, at(e.line, err)
	case *listExpr:
		out := &List{Tuple: e.tuple}
		for _, k := range e.items {
			v, err := r.eval(k, s)
			if err != nil {
				return nil, err
			}
			out.Items = append(out.Items, v)
		}
		return out, r.alloc(16 * len(out.Items))
	case *dictExpr:
		out := NewDict()
		for i := range e.keys {
			k, err := r.eval(e.keys[i], s)
			if err != nil {
				return nil, err
			}
			v, err := r.eval(e.values[i], s)
			if err != nil {
				return nil, err
			}
			if !hashable(k) {
				return nil, fmt.Errorf("unhashable type: '%s'", kind(k))
			}
			out.Set(k, v)
		}
		return out, r.alloc(64 * len(out.keys))
	}
	return nil, fmt.Errorf("an expression %T", e)
}

func (r *run) unary(e *unary, s *scope) (any, error) {
	v, err := r.eval(e.x, s)
	if err != nil {
		return nil, err
	}
	if e.op == "not" {
		return !truth(v), nil
	}
	if i, ok := integer(v); ok {
		if e.op == "-" {
			i = -i
		}
		return i, nil
	}
	if f, ok := v.(float64); ok {
		if e.op == "-" {
			f = -f
		}
		return f, nil
	}
	return nil, fmt.Errorf("bad operand type for unary %s: '%s'", e.op, kind(v))
}

func (r *run) binaryExpr(e *binary, s *scope) (any, error) {
	a, err := r.eval(e.a, s)
	if err != nil {
		return nil, err
	}
	switch e.op {
	case "and":
		if !truth(a) {
			return a, nil
		}
		return r.eval(e.b, s)
	case "or":
		if truth(a) {
			return a, nil
		}
		return r.eval(e.b, s)
	}
	b, err := r.eval(e.b, s)
	if err != nil {
		return nil, err
	}
	if e.op == "~" {
		x, err := r.str(a)
		if err != nil {
			return nil, err
		}
		y, err := r.str(b)
		if err != nil {
			return nil, err
		}
		return x + y, r.alloc(len(x) + len(y))
	}
	return r.arithmetic(e.op, a, b)
}

// operands gives the value of what is called, filtered or tested, and its arguments.
func (r *run) operands(of expr, c *call, s *scope) (any, *arguments, error) {
	v, err := r.eval(of, s)
	if err != nil {
		return nil, nil, err
	}
	a, err := r.args(c, s)
	return v, a, err
}

// args gives the values of arguments.
func (r *run) args(c *call, s *scope) (*arguments, error) {
	a := &arguments{names: slices.Clone(c.names)}
	n := len(c.args) - len(c.names)
	for i, e := range c.args {
		v, err := r.eval(e, s)
		if err != nil {
			return nil, err
		}
		if i < n {
			a.pos = append(a.pos, v)
		} else {
			a.named = append(a.named, v)
		}
	}
	if c.star != nil {
		v, err := r.eval(c.star, s)
		if err != nil {
			return nil, err
		}
		items, err := r.items(v)
		if err != nil {
			return nil, err
		}
		a.pos = append(a.pos, items...)
	}
	if c.stars != nil {
		v, err := r.eval(c.stars, s)
		if err != nil {
			return nil, err
		}
		d, ok := v.(*Dict)
		if !ok {
			return nil, fmt.Errorf("argument after ** must be a mapping, not %s", kind(v))
		}
		for _, k := range d.keys {
			name, ok := k.(string)
			if !ok {
				return nil, fmt.Errorf("keywords must be strings")
			}
			x, _ := d.Get(k)
			a.names, a.named = append(a.names, name), append(a.named, x)
		}
	}
	return a, nil
}

func (r *run) callValue(f any, a *arguments) (any, error) {
	switch f := f.(type) {
	case *function:
		return f.f(r, a)
	case *macro:
		return f.call(r, a, nil)
	case *loop:
		return f.again(r, a)
	case *undefined:
		return nil, fmt.Errorf("'%s' is undefined", f.name)
	}
	return nil, fmt.Errorf("'%s' object is not callable", kind(f))
}

// slice is a part of a text or a list.
func (r *run) slice(e *slice, s *scope) (any, error) {
	v, err := r.eval(e.of, s)
	if err != nil {
		return nil, err
	}
	var at [3]int64
	var have [3]bool
	for i, k := range []expr{e.from, e.to, e.step} {
		if k == nil {
			continue
		}
		x, err := r.eval(k, s)
		if err != nil {
			return nil, err
		}
		if x == nil {
			continue
		}
		if at[i], have[i] = integer(x); !have[i] {
			return nil, fmt.Errorf("slice indices must be integers or None")
		}
	}
	if u, ok := v.(*undefined); ok {
		return nil, fmt.Errorf("'%s' is undefined", u.name)
	}
	if _, ok := v.(*Dict); ok {
		return &undefined{"a slice of a dict"}, nil
	}
	items, err := r.items(v)
	if err != nil {
		return nil, err
	}
	n, step := int64(len(items)), int64(1)
	if have[2] {
		if step = at[2]; step == 0 {
			return nil, fmt.Errorf("slice step cannot be zero")
		}
	}
	lo, hi := int64(0), n // bounds of where it may begin
	if step < 0 {
		lo, hi = -1, n-1
	}
	clip := func(i int, def int64) int64 {
		if !have[i] {
			return def
		}
		k := at[i]
		if k < 0 {
			k += n
		}
		return min(max(k, lo), hi)
	}
	from, to := clip(0, lo), clip(1, hi)
	if step < 0 {
		from, to = clip(0, hi), clip(1, lo)
	}
	var out []any
	for i := from; step > 0 && i < to || step < 0 && i > to; i += step {
		out = append(out, items[i])
		if step > n || step < -n {
			break
		}
	}
	if err := r.alloc(16 * len(out)); err != nil {
		return nil, err
	}
	if l, ok := v.(*List); ok {
		return &List{out, l.Tuple}, nil
	}
	var b strings.Builder
	for _, x := range out {
		b.WriteString(x.(string))
	}
	return b.String(), nil
}
