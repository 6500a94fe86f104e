package train

import (
	"context"
	"math"
	"strings"
	"testing"

	"pare/engine"
	"pare/graph"
	"pare/graph/op"
	"pare/tensor"
	"pare/train/objective"
)

// parabola is a source of one sample whose loss is half the square of the
// weight: the mean of (x w)^2 with x^2 = 1/2.
type parabola struct{}

func (parabola) Steps() int { return 1 }
func (parabola) Batch() int { return 1 }
func (parabola) Close()     {}
func (parabola) Fill(_, _ int, s *Step) error {
	s.Input().F32()[0] = float32(math.Sqrt(.5))
	s.Labels().F32()[0] = 0
	return nil
}

func TestSAM(t *testing.T) {
	for _, rho := range []float64{-1, 0, .1} {
		g := graph.New("parabola", 17)
		x := &graph.Value{Name: "input", DType: tensor.Float32, Shape: graph.Shape{graph.Sym("N"), graph.N(1)}}
		g.Inputs = []*graph.Value{x}
		w := g.Const("w", tensor.From([]float32{1}, 1, 1), graph.Param)
		b := op.NewBuilder(g, "net")
		g.Outputs = []*graph.Value{b.Op("MatMul", x, w)}
		if err := b.Err(); err != nil {
			t.Fatal(err)
		}
		if err := op.InferAll(g); err != nil {
			t.Fatal(err)
		}
		_, err := Fit(context.Background(), &Config{Graph: g, Train: parabola{}, Epochs: 1, Optimizer: SGD{}, Rate: Constant(.5), Loss: By(objective.MSE),
			Engine: engine.Options{Threads: 1}, Hooks: []Hook{&SAM{Rho: rho}}})
		if rho < 0 {
			if err == nil || !strings.Contains(err.Error(), "rho -1") {
				t.Errorf("rho %v: %v", rho, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if got, want := float64(w.Const.F32()[0]), 1-.5*(1+rho); math.Abs(got-want) > 1e-6 {
			t.Errorf("rho %v: the weight went from 1 to %v, want %v", rho, got, want)
		}
	}
}
