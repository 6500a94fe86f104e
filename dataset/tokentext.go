package dataset

import (
	"bytes"
	"errors"
	"fmt"
	"unicode/utf8"
)

// tokenText reads a text as tokens, each sample seq of them and the ones that follow.
func (d *Data) tokenText(path string, seq int, k *tokenizing) error {
	if k.text != nil || k.types {
		return errors.New("text= and types= are of columns: a text has neither")
	}
	b, err := readAll(path)
	if err != nil {
		return err
	}
	if err := notText(b); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if b = bytes.TrimPrefix(b, []byte("\xef\xbb\xbf")); !utf8.Valid(b) {
		return fmt.Errorf("%s: the text is not UTF-8", path)
	}
	var ids []int32
	for len(b) > 0 {
		n := paragraph(b)
		some, err := k.Tokens(string(b[:n]))
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		ids, b = append(ids, some...), b[n:]
	}
	n := (len(ids) - 1) / seq
	if n < 1 {
		return fmt.Errorf("%d tokens of text are less than one sample of %d", len(ids), seq)
	}
	now, next := textFields(seq, n)
	copy(now.Ints, ids)
	copy(next.Ints, ids[1:])
	next.Classes = k.Size
	d.note("the text has %d tokens, of %d that there are; those that the tokenizer puts around a text are left out", len(ids), k.Size)
	s := New("", now, next)
	s.Ordered = true
	d.Train, d.Test, err = s.Split(.1, 1)
	return err
}

// mostParagraph is how many bytes of a text are made into tokens at a time, at least.
const mostParagraph = 1 << 16

// paragraph is where a text can be divided: before a line that begins with no space, of
// which tokenizers make no piece with what comes before it.
func paragraph(b []byte) int {
	for at := min(mostParagraph, len(b)); at < len(b); at++ {
		if b[at-1] == '\n' && b[at] > ' ' && b[at] < utf8.RuneSelf {
			return at
		}
	}
	return len(b)
}
