package tokenizer

import "slices"

// Chosen is a choice of tokens.
type Chosen struct {
	Kept  []int32 // in order
	Base  int     // of them, those that are kept whatever was counted
	Whole float64 // share of what was counted that is of tokens which are kept
}

// Choose keeps, beside [Tokenizer.Base] and some others, the tokens that were counted at least
// least times, each with those it is merged of (see [Tokenizer.Parts]): the most frequent
// first, as long as there are at most most tokens (0: any number). The texts that were
// counted come to the same tokens as before where Whole is 1.
func (t *Tokenizer) Choose(counts []int, always []int32, least, most int) Chosen {
	in := make([]bool, max(t.Size, len(counts)))
	n := 0
	keep := func(ids []int32) {
		for _, id := range ids {
			if id >= 0 && int(id) < len(in) && !in[id] {
				in[id] = true
				n++
			}
		}
	}
	keep(t.Base())
	keep(always)
	c := Chosen{Base: n}
	byCount := make([]int32, 0, len(counts))
	all := 0
	for id, k := range counts {
		all += k
		if k >= max(least, 1) {
			byCount = append(byCount, int32(id))
		}
	}
	slices.SortStableFunc(byCount, func(a, b int32) int { return counts[b] - counts[a] })
	parts := t.Parts()
	for _, id := range byCount {
		ids := parts(id)
		more := 0
		for _, p := range ids {
			if !in[p] {
				more++
			}
		}
		if most > 0 && n+more > most { // one that needs less may still fit
			continue
		}
		keep(ids)
	}
	c.Kept = places(in)
	for _, id := range c.Kept {
		if int(id) < len(counts) {
			c.Whole += float64(counts[id])
		}
	}
	if all > 0 {
		c.Whole /= float64(all)
	}
	return c
}
