package oracle

import (
	"testing"
)

// With normalisation the gradient is the difference quotient too, and a training that
// goes on at a step is that of model.Train, running statistics included.
func TestNorm(t *testing.T) {
	j := Job(t, "mlp:5-7-4-3", 24, 6, 2, 3)
	Normalise(t, j)
	n := Read(t, j.Graph)
	b := Trained(t, j).Batch(0, 1)
	compareDifferences(t, n, b)
	j.Recipe.Optimizer, j.From = "adam", 3
	j.Recipe.LR = .003
	r := NewTraining(t, j)
	r.From = 3
	r.Run()
	if _, err := j.Train(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.Net.Numbers(t, "from step 3", j.Graph)
}
