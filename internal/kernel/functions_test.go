package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// Every function against its definition over its range, at places where the
// formula changes, and at the ends of the number line.
func TestFunctions(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	special := []float64{0, math.Copysign(0, -1), inf, -inf, nan, 1e-40, -1e-40, 1e-10, 1e30, -1e30, 88.7, 89, -87.3, -103, -104, .625, .96, 4}
	wave := func(lo, hi float64) []float32 {
		var x []float32
		for i := range 4001 {
			x = append(x, float32(lo+(hi-lo)*float64(i)/4000))
		}
		return x
	}
	cases := []struct {
		name   string
		u      *unary
		lo, hi float64
		a, b   float32
		rel    float64 // relative to the result
		abs    float64 // times max(1,|x|): where the result is a difference
	}{
		{"exp", &uExp, -87, 88.5, 0, 0, 2e-7, 1e-37},
		{"log", &uLog, 1e-3, 50, 0, 0, 2e-7, 0},
		{"log of large", &uLog, 1, 1e30, 0, 0, 2e-7, 0},
		{"sigmoid", &uSigmoid, -87, 87, 0, 0, 2.5e-7, 1e-37},
		{"tanh", &uTanh, -12, 12, 0, 0, 2e-7, 0},
		{"tanh of small", &uTanh, -1e-3, 1e-3, 0, 0, 2e-7, 0},
		{"erf", &uErf, -6, 6, 0, 0, 2e-7, 0},
		{"gelu", &uGelu, -8, 8, 0, 0, 2e-7, 1.5e-7},
		{"gelu tanh", &uGeluTanh, -8, 8, 0, 0, 3e-7, 1e-7},
		{"sqrt", &uSqrt, 0, 1000, 0, 0, 1e-7, 0},
		{"reciprocal", &uReciprocal, -10, 10, 0, 0, 1e-7, 0},
		{"abs", &uAbs, -3, 3, 0, 0, 0, 0},
		{"scale", &uScale, -3, 3, -1.5, 0, 0, 0},
		{"affine", &uAffine, -3, 3, 1.5, .25, 2e-7, 2e-7},
		{"clip", &uClip, -3, 3, -1, 2, 0, 0},
		{"hard swish", &uHardSwish, -4, 4, 1. / 6, .5, 2e-7, 1e-7},
		{"leaky ReLU", &uLeaky, -4, 4, -.1, 1.5, 1e-7, 0},
		{"ELU", &uElu, -40, 4, .7, 1.5, 4e-7, 0},
		{"ELU of small", &uElu, -1e-3, 1e-3, 1, 1, 4e-7, 0},
		{"hard sigmoid", &uHardSigmoid, -4, 4, .2, .5, 2e-7, 1e-7},
		{"Swish", &uSwish, -40, 40, 1, 0, 5e-7, 1e-37},
		{"Swish, steeper", &uSwish, -5, 5, 1.5, 0, 1.5e-6, 0},
		{"Mish", &uMish, -40, 40, 0, 0, 6e-7, 1e-37},
	}
	grads := []struct {
		name   string
		u      *binary
		lo, hi float64
		a, b   float32
		tol    float64
	}{
		{"div", &bDiv, .1, 5, 0, 0, 1e-7},
		{"max", &bMax, -5, 5, 0, 0, 0},
		{"min", &bMin, -5, 5, 0, 0, 0},
		{"PReLU", &bPRelu, -5, 5, 0, 0, 1e-7},
		{"gelu gradient", &bGeluGrad, -7, 7, 0, 0, 1e-6},
		{"clip gradient", &bClipGrad, -3, 3, -1, 2, 0},
	}
	same := func(got, want float32, x, rel, abs float64) bool {
		if want != want || math.IsInf(float64(want), 0) {
			return got == want || got != got && want != want
		}
		return math.Abs(float64(got)-float64(want)) <= rel*math.Abs(float64(want))+abs*math.Max(1, math.Abs(x))
	}
	eachISA(t, func(t *testing.T) {
		for _, c := range cases {
			x := wave(c.lo, c.hi)
			y := make([]float32, len(x))
			c.u.run(x, y, c.a, c.b)
			worst := 0.0
			for i, v := range x {
				want := c.u.def(v, c.a, c.b)
				if want != 0 && c.rel > 0 && math.Abs(float64(want)) > .1 {
					worst = max(worst, math.Abs(float64(y[i])/float64(want)-1))
				}
				if !same(y[i], want, float64(v), c.rel, c.abs) {
					t.Fatalf("%s(%v) = %v, want %v", c.name, v, y[i], want)
				}
			}
			t.Logf("%s: worst relative error %.2g", c.name, worst)
			for _, s := range special {
				v := float32(s)
				one := []float32{v}
				c.u.run(one, one, c.a, c.b)
				want := c.u.def(v, c.a, c.b)
				// beyond the denormal numbers only the limit counts
				if !same(one[0], want, math.Min(1, math.Abs(s)), 1e-6, 2e-38+c.abs) {
					t.Errorf("%s(%v) = %v, want %v", c.name, v, one[0], want)
				}
			}
			for n := range 40 {
				dst := make([]float32, n+1)
				c.u.run(x, dst[:n], c.a, c.b)
				if dst[n] != 0 {
					t.Fatalf("%s of %d values wrote beyond them", c.name, n)
				}
				for i := range n {
					if dst[i] != y[i] && !(dst[i] != dst[i] && y[i] != y[i]) {
						t.Fatalf("%s: value %d depends on the length %d", c.name, i, n)
					}
				}
			}
		}
		r := rand.New(rand.NewPCG(17, 18))
		for _, c := range grads {
			y := wave(c.lo, c.hi)
			d := random(r, len(y))
			z := make([]float32, len(y))
			c.u.run(d, y, z, c.a, c.b)
			for i := range y {
				if want := c.u.def(d[i], y[i], c.a, c.b); !same(z[i], want, float64(d[i]), c.tol, c.tol) {
					t.Fatalf("%s(%v, %v) = %v, want %v", c.name, d[i], y[i], z[i], want)
				}
			}
			for n := range 40 {
				dst := make([]float32, n+1)
				c.u.run(d, y, dst[:n], c.a, c.b)
				if dst[n] != 0 {
					t.Fatalf("%s of %d values wrote beyond them", c.name, n)
				}
				for i := range n {
					if dst[i] != z[i] {
						t.Fatalf("%s: value %d depends on the length %d", c.name, i, n)
					}
				}
			}
		}
		n := float32(nan)
		for _, p := range [][2]float32{{n, 1}, {1, n}} {
			for _, f := range []func(x, y, z []float32){Maximum, Minimum} {
				z := []float32{0}
				f(p[:1], p[1:], z)
				if z[0] == z[0] {
					t.Errorf("NaN is lost: %v", z)
				}
			}
		}
	})
}

