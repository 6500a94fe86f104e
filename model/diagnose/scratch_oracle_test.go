package diagnose

import (
	"math"
	"slices"
	"testing"

	"pare/dataset"
	"pare/internal/oracle"
	"pare/model"
)

// heldJob is a job with samples that are held out: for validation, or as a test set.
func heldJob(t *testing.T, samples int, val bool) *model.Job {
	j := oracle.Job(t, "mlp:6-8-5-4", samples, 8, 3, 3)
	rest, held, err := j.Data.Train.Split(.25, 1)
	if err != nil {
		t.Fatal(err)
	}
	if j.Data.Train, j.Data.Test = rest, held; val {
		j.Data.Val = held
	}
	return j
}

func heldOf(j *model.Job) *dataset.Set {
	if j.Data.Val != nil {
		return j.Data.Val
	}
	return j.Data.Test
}

// scratchHand is the comparison of arms in plain loops.
type scratchHand struct {
	oracle.Series
	dense, pruned *oracle.Net
	facts         ScratchFacts
	best          *oracle.Net
}

// prune cuts the network as the settings say: the smallest weights, or the hidden units of
// the smallest L1 norm of what they read, their order kept.
func (h *scratchHand) prune(t *testing.T, s *Scratch) {
	n := h.dense.Clone()
	if s.Pruner == "magnitude" {
		var sizes [][]float64
		all := 0
		for _, w := range n.Weights() {
			sizes, all = append(sizes, oracle.Sizes(w.X)), all+len(w.X)
		}
		masks := oracle.BestOfAll(t, sizes, all-int(math.Round(s.Sparsity*float64(all))))
		for l, w := range n.Weights() {
			if w.Mask = masks[l]; s.Allocate == "uniform" {
				w.Mask = oracle.Best(t, sizes[l], int(math.Floor((1-s.Sparsity)*float64(len(w.X))+.5+1e-9)), oracle.CutFirst)
			}
			h.facts.MACs += int64(oracle.Count(w.Mask))
			h.facts.DenseMACs += int64(len(w.X))
		}
		n.Apply()
		h.pruned = n
		return
	}
	for _, l := range n.Layers {
		h.facts.DenseMACs += int64(len(l.W.X))
	}
	var keeps [][]bool // of all layers, before any is cut
	for _, l := range n.Layers[:len(n.Layers)-1] {
		norm := make([]float64, l.Out)
		for i, x := range l.W.X {
			norm[i/l.In] += math.Abs(x)
		}
		keeps = append(keeps, oracle.Best(t, norm, int(math.Round(s.Keep*float64(l.Out))), oracle.KeepFirst))
	}
	for l, keep := range keeps {
		n.Narrow(l, keep)
	}
	for _, l := range n.Layers {
		h.facts.MACs += int64(len(l.W.X))
	}
	h.pruned = n
}

// run trains all arms in all runs.
func (h *scratchHand) run(t *testing.T, j *model.Job, s *Scratch) *oracle.Training {
	h.dense = oracle.Read(t, j.Graph)
	if s.Fresh.Fresh {
		h.dense.Draw(j.Seed, func(l int) float64 { return float64(h.dense.Layers[l].In) })
		h.Fit(t, j, h.dense, true, drops(j))
	}
	h.prune(t, s)
	held := oracle.Whole(t, heldOf(j), j.Data.Norm)
	h.facts.Dense.Value, h.facts.NotTrained.Value = h.dense.Right(held), h.pruned.Right(held)
	tune, b := *j, *j
	tune.Recipe.Schedule = "constant"
	if tune.Recipe.Epochs = s.Tune; s.Tune == 0 {
		tune.Recipe.Epochs = max(1, j.Recipe.Epochs/4)
	}
	if tune.Recipe.LR = s.TuneLR; s.TuneLR == 0 {
		tune.Recipe.LR = j.Recipe.LR / 100
	}
	ratio := math.Max(1, float64(h.facts.DenseMACs)/float64(h.facts.MACs))
	if s.Most > 0 {
		ratio = math.Min(ratio, s.Most)
	}
	b.Recipe.Epochs = int(float64(j.Recipe.Epochs) * ratio)
	if s.Plus {
		b.Recipe.Epochs += tune.Recipe.Epochs
	}
	type arm struct {
		name string
		j    model.Job
		draw bool
	}
	arms, runs := []arm{{"fine-tuned", tune, false}, {"Scratch-E", *j, true}, {"Scratch-B", b, true}}, max(1, s.Runs)
	if s.Arm != "all" {
		i := slices.Index([]string{"finetuned", "e", "b"}, s.Arm)
		arms = arms[i : i+1]
	}
	for _, a := range arms {
		h.facts.Arms = append(h.facts.Arms, ArmFacts{Name: a.name, Epochs: a.j.Recipe.Epochs})
	}
	most := -1.0
	for r := range runs {
		for i, a := range arms {
			n, k := h.pruned.Clone(), a.j
			if a.draw {
				n.Draw(j.Seed+uint64(r+1)<<32, func(l int) float64 {
					if m := n.Layers[l].W.Mask; m != nil {
						return float64(oracle.Count(m)) / float64(n.Layers[l].In)
					}
					return float64(n.Layers[l].In)
				})
			}
			if k.Order = 0; r > 0 {
				k.Order = j.Seed + uint64(r)<<32
			}
			h.Fit(t, &k, n, false, drops(&k))
			x := n.Right(held)
			if h.facts.Arms[i].Values = append(h.facts.Arms[i].Values, x); x > most {
				most, h.best = x, n
			}
		}
	}
	if len(arms) == 3 {
		mean, square := 0.0, 0.0
		for _, x := range h.facts.Arms[0].Values {
			mean += x / float64(runs)
		}
		for _, x := range h.facts.Arms[0].Values {
			square += (x - mean) * (x - mean) / float64(runs-1)
		}
		for _, a := range h.facts.Arms[1:] {
			of := 0.0
			for _, x := range a.Values {
				of += x / float64(runs)
			}
			if of >= mean-math.Sqrt(square) {
				h.facts.Enough = append(h.facts.Enough, a.Name)
			}
		}
	}
	return h.Ended(h.best)
}

