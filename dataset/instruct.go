package dataset

import (
	"errors"
	"fmt"
	"slices"

	"pare/tokenizer"
)

// answering says how instructions with responses become tokens: the fields are input_ids,
// and next, the tokens that follow each, which are -1 where no token of the response
// follows, so that nothing is asked of the instruction.
type answering struct {
	column string // of the responses
	plain  bool   // nothing is written around the texts
	reply  *cells
	mute   int // records of whose response nothing is left
}

// answering reads the options of responses; nil: there are none.
func (o *options) answering() *answering {
	a := &answering{column: o.str("response", ""), plain: o.oneOf("template", "alpaca", "plain") == "plain"}
	if a.column == "" {
		if o.q.Get("template") != "" {
			o.fail("template= goes with response=COLUMN")
		}
		return nil
	}
	return a
}

// by makes tokens by a tokenizer.
func (a *answering) by(t *tokenizer.Tokenizer, text []string, length int) *tokenizing {
	return &tokenizing{Tokenizer: t, text: text, length: length, answering: a}
}

// instruction is a prompt as it is written: as Stanford's Alpaca has it
// (https://github.com/tatsu-lab/stanford_alpaca), without its first sentence.
func (a *answering) instruction(task, input string) string {
	switch {
	case a.plain && input == "":
		return task
	case a.plain:
		return task + "\n" + input
	case input == "":
		return "### Instruction:\n" + task + "\n\n### Response:\n"
	}
	return "### Instruction:\n" + task + "\n\n### Input:\n" + input + "\n\n### Response:\n"
}

// answered gives the tokens of a record, and how many of them are the instruction.
func (k *tokenizing) answered(task, input, reply string) (ids []int32, prompt int, err error) {
	if ids, err = k.Tokens(k.instruction(task, input)); err != nil {
		return nil, 0, err
	}
	ids = append(k.Lead(), ids...)
	prompt = len(ids)
	r, err := k.Tokens(reply)
	if err != nil {
		return nil, 0, err
	}
	if ids = append(ids, r...); k.EOS >= 0 {
		ids = append(ids, k.EOS)
	}
	return ids, prompt, nil
}

// cellsOf are the columns of texts by what they are: task and input (nil: none), and reply.
func (k *tokenizing) cellsOf(of []*cells) (task, input, reply *cells) {
	for _, c := range k.order(slices.Clone(of)) {
		switch {
		case c.name == k.column:
			reply = c
		case task == nil:
			task = c
		default:
			input = c
		}
	}
	return task, input, reply
}

func textOf(c *cells) string {
	if c == nil {
		return ""
	}
	return string(c.cell.text)
}

// lookAnswer learns from a record how long samples are.
func (k *tokenizing) lookAnswer(of []*cells) error {
	task, input, reply := k.cellsOf(of)
	ids, _, err := k.answered(textOf(task), textOf(input), textOf(reply))
	k.longest = max(k.longest, len(ids)-1)
	return err
}

// chooseAnswer decides which columns are instruction, input and response.
func (k *tokenizing) chooseAnswer(t *table, of []*cells) error {
	task, input, reply := k.cellsOf(of)
	var names []string
	for _, c := range of {
		names = append(names, c.name)
	}
	switch {
	case reply == nil:
		return fmt.Errorf("response=%s: there is no column %q of texts%s", k.column, k.column, meant(k.column, names))
	case task == nil:
		return errors.New("response=: there is no column of texts beside it")
	case k.text == nil && len(of) > 2:
		return fmt.Errorf("columns %s hold texts: text=COLUMN says which is the instruction, text=COLUMN,INPUT that it has an input", few(names))
	case slices.Contains(k.text, k.column):
		return fmt.Errorf("text= and response= both name the column %q", k.column)
	}
	if k.second, k.reply = input, reply; k.length == 0 {
		k.length = max(1, k.longest)
		t.d.note("samples have %d tokens, as many as the longest has (length= sets it)", k.length)
	}
	t.d.note("of each sample the tokens of column %q count alone%s", k.column, map[bool]string{true: "; no token that ends a text is known, so that none is put behind them"}[k.EOS < 0])
	t.plans[task] = &columnPlan{token: true}
	return nil
}

// keepAnswer makes tokens of a record.
func (k *tokenizing) keepAnswer(c *cells) error {
	ids, prompt, err := k.answered(textOf(c), textOf(k.second), textOf(k.reply))
	if err != nil {
		return err
	}
	if len(ids) > k.length+1 {
		k.cut++
		ids = ids[:k.length+1]
	}
	if len(ids) <= prompt {
		k.mute++
	}
	v := c.part.ids
	for i := range k.length {
		now, next := k.Pad, int32(-1)
		if i < len(ids) {
			now = ids[i]
		}
		if i+1 < len(ids) && i+1 >= prompt {
			next = ids[i+1]
		}
		v.ids, v.mask = append(v.ids, now), append(v.mask, next)
	}
	return nil
}

// answerFields are those of a part.
func (k *tokenizing) answerFields(t *table, v *tokenCells, part string) []*Field {
	if k.mute > 0 {
		t.d.note("of %d of %d records of the %s set nothing of the response is left within %d tokens: they teach nothing", k.mute, t.count[part], setNames[part], k.length)
	}
	shape := []int{k.length}
	return []*Field{{Name: "input_ids", Shape: shape, Ints: v.ids, Tokens: k.Size, Speaks: k.Tokenizer}, {Name: "next", Shape: shape, Ints: v.mask, Classes: k.Size, Gaps: true}}
}

// heard returns an error where no record of a file has a token of its response left.
func (k *tokenizing) heard(t *table, part string) error {
	if k.answering == nil || t.d.Spec == "" || k.mute < t.count[part] || k.mute == 0 {
		return nil
	}
	return fmt.Errorf("no record of the %s set has a token of its response within length=%d: the instructions are longer", setNames[part], k.length)
}

// reads says whether a column is read beside the one that tokens are noted at.
func (k *tokenizing) reads(c *cells) bool {
	return k != nil && (c == k.second || k.answering != nil && c == k.reply)
}
