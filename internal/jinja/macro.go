package jinja

import "fmt"

func (m *macro) call(r *run, a *arguments, caller any) (any, error) {
	if r.depth++; r.depth > maxNest {
		return nil, errDeep
	}
	defer func() { r.depth-- }()
	in := &scope{up: m.s}
	if caller != nil {
		in.set("caller", caller)
	}
	rest, more := &List{Tuple: true}, NewDict()
	for i, v := range a.pos {
		if i < len(m.params) {
			in.set(m.params[i], v)
		} else {
			rest.Items = append(rest.Items, v)
		}
	}
	for i, n := range a.names {
		known := false
		for k, p := range m.params {
			if known = p == n; known {
				if k < len(a.pos) {
					return nil, fmt.Errorf("macro %s got multiple values for argument %s", m.name, n)
				}
				in.set(p, a.named[i])
				break
			}
		}
		if known {
			continue
		}
		if n == "caller" {
			in.set("caller", a.named[i])
			continue
		}
		more.Set(n, a.named[i])
	}
	for i, p := range m.params {
		if _, ok := in.vars[p]; ok {
			continue
		}
		if k := i - (len(m.params) - len(m.defaults)); k >= 0 {
			v, err := r.eval(m.defaults[k], in)
			if err != nil {
				return nil, err
			}
			in.set(p, v)
		} else {
			in.set(p, &undefined{p})
		}
	}
	if len(rest.Items) > 0 && !m.uses("varargs") {
		return nil, fmt.Errorf("macro %s takes not more than %d argument(s)", m.name, len(m.params))
	}
	if len(more.keys) > 0 && !m.uses("kwargs") {
		return nil, fmt.Errorf("macro %s takes no keyword argument %q", m.name, more.keys[0])
	}
	in.set("varargs", rest)
	in.set("kwargs", more)
	return r.aside(m.body, in)
}
