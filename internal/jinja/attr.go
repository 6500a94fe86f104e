package jinja

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// loop is the variable of that name.
type loop struct {
	f     *forStmt
	s     *scope
	items []any
	at    int
	depth int
	last  any // of changed
	any   bool
}

func (l *loop) attribute(name string) any {
	n := int64(len(l.items))
	i := int64(l.at)
	near := func(k int64) any {
		if k < 0 || k >= n {
			return &undefined{"loop." + name}
		}
		return l.items[k]
	}
	switch name {
	case "index":
		return i + 1
	case "index0":
		return i
	case "revindex":
		return n - i
	case "revindex0":
		return n - i - 1
	case "first":
		return i == 0
	case "last":
		return i == n-1
	case "length":
		return n
	case "depth":
		return int64(l.depth + 1)
	case "depth0":
		return int64(l.depth)
	case "previtem":
		return near(i - 1)
	case "nextitem":
		return near(i + 1)
	case "cycle":
		return &function{name, func(_ *run, a *arguments) (any, error) {
			if len(a.pos) == 0 {
				return nil, fmt.Errorf("no items for cycling given")
			}
			return a.pos[l.at%len(a.pos)], nil
		}}
	case "changed":
		return &function{name, func(r *run, a *arguments) (any, error) {
			now := &List{a.pos, true}
			if l.any {
				same, err := r.equal(l.last, now, 0)
				if same || err != nil {
					return false, err
				}
			}
			l.last, l.any = now, true
			return true, nil
		}}
	}
	return &undefined{"loop." + name}
}

// again is a loop over what lies in an item, with the same body.
func (l *loop) again(r *run, a *arguments) (any, error) {
	if !l.f.recursive || len(a.pos) != 1 {
		return nil, fmt.Errorf("the loop is not recursive, or not called with what it goes over")
	}
	was := r.out
	r.out = new(strings.Builder)
	err := l.f.loop(r, l.s, a.pos[0], l.depth+1)
	out := r.out.String()
	r.out = was
	return out, err
}

// attribute is what stands behind a point: what the type has of that name, or else the
// item.
func (r *run) attribute(v any, name string) (any, error) {
	if u, ok := v.(*undefined); ok {
		return nil, fmt.Errorf("'%s' is undefined", u.name)
	}
	if m := r.member(v, name); m != nil {
		return m, nil
	}
	if d, ok := v.(*Dict); ok {
		if x, ok := d.Get(name); ok {
			return x, nil
		}
	}
	return &undefined{fmt.Sprintf("%s object has no attribute '%s'", kind(v), name)}, nil
}

// member is what the type of a value has of a name; nil: nothing.
func (r *run) member(v any, name string) any {
	switch v := v.(type) {
	case *loop:
		return v.attribute(name)
	case *namespace:
		if x, ok := v.d.Get(name); ok {
			return x
		}
		return &undefined{"namespace." + name}
	case *macro:
		if name == "name" {
			return v.name
		}
	case string:
		if m := textMethods[name]; m != nil {
			return &function{name, func(r *run, a *arguments) (any, error) { return m(r, v, a) }}
		}
	case markup:
		if textMethods[name] != nil {
			return &function{name, func(*run, *arguments) (any, error) {
				return nil, fmt.Errorf("%s of a text that is marked as safe is not supported", name)
			}}
		}
	case *Dict:
		if m := dictMethods[name]; m != nil {
			return &function{name, func(r *run, a *arguments) (any, error) { return m(r, v, a) }}
		}
	case *List:
		if m := listMethods[name]; m != nil {
			return &function{name, func(r *run, a *arguments) (any, error) { return m(r, v, a) }}
		}
	}
	return nil
}

// item is what stands in brackets: the item, or else what the type has of that name.
func (r *run) item(v, k any) (any, error) {
	name, isText := texts(k)
	if i, ok := integer(k); ok {
		name = strconv.FormatInt(i, 10)
	}
	switch v := v.(type) {
	case *undefined:
		return nil, fmt.Errorf("'%s' is undefined", v.name)
	case *Dict:
		if x, ok := v.Get(k); ok {
			return x, nil
		}
	case *List:
		if i, ok := integer(k); ok {
			if i < 0 {
				i += int64(len(v.Items))
			}
			if i >= 0 && i < int64(len(v.Items)) {
				return v.Items[i], nil
			}
		}
	case string:
		if i, ok := integer(k); ok {
			n := int64(utf8.RuneCountInString(v))
			if err := r.spend(len(v) / 16); err != nil {
				return nil, err
			}
			if i < 0 {
				i += n
			}
			if i >= 0 && i < n {
				for _, c := range v {
					if i == 0 {
						return string(c), nil
					}
					i--
				}
			}
		}
	}
	if isText {
		if m := r.member(v, name); m != nil {
			return m, nil
		}
	}
	return &undefined{fmt.Sprintf("%s object has no element '%s'", kind(v), name)}, nil
}

// uses says whether a macro's body has a name.
func (m *macroStmt) uses(name string) bool { return m.special[name] }
