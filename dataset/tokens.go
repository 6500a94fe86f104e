package dataset

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"unicode/utf8"

	"pare/tokenizer"
)

// tokenizing says how texts become tokens.
type tokenizing struct {
	*tokenizer.Tokenizer
	text       []string // the columns: one, or two that are a pair; none: the only one of texts
	types      bool     // a field says of which of two texts a token is
	length     int      // of all; 0: of the longest
	longest    int
	cut        int
	second     *cells
	*answering // nil: texts are not instructions
}

// tokenCells are the tokens of a part's records.
type tokenCells struct{ ids, mask, types []int32 }

// tokenizing reads the options of tokens; nil: texts stay texts. own makes the tokens of
// instructions where no other tokenizer is named; nil: there is none.
func (o *options) tokenizing(length int, own *tokenizer.Tokenizer) *tokenizing {
	path, text, types := o.str("tokenizer", ""), o.names("text"), o.oneOf("types", "no", "yes") == "yes"
	answer := o.answering()
	if len(text) > 2 {
		o.fail("option text=%s: one column, or two that are a pair", o.q.Get("text"))
		return nil
	}
	if path == "" && answer != nil && own != nil {
		return answer.by(own, text, length)
	}
	if path == "" && text != nil && own != nil {
		if length == 0 {
			length = own.Fixed
		}
		return &tokenizing{Tokenizer: own, text: text, types: types || len(text) == 2, length: length}
	}
	if path == "" {
		if text != nil || types || answer != nil {
			o.fail("text=, types= and response= go with tokenizer=FILE")
		}
		return nil
	}
	s, err := openSource(path)
	if err == nil && s.size > tokenizer.MaxFile {
		err = fmt.Errorf("%s: more than %d bytes", path, tokenizer.MaxFile)
	}
	var b []byte
	if err == nil {
		b, err = readAll(path)
	}
	if err != nil {
		o.fail("option tokenizer: %w", err)
		return nil
	}
	t, err := tokenizer.Read(b)
	if err != nil {
		o.fail("option tokenizer=%s: %w", path, err)
		return nil
	}
	if answer != nil {
		return answer.by(t, text, length)
	}
	if length == 0 {
		length = t.Fixed
	}
	return &tokenizing{Tokenizer: t, text: text, types: types || len(text) == 2, length: length}
}

// own makes tokens by the model's tokenizer; nil where there is none.
func (d *Data) own(length int) *tokenizing {
	if d.speaks == nil {
		return nil
	}
	if length == 0 {
		length = d.speaks.Fixed
	}
	d.note("tokens are made by the model's own tokenizer (tokenizer=FILE takes another)")
	return &tokenizing{Tokenizer: d.speaks, length: length}
}

// wants says whether tokens are made of a column of texts.
func (k *tokenizing) wants(name string, isClass bool) bool {
	if k == nil {
		return false
	}
	if k.answering != nil && name == k.column {
		return true
	}
	if k.text != nil {
		return slices.Contains(k.text, name)
	}
	return !isClass
}

// look learns from a record how long texts are, where that decides.
func (k *tokenizing) look(t *table) error {
	if k == nil || k.length > 0 {
		return nil
	}
	var of []*cells
	for _, c := range t.cols {
		if c.cell.kind == texts && len(c.cell.shape) == 0 && k.wants(c.name, t.isClass(c.name)) {
			of = append(of, c)
		}
	}
	if len(of) == 0 {
		return nil
	}
	if k.answering != nil {
		return k.lookAnswer(of)
	}
	e, _, err := k.encode(k.order(of), k.Most)
	k.longest = max(k.longest, len(e.IDs))
	return err
}

// order puts the columns of texts into the order that is asked for.
func (k *tokenizing) order(of []*cells) []*cells {
	slices.SortStableFunc(of, func(a, b *cells) int { return slices.Index(k.text, a.name) - slices.Index(k.text, b.name) })
	return of
}

func (k *tokenizing) encode(of []*cells, most int) (tokenizer.Encoding, int, error) {
	if len(of) < 2 || k.text == nil {
		return k.Encode(string(of[0].cell.text), nil, most)
	}
	second := string(of[1].cell.text)
	return k.Encode(string(of[0].cell.text), &second, most)
}

// choose decides which of the columns of texts become tokens.
func (k *tokenizing) choose(t *table, of []*cells) error {
	if k == nil {
		return nil
	}
	var names []string
	for _, c := range of {
		names = append(names, c.name)
		if _, err := c.plan(filling{}); err != nil {
			return err
		}
	}
	for _, n := range k.text {
		if !slices.Contains(names, n) {
			return fmt.Errorf("text=%s: there is no column %q of texts%s", n, n, meant(n, names))
		}
	}
	if k.answering != nil {
		return k.chooseAnswer(t, of)
	}
	switch {
	case len(of) == 0:
		return errors.New("tokenizer=: there is no column of texts")
	case len(of) > 1 && k.text == nil:
		return fmt.Errorf("columns %s hold texts: text=COLUMN says which tokens are made of, text=FIRST,SECOND that two are a pair", few(names))
	case len(of) == 2 && !k.Pairs:
		return errors.New("the tokenizer takes no pairs of texts")
	}
	of = k.order(of)
	if len(of) == 2 {
		k.second = of[1]
	}
	if k.length == 0 {
		k.length = max(1, k.longest)
		t.d.note("texts become %d tokens, as many as the longest has (length= sets it)", k.length)
	}
	if s := k.Special(k.second != nil); k.length <= s {
		return fmt.Errorf("length=%d leaves no room for a text: the tokenizer puts %d tokens around it", k.length, s)
	}
	t.plans[of[0]] = &columnPlan{token: true}
	return nil
}

