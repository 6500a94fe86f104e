// Package tokenizer turns texts into the numbers of tokens that language models take,
// and back.
//
// [Read] takes a tokenizer.json of Hugging Face's tokenizers and understands the models
// WordPiece, byte-level and other BPE, Unigram and WordLevel, with their usual
// normalizers, pre-tokenizers, post-processors and decoders; what it does not understand
// it refuses by name. The numbers and texts are those of the tokenizers library
// (https://github.com/huggingface/tokenizers): the interoperability tests compare them.
// [FromGGUF] takes the metadata of a GGUF file, [FromLlama2C] the pieces of llama2.c.
//
// It is own code: of the Go libraries, sugarme/tokenizer 0.3.0 reads tokenizer.json, but
// ends the program on the expressions of Llama 3, gives other numbers for one text in
// eight with byte fallback, and takes 30 times as long; those of SentencePiece and of
// OpenAI's vocabularies read other files.
package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Tokenizer makes tokens of texts, and texts of tokens. It can be used by several
// goroutines at once.
type Tokenizer struct {
	Size  int     // numbers are below it
	Pad   int32   // what fills up
	Left  bool    // it is filled up on the left
	Fixed int     // tokens that all texts are filled up to; 0: none are asked for
	Most  int     // tokens that a text is cut to; 0: any number
	Pairs bool    // two texts can be one sample, and tokens say of which they are
	BOS   int32   // what a text begins with; -1: not known
	EOS   int32   // what a text ends with; -1: not known
	Ends  []int32 // after which a generated text, or a turn of a conversation, ends

	added     []addedToken
	addedText map[string]int32
	addedID   map[int32]int // which of the added tokens
	special   map[string]bool
	exact     *matcher // of the text as it is
	normal    *matcher // of the normalized text
	normalize []normalizer
	split     []splitter
	bytes     bool // pieces are to be written as characters that stand for bytes
	model     model
	cache     *cache
	decode    decoders
	single    []part
	pair      []part
}

// Encoding is a text as tokens.
type Encoding struct {
	IDs   []int32
	Types []int32 // which of two texts a token is of: 0 or 1
}

// piece is a part of a text on its way to become tokens.
type piece struct {
	text  string
	token int32 // that it is already; -1: none
	first bool  // the text begins with it
}

// file is a tokenizer.json.
type file struct {
	Version       string
	AddedTokens   []addedToken    `json:"added_tokens"`
	Normalizer    json.RawMessage `json:"normalizer"`
	PreTokenizer  json.RawMessage `json:"pre_tokenizer"`
	PostProcessor json.RawMessage `json:"post_processor"`
	Decoder       json.RawMessage
	Model         json.RawMessage
	Truncation    *struct {
		MaxLength int `json:"max_length"`
	}
	Padding *struct {
		Strategy  json.RawMessage
		Direction string
		PadID     int32 `json:"pad_id"`
	}
}

// MaxFile bounds a tokenizer.json.
const MaxFile = 256 << 20

// maxTokens bounds the numbers of tokens.
const maxTokens = 1 << 26

// Read reads a tokenizer.json.
func Read(b []byte) (*Tokenizer, error) {
	if len(b) > MaxFile {
		return nil, fmt.Errorf("a tokenizer of more than %d bytes", MaxFile)
	}
	var f file
	if err := json.Unmarshal(b, &f); err != nil {
		return nil, fmt.Errorf("not a tokenizer.json: %w", err)
	}
	if f.Model == nil {
		return nil, errors.New("not a tokenizer.json: it has no model")
	}
	m, err := readModel(f.Model)
	if err != nil {
		return nil, err
	}
	t := newTokenizer(m)
	if t.normalize, err = readNormalizer(f.Normalizer); err != nil {
		return nil, err
	}
	if t.split, err = readSplitter(f.PreTokenizer); err != nil {
		return nil, err
	}
	if err := t.decode.read(f.Decoder); err != nil {
		return nil, err
	}
	t.prepare()
	if err := t.add(f.AddedTokens); err != nil {
		return nil, err
	}
	if err := t.post(f.PostProcessor); err != nil {
		return nil, err
	}
	t.ends()
	t.Pairs = t.pair != nil
	if f.Truncation != nil {
		t.Most = max(0, f.Truncation.MaxLength)
	}
	if p := f.Padding; p != nil {
		t.Pad, t.Left = p.PadID, strings.EqualFold(p.Direction, "left")
		var fixed struct{ Fixed int }
		if json.Unmarshal(p.Strategy, &fixed) == nil {
			t.Fixed = max(0, fixed.Fixed)
		}
		return t, nil
	}
	for _, name := range []string{"[PAD]", "<pad>", "<|pad|>", "<|endoftext|>", "</s>"} {
		if id, ok := t.ID(name); ok {
			t.Pad = id
			break
		}
	}
	return t, nil
}

func newTokenizer(m model) *Tokenizer {
	return &Tokenizer{Size: m.words().size, BOS: -1, EOS: -1, model: m, cache: newCache()}
}

// prepare has bytes written as characters where the model sees them: most pieces are
// remembered as they are in the text.
func (t *Tokenizer) prepare() {
	if n := len(t.split); n > 0 && t.split[n-1].bytes {
		t.bytes, t.split[n-1].bytes = true, false
	}
}

// Special is how many tokens are put around a text (or two).
func (t *Tokenizer) Special(pair bool) int {
	n := 0
	for _, p := range t.template(pair) {
		if p.of < 0 {
			n++
		}
	}
	return n
}

