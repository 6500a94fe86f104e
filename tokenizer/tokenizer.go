// Package tokenizer turns texts into the numbers of tokens that language models take,
// as a tokenizer.json of Hugging Face's tokenizers says.
//
// [Read] understands the models WordPiece, byte-level and other BPE, Unigram and
// WordLevel, with their usual normalizers, pre-tokenizers and post-processors; what it
// does not understand it refuses by name. The numbers are those of the tokenizers
// library (https://github.com/huggingface/tokenizers): the interoperability tests
// compare them.
package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// Tokenizer makes tokens of texts. It is not for several goroutines at once.
type Tokenizer struct {
	Size  int   // numbers are below it
	Pad   int32 // what fills up
	Left  bool  // it is filled up on the left
	Fixed int   // tokens that all texts are filled up to; 0: none are asked for
	Most  int   // tokens that a text is cut to; 0: any number
	Pairs bool  // two texts can be one sample, and tokens say of which they are

	added     []addedToken
	normalize []func(string) (string, error)
	split     []func([]piece) ([]piece, error)
	model     model
	mu        *sync.RWMutex // of cache: texts are encoded by several goroutines
	cache     map[string][]int32
	single    []part
	pair      []part
}

// Encoding is a text as tokens.
type Encoding struct {
	IDs   []int32
	Types []int32 // which of two texts a token is of: 0 or 1
}

// addedToken is a text that is a token wherever it stands.
type addedToken struct {
	ID         int32
	Content    string
	SingleWord bool `json:"single_word"`
	LStrip     bool `json:"lstrip"`
	RStrip     bool `json:"rstrip"`
	Normalized bool
}

// piece is a part of a text on its way to become tokens.
type piece struct {
	text  string
	token int32 // that it is already; -1: none
	first bool  // the text begins with it
}

// model makes tokens of a piece.
type model interface {
	encode(text string) ([]int32, error)
	id(token string) (int32, bool)
	size() int
}

// file is a tokenizer.json.
type file struct {
	Version       string
	AddedTokens   []addedToken    `json:"added_tokens"`
	Normalizer    json.RawMessage `json:"normalizer"`
	PreTokenizer  json.RawMessage `json:"pre_tokenizer"`
	PostProcessor json.RawMessage `json:"post_processor"`
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
	t := &Tokenizer{mu: new(sync.RWMutex), added: f.AddedTokens, cache: map[string][]int32{}}
	var err error
	if t.model, err = readModel(f.Model); err != nil {
		return nil, err
	}
	if t.normalize, err = readNormalizer(f.Normalizer); err != nil {
		return nil, err
	}
	if t.split, err = readSplitter(f.PreTokenizer); err != nil {
		return nil, err
	}
	t.Size = t.model.size()
	for _, a := range t.added {
		if a.ID < 0 || a.ID >= maxTokens || a.Content == "" {
			return nil, fmt.Errorf("the added token %q has number %d", a.Content, a.ID)
		}
		t.Size = max(t.Size, int(a.ID)+1)
	}
	if err := t.post(f.PostProcessor); err != nil {
		return nil, err
	}
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
		if id, ok := t.id(name); ok {
			t.Pad = id
			break
		}
	}
	return t, nil
}

// id is the number of a token.
func (t *Tokenizer) id(token string) (int32, bool) {
	for _, a := range t.added {
		if a.Content == token {
			return a.ID, true
		}
	}
	return t.model.id(token)
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
	if texts[0], err = t.encode(first); err != nil {
		return e, 0, err
	}
	if second != nil {
		if !t.Pairs {
			return e, 0, errors.New("the tokenizer takes no pairs of texts")
		}
		if texts[1], err = t.encode(*second); err != nil {
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

// Tokens makes tokens of a text, without any around it.
func (t *Tokenizer) Tokens(text string) ([]int32, error) { return t.encode(text) }

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

// maxCache bounds what is remembered of pieces.
const maxCache = 1 << 16

// encode makes tokens of a text alone.
func (t *Tokenizer) encode(text string) ([]int32, error) {
	pieces := t.special([]piece{{text, -1, true}}, false)
	for i := range pieces {
		if pieces[i].token >= 0 {
			continue
		}
		for _, f := range t.normalize {
			var err error
			if pieces[i].text, err = f(pieces[i].text); err != nil {
				return nil, err
			}
		}
	}
	pieces = t.special(pieces, true)
	var err error
	for _, f := range t.split {
		if pieces, err = f(pieces); err != nil {
			return nil, err
		}
	}
	var out []int32
	for _, p := range pieces {
		if p.token >= 0 {
			out = append(out, p.token)
			continue
		}
		if p.text == "" {
			continue
		}
		t.mu.RLock()
		ids, ok := t.cache[p.text]
		t.mu.RUnlock()
		if !ok {
			if ids, err = t.model.encode(p.text); err != nil {
				return nil, err
			}
			t.mu.Lock()
			if len(t.cache) < maxCache && len(p.text) < 256 {
				t.cache[strings.Clone(p.text)] = ids
			}
			t.mu.Unlock()
		}
		out = append(out, ids...)
	}
	return out, nil
}

// special cuts out the added tokens: those that are looked for in the text as it is,
// or in the normalized one. The one that begins first is taken, of several the
// longest.
func (t *Tokenizer) special(in []piece, normalized bool) []piece {
	var added []addedToken
	for _, a := range t.added {
		if a.Normalized == normalized {
			if normalized {
				for _, f := range t.normalize {
					if s, err := f(a.Content); err == nil {
						a.Content = s
					}
				}
			}
			if a.Content != "" {
				added = append(added, a)
			}
		}
	}
	if len(added) == 0 {
		return in
	}
	slices.SortStableFunc(added, func(a, b addedToken) int { return len(b.Content) - len(a.Content) })
	var out []piece
	for _, p := range in {
		if p.token >= 0 {
			out = append(out, p)
			continue
		}
		out = append(out, cutOut(p, added)...)
	}
	return out
}
