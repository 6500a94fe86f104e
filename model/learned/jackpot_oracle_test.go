package learned

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"pare/internal/oracle"
	"pare/model"
)

// jackpotByHand is the search for lottery jackpots in plain loops: the magnitude mask, with
// scores of 1 and 0.99, which learn by g w; after each step the best
// ceil((1-e/E)^restrict Q) of the Q swaps of each layer. It gives the masks of the start,
// and how many swaps there were and how many were made.
func jackpotByHand(t *testing.T, j *model.Job, s *Jackpot) (run *oracle.Training, start [][]bool, swaps, made int) {
	b := latentByHand(t, j, s.Scored)
	if !s.Classifier {
		b.theta, b.score, b.mask = b.theta[:len(b.theta)-1], b.score[:len(b.score)-1], b.mask[:len(b.mask)-1]
	}
	b.rate = along(s.ScoreLR, b.Steps)
	var sizes [][]float64
	n := 0
	for l, w := range b.theta {
		sizes = append(sizes, oracle.Sizes(w))
		n += len(w)
		if s.Allocate == "uniform" {
			b.mask[l] = oracle.Best(t, sizes[l], int(math.Floor(float64(len(w))*(1-s.Sparsity)+.5+1e-9)), oracle.CutFirst)
		}
	}
	if s.Allocate == "global" {
		b.mask = oracle.BestOfAll(t, sizes, n-int(math.Round(s.Sparsity*float64(n))))
	}
	for l, keep := range b.mask {
		for i := range keep {
			if b.score[l][i] = .99; keep[i] {
				b.score[l][i] = 1
			}
		}
		start = append(start, slices.Clone(keep))
	}
	b.Graded = func(step int) {
		for l, theta := range b.theta {
			d := make([]float64, len(theta))
			for i, g := range b.Net.Weights()[l].G {
				d[i] = g * theta[i]
			}
			b.descend(l, step, d)
		}
	}
	b.After = func(step int) {
		epoch := step / b.Stream.Steps()
		share := math.Pow(1-float64(epoch)/float64(j.Recipe.Epochs), s.Restrict)
		for l, q := range b.score {
			best := oracle.Best(t, q, oracle.Count(b.mask[l]), oracle.CutFirst)
			var on, off []int
			for i := range q {
				if best[i] && !b.mask[l][i] {
					on = append(on, i)
				}
				if !best[i] && b.mask[l][i] {
					off = append(off, i)
				}
			}
			slices.SortStableFunc(on, func(x, y int) int { return -less(q[x], q[y]) })
			slices.SortStableFunc(off, func(x, y int) int { return less(q[x], q[y]) })
			c := int(math.Ceil(share * float64(len(on))))
			swaps, made = swaps+len(on), made+c
			for k := range c {
				b.mask[l][on[k]], b.mask[l][off[k]] = true, false
			}
		}
		b.show()
	}
	b.freeze()
	b.show()
	b.Run()
	b.Stream.Recalibrate(b.Net, 50)
	if s.Tune == 0 {
		return b.Training, start, swaps, made
	}
	return tuned(t, j, b.Training, s.Tuned, 0), start, swaps, made
}

func less(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// Run is the search by hand after every step: with the restriction and without, with the
// classifier and without, with normalisation, and tuned.
func TestJackpotOracle(t *testing.T) {
	for k, f := range []func(s *Jackpot, j *model.Job){
		func(s *Jackpot, j *model.Job) {},
		func(s *Jackpot, j *model.Job) { s.Restrict = 0 },
		func(s *Jackpot, j *model.Job) { s.Classifier, s.Allocate = true, "uniform" },
		func(s *Jackpot, j *model.Job) { s.Tune, s.TuneLR, j.Recipe.Decay = 2, .03, .01 },
		func(s *Jackpot, j *model.Job) { s.Restrict, s.Tune = 1.5, 1; oracle.Normalise(t, j) },
	} {
		s := NewJackpot()
		s.Sparsity, s.ScoreLR = .6, 1
		j := oracle.Job(t, "mlp:8-10-7-4", 32, 8, 4, 6)
		f(s, j)
		run, start, swaps, made := jackpotByHand(t, j, s)
		if swaps == 0 || (made < swaps) != (s.Restrict > 0) {
			t.Fatalf("case %d: %d of %d swaps are made, which tells nothing", k, made, swaps)
		}
		r := run.Follow(t, s, j)
		if t.Failed() {
			t.Fatalf("case %d", k)
		}
		both, kept := 0, 0
		for l, keep := range start {
			for i := range keep {
				if keep[i] {
					if kept++; r.Masks.Mask[l].Kept(i) {
						both++
					}
				}
			}
		}
		if facts := r.Facts.(*JackpotFacts); facts.Kept != kept || math.Abs(facts.Overlap-float64(both)/float64(kept)) > 1e-12 || both == kept {
			t.Errorf("case %d: %+v, want %d of %d", k, facts, both, kept)
		}
	}
}

// Where the scores stand still, the start remains: the magnitude mask, or a random one of
// as many weights in each layer.
func TestJackpotStill(t *testing.T) {
	for _, start := range []string{"magnitude", "random"} {
		s := NewJackpot()
		s.Sparsity, s.ScoreLR, s.MaskStart = .6, 1e-30, start
		j := oracle.Job(t, "mlp:8-10-7-4", 32, 8, 2, 6)
		n := oracle.Read(t, j.Graph)
		searched := n.Weights()[:2]
		masks := oracle.BestOfAll(t, [][]float64{oracle.Sizes(searched[0].X), oracle.Sizes(searched[1].X)}, 60)
		r, err := model.Run(t.Context(), s, j)
		if err != nil {
			t.Fatal(err)
		}
		differ := 0
		for l, w := range searched {
			if w.Mask = masks[l]; start == "random" {
				w.Mask = make([]bool, len(w.X))
				for i := range w.X {
					if w.Mask[i] = r.Masks.Mask[l].Kept(i); w.Mask[i] != masks[l][i] {
						differ++
					}
				}
				if a, b := oracle.Count(w.Mask), oracle.Count(masks[l]); a != b {
					t.Errorf("%s keeps %d, want %d", w.Name, a, b)
				}
			}
		}
		n.Apply()
		n.Compare(t, fmt.Sprint("a search that stands still, from ", start), r)
		if start == "random" && differ < 20 {
			t.Errorf("the random start differs in %d places from the magnitudes", differ)
		}
	}
}
