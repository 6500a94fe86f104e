package metric

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"pare/catalog"
)

// mostText bounds the text of a list of metrics, in bytes.
const mostText = 1 << 16

// Parse reads metrics, separated by commas, semicolons or plus signs:
//
//	accuracy
//	top-k(logits,labels,k=5)
//	iou(mask_logits,mask)+dice
//	agreement(output='/head/Gemm(1)')
//	onnx:score.onnx
//
// In brackets stand the names of the network's outputs and of targets, in the order of
// the metric's roles, or as ROLE=NAME, and parameters as NAME=VALUE. A name that holds
// any of ( ) , ; + = or a quote, or begins or ends with a space, stands in single or
// double quotes, where a backslash takes away what the next letter means. An error says
// where it is and what was probably meant.
func Parse(text string) ([]Use, error) {
	if len(text) > mostText {
		return nil, fmt.Errorf("a list of metrics of %d bytes is too long", len(text))
	}
	if !utf8.ValidString(text) {
		return nil, fmt.Errorf("the list of metrics is not valid UTF-8")
	}
	p := &parser{text: text}
	var uses []Use
	for {
		u, err := p.use()
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(uses, func(v Use) bool { return v.String() == u.String() }) {
			return nil, fmt.Errorf("metric %s is given twice", u)
		}
		uses = append(uses, u)
		if p.space(); p.at == len(p.text) {
			return uses, nil
		}
		if !strings.ContainsRune(",;+", rune(p.text[p.at])) {
			return nil, p.fail(p.at, "%q is not expected: metrics are separated by commas", p.rest())
		}
		p.at++
	}
}

// parser reads metrics from a text.
type parser struct {
	text string
	at   int
}

// fail is an error at a byte of the text; it says which character that is.
func (p *parser) fail(at int, format string, a ...any) error {
	return fmt.Errorf("metric %q, character %d: %s", p.text, 1+utf8.RuneCountInString(p.text[:at]), fmt.Sprintf(format, a...))
}

// rest is the beginning of what is not read yet.
func (p *parser) rest() string {
	r := []rune(p.text[p.at:])
	if len(r) > 12 {
		return string(r[:12]) + "…"
	}
	return string(r)
}

func (p *parser) space() {
	for p.at < len(p.text) && strings.IndexByte(" \t\n\r", p.text[p.at]) >= 0 {
		p.at++
	}
}

// special are the characters that a name without quotes does not hold.
const special = "(),;+='\""

// word reads a name: in quotes, or up to a character that means something.
func (p *parser) word(what, stop string) (word string, err error) {
	p.space()
	start := p.at
	if p.at < len(p.text) && (p.text[p.at] == '\'' || p.text[p.at] == '"') {
		return p.quoted()
	}
	for p.at < len(p.text) && strings.IndexByte(stop, p.text[p.at]) < 0 {
		p.at++
	}
	if word = strings.TrimRight(p.text[start:p.at], " \t\n\r"); word == "" {
		if p.at == len(p.text) {
			return "", p.fail(p.at, "%s is missing at the end", what)
		}
		return "", p.fail(p.at, "%s is missing before %q", what, p.rest())
	}
	return word, nil
}

// quoted reads a name in quotes.
func (p *parser) quoted() (string, error) {
	start, quote := p.at, p.text[p.at]
	var b strings.Builder
	for p.at++; p.at < len(p.text); p.at++ {
		switch c := p.text[p.at]; {
		case c == quote:
			p.at++
			if b.Len() == 0 {
				return "", p.fail(start, "the name in quotes is empty")
			}
			return b.String(), nil
		case c == '\\' && p.at+1 < len(p.text):
			p.at++
			b.WriteByte(p.text[p.at])
		default:
			b.WriteByte(c)
		}
	}
	return "", p.fail(start, "the quote is not closed")
}

// use reads a metric and what stands in its brackets.
func (p *parser) use() (Use, error) {
	p.space()
	start := p.at
	name, err := p.word("the name of a metric", special)
	if err != nil {
		return Use{}, err
	}
	if file, ok := strings.CutPrefix(name, "onnx:"); ok && p.text[start] == 'o' {
		if file == "" {
			if file, err = p.word("the file of an ONNX graph", special); err != nil {
				return Use{}, err
			}
		}
		m, err := fromFile(file)
		if err != nil {
			return Use{}, p.fail(start, "%v", err)
		}
		return p.arguments(Use{Metric: m})
	}
	m := Find(name)
	if m == nil {
		return Use{}, p.fail(start, "there is no metric %q%s", name, meant(name, names(all)))
	}
	return p.arguments(Use{Metric: m})
}

func names(ms []*Metric) []string {
	var out []string
	for _, m := range ms {
		out = append(out, m.Name)
	}
	return out
}

// meant asks for the nearest word, or lists all of them.
func meant(x string, words []string) string {
	if n := catalog.Nearest(x, words); n != "" {
		return fmt.Sprintf("; did you mean %s?", n)
	}
	return ": use " + strings.Join(words, ", ")
}

