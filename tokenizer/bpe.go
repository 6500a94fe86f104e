package tokenizer

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"unicode/utf8"
)

// bpe merges pairs of tokens, those that were merged first in training first (Sennrich
// et al. 2015, arXiv 1508.07909).
type bpe struct {
	*vocab
	merges         map[uint64]merge
	unk            int32
	prefix, suffix string
	fallback, fuse bool
	ignore         bool     // a piece that is a token is it, whatever its merges
	plain          []int32  // tokens of the characters of ASCII, without prefix and suffix; -1: none
	ghosts         []string // characters that are no tokens, but parts of tokens
	ghost          map[string]int32
	base           int32 // the ghosts' numbers begin with it
}

// merge is what a pair becomes.
type merge struct{ rank, id int32 }

func pairOf(a, b int32) uint64 { return uint64(uint32(a))<<32 | uint64(uint32(b)) }

// maxMerges bounds the merges.
const maxMerges = 1 << 23

func readBPE(m *bpe, b json.RawMessage) (model, error) {
	var lines []json.RawMessage
	if err := json.Unmarshal(b, &lines); err != nil {
		return nil, fmt.Errorf("the merges: %w", err)
	}
	m.merges = make(map[uint64]merge, len(lines))
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
		if err := m.merge(i, pair[0], pair[1]); err != nil {
			return nil, err
		}
	}
	m.prepare()
	return m, nil
}

// merge adds a pair: the later it comes, the later it is merged.
func (m *bpe) merge(rank int, left, right string) error {
	a, ok1 := m.of[left]
	b, ok2 := m.of[right]
	joined, ok3 := m.of[left+strings.TrimPrefix(right, m.prefix)]
	if !ok1 || !ok2 || !ok3 {
		return fmt.Errorf("merge %d, %q, is not of tokens of the vocabulary", rank, []string{left, right})
	}
	if len(m.merges) == maxMerges {
		return fmt.Errorf("there are more than %d merges", maxMerges)
	}
	m.merges[pairOf(a, b)] = merge{int32(rank), joined}
	return nil
}

// prepare looks up what is looked up often.
func (m *bpe) prepare() {
	if m.base == 0 {
		m.base = math.MaxInt32
	}
	if m.prefix != "" || m.suffix != "" {
		return
	}
	m.plain = make([]int32, utf8.RuneSelf)
	for c := range m.plain {
		m.plain[c] = -1
		if id, ok := m.character(string(rune(c))); ok {
			m.plain[c] = id
		}
	}
}

// character is the number of a character, which may be a ghost.
func (m *bpe) character(s string) (int32, bool) {
	id, ok := m.of[s]
	if !ok && m.ghost != nil {
		id, ok = m.ghost[s]
	}
	return id, ok
}

// symbol is a token among those that a piece has come to.
type symbol struct {
	id         int32
	prev, next int32
}

// candidate is a pair that can be merged.
type candidate struct {
	merge
	at int32
}

func (c candidate) before(d candidate) bool {
	return c.rank < d.rank || c.rank == d.rank && c.at < d.at
}

// queue is a heap of candidates.
type queue []candidate

func (q *queue) push(c candidate) {
	*q = append(*q, c)
	h := *q
	for i := len(h) - 1; i > 0; {
		up := (i - 1) / 2
		if !h[i].before(h[up]) {
			break
		}
		h[i], h[up] = h[up], h[i]
		i = up
	}
}

func (q *queue) pop() candidate {
	h := *q
	top := h[0]
	n := len(h) - 1
	h[0] = h[n]
	h = h[:n]
	for i := 0; ; {
		k := 2*i + 1
		if k >= n {
			break
		}
		if k+1 < n && h[k+1].before(h[k]) {
			k++
		}
		if !h[k].before(h[i]) {
			break
		}
		h[i], h[k] = h[k], h[i]
		i = k
	}
	*q = h
	return top
}

// shortWord is up to how many characters a word's pairs are looked through without a
// queue.
const shortWord = 24

