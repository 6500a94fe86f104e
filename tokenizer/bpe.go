package tokenizer

import (
	"container/heap"
	"encoding/json"
	"fmt"
	"strings"
)

// bpe merges pairs of tokens, those that were merged first in training first (Sennrich
// et al. 2015, arXiv 1508.07909).
type bpe struct {
	vocab
	merges         map[[2]int32]merge
	unk            int32
	prefix, suffix string
	fallback, fuse bool
	ignore         bool // a piece that is a token is it, whatever its merges
}

// merge is what a pair becomes.
type merge struct{ rank, id int32 }

func readBPE(m *bpe, b json.RawMessage) (model, error) {
	var lines []json.RawMessage
	if err := json.Unmarshal(b, &lines); err != nil {
		return nil, fmt.Errorf("the merges: %w", err)
	}
	m.merges = make(map[[2]int32]merge, len(lines))
	for i, l := range lines {
		var pair []string
		if json.Unmarshal(l, &pair) != nil || len(pair) != 2 {
			var s string
			if err := json.Unmarshal(l, &s); err != nil {
				return nil, fmt.Errorf("merge %d: %w", i, err)
			}
			if pair = strings.Split(s, " "); len(pair) != 2 {
				return nil, fmt.Errorf("merge %d, %q, is not of two tokens", i, s)
			}
		}
		a, ok1 := m.vocab[pair[0]]
		b, ok2 := m.vocab[pair[1]]
		joined, ok3 := m.vocab[pair[0]+strings.TrimPrefix(pair[1], m.prefix)]
		if !ok1 || !ok2 || !ok3 {
			return nil, fmt.Errorf("merge %d, %q, is not of tokens of the vocabulary", i, pair)
		}
		m.merges[[2]int32{a, b}] = merge{int32(i), joined}
	}
	return m, nil
}

// symbol is a token among those that a piece has come to.
type symbol struct {
	id         int32
	prev, next int
	gone       bool
}

// candidate is a pair that can be merged.
type candidate struct {
	merge
	at   int
	pair [2]int32
}

type queue []candidate

func (q queue) Len() int { return len(q) }
func (q queue) Less(i, j int) bool {
	return q[i].rank < q[j].rank || q[i].rank == q[j].rank && q[i].at < q[j].at
}
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }

// Push appends.
func (q *queue) Push(x any) { *q = append(*q, x.(candidate)) }

// Pop takes the last.
func (q *queue) Pop() any {
	x := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return x
}

func (m *bpe) encode(text string) ([]int32, error) {
	if m.ignore {
		if id, ok := m.vocab[text]; ok {
			return []int32{id}, nil
		}
	}
	ids, err := m.characters(text)
	if err != nil {
		return nil, err
	}
	s := make([]symbol, len(ids))
	for i, id := range ids {
		s[i] = symbol{id, i - 1, i + 1, false}
	}
	var q queue
	look := func(i int) {
		if i < 0 || s[i].next >= len(s) {
			return
		}
		pair := [2]int32{s[i].id, s[s[i].next].id}
		if k, ok := m.merges[pair]; ok {
			heap.Push(&q, candidate{k, i, pair})
		}
	}
	for i := range s {
		look(i)
	}
	for len(q) > 0 {
		c := heap.Pop(&q).(candidate)
		a := &s[c.at]
		if a.gone || a.next >= len(s) || a.id != c.pair[0] || s[a.next].id != c.pair[1] {
			continue
		}
		b := &s[a.next]
		b.gone = true
		a.id, a.next = c.id, b.next
		if a.next < len(s) {
			s[a.next].prev = c.at
		}
		look(a.prev)
		look(c.at)
	}
	out := ids[:0]
	for i := 0; i < len(s); i = s[i].next {
		out = append(out, s[i].id)
	}
	return out, nil
}

// characters are the tokens of a piece's characters.
func (m *bpe) characters(text string) ([]int32, error) {
	all := characters(text)
	out := make([]int32, 0, len(all))
	lost := false
	for i, c := range all {
		word := c
		if i > 0 {
			word = m.prefix + word
		}
		if i == len(all)-1 {
			word += m.suffix
		}
		if id, ok := m.vocab[word]; ok {
			out, lost = append(out, id), false
			continue
		}
		if m.fallback {
			if ids := m.vocab.bytes(c); ids != nil {
				out, lost = append(out, ids...), false
				continue
			}
		}
		if m.unk >= 0 && !(m.fuse && lost) {
			out = append(out, m.unk)
		}
		lost = true
	}
	return out, nil
}
