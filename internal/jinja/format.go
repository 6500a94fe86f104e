package jinja

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// percent is Python's formatting of a text with %; conversions are s, d, i, f, r, x
// and %, with a width and a precision.
func (r *run) percent(s string, v any) (any, error) {
	var args []any
	if l, ok := v.(*List); ok && l.Tuple {
		args = l.Items
	} else {
		args = []any{v}
	}
	var b strings.Builder
	used := 0
	for {
		k := strings.IndexByte(s, '%')
		if k < 0 {
			b.WriteString(s)
			break
		}
		b.WriteString(s[:k])
		s = s[k+1:]
		n := 0
		for n < len(s) && strings.IndexByte("0123456789.-+ ", s[n]) >= 0 {
			n++
		}
		if n == len(s) || n > 8 {
			return nil, fmt.Errorf("incomplete format")
		}
		spec, verb := s[:n], s[n]
		s = s[n+1:]
		if verb == '%' {
			b.WriteByte('%')
			continue
		}
		if used == len(args) {
			return nil, fmt.Errorf("not enough arguments for format string")
		}
		out, err := r.conversion(spec, verb, args[used])
		if err == nil {
			err = r.alloc(len(out))
		}
		if err != nil {
			return nil, err
		}
		b.WriteString(out)
		used++
	}
	if _, mapping := v.(*Dict); used < len(args) && !mapping {
		return nil, fmt.Errorf("not all arguments converted during string formatting")
	}
	return b.String(), r.alloc(b.Len())
}

func (r *run) conversion(spec string, verb byte, v any) (string, error) {
	width, precision, _ := strings.Cut(strings.TrimLeft(spec, "-+ 0"), ".")
	for _, n := range []string{width, precision} {
		if k, err := strconv.Atoi("0" + n); err != nil || k > 1000 {
			return "", fmt.Errorf("the format %%%s%c is not supported", spec, verb)
		}
	}
	switch verb {
	case 's', 'r':
		text := ""
		var err error
		if verb == 's' {
			text, err = r.str(v)
		} else {
			var b strings.Builder
			err = r.repr(&b, v, 0)
			text = b.String()
		}
		return fmt.Sprintf("%"+strings.ReplaceAll(spec, "0", "")+"s", text), err
	case 'd', 'i', 'x':
		i, ok := integer(v)
		if f, isFloat := v.(float64); isFloat && verb != 'x' && math.Abs(f) < 1<<62 {
			i, ok = int64(f), true
		}
		if !ok {
			return "", fmt.Errorf("%%%c format: a number is required, not %s", verb, kind(v))
		}
		if verb == 'i' {
			verb = 'd'
		}
		return fmt.Sprintf("%"+spec+string(verb), i), nil
	case 'f':
		f, ok := float(v)
		if !ok {
			return "", fmt.Errorf("must be real number, not %s", kind(v))
		}
		return fmt.Sprintf("%"+spec+"f", f), nil
	}
	return "", fmt.Errorf("the format %%%s%c is not supported", spec, verb)
}

// format is Python's str.format with fields {}, {0} and {name}, without conversions.
func (r *run) format(s string, a *arguments) (any, error) {
	var b strings.Builder
	auto := 0
	for s != "" {
		k := strings.IndexAny(s, "{}")
		if k < 0 {
			b.WriteString(s)
			break
		}
		b.WriteString(s[:k])
		c := s[k]
		if k+1 < len(s) && s[k+1] == c {
			b.WriteByte(c)
			s = s[k+2:]
			continue
		}
		end := strings.IndexByte(s[k:], '}')
		if c == '}' || end < 0 {
			return nil, fmt.Errorf("a single brace in a format")
		}
		field := s[k+1 : k+end]
		s = s[k+end+1:]
		if strings.ContainsAny(field, ".[!:") {
			return nil, fmt.Errorf("the format field {%s} is not supported", field)
		}
		i := auto
		var v any
		if n, err := strconv.Atoi(field); err == nil {
			i = n
		} else if field != "" {
			i = -1
		} else {
			auto++
		}
		switch {
		case i >= 0 && i < len(a.pos):
			v = a.pos[i]
		case i >= 0:
			return nil, fmt.Errorf("replacement index %d out of range", i)
		default:
			missing := new(int)
			if v = a.get(len(a.pos), field, missing); v == any(missing) {
				return nil, fmt.Errorf("the format field {%s} has no value", field)
			}
		}
		text, err := r.str(v)
		if err == nil {
			err = r.alloc(len(text))
		}
		if err != nil {
			return nil, err
		}
		b.WriteString(text)
	}
	return b.String(), r.alloc(b.Len())
}
