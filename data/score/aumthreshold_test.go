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
	"pare/zoo"
)

func wide(t *testing.T) *graph.Graph {
	t.Helper()
	g, err := zoo.New("mlp:64-12-11", zoo.Options{In: []int{1, 8, 8}, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// The areas of two trainings, epoch by epoch as trainings of their own from where the one before ended,
// would not be the same, so the outputs are looked at by a hook here too; all else is in plain loops.
func TestAUMThreshold(t *testing.T) {
	s := set(80)
	m := &AUMThreshold{Percentile: 90, Epochs: 5, LR: .05, Batch: 9}
	j := &data.Job{Set: s, Norm: dataset.Raw, Networks: []*graph.Graph{wide(t)}, Seed: 7, Engine: one()}
	res, got := run(t, m, j)
	const few = 7 // of 80 samples and 11 classes
	at := rand.New(rand.NewPCG(7, 0x61756d)).Perm(80)
	want := make([]float64, 80)
	for k := range 2 {
		y := *s.Class()
		y.Ints, y.Classes = slices.Clone(y.Ints), 11
		fake := at[k*few : (k+1)*few]
		for _, i := range fake {
			y.Ints[i] = 10
		}
		set := dataset.New("training", s.X(), &y)
		g := wide(t)
		if err := (prune.Init{Seed: 14 + uint64(k)}).Apply(g); err != nil {
			t.Fatal(err)
		}
		r := model.Defaults()
		r.Epochs, r.LR, r.Batch, r.Schedule, r.Keep = 5, .05, 9, "constant", "last"
		sum := make([]float64, 80)
		look := &afterEpochs{look: func(g *graph.Graph) error {
			i := 0
			return train.NewEval(set, dataset.Raw, 1, one()).Outputs(context.Background(), g, func(x []float32, _ int) error {
				best := math.Inf(-1)
				for c, v := range x {
					if int32(c) != y.Ints[i] {
						best = max(best, float64(v))
					}
				}
				sum[i] += (float64(x[y.Ints[i]]) - best) / 5
				i++
				return nil
			})
		}}
		if _, err := (&model.Job{Graph: g, Data: &dataset.Data{Train: set, Norm: dataset.Raw}, Recipe: r, Seed: 14 + uint64(k), Engine: one()}).Fit(context.Background(), g, look); err != nil {
			t.Fatal(err)
		}
		var areas []float64
		for _, i := range fake {
			areas = append(areas, sum[i])
		}
		slices.Sort(areas)
		threshold := areas[5] + .4*(areas[6]-areas[5]) // 0.9 of the 6 steps between 7 is 5.4
		if f := res.Facts.(*AUMThresholdFacts); math.Abs(f.Thresholds[k]-threshold) > 1e-5 {
			t.Errorf("threshold %v, not %v", f.Thresholds[k], threshold)
		}
		for i := range want {
			if stood := slices.Contains(at[:few], i); stood == (k == 1) {
				want[i] = sum[i] - threshold
			}
		}
	}
	near(t, "areas less thresholds", got, want, 1e-5)
	var flagged []int32
	for i, v := range want {
		if v <= 0 {
			flagged = append(flagged, int32(i))
		}
	}
	if f := res.Facts.(*AUMThresholdFacts); !slices.Equal(f.Flagged, flagged) || res.Score.Hard != data.Low {
		t.Errorf("%+v, not %v", f, flagged)
	}
	if m := NewAUMThreshold(); m.Percentile != 99 || m.Outputs(10) != 11 {
		t.Errorf("%+v", m)
	}
	for says, k := range map[string]*data.Job{"Network": {Set: s}, "10 outputs, and 11 are needed": {Set: s, Networks: []*graph.Graph{network(t, 1)}}, "more Data": {Set: s.First(9), Networks: j.Networks}} {
		if _, err := data.Run(context.Background(), m, k); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v, not %q", err, says)
		}
	}
}

// Most labels that are wrong are flagged, and few others.
func TestAUMThresholdFindsWrongLabels(t *testing.T) {
	s, _ := dataset.Glyph(1, .2, 1000, 10, 1)
	y := *s.Class()
	y.Ints = slices.Clone(y.Ints)
	r := rand.New(rand.NewPCG(1, 2))
	wrong := map[int32]bool{}
	for range 60 {
		i := int32(r.IntN(1000))
		if !wrong[i] {
			y.Ints[i] = (y.Ints[i] + 1 + int32(r.IntN(9))) % 10
		}
		wrong[i] = true
	}
	s = dataset.New("training", s.X(), &y)
	m := NewAUMThreshold()
	m.LR = .05
	res, _ := run(t, m, &data.Job{Set: s, Norm: dataset.Raw, Networks: []*graph.Graph{wide(t)}, Seed: 1, Engine: engine.Options{}})
	found := 0
	flagged := res.Facts.(*AUMThresholdFacts).Flagged
	for _, k := range flagged {
		if wrong[k] {
			found++
		}
	}
	if t.Logf("%d flagged, %d of %d wrong", len(flagged), found, len(wrong)); found < 9*len(wrong)/10 || len(flagged) > 2*len(wrong) {
		t.Errorf("%d flagged, %d of %d wrong", len(flagged), found, len(wrong))
	}
}
