package jinja

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// maxNest bounds how deep the parts of a template, and values, lie in each other.
const maxNest = 100

type parser struct {
	toks  []token
	at    int
	depth int
	loops int // that surround the statement
}

func (p *parser) peek() token { return p.toks[p.at] }

func (p *parser) next() token {
	t := p.toks[p.at]
	if t.kind != tokEOF {
		p.at++
	}
	return t
}

func (p *parser) is(kind int, text string) bool {
	t := p.peek()
	return t.kind == kind && t.text == text
}

func (p *parser) take(kind int, text string) bool {
	if p.is(kind, text) {
		p.at++
		return true
	}
	return false
}

func (p *parser) op(text string) bool   { return p.take(tokOp, text) }
func (p *parser) word(text string) bool { return p.take(tokName, text) }

func (p *parser) errorf(format string, args ...any) error {
	return fmt.Errorf("line %d: "+format, append([]any{p.peek().line}, args...)...)
}

func (p *parser) want(kind int, text string) error {
	if p.take(kind, text) {
		return nil
	}
	names := map[int]string{tokBlockEnd: "%}", tokVarEnd: "}}"}
	if text == "" {
		text = names[kind]
	}
	return p.errorf("%q is not what should stand there: %s", p.peek().text, text)
}

func (p *parser) name() (string, error) {
	t := p.next()
	if t.kind != tokName {
		return "", p.errorf("%q is not a name", t.text)
	}
	return t.text, nil
}

func (p *parser) deeper() error {
	if p.depth++; p.depth > maxNest {
		return p.errorf("parts lie in each other more than %d deep", maxNest)
	}
	return nil
}

// statements reads up to one of the tags that end; none: up to the end of the template.
func (p *parser) statements(ends ...string) ([]stmt, string, error) {
	if err := p.deeper(); err != nil {
		return nil, "", err
	}
	defer func() { p.depth-- }()
	var out []stmt
	for {
		t := p.next()
		switch t.kind {
		case tokEOF:
			if len(ends) > 0 {
				return nil, "", p.errorf("the template ends before %s", strings.Join(ends, " or "))
			}
			return out, "", nil
		case tokText:
			out = append(out, text(t.text))
		case tokVar:
			e, err := p.tuple(true)
			if err == nil {
				err = p.want(tokVarEnd, "")
			}
			if err != nil {
				return nil, "", err
			}
			out = append(out, &output{e, t.line})
		case tokBlock:
			name, err := p.name()
			if err != nil {
				return nil, "", err
			}
			if slices.Contains(ends, name) {
				return out, name, nil
			}
			s, err := p.statement(name, t.line)
			if err != nil {
				return nil, "", err
			}
			out = append(out, s)
		}
	}
}

// body reads what a tag surrounds, up to the one that ends it.
func (p *parser) body(end string) ([]stmt, error) {
	if err := p.want(tokBlockEnd, ""); err != nil {
		return nil, err
	}
	b, _, err := p.statements(end)
	if err == nil {
		err = p.want(tokBlockEnd, "")
	}
	return b, err
}

func (p *parser) statement(name string, line int) (stmt, error) {
	switch name {
	case "if":
		return p.ifs(line)
	case "for":
		return p.fors(line)
	case "set":
		return p.set(line)
	case "macro":
		return p.macro(line)
	case "call":
		return p.call(line)
	case "filter":
		f, err := p.filterChain(&name_{""})
		if err != nil {
			return nil, err
		}
		b, err := p.body("endfilter")
		return &filterBlock{f, b, line}, err
	case "with":
		return p.with(line)
	case "generation": // transformers' mark of what the assistant said
		b, err := p.body("endgeneration")
		return &block{b}, err
	case "break", "continue":
		if p.loops == 0 {
			return nil, p.errorf("%s stands outside of a loop", name)
		}
		return &jump{name == "break"}, p.want(tokBlockEnd, "")
	}
	return nil, p.errorf("the tag %q is not supported", name)
}

func (p *parser) ifs(line int) (stmt, error) {
	out := &ifStmt{line: line}
	for {
		cond, err := p.tuple(false)
		if err == nil {
			err = p.want(tokBlockEnd, "")
		}
		if err != nil {
			return nil, err
		}
		b, end, err := p.statements("elif", "else", "endif")
		if err != nil {
			return nil, err
		}
		out.conds, out.bodies = append(out.conds, cond), append(out.bodies, b)
		switch end {
		case "elif":
			continue
		case "else":
			out.other, err = p.body("endif")
			return out, err
		}
		return out, p.want(tokBlockEnd, "")
	}
}

// target reads the names that values are given.
func (p *parser) target() ([]string, bool, error) {
	var out []string
	many := p.op("(")
	bracket := many
	for {
		n, err := p.name()
		if err != nil {
			return nil, false, err
		}
		out = append(out, n)
		if !p.op(",") {
			break
		}
		many = true
		if p.peek().kind != tokName || p.is(tokName, "in") {
			break
		}
	}
	if bracket && !p.op(")") {
		return nil, false, p.want(tokOp, ")")
	}
	return out, many, nil
}