func (m *bpe) encode(w *work, text string, out []int32) ([]int32, error) {
	if m.ignore {
		if id, ok := m.of[text]; ok {
			return append(out, id), nil
		}
	}
	w.ids = m.characters(w.ids[:0], text)
	ids := w.ids
	if len(ids) <= shortWord {
		ids = m.short(ids)
	} else {
		ids = m.long(w, ids)
	}
	for _, id := range ids {
		if id < m.base {
			out = append(out, id)
			continue
		}
		out = m.lost(out, m.ghosts[id-m.base])
	}
	return out, nil
}

// short merges the pairs of a short word.
func (m *bpe) short(ids []int32) []int32 {
	var pairs [shortWord]merge
	none := merge{math.MaxInt32, -1}
	look := func(i int) {
		pairs[i] = none
		if k, ok := m.merges[pairOf(ids[i], ids[i+1])]; ok {
			pairs[i] = k
		}
	}
	n := len(ids)
	for i := range n - 1 {
		look(i)
	}
	for n > 1 {
		best := 0
		for i := 1; i < n-1; i++ {
			if pairs[i].rank < pairs[best].rank {
				best = i
			}
		}
		k := pairs[best]
		if k.id < 0 {
			break
		}
		ids[best] = k.id
		copy(ids[best+1:], ids[best+2:n])
		copy(pairs[best:], pairs[best+1:n-1])
		n--
		if best < n-1 {
			look(best)
		}
		if best > 0 {
			look(best - 1)
		}
	}
	return ids[:n]
}

// long merges the pairs of a long word.
func (m *bpe) long(w *work, ids []int32) []int32 {
	w.symbols, w.queue = w.symbols[:0], w.queue[:0]
	for i, id := range ids {
		w.symbols = append(w.symbols, symbol{id, int32(i) - 1, int32(i) + 1})
	}
	s := w.symbols
	look := func(i int32) {
		if i < 0 || int(s[i].next) >= len(s) {
			return
		}
		if k, ok := m.merges[pairOf(s[i].id, s[s[i].next].id)]; ok {
			w.queue.push(candidate{k, i})
		}
	}
	for i := range s {
		look(int32(i))
	}
	for len(w.queue) > 0 {
		c := w.queue.pop()
		a := &s[c.at]
		if a.id < 0 || int(a.next) >= len(s) { // it is part of another, or the last
			continue
		}
		b := &s[a.next]
		if k, ok := m.merges[pairOf(a.id, b.id)]; !ok || k.id != c.id {
			continue
		}
		b.id = -1
		a.id, a.next = c.id, b.next
		if int(a.next) < len(s) {
			s[a.next].prev = c.at
		}
		look(a.prev)
		look(c.at)
	}
	out := ids[:0]
	for i := int32(0); int(i) < len(s); i = s[i].next {
		out = append(out, s[i].id)
	}
	return out
}

// characters appends the tokens of a piece's characters.
func (m *bpe) characters(out []int32, text string) []int32 {
	unknown := int32(-1) // what is unknown is put down where something known follows
	known := func() {
		if unknown >= 0 {
			out, unknown = append(out, unknown), -1
		}
	}
	for at := 0; at < len(text); {
		if b := text[at]; b < utf8.RuneSelf && m.plain != nil && m.plain[b] >= 0 {
			known()
			out = append(out, m.plain[b])
			at++
			continue
		}
		n := runeLen(text[at:])
		word := text[at : at+n]
		if at > 0 && m.prefix != "" {
			word = m.prefix + word
		}
		if at += n; at == len(text) && m.suffix != "" {
			word += m.suffix
		}
		if id, ok := m.character(word); ok {
			known()
			out = append(out, id)
			continue
		}
		if m.fallback {
			var ok bool
			if out, ok = m.hex(out, word); ok {
				continue
			}
		}
		if m.unk >= 0 {
			if unknown >= 0 && !m.fuse {
				out = append(out, unknown)
			}
			unknown = m.unk
		}
	}
	known()
	return out
}

// lost appends what stands for a character that is no token: its bytes, or what is
// unknown.
func (m *bpe) lost(out []int32, text string) []int32 {
	out, ok := m.hex(out, text)
	if ok {
		return out
	}
	if m.unk >= 0 {
		return append(out, m.unk)
	}
	return out
}
