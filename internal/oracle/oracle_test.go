package oracle

import (
	"math"
	"slices"
	"testing"
)

// The gradient is the difference quotient of the loss.
func TestGradient(t *testing.T) {
	n := Read(t, Job(t, "mlp:5-7-4-3", 12, 6, 1, 3).Graph)
	n.Smoothing, n.Temper = .1, 2
	b := Trained(t, Job(t, "mlp:5-7-4-3", 12, 6, 1, 3)).Batch(0, 1)
	compareDifferences(t, n, b)
}

// compareDifferences holds the gradients of a batch to quotients of differences.
func compareDifferences(t *testing.T, n *Net, b Batch) {
	t.Helper()
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
}

// A dense training is that of model.Train with each optimiser, and a gap of one bit
// shows.
func TestTraining(t *testing.T) {
	for _, o := range []string{"sgd", "nesterov", "adam", "adamw"} {
		for _, schedule := range []string{"cosine", "constant"} {
			j := Job(t, "mlp:6-8-5-3", 30, 6, 3, 7)
			j.Recipe.Optimizer, j.Recipe.Schedule, j.Recipe.Smoothing, j.Recipe.Decay = o, schedule, .1, .01
			if o == "adam" || o == "adamw" {
				j.Recipe.LR = .003
			}
			j.Order = 5
			r := NewTraining(t, j).Run()
			step := 0
			j.OnStep = func(at, total int, loss float64) {
				if step++; at != step || total != 15 || !near(loss, r.Frames[step-1].Loss) {
					t.Fatalf("%s: step %d of %d, loss %v", o, at, total, loss)
				}
				r.Frames[step-1].Compare(t, o, step, j)
			}
			if _, err := j.Train(t.Context()); err != nil || step != 15 {
				t.Fatal(step, err)
			}
		}
	}
}

// Ties go by index, either way.
func TestBest(t *testing.T) {
	s := []float64{1, 0, 1, 2, 1, math.Inf(-1)}
	if m := Best(t, s, 3, CutFirst); !slices.Equal(m, []bool{false, false, true, true, true, false}) {
		t.Errorf("the first go: %v", m)
	}
	if m := Best(t, s, 3, KeepFirst); !slices.Equal(m, []bool{true, false, true, true, false, false}) {
		t.Errorf("the first stay: %v", m)
	}
	m := BestOfAll(t, [][]float64{{1, 3}, {2, 3}}, 1)
	if Count(m[0]) != 0 || !m[1][1] {
		t.Errorf("of all: %v", m)
	}
}

// The check values of Erdős-Rényi densities: of MLP 64-100-50-10, and of a convolution,
// whose kernel counts or does not.
func TestErdosRenyi(t *testing.T) {
	mlp := [][]int{{100, 64}, {50, 100}, {10, 50}}
	for _, c := range []struct{ total, a, b, c int }{{2380, 1044, 954, 382}, {1190, 522, 477, 191}, {5950, 2846, 2604, 500}} {
		if k := ErdosRenyi(mlp, c.total, 4); !slices.Equal(k, []int{c.a, c.b, c.c}) {
			t.Errorf("of %d: %v", c.total, k)
		}
	}
	conv := [][]int{{64, 32, 3, 3}, {32, 64}} // with the kernel 102/18432 and 96/2048, without both 96/2048
	if k := ErdosRenyi(conv, 2040, 4); !slices.Equal(k, []int{1051, 989}) {
		t.Errorf("with the kernel: %v", k)
	}
	if k := ErdosRenyi(conv, 2048, 2); !slices.Equal(k, []int{1843, 205}) {
		t.Errorf("without: %v", k)
	}
}