func (t *Tokenizer) template(pair bool) []part {
	if pair && t.pair != nil {
		return t.pair
	}
	return t.single
}

// Encode makes tokens of a text, or of two (second nil: one), with those that the
// model wants around them, at most most (0: any number): longer texts are cut at their
// ends, of two the longer one first. It says how many tokens there would have been.
func (t *Tokenizer) Encode(first string, second *string, most int) (Encoding, int, error) {
	var e Encoding
	var texts [2][]int32
	var err error
	if texts[0], err = t.encode(first, false); err != nil {
		return e, 0, err
	}
	if second != nil {
		if !t.Pairs {
			return e, 0, errors.New("the tokenizer takes no pairs of texts")
		}
		if texts[1], err = t.encode(*second, false); err != nil {
			return e, 0, err
		}
	}
	around := t.Special(second != nil)
	all := len(texts[0]) + len(texts[1]) + around
	if most > 0 && all > most {
		room := max(0, most-around)
		cut(&texts, room)
	}
	for _, p := range t.template(second != nil) {
		ids := p.ids
		if p.of >= 0 {
			ids = texts[p.of]
		}
		for _, id := range ids {
			e.IDs, e.Types = append(e.IDs, id), append(e.Types, p.kind)
		}
	}
	if most > 0 && len(e.IDs) > most {
		e.IDs, e.Types = e.IDs[:most], e.Types[:most]
	}
	return e, all, nil
}

// Lead are the tokens that the model wants before a text.
func (t *Tokenizer) Lead() (ids []int32) {
	for _, p := range t.template(false) {
		if p.of >= 0 {
			break
		}
		ids = append(ids, p.ids...)
	}
	return ids
}

// Tokens makes tokens of a text, without any around it.
func (t *Tokenizer) Tokens(text string) ([]int32, error) { return t.encode(text, false) }

// Plain makes tokens of a text in which special tokens are text like any other: what
// a stranger wrote cannot end a turn of a conversation.
func (t *Tokenizer) Plain(text string) ([]int32, error) { return t.encode(text, true) }

// cut leaves room tokens: what is too many is taken from the longer text.
func cut(texts *[2][]int32, room int) {
	a, b := len(texts[0]), len(texts[1])
	if short := min(a, b); 2*short > room {
		a, b = room-room/2, room/2
		if len(texts[0]) <= len(texts[1]) {
			a, b = room/2, room-room/2
		}
	} else if a > b {
		a = room - b
	} else {
		b = room - a
	}
	texts[0], texts[1] = texts[0][:min(a, len(texts[0]))], texts[1][:min(b, len(texts[1]))]
}

// encode makes tokens of a text alone; plain: special tokens are text.
func (t *Tokenizer) encode(text string, plain bool) ([]int32, error) {
	w := works.Get().(*work)
	defer works.Put(w)
	out, err := t.append(w, make([]int32, 0, len(text)/3+8), valid(text), plain)
	clear(w.pieces) // no text is held
	clear(w.next)
	if cap(w.pieces)+cap(w.next)+cap(w.symbols)+cap(w.queue)+cap(w.nodes)+cap(w.machine.stack) > 1<<20 {
		*w = work{}
	}
	return out, err
}

func (t *Tokenizer) append(w *work, out []int32, text string, plain bool) ([]int32, error) {
	w.pieces = append(w.pieces[:0], piece{text, -1, true})
	if t.exact != nil {
		w.pieces = t.exact.cutOut(piece{text, -1, true}, plain, w.pieces[:0])
	}
	for i := range w.pieces {
		if w.pieces[i].token >= 0 {
			continue
		}
		for _, f := range t.normalize {
			var err error
			if w.pieces[i].text, err = f(w.pieces[i].text); err != nil {
				return nil, err
			}
		}
	}
	w.pieces = slices.DeleteFunc(w.pieces, func(p piece) bool { return p.text == "" })
	if t.normal != nil {
		w.each(func(p piece, next []piece) ([]piece, error) { return t.normal.cutOut(p, plain, next), nil }) //nolint:errcheck // it has none
	}
	for _, f := range t.split {
		err := w.each(func(p piece, next []piece) ([]piece, error) {
			was := len(next)
			next, err := f.divide(w, p, next)
			for i := was; f.bytes && i < len(next); i++ {
				next[i].text = asRunes(next[i].text)
			}
			return next, err
		})
		if err != nil {
			return nil, err
		}
	}
	for _, p := range w.pieces {
		if p.token >= 0 {
			out = append(out, p.token)
			continue
		}
		slot, ids := t.cache.get(p.text)
		if ids != nil {
			out = append(out, ids...)
			continue
		}
		text := p.text
		if t.bytes {
			text = asRunes(text)
		}
		was := len(out)
		var err error
		if out, err = t.model.encode(w, text, out); err != nil {
			return nil, err
		}
		t.cache.put(slot, p.text, out[was:])
	}
	return out, nil
}

// each divides the pieces that are no tokens yet.
func (w *work) each(f func(p piece, next []piece) ([]piece, error)) error {
	w.next = w.next[:0]
	for _, p := range w.pieces {
		if p.token >= 0 {
			w.next = append(w.next, p)
			continue
		}
		var err error
		if w.next, err = f(p, w.next); err != nil {
			return err
		}
	}
	w.pieces, w.next = w.next, w.pieces
	return nil
}
