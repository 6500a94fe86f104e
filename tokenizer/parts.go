package tokenizer

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// Base gives the tokens, in order, without which some text could not be written in tokens
// any more, or not be told from another: those that were added, those that stand around
// texts, what stands for the unknown, and the characters, or bytes, that all else is made of.
func (t *Tokenizer) Base() []int32 {
	in := make([]bool, t.Size)
	keep := func(ids ...int32) {
		for _, id := range ids {
			if id >= 0 && int(id) < t.Size {
				in[id] = true
			}
		}
	}
	for _, a := range t.added {
		keep(a.ID)
	}
	for _, p := range slices.Concat(t.single, t.pair) {
		keep(p.ids...)
	}
	keep(t.BOS, t.EOS, t.Pad)
	keep(t.Ends...)
	v := t.model.words()
	keep(v.byte[:]...)
	bytes, prefix, suffix := t.model.alphabet()
	keep(bytes.unknown)
	hex := bytes.fallback && !slices.Contains(v.byte[:], -1)
	for text, id := range v.of {
		if prefix != "" {
			text = strings.TrimPrefix(text, prefix)
		}
		if suffix != "" {
			text = strings.TrimSuffix(text, suffix)
		}
		if !hex && utf8.RuneCountInString(text) == 1 {
			keep(id)
		}
	}
	return places(in)
}

// places are the numbers of what is set.
func places(in []bool) (out []int32) {
	for id, set := range in {
		if set {
			out = append(out, int32(id))
		}
	}
	return out
}

// unknowns say what becomes of a character that is no token.
type unknowns struct {
	unknown  int32 // the token that stands for it; -1: none
	fallback bool  // its bytes are tokens
}

func (m *bpe) alphabet() (unknowns, string, string) {
	return unknowns{m.unk, m.fallback}, m.prefix, m.suffix
}

func (w *wordPiece) alphabet() (unknowns, string, string) {
	return unknowns{unknown: w.unk}, w.prefix, ""
}

func (w *wordLevel) alphabet() (unknowns, string, string) { return unknowns{unknown: w.unk}, "", "" }

func (u *unigram) alphabet() (unknowns, string, string) {
	return unknowns{u.unk, u.fallback}, "", ""
}

// Parts gives, of a token, those that it is merged from step by step, and itself: a text that
// became this token does so still where they are the only tokens that are left. It is to be
// used by one goroutine.
func (t *Tokenizer) Parts() func(id int32) []int32 {
	m, ok := t.model.(*bpe)
	if !ok { // the tokens of a text do not come by way of others
		return func(id int32) []int32 { return []int32{id} }
	}
	if m.prefix == "" && m.suffix == "" {
		return m.path
	}
	from := map[int32][][2]int32{} // merges by what they become
	for pair, k := range m.merges {
		from[k.id] = append(from[k.id], [2]int32{int32(pair >> 32), int32(uint32(pair))})
	}
	return func(id int32) []int32 {
		out := []int32{id}
		for i := 0; i < len(out); i++ {
			for _, pair := range from[out[i]] {
				for _, p := range pair {
					if !slices.Contains(out, p) {
						out = append(out, p)
					}
				}
			}
		}
		slices.Sort(out)
		return out
	}
}

// path merges the text of a token by itself: what merges across its ends would have been
// done in a longer text too, had it been possible there, so that the steps are the same.
func (m *bpe) path(id int32) []int32 {
	text, ok := m.token(id)
	if !ok || len(text) > maxPiece { // no text has it by chance
		return []int32{id}
	}
	ids := m.characters(nil, text)
	met := slices.Clone(ids)
	for len(ids) > 1 {
		best, at := merge{rank: 1<<31 - 1, id: -1}, 0
		for i := range len(ids) - 1 {
			if k, ok := m.merges[pairOf(ids[i], ids[i+1])]; ok && k.rank < best.rank {
				best, at = k, i
			}
		}
		if best.id < 0 {
			break
		}
		ids[at] = best.id
		ids = slices.Delete(ids, at+1, at+2)
		met = append(met, best.id)
	}
	if len(ids) != 1 || ids[0] != id { // it is not merged, but found as it is
		return []int32{id}
	}
	met = slices.DeleteFunc(met, func(p int32) bool { return p >= m.base }) // characters that are no tokens
	slices.Sort(met)
	return slices.Compact(met)
}