// Every comparison, at and beside the number, and of NaN.
func TestChoose(t *testing.T) {
	const s = .5
	nan := float32(math.NaN())
	eachISA(t, func(t *testing.T) {
		for n := range 40 {
			x, y, w, z := make([]float32, n), make([]float32, n), make([]float32, n), make([]float32, n+1)
			for i := range x {
				x[i], y[i], w[i] = []float32{s, 0, 1, nan}[(i+n)%4], float32(i+1), float32(-i-1)
			}
			for by, holds := range map[Comparison][4]bool{Above: {false, false, true}, NotBelow: {true, false, true}, Below: {false, true, false}, NotAbove: {true, true, false}} {
				Choose(by, x, s, y, w, z[:n])
				for i := range x {
					want := w[i]
					if holds[(i+n)%4] {
						want = y[i]
					}
					if z[i] != want {
						t.Fatalf("comparison %d of %v with %v: %v, want %v", by, x[i], s, z[i], want)
					}
				}
				if z[n] != 0 {
					t.Fatal("it wrote beyond the end")
				}
			}
		}
	})
}

// The derivative of Gelu against differences of Gelu itself.
func TestFunctionGradients(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		const h = 1. / 128
		for x := float32(-2.9); x < 2.9; x += .1 {
			y, z := make([]float32, 3), make([]float32, 1)
			Gelu([]float32{x - h, x, x + h}, y)
			GeluGrad([]float32{2}, []float32{x}, z)
			if want := 2 * (y[2] - y[0]) / (2 * h); math.Abs(float64(z[0]-want)) > 3e-4 {
				t.Fatalf("at %v: %v, differences give %v", x, z[0], want)
			}
		}
	})
}

func TestOptimizers(t *testing.T) {
	r := rand.New(rand.NewPCG(19, 20))
	for _, n := range []int{1, 8, 13, 16, 33, 100} {
		w, d, m, v, mask := random(r, n), random(r, n), random(r, n), random(r, n), make([]float32, n)
		for i := range mask {
			mask[i] = float32(r.IntN(2))
			v[i] *= v[i]
		}
		for k := range 16 {
			var mm, mk []float32
			sgd := SGDStep{LR: .1, WeightDecay: .01, Nesterov: k&1 != 0}
			adam := AdamStep{LR: .01, Beta1: .9, Beta2: .999, Eps: 1e-8, WeightDecay: .1, Decoupled: k&1 != 0, T: 3}
			if k&2 != 0 {
				mm, sgd.Momentum = m, .9
			}
			if k&4 != 0 {
				mk = mask
			}
			eachISA(t, func(t *testing.T) {
				copyOf := func(x []float32) []float32 { return append([]float32(nil), x...) }
				w1, m1, w2, m2, v2 := copyOf(w), copyOf(mm), copyOf(w), copyOf(m), copyOf(v)
				sgd.Step(w1, d, m1, mk)
				adam.Step(w2, d, m2, v2, mk)
				want, wantM, wantA := make([]float64, n), make([]float64, len(mm)), make([]float64, n)
				for i := range n {
					keep := 1.0
					if mk != nil {
						keep = float64(mk[i])
					}
					W, D := float64(w[i]), float64(d[i])
					g := keep * (D + .01*W)
					step := g
					if mm != nil {
						wantM[i] = keep * (.9*float64(m[i]) + g)
						if step = wantM[i]; sgd.Nesterov {
							step = g + .9*wantM[i]
						}
					}
					want[i] = keep * (W - .1*step)
					g = keep * D
					if !adam.Decoupled {
						g = keep * (D + .1*W)
					}
					M := .9*float64(m[i]) + .1*g
					V := .999*float64(v[i]) + .001*g*g
					if adam.Decoupled {
						W *= 1 - .01*.1
					}
					wantA[i] = keep * (W - .01*M/(1-math.Pow(.9, 3))/(math.Sqrt(V/(1-math.Pow(.999, 3)))+1e-8))
				}
				close32(t, fmt.Sprint("sgd ", n, k), w1, want, 1e-6)
				close32(t, "momentum", m1, wantM, 1e-6)
				close32(t, fmt.Sprint("adam ", n, k), w2, wantA, 2e-6)
			})
		}
	}
}
