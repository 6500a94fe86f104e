package tokenizer

import (
	"fmt"
	"slices"
	"unicode/utf8"
)

// expr is a regular expression, compiled. The expressions of tokenizers look ahead,
// which Go's regexp does not, and are short alternatives of runs of characters: a
// machine that goes back (Thompson's with a stack, as R. Cox describes it,
// https://swtch.com/~rsc/regexp/regexp2.html) is faster than one that keeps all ways.
// Its steps are counted: an expression that takes too many is an error.
type expr struct{ code []op }

// op is a step of the machine.
type op struct {
	kind     int
	chars    *set
	min, max int
	way      byte
	neg      bool
	keep     bool  // opAhead: what fits is taken, as it is
	to       int   // opJump, opAhead: where it goes on
	ways     []int // opAlt
	fits     *[129]uint64
}

const (
	opSet   = iota // a character
	opRun          // characters: as many as can be, of which some may be given back
	opAlt          // one of several ways
	opJump         // elsewhere
	opAhead        // what follows, up to opMatch, fits or does not
	opStart
	opEnd
	opWord
	opMatch
)

// compileExpr compiles an expression; errExpr: the parser does not know what it has.
func compileExpr(text string) (*expr, error) {
	if len(text) > 1<<16 || !utf8.ValidString(text) {
		return nil, fmt.Errorf("it is too long or not UTF-8")
	}
	p := &exprParser{s: text}
	n, err := p.alternatives()
	if err != nil {
		return nil, err
	}
	if p.more() {
		return nil, fmt.Errorf("a bracket closes that was not opened")
	}
	c := &exprCompiler{}
	if err := c.node(n); err != nil {
		return nil, err
	}
	c.add(op{kind: opMatch})
	return &expr{c.code}, nil
}

type exprCompiler struct {
	code []op
	sets []*set
	of   []spans // which they were made of
}

func (c *exprCompiler) add(o op) int {
	c.code = append(c.code, o)
	return len(c.code) - 1
}

func (c *exprCompiler) set(s spans) (*set, error) {
	for i, t := range c.of {
		if slices.Equal(s, t) {
			return c.sets[i], nil
		}
	}
	if len(c.sets) == maxSets {
		return nil, fmt.Errorf("it has more than %d sets of characters", maxSets)
	}
	c.of, c.sets = append(c.of, s), append(c.sets, s.set())
	return c.sets[len(c.sets)-1], nil
}

func (c *exprCompiler) node(n *node) error {
	if len(c.code) > maxNodes {
		return fmt.Errorf("it has more than %d parts", maxNodes)
	}
	switch n.kind {
	case nodeSet:
		s, err := c.set(n.chars)
		c.add(op{kind: opSet, chars: s})
		return err
	case nodeSeq:
		for _, k := range n.kids {
			if err := c.node(k); err != nil {
				return err
			}
		}
	case nodeAlt:
		return c.alt(n.kids, n.kids)
	case nodeRepeat:
		return c.repeat(n)
	case nodeAhead:
		at := c.add(op{kind: opAhead, neg: n.neg})
		if err := c.node(n.kids[0]); err != nil {
			return err
		}
		c.add(op{kind: opMatch})
		c.code[at].to = len(c.code)
	case nodeStart:
		c.add(op{kind: opStart})
	case nodeEnd:
		c.add(op{kind: opEnd})
	case nodeWord:
		c.add(op{kind: opWord})
	}
	return nil
}

// alt writes ways, each of which ends at the same place; a way that is nil does
// nothing. first says what they begin with, where it is known; nil: anything.
func (c *exprCompiler) alt(kids, first []*node) error {
	if len(kids) > 64 {
		return fmt.Errorf("it has more than 64 alternatives")
	}
	a := op{kind: opAlt, ways: make([]int, len(kids)), fits: new([129]uint64)}
	for i, n := range first {
		b := begin{plain: [2]uint64{^uint64(0), ^uint64(0)}, other: true}
		if n != nil {
			if k := n.begin(); !k.empty {
				b = k
			}
		}
		for r := range 128 {
			if b.plain[r>>6]>>(r&63)&1 != 0 {
				a.fits[r] |= 1 << i
			}
		}
		if b.other {
			a.fits[128] |= 1 << i
		}
	}
	at := c.add(a)
	var ends []int
	for i, k := range kids {
		c.code[at].ways[i] = len(c.code)
		if k != nil {
			if err := c.node(k); err != nil {
				return err
			}
		}
		if i < len(kids)-1 {
			ends = append(ends, c.add(op{kind: opJump}))
		}
	}
	for _, e := range ends {
		c.code[e].to = len(c.code)
	}
	return nil
}

// repeat writes a part several times.
func (c *exprCompiler) repeat(n *node) error {
	k := n.kids[0]
	if k.kind == nodeSeq && len(k.kids) == 1 {
		k = k.kids[0]
	}
	if k.kind == nodeSet && n.way != '?' {
		s, err := c.set(k.chars)
		c.add(op{kind: opRun, chars: s, min: n.min, max: n.max, way: n.way})
		return err
	}
	if k.begin().empty {
		return errExpr // a repetition of nothing does not end
	}
	if n.way == '+' {
		at := c.add(op{kind: opAhead, keep: true})
		defer func() { c.code[at].to = c.add(op{kind: opMatch}) + 1 }()
	}
	for range n.min {
		if err := c.node(k); err != nil {
			return err
		}
	}
	if n.max < 0 { // loop: alt(k jump loop, on)
		at := c.add(op{kind: opAlt, ways: make([]int, 2), fits: anything(2)})
		enter := len(c.code)
		if err := c.node(k); err != nil {
			return err
		}
		c.add(op{kind: opJump, to: at})
		c.code[at].ways = order(n.way, enter, len(c.code))
		return nil
	}
	var skips []int
	for range n.max - n.min {
		at := c.add(op{kind: opAlt, ways: make([]int, 2), fits: anything(2)})
		skips = append(skips, at)
		if err := c.node(k); err != nil {
			return err
		}
	}
	for _, at := range skips {
		c.code[at].ways = order(n.way, at+1, len(c.code))
	}
	return nil
}

func order(way byte, enter, leave int) []int {
	if way == '?' {
		return []int{leave, enter}
	}
	return []int{enter, leave}
}

func anything(n int) *[129]uint64 {
	out := new([129]uint64)
	for i := range out {
		out[i] = 1<<n - 1
	}
	return out
}

// begin is what a part can begin with.
type begin struct {
	plain [2]uint64 // characters of ASCII
	other bool      // others
	empty bool      // nothing: it may take no character
}

func (b *begin) join(c begin) {
	b.plain[0] |= c.plain[0]
	b.plain[1] |= c.plain[1]
	b.other = b.other || c.other
}

func (n *node) begin() (out begin) {
	switch n.kind {
	case nodeSet:
		for _, k := range n.chars {
			for r := k.lo; r <= min(k.hi, 127); r++ {
				out.plain[r>>6] |= 1 << (r & 63)
			}
			out.other = out.other || k.hi > 127
		}
	case nodeSeq:
		out.empty = true
		for _, k := range n.kids {
			b := k.begin()
			out.join(b)
			if !b.empty {
				out.empty = false
				break
			}
		}
	case nodeAlt:
		for _, k := range n.kids {
			b := k.begin()
			out.join(b)
			out.empty = out.empty || b.empty
		}
	case nodeRepeat:
		out = n.kids[0].begin()
		out.empty = out.empty || n.min == 0
	default: // what takes no character
		out.empty = true
	}
	return out
}