// drops divides the rate by 10 at the start of the epochs int(E/2) and int(3E/4), where the
// recipe's schedule is one of such drops.
func drops(j *model.Job) func(r *oracle.Training) {
	return func(r *oracle.Training) {
		if j.Recipe.Schedule != "step:0.5,0.75" {
			return
		}
		e := j.Recipe.Epochs
		r.Falls = func(step int) float64 {
			rate, epoch := j.Recipe.LR, step/r.Stream.Steps()
			for _, at := range []int{e / 2, 3 * e / 4} {
				if epoch >= at {
					rate /= 10
				}
			}
			return rate
		}
	}
}

// Run is the comparison by hand, step by step, of channels and of masks, each arm alone and
// all together.
func TestScratchOracle(t *testing.T) {
	for k, f := range []func(s *Scratch, j *model.Job){
		func(s *Scratch, j *model.Job) { s.Arm = "e" },
		func(s *Scratch, j *model.Job) { s.Most = 1.4 },
		func(s *Scratch, j *model.Job) { s.Plus, s.Fresh.Fresh = true, true },
		func(s *Scratch, j *model.Job) { s.Arm, s.Tune, s.TuneLR = "finetuned", 2, .02 },
		func(s *Scratch, j *model.Job) { s.Arm, s.Runs = "all", 3 },
		func(s *Scratch, j *model.Job) { j.Recipe.Schedule, j.Recipe.Epochs = "step:0.5,0.75", 5 },
		func(s *Scratch, j *model.Job) {
			s.Pruner, s.Keep, s.Sparsity, s.Arm, s.Runs = "magnitude", 0, .6, "all", 2
		},
		func(s *Scratch, j *model.Job) {
			s.Pruner, s.Keep, s.Sparsity, s.Allocate, s.Runs = "magnitude", 0, .5, "global", 2
		},
	} {
		s := NewScratch()
		s.Keep = .5
		j := heldJob(t, 48, k%2 == 0)
		j.Recipe.LR = .1 // arms differ in accuracy
		f(s, j)
		h := &scratchHand{}
		r := h.run(t, j, s).Follow(t, s, j)
		if t.Failed() {
			t.Fatalf("case %d", k)
		}
		got, want := r.Facts.(*ScratchFacts), &h.facts
		same := func(a, b float64) bool { return math.Abs(a-b) < 1e-9 }
		ok := got.MACs == want.MACs && got.DenseMACs == want.DenseMACs && same(got.Dense.Value, want.Dense.Value) && same(got.NotTrained.Value, want.NotTrained.Value) &&
			slices.Equal(got.Enough, want.Enough) && len(got.Arms) == len(want.Arms)
		for i, a := range got.Arms {
			ok = ok && a.Name == want.Arms[i].Name && a.Epochs == want.Arms[i].Epochs && slices.EqualFunc(a.Values, want.Arms[i].Values, same)
		}
		if !ok {
			t.Errorf("case %d: found %+v, by hand %+v", k, got, want)
		}
	}
}

// A network of which nothing is pruned, trained from scratch, is the dense network trained
// from a draw of its own.
func TestScratchWhole(t *testing.T) {
	s := NewScratch()
	s.Keep, s.Arm = 1, "b"
	j := heldJob(t, 48, false)
	dense := oracle.NewTraining(t, j)
	dense.Net.Draw(j.Seed+1<<32, func(l int) float64 { return float64(dense.Net.Layers[l].In) })
	for _, f := range dense.Run().Frames {
		f.Values = nil
	}
	dense.Follow(t, s, j)
}
