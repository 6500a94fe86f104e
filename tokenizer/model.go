package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"unicode/utf8"
)

// vocab is tokens by their texts.
type vocab map[string]int32

func (v vocab) id(token string) (int32, bool) {
	id, ok := v[token]
	return id, ok
}

func (v vocab) size() int {
	n := 0
	for _, id := range v {
		n = max(n, int(id)+1)
	}
	return n
}

// check refuses numbers out of range.
func (v vocab) check() error {
	for token, id := range v {
		if id < 0 || id >= maxTokens {
			return fmt.Errorf("the token %q has number %d", token, id)
		}
	}
	return nil
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
	v := vocab{}
	if err := json.Unmarshal(m.Vocab, &v); err != nil {
		return nil, fmt.Errorf("the vocabulary: %w", err)
	}
	if err := v.check(); err != nil {
		return nil, err
	}
	unk := int32(-1)
	if m.Unk != nil {
		if id, ok := v[*m.Unk]; ok {
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
	vocab
	unk int32
}

func (w *wordLevel) encode(text string) ([]int32, error) {
	if id, ok := w.vocab[text]; ok {
		return []int32{id}, nil
	}
	if w.unk < 0 {
		return nil, errUnknown
	}
	return []int32{w.unk}, nil
}

// wordPiece takes the longest token that a word begins with, and so on (Wu et al.
// 2016, arXiv 1609.08144; Devlin et al. 2018, arXiv 1810.04805).
type wordPiece struct {
	vocab
	unk    int32
	prefix string
	most   int // characters of a word
}

func (w *wordPiece) encode(text string) ([]int32, error) {
	var out []int32
	bad := utf8.RuneCountInString(text) > w.most
	for at := 0; at < len(text) && !bad; {
		end := len(text)
		for ; end > at; _, end = at, end-lastRune(text[at:end]) {
			word := text[at:end]
			if at > 0 {
				word = w.prefix + word
			}
			if id, ok := w.vocab[word]; ok {
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
		return nil, errUnknown
	}
	return []int32{w.unk}, nil
}

func lastRune(s string) int {
	_, n := utf8.DecodeLastRuneInString(s)
	return n
}

// unigram takes the tokens of a text whose probabilities have the largest product
// (Kudo 2018, arXiv 1804.10959, by Viterbi's algorithm).
type unigram struct {
	vocab
	score    []float64
	unk      int32
	worst    float64 // of what is unknown
	longest  int     // bytes of a token
	fallback bool
}

// unkPenalty is how much less likely what is unknown is than the least likely token,
// in logarithms.
const unkPenalty = 10

func readUnigram(b json.RawMessage, unk *int32, fallback bool) (model, error) {
	var pairs [][2]any
	if err := json.Unmarshal(b, &pairs); err != nil {
		return nil, fmt.Errorf("the vocabulary: %w", err)
	}
	u := &unigram{vocab: vocab{}, unk: -1, worst: math.Inf(1), fallback: fallback}
	if unk != nil {
		if *unk < 0 || int(*unk) >= len(pairs) {
			return nil, fmt.Errorf("the token of what is unknown, %d, is none of %d", *unk, len(pairs))
		}
		u.unk = *unk
	}
	for i, p := range pairs {
		token, ok1 := p[0].(string)
		score, ok2 := p[1].(float64)
		if !ok1 || !ok2 {
			return nil, fmt.Errorf("the vocabulary's entry %d is not [TOKEN, SCORE]", i)
		}
		u.vocab[token] = int32(i)
		u.score = append(u.score, score)
		u.worst, u.longest = min(u.worst, score), max(u.longest, len(token))
	}
	u.worst -= unkPenalty
	return u, nil
}

func (u *unigram) size() int { return len(u.score) }

func (u *unigram) encode(text string) ([]int32, error) {
	type node struct {
		score float64
		from  int
		id    int32
		there bool
	}
	best := make([]node, len(text)+1)
	best[0].there = true
	for at := 0; at < len(text); {
		_, one := utf8.DecodeRuneInString(text[at:])
		whole := false
		put := func(end int, score float64, id int32) {
			if n := &best[end]; !n.there || best[at].score+score > n.score {
				*n = node{best[at].score + score, at, id, true}
			}
		}
		for end := at + one; end <= len(text) && end-at <= u.longest; {
			if id, ok := u.vocab[text[at:end]]; ok {
				put(end, u.score[id], id)
				whole = whole || end == at+one
			}
			if end == len(text) {
				break
			}
			_, n := utf8.DecodeRuneInString(text[end:])
			end += n
		}
		if !whole {
			put(at+one, u.worst, -1)
		}
		at += one
	}
	var ends []int
	for at := len(text); at > 0; at = best[at].from {
		ends = append(ends, at)
	}
	var out []int32
	lost := false // what is unknown came before
	for i := len(ends) - 1; i >= 0; i-- {
		n := best[ends[i]]
		if n.id >= 0 {
			out, lost = append(out, n.id), false
			continue
		}
		if ids := u.vocab.bytes(text[n.from:ends[i]]); u.fallback && ids != nil {
			out, lost = append(out, ids...), false
			continue
		}
		if u.unk < 0 {
			return nil, errUnknown
		}
		if !lost {
			out = append(out, u.unk)
		}
		lost = true
	}
	return out, nil
}

// bytes are the tokens of a text's bytes, <0x00> to <0xFF>; nil where one is none.
func (v vocab) bytes(text string) []int32 {
	var out []int32
	for i := range len(text) {
		id, ok := v[fmt.Sprintf("<0x%02X>", text[i])]
		if !ok {
			return nil
		}
		out = append(out, id)
	}
	return out
}

// characters cuts a text into its characters.
func characters(text string) []string { return strings.Split(text, "") }
