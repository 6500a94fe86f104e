package tokenizer

import (
	"slices"
	"unicode"
)

// span is characters from lo to hi.
type span struct{ lo, hi rune }

// spans are characters in order, apart from each other.
type spans []span

func (s spans) normal() spans {
	slices.SortFunc(s, func(a, b span) int { return int(a.lo - b.lo) })
	out := s[:0]
	for _, k := range s {
		if n := len(out); n > 0 && k.lo <= out[n-1].hi+1 {
			out[n-1].hi = max(out[n-1].hi, k.hi)
			continue
		}
		out = append(out, k)
	}
	return out
}

// not is what is in none of the spans, which are normal.
func (s spans) not() (out spans) {
	from := rune(0)
	for _, k := range s {
		if k.lo > from {
			out = append(out, span{from, k.lo - 1})
		}
		from = k.hi + 1
	}
	if from <= unicode.MaxRune {
		out = append(out, span{from, unicode.MaxRune})
	}
	return out
}

// and is what is in both of two, which are normal.
func (s spans) and(t spans) (out spans) {
	for i, j := 0, 0; i < len(s) && j < len(t); {
		if lo, hi := max(s[i].lo, t[j].lo), min(s[i].hi, t[j].hi); lo <= hi {
			out = append(out, span{lo, hi})
		}
		if s[i].hi < t[j].hi {
			i++
		} else {
			j++
		}
	}
	return out
}

// table is a table of Unicode's as spans.
func table(t *unicode.RangeTable) (out spans) {
	add := func(lo, hi, stride rune) {
		if stride == 1 {
			out = append(out, span{lo, hi})
			return
		}
		for r := lo; r <= hi; r += stride {
			out = append(out, span{r, r})
		}
	}
	for _, k := range t.R16 {
		add(rune(k.Lo), rune(k.Hi), rune(k.Stride))
	}
	for _, k := range t.R32 {
		add(rune(k.Lo), rune(k.Hi), rune(k.Stride))
	}
	return out.normal()
}

// fold adds what differs from the characters by case alone.
func (s spans) fold() spans {
	out := slices.Clone(s)
	for _, k := range s {
		if k.hi-k.lo > 1<<12 {
			continue // what is so wide has both cases
		}
		for r := k.lo; r <= k.hi; r++ {
			for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
				out = append(out, span{f, f})
			}
		}
	}
	return out.normal()
}

// set says of a character whether it is among some.
type set struct {
	plane [1024]uint64 // a bit for each of the first 65,536
	above spans
}

func (s spans) set() *set {
	out := new(set)
	for _, k := range s {
		for r := k.lo; r <= min(k.hi, 0xffff); r++ {
			out.plane[r>>6] |= 1 << (r & 63)
		}
		if k.hi > 0xffff {
			out.above = append(out.above, span{max(k.lo, 0x10000), k.hi})
		}
	}
	return out
}

func (s *set) has(r rune) bool {
	if uint32(r) < 0x10000 {
		return s.plane[r>>6]>>(r&63)&1 != 0
	}
	lo, hi := 0, len(s.above)
	for lo < hi {
		if m := int(uint(lo+hi) >> 1); s.above[m].hi < r {
			lo = m + 1
		} else {
			hi = m
		}
	}
	return lo < len(s.above) && s.above[lo].lo <= r
}
