package measure

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func near(t *testing.T, what string, got, want, within float64) {
	t.Helper()
	if !(math.Abs(got-want) <= within) {
		t.Errorf("%s is %.12g, want %.12g", what, got, want)
	}
}

func TestPQ(t *testing.T) {
	hot := make([]float32, 100)
	hot[37] = -3
	near(t, "of a constant", PQ([]float32{2, -2, 2}, .5, 1), 0, 1e-15)
	near(t, "of zeros", PQ(make([]float32, 4), .5, 1), 0, 0)
	near(t, "of nothing", PQ(nil, .5, 1), 0, 0)
	near(t, "of one entry", PQ(hot, .5, 1), .99, 1e-12)
	near(t, "of one entry, p 1, q 2", PQ(hot, 1, 2), 1-math.Pow(100, -.5), 1e-12)
	near(t, "of (1,4)", PQ([]float32{1, 4}, .5, 1), .1, 1e-12)
	near(t, "of huge entries", PQ([]float32{1e38, -1e38}, 1, 9), 0, 1e-12)

	r := rand.New(rand.NewPCG(1, 2))
	w := make([]float32, 1000)
	for i := range w {
		w[i] = float32(r.NormFloat64())
	}
	scaled, risen := slices.Clone(w), slices.Clone(w)
	for i, x := range w {
		scaled[i] *= -7
		risen[i] = float32(math.Abs(float64(x)) + .5)
	}
	for _, pq := range [][2]float64{{.5, 1}, {1, 2}, {.3, 1.7}} {
		p, q := pq[0], pq[1]
		i := PQ(w, p, q)
		near(t, "of a multiple", PQ(scaled, p, q), i, 1e-7)
		near(t, "of the vector twice", PQ(append(slices.Clone(w), w...), p, q), i, 1e-12)
		if PQ(risen, p, q) >= i {
			t.Errorf("p %v, q %v: a constant added to all did not lower the index", p, q)
		}
	}
	robin, rich, poor := slices.Clone(w), 0, 0 // the richest gives to the poorest
	for k, x := range w {
		if math.Abs(float64(x)) > math.Abs(float64(w[rich])) {
			rich = k
		}
		if math.Abs(float64(x)) < math.Abs(float64(w[poor])) {
			poor = k
		}
	}
	a, b := math.Abs(float64(w[rich])), math.Abs(float64(w[poor]))
	robin[rich], robin[poor] = float32(a-.3), float32(b+.3)
	if PQ(robin, .5, 1) >= PQ(w, .5, 1) || Gini(robin) >= Gini(w) {
		t.Error("a transfer from the largest to the smallest did not lower the index")
	}
}

func TestGini(t *testing.T) {
	near(t, "of a constant", Gini([]float32{-2, 2, 2}), 0, 1e-15)
	near(t, "of zeros", Gini(make([]float32, 3)), 0, 0)
	near(t, "of one entry of four", Gini([]float32{0, 0, -5, 0}), .75, 1e-15)
	near(t, "of (1,2,3)", Gini([]float32{3, -1, 2}), 2./9, 1e-12) // (-2*1+0*2+2*3)/(3*6)
}
