package jinja

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// split cuts a text at a separator, or at blanks.
func (r *run) split(s string, a *arguments, right bool) (any, error) {
	most, err := a.number(1, "maxsplit", -1)
	if err != nil {
		return nil, err
	}
	var parts []string
	if sep := a.get(0, "sep", nil); sep == nil {
		s = strings.TrimFunc(s, isSpace)
		for s != "" && (most < 0 || int64(len(parts)) < most) {
			var k, n int
			if right {
				k = strings.LastIndexFunc(s, isSpace)
				if k >= 0 {
					_, w := utf8.DecodeRuneInString(s[k:])
					n = k + w
				}
			} else if k = strings.IndexFunc(s, isSpace); k >= 0 {
				n = len(s) - len(strings.TrimLeftFunc(s[k:], isSpace))
			}
			if k < 0 {
				break
			}
			if right {
				parts = append(parts, s[n:])
				s = strings.TrimRightFunc(s[:k], isSpace)
			} else {
				parts = append(parts, s[:k])
				s = s[n:]
			}
		}
		if s != "" {
			parts = append(parts, s)
		}
	} else {
		t, ok := texts(sep)
		if !ok || t == "" {
			return nil, fmt.Errorf("empty separator, or one that is a %s", kind(sep))
		}
		for most < 0 || int64(len(parts)) < most {
			k := strings.Index(s, t)
			if right {
				k = strings.LastIndex(s, t)
			}
			if k < 0 {
				break
			}
			if right {
				parts = append(parts, s[k+len(t):])
				s = s[:k]
			} else {
				parts = append(parts, s[:k])
				s = s[k+len(t):]
			}
		}
		parts = append(parts, s)
	}
	if right {
		slices.Reverse(parts)
	}
	out := &List{Items: make([]any, len(parts))}
	for i, p := range parts {
		out.Items[i] = p
	}
	return out, r.alloc(32 * len(parts))
}

func splitLines(r *run, s string, a *arguments) (any, error) {
	out := &List{}
	keep := truth(a.get(0, "keepends", false))
	for s != "" {
		k := strings.IndexAny(s, "\n\r\v\f\x1c\x1d\x1e\u0085\u2028\u2029")
		if k < 0 {
			out.Items = append(out.Items, s)
			break
		}
		_, n := utf8.DecodeRuneInString(s[k:])
		if strings.HasPrefix(s[k:], "\r\n") {
			n = 2
		}
		if keep {
			out.Items = append(out.Items, s[:k+n])
		} else {
			out.Items = append(out.Items, s[:k])
		}
		s = s[k+n:]
	}
	return out, r.alloc(32 * len(out.Items))
}
