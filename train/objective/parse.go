package objective

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds of what is read.
const (
	maxText  = 1 << 16
	maxTerms = 64
)

// Parse reads an objective:
//
//	objective = term { "+" term }
//	term      = [ weight "*" ] loss [ "(" item { "," item } ")" ]
//	loss      = name of a loss | "onnx:" path
//	item      = name | setting "=" number { ":" number }
//
// such as cross-entropy(logits,labels,ignore=-100)+0.5*smooth-l1(boxes,box). The names of
// a term are those of its outputs and then of its targets; all or the last of them may be
// left out. An item of a file is input=name, which binds an input of the file to an output
// or a target of another name. Names and paths with one of the signs ,()=+*" or a space in
// them are written in double quotes, as Go's strings are. Errors say where.
func Parse(text string) (Objective, error) {
	if len(text) > maxText {
		return nil, fmt.Errorf("the objective is %d bytes long; at most %d are read", len(text), maxText)
	}
	p := &parser{text: text}
	var o Objective
	for {
		t := p.term()
		if p.err != nil {
			return nil, p.err
		}
		if o = append(o, t); len(o) > maxTerms {
			return nil, fmt.Errorf("the objective has more than %d terms", maxTerms)
		}
		if p.space(); p.done() {
			return o, nil
		}
		if !p.take('+') {
			p.fail(p.at, "+ and another term, or the end, is expected here, not %s", p.next())
			return nil, p.err
		}
	}
}

// parser reads a text from its start; the first error stays.
type parser struct {
	text string
	at   int
	err  error
}

// fail notes an error at a place of the text.
func (p *parser) fail(at int, format string, a ...any) {
	if p.err == nil {
		p.err = fmt.Errorf("objective %q, at %d: %s", p.text, at+1, fmt.Sprintf(format, a...))
		p.at = len(p.text)
	}
}

func (p *parser) done() bool { return p.at >= len(p.text) }

func (p *parser) space() {
	for !p.done() && (p.text[p.at] == ' ' || p.text[p.at] == '\t' || p.text[p.at] == '\n') {
		p.at++
	}
}

// take skips spaces and a sign, if it is next.
func (p *parser) take(sign byte) bool {
	p.space()
	if p.done() || p.text[p.at] != sign {
		return false
	}
	p.at++
	return true
}

// next says what stands here.
func (p *parser) next() string {
	if p.done() {
		return "the end"
	}
	r, _ := utf8.DecodeRuneInString(p.text[p.at:])
	return strconv.QuoteRune(r)
}

// plain says whether a rune may stand in a name without quotes.
func plain(r rune) bool {
	return r != utf8.RuneError && unicode.IsPrint(r) && !strings.ContainsRune(`,()=+*" `, r)
}

// word reads a name, quoted or not.
func (p *parser) word(what string) string {
	p.space()
	start := p.at
	if !p.done() && p.text[p.at] == '"' {
		q, err := strconv.QuotedPrefix(p.text[p.at:])
		if err == nil {
			p.at += len(q)
			q, err = strconv.Unquote(q)
		}
		switch {
		case err != nil:
			p.fail(start, "the quote does not end, or holds what no string does")
		case q == "":
			p.fail(start, "%s is empty", what)
		}
		return q
	}
	for !p.done() {
		r, n := utf8.DecodeRuneInString(p.text[p.at:])
		if !plain(r) {
			break
		}
		p.at += n
	}
	if p.at == start {
		p.fail(start, "%s is expected here, not %s", what, p.next())
		return ""
	}
	return p.text[start:p.at]
}

// number reads a number.
func (p *parser) number(what string) float64 {
	p.space()
	start := p.at
	for !p.done() {
		c := p.text[p.at]
		sign := (c == '+' || c == '-') && (p.at == start || p.text[p.at-1] == 'e' || p.text[p.at-1] == 'E')
		if !sign && c != '.' && c != 'e' && c != 'E' && (c < '0' || c > '9') {
			break
		}
		p.at++
	}
	x, err := strconv.ParseFloat(p.text[start:p.at], 64)
	if err != nil || math.IsInf(x, 0) {
		p.fail(start, "%s is expected here, a number", what)
	}
	return x
}

