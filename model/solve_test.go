package model_test

import (
	"math"
	"testing"

	"pare/internal/modeltest"
	"pare/model"
	"pare/model/structured"
)

// What is solved comes nearer to the network before; all samples have a say, so that
// their order has none.
func TestSolve(t *testing.T) {
	run := func(recover string, seed uint64) (fc2 []float32, missed float64) {
		j := modeltest.Job(t, 0)
		j.Data.Train = j.Data.Train.First(384) // six batches
		dense, _ := outputs(t, j, j.Graph)
		j.Recipe.Recover, j.Seed = recover, seed
		m := structured.NewChannels()
		m.ChannelTarget, m.Score = model.ChannelTarget{MACs: .5, Least: .1}, "norm"
		g := modeltest.Run(t, m, j).Graph
		cut, _ := outputs(t, j, g)
		for i := range cut {
			missed += math.Pow(float64(cut[i])-float64(dense[i]), 2)
		}
		return g.Value("fc2.weight").Const.F32(), missed
	}
	_, cut := run("", 1)
	a, missed := run("solve", 1)
	if missed > .5*cut {
		t.Errorf("the outputs miss %v in square, and %v before they were solved", missed, cut)
	}
	b, _ := run("solve", 2)
	for i := range a {
		if math.Abs(float64(a[i])-float64(b[i])) > 1e-4 {
			t.Fatalf("weight %d is %v, and %v with the samples in another order", i, a[i], b[i])
		}
	}
}
