package jinja

import (
	"fmt"
	"math"
	"unicode/utf8"
)

// Values are Python's: nil (None), bool, int64, float64, string, [*List], [*Dict], and
// what only a template makes.

// List is a list, or a tuple.
type List struct {
	Items []any
	Tuple bool
}

// Dict is a dictionary, in the order in which its keys came.
type Dict struct {
	keys   []any
	values map[any]any
}

// NewDict makes an empty dictionary.
func NewDict() *Dict { return &Dict{values: map[any]any{}} }

// Set sets a value; keys are nil, bool, int64, float64 and string.
func (d *Dict) Set(key, value any) {
	k := canonical(key)
	if _, ok := d.values[k]; !ok {
		d.keys = append(d.keys, key)
	}
	d.values[k] = value
}

// Get gives a value; false: there is none.
func (d *Dict) Get(key any) (any, bool) {
	if !hashable(key) {
		return nil, false
	}
	v, ok := d.values[canonical(key)]
	return v, ok
}

// canonical makes keys equal that are equal in Python.
func canonical(key any) any {
	switch k := key.(type) {
	case bool:
		if k {
			return int64(1)
		}
		return int64(0)
	case float64:
		if k == math.Trunc(k) && math.Abs(k) < 1<<53 {
			return int64(k)
		}
	case markup:
		return string(k)
	}
	return key
}

func hashable(key any) bool {
	switch key.(type) {
	case nil, bool, int64, float64, string, markup:
		return true
	}
	return false
}

type (
	markup    string // a text that is said to be safe
	undefined struct{ name string }
	namespace struct{ d *Dict }
	function  struct {
		name string
		f    func(r *run, a *arguments) (any, error)
	}
	arguments struct {
		pos   []any
		names []string
		named []any
	}
)

// kind is the name of a value's type in Python.
func kind(v any) string {
	switch v := v.(type) {
	case nil:
		return "NoneType"
	case bool:
		return "bool"
	case int64:
		return "int"
	case float64:
		return "float"
	case string:
		return "str"
	case markup:
		return "Markup"
	case *List:
		if v.Tuple {
			return "tuple"
		}
		return "list"
	case *Dict:
		return "dict"
	case *undefined:
		return "Undefined"
	case *namespace:
		return "Namespace"
	case *macro:
		return "Macro"
	}
	return "function"
}

func truth(v any) bool {
	switch v := v.(type) {
	case nil, *undefined:
		return false
	case bool:
		return v
	case int64:
		return v != 0
	case float64:
		return v != 0
	case string:
		return v != ""
	case markup:
		return v != ""
	case *List:
		return len(v.Items) > 0
	case *Dict:
		return len(v.keys) > 0
	}
	return true
}

// integer is the value of a whole number, or of a bool.
func integer(v any) (int64, bool) {
	switch v := v.(type) {
	case int64:
		return v, true
	case bool:
		if v {
			return 1, true
		}
		return 0, true
	}
	return 0, false
}

func float(v any) (float64, bool) {
	if f, ok := v.(float64); ok {
		return f, true
	}
	i, ok := integer(v)
	return float64(i), ok
}

func texts(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case markup:
		return string(v), true
	}
	return "", false
}

// equal is Python's ==.
func (r *run) equal(a, b any, depth int) (bool, error) {
	if depth > maxNest {
		return false, errDeep
	}
	if err := r.spend(1); err != nil {
		return false, err
	}
	if x, ok := float(a); ok {
		y, ok := float(b)
		i, ok1 := integer(a)
		j, ok2 := integer(b)
		if ok1 && ok2 {
			return i == j, nil
		}
		return ok && x == y, nil
	}
	if x, ok := texts(a); ok {
		y, ok := texts(b)
		return ok && x == y, nil
	}
	switch x := a.(type) {
	case nil:
		return b == nil, nil
	case *undefined:
		_, ok := b.(*undefined)
		return ok, nil
	case *List:
		y, ok := b.(*List)
		if !ok || x.Tuple != y.Tuple || len(x.Items) != len(y.Items) {
			return false, nil
		}
		for i := range x.Items {
			if ok, err := r.equal(x.Items[i], y.Items[i], depth+1); !ok || err != nil {
				return false, err
			}
		}
		return true, nil
	case *Dict:
		y, ok := b.(*Dict)
		if !ok || len(x.keys) != len(y.keys) {
			return false, nil
		}
		for _, k := range x.keys {
			v, _ := x.Get(k)
			w, ok := y.Get(k)
			if !ok {
				return false, nil
			}
			if ok, err := r.equal(v, w, depth+1); !ok || err != nil {
				return false, err
			}
		}
		return true, nil
	}
	return a == b, nil
}

// less is Python's <.
func (r *run) less(a, b any) (bool, error) {
	if i, ok := integer(a); ok {
		if j, ok := integer(b); ok {
			return i < j, nil
		}
	}
	if x, ok := float(a); ok {
		if y, ok := float(b); ok {
			return x < y, nil
		}
	}
	if x, ok := texts(a); ok {
		if y, ok := texts(b); ok {
			return x < y, nil
		}
	}
	x, ok1 := a.(*List)
	y, ok2 := b.(*List)
	if ok1 && ok2 && x.Tuple == y.Tuple {
		for i := range min(len(x.Items), len(y.Items)) {
			same, err := r.equal(x.Items[i], y.Items[i], 0)
			if err != nil {
				return false, err
			}
			if !same {
				if _, nested := x.Items[i].(*List); nested {
					return false, errDeep
				}
				return r.less(x.Items[i], y.Items[i])
			}
		}
		return len(x.Items) < len(y.Items), nil
	}
	return false, fmt.Errorf("'<' not supported between instances of '%s' and '%s'", kind(a), kind(b))
}

// items are the elements of what a loop can go over.
func (r *run) items(v any) ([]any, error) {
	switch v := v.(type) {
	case *List:
		return v.Items, r.spend(len(v.Items))
	case *Dict:
		return v.keys, r.spend(len(v.keys))
	case *undefined:
		return nil, nil
	}
	if s, ok := texts(v); ok {
		if err := r.alloc(32 * len(s)); err != nil {
			return nil, err
		}
		out := make([]any, 0, len(s))
		for _, c := range s {
			out = append(out, string(c))
		}
		return out, nil
	}
	return nil, fmt.Errorf("'%s' object is not iterable", kind(v))
}

func length(v any) (int, error) {
	switch v := v.(type) {
	case *List:
		return len(v.Items), nil
	case *Dict:
		return len(v.keys), nil
	case *undefined:
		return 0, nil
	}
	if s, ok := texts(v); ok {
		return utf8.RuneCountInString(s), nil
	}
	return 0, fmt.Errorf("object of type '%s' has no len()", kind(v))
}
