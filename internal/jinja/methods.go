package jinja

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/language"
)

// get gives an argument by its place (below zero: by name alone) or name; def where it is not given.
func (a *arguments) get(i int, name string, def any) any {
	if i >= 0 && i < len(a.pos) {
		return a.pos[i]
	}
	for k, n := range a.names {
		if n == name {
			return a.named[k]
		}
	}
	return def
}

// check refuses arguments that are not known.
func (a *arguments) check(most int, names ...string) error {
	if len(a.pos) > most {
		return fmt.Errorf("%d arguments are given, at most %d are taken", len(a.pos), most)
	}
	for _, n := range a.names {
		if !slices.Contains(names, n) {
			return fmt.Errorf("there is no argument %q", n)
		}
	}
	return nil
}

func (a *arguments) text(i int, name, def string) (string, error) {
	v := a.get(i, name, def)
	s, ok := texts(v)
	if !ok {
		return "", fmt.Errorf("the argument %s is a %s, not a str", name, kind(v))
	}
	return s, nil
}

func (a *arguments) number(i int, name string, def int64) (int64, error) {
	v := a.get(i, name, def)
	n, ok := integer(v)
	if !ok {
		return 0, fmt.Errorf("the argument %s is a %s, not an int", name, kind(v))
	}
	return n, nil
}

type method[T any] func(r *run, v T, a *arguments) (any, error)

var textMethods map[string]method[string]
var dictMethods map[string]method[*Dict]
var listMethods map[string]method[*List]

// refused are methods that change values, which a sandbox does not allow.
func refused[T any](name string) method[T] {
	return func(*run, T, *arguments) (any, error) {
		return nil, fmt.Errorf("%s changes a value, which a template may not", name)
	}
}

func init() {
	textMethods = map[string]method[string]{
		"strip":      trimmed(strings.TrimFunc, strings.Trim),
		"lstrip":     trimmed(strings.TrimLeftFunc, strings.TrimLeft),
		"rstrip":     trimmed(strings.TrimRightFunc, strings.TrimRight),
		"upper":      changed(upper),
		"lower":      changed(lower),
		"title":      changed(titled),
		"capitalize": changed(capitalized),
		"startswith": affix(strings.HasPrefix),
		"endswith":   affix(strings.HasSuffix),
		"split":      func(r *run, s string, a *arguments) (any, error) { return r.split(s, a, false) },
		"rsplit":     func(r *run, s string, a *arguments) (any, error) { return r.split(s, a, true) },
		"splitlines": splitLines,
		"replace":    replaceText,
		"find":       finding(strings.Index, false),
		"rfind":      finding(strings.LastIndex, false),
		"index":      finding(strings.Index, true),
		"count":      countText,
		"join":       func(r *run, s string, a *arguments) (any, error) { return r.join(s, a.get(0, "", nil)) },
		"isdigit":    every(unicode.IsDigit),
		"isalpha":    every(unicode.IsLetter),
		"isalnum":    every(func(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) }),
		"isspace":    every(unicode.IsSpace),
		"isupper": func(_ *run, s string, _ *arguments) (any, error) {
			return s != lower(s) && s == upper(s), nil
		},
		"islower": func(_ *run, s string, _ *arguments) (any, error) {
			return s != upper(s) && s == lower(s), nil
		},
		"removeprefix": func(_ *run, s string, a *arguments) (any, error) {
			p, err := a.text(0, "prefix", "")
			return strings.TrimPrefix(s, p), err
		},
		"removesuffix": func(_ *run, s string, a *arguments) (any, error) {
			p, err := a.text(0, "suffix", "")
			return strings.TrimSuffix(s, p), err
		},
		"partition": func(_ *run, s string, a *arguments) (any, error) {
			sep, err := a.text(0, "sep", "")
			if err == nil && sep == "" {
				err = fmt.Errorf("empty separator")
			}
			before, behind, ok := strings.Cut(s, sep)
			if !ok {
				sep = ""
			}
			return &List{[]any{before, sep, behind}, true}, err
		},
		"format": func(r *run, s string, a *arguments) (any, error) { return r.format(s, a) },
	}
}

func init() {
	dictMethods = map[string]method[*Dict]{
		"get": func(_ *run, d *Dict, a *arguments) (any, error) {
			if len(a.pos) == 0 {
				return nil, fmt.Errorf("get expected at least 1 argument")
			}
			if v, ok := d.Get(a.pos[0]); ok {
				return v, nil
			}
			return a.get(1, "default", nil), nil
		},
		"items": func(r *run, d *Dict, _ *arguments) (any, error) { return r.pairs(d) },
		"keys": func(r *run, d *Dict, _ *arguments) (any, error) {
			return &List{slices.Clone(d.keys), false}, r.alloc(16 * len(d.keys))
		},
		"values": func(r *run, d *Dict, _ *arguments) (any, error) {
			out := &List{}
			for _, k := range d.keys {
				v, _ := d.Get(k)
				out.Items = append(out.Items, v)
			}
			return out, r.alloc(16 * len(out.Items))
		},
		"copy": func(r *run, d *Dict, _ *arguments) (any, error) {
			out := NewDict()
			for _, k := range d.keys {
				v, _ := d.Get(k)
				out.Set(k, v)
			}
			return out, r.alloc(64 * len(d.keys))
		},
	}
	for _, name := range []string{"pop", "popitem", "update", "setdefault", "clear"} {
		dictMethods[name] = refused[*Dict](name)
	}
	listMethods = map[string]method[*List]{
		"index": func(r *run, l *List, a *arguments) (any, error) {
			for i, x := range l.Items {
				if ok, err := r.equal(x, a.get(0, "", nil), 0); ok || err != nil {
					return int64(i), err
				}
			}
			return nil, fmt.Errorf("the value is not in the list")
		},
		"count": func(r *run, l *List, a *arguments) (any, error) {
			n := int64(0)
			for _, x := range l.Items {
				ok, err := r.equal(x, a.get(0, "", nil), 0)
				if err != nil {
					return nil, err
				}
				if ok {
					n++
				}
			}
			return n, nil
		},
		"copy": func(r *run, l *List, _ *arguments) (any, error) {
			return &List{slices.Clone(l.Items), false}, r.alloc(16 * len(l.Items))
		},
	}
	for _, name := range []string{"append", "extend", "insert", "pop", "remove", "reverse", "sort", "clear"} {
		listMethods[name] = refused[*List](name)
	}
}

