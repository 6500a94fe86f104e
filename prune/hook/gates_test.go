package hook

import (
	"math"
	"testing"

	"pare/train"
)

// Gradients of factors and of weights are those of a loss of the products, Σ (θ Π m)², by
// finite differences; an entry may have two factors, one, or none.
func TestGates(t *testing.T) {
	theta := []float32{.5, -1.5, 2, 3}
	by := [][]int32{{0, 0, 1, -1}, {2, -1, 2, -1}}
	p := &train.Param{W: append([]float32{}, theta...), G: make([]float32, 4)}
	g := &Gates{M: []float64{.75, -.5, 1.25}, D: make([]float64, 3), theta: [][]float32{append([]float32{}, theta...)}, of: []gatedParam{{p, by}}}
	loss := func(theta []float32, m []float64) (sum float64) {
		for i, x := range theta {
			y := float64(x)
			for _, f := range by {
				if f[i] >= 0 {
					y *= m[f[i]]
				}
			}
			sum += y * y
		}
		return sum
	}
	g.Forward()
	for i := range p.W {
		p.G[i] = 2 * p.W[i]
	}
	g.Backward()
	const step = 1. / 1024
	for f := range g.M {
		m := append([]float64{}, g.M...)
		m[f] += step
		up := loss(theta, m)
		m[f] -= 2 * step
		if want := (up - loss(theta, m)) / (2 * step); math.Abs(g.D[f]-want) > 1e-5 {
			t.Errorf("factor %d: gradient %v, want %v", f, g.D[f], want)
		}
	}
	for i := range theta {
		x := append([]float32{}, theta...)
		x[i] += step
		up := loss(x, g.M)
		x[i] -= 2 * step
		if want := (up - loss(x, g.M)) / (2 * step); math.Abs(float64(p.G[i])-want) > 1e-5 || p.W[i] != theta[i] {
			t.Errorf("weight %d: %v with gradient %v, want %v with %v", i, p.W[i], p.G[i], theta[i], want)
		}
	}
}
