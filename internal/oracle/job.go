package oracle

import (
	"math/rand/v2"
	"testing"

	"pare/dataset"
	"pare/engine"
	"pare/model"
	"pare/zoo"
)

// Job is a job on a chain of the zoo, such as "mlp:10-12-6-4", whose biases are not
// zero, and on samples of noise around a mean of their class: SGD with momentum, decay
// and a cosine. Nothing is held out.
func Job(t testing.TB, name string, samples, batch, epochs int, seed uint64) *model.Job {
	t.Helper()
	g, err := zoo.New(name, zoo.Options{Seed: seed})
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(seed, 0x04ac1e))
	n := Read(t, g)
	for _, l := range n.Layers {
		b := g.Value(l.B.Name).Const.F32()
		for i := range b {
			b[i] = float32(.3 * r.NormFloat64())
		}
	}
	inputs, classes := n.Layers[0].In, n.Layers[len(n.Layers)-1].Out
	mean := make([]float64, inputs*classes)
	for i := range mean {
		mean[i] = r.NormFloat64()
	}
	x := &dataset.Field{Name: "x", Shape: []int{inputs}}
	y := &dataset.Field{Name: "label", Classes: classes}
	for s := range samples {
		c := s % classes
		y.Ints = append(y.Ints, int32(c))
		for k := range inputs {
			x.Floats = append(x.Floats, float32(mean[c*inputs+k]+.7*r.NormFloat64()))
		}
	}
	return &model.Job{Graph: g, Data: &dataset.Data{Train: dataset.New("training", x, y), Norm: dataset.Raw}, Seed: seed, Engine: engine.Options{Threads: 1},
		Recipe: model.Recipe{Epochs: epochs, Batch: batch, LR: .05, Schedule: "cosine", Optimizer: "sgd", Momentum: .9, Decay: 1e-3}}
}