func (r *run) pairs(d *Dict) (any, error) {
	out := &List{}
	for _, k := range d.keys {
		v, _ := d.Get(k)
		out.Items = append(out.Items, &List{[]any{k, v}, true})
	}
	return out, r.alloc(64 * len(out.Items))
}

func trimmed(blanks func(string, func(rune) bool) string, chars func(string, string) string) method[string] {
	return func(_ *run, s string, a *arguments) (any, error) {
		v := a.get(0, "chars", nil)
		if v == nil {
			return blanks(s, isSpace), nil
		}
		c, ok := texts(v)
		if !ok {
			return nil, fmt.Errorf("strip arg must be None or str, not %s", kind(v))
		}
		return chars(s, c), nil
	}
}

// isSpace is what Python's texts take for blanks.
func isSpace(r rune) bool { return unicode.IsSpace(r) || r >= 0x1c && r <= 0x1f }

func changed(f func(string) string) method[string] {
	return func(r *run, s string, _ *arguments) (any, error) {
		out := f(s)
		return out, r.alloc(len(out))
	}
}

// upper and lower change the case of a text as Unicode says, not character by character.
func upper(s string) string { return cases.Upper(language.Und).String(s) }
func lower(s string) string { return cases.Lower(language.Und).String(s) }

func capitalized(s string) string {
	c, n := utf8.DecodeRuneInString(s)
	if n == 0 {
		return s
	}
	return string(unicode.ToTitle(c)) + lower(s[n:])
}

// titled is a text whose words begin with capitals; words are runs of letters.
func titled(s string) string {
	inside := false
	return strings.Map(func(r rune) rune {
		letter := unicode.IsLetter(r)
		if letter && !inside {
			r = unicode.ToTitle(r)
		} else if letter {
			r = unicode.ToLower(r)
		}
		inside = letter
		return r
	}, s)
}

func affix(f func(s, part string) bool) method[string] {
	return func(r *run, s string, a *arguments) (any, error) {
		if len(a.pos) != 1 {
			return nil, fmt.Errorf("one argument is taken, of which a text begins or ends")
		}
		if l, ok := a.pos[0].(*List); ok && l.Tuple {
			for _, x := range l.Items {
				p, ok := texts(x)
				if !ok {
					return nil, fmt.Errorf("a tuple holds a %s, not a str", kind(x))
				}
				if f(s, p) {
					return true, nil
				}
			}
			return false, nil
		}
		p, err := a.text(0, "prefix", "")
		return f(s, p), err
	}
}

func every(f func(rune) bool) method[string] {
	return func(_ *run, s string, _ *arguments) (any, error) {
		return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return !f(r) }), nil
	}
}

func replaceText(r *run, s string, a *arguments) (any, error) {
	old, err := a.text(0, "old", "")
	if err != nil {
		return nil, err
	}
	by, err := a.text(1, "new", "")
	if err != nil {
		return nil, err
	}
	n, err := a.number(2, "count", -1)
	if err != nil {
		return nil, err
	}
	found := strings.Count(s, old)
	if n >= 0 {
		found = int(min(n, int64(found)))
	}
	if len(by) > 0 && found > r.bytes/len(by) {
		return nil, errMuch
	}
	if err := r.alloc(len(s) + found*len(by)); err != nil {
		return nil, err
	}
	return strings.Replace(s, old, by, found), nil
}

func finding(f func(s, part string) int, must bool) method[string] {
	return func(_ *run, s string, a *arguments) (any, error) {
		if err := a.check(1); err != nil {
			return nil, err
		}
		p, err := a.text(0, "sub", "")
		if err != nil {
			return nil, err
		}
		k := f(s, p)
		if k < 0 && must {
			return nil, fmt.Errorf("substring not found")
		}
		if k > 0 {
			k = utf8.RuneCountInString(s[:k])
		}
		return int64(k), nil
	}
}

func countText(_ *run, s string, a *arguments) (any, error) {
	if err := a.check(1); err != nil {
		return nil, err
	}
	p, err := a.text(0, "sub", "")
	return int64(strings.Count(s, p)), err
}

// join puts texts together.
func (r *run) join(sep string, v any) (any, error) {
	items, err := r.items(v)
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	for i, x := range items {
		s, ok := texts(x)
		if !ok {
			return nil, fmt.Errorf("sequence item %d: expected str instance, %s found", i, kind(x))
		}
		if i > 0 {
			s = sep + s
		}
		if err := r.alloc(len(s)); err != nil {
			return nil, err
		}
		b.WriteString(s)
	}
	return b.String(), nil
}