func (p *parser) fors(line int) (stmt, error) {
	out := &forStmt{line: line}
	var err error
	if out.names, out.unpack, err = p.target(); err != nil {
		return nil, err
	}
	if err = p.want(tokName, "in"); err != nil {
		return nil, err
	}
	if out.over, err = p.tuple(false, "if", "recursive"); err != nil {
		return nil, err
	}
	if p.word("if") {
		if out.cond, err = p.expr(); err != nil {
			return nil, err
		}
	}
	out.recursive = p.word("recursive")
	if err = p.want(tokBlockEnd, ""); err != nil {
		return nil, err
	}
	p.loops++
	b, end, err := p.statements("else", "endfor")
	p.loops--
	if err != nil {
		return nil, err
	}
	if out.body = b; end == "else" {
		out.other, err = p.body("endfor")
		return out, err
	}
	return out, p.want(tokBlockEnd, "")
}

func (p *parser) set(line int) (stmt, error) {
	out := &setStmt{line: line}
	if p.at+1 < len(p.toks) && p.peek().kind == tokName && p.toks[p.at+1].kind == tokOp && p.toks[p.at+1].text == "." {
		n, _ := p.name()
		p.next()
		attr, err := p.name()
		if err != nil {
			return nil, err
		}
		out.names, out.attr = []string{n}, attr
	} else {
		var err error
		if out.names, out.unpack, err = p.target(); err != nil {
			return nil, err
		}
	}
	var err error
	if p.op("=") {
		if out.value, err = p.tuple(true); err == nil {
			err = p.want(tokBlockEnd, "")
		}
		return out, err
	}
	if out.unpack {
		return nil, p.errorf("several names are set to one block")
	}
	if p.is(tokOp, "|") {
		if out.filter, err = p.filterRest(&name_{""}); err != nil {
			return nil, err
		}
	}
	out.body, err = p.body("endset")
	return out, err
}

// params reads the parameters of a macro.
func (p *parser) params() (names []string, defaults []expr, err error) {
	if err = p.want(tokOp, "("); err != nil {
		return nil, nil, err
	}
	for !p.op(")") {
		if len(names) > 0 {
			if err = p.want(tokOp, ","); err != nil {
				return nil, nil, err
			}
		}
		n, err := p.name()
		if err != nil {
			return nil, nil, err
		}
		names = append(names, n)
		if p.op("=") {
			d, err := p.expr()
			if err != nil {
				return nil, nil, err
			}
			defaults = append(defaults, d)
		} else if len(defaults) > 0 {
			return nil, nil, p.errorf("the parameter %s has no default, but one before it has", n)
		}
	}
	return names, defaults, nil
}

func (p *parser) macro(line int) (stmt, error) {
	n, err := p.name()
	if err != nil {
		return nil, err
	}
	m := &macroStmt{name: n, line: line}
	if m.params, m.defaults, err = p.params(); err != nil {
		return nil, err
	}
	return m, p.macroBody(m, "endmacro")
}

func (p *parser) call(line int) (stmt, error) {
	m := &macroStmt{name: "caller", line: line}
	var err error
	if p.is(tokOp, "(") {
		if m.params, m.defaults, err = p.params(); err != nil {
			return nil, err
		}
	}
	e, err := p.expr()
	if err != nil {
		return nil, err
	}
	c, ok := e.(*callExpr)
	if !ok {
		return nil, p.errorf("call is not of a call")
	}
	return &callBlock{c, m, line}, p.macroBody(m, "endcall")
}

func (p *parser) macroBody(m *macroStmt, end string) error {
	was, from := p.loops, p.at
	p.loops = 0
	var err error
	m.body, err = p.body(end)
	p.loops = was
	m.special = map[string]bool{}
	for _, t := range p.toks[from:p.at] {
		if t.kind == tokName && (t.text == "varargs" || t.text == "kwargs") {
			m.special[t.text] = true
		}
	}
	return err
}

func (p *parser) with(line int) (stmt, error) {
	out := &withStmt{line: line}
	for !p.is(tokBlockEnd, "") {
		if len(out.names) > 0 {
			if err := p.want(tokOp, ","); err != nil {
				return nil, err
			}
		}
		n, err := p.name()
		if err == nil {
			err = p.want(tokOp, "=")
		}
		if err != nil {
			return nil, err
		}
		e, err := p.expr()
		if err != nil {
			return nil, err
		}
		out.names, out.values = append(out.names, n), append(out.values, e)
	}
	var err error
	out.body, err = p.body("endwith")
	return out, err
}

// number reads a literal.
func number(t token) (any, error) {
	if t.kind == tokInt {
		i, err := strconv.ParseInt(t.text, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("line %d: the number %s is too large", t.line, t.text)
		}
		return i, nil
	}
	f, err := strconv.ParseFloat(t.text, 64)
	if err != nil {
		return nil, fmt.Errorf("line %d: the number %s is too large", t.line, t.text)
	}
	return f, nil
}
