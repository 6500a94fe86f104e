package jinja

import (
	"fmt"
)

type testFunc func(r *run, v any, a *arguments) (bool, error)

// testNames are the tests
// (https://jinja.palletsprojects.com/en/stable/templates/#list-of-builtin-tests).
var testNames map[string]testFunc

func init() {
	is := func(f func(v any) bool) testFunc {
		return func(_ *run, v any, _ *arguments) (bool, error) { return f(v), nil }
	}
	compares := func(op string) testFunc {
		return func(r *run, v any, a *arguments) (bool, error) {
			if len(a.pos) != 1 {
				return false, fmt.Errorf("the test takes one argument")
			}
			return r.compare(op, v, a.pos[0])
		}
	}
	divides := func(v any, by int64, rest int64) (bool, error) {
		i, ok := integer(v)
		if !ok || by == 0 {
			return false, fmt.Errorf("a %s is not divided by %d", kind(v), by)
		}
		m, err := integers("%", i, by)
		return m == any(rest), err
	}
	testNames = map[string]testFunc{
		"boolean":  is(func(v any) bool { _, ok := v.(bool); return ok }),
		"callable": is(func(v any) bool { k := kind(v); return k == "function" || k == "Macro" }),
		"defined":  is(func(v any) bool { _, ok := v.(*undefined); return !ok }),
		"divisibleby": func(_ *run, v any, a *arguments) (bool, error) {
			n, err := a.number(0, "num", 0)
			if err != nil {
				return false, err
			}
			return divides(v, n, 0)
		},
		"eq":      compares("=="),
		"even":    func(_ *run, v any, _ *arguments) (bool, error) { return divides(v, 2, 0) },
		"odd":     func(_ *run, v any, _ *arguments) (bool, error) { return divides(v, 2, 1) },
		"false":   is(func(v any) bool { return v == any(false) }),
		"true":    is(func(v any) bool { return v == any(true) }),
		"filter":  is(func(v any) bool { s, ok := v.(string); return ok && filterNames[s] != nil }),
		"test":    is(func(v any) bool { s, ok := v.(string); return ok && testNames[s] != nil }),
		"float":   is(func(v any) bool { _, ok := v.(float64); return ok }),
		"ge":      compares(">="),
		"gt":      compares(">"),
		"in":      compares("in"),
		"integer": is(func(v any) bool { _, ok := v.(int64); return ok }),
		"iterable": is(func(v any) bool {
			k := kind(v)
			return k == "str" || k == "Markup" || k == "list" || k == "tuple" || k == "dict" || k == "Undefined"
		}),
		"le":      compares("<="),
		"lower":   func(r *run, v any, _ *arguments) (bool, error) { return r.cased(v, lower, upper) },
		"upper":   func(r *run, v any, _ *arguments) (bool, error) { return r.cased(v, upper, lower) },
		"lt":      compares("<"),
		"mapping": is(func(v any) bool { _, ok := v.(*Dict); return ok }),
		"ne":      compares("!="),
		"none":    is(func(v any) bool { return v == nil }),
		"number":  is(func(v any) bool { _, ok := float(v); return ok }),
		"sameas": func(_ *run, v any, a *arguments) (bool, error) {
			if len(a.pos) != 1 {
				return false, fmt.Errorf("the test takes one argument")
			}
			return v == a.pos[0], nil
		},
		"sequence": is(func(v any) bool {
			k := kind(v)
			return k == "str" || k == "Markup" || k == "list" || k == "tuple" || k == "dict" || k == "Undefined"
		}),
		"string":    is(func(v any) bool { _, ok := texts(v); return ok }),
		"undefined": is(func(v any) bool { _, ok := v.(*undefined); return ok }),
	}
	for short, long := range map[string]string{"==": "eq", "equalto": "eq", "!=": "ne", "<": "lt", "lessthan": "lt", "<=": "le", ">": "gt", "greaterthan": "gt", ">=": "ge"} {
		testNames[short] = testNames[long]
	}
}

// cased says whether a text is of one case, and has letters.
func (r *run) cased(v any, to, other func(string) string) (bool, error) {
	s, err := r.str(v)
	return to(s) == s && other(s) != s, err
}