// arguments reads what stands in brackets, if anything does.
func (p *parser) arguments(u Use) (Use, error) {
	u.Params = Params{}
	if p.space(); p.at == len(p.text) || p.text[p.at] != '(' {
		return u.finish(), nil
	}
	open := p.at
	p.at++
	if p.space(); p.at < len(p.text) && p.text[p.at] == ')' {
		p.at++
		return u.finish(), nil
	}
	roles := u.Metric.Roles()
	var given []string // without a role, and where they are
	var at []int
	for {
		p.space()
		start := p.at
		quoted := p.at < len(p.text) && strings.IndexByte(`'"`, p.text[p.at]) >= 0
		word, err := p.word("a name", special)
		if err != nil {
			return u, err
		}
		if p.space(); p.at < len(p.text) && p.text[p.at] == '=' && !quoted {
			p.at++
			value, err := p.word("the value of "+word, special)
			if err != nil {
				return u, err
			}
			if err := u.set(word, value, roles); err != nil {
				return u, p.fail(start, "%v", err)
			}
		} else {
			if len(given) == len(roles) {
				return u, p.fail(start, "%s takes %s, and %q is one more", u.Metric.Name, takes(roles), word)
			}
			given, at = append(given, word), append(at, start)
		}
		p.space()
		switch {
		case p.at == len(p.text):
			return u, p.fail(open, "the bracket is not closed")
		case p.text[p.at] == ')':
			p.at++
			for i, k := range u.spread(len(given)) {
				if u.Arg(k) != "" {
					return u, p.fail(at[i], "%s is given twice", roles[k])
				}
				u.argument(k, given[i])
			}
			return u.finish(), nil
		case p.text[p.at] != ',':
			return u, p.fail(p.at, "%q is not expected: use a comma, or put the name in quotes", p.rest())
		}
		p.at++
	}
}

func takes(roles []string) string {
	if len(roles) == 0 {
		return "no names"
	}
	return strings.Join(roles, ", ")
}

// argument names a role.
func (u *Use) argument(i int, name string) {
	for len(u.Args) <= i {
		u.Args = append(u.Args, "")
	}
	u.Args[i] = name
}

// set gives a parameter its value, or a role its name.
func (u *Use) set(name, value string, roles []string) error {
	q := u.Metric.Param(name)
	if i := slices.Index(roles, name); q == nil && i >= 0 {
		if u.Arg(i) != "" {
			return fmt.Errorf("%s is given twice", name)
		}
		u.argument(i, value)
		return nil
	}
	if q == nil {
		known := slices.Clone(roles)
		for _, p := range u.Metric.Params {
			known = append(known, p.Name)
		}
		if len(known) == 0 {
			return fmt.Errorf("%s has no parameters", u.Metric.Name)
		}
		return fmt.Errorf("%s has no parameter %q%s", u.Metric.Name, name, meant(name, known))
	}
	if _, again := u.Params[name]; again {
		return fmt.Errorf("%s is given twice", name)
	}
	if err := q.Check(value); err != nil {
		return err
	}
	u.Params[name] = value
	return nil
}

// finish gives a metric of a file what its parameters say of it.
func (u Use) finish() Use {
	if u.Metric.Inputs != nil {
		u.Metric.Higher = u.Param("better") == "higher"
	}
	return u
}

// spread says which roles n names stand for that are given without one: the first, or,
// where they are as many as must be given, those; of roles that may be left out the last
// go first. One of these that is named already is none.
func (u Use) spread(n int) []int {
	roles := slices.Clone(u.Metric.Outputs)
	if u.Metric.Target != None {
		roles = append(roles, u.Metric.Targets...)
	}
	var free, must []int
	for i, r := range roles {
		if u.Arg(i) == "" || !strings.HasSuffix(r, "?") {
			free = append(free, i)
		}
	}
	spare := len(free) - n
	for _, i := range slices.Backward(free) {
		if spare > 0 && strings.HasSuffix(roles[i], "?") {
			spare--
		} else {
			must = append(must, i)
		}
	}
	switch {
	case len(must) == n:
		slices.Reverse(must)
		return must
	case n > len(free): // one has a name already
		free = free[:0]
		for i := range roles {
			free = append(free, i)
		}
	}
	return free[:n]
}

// bare is how many names can be written without their roles.
func (u Use) bare() int {
	n := slices.Index(append(slices.Clone(u.Args), ""), "")
	for ; n > 0; n-- {
		rest := u
		rest.Args = append(make([]string, n), u.Args[n:]...)
		if at := rest.spread(n); at[n-1] == n-1 {
			break
		}
	}
	return n
}

// String writes the use as Parse reads it.
func (u Use) String() string {
	name := u.Metric.Name
	if file, ok := strings.CutPrefix(name, "onnx:"); ok && u.Metric.Inputs != nil {
		name = "onnx:" + quote(file)
	}
	var in []string
	roles, bare := u.Metric.Roles(), u.bare()
	for i, a := range u.Args {
		switch {
		case i < bare:
			in = append(in, quote(a))
		case a != "":
			in = append(in, roles[i]+"="+quote(a))
		}
	}
	for _, k := range slices.Sorted(maps.Keys(u.Params)) {
		in = append(in, k+"="+quote(u.Params[k]))
	}
	if len(in) == 0 {
		return name
	}
	return name + "(" + strings.Join(in, ",") + ")"
}

// quote writes a name in quotes where it needs them.
func quote(name string) string {
	if !strings.ContainsAny(name, special) && strings.Trim(name, " \t\n\r") == name && name != "" {
		return name
	}
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(name) + "'"
}
