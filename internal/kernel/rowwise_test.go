package kernel

import (
	"math"
	"math/rand/v2"
	"testing"
)

func wide(x []float32) []float64 {
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = float64(v)
	}
	return out
}

// softmaxOf is the softmax of a row and the logarithm of its sum.
func softmaxOf(x []float32) (p []float64, lse float64) {
	m := math.Inf(-1)
	for _, v := range x {
		m = math.Max(m, float64(v))
	}
	s := 0.0
	for _, v := range x {
		s += math.Exp(float64(v) - m)
	}
	lse = m + math.Log(s)
	for _, v := range x {
		p = append(p, math.Exp(float64(v)-lse))
	}
	return p, lse
}

func TestSoftmax(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(11, 12))
		for _, c := range []int{1, 2, 7, 10, 16, 33, 300} {
			rows := 5
			x, d := random(r, rows*c), random(r, rows*c)
			for i := range x {
				x[i] = x[i]*10 + 50
			}
			y, ly, dx := make([]float32, rows*c), make([]float32, rows*c), make([]float32, rows*c)
			Softmax(x, y, c)
			LogSoftmax(x, ly, c)
			SoftmaxGrad(d, y, dx, c)
			class := make([]int32, rows)
			for i := range class {
				class[i] = int32(r.IntN(c))
			}
			loss, grad := make([]float32, rows), make([]float32, rows*c)
			for _, e := range []float32{0, .1} {
				if err := CrossEntropy(x, class, c, e, loss, make([]float32, c)); err != nil {
					t.Fatal(err)
				}
				if err := CrossEntropyGrad(x, class, c, e, .25, grad); err != nil {
					t.Fatal(err)
				}
				for i := range rows {
					row := x[i*c : (i+1)*c]
					p, lse := softmaxOf(row)
					wl, wdx, wg := make([]float64, c), make([]float64, c), make([]float64, c)
					var want, sdp float64
					for j := range c {
						sdp += float64(d[i*c+j]) * p[j]
					}
					for j := range c {
						target := float64(e) / float64(c)
						if j == int(class[i]) {
							target += 1 - float64(e)
						}
						wl[j] = float64(row[j]) - lse
						want -= target * wl[j]
						wdx[j] = p[j] * (float64(d[i*c+j]) - sdp)
						wg[j] = .25 * (p[j] - target)
					}
					close32(t, "softmax", y[i*c:(i+1)*c], p, 1e-6)
					close32(t, "log-softmax", ly[i*c:(i+1)*c], wl, 1e-5)
					close32(t, "softmax gradient", dx[i*c:(i+1)*c], wdx, 1e-5)
					close32(t, "cross-entropy", loss[i:i+1], []float64{want}, 1e-5)
					close32(t, "cross-entropy gradient", grad[i*c:(i+1)*c], wg, 1e-6)
				}
			}
			if CrossEntropy(x, []int32{0, int32(c), 0, 0, 0}, c, 0, loss, make([]float32, c)) == nil {
				t.Error("a class outside the columns was taken")
			}
			if CrossEntropyGrad(x, []int32{-1}, c, 0, 1, grad) == nil {
				t.Error("a negative class was taken")
			}
		}
	})
}

// Infinite logits: a masked place has probability 0.
func TestSoftmaxMasked(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		inf := float32(math.Inf(1))
		x := []float32{1, -inf, 1, -inf}
		Softmax(x, x, 4)
		for i, want := range []float32{.5, 0, .5, 0} {
			if x[i] != want {
				t.Fatalf("entry %d is %v", i, x[i])
			}
		}
	})
}

func TestLayerNorm(t *testing.T) {
	p := NewPool(2)
	defer p.Close()
	eachISA(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(13, 14))
		for _, s := range [][2]int{{1, 5}, {40, 16}, {100, 37}, {3, 128}} {
			n, c := s[0], s[1]
			k := &LayerNormTask{Rows: n, C: c, X: random(r, n*c), Scale: random(r, c), Bias: random(r, c), Eps: 1e-5, Y: make([]float32, n*c),
				DY: random(r, n*c), DX: make([]float32, n*c), DScale: make([]float32, c), DBias: make([]float32, c)}
			if n > 40 {
				k.Mean, k.Istd = make([]float32, n), make([]float32, n)
			}
			for i := range k.X {
				k.X[i] += 30
			}
			k.Forward(p)
			k.Backward(p)
			wy, wdx, wds, wdb := make([]float64, n*c), make([]float64, n*c), make([]float64, c), make([]float64, c)
			for i := range n {
				x, d := wide(k.X[i*c:(i+1)*c]), wide(k.DY[i*c:(i+1)*c])
				var m, v, s1, s2 float64
				for _, a := range x {
					m += a / float64(c)
				}
				for _, a := range x {
					v += (a - m) * (a - m) / float64(c)
				}
				is := 1 / math.Sqrt(v+1e-5)
				for j, a := range x {
					h := (a - m) * is
					wy[i*c+j] = h*float64(k.Scale[j]) + float64(k.Bias[j])
					wds[j] += d[j] * h
					wdb[j] += d[j]
					s1 += d[j] * float64(k.Scale[j]) / float64(c)
					s2 += d[j] * float64(k.Scale[j]) * h / float64(c)
				}
				for j, a := range x {
					wdx[i*c+j] = is * (d[j]*float64(k.Scale[j]) - s1 - (a-m)*is*s2)
				}
			}
			close32(t, "y", k.Y, wy, 1e-4)
			close32(t, "dx", k.DX, wdx, 1e-4)
			close32(t, "dscale", k.DScale, wds, 1e-3)
			close32(t, "dbias", k.DBias, wdb, 1e-4)
		}
	})
}

func TestReductions(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(15, 16))
		for _, n := range []int{0, 1, 5, 8, 15, 16, 17, 40, 64, 100, 1000} {
			x, y := random(r, n), random(r, n)
			near := func(what string, got, want float64) {
				t.Helper()
				if math.Abs(got-want) > 1e-9*float64(n+1) {
					t.Fatalf("%s of %d: %v, want %v", what, n, got, want)
				}
			}
			near("sum", Sum(x), goSum(x))
			near("dot", Dot(x, y), goDot(x, y))
			near("deviation", sqdevVec(x, .5), goSqdev(x, .5))
			if maxVec(x) != goMax(x) {
				t.Fatalf("largest of %d: %v, want %v", n, maxVec(x), goMax(x))
			}
			if n == 0 {
				continue
			}
			at := r.IntN(n)
			for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
				z := append([]float32{}, x...)
				z[at] = float32(bad)
				if m := maxVec(z); math.IsNaN(bad) && m == m || math.IsInf(bad, 1) && m != z[at] {
					t.Fatalf("largest with %v at %d of %d is %v", bad, at, n, m)
				}
			}
		}
	})
}

// The first of equals, and whatever is NaN is no larger.
func TestArgmax(t *testing.T) {
	nan := float32(math.NaN())
	for _, c := range []struct {
		x    []float32
		want int
	}{{nil, 0}, {[]float32{3}, 0}, {[]float32{1, 5, 2, 5}, 1}, {[]float32{-4, -3, -9}, 1}, {[]float32{1, nan, 2}, 2}, {[]float32{nan, 1}, 0}} {
		if got := Argmax(c.x); got != c.want {
			t.Errorf("%v: %d, want %d", c.x, got, c.want)
		}
	}
}
