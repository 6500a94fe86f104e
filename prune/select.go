package prune

import (
	"fmt"
	"math"
)

// Ties says which of equally scored entries are cut first.
type Ties uint8

// The two orders in use; the choice is a method's own.
const (
	CutFirst  Ties = iota // the lowest index is cut first
	KeepFirst             // the lowest index is kept first
)

// order maps a score to an integer that sorts alike. NaN sorts lowest: it is
// cut first.
func order(f float32) uint32 {
	if f != f {
		return 0
	}
	if f == 0 {
		f = 0 // -0 ranks with 0
	}
	u := math.Float32bits(f)
	if u>>31 != 0 {
		return ^u
	}
	return u | 1<<31
}

// threshold finds the order t such that, of the scores that are not protected,
// fewer than cut lie below t and at least cut lie at or below it, and how many at
// t itself must be cut. It is a radix selection without sorting: two passes over
// the scores, and two over the few that share the leading bits of the threshold.
func threshold(cut int, score [][]float32, protect []*Mask) (t uint32, ties int) {
	const lead = 12 // bits
	hist := make([]int, 1<<lead)
	for l, s := range score {
		p := protect[l]
		for i, x := range s {
			if p == nil || !p.Kept(i) {
				hist[order(x)>>(32-lead)]++
			}
		}
	}
	t, cut = bucket(hist, cut)
	near := make([]uint32, 0, hist[t])
	for l, s := range score {
		p := protect[l]
		for i, x := range s {
			if u := order(x); u>>(32-lead) == t && (p == nil || !p.Kept(i)) {
				near = append(near, u)
			}
		}
	}
	for _, shift := range []int{10, 0} {
		clear(hist)
		for _, u := range near {
			if u>>(shift+10) == t {
				hist[u>>shift&1023]++
			}
		}
		var low uint32
		low, cut = bucket(hist[:1024], cut)
		t = t<<10 | low
	}
	return t, cut
}

// bucket finds the bucket that holds the cut-th entry, and its place in there.
func bucket(hist []int, cut int) (uint32, int) {
	b := 0
	for b < len(hist)-1 && hist[b] < cut {
		cut -= hist[b]
		b++
	}
	return uint32(b), cut
}

// TopK keeps exactly k entries of the highest scores.
func TopK(score []float32, k int, ties Ties) *Mask {
	k = max(0, min(k, len(score)))
	if k == len(score) || k == 0 {
		return NewMask(len(score), k > 0)
	}
	t, cutTies := threshold(len(score)-k, [][]float32{score}, []*Mask{nil})
	m := NewMask(len(score), false)
	cutAt(m, score, nil, t, cutTies, ties)
	return m
}

// cutAt keeps the entries above t and those at t beyond the first (or last)
// `cut` of them. Entries of protect are kept whatever their score. It returns
// how many entries at t are still to be cut.
func cutAt(m *Mask, score []float32, protect *Mask, t uint32, cut int, ties Ties) int {
	atT := 0
	if ties == KeepFirst {
		for i, s := range score {
			if order(s) == t && (protect == nil || !protect.Kept(i)) {
				atT++
			}
		}
	}
	keepTies := atT - cut // KeepFirst: the number of the first that stay
	for i, s := range score {
		if protect != nil && protect.Kept(i) {
			m.Set(i, true)
			continue
		}
		switch u := order(s); {
		case u > t:
			m.Set(i, true)
		case u == t && ties == KeepFirst:
			if keepTies > 0 {
				m.Set(i, true)
				keepTies--
			} else {
				cut--
			}
		case u == t && cut > 0:
			cut--
		case u == t:
			m.Set(i, true)
		}
	}
	return max(cut, 0)
}

// Global keeps exactly keep entries of the highest scores over all layers
// ranked together. The floor[l] best entries of layer l (all, where it has no
// more) are kept whatever their rank; floor may be nil. Of equal scores the
// lowest layer's lowest index is cut first, so the count is exact. It returns
// an error where the floors alone exceed keep.
func Global(score [][]float32, keep int, floor []int) ([]*Mask, error) {
	n := 0
	for _, s := range score {
		n += len(s)
	}
	if keep < 0 || keep > n {
		return nil, fmt.Errorf("cannot keep %d of %d weights", keep, n)
	}
	protect := make([]*Mask, len(score))
	kept := 0
	if floor != nil {
		for l, s := range score {
			protect[l] = TopK(s, floor[l], CutFirst)
			kept += protect[l].Count()
		}
	}
	if kept > keep {
		return nil, fmt.Errorf("the minimum kept in each layer adds up to %d weights, but only %d of %d may stay: lower the minimum or the sparsity", kept, keep, n)
	}
	masks := make([]*Mask, len(score))
	if keep == n {
		for l, s := range score {
			masks[l] = NewMask(len(s), true)
		}
		return masks, nil
	}
	if keep == kept {
		for l, s := range score {
			if masks[l] = protect[l]; masks[l] == nil {
				masks[l] = NewMask(len(s), false)
			}
		}
		return masks, nil
	}
	t, cut := threshold(n-keep, score, protect)
	for l, s := range score {
		masks[l] = NewMask(len(s), false)
		cut = cutAt(masks[l], s, protect[l], t, cut, CutFirst)
	}
	return masks, nil
}

// Nm keeps the n highest of every m consecutive entries along the rows of a
// [rows, cols] matrix of scores (ties: lowest index kept). A shorter last
// group of g entries keeps ceil(g*n/m). It returns an error unless 0 < n <= m.
func Nm(score []float32, rows, cols, n, m int) (*Mask, error) {
	if n < 1 || m < n {
		return nil, fmt.Errorf("an N:M pattern needs 0 < N <= M, not %d:%d", n, m)
	}
	if rows*cols != len(score) {
		return nil, fmt.Errorf("%d scores do not fill %d rows of %d", len(score), rows, cols)
	}
	mask := NewMask(len(score), false)
	for r := range rows {
		for c := 0; c < cols; c += m {
			g := min(m, cols-c)
			keepBest(mask, score, r*cols+c, g, (g*n+m-1)/m)
		}
	}
	return mask, nil
}

// keepBest keeps the k best of the entries [lo, lo+g), lowest index first.
func keepBest(m *Mask, score []float32, lo, g, k int) {
	for range k {
		best := -1
		for i := lo; i < lo+g; i++ {
			if !m.Kept(i) && (best < 0 || order(score[i]) > order(score[best])) {
				best = i
			}
		}
		m.Set(best, true)
	}
}

// Blocks keeps whole tiles of bh x bw entries of a [rows, cols] matrix: the
// keep tiles of the highest summed score (ties: lowest index kept). Tiles at
// the edges may be smaller.
func Blocks(score []float32, rows, cols, bh, bw, keep int) (*Mask, error) {
	if bh < 1 || bw < 1 {
		return nil, fmt.Errorf("a block needs at least one row and column, not %dx%d", bh, bw)
	}
	if rows*cols != len(score) {
		return nil, fmt.Errorf("%d scores do not fill %d rows of %d", len(score), rows, cols)
	}
	tr, tc := (rows+bh-1)/bh, (cols+bw-1)/bw
	sum := make([]float32, tr*tc)
	for i, s := range score {
		sum[i/cols/bh*tc+i%cols/bw] += s
	}
	tiles := TopK(sum, keep, KeepFirst)
	mask := NewMask(len(score), false)
	for i := range score {
		mask.Set(i, tiles.Kept(i/cols/bh*tc+i%cols/bw))
	}
	return mask, nil
}
