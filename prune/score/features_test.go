package score_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/mat"

	"pare/prune/score"
)

// A product of matrices has the rank of the thinner, whatever its sides.
func TestRank(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for _, c := range [][3]int{{6, 6, 6}, {6, 4, 4}, {8, 8, 3}, {5, 9, 1}, {4, 4, 0}} {
		rows, cols, rank := c[0], c[1], c[2]
		x := make([]float32, rows*cols)
		for range rank {
			a, b := make([]float32, rows), make([]float32, cols)
			for i := range a {
				a[i] = float32(r.NormFloat64())
			}
			for i := range b {
				b[i] = float32(r.NormFloat64())
			}
			for i := range x {
				x[i] += a[i/cols] * b[i%cols]
			}
		}
		if got := score.Rank(x, rows, cols); got != rank {
			t.Errorf("a matrix %dx%d of rank %d is given %d", rows, cols, rank, got)
		}
	}
}

func TestAngle(t *testing.T) {
	for _, c := range []struct {
		a, b []float32
		want float64
	}{{[]float32{1, 0}, []float32{3, 0}, 0}, {[]float32{1, 0}, []float32{0, 2}, .5}, {[]float32{1, 1}, []float32{-2, -2}, 1}, {[]float32{1, 0}, []float32{1, 1}, .25}, {[]float32{0, 0}, []float32{1, 1}, .5}} {
		if got := score.Angle(c.a, c.b); math.Abs(got-c.want) > 1e-7 {
			t.Errorf("angle of %v and %v: %v, want %v", c.a, c.b, got, c.want)
		}
	}
}

// KL of (1/2, 1/2) from (1/4, 3/4), whatever is added to the scores.
func TestDivergence(t *testing.T) {
	q, p := []float32{5, 5}, []float32{-7, -7 + float32(math.Log(3))}
	want := .5*math.Log(2) + .5*math.Log(2./3)
	if got := score.Divergence(q, p); math.Abs(got-want) > 1e-6 {
		t.Errorf("%v, want %v", got, want)
	}
	if got := score.Divergence(q, q); got != 0 {
		t.Errorf("from itself %v", got)
	}
}

// vip is the importance by NIPALS, as scikit-learn's PLSRegression finds its components.
func vip(x, y [][]float64, components int) []float64 {
	scaled := func(m [][]float64) [][]float64 {
		out := make([][]float64, len(m))
		for i := range m {
			out[i] = make([]float64, len(m[0]))
		}
		for k := range m[0] {
			mean, dev := 0., 0.
			for i := range m {
				mean += m[i][k] / float64(len(m))
			}
			for i := range m {
				dev += (m[i][k] - mean) * (m[i][k] - mean)
			}
			if dev = math.Sqrt(dev / float64(len(m)-1)); dev == 0 {
				dev = 1
			}
			for i := range m {
				out[i][k] = (m[i][k] - mean) / dev
			}
		}
		return out
	}
	x, y = scaled(x), scaled(y)
	dot := func(m [][]float64, v []float64) []float64 { // of every column with v
		out := make([]float64, len(m[0]))
		for i := range m {
			for k := range out {
				out[k] += m[i][k] * v[i]
			}
		}
		return out
	}
	rows := func(m [][]float64, v []float64) []float64 {
		out := make([]float64, len(m))
		for i := range m {
			for k := range v {
				out[i] += m[i][k] * v[k]
			}
		}
		return out
	}
	square := func(v []float64) (s float64) {
		for _, a := range v {
			s += a * a
		}
		return s
	}
	p := len(x[0])
	imp, all := make([]float64, p), 0.
	for range components {
		u := make([]float64, len(y))
		for i := range y {
			u[i] = y[i][0]
		}
		var w, t, c []float64
		for range 2000 {
			w = dot(x, u)
			n := math.Sqrt(square(w))
			for k := range w {
				w[k] /= n
			}
			t = rows(x, w)
			c = dot(y, t)
			for k := range c {
				c[k] /= square(t)
			}
			u = rows(y, c)
		}
		load := dot(x, t)
		for i := range x {
			for k := range load {
				x[i][k] -= t[i] * load[k] / square(t)
			}
			for k := range c {
				y[i][k] -= t[i] * c[k]
			}
		}
		s := square(t) * square(c)
		all += s
		for k := range imp {
			imp[k] += s * w[k] * w[k]
		}
	}
	for k := range imp {
		imp[k] = math.Sqrt(float64(p) * imp[k] / all)
	}
	return imp
}

// The importance of features in a regression is that of another way to find it; noise is
// worth little, and what never changes nothing.
func TestVIP(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	const n, p, q = 60, 7, 3
	x, y := make([][]float64, n), make([][]float64, n)
	a, b := mat.NewDense(n, p, nil), mat.NewDense(n, q, nil)
	for i := range n {
		y[i] = make([]float64, q)
		y[i][i%q] = 1
		for k := range p {
			v := r.NormFloat64()
			if k < 3 && i%q == k {
				v += 2 + float64(k)
			}
			if k == 6 {
				v = 4
			}
			x[i] = append(x[i], v)
		}
		a.SetRow(i, x[i])
		b.SetRow(i, y[i])
	}
	got, want := score.VIP(a, b, 2), vip(x, y, 2)
	sum := 0.
	for k := range got {
		sum += got[k] * got[k]
		if math.Abs(got[k]-want[k]) > 1e-6 {
			t.Errorf("feature %d: %v, want %v", k, got[k], want[k])
		}
	}
	if got[6] != 0 || min(got[0], got[1], got[2]) < 1.2*max(got[3], got[4], got[5]) || math.Abs(sum-p) > 1e-9 {
		t.Errorf("importances %v", got)
	}
}
