package tokenizer

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// node is a part of a regular expression.
type node struct {
	kind     int
	chars    spans // of a nodeSet
	kids     []*node
	min, max int  // of a nodeRepeat; max < 0: without end
	way      byte // of a nodeRepeat: '*' as many as can be, '?' as few, '+' as many, and none is given back
	neg      bool // of a nodeAhead
}

const (
	nodeSet    = iota // one character
	nodeSeq           // one after the other
	nodeAlt           // the first that fits
	nodeRepeat        // several times
	nodeAhead         // what follows fits, or does not
	nodeStart         // a line begins
	nodeEnd           // a line ends, or the text
	nodeWord          // a word begins or ends
)

// Bounds of an expression.
const (
	maxDepth  = 64
	maxNodes  = 1 << 12 // after repetitions are written out
	maxSets   = 1 << 8
	maxRepeat = 1 << 10
)

// errExpr is of what the parser leaves to the slower engine.
var errExpr = errors.New("not of this engine")

// exprParser reads expressions as Oniguruma writes them
// (https://github.com/kkos/oniguruma, doc/RE), of which it knows what tokenizers use.
type exprParser struct {
	s     string
	at    int
	depth int
	fold  bool
}

func (p *exprParser) more() bool { return p.at < len(p.s) }

func (p *exprParser) take(s string) bool {
	if strings.HasPrefix(p.s[p.at:], s) {
		p.at += len(s)
		return true
	}
	return false
}

func (p *exprParser) rune() (rune, error) {
	if !p.more() {
		return 0, fmt.Errorf("it ends too early")
	}
	r, n := utf8.DecodeRuneInString(p.s[p.at:])
	p.at += n
	return r, nil
}

// alternatives reads up to the end, or a bracket that closes.
func (p *exprParser) alternatives() (*node, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, fmt.Errorf("it is nested more than %d deep", maxDepth)
	}
	defer func() { p.depth-- }()
	var out []*node
	for {
		n, err := p.sequence()
		if err != nil {
			return nil, err
		}
		out = append(out, n)
		if !p.take("|") {
			break
		}
	}
	if len(out) == 1 {
		return out[0], nil
	}
	return &node{kind: nodeAlt, kids: out}, nil
}

func (p *exprParser) sequence() (*node, error) {
	n := &node{kind: nodeSeq}
	for p.more() && p.s[p.at] != '|' && p.s[p.at] != ')' {
		k, err := p.atom()
		if err != nil {
			return nil, err
		}
		for k != nil {
			r, ok, err := p.quantifier(k)
			if err != nil {
				return nil, err
			}
			if !ok {
				break
			}
			k = r
		}
		if k != nil {
			n.kids = append(n.kids, k)
		}
	}
	return n, nil
}

// quantifier reads how often an atom comes.
func (p *exprParser) quantifier(k *node) (*node, bool, error) {
	lo, hi := 0, -1
	switch {
	case p.take("*"):
	case p.take("+"):
		lo = 1
	case p.take("?"):
		hi = 1
	case p.more() && p.s[p.at] == '{':
		end := strings.IndexByte(p.s[p.at:], '}')
		if end < 0 {
			return nil, false, errExpr
		}
		a, b, two := strings.Cut(p.s[p.at+1:p.at+end], ",")
		var err1, err2 error
		lo, err1 = strconv.Atoi(a)
		if hi = lo; two {
			if hi = -1; b != "" {
				hi, err2 = strconv.Atoi(b)
			}
		}
		if err1 != nil || err2 != nil || lo < 0 || hi >= 0 && hi < lo {
			return nil, false, errExpr
		}
		if lo > maxRepeat || hi > maxRepeat {
			return nil, false, fmt.Errorf("it repeats more than %d times", maxRepeat)
		}
		p.at += end + 1
		if p.more() && p.s[p.at] == '+' {
			return nil, false, errExpr // not possessive there, but a repetition of a repetition
		}
	default:
		return k, false, nil
	}
	way := byte('*')
	if p.take("?") {
		way = '?'
	} else if p.take("+") {
		way = '+'
	}
	if k.kind == nodeAhead || k.kind == nodeStart || k.kind == nodeEnd || k.kind == nodeWord {
		return nil, false, errExpr
	}
	return &node{kind: nodeRepeat, kids: []*node{k}, min: lo, max: hi, way: way}, true, nil
}

