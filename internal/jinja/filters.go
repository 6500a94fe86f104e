package jinja

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

type filterFunc func(r *run, v any, a *arguments) (any, error)

// filterNames are the filters
// (https://jinja.palletsprojects.com/en/stable/templates/#list-of-builtin-filters).
var filterNames map[string]filterFunc

func init() {
	filterNames = map[string]filterFunc{
		"abs": func(_ *run, v any, _ *arguments) (any, error) {
			if i, ok := integer(v); ok {
				return max(i, -i), nil
			}
			if f, ok := v.(float64); ok {
				return math.Abs(f), nil
			}
			return nil, fmt.Errorf("bad operand type for abs(): '%s'", kind(v))
		},
		"attr":       func(r *run, v any, a *arguments) (any, error) { return r.attrFilter(v, a) },
		"batch":      batch,
		"capitalize": ofText(capitalized),
		"count":      func(_ *run, v any, _ *arguments) (any, error) { n, err := length(v); return int64(n), err },
		"default":    defaultTo,
		"dictsort":   dictSort,
		"escape":     escape,
		"first":      func(r *run, v any, _ *arguments) (any, error) { return r.end(v, 0) },
		"float": func(_ *run, v any, a *arguments) (any, error) {
			if u, ok := v.(*undefined); ok {
				return nil, fmt.Errorf("'%s' is undefined", u.name)
			}
			if f, ok := float(v); ok {
				return f, nil
			}
			if s, ok := texts(v); ok {
				if f, err := strconv.ParseFloat(strings.ReplaceAll(strings.TrimSpace(s), "_", ""), 64); err == nil {
					return f, nil
				}
			}
			return a.get(0, "default", 0.0), nil
		},
		"format": func(r *run, v any, a *arguments) (any, error) {
			s, ok := texts(v)
			if !ok || len(a.names) > 0 {
				return nil, fmt.Errorf("format takes a text, and values without names")
			}
			return r.percent(s, &List{a.pos, true})
		},
		"groupby": groupBy,
		"indent":  indent,
		"int":     toInt,
		"items": func(r *run, v any, _ *arguments) (any, error) {
			switch v := v.(type) {
			case *undefined:
				return &List{}, nil
			case *Dict:
				return r.pairs(v)
			}
			return nil, fmt.Errorf("can only get item pairs from a mapping, not from a %s", kind(v))
		},
	}
}

func init() {
	maps.Copy(filterNames, map[string]filterFunc{
		"join": joinFilter,
		"last": func(r *run, v any, _ *arguments) (any, error) { return r.end(v, -1) },
		"list": func(r *run, v any, _ *arguments) (any, error) {
			items, err := r.items(v)
			if err == nil {
				err = r.alloc(16 * len(items))
			}
			return &List{Items: slices.Clone(items)}, err
		},
		"lower":      ofText(lower),
		"map":        mapFilter,
		"max":        func(r *run, v any, a *arguments) (any, error) { return r.extreme(v, a, true) },
		"min":        func(r *run, v any, a *arguments) (any, error) { return r.extreme(v, a, false) },
		"reject":     func(r *run, v any, a *arguments) (any, error) { return r.selected(v, a, false, false) },
		"rejectattr": func(r *run, v any, a *arguments) (any, error) { return r.selected(v, a, false, true) },
		"replace": func(r *run, v any, a *arguments) (any, error) {
			s, err := r.str(v)
			if err != nil {
				return nil, err
			}
			if a.get(2, "count", nil) == nil {
				a = &arguments{pos: []any{a.get(0, "old", nil), a.get(1, "new", nil)}}
			}
			for i := range min(2, len(a.pos)) {
				if a.pos[i], err = r.str(a.pos[i]); err != nil {
					return nil, err
				}
			}
			return replaceText(r, s, a)
		},
		"reverse":    reverse,
		"round":      round,
		"safe":       func(r *run, v any, _ *arguments) (any, error) { s, err := r.str(v); return markup(s), err },
		"select":     func(r *run, v any, a *arguments) (any, error) { return r.selected(v, a, true, false) },
		"selectattr": func(r *run, v any, a *arguments) (any, error) { return r.selected(v, a, true, true) },
		"sort":       sortFilter,
		"string":     func(r *run, v any, _ *arguments) (any, error) { return r.str(v) },
		"sum":        sum,
		"title":      ofText(titleFilter),
		"tojson":     toJSON,
		"trim": func(r *run, v any, a *arguments) (any, error) {
			s, err := r.str(v)
			if err != nil {
				return nil, err
			}
			return textMethods["strip"](r, s, a)
		},
		"unique": unique,
		"upper":  ofText(upper),
		"wordcount": func(r *run, v any, _ *arguments) (any, error) {
			s, err := r.str(v)
			words := strings.FieldsFunc(s, func(c rune) bool {
				return c != '_' && !unicode.IsLetter(c) && !unicode.IsNumber(c) && !unicode.Is(unicode.M, c)
			})
			return int64(len(words)), err
		},
	})
	for short, long := range map[string]string{"d": "default", "e": "escape", "length": "count"} {
		filterNames[short] = filterNames[long]
	}
}

