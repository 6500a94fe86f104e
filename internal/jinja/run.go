package jinja

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Limits bound what a template may take; zero: the default.
type Limits struct {
	Bytes int // of the text, and of all values that are made: 64 MiB
	Steps int // 10 million
	Clock func() time.Time
}

// run is a template at work.
type run struct {
	ctx   context.Context
	out   *strings.Builder
	bytes int // that are left
	steps int
	depth int
	clock func() time.Time
}

var (
	errDeep = fmt.Errorf("values or calls lie in each other more than %d deep", maxNest)
	errMuch = errors.New("the template makes too many bytes")
	errLong = errors.New("the template takes too many steps")
)

// spend takes steps.
func (r *run) spend(n int) error {
	was := r.steps
	if r.steps -= n + 1; r.steps < 0 {
		return errLong
	}
	if was>>14 != r.steps>>14 {
		return r.ctx.Err()
	}
	return nil
}

// alloc takes memory.
func (r *run) alloc(n int) error {
	if n < 0 || n > r.bytes {
		return errMuch
	}
	r.bytes -= n
	return nil
}

func (r *run) write(s string) error {
	if err := r.alloc(len(s)); err != nil {
		return err
	}
	r.out.WriteString(s)
	return nil
}

// scope is names with values.
type scope struct {
	up   *scope
	vars map[string]any
}

func (s *scope) get(name string) (any, bool) {
	for ; s != nil; s = s.up {
		if v, ok := s.vars[name]; ok {
			return v, true
		}
	}
	return nil, false
}

func (s *scope) set(name string, v any) {
	if s.vars == nil {
		s.vars = map[string]any{}
	}
	s.vars[name] = v
}

// stmt is a part of a template that does something.
type stmt interface {
	run(r *run, s *scope) error
}

type (
	text   string
	output struct {
		e    expr
		line int
	}
	block  struct{ body []stmt }
	jump   struct{ leave bool }
	ifStmt struct {
		conds  []expr
		bodies [][]stmt
		other  []stmt
		line   int
	}
	forStmt struct {
		names       []string
		unpack      bool
		over, cond  expr
		body, other []stmt
		recursive   bool
		line        int
	}
	setStmt struct {
		names  []string
		unpack bool
		attr   string // of a namespace
		value  expr   // nil: a block
		filter expr
		body   []stmt
		line   int
	}
	macroStmt struct {
		name     string
		params   []string
		defaults []expr
		body     []stmt
		special  map[string]bool // names of a macro alone that the body has
		line     int
	}
	callBlock struct {
		c    *callExpr
		m    *macroStmt
		line int
	}
	filterBlock struct {
		f    expr
		body []stmt
		line int
	}
	withStmt struct {
		names  []string
		values []expr
		body   []stmt
		line   int
	}
)

var (
	errBreak    = errors.New("break")
	errContinue = errors.New("continue")
)

// at says of an error where it is.
func at(line int, err error) error {
	var known *located
	if err == nil || err == errBreak || err == errContinue || errors.As(err, &known) {
		return err
	}
	return &located{line, err}
}

type located struct {
	line int
	err  error
}

func (l *located) Error() string { return fmt.Sprintf("line %d: %v", l.line, l.err) }
func (l *located) Unwrap() error { return l.err }

func (r *run) all(body []stmt, s *scope) error {
	for _, k := range body {
		if err := r.spend(1); err != nil {
			return err
		}
		if err := k.run(r, s); err != nil {
			return err
		}
	}
	return nil
}

// aside runs a body and gives what it writes.
func (r *run) aside(body []stmt, s *scope) (string, error) {
	was := r.out
	r.out = new(strings.Builder)
	err := r.all(body, s)
	out := r.out.String()
	r.out = was
	return out, err
}

func (t text) run(r *run, _ *scope) error { return r.write(string(t)) }

func (o *output) run(r *run, s *scope) error {
	v, err := r.eval(o.e, s)
	if err != nil {
		return at(o.line, err)
	}
	text, err := r.str(v)
	if err == nil {
		err = r.write(text)
	}
	return at(o.line, err)
}

func (b *block) run(r *run, s *scope) error { return r.all(b.body, s) }

func (j *jump) run(*run, *scope) error {
	if j.leave {
		return errBreak
	}
	return errContinue
}

