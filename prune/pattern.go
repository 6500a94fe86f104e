package prune

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"pare/catalog"
)

// Match says whether a scope's patterns choose a name: one of Include where there
// are any, and none of Exclude. In a pattern `*` stands for any characters, slashes
// too (names of ONNX have many), `?` for one, and [...] for one of a set, in which
// a-z is a range and a leading ^ negates; a backslash takes the next for itself.
func (s Scope) Match(name string) bool {
	any := func(ps []string) bool {
		for _, p := range ps {
			if r, err := compile(p); err == nil && r.MatchString(name) {
				return true
			}
		}
		return false
	}
	return (len(s.Include) == 0 || any(s.Include)) && !any(s.Exclude)
}

// Matching says which of some names a pattern (see Match) matches. It returns an error
// where the pattern is none, or matches none of them.
func Matching(pattern string, names []string) ([]bool, error) {
	if err := (Scope{Include: []string{pattern}}).check(names); err != nil {
		return nil, err
	}
	r, err := compile(pattern)
	if err != nil {
		return nil, err
	}
	out := make([]bool, len(names))
	for i, n := range names {
		out[i] = r.MatchString(n)
	}
	return out, nil
}

// check returns an error where a pattern is none, or matches none of the names.
func (s Scope) check(names []string) error {
	for _, p := range append(append([]string{}, s.Include...), s.Exclude...) {
		r, err := compile(p)
		if err != nil {
			return err
		}
		found := false
		for _, n := range names {
			found = found || r.MatchString(n)
		}
		if !found {
			return fmt.Errorf("pattern %q matches no weight%s", p, near(p, names))
		}
	}
	return nil
}

// near lists names like a pattern.
func near(pattern string, names []string) string {
	var out []string
	stem := strings.Trim(pattern, "*?")
	left := append([]string{}, names...)
	for len(out) < 3 && len(left) > 0 {
		n := catalog.Nearest(stem, left)
		if n == "" {
			for _, x := range left { // else those that have a part in common
				if part := longestPart(stem); part != "" && strings.Contains(strings.ToLower(x), strings.ToLower(part)) {
					n = x
					break
				}
			}
		}
		if n == "" {
			break
		}
		out = append(out, n)
		rest := left[:0]
		for _, x := range left {
			if x != n {
				rest = append(rest, x)
			}
		}
		left = rest
	}
	if len(out) > 0 {
		return ": did you mean " + strings.Join(out, ", ") + "?"
	}
	for i, n := range names {
		if i == 3 {
			return fmt.Sprintf("; there are %s and %d more", strings.Join(out, ", "), len(names)-i)
		}
		out = append(out, n)
	}
	if len(out) == 0 {
		return ""
	}
	return "; there are " + strings.Join(out, ", ")
}

// Literal is the pattern that matches one name alone.
func Literal(name string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(name)
}

// longestPart is the longest of the parts of a pattern between what stands for
// other characters.
func longestPart(p string) string {
	best := ""
	for _, x := range strings.FieldsFunc(p, func(r rune) bool { return strings.ContainsRune("*?[]./", r) }) {
		if len(x) > len(best) && len(x) > 2 {
			best = x
		}
	}
	return best
}

// compile makes a regular expression of a pattern.
func compile(p string) (*regexp.Regexp, error) {
	bad := func(why string) error { return fmt.Errorf("bad layer pattern %q: %s", p, why) }
	var b strings.Builder
	b.WriteString(`(?s)\A`)
	for i := 0; i < len(p); {
		_, n := utf8.DecodeRuneInString(p[i:])
		c := p[i : i+n]
		i += n
		switch c {
		case "*":
			b.WriteString(`.*`)
		case "?":
			b.WriteString(`.`)
		case `\`:
			if i == len(p) {
				return nil, bad("it ends in a backslash")
			}
			_, n = utf8.DecodeRuneInString(p[i:])
			b.WriteString(regexp.QuoteMeta(p[i : i+n]))
			i += n
		case "[":
			end := strings.IndexByte(p[i:], ']')
			set, not := "", ""
			if end > 0 {
				set = p[i : i+end]
			}
			if strings.HasPrefix(set, "^") {
				set, not = set[1:], "^"
			}
			if set == "" {
				return nil, bad("[ without a set and ]")
			}
			b.WriteString("[" + not + strings.NewReplacer(`[`, `\[`, `^`, `\^`).Replace(set) + "]")
			i += end + 1
		default:
			b.WriteString(regexp.QuoteMeta(c))
		}
	}
	r, err := regexp.Compile(b.String() + `\z`)
	if err != nil {
		return nil, bad("the set in brackets is none")
	}
	return r, nil
}
