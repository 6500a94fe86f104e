package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"
)

// model makes tokens of a piece.
type model interface {
	// encode appends the tokens of a piece.
	encode(w *work, text string, out []int32) ([]int32, error)
	words() *vocab
	// alphabet says what becomes of what is no token, and what tokens have before and behind
	// their characters.
	alphabet() (of unknowns, prefix, suffix string)
}

// vocab is tokens by their texts.
type vocab struct {
	of     map[string]int32
	size   int      // numbers are below it
	text   []string // by number; nil: the numbers are too far apart
	sparse map[int32]string
	byte   [256]int32 // the tokens <0x00> to <0xFF>; -1: none
}

// newVocab refuses numbers out of range.
func newVocab(of map[string]int32) (*vocab, error) {
	v := &vocab{of: of}
	for token, id := range of {
		if id < 0 || id >= maxTokens {
			return nil, fmt.Errorf("the token %q has number %d", token, id)
		}
		v.size = max(v.size, int(id)+1)
	}
	if v.size <= 4*len(of)+1024 {
		v.text = make([]string, v.size)
		for token, id := range of {
			v.text[id] = token
		}
	} else {
		v.sparse = make(map[int32]string, len(of))
		for token, id := range of {
			v.sparse[id] = token
		}
	}
	for b := range v.byte {
		v.byte[b] = -1
		if id, ok := of[fmt.Sprintf("<0x%02X>", b)]; ok {
			v.byte[b] = id
		}
	}
	return v, nil
}

func (v *vocab) words() *vocab { return v }

// token is the text of a number.
func (v *vocab) token(id int32) (string, bool) {
	if v.text == nil {
		s, ok := v.sparse[id]
		return s, ok
	}
	if id < 0 || int(id) >= len(v.text) {
		return "", false
	}
	s := v.text[id]
	if s == "" {
		_, ok := v.of[""]
		return "", ok && v.of[""] == id
	}
	return s, true
}

// hex appends the tokens of a text's bytes, <0x00> to <0xFF>; false where one is none.
func (v *vocab) hex(out []int32, text string) ([]int32, bool) {
	was := len(out)
	for i := range len(text) {
		id := v.byte[text[i]]
		if id < 0 {
			return out[:was], false
		}
		out = append(out, id)
	}
	return out, true
}

func readModel(b json.RawMessage) (model, error) {
	var m struct {
		Type     string
		Vocab    json.RawMessage
		Merges   json.RawMessage
		Unk      *string `json:"unk_token"`
		UnkID    *int32  `json:"unk_id"`
		Prefix   *string `json:"continuing_subword_prefix"`
		Suffix   *string `json:"end_of_word_suffix"`
		MaxChars int     `json:"max_input_chars_per_word"`
		Fallback bool    `json:"byte_fallback"`
		Fuse     bool    `json:"fuse_unk"`
		Ignore   bool    `json:"ignore_merges"`
		Dropout  *float64
	}
	if err := json.Unmarshal(b, &m); err != nil {
		return nil, fmt.Errorf("the model of the tokenizer: %w", err)
	}
	if m.Type == "" { // files of old say it by what they have
		switch {
		case m.Merges != nil:
			m.Type = "BPE"
		case m.UnkID != nil:
			m.Type = "Unigram"
		default:
			m.Type = "WordPiece"
		}
	}
	if m.Type == "Unigram" {
		return readUnigram(m.Vocab, m.UnkID, m.Fallback)
	}
	of := map[string]int32{}
	if err := json.Unmarshal(m.Vocab, &of); err != nil {
		return nil, fmt.Errorf("the vocabulary: %w", err)
	}
	v, err := newVocab(of)
	if err != nil {
		return nil, err
	}
	unk := int32(-1)
	if m.Unk != nil {
		if id, ok := of[*m.Unk]; ok {
			unk = id
		}
	}
	text := func(s *string) string {
		if s == nil {
			return ""
		}
		return *s
	}
	switch m.Type {
	case "WordPiece":
		if m.MaxChars == 0 {
			m.MaxChars = 100
		}
		w := &wordPiece{v, unk, "##", m.MaxChars}
		if m.Prefix != nil {
			w.prefix = *m.Prefix
		}
		return w, nil
	case "WordLevel":
		return &wordLevel{v, unk}, nil
	case "BPE":
		if m.Dropout != nil && *m.Dropout > 0 {
			return nil, errors.New("a tokenizer whose merges are left out at random (dropout)")
		}
		return readBPE(&bpe{vocab: v, unk: unk, prefix: text(m.Prefix), suffix: text(m.Suffix), fallback: m.Fallback, fuse: m.Fuse, ignore: m.Ignore}, m.Merges)
	}
	return nil, fmt.Errorf("the tokenizer's model %q is not supported: WordPiece, BPE, Unigram and WordLevel are", m.Type)
}

var errUnknown = errors.New("a part of the text is no token, and the tokenizer has none for what is unknown")

// wordLevel has a token for each word.
type wordLevel struct {
	*vocab
	unk int32
}

func (w *wordLevel) encode(_ *work, text string, out []int32) ([]int32, error) {
	if id, ok := w.of[text]; ok {
		return append(out, id), nil
	}
	if w.unk < 0 {
		return out, errUnknown
	}
	return append(out, w.unk), nil
}

// wordPiece takes the longest token that a word begins with, and so on (Wu et al.
// 2016, arXiv 1609.08144; Devlin et al. 2018, arXiv 1810.04805).
type wordPiece struct {
	*vocab
	unk    int32
	prefix string
	most   int // characters of a word
}

func (w *wordPiece) encode(_ *work, text string, out []int32) ([]int32, error) {
	was := len(out)
	bad := utf8.RuneCountInString(text) > w.most
	for at := 0; at < len(text) && !bad; {
		end := len(text)
		for ; end > at; _, end = at, end-lastRune(text[at:end]) {
			word := text[at:end]
			if at > 0 {
				word = w.prefix + word
			}
			if id, ok := w.of[word]; ok {
				out = append(out, id)
				break
			}
		}
		bad = end == at
		at = end
	}
	if !bad {
		return out, nil
	}
	if w.unk < 0 {
		return out[:was], errUnknown
	}
	return append(out[:was], w.unk), nil
}

func lastRune(s string) int {
	_, n := utf8.DecodeLastRuneInString(s)
	return n
}
