package metric

import (
	"fmt"
	"slices"
)

var (
	sequenceParams = []Param{
		{Name: "decode", Default: "ctc", Choices: []string{"ctc", "best"}, Doc: "ctc: the best token of each step, repeats merged and blanks taken out (Graves et al. 2006); best: the best token of each step as it is"},
		{Name: "blank", Default: "0", Choices: []string{"last"}, Range: "[0,)", Whole: true, Doc: "the token that is blank, of ctc"},
		{Name: "pad", Default: "none", Choices: []string{"none"}, Range: "[0,)", Whole: true, Doc: "the token that is left out of both sequences; negative ones of the target always are"},
		{Name: "end", Default: "none", Choices: []string{"none"}, Range: "[0,)", Whole: true, Doc: "the token that ends a sequence"},
		{Name: "axis", Default: "2", Range: "[1,2]", Whole: true, Bound: true, Doc: "the axis of the tokens' scores in the output [N T C] or [N C T]"},
	}
	cerMetric = define(&Metric{Name: "cer", Doc: "character (token) error rate: insertions, deletions and substitutions of all samples as a share of the tokens of the targets", Unit: "%",
		Outputs: []string{"output"}, Targets: []string{"token"}, Target: Tokens, Params: sequenceParams},
		func(p Params) state { return newEdits(p) })
	werMetric = define(&Metric{Name: "wer", Doc: "word error rate: insertions, deletions and substitutions of words of all samples as a share of the words of the targets", Unit: "%",
		Outputs: []string{"output"}, Targets: []string{"token"}, Target: Tokens,
		Params: append([]Param{{Name: "space", Default: "none", Choices: []string{"none"}, Range: "[0,)", Whole: true, Doc: "the token between words; none: every token is a word"}}, sequenceParams...)},
		func(p Params) state { return newEdits(p) })
)

// none stands where no token has a role.
const none = -1

// edits counts what turns sequences into their targets.
type edits struct {
	ctc                    bool
	blank, pad, end, space int // none: no such token
	lastBlank              bool
	axis                   int
	wrong, length          int

	said, real []int // a sequence's tokens, or its words' numbers
	row        []int
	words      map[string]int
	letters    []byte
}

func newEdits(p Params) *edits {
	e := &edits{ctc: p["decode"] == "ctc", blank: p.Whole("blank", none), lastBlank: p["blank"] == "last", pad: p.Whole("pad", none), end: p.Whole("end", none), space: none, axis: p.Whole("axis", 2)}
	if _, ok := p["space"]; ok {
		e.space = p.Whole("space", none)
	}
	return e
}

func (e *edits) add(b *batch) error {
	o, t := &b.out[0], &b.target[0]
	if len(o.shape) != 3 || o.shape[0] != b.n {
		return fmt.Errorf("%s has shape %v: [N T C] or [N C T] is needed", o.name, o.shape)
	}
	steps, k := o.shape[1], o.shape[2]
	next, step := k, 1
	if e.axis == 1 {
		steps, k = k, steps
		next, step = 1, steps
	}
	blank := e.blank
	if e.lastBlank {
		blank = k - 1
	}
	if e.ctc && blank >= k {
		return fmt.Errorf("blank=%d: %s has %d scores for each step", blank, o.name, k)
	}
	per := len(t.i) / b.n
	for s := range b.n {
		x := part(o.f, s, b.n)
		e.said = e.said[:0]
		last := none
		for i := range steps {
			best := 0
			for c := range k {
				if x[i*next+c*step] > x[i*next+best*step] {
					best = c
				}
			}
			if !e.ctc || best != last && best != blank {
				e.said = append(e.said, best)
			}
			last = best
		}
		e.real = e.real[:0]
		for _, y := range t.i[s*per : (s+1)*per] {
			if y >= int64(k) {
				return fmt.Errorf("%s of sample %d is %d, outside the %d tokens of the output", t.name, b.seen+s, y, k)
			}
			if e.ctc && int(y) == blank && blank != e.pad {
				return fmt.Errorf("%s of sample %d is %d, the blank: say blank, or pad=%d where it fills up", t.name, b.seen+s, y, y)
			}
			if y >= 0 {
				e.real = append(e.real, int(y))
			}
		}
		e.said, e.real = e.trim(e.said), e.trim(e.real)
		if len(e.said)*len(e.real) > 1<<32 {
			return fmt.Errorf("sequences of %d and %d tokens are too long", len(e.said), len(e.real))
		}
		e.wrong += distance(e.said, e.real, &e.row)
		e.length += len(e.real)
	}
	return nil
}

// trim ends a sequence where it ends, takes padding out, and makes words of it.
func (e *edits) trim(x []int) []int {
	if i := slices.Index(x, e.end); e.end >= 0 && i >= 0 {
		x = x[:i]
	}
	if e.pad >= 0 {
		x = slices.DeleteFunc(x, func(y int) bool { return y == e.pad })
	}
	if e.space < 0 {
		return x
	}
	if e.words == nil {
		e.words = map[string]int{}
	}
	out := x[:0]
	e.letters = e.letters[:0]
	finish := func() {
		if len(e.letters) == 0 {
			return
		}
		w, ok := e.words[string(e.letters)]
		if !ok {
			w = len(e.words)
			e.words[string(e.letters)] = w
		}
		out, e.letters = append(out, w), e.letters[:0]
	}
	for _, y := range x {
		if y == e.space {
			finish()
			continue
		}
		e.letters = append(e.letters, byte(y), byte(y>>8), byte(y>>16), byte(y>>24))
	}
	finish()
	return out
}

// distance is the least number of insertions, deletions and substitutions that turn a
// into b (Levenshtein 1966).
func distance(a, b []int, buf *[]int) int {
	row := slices.Grow((*buf)[:0], len(b)+1)[:len(b)+1]
	*buf = row
	for j := range row {
		row[j] = j
	}
	for i, x := range a {
		diag := row[0]
		row[0] = i + 1
		for j, y := range b {
			d := diag
			if x != y {
				d = 1 + min(diag, row[j], row[j+1])
			}
			diag, row[j+1] = row[j+1], d
		}
	}
	return row[len(b)]
}

func (e *edits) value() (float64, error) {
	if e.length == 0 {
		return 0, fmt.Errorf("it is undefined: every target is empty")
	}
	return float64(e.wrong) / float64(e.length), nil
}
