package tokenizer

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/dlclark/regexp2"
)

// pattern is a text to look for, or a regular expression.
type pattern struct {
	String *string
	Regex  *string
}

// finder finds parts of texts.
type finder struct {
	text string
	fast *expr
	re   *regexp2.Regexp // of what fast does not know
}

// slowest bounds a search with re: an expression can take time without end.
const slowest = time.Second

// work is memory that encoding reuses.
type work struct {
	pieces, next []piece
	at           [][2]int
	machine      machine
	symbols      []symbol
	queue        queue
	nodes        []lattice
	ids          []int32
}

var works = sync.Pool{New: func() any { return new(work) }}

func (p pattern) compile() (*finder, error) {
	switch {
	case p.String != nil && *p.String != "":
		return &finder{text: *p.String}, nil
	case p.Regex != nil:
		e, err := compileExpr(*p.Regex)
		if err == nil {
			return &finder{fast: e}, nil
		}
		if !errors.Is(err, errExpr) {
			return nil, fmt.Errorf("the tokenizer's pattern %q: %w", *p.Regex, err)
		}
		re, err := regexp2.Compile(*p.Regex, 0)
		if err != nil {
			return nil, fmt.Errorf("the tokenizer's pattern %q: %w", *p.Regex, err)
		}
		re.MatchTimeout = slowest
		return &finder{re: re}, nil
	}
	return nil, errors.New("a pattern of the tokenizer is neither a text nor an expression")
}

// find gives where the matches begin and end, in bytes, until the next search with
// the same memory.
func (f *finder) find(w *work, s string) ([][2]int, error) {
	w.at = w.at[:0]
	switch {
	case f.fast != nil:
		w.machine.steps = budget(len(s))
		for at := 0; ; {
			lo, hi, err := f.fast.find(&w.machine, s, at)
			if err != nil || lo < 0 {
				return w.at, err
			}
			w.at = append(w.at, [2]int{lo, hi})
			at = hi
		}
	case f.re == nil:
		for at := 0; ; {
			k := strings.Index(s[at:], f.text)
			if k < 0 {
				return w.at, nil
			}
			w.at = append(w.at, [2]int{at + k, at + k + len(f.text)})
			at += k + len(f.text)
		}
	}
	runes, at := 0, 0 // of what has been passed
	advance := func(to int) int {
		for ; runes < to && at < len(s); runes++ {
			at += runeLen(s[at:])
		}
		return at
	}
	m, err := f.re.FindStringMatch(s)
	for ; m != nil && err == nil; m, err = f.re.FindNextMatch(m) {
		if m.Length > 0 {
			lo := advance(m.Index)
			w.at = append(w.at, [2]int{lo, advance(m.Index + m.Length)})
		}
	}
	return w.at, err
}
