package dataset

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
)

// Sampler gives each epoch a subset of the samples, drawn anew: repeated sampling of
// random subsets, RS2 (Okanovic et al. 2024, arXiv 2305.18424). The zero value is all
// samples. Which samples an epoch has is a function of the seed and the epoch alone.
type Sampler struct {
	Share      float64 // of the samples, in (0,1]; 0: all
	Replace    bool    // each epoch draws from all samples; otherwise from what those before it have left
	Stratified bool    // with Replace: the same share of every class
	Fill       bool    // the last batch of an epoch is filled up from its beginning; otherwise it is dropped
}

// SamplerHelp explains ParseSampler's syntax.
const SamplerHelp = "all | rs2:SHARE[:replace[:stratified]][:fill]"

// ParseSampler reads a sampler such as "rs2:0.1" or "rs2:0.05:replace:stratified".
func ParseSampler(text string) (s Sampler, err error) {
	if text == "" || text == "all" {
		return s, nil
	}
	words := strings.Split(text, ":")
	if words[0] != "rs2" || len(words) < 2 {
		return s, fmt.Errorf("%q is not %s", text, SamplerHelp)
	}
	if s.Share, err = strconv.ParseFloat(words[1], 64); err != nil || !(s.Share > 0 && s.Share <= 1) {
		return Sampler{}, fmt.Errorf("%q: the share %q is not in (0,1]", text, words[1])
	}
	for _, w := range words[2:] {
		to := map[string]*bool{"replace": &s.Replace, "stratified": &s.Stratified, "fill": &s.Fill}[w]
		if to == nil || *to {
			return Sampler{}, fmt.Errorf("%q: %q is not expected there: %s", text, w, SamplerHelp)
		}
		*to = true
	}
	if s.Stratified && !s.Replace {
		return Sampler{}, fmt.Errorf("%q: without replacement the samples of an epoch are what is left, whatever their class: stratified goes with replace", text)
	}
	return s, nil
}

// String is the sampler as ParseSampler reads it.
func (s Sampler) String() string {
	if s.Share == 0 {
		return "all"
	}
	out := "rs2:" + strconv.FormatFloat(s.Share, 'g', -1, 64)
	for _, w := range []struct {
		is   bool
		word string
	}{{s.Replace, "replace"}, {s.Stratified, "stratified"}, {s.Fill, "fill"}} {
		if w.is {
			out += ":" + w.word
		}
	}
	return out
}

// Check returns an error where no epoch can be drawn from a set in batches of a size.
func (s Sampler) Check(set *Set, batch int) error {
	switch n := s.Len(set); {
	case s.Share == 0:
		return nil
	case !(s.Share > 0 && s.Share <= 1):
		return fmt.Errorf("a share of %v is not in (0,1]", s.Share)
	case s.Stratified && set.class() == nil:
		return errors.New("strata are classes, one for each sample, and the samples have none that is known")
	case s.Stratified && s.empty(set) >= 0:
		return fmt.Errorf("class %d has no samples: strata are classes that have some", s.empty(set))
	case n < 1:
		return fmt.Errorf("a share of %v of %d samples is none: give at least %.3g", s.Share, set.Len(), .5/float64(max(1, set.Len())))
	case n < batch && !s.Fill:
		return fmt.Errorf("a share of %v of %d samples is %d, fewer than one batch of %d: give smaller batches, or fill", s.Share, set.Len(), n, batch)
	}
	if s.Stratified && s.few(set) && s.round(set.Len()) < len(set.byClass()) {
		return fmt.Errorf("a share of %v of %d samples is %d, fewer than one of each of the %d classes", s.Share, set.Len(), s.round(set.Len()), len(set.byClass()))
	}
	return nil
}

func (s Sampler) round(n int) int { return int(math.Round(s.Share * float64(n))) }

// empty is a class without samples; -1: there is none.
func (s Sampler) empty(set *Set) int {
	return slices.IndexFunc(set.byClass(), func(of []int32) bool { return len(of) == 0 })
}

// few says whether the share of some class is no sample.
func (s Sampler) few(set *Set) bool {
	return slices.ContainsFunc(set.byClass(), func(of []int32) bool { return s.round(len(of)) < 1 })
}

// Len is the number of samples of an epoch, what fills up its last batch not counted.
func (s Sampler) Len(set *Set) int {
	n := set.Len()
	if s.Share == 0 {
		return n
	}
	if !s.Stratified || set.class() == nil || s.few(set) {
		return s.round(n)
	}
	sum := 0
	for _, of := range set.byClass() {
		sum += s.round(len(of))
	}
	return sum
}

// cut is the part of a permutation of n samples that an epoch has, and the number of
// that permutation: m at a time, the last completed from the beginning of the same one.
func (s Sampler) cut(epoch, n, m int) (permutation int, part func(order []int32) []int32) {
	if s.Replace {
		return epoch, func(order []int32) []int32 { return order[:m:m] }
	}
	rounds := (n + m - 1) / m
	lo := epoch % rounds * m
	return epoch / rounds, func(order []int32) []int32 {
		if lo+m <= n {
			return order[lo : lo+m : lo+m]
		}
		return append(slices.Clone(order[lo:]), order[:lo+m-n]...)
	}
}

// strata are the samples of an epoch, the share of each class, in random order. Where a
// class's share is no sample, each class gives one, and classes drawn by chance one more
// each: with repeats where there are more of these than classes.
func (s Sampler) strata(set *Set, r *rand.Rand) []int32 {
	at := map[int32]int32{} // place in the set, by stored number
	for i := range set.Len() {
		at[int32(set.at(i))] = int32(i)
	}
	classes := set.byClass()
	quota := make([]int, len(classes))
	if s.few(set) {
		s.fewQuotas(classes, quota, s.round(set.Len()), r)
	} else {
		for c, of := range classes {
			quota[c] = s.round(len(of))
		}
	}
	var out []int32
	for c, of := range classes {
		r.Shuffle(len(of), func(i, j int) { of[i], of[j] = of[j], of[i] })
		for _, k := range of[:quota[c]] {
			out = append(out, at[k])
		}
	}
	r.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}

func (s Sampler) fewQuotas(classes [][]int32, quota []int, n int, r *rand.Rand) {
	for c := range quota {
		quota[c] = 1
	}
	for left := n - len(classes); left > 0; {
		for _, c := range r.Perm(len(classes)) { // classes repeat once all were drawn
			if left > 0 && quota[c] < len(classes[c]) {
				quota[c]++
				left--
			}
		}
	}
}
