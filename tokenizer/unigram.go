package tokenizer

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
)

// unigram takes the tokens of a text whose probabilities have the largest product
// (Kudo 2018, arXiv 1804.10959, by Viterbi's algorithm).
type unigram struct {
	*vocab
	trie     *trie
	score    []float64
	unk      int32
	worst    float64 // of what is unknown
	fallback bool
}

// lattice is the best way to a place in a text.
type lattice struct {
	score float64
	from  int32
	id    int32 // of the token that ends there; -1: none, -2: nothing ends there
}

// unkPenalty is how much less likely what is unknown is than the least likely token,
// in logarithms.
const unkPenalty = 10

// maxPiece bounds the text of a token, where its beginnings are looked through.
const maxPiece = 1 << 12

func readUnigram(b json.RawMessage, unk *int32, fallback bool) (model, error) {
	var pairs [][2]json.RawMessage
	if err := json.Unmarshal(b, &pairs); err != nil {
		return nil, fmt.Errorf("the vocabulary: %w", err)
	}
	texts, scores := make([]string, len(pairs)), make([]float64, len(pairs))
	for i, p := range pairs {
		var score float64
		if json.Unmarshal(p[0], &texts[i]) != nil || json.Unmarshal(p[1], &score) != nil {
			return nil, fmt.Errorf("the vocabulary's entry %d is not [TOKEN, SCORE]", i)
		}
		scores[i] = serde(string(p[1]), score)
	}
	u := int32(-1)
	if unk != nil {
		if *unk < 0 || int(*unk) >= len(pairs) {
			return nil, fmt.Errorf("the token of what is unknown, %d, is none of %d", *unk, len(pairs))
		}
		u = *unk
	}
	return newUnigram(texts, scores, u, fallback)
}

// serde is a number as the library that tokenizers reads its files with takes it
// (serde_json without float_roundtrip): its digits as a whole number, divided by a power
// of ten. That can differ in the last bit, and decides between ways through a text that
// are as likely.
func serde(text string, exact float64) float64 {
	digits, exponent := uint64(0), 0
	rest, negative := strings.CutPrefix(text, "-")
	point, full := false, false
	for i := range len(rest) {
		c := rest[i]
		switch {
		case c == '.' && !point:
			point = true
		case c < '0' || c > '9':
			return exact // with an exponent, which scores seldom have
		case full || digits > (math.MaxUint64-uint64(c-'0'))/10:
			full = true
			if !point {
				exponent++
			}
		default:
			digits = 10*digits + uint64(c-'0')
			if point {
				exponent--
			}
		}
	}
	f := float64(digits)
	switch {
	case exponent > 0 || exponent < -300:
		return exact
	case exponent < 0:
		f /= math.Pow10(-exponent)
	}
	if negative {
		f = -f
	}
	return f
}

// newUnigram makes the model of tokens with their scores, the logarithms of their
// probabilities.
func newUnigram(texts []string, scores []float64, unk int32, fallback bool) (*unigram, error) {
	of := make(map[string]int32, len(texts))
	values := make([]int32, len(texts))
	u := &unigram{score: scores, unk: unk, worst: math.Inf(1), fallback: fallback}
	for i, token := range texts {
		if len(token) > maxPiece {
			return nil, fmt.Errorf("the token %d has %d bytes: at most %d are supported", i, len(token), maxPiece)
		}
		of[token], values[i] = int32(i), int32(i)
		u.worst = min(u.worst, scores[i])
	}
	for i, token := range texts {
		values[i] = of[token] // of two that are equal the later one
	}
	var err error
	if u.vocab, err = newVocab(of); err != nil {
		return nil, err
	}
	if u.trie, err = newTrie(texts, values); err != nil {
		return nil, err
	}
	u.text, u.size = texts, len(texts)
	u.worst -= unkPenalty
	return u, nil
}

func (u *unigram) encode(w *work, text string, out []int32) ([]int32, error) {
	if len(text) > math.MaxInt32-1 {
		return out, fmt.Errorf("a text of %d bytes is too long", len(text))
	}
	w.nodes = w.nodes[:0]
	for range len(text) + 1 {
		w.nodes = append(w.nodes, lattice{id: -2})
	}
	best := w.nodes
	best[0].id = -1
	for at := 0; at < len(text); {
		one := runeLen(text[at:])
		whole := false
		from := best[at].score
		for node, end := int32(0), at; end < len(text); {
			if node = u.trie.step(node, text[end]); node < 0 {
				break
			}
			end++
			id := u.trie.nodes[node].value
			if id < 0 {
				continue
			}
			whole = whole || end == at+one
			if n, score := &best[end], from+u.score[id]; n.id == -2 || score > n.score {
				*n = lattice{score, int32(at), id}
			}
		}
		if n, score := &best[at+one], from+u.worst; !whole && (n.id == -2 || score > n.score) {
			*n = lattice{score, int32(at), -1}
		}
		at += one
	}
	w.ids = w.ids[:0] // where tokens end, from the back
	for at := int32(len(text)); at > 0; at = best[at].from {
		w.ids = append(w.ids, at)
	}
	lost := false // what is unknown came before
	for i := len(w.ids) - 1; i >= 0; i-- {
		end := w.ids[i]
		n := best[end]
		if n.id >= 0 {
			out, lost = append(out, n.id), false
			continue
		}
		if u.fallback {
			var ok bool
			if out, ok = u.hex(out, text[n.from:end]); ok {
				lost = false
				continue
			}
		}
		if u.unk < 0 {
			return out, errUnknown
		}
		if !lost {
			out = append(out, u.unk)
		}
		lost = true
	}
	return out, nil
}
