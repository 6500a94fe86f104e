package score

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pare/data"
	"pare/dataset"
	"pare/engine"
	"pare/graph"
	"pare/model"
	"pare/prune"
	"pare/train"
)

// What a training is to be: on a half of the samples of the seed, from weights of a seed of its own. The
// score is then counted in plain loops over what the trained networks give.
func TestMemorisation(t *testing.T) {
	s := set(43)
	g := network(t, 1)
	m := &Memorisation{Splits: 3, Epochs: 4, LR: .05, Batch: 8}
	j := &data.Job{Set: s, Norm: dataset.Raw, Networks: []*graph.Graph{g}, Seed: 5, Engine: one()}
	res, got := run(t, m, j)
	want := make([]float64, s.Len())
	var in, out float64
	for k := range uint64(3) {
		a, b, err := s.Split(.5, 5+k)
		if err != nil {
			t.Fatal(err)
		}
		for h, half := range []*dataset.Set{a, b} {
			net, _ := g.Clone(true)
			seed := 2*(5+k) + uint64(h)
			if err := (prune.Init{Seed: seed}).Apply(net); err != nil {
				t.Fatal(err)
			}
			r := model.Defaults()
			r.Epochs, r.LR, r.Batch, r.Keep = 4, .05, 8, "last"
			if _, err := (&model.Job{Graph: net, Data: &dataset.Data{Train: half, Norm: dataset.Raw}, Recipe: r, Seed: seed, Engine: one()}).Fit(context.Background(), net); err != nil {
				t.Fatal(err)
			}
			at := 0
			err := train.NewEval(s, dataset.Raw, 1, one()).Outputs(context.Background(), net, func(y []float32, _ int) error {
				best := slices.Index(y, slices.Max(y))
				trained := false
				for i := range half.Len() {
					trained = trained || half.Number(i) == at
				}
				if int32(best) == s.Label(at) {
					if trained {
						want[at] += 1. / 3
						in++
					} else {
						want[at] -= 1. / 3
						out++
					}
				}
				at++
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	near(t, "memorisation", got, want, 1e-12)
	if f := res.Facts.(*MemorisationFacts); res.Score.Hard != data.High || f.Trainings != 6 || math.Abs(f.In-in/129) > 1e-12 || math.Abs(f.Out-out/129) > 1e-12 || f.In <= f.Out {
		t.Errorf("%+v, %v and %v", res.Facts, in, out)
	}
	if !slices.Equal(g.Params()[0].Const.F32(), network(t, 1).Params()[0].Const.F32()) {
		t.Error("the network that was given has changed")
	}
	for says, k := range map[string]*data.Job{"Network": {Set: s}, "Data": {Set: s.First(3), Networks: j.Networks}, "shape": {Set: other(), Networks: j.Networks}} {
		if _, err := data.Run(context.Background(), m, k); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v, not %q", err, says)
		}
	}
}

// other is a set of samples of another shape.
func other() *dataset.Set {
	return dataset.New("training", &dataset.Field{Name: "x", Shape: []int{3}, Floats: make([]float32, 30)}, &dataset.Field{Name: "label", Classes: 2, Ints: make([]int32, 10)})
}

// Wrong labels are memorised, and labels that other samples stand for are not.
func TestWrongLabelsAreMemorised(t *testing.T) {
	s, _ := dataset.Glyph(1, .2, 400, 10, 1)
	y := *s.Class()
	y.Ints = slices.Clone(y.Ints)
	wrong := map[int]bool{}
	r := rand.New(rand.NewPCG(1, 2))
	for range 12 {
		i := r.IntN(400)
		if !wrong[i] {
			y.Ints[i] = (y.Ints[i] + 1 + int32(r.IntN(9))) % 10
		}
		wrong[i] = true
	}
	s = dataset.New("training", s.X(), &y)
	m := &Memorisation{Splits: 2, Epochs: 60, LR: .1, Batch: 20}
	_, got := run(t, m, &data.Job{Set: s, Norm: dataset.Raw, Networks: []*graph.Graph{network(t, 1)}, Seed: 1, Engine: engine.Options{}})
	var bad, good float64
	for i, v := range got {
		if wrong[i] {
			bad += v / float64(len(wrong))
		} else {
			good += v / float64(400-len(wrong))
		}
	}
	if bad < .7 || good > .1 {
		t.Errorf("wrong labels have %v, the others %v", bad, good)
	}
}