func ofText(f func(string) string) filterFunc {
	return func(r *run, v any, _ *arguments) (any, error) {
		s, err := r.str(v)
		if err != nil {
			return nil, err
		}
		out := f(s)
		return out, r.alloc(len(out))
	}
}

// titleFilter is a text whose words begin with capitals; words end at blanks, hyphens
// and brackets that open.
func titleFilter(s string) string {
	first := true
	return strings.Map(func(c rune) rune {
		if unicode.IsSpace(c) || strings.ContainsRune("-({[<", c) {
			first = true
			return c
		}
		if first {
			first = false
			return unicode.ToUpper(c)
		}
		return unicode.ToLower(c)
	}, s)
}

func defaultTo(_ *run, v any, a *arguments) (any, error) {
	if err := a.check(2, "default_value", "boolean"); err != nil {
		return nil, err
	}
	_, missing := v.(*undefined)
	if missing || truth(a.get(1, "boolean", false)) && !truth(v) {
		return a.get(0, "default_value", ""), nil
	}
	return v, nil
}

func escape(r *run, v any, _ *arguments) (any, error) {
	if m, ok := v.(markup); ok {
		return m, nil
	}
	s, err := r.str(v)
	if err != nil {
		return nil, err
	}
	out := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "'", "&#39;", `"`, "&#34;").Replace(s)
	return markup(out), r.alloc(len(out))
}

// end is the first or the last item.
func (r *run) end(v any, at int) (any, error) {
	items, err := r.items(v)
	if err != nil {
		return nil, err
	}
	if len(items) == 0 {
		return &undefined{"the first or last item of an empty sequence"}, nil
	}
	if at < 0 {
		at = len(items) - 1
	}
	return items[at], nil
}

func batch(r *run, v any, a *arguments) (any, error) {
	n, err := a.number(0, "linecount", 0)
	if err != nil || n < 1 {
		return nil, fmt.Errorf("batch takes the number of items of a part")
	}
	items, err := r.items(v)
	if err != nil {
		return nil, err
	}
	fill := a.get(1, "fill_with", nil)
	out := &List{}
	for part := range slices.Chunk(items, int(min(n, int64(len(items)+1)))) {
		l := &List{Items: slices.Clone(part)}
		if int64(len(part)) < n && fill != nil {
			if err := r.alloc(int(min(16*n, math.MaxInt32))); err != nil {
				return nil, err
			}
			for int64(len(l.Items)) < n {
				l.Items = append(l.Items, fill)
			}
		}
		out.Items = append(out.Items, l)
	}
	return out, r.alloc(64 * len(out.Items))
}

func indent(r *run, v any, a *arguments) (any, error) {
	s, ok := texts(v)
	if !ok {
		return nil, fmt.Errorf("indent takes a text, not a %s", kind(v))
	}
	by := ""
	switch w := a.get(0, "width", int64(4)).(type) {
	case string:
		by = w
	case int64:
		if w > 1000 {
			return nil, errMuch
		}
		by = strings.Repeat(" ", int(max(0, w)))
	default:
		return nil, fmt.Errorf("the width is a %s", kind(w))
	}
	blank := truth(a.get(2, "blank", false))
	lines, err := splitLines(r, s+"\n", &arguments{})
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	for i, x := range lines.(*List).Items {
		line := x.(string)
		if i > 0 {
			b.WriteByte('\n')
		}
		if i == 0 && truth(a.get(1, "first", false)) || i > 0 && (blank || line != "") {
			b.WriteString(by)
		}
		b.WriteString(line)
		if err := r.alloc(1 + len(by) + len(line)); err != nil {
			return nil, err
		}
	}
	return b.String(), nil
}

