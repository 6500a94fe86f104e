// Package jinja renders templates of Jinja2 (https://jinja.palletsprojects.com) as the
// transformers library sets it up for conversations: trim_blocks, lstrip_blocks, loop
// controls, and a sandbox in which nothing can be changed. Values and texts are
// Python's.
//
// Templates come with models and are hostile: steps, bytes and depth are bounded, no
// file is read, and no other template. What is not understood is refused by name. It is
// own code because the Go libraries (gonja 2.9.1, ardanlabs/jinja 1.8.0) end the program
// on a macro that calls itself, have no bounds, and give other values than Jinja2 where
// it matters here: the order of dictionaries, division of whole numbers, None, errors of
// what is undefined.
package jinja

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// MaxTemplate bounds the text of a template, in bytes.
const MaxTemplate = 1 << 20

// Template is a template that can be rendered any number of times, by several
// goroutines at once.
type Template struct{ body []stmt }

// Parse reads a template.
func Parse(source string) (*Template, error) {
	if len(source) > MaxTemplate {
		return nil, fmt.Errorf("a template of %d bytes: at most %d are read", len(source), MaxTemplate)
	}
	if !utf8.ValidString(source) {
		return nil, fmt.Errorf("the template is not UTF-8")
	}
	toks, err := lex(source)
	if err != nil {
		return nil, fmt.Errorf("the template: %w", err)
	}
	body, _, err := (&parser{toks: toks}).statements()
	if err != nil {
		return nil, fmt.Errorf("the template: %w", err)
	}
	return &Template{body}, nil
}

// Raised is the error of a template that calls raise_exception.
type Raised struct{ Message string }

func (e *Raised) Error() string { return e.Message }

// Render gives the text, with values by their names.
func (t *Template) Render(ctx context.Context, values map[string]any, limits Limits) (string, error) {
	r := &run{ctx: ctx, out: new(strings.Builder), bytes: limits.Bytes, steps: limits.Steps, clock: limits.Clock}
	if r.bytes <= 0 {
		r.bytes = 64 << 20
	}
	if r.steps <= 0 {
		r.steps = 10_000_000
	}
	if r.clock == nil {
		r.clock = time.Now
	}
	s := &scope{up: &scope{vars: globals}}
	for name, v := range values {
		s.set(name, v)
	}
	if err := ctx.Err(); err != nil {
		return "", err
	}
	if err := r.all(t.body, s); err != nil {
		return "", fmt.Errorf("the template: %w", err)
	}
	return r.out.String(), nil
}

// maxRange bounds what range gives, as Jinja's sandbox does.
const maxRange = 100_000

// globals are functions that every template has.
var globals = map[string]any{
	"range": &function{"range", func(r *run, a *arguments) (any, error) {
		var n [3]int64
		for i, v := range a.pos {
			k, ok := integer(v)
			if !ok || i > 2 {
				return nil, fmt.Errorf("range takes up to three numbers")
			}
			n[i] = k
		}
		from, to, step := n[0], n[1], n[2]
		switch len(a.pos) {
		case 0:
			return nil, fmt.Errorf("range takes up to three numbers")
		case 1:
			from, to, step = 0, n[0], 1
		case 2:
			step = 1
		}
		if step == 0 {
			return nil, fmt.Errorf("range() arg 3 must not be zero")
		}
		out := &List{}
		for i := from; step > 0 && i < to || step < 0 && i > to; i += step {
			if len(out.Items) == maxRange {
				return nil, fmt.Errorf("range too big: the sandbox blocks ranges larger than %d", maxRange)
			}
			out.Items = append(out.Items, i)
			if step > 0 && i > to-step || step < 0 && i < to-step {
				break
			}
		}
		return out, r.alloc(16 * len(out.Items))
	}},
	"dict": &function{"dict", func(r *run, a *arguments) (any, error) {
		out := NewDict()
		if len(a.pos) > 0 {
			d, ok := a.pos[0].(*Dict)
			if !ok || len(a.pos) > 1 {
				return nil, fmt.Errorf("dict takes a dict, and values by name")
			}
			for _, k := range d.keys {
				v, _ := d.Get(k)
				out.Set(k, v)
			}
		}
		for i, n := range a.names {
			out.Set(n, a.named[i])
		}
		return out, r.alloc(64 * len(out.keys))
	}},
	"namespace": &function{"namespace", func(r *run, a *arguments) (any, error) {
		d := NewDict()
		for _, v := range a.pos {
			from, ok := v.(*Dict)
			if !ok {
				return nil, fmt.Errorf("namespace takes a dict, and values by name")
			}
			for _, k := range from.keys {
				x, _ := from.Get(k)
				d.Set(k, x)
			}
		}
		for i, n := range a.names {
			d.Set(n, a.named[i])
		}
		return &namespace{d}, r.alloc(64 * len(d.keys))
	}},
	"raise_exception": &function{"raise_exception", func(r *run, a *arguments) (any, error) {
		s, err := r.str(a.get(0, "message", ""))
		if err != nil {
			return nil, err
		}
		return nil, &Raised{s}
	}},
	"strftime_now": &function{"strftime_now", func(r *run, a *arguments) (any, error) {
		f, err := a.text(0, "format", "")
		if err != nil {
			return nil, err
		}
		return strftime(f, r.clock())
	}},
}

// strftime writes a time as C does.
func strftime(format string, t time.Time) (string, error) {
	layouts := map[byte]string{'Y': "2006", 'm': "01", 'd': "02", 'b': "Jan", 'B': "January", 'a': "Mon", 'A': "Monday", 'H': "15", 'M': "04", 'S': "05",
		'y': "06", 'j': "002", 'p': "PM", 'I': "03", 'e': "_2", 'F': "2006-01-02", 'T': "15:04:05", 'D': "01/02/06", 'R': "15:04", 'Z': "MST", 'z': "-0700"}
	var b strings.Builder
	for i := 0; i < len(format); i++ {
		if format[i] != '%' || i+1 == len(format) {
			b.WriteByte(format[i])
			continue
		}
		i++
		short := format[i] == '-' && i+1 < len(format)
		if short {
			i++
		}
		layout, ok := layouts[format[i]]
		switch {
		case format[i] == '%':
			b.WriteByte('%')
		case !ok:
			return "", fmt.Errorf("the time format %%%c is not supported", format[i])
		case short:
			s := strings.TrimLeft(t.Format(layout), "0 ")
			if s == "" {
				s = "0"
			}
			b.WriteString(s)
		default:
			b.WriteString(t.Format(layout))
		}
	}
	return b.String(), nil
}