// values are the numbers that a text becomes.
func (k *tokenizing) values() int {
	if k.types {
		return 3 * k.length
	}
	return 2 * k.length
}

// room is for the tokens of n records.
func (k *tokenizing) room(n int) *tokenCells {
	k.cut = 0
	if k.answering != nil {
		k.mute = 0
	}
	c := &tokenCells{ids: make([]int32, 0, n*k.length), mask: make([]int32, 0, n*k.length)}
	if k.types {
		c.types = make([]int32, 0, n*k.length)
	}
	return c
}

// keep makes tokens of a record's text.
func (k *tokenizing) keep(c *cells) error {
	if k.answering != nil {
		return k.keepAnswer(c)
	}
	of := []*cells{c}
	if k.second != nil {
		of = append(of, k.second)
	}
	e, all, err := k.encode(of, k.length)
	if err != nil {
		return err
	}
	if all > k.length {
		k.cut++
	}
	v := c.part.ids
	fill := func() {
		for range k.length - len(e.IDs) {
			v.ids, v.mask = append(v.ids, k.Pad), append(v.mask, 0)
			if k.types {
				v.types = append(v.types, 0)
			}
		}
	}
	if k.Left {
		fill()
	}
	for i, id := range e.IDs {
		v.ids, v.mask = append(v.ids, id), append(v.mask, 1)
		if k.types {
			v.types = append(v.types, e.Types[i])
		}
	}
	if !k.Left {
		fill()
	}
	return nil
}

// fields are those of the tokens of a part.
func (k *tokenizing) fields(t *table, c *cells, part string) []*Field {
	if k.cut > 0 {
		t.d.note("%d of %d texts of the %s set have more than %d tokens and are cut off", k.cut, t.count[part], setNames[part], k.length)
	}
	v := c.part.ids
	if k.answering != nil {
		return k.answerFields(t, v, part)
	}
	out := []*Field{{Name: "input_ids", Ints: v.ids, Tokens: k.Size, Speaks: k.Tokenizer}, {Name: "attention_mask", Ints: v.mask, Aside: true}}
	if k.types {
		out = append(out, &Field{Name: "token_type_ids", Ints: v.types, Aside: true})
	}
	for _, f := range out {
		f.Shape = []int{k.length}
	}
	return slices.DeleteFunc(out, func(f *Field) bool { return !t.o.wants(f.Name) })
}

// openLines reads a text of which each line is a sample, without labels.
func openLines(d *Data, path string, o *options) error {
	d.Norm, d.NormName, d.scaled = Raw, "none", true
	r := o.records(d)
	if r.token == nil {
		r.token = d.own(r.length)
	}
	d.speak(r.token, true)
	if o.err == nil && r.token == nil {
		return errors.New("tokenizer=FILE, a tokenizer.json, makes tokens of the lines")
	}
	if o.err != nil {
		return o.err
	}
	files, err := d.findFiles(path, ".txt", ".txt.gz", ".text")
	if err != nil {
		return err
	}
	return d.readRecords(files, r, func(file string) (recordFile, error) {
		s, err := d.openRecords(file)
		return &lineFile{source: s, marks: d.marks(0)}, err
	})
}

// lineFile is a text whose lines are records; empty ones are none.
type lineFile struct {
	*source
	marks   *marks
	longest int // line, in bytes
}

func (f *lineFile) places() *marks         { return f.marks }
func (f *lineFile) file() (*source, int64) { return f.source, int64(f.longest) }

func (f *lineFile) some(t *table, from mark, n int, done func(at string) error) error {
	r, err := f.from(from.at)
	if err != nil {
		return err
	}
	defer r.Close()
	return first(n, done, func(done func(at string) error) error {
		return f.read(t, bufio.NewReaderSize(r, f.longest+1), nil, done)
	})
}

func (f *lineFile) each(t *table, done func(at string) error) error {
	r, err := f.open()
	if err != nil {
		return err
	}
	defer r.Close()
	return f.read(t, bufio.NewReaderSize(r, maxLine), f.marks, done)
}

// read reads lines, and notes where they begin.
func (f *lineFile) read(t *table, lines *bufio.Reader, m *marks, done func(at string) error) error {
	at := int64(0)
	for n := 1; ; n++ {
		b, err := lines.ReadSlice('\n')
		at += int64(len(b))
		if errors.Is(err, bufio.ErrBufferFull) {
			return fmt.Errorf("line %d is longer than %d bytes", n, maxLine)
		}
		if err != nil && err != io.EOF {
			return err
		}
		if n == 1 {
			if err := notText(b); err != nil {
				return err
			}
		}
		if line := bytes.TrimRight(b, "\r\n"); len(bytes.TrimSpace(line)) > 0 {
			c, err := t.column("text")
			if err != nil {
				return err
			}
			if !utf8.Valid(line) {
				return fmt.Errorf("line %d is not UTF-8", n)
			}
			if c == nil {
				return errors.New("the text is left out: there is nothing else")
			}
			c.cell.kind, c.cell.text = texts, append(c.cell.text[:0], line...)
			if err := done(fmt.Sprintf("line %d", n)); err != nil {
				return err
			}
			if m != nil {
				m.pass(at)
				f.longest = max(f.longest, len(b))
			}
		}
		if err == io.EOF {
			return nil
		}
	}
}