// term reads a term.
func (p *parser) term() Term {
	t := Term{Weight: 1}
	p.space()
	start := p.at
	if !p.done() && strings.IndexByte("+-.0123456789", p.text[p.at]) >= 0 {
		t.Weight = p.number("a weight")
		if p.err == nil && !(t.Weight > 0) {
			p.fail(start, "the weight %v is not above 0", t.Weight)
		}
		if !p.take('*') {
			p.fail(p.at, "* is expected behind a weight, not %s", p.next())
		}
		p.space()
		start = p.at
	}
	if rest, ok := strings.CutPrefix(p.text[p.at:], File.Name+":"); ok {
		p.at = len(p.text) - len(rest)
		t.Loss, t.File = File, p.word("the path of an ONNX file")
	} else if name := p.word("a loss"); p.err == nil {
		if t.Loss = Lookup(name); t.Loss == nil {
			p.fail(start, "there is no loss %q%s: use %s, or onnx:FILE", name, meant(name, Names()), strings.Join(Names(), ", "))
		}
	}
	if p.err == nil && p.take('(') {
		p.items(&t)
	}
	return t
}

// items reads what stands in the brackets of a term.
func (p *parser) items(t *Term) {
	if p.take(')') {
		return
	}
	for p.err == nil {
		p.space()
		start := p.at
		name := p.word("a name or a setting")
		switch {
		case p.err != nil:
		case !p.take('='):
			if most := len(t.Loss.Outputs) + len(t.Loss.Targets); len(t.Args) == most {
				p.fail(start, "%q is one name too many: %s takes %s", name, t.Loss.Name, t.Loss.roles())
			}
			t.Args = append(t.Args, name)
		case t.Loss == File:
			if t.Bind == nil {
				t.Bind = map[string]string{}
			}
			if _, twice := t.Bind[name]; twice {
				p.fail(start, "input %q is bound twice", name)
			}
			t.Bind[name] = p.word("the name that the input is bound to")
		default:
			p.setting(t, start, name)
		}
		if p.take(')') {
			return
		}
		if !p.take(',') {
			p.fail(p.at, ", or ) is expected here, not %s", p.next())
		}
	}
}

// setting reads the value of a parameter.
func (p *parser) setting(t *Term, start int, name string) {
	d := t.Loss.param(name)
	if d == nil {
		p.fail(start, "%s has no setting %q%s", t.Loss.Name, name, t.Loss.settings(name))
		return
	}
	if t.Params.Has(name) {
		p.fail(start, "%s is set twice", name)
	}
	v := []float64{p.number("the value of " + name)}
	for p.err == nil && p.take(':') {
		v = append(v, p.number("the value of "+name))
	}
	if err := d.check(v); err != nil {
		p.fail(start, "%v", err)
	}
	if t.Params == nil {
		t.Params = Params{}
	}
	t.Params[name] = v
}

// String writes the objective as Parse reads it.
func (o Objective) String() string {
	var w []string
	for _, t := range o {
		w = append(w, t.String())
	}
	return strings.Join(w, "+")
}

// String writes the term as Parse reads it.
func (t Term) String() string {
	s := ""
	if t.Weight != 1 {
		s = number(t.Weight) + "*"
	}
	s += t.Loss.Name
	if t.Loss == File {
		s += ":" + quoted(t.File)
	}
	var items []string
	for _, a := range t.Args {
		items = append(items, quoted(a))
	}
	for _, d := range t.Loss.Params {
		if !t.Params.Has(d.Name) {
			continue
		}
		var v []string
		for _, x := range t.Params[d.Name] {
			v = append(v, number(x))
		}
		items = append(items, d.Name+"="+strings.Join(v, ":"))
	}
	var bound []string
	for name, to := range t.Bind {
		bound = append(bound, quoted(name)+"="+quoted(to))
	}
	slices.Sort(bound)
	if items = append(items, bound...); len(items) > 0 {
		s += "(" + strings.Join(items, ",") + ")"
	}
	return s
}

// quoted is a name as it is written.
func quoted(name string) string {
	if name == "" || strings.ContainsFunc(name, func(r rune) bool { return !plain(r) }) {
		return strconv.Quote(name)
	}
	return name
}
