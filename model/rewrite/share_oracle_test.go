package rewrite

import (
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"

	"pare/internal/oracle"
	"pare/model"
)

// shareHand is parameter sharing in plain loops: entry i of tensor l is
// lambda_l g_l[i] psi[h(off_l+i)].
type shareHand struct {
	*oracle.Training
	s      *Share
	lambda []float64
	sign   [][]float64
	slot   [][]int
	psi    *oracle.Tensor
}

// hashed is ((a0 x + a1 x^2 + a2) mod P) mod m, in numbers that do not overflow.
func hashed(a [3]uint64, x, m int) int {
	const prime = 2038074743
	n := func(v uint64) *big.Int { return new(big.Int).SetUint64(v) }
	sum := new(big.Int).Mul(n(a[0]), n(uint64(x)))
	sum.Add(sum, new(big.Int).Mul(n(a[1]), n(uint64(x)*uint64(x))))
	sum.Add(sum, n(a[2]))
	sum.Mod(sum, n(prime))
	return int(sum.Uint64() % uint64(m))
}

func byHand(t *testing.T, j *model.Job, s *Share) *shareHand {
	h := &shareHand{Training: oracle.NewTraining(t, j), s: s}
	ws := h.Net.Weights()
	n := oracle.Total(ws)
	m := int(s.Budget*float64(n) + 1e-9)
	r := rand.New(rand.NewPCG(j.Seed, 0x5A4E))
	var a [3]uint64
	for i := range a {
		a[i] = 2*(1+r.Uint64N(2038074743/2-2)) + 1
	}
	off := 0
	for l, w := range ws {
		mean, variance := 0.0, 0.0
		for _, x := range w.X {
			mean += x / float64(len(w.X))
		}
		for _, x := range w.X {
			variance += (x - mean) * (x - mean) / float64(len(w.X))
		}
		std := s.InitScale / math.Sqrt(3)
		if s.ReferenceScale {
			std = s.InitScale
		}
		h.lambda = append(h.lambda, math.Sqrt(variance)/std)
		signs := rand.NewPCG(j.Seed, 0x5164<<32|uint64(l))
		var bits uint64
		g, at := make([]float64, len(w.X)), make([]int, len(w.X))
		for i := range w.X {
			if i%64 == 0 {
				bits = signs.Uint64()
			}
			g[i] = 1 - 2*float64(bits>>(i%64)&1)
			if p := off + i; s.Mapper == "hashed" {
				at[i] = hashed(a, p, m)
			} else {
				at[i] = (hashed(a, p/m, m) + p%m) % m
			}
		}
		h.sign, h.slot = append(h.sign, g), append(h.slot, at)
		off += len(w.X)
	}
	psi := make([]float64, m)
	if s.Begin == "fit" {
		square := make([]float64, m)
		h.each(func(l, i, k int, lambda float64) {
			psi[k] += lambda * ws[l].X[i]
			square[k] += lambda * lambda
		})
		for k := range psi {
			psi[k] /= math.Max(square[k], 1e-300)
		}
	} else {
		draw := rand.New(rand.NewPCG(j.Seed, 0x5A44E))
		for k := range psi {
			psi[k] = s.InitScale * (2*draw.Float64() - 1)
		}
	}
	h.psi = oracle.NewTensor("psi", psi)
	return h
}

// each visits every entry with its slot and signed scale.
func (h *shareHand) each(f func(l, i, k int, lambda float64)) {
	for l, at := range h.slot {
		for i, k := range at {
			f(l, i, k, h.lambda[l]*h.sign[l][i])
		}
	}
}

func (h *shareHand) expand() {
	h.each(func(l, i, k int, lambda float64) { h.Net.Weights()[l].X[i] = lambda * h.psi.X[k] })
}

