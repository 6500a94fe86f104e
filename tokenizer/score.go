package tokenizer

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"unicode/utf8"
)

// byScore sets merges as SentencePiece has them: two tokens are merged if both together
// are a token, that with the highest score first. Where ghosts says so, a character
// that is no token can be merged too, and becomes bytes if it is not.
func (m *bpe) byScore(tokens []string, scores []float32, ghosts bool) error {
	ranks := make([]int32, len(tokens)) // equal scores have equal ranks: the pair that comes first is merged first
	order := make([]int32, len(tokens))
	for i, s := range scores {
		if math.IsNaN(float64(s)) {
			return fmt.Errorf("the score of token %d is not a number", i)
		}
		order[i] = int32(i)
	}
	slices.SortStableFunc(order, func(a, b int32) int {
		switch {
		case scores[a] > scores[b]:
			return -1
		case scores[a] < scores[b]:
			return 1
		}
		return 0
	})
	for i, id := range order[1:] {
		ranks[id] = ranks[order[i]]
		if scores[id] != scores[order[i]] {
			ranks[id] = int32(i + 1)
		}
	}
	m.base, m.merges, m.ghost = int32(len(tokens)), map[uint64]merge{}, map[string]int32{}
	part := func(s string) (int32, bool) {
		if id, ok := m.of[s]; ok {
			return id, true
		}
		if !ghosts || len(s) > utf8.UTFMax || runeLen(s) != len(s) {
			return 0, false
		}
		id, ok := m.ghost[s]
		if !ok {
			id = m.base + int32(len(m.ghosts))
			m.ghost[s], m.ghosts = id, append(m.ghosts, s)
		}
		return id, true
	}
	for i, s := range tokens {
		if len(s) > maxPiece {
			return fmt.Errorf("the token %d has %d bytes: at most %d are supported", i, len(s), maxPiece)
		}
		if id := m.of[s]; id != int32(i) {
			continue // another of the same text
		}
		for at := runeLen(s); at < len(s); at += runeLen(s[at:]) {
			a, ok := part(s[:at])
			if !ok {
				continue
			}
			b, ok := part(s[at:])
			if !ok {
				continue
			}
			if len(m.merges) == maxMerges {
				return fmt.Errorf("there are more than %d pairs of tokens that make a token", maxMerges)
			}
			m.merges[pairOf(a, b)] = merge{ranks[i], int32(i)}
		}
	}
	m.prepare()
	return nil
}

// FromLlama2C makes a tokenizer of the pieces of llama2.c
// (https://github.com/karpathy/llama2.c, tokenizer.py and run.c) and their scores:
// SentencePiece's, with spaces as they are, of which the first are <unk>, <s> and </s>,
// and the bytes. Special tokens are not looked for in texts.
func FromLlama2C(tokens []string, scores []float32) (*Tokenizer, error) {
	if len(tokens) < 259 || len(tokens) >= maxTokens || len(scores) != len(tokens) {
		return nil, fmt.Errorf("a vocabulary of %d tokens and %d scores: there are 3 special tokens and 256 of bytes at least, each with a score", len(tokens), len(scores))
	}
	of := map[string]int32{}
	for i, s := range tokens {
		if s == "" {
			return nil, fmt.Errorf("the vocabulary's token %d is empty", i)
		}
		if _, ok := of[s]; !ok {
			of[s] = int32(i)
		}
	}
	words, err := newVocab(of)
	if err != nil {
		return nil, err
	}
	words.text, words.size = tokens, len(tokens)
	for b := range words.byte {
		words.byte[b] = int32(b) + 3
	}
	if _, ok := of[" "]; !ok {
		return nil, errors.New("the vocabulary has no token for a space")
	}
	m := &bpe{vocab: words, unk: 0, fallback: true}
	if err := m.byScore(tokens, scores, false); err != nil {
		return nil, err
	}
	t := newTokenizer(m)
	t.normalize = []normalizer{func(s string) (string, error) {
		if s != "" {
			s = " " + s
		}
		return s, nil
	}}
	t.decode = decoders{steps: []decoder{hexBytes, fuse, strip(" ", 1, 0)}, single: true}
	t.BOS, t.EOS, t.Pad, t.Ends = 1, 2, 2, []int32{1, 2}
	t.name([]addedToken{{ID: 0, Content: tokens[0], Special: true}, {ID: 1, Content: tokens[1], Special: true}, {ID: 2, Content: tokens[2], Special: true}})
	t.single = []part{{of: -1, ids: []int32{1}}, {of: 0}}
	return t, nil
}