func (p *exprParser) atom() (*node, error) {
	switch {
	case p.take("(?!"):
		return p.group(&node{kind: nodeAhead, neg: true})
	case p.take("(?="):
		return p.group(&node{kind: nodeAhead})
	case p.take("(?:"):
		return p.group(nil)
	case p.take("(?i:"):
		was := p.fold
		p.fold = true
		n, err := p.group(nil)
		p.fold = was
		return n, err
	case p.take("(?i)"):
		p.fold = true
		return nil, nil
	case p.take("(?"):
		return nil, errExpr
	case p.take("("):
		return p.group(nil)
	case p.take("["):
		s, err := p.class()
		return &node{kind: nodeSet, chars: s}, err
	case p.take("."):
		return &node{kind: nodeSet, chars: spans{{'\n', '\n'}}.not()}, nil
	case p.take("^"):
		return &node{kind: nodeStart}, nil
	case p.take("$"):
		return &node{kind: nodeEnd}, nil
	case p.take(`\b`):
		return &node{kind: nodeWord}, nil
	}
	if p.s[p.at] == '*' || p.s[p.at] == '+' || p.s[p.at] == '?' {
		return nil, errExpr
	}
	if p.take(`\`) {
		s, err := p.escape()
		return &node{kind: nodeSet, chars: s}, err
	}
	r, err := p.rune()
	return &node{kind: nodeSet, chars: p.folded(spans{{r, r}})}, err
}

func (p *exprParser) folded(s spans) spans {
	if p.fold {
		return s.fold()
	}
	return s
}

// group reads up to the bracket that closes.
func (p *exprParser) group(in *node) (*node, error) {
	was := p.fold
	n, err := p.alternatives()
	p.fold = was
	if err != nil {
		return nil, err
	}
	if !p.take(")") {
		return nil, errors.New("a bracket is not closed")
	}
	if in != nil {
		in.kids = []*node{n}
		return in, nil
	}
	return n, nil
}

// escape reads what follows a backslash.
func (p *exprParser) escape() (spans, error) {
	r, err := p.rune()
	if err != nil {
		return nil, err
	}
	switch r {
	case 's':
		return space(), nil
	case 'S':
		return space().not(), nil
	case 'd':
		return table(unicode.Nd), nil
	case 'D':
		return table(unicode.Nd).not(), nil
	case 'w', 'W':
		s := append(append(append(table(unicode.L), table(unicode.M)...), table(unicode.Nd)...), table(unicode.Pc)...).normal()
		if r == 'W' {
			s = s.not()
		}
		return s, nil
	case 'n', 'r', 't', 'f', 'v':
		c := map[rune]rune{'n': '\n', 'r': '\r', 't': '\t', 'f': '\f', 'v': '\v'}[r]
		return spans{{c, c}}, nil
	case 'p', 'P':
		return p.property(r == 'P')
	case 'x':
		return p.hex()
	case 'u':
		if p.at+4 <= len(p.s) {
			if v, err := strconv.ParseUint(p.s[p.at:p.at+4], 16, 32); err == nil {
				p.at += 4
				return p.folded(spans{{rune(v), rune(v)}}), nil
			}
		}
		return nil, errExpr
	}
	if r < 128 && (r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z') {
		return nil, errExpr
	}
	return p.folded(spans{{r, r}}), nil
}

func (p *exprParser) hex() (spans, error) {
	text := ""
	if p.take("{") {
		end := strings.IndexByte(p.s[p.at:], '}')
		if end < 0 {
			return nil, errExpr
		}
		text = p.s[p.at : p.at+end]
		p.at += end + 1
	} else if p.at+2 <= len(p.s) {
		text = p.s[p.at : p.at+2]
		p.at += 2
	}
	v, err := strconv.ParseUint(text, 16, 32)
	if err != nil || v > unicode.MaxRune || v > 0x7f && len(text) == 2 {
		return nil, errExpr
	}
	return p.folded(spans{{rune(v), rune(v)}}), nil
}

// longNames are names of categories that are no keys of Unicode's tables.
var longNames = map[string]string{"Letter": "L", "Mark": "M", "Number": "N", "Punctuation": "P", "Symbol": "S", "Separator": "Z", "Other": "C"}

// space is what \s is.
func space() spans { return table(unicode.White_Space) }
