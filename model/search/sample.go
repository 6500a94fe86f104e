package search

import (
	"math"
	"math/rand/v2"
)

// softmax writes the softmax of x to p.
func softmax(x, p []float64) {
	most, sum := math.Inf(-1), 0.0
	for _, v := range x {
		most = math.Max(most, v)
	}
	for k, v := range x {
		p[k] = math.Exp(v - most)
		sum += p[k]
	}
	for k := range p {
		p[k] /= sum
	}
}

// perturb writes (log softmax(logits) + Gumbel noise) / tau to o, and its softmax to p. It
// draws anew where one of the numbers is not finite.
func perturb(r *rand.Rand, logits []float64, tau float64, o, p []float64) {
	for {
		softmax(logits, p)
		finite := true
		for k := range o {
			o[k] = (math.Log(p[k]) - math.Log(-math.Log(r.Float64()))) / tau
			finite = finite && !math.IsInf(o[k], 0)
		}
		softmax(o, p)
		for _, x := range p {
			finite = finite && x-x == 0
		}
		if finite {
			return
		}
	}
}

// pair draws two different numbers of a multinomial distribution, one after the other.
func pair(r *rand.Rand, p []float64) (i, j int) {
	i = pick(r, p, -1)
	return i, pick(r, p, i)
}

// pick draws a number by weights p + 1e-7, but not the one without.
func pick(r *rand.Rand, p []float64, without int) int {
	const least = 1e-7
	sum := 0.0
	for k, x := range p {
		if k != without {
			sum += x + least
		}
	}
	x, last := r.Float64()*sum, 0
	for k, w := range p {
		if k == without {
			continue
		}
		if last = k; x < w+least {
			return k
		}
		x -= w + least
	}
	return last
}
