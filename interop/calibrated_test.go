package interop

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"pare/engine"
	"pare/graph"
	"pare/graph/op"
	"pare/model"
	"pare/model/calibrated"
	"pare/prune/allocate"
	"pare/prune/calibrate"
	"pare/tensor"
)

type calibratedJob struct {
	Method   string  `json:"method"`
	Outs     int     `json:"outs"`
	Cols     int     `json:"cols"`
	Rows     int     `json:"rows"`
	Sparsity float64 `json:"sparsity"`
	NM       []int   `json:"nm"`
	Size     int     `json:"size"`
	Damp     float64 `json:"damp"`
	W        string  `json:"w"`
	B        string  `json:"b"`
	X        string  `json:"x"`
	Out      string  `json:"out"`
}

// linear is a Gemm with a bias, [outs, cols] turned.
func linear(t *testing.T, w, b *tensor.Tensor) *graph.Graph {
	t.Helper()
	g := graph.New("linear", 17)
	x := &graph.Value{Name: "x", DType: tensor.Float32, Shape: graph.Shape{graph.Sym("N"), graph.N(w.Shape[1])}}
	g.Inputs = []*graph.Value{x}
	g.Outputs = g.Add("Gemm", "", []*graph.Value{x, g.Const("w", w, graph.Param), g.Const("b", b, graph.Param)}, []string{"y"}, graph.MakeAttr("transB", 1)).Outputs
	if err := op.InferAll(g); err != nil {
		t.Fatal(err)
	}
	return g
}

// Wanda's masks, SparseGPT's weights and least squares are those of numpy in float64, to
// the rounding of second moments that are summed up in float32.
func TestCalibrated(t *testing.T) {
	py := python(t, "numpy")
	dir := t.TempDir()
	const outs, cols, rows, damp = 12, 40, 300, .01
	r := rand.New(rand.NewPCG(4, 4))
	fill := func(shape ...int) *tensor.Tensor {
		x := tensor.New(tensor.Float32, shape...)
		for i := range x.F32() {
			x.F32()[i] = float32(r.NormFloat64())
		}
		return x
	}
	x, w, b := fill(rows, cols), fill(outs, cols), fill(outs)
	for n := range rows { // inputs of different sizes that go together
		for k := range cols {
			x.F32()[n*cols+k] = x.F32()[n*cols+k]*float32(1+k%7) + x.F32()[n*cols]
		}
	}
	file := func(name string, x *tensor.Tensor) string {
		raw(t, filepath.Join(dir, name), x)
		return filepath.Join(dir, name)
	}
	base := calibratedJob{Outs: outs, Cols: cols, Rows: rows, Sparsity: .5, Size: 16, Damp: damp, W: file("w", w), B: file("b", b), X: file("x", x)}
	samples := func(yield func(map[string]*tensor.Tensor) error) error {
		return yield(map[string]*tensor.Tensor{"x": x})
	}
	var jobs []calibratedJob
	var got [][]float32
	add := func(name string, nm []int, g *graph.Graph) {
		k := base
		k.Method, k.NM, k.Out = name, nm, filepath.Join(dir, fmt.Sprint("out", len(jobs)))
		jobs, got = append(jobs, k), append(got, g.Value("w").Const.F32())
	}
	for _, nm := range [][]int{nil, {2, 4}} {
		var p allocate.Pattern
		if nm != nil {
			p.N, p.M = nm[0], nm[1]
		}
		wanda := calibrated.NewWanda()
		wanda.Pattern = p
		gpt := calibrated.NewSparseGPT()
		gpt.Pattern, gpt.BlockSize = p, base.Size
		wanda.Samples.Samples, gpt.Samples.Samples = rows, rows
		for _, m := range []model.Method{wanda, gpt} {
			g := linear(t, w.Clone(), b.Clone())
			if _, err := model.Run(context.Background(), m, &model.Job{Graph: g, Samples: samples, Engine: engine.Options{Threads: 1}}); err != nil {
				t.Fatal(err)
			}
			add(m.Card().Name, nm, g)
		}
	}
	cut := linear(t, w.Clone(), b.Clone())
	for i := range cut.Value("w").Const.F32() {
		if i%cols < cols/4 {
			cut.Value("w").Const.F32()[i] = 0
		}
	}
	s := &calibrate.Solver{Damp: damp, Options: calibrate.Options{Engine: engine.Options{Threads: 1}}}
	if _, _, err := s.Solve(context.Background(), linear(t, w, b), cut, nil, samples); err != nil {
		t.Fatal(err)
	}
	add("solve", nil, cut)
	ask[calibratedJob, struct{}](t, py, "calibrated.py", dir, jobs)
	for i, k := range jobs {
		want := numbers[float64](t, k.Out)
		if d := apart(got[i], want); !(d < 1e-4) {
			t.Errorf("%s %v: weights differ by %.2g of the largest", k.Method, k.NM, d)
		}
		for e, v := range want {
			if (v == 0) != (got[i][e] == 0) {
				t.Errorf("%s %v: entry %d is %v, numpy has %v", k.Method, k.NM, e, got[i][e], v)
			}
		}
	}
	if d := apart(cut.Value("b").Const.F32(), numbers[float64](t, jobs[len(jobs)-1].Out+".bias")); !(d < 1e-4) {
		t.Errorf("the solved bias differs by %.2g of the largest", d)
	}
}
