package tokenizer

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// class reads what is between square brackets.
func (p *exprParser) class() (spans, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, fmt.Errorf("it is nested more than %d deep", maxDepth)
	}
	defer func() { p.depth-- }()
	neg := p.take("^")
	var out, all spans
	both := false // all is what out has to be in
	for first := true; ; first = false {
		switch {
		case p.take("]") && !first:
			out = p.folded(out.normal())
			if both {
				out = out.and(all)
			}
			if neg {
				out = out.not()
			}
			return out, nil
		case p.take("&&"):
			out = p.folded(out.normal())
			if both {
				out = out.and(all)
			}
			all, out, both = out, nil, true
			continue
		case p.take("[:"):
			return nil, errExpr
		case p.take("["):
			s, err := p.class()
			if err != nil {
				return nil, err
			}
			out = append(out, s...)
			continue
		}
		s, err := p.item()
		if err != nil {
			return nil, err
		}
		if p.at+1 < len(p.s) && p.s[p.at] == '-' && p.s[p.at+1] != ']' && len(s) == 1 && s[0].lo == s[0].hi {
			was := p.at
			p.at++
			if p.s[p.at] == '[' {
				p.at = was
			} else if t, err := p.item(); err != nil {
				return nil, err
			} else if len(t) != 1 || t[0].lo != t[0].hi || t[0].lo < s[0].lo {
				return nil, errExpr
			} else {
				s = spans{{s[0].lo, t[0].hi}}
			}
		}
		out = append(out, slices.Clone(s)...)
	}
}

// item reads a character of a class, or what a backslash names.
func (p *exprParser) item() (spans, error) {
	if p.take(`\`) {
		if p.take("b") {
			return nil, errExpr
		}
		was := p.fold
		p.fold = false // the class is folded as a whole
		s, err := p.escape()
		p.fold = was
		return s, err
	}
	r, err := p.rune()
	return spans{{r, r}}, err
}

func (p *exprParser) property(neg bool) (spans, error) {
	if !p.take("{") {
		return nil, errExpr
	}
	end := strings.IndexByte(p.s[p.at:], '}')
	if end < 0 {
		return nil, errExpr
	}
	name := p.s[p.at : p.at+end]
	p.at += end + 1
	if rest, ok := strings.CutPrefix(name, "^"); ok {
		name, neg = rest, !neg
	}
	if short, ok := longNames[name]; ok {
		name = short
	}
	for _, tables := range []map[string]*unicode.RangeTable{unicode.Categories, unicode.Scripts} {
		if t, ok := tables[name]; ok && name != "C" && name != "Cn" {
			s := table(t)
			if neg {
				s = s.not()
			}
			return s, nil
		}
	}
	return nil, fmt.Errorf("the property %q is not known", name)
}
