package language

import (
	"cmp"
	"math"
	"slices"
)

// The hard concrete distribution (Louizos, Welling, Kingma 2018, arXiv 1712.01312) with the
// constants of the authors' code.
const (
	temperature = 2. / 3
	stretchLow  = -.1
	stretchHigh = 1.1
	rareMost    = 1e-6 // chances stay this far from 0 and 1
	sharpened   = .8   // logits are multiplied by it when gates are hardened
)

// Bounds of the logits, and their means at the beginning.
var (
	logitLow, logitHigh = math.Log(.01), math.Log(100)
	startIntermediate   = math.Log(.99 / .01)
	startOther          = 10.
)

func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

// concrete is the gate of a logit and a number u of the uniform distribution on (0,1), and
// its derivative by the logit.
func concrete(a, u float64) (z, slope float64) {
	y := sigmoid((math.Log(u) - math.Log(1-u) + a) / temperature)
	s := y*(stretchHigh-stretchLow) + stretchLow
	switch {
	case s <= 0:
		return 0, 0
	case s >= 1:
		return 1, 0
	}
	return s, (stretchHigh - stretchLow) * y * (1 - y) / temperature
}

// alive is the chance that the gate of a logit is not 0, and its derivative.
func alive(a float64) (p, slope float64) {
	p = 1 - sigmoid(temperature*math.Log(-stretchLow/stretchHigh)-a)
	switch {
	case p <= rareMost:
		return rareMost, 0
	case p >= 1-rareMost:
		return 1 - rareMost, 0
	}
	return p, p * (1 - p)
}

// soft is the value of the gate of a logit that stays.
func soft(a float64) float64 { return sigmoid(sharpened * a / temperature) }

// expected are the numbers of gates of each vector that are likely not to be 0.
func (l *layout) expected(a []float64) []float64 {
	out := make([]float64, len(l.vectors))
	for i, v := range l.vectors {
		if !v.learned {
			out[i] = float64(v.n)
			continue
		}
		for _, x := range a[v.first : v.first+v.n] {
			p, _ := alive(x)
			out[i] += p
		}
	}
	return out
}

// harden makes gates of logits: in each vector as many of the lowest are 0 as are expected
// to be, and the others keep their soft values. Gates that are not learned are 1.
func (l *layout) harden(a []float64) []float64 {
	z := make([]float64, l.gates)
	for i, e := range l.expected(a) {
		v := l.vectors[i]
		to := z[v.first : v.first+v.n]
		if !v.learned {
			for c := range to {
				to[c] = 1
			}
			continue
		}
		gone := int(math.RoundToEven(float64(v.n) - e))
		if i == l.hidden {
			gone = min(gone, v.n-1)
		}
		for rank, c := range ranked(a[v.first : v.first+v.n]) {
			if rank >= gone {
				to[c] = soft(a[v.first+c])
			}
		}
	}
	return z
}

// ranked lists places of numbers, the lowest first.
func ranked(a []float64) []int {
	out := make([]int, len(a))
	for i := range out {
		out[i] = i
	}
	slices.SortStableFunc(out, func(i, k int) int { return cmp.Compare(a[i], a[k]) })
	return out
}

// adjust takes gates of the stream away, or puts them back, by their logits, until the
// sparsity is as near to a target as these bring it, and then gates of the feed-forward
// layers, where it still is farther away than a tolerance. It says how many there are more.
func (l *layout) adjust(z, a []float64, target, tolerance float64) (more int) {
	for _, part := range []string{"hidden", "intermediate"} {
		if math.Abs(l.sparsity(l.count(z), nil)-target) > tolerance {
			more += l.adjustPart(part, z, a, target)
		}
	}
	return more
}

// adjustPart is adjust by the gates of one part.
func (l *layout) adjustPart(part string, z, a []float64, target float64) (more int) {
	var pool []int
	of := map[int]int{} // the vector of each gate
	for i, v := range l.vectors {
		if v.learned && partOf(v.kind) == part {
			for c := v.first; c < v.first+v.n; c++ {
				pool, of[c] = append(pool, c), i
			}
		}
	}
	slices.SortStableFunc(pool, func(i, k int) int { return cmp.Compare(a[i], a[k]) })
	kept := l.count(z)
	for {
		was, at := l.sparsity(kept, nil)-target, -1
		for _, i := range pool {
			if was > 0 && z[i] == 0 {
				at = i // the highest of those that are gone
			} else if was < 0 && z[i] != 0 {
				at = i // the lowest of those that stay
				break
			}
		}
		if at < 0 || was < 0 && of[at] == l.hidden && kept[l.hidden] == 1 {
			return more
		}
		step := 1
		if was < 0 {
			step = -1
		}
		kept[of[at]] += float64(step)
		if math.Abs(l.sparsity(kept, nil)-target) >= math.Abs(was) {
			return more
		}
		if z[at], more = 0, more+step; step > 0 {
			z[at] = soft(a[at])
		}
	}
}
