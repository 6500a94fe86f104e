package oracle

import (
	"math"
	"testing"
)

// With normalisation the gradient is the difference quotient too, and a training that
// goes on at a step is that of model.Train, running statistics included.
func TestNorm(t *testing.T) {
	j := Job(t, "mlp:5-7-4-3", 24, 6, 2, 3)
	Normalise(t, j)
	n := Read(t, j.Graph)
	b := Trained(t, j).Batch(0, 1)
	n.Gradient(b)
	grads := n.Clone()
	const h = 1e-6
	for l, p := range n.Tensors() {
		for i := range p.X {
			x := p.X[i]
			p.X[i] = x + h
			up := n.Gradient(b)
			p.X[i] = x - h
			down := n.Gradient(b)
			p.X[i] = x
			if g := grads.Tensors()[l].G[i]; math.Abs((up-down)/(2*h)-g) > 1e-8 {
				t.Fatalf("%s[%d]: gradient %v, want %v", p.Name, i, g, (up-down)/(2*h))
			}
		}
	}
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