func (i *ifStmt) run(r *run, s *scope) error {
	for k, c := range i.conds {
		v, err := r.eval(c, s)
		if err != nil {
			return at(i.line, err)
		}
		if truth(v) {
			return r.all(i.bodies[k], s)
		}
	}
	return r.all(i.other, s)
}

// assign gives values to names.
func (r *run) assign(s *scope, names []string, unpack bool, v any) error {
	if !unpack {
		s.set(names[0], v)
		return nil
	}
	items, err := r.items(v)
	if err != nil {
		return err
	}
	if len(items) != len(names) {
		return fmt.Errorf("%d values are unpacked to %d names", len(items), len(names))
	}
	for i, n := range names {
		s.set(n, items[i])
	}
	return nil
}

func (f *forStmt) run(r *run, s *scope) error {
	v, err := r.eval(f.over, s)
	if err != nil {
		return at(f.line, err)
	}
	return at(f.line, f.loop(r, s, v, 0))
}

func (f *forStmt) loop(r *run, s *scope, v any, depth int) error {
	if r.depth++; r.depth > maxNest {
		return errDeep
	}
	defer func() { r.depth-- }()
	items, err := r.items(v)
	if err != nil {
		return err
	}
	if f.cond != nil {
		var kept []any
		for _, x := range items {
			in := &scope{up: s}
			if err := r.assign(in, f.names, f.unpack, x); err != nil {
				return err
			}
			ok, err := r.eval(f.cond, in)
			if err != nil {
				return err
			}
			if truth(ok) {
				kept = append(kept, x)
			}
		}
		items = kept
	}
	if len(items) == 0 {
		return r.all(f.other, &scope{up: s})
	}
	l := &loop{f: f, s: s, items: items, depth: depth}
	for i, x := range items {
		l.at = i
		in := &scope{up: s}
		in.set("loop", l)
		if err := r.assign(in, f.names, f.unpack, x); err != nil {
			return err
		}
		if err := r.spend(4); err != nil {
			return err
		}
		err := r.all(f.body, in)
		if err == errBreak {
			break
		}
		if err != nil && err != errContinue {
			return err
		}
	}
	return nil
}

func (b *setStmt) run(r *run, s *scope) error {
	var v any
	var err error
	if b.value != nil {
		v, err = r.eval(b.value, s)
	} else {
		v, err = r.aside(b.body, &scope{up: s})
		if err == nil && b.filter != nil {
			in := &scope{up: s}
			in.set("", v)
			v, err = r.eval(b.filter, in)
		}
	}
	if err != nil {
		return at(b.line, err)
	}
	if b.attr == "" {
		return at(b.line, r.assign(s, b.names, b.unpack, v))
	}
	x, _ := s.get(b.names[0])
	n, ok := x.(*namespace)
	if !ok {
		return at(b.line, fmt.Errorf("%s is not a namespace: its attribute cannot be set", b.names[0]))
	}
	n.d.Set(b.attr, v)
	return r.alloc(64)
}

func (m *macroStmt) run(r *run, s *scope) error {
	s.set(m.name, &macro{m, s})
	return nil
}

// macro is a macro where it was defined.
type macro struct {
	*macroStmt
	s *scope
}

func (c *callBlock) run(r *run, s *scope) error {
	f, err := r.eval(c.c.f, s)
	if err != nil {
		return at(c.line, err)
	}
	a, err := r.args(&c.c.call, s)
	if err != nil {
		return at(c.line, err)
	}
	m, ok := f.(*macro)
	if !ok {
		return at(c.line, fmt.Errorf("call is of a %s, not of a macro", kind(f)))
	}
	v, err := m.call(r, a, &macro{c.m, s})
	if err == nil {
		err = r.write(v.(string))
	}
	return at(c.line, err)
}

func (f *filterBlock) run(r *run, s *scope) error {
	text, err := r.aside(f.body, &scope{up: s})
	if err != nil {
		return err
	}
	in := &scope{up: s}
	in.set("", text)
	v, err := r.eval(f.f, in)
	if err == nil {
		if text, err = r.str(v); err == nil {
			err = r.write(text)
		}
	}
	return at(f.line, err)
}

func (w *withStmt) run(r *run, s *scope) error {
	in := &scope{up: s}
	for i, n := range w.names {
		v, err := r.eval(w.values[i], s)
		if err != nil {
			return at(w.line, err)
		}
		in.set(n, v)
	}
	return r.all(w.body, in)
}
