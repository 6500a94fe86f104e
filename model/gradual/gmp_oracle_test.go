package gradual

import (
	"math"
	"slices"
	"testing"

	"pare/internal/oracle"
	"pare/model"
	"pare/train"
)

// rising is s_f + (s_i - s_f)(1 - (t-t_0)/(t_1-t_0))^p.
func rising(initial, final float64, begin, end, t int, power float64) float64 {
	return final + (initial-final)*math.Pow(1-float64(t-begin)/float64(end-begin), power)
}

// gmpOracle trains while every layer keeps its largest weights at the events given.
// back: what is cut keeps its value, and is ranked with the others.
func gmpOracle(t *testing.T, j *model.Job, events []int, sparsity func(step int) float64, back bool) (r *oracle.Training, returned int) {
	t.Helper()
	r = oracle.NewTraining(t, j)
	kept := map[*oracle.Tensor][]float64{}
	for _, w := range r.Net.Weights() {
		w.Mask = oracle.Best(t, w.X, len(w.X), oracle.CutFirst)
	}
	event := func(step int) {
		if !slices.Contains(events, step) {
			return
		}
		for _, w := range r.Net.Weights() {
			size := oracle.Among(w.Mask, oracle.Sizes(w.X))
			for i, v := range kept[w] {
				if back && !w.Mask[i] {
					w.X[i], size[i] = v, math.Abs(v)
				}
			}
			kept[w] = slices.Clone(w.X)
			n := float64(len(w.X))
			was := w.Mask
			w.Mask = oracle.Best(t, size, max(1, int(math.Floor(n*(1-sparsity(step))+.5+1e-9))), oracle.KeepFirst)
			for i, keep := range w.Mask {
				if keep && !was[i] {
					returned++
				}
			}
		}
		r.Net.Apply()
	}
	r.Before = event
	r.End = func() { event(r.Steps) }
	return r.Run(), returned
}

// Every step of gradual magnitude pruning is the plain computation's: what is cut in
// which layer at which step and what the weights then are, in both variants, with events
// that do not divide the window, at the first step, at the last, along another power and
// from an initial sparsity, with SGD and with Adam.
func TestGMPOracle(t *testing.T) {
	at := func(step float64) train.At { return train.At{X: step, Unit: train.Steps} }
	cubic := func(step int) float64 { return rising(0, .8, 6, 42, step, 3) }
	back := map[string]int{}
	for _, c := range []struct {
		f      func(s *GMP)
		events []int
		s      func(step int) float64
		opt    string
	}{
		{func(s *GMP) { s.Begin, s.End, s.Every = train.Share(.1), train.Share(.7), 8 }, []int{6, 14, 22, 30, 38, 42}, cubic, "sgd"},
		{func(s *GMP) { s.Begin, s.End, s.Every = at(6), at(42), 9 }, []int{6, 15, 24, 33, 42}, cubic, "adam"},
		{func(s *GMP) { s.Begin, s.End, s.Every = at(0), train.Share(1), 25 }, []int{0, 25, 50, 60}, func(step int) float64 { return rising(0, .8, 0, 60, step, 3) }, "sgd"},
		{func(s *GMP) { s.Begin, s.End, s.Every, s.Initial, s.Power = at(0), at(50), 10, .4, 1 }, []int{0, 10, 20, 30, 40, 50}, func(step int) float64 { return rising(.4, .8, 0, 50, step, 1) }, "sgd"},
	} {
		for _, variant := range []string{"hard", "keep"} {
			j := oracle.Job(t, "mlp:10-12-6-4", 60, 6, 6, 5)
			j.Recipe.Optimizer, j.Recipe.Decay = c.opt, .05 // weights shrink
			if c.opt == "adam" {
				j.Recipe.LR = .02
			}
			equal(j) // decided by index where nothing was trained before
			s := NewGMP()
			s.Sparsity, s.Variant = .8, variant
			c.f(s)
			r, returned := gmpOracle(t, j, c.events, c.s, variant == "keep")
			back[variant] += returned
			r.Follow(t, s, j)
		}
	}
	if back["keep"] == 0 || back["hard"] > 0 {
		t.Errorf("weights came back: %v: the test does not tell the variants apart", back)
	}
}

// equal makes the first weights of a job's last layer equal but for their signs.
func equal(j *model.Job) {
	w := j.Graph.Value("fc3.weight").Const.F32()
	for i := range w[:18] {
		w[i] = .25 * float32(1-i%2*2)
	}
}
