package objective

import (
	"math"
	"math/rand/v2"
	"testing"

	"pare/engine"
	"pare/graph"
	"pare/graph/op"
	"pare/tensor"
)

// What is drawn stands for the curvature: along any direction, the mean square of the
// drawn loss is the second difference of the term that matches, at the teacher's output.
func TestDraw(t *testing.T) {
	for _, text := range []string{"match-kl", "match-kl(temperature=1)", "3*match-mse", "match-bce", "match-bce(temperature=2)", "match-cosine"} {
		r := rand.New(rand.NewPCG(1, 2))
		teacher, along := tensor.New(tensor.Float32, 3, 4), tensor.New(tensor.Float32, 3, 4)
		for i := range teacher.F32() {
			teacher.F32()[i], along.F32()[i] = float32(2*r.NormFloat64()), float32(r.NormFloat64())
		}
		const h = .05
		second := 0.0
		for _, at := range []float32{-h, h} {
			x := tensor.New(tensor.Float32, 3, 4)
			for i, v := range teacher.F32() {
				x.F32()[i] = v + at*along.F32()[i]
			}
			loss, _ := build(t, text, 17, x, teacher).run(t)
			second += loss / (h * h)
		}

		o, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		g := graph.New(text, 17)
		for _, name := range []string{"output", "teacher", "noise"} {
			g.Inputs = append(g.Inputs, &graph.Value{Name: name, DType: tensor.Float32, Shape: graph.Dims(3, 4)})
		}
		loss, err := o[0].Draw(op.NewBuilder(g, "draw"), g.Inputs[0], g.Inputs[1], g.Inputs[2])
		if err != nil {
			t.Fatal(err)
		}
		g.Outputs = []*graph.Value{loss}
		p, err := engine.Compile(g, nil, engine.Options{Threads: 1})
		if err != nil {
			t.Fatal(err)
		}
		copy(p.Input("output").F32(), along.F32()) // the loss is linear: this is the derivative along it
		copy(p.Input("teacher").F32(), teacher.F32())
		const n = 20000
		mean, square := 0.0, 0.0
		for range n {
			o[0].Noise(r, p.Input("noise").F32())
			if err := p.Run(); err != nil {
				t.Fatal(err)
			}
			x := float64(p.Output(loss.Name).F32()[0])
			mean, square = mean+x/n, square+x*x/n
		}
		p.Close()
		if math.Abs(square-second) > .05*second || math.Abs(mean) > .03*math.Sqrt(square) {
			t.Errorf("%s: the mean square is %.5g, the curvature %.5g; the mean is %.3g", text, square, second, mean)
		}
	}
}

// What compares with labels has nothing to draw.
func TestDrawRefused(t *testing.T) {
	g := graph.New("", 17)
	x := &graph.Value{Name: "x", DType: tensor.Float32, Shape: graph.Dims(3, 4)}
	g.Inputs = append(g.Inputs, x)
	for _, l := range []*Loss{MSE, CrossEntropy} {
		if _, err := (Term{Weight: 1, Loss: l}).Draw(op.NewBuilder(g, "draw"), x, x, x); err == nil {
			t.Errorf("%s was drawn", l.Name)
		}
	}
}