// run trains the array.
func (h *shareHand) run() *oracle.Training {
	m := len(h.psi.X)
	count, sum, square := make([]float64, m), make([]float64, m), make([]float64, m)
	h.each(func(_, _, k int, lambda float64) {
		count[k]++
		sum[k] += math.Abs(lambda)
		square[k] += lambda * lambda
	})
	gamma := func(k int) float64 {
		switch h.s.Scaler {
		case "v1":
			return sum[k]*sum[k]/(count[k]+.001) + 1e-6
		case "v2":
			return sum[k] + 1e-6
		case "v3":
			return sum[k]/(count[k]+.001) + 1e-6
		case "v4":
			return math.Sqrt(square[k]) + 1e-6
		case "v5":
			return square[k] + 1e-6
		}
		return 1
	}
	h.expand()
	h.Graded = func(int) {
		clear(h.psi.G)
		h.each(func(l, i, k int, lambda float64) { h.psi.G[k] += lambda * h.Net.Weights()[l].G[i] })
		for k := range h.psi.G {
			h.psi.G[k] /= gamma(k)
		}
	}
	h.After = func(step int) {
		was, o := slices.Clone(h.psi.X), h.Recipe.Optimizer
		decay := h.Recipe.Decay
		if o == "adamw" {
			h.Recipe.Decay = 0
		}
		h.Move(h.psi, step)
		h.Recipe.Decay = decay
		for k := range h.psi.X {
			if o == "adam" || o == "adamw" { // the step is divided by the mean scale; decay is of the array
				moved := was[k]
				if o == "adamw" {
					moved -= h.Rate(step) * decay * was[k]
				}
				if count[k] > 0 {
					h.psi.X[k] = moved + (h.psi.X[k]-was[k])*count[k]/sum[k]
				}
			}
		}
		h.expand()
	}
	return h.Run()
}

// Run is sharing by hand after every step: each mapping, scaler, beginning and optimiser.
func TestShareOracle(t *testing.T) {
	for k, f := range []func(s *Share, j *model.Job){
		func(s *Share, j *model.Job) {},
		func(s *Share, j *model.Job) { s.Mapper, s.Budget = "hashed", .5 },
		func(s *Share, j *model.Job) { s.Begin = "fit" },
		func(s *Share, j *model.Job) { s.ReferenceScale = true },
		func(s *Share, j *model.Job) { j.Recipe.Optimizer, j.Recipe.LR = "adam", .003 },
		func(s *Share, j *model.Job) { j.Recipe.Optimizer, j.Recipe.LR, j.Recipe.Decay = "adamw", .003, .1 },
		func(s *Share, j *model.Job) { s.Scaler, j.Recipe.LR = "v2", .01 },
		func(s *Share, j *model.Job) { s.Scaler, j.Recipe.LR = "v3", .003 },
		func(s *Share, j *model.Job) { s.Scaler, j.Recipe.LR = "v4", .003 },
		func(s *Share, j *model.Job) { s.Scaler, j.Recipe.LR = "v5", .01 },
		func(s *Share, j *model.Job) { s.Scaler, s.InitScale, j.Recipe.LR = "none", .5, .01 },
	} {
		s := NewShare()
		s.Budget = .2
		j := oracle.Job(t, "mlp:6-8-5-4", 32, 8, 3, 4)
		f(s, j)
		h := byHand(t, j, s)
		r := h.run().Follow(t, s, j)
		if t.Failed() {
			t.Fatalf("case %d", k)
		}
		if got, want := *r.Facts.(*ShareFacts), (ShareFacts{6*8 + 8*5 + 5*4, len(h.psi.X)}); got != want {
			t.Errorf("case %d: %+v, want %+v", k, got, want)
		}
	}
}

// At a budget of 1 every weight has a slot of its own, and fitted to the network the array
// is the network: sharing is dense training whose gradients are divided by Gamma/lambda^2.
func TestShareAlone(t *testing.T) {
	s := NewShare()
	s.Budget, s.Begin = 1, "fit"
	j := oracle.Job(t, "mlp:6-8-5-4", 32, 8, 3, 4)
	h := byHand(t, j, s)
	dense := oracle.NewTraining(t, j)
	dense.Graded = func(int) {
		for l, w := range dense.Net.Weights() {
			for i := range w.G {
				square := h.lambda[l] * h.lambda[l]
				w.G[i] *= square / (square/1.001 + 1e-6)
			}
		}
	}
	dense.Run().Follow(t, s, j)
}

// Fitted and not trained, the weights are what the array gives.
func TestShareUntrained(t *testing.T) {
	s := NewShare()
	s.Budget, s.Begin = .3, "fit"
	j := oracle.Job(t, "mlp:6-8-5-4", 32, 8, 3, 4)
	h := byHand(t, j, s)
	h.expand()
	j.Recipe.Epochs = 0
	h.Training.Follow(t, s, j)
}