func toInt(_ *run, v any, a *arguments) (any, error) {
	base, err := a.number(1, "base", 10)
	if err != nil || base < 2 || base > 36 {
		return nil, fmt.Errorf("the base is none from 2 to 36")
	}
	if u, ok := v.(*undefined); ok {
		return nil, fmt.Errorf("'%s' is undefined", u.name)
	}
	if i, ok := integer(v); ok {
		return i, nil
	}
	if f, ok := v.(float64); ok && math.Abs(f) < 1<<62 {
		return int64(f), nil
	}
	if s, ok := texts(v); ok {
		s = strings.ReplaceAll(strings.TrimSpace(s), "_", "")
		if i, err := strconv.ParseInt(withoutBase(s, base), int(base), 64); err == nil {
			return i, nil
		}
		if f, err := strconv.ParseFloat(s, 64); err == nil && math.Abs(f) < 1<<62 {
			return int64(f), nil
		}
	}
	return a.get(0, "default", int64(0)), nil
}

// withoutBase is a number without the sign of its base, as in 0x1f.
func withoutBase(s string, base int64) string {
	sign := map[int64]string{2: "0b", 8: "0o", 16: "0x"}[base]
	if n := len(sign); n > 0 && len(s) > n && strings.EqualFold(s[:n], sign) && s[n] != '+' && s[n] != '-' {
		return s[n:]
	}
	return s
}

func reverse(r *run, v any, _ *arguments) (any, error) {
	items, err := r.items(v)
	if err != nil {
		return nil, err
	}
	out := slices.Clone(items)
	slices.Reverse(out)
	if _, ok := texts(v); ok {
		return r.join("", &List{Items: out})
	}
	return &List{Items: out}, r.alloc(16 * len(out))
}

func round(_ *run, v any, a *arguments) (any, error) {
	f, ok := float(v)
	n, err := a.number(0, "precision", 0)
	how, err2 := a.text(1, "method", "common")
	if !ok || err != nil || err2 != nil || n < -300 || n > 300 {
		return nil, fmt.Errorf("round takes a number, a precision and a method")
	}
	scale := math.Pow(10, float64(n))
	switch how {
	case "ceil":
		return math.Ceil(f*scale) / scale, nil
	case "floor":
		return math.Floor(f*scale) / scale, nil
	case "common":
		if i, ok := integer(v); ok && n >= 0 { // whole numbers stay whole
			return i, nil
		}
		if n >= 0 {
			f, err = strconv.ParseFloat(strconv.FormatFloat(f, 'f', int(n), 64), 64)
			return f, err
		}
		f = math.RoundToEven(f*scale) / scale
		if _, ok := integer(v); ok {
			return int64(f), nil
		}
		return f, nil
	}
	return nil, fmt.Errorf("method must be common, ceil or floor")
}

func sum(r *run, v any, a *arguments) (any, error) {
	items, err := r.items(v)
	if err != nil {
		return nil, err
	}
	attr := a.get(0, "attribute", nil)
	out := a.get(1, "start", int64(0))
	for _, x := range items {
		if attr != nil {
			if x, err = r.path(x, attr); err != nil {
				return nil, err
			}
		}
		if out, err = r.arithmetic("+", out, x); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func toJSON(r *run, v any, a *arguments) (any, error) {
	if err := a.check(4, "ensure_ascii", "indent", "separators", "sort_keys"); err != nil {
		return nil, err
	}
	st := &style{ascii: truth(a.get(0, "ensure_ascii", false)), item: ", ", colon: ": ", sorted: truth(a.get(3, "sort_keys", false))}
	switch n := a.get(1, "indent", nil).(type) {
	case nil:
	case string:
		st.lines, st.indent, st.item = true, n, ","
	case int64:
		if n > 100 {
			return nil, errMuch
		}
		st.lines, st.indent, st.item = true, strings.Repeat(" ", int(max(0, n))), ","
	default:
		return nil, fmt.Errorf("the indent is a %s", kind(n))
	}
	if s, ok := a.get(2, "separators", nil).(*List); ok {
		if len(s.Items) != 2 {
			return nil, fmt.Errorf("there are two separators")
		}
		x, ok1 := texts(s.Items[0])
		y, ok2 := texts(s.Items[1])
		if !ok1 || !ok2 {
			return nil, fmt.Errorf("separators are texts")
		}
		st.item, st.colon = x, y
	}
	var b strings.Builder
	err := r.json(&b, v, st, 0)
	return b.String(), err
}
