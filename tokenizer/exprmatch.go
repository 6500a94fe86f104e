package tokenizer

import (
	"fmt"
	"unicode/utf8"
)

// back is a way that was not taken.
type back struct {
	op int
	at int
	lo int    // of a run: characters may be given back down to it; -1: no run
	on uint64 // of alternatives: those that are left
}

// machine runs an expression.
type machine struct {
	stack []back
	steps int // that are left
}

// errSlow is of expressions that take too long.
var errSlow = fmt.Errorf("an expression of the tokenizer takes too long on the text")

// budget is how many steps a search in a text may take.
func budget(n int) int { return 1<<22 + 4096*n }

// character decodes one.
func character(s string, at int) (rune, int) {
	if b := s[at]; b < utf8.RuneSelf {
		return rune(b), 1
	}
	return utf8.DecodeRuneInString(s[at:])
}

// match is the end of what fits from a place on; -1: nothing does.
func (e *expr) match(m *machine, s string, at int) (int, error) {
	m.stack = m.stack[:0]
	return e.run(m, s, at, 0)
}

// run goes from a step on to the end of the expression, or of the part that looks
// ahead.
func (e *expr) run(m *machine, s string, at, pc int) (int, error) {
	base := len(m.stack)
	for {
		m.steps--
		if m.steps < 0 {
			return -1, errSlow
		}
		o := &e.code[pc]
		ok := true
		switch o.kind {
		case opSet:
			if ok = at < len(s); ok {
				r, n := character(s, at)
				if ok = o.chars.has(r); ok {
					at += n
					pc++
				}
			}
		case opRun:
			lo, end, enough := o.take(s, at)
			m.steps -= end - at
			if ok = enough; ok {
				if o.way == '*' && end > lo {
					m.stack = append(m.stack, back{op: pc, at: end, lo: lo})
				}
				at = end
				pc++
			}
		case opAlt:
			b := byte(128)
			on := uint64(0)
			if at < len(s) {
				b = min(s[at], 128)
				on = o.fits[b]
			} else {
				on = 1<<len(o.ways) - 1
			}
			pc, ok = m.alternative(o, pc, at, on)
		case opJump:
			pc = o.to
		case opAhead:
			end, err := e.run(m, s, at, pc+1)
			if err != nil {
				return -1, err
			}
			if ok = (end >= 0) != o.neg; ok {
				pc = o.to
			}
			if o.keep {
				at = end
			}
		case opStart:
			ok = at == 0 || s[at-1] == '\n'
			pc++
		case opEnd:
			ok = at == len(s) || s[at] == '\n'
			pc++
		case opWord:
			ok = wordEdge(s, at)
			pc++
		case opMatch:
			m.stack = m.stack[:base]
			return at, nil
		}
		if ok {
			continue
		}
		if len(m.stack) == base {
			return -1, nil
		}
		pc, at = e.goBack(m, s)
	}
}

// goBack takes the last way that was not taken.
func (e *expr) goBack(m *machine, s string) (pc, at int) {
	k := &m.stack[len(m.stack)-1]
	o := &e.code[k.op]
	if o.kind == opRun {
		_, n := utf8.DecodeLastRuneInString(s[k.lo:k.at])
		k.at -= n
		pc, at = k.op+1, k.at
		if k.at <= k.lo {
			m.stack = m.stack[:len(m.stack)-1]
		}
		return pc, at
	}
	op, at, on := k.op, k.at, k.on
	m.stack = m.stack[:len(m.stack)-1]
	pc, _ = m.alternative(o, op, at, on)
	return pc, at
}

// alternative takes the first way that is left, and notes the others.
func (m *machine) alternative(o *op, pc, at int, on uint64) (int, bool) {
	for i, to := range o.ways {
		if on>>i&1 == 0 {
			continue
		}
		if on &^= 1 << i; on != 0 {
			m.stack = append(m.stack, back{op: pc, at: at, lo: -1, on: on})
		}
		return to, true
	}
	return pc, false
}

// take is where a run ends; lo is where it might have ended at the earliest.
func (o *op) take(s string, at int) (lo, end int, enough bool) {
	n := 0
	for lo = -1; ; n++ {
		if n == o.min {
			lo = at
		}
		if n == o.max || at >= len(s) {
			break
		}
		r, k := character(s, at)
		if !o.chars.has(r) {
			break
		}
		at += k
	}
	return lo, at, n >= o.min
}

func wordEdge(s string, at int) bool {
	before, after := false, false
	if at > 0 {
		r, _ := utf8.DecodeLastRuneInString(s[:at])
		before = isWord(r)
	}
	if at < len(s) {
		r, _ := utf8.DecodeRuneInString(s[at:])
		after = isWord(r)
	}
	return before != after
}

// find gives the next match from a place on that is not empty.
func (e *expr) find(m *machine, s string, from int) (lo, hi int, err error) {
	for at := from; at < len(s); {
		end, err := e.match(m, s, at)
		if err != nil || end > at {
			return at, end, err
		}
		_, n := character(s, at)
		at += n
	}
	return -1, -1, nil
}
