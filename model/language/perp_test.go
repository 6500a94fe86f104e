package language

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pare/dataset"
	"pare/engine"
	"pare/graph"
	"pare/graph/op"
	"pare/internal/modeltest"
	"pare/model"
	"pare/prune"
	"pare/prune/hook"
	"pare/tensor"
	"pare/zoo"

	"gonum.org/v1/gonum/mat"
)

// The specification's example: W = [[1,0],[2,3]], B = [1,1]', A = [1,1], s = 2.
func TestPERPProducts(t *testing.T) {
	w := []float32{1, 0, 2, 3}
	mask := prune.NewMask(4, true)
	mask.Set(1, false)
	array := func(shape ...int) *hook.Array {
		a := hook.NewArray("", shape...)
		for i := range a.W {
			a.W[i] = 1
		}
		return a
	}
	for name, c := range map[string]struct {
		p    *hook.ProductChange
		want []float32
	}{
		"masklora":  {&hook.ProductChange{B: array(2, 1), A: array(1, 2), Scale: 2, Mask: mask}, []float32{3, 0, 4, 5}},
		"lora":      {&hook.ProductChange{B: array(2, 1), A: array(1, 2), Scale: 2}, []float32{3, 2, 4, 5}},
		"scalelora": {&hook.ProductChange{B: array(2, 1), A: array(1, 2), Scale: 1, Times: w}, []float32{1, 0, 2, 3}},
	} {
		a := hook.Over("w", w, 2, 2, func(r, k int) int { return 2*r + k }, c.p)
		got := make([]float32, 4)
		a.Fuse(got)
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, not %v", name, got, c.want)
		}
	}
}

// The gradients of the products are those of finite differences of a sum G·Delta.
func TestPERPGradients(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	draw := func(x []float32) {
		for i := range x {
			x[i] = float32(r.NormFloat64())
		}
	}
	mask := prune.NewMask(12, true)
	for i := range 12 {
		mask.Set(i, i%3 != 0)
	}
	times := make([]float32, 12)
	draw(times)
	for name, p := range map[string]*hook.ProductChange{
		"masklora":  {Scale: 1.5, Mask: mask},
		"scalelora": {Scale: 1, Times: times, Mask: mask},
		"lora":      {Scale: .5},
	} {
		p.B, p.A = hook.NewArray("b", 3, 2), hook.NewArray("a", 2, 4)
		draw(p.B.W)
		draw(p.A.W)
		g, d := make([]float32, 12), make([]float32, 12)
		draw(g)
		p.Grad(nil, nil, g)
		value := func() (sum float64) {
			p.Delta(nil, nil, d)
			for i := range d {
				sum += float64(g[i]) * float64(d[i])
			}
			return sum
		}
		for _, a := range p.Arrays() {
			for i := range a.W {
				const h = 1e-2 // what is differentiated is linear in each number
				was := a.W[i]
				a.W[i] = was + h
				up := value()
				a.W[i] = was - h
				down := value()
				a.W[i] = was
				if want := (up - down) / (2 * h); math.Abs(want-a.G[i]) > 1e-3*(1+math.Abs(want)) {
					t.Errorf("%s: gradient %v, differences %v", name, a.G[i], want)
				}
			}
		}
	}
}

// text is a job on a small language model and made-up text.
func text(t *testing.T, epochs int) *model.Job {
	t.Helper()
	g, err := zoo.New("gpt-2-16-2", zoo.Options{Seed: 1, In: []int{8}, Classes: 12})
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(3, 4))
	x := &dataset.Field{Name: "ids", Shape: []int{8}, Tokens: 12}
	y := &dataset.Field{Name: "next", Shape: []int{8}, Classes: 12}
	for range 128 {
		at := int32(r.IntN(12))
		for range 8 {
			next := (at*5 + 1 + int32(r.IntN(2))) % 12
			x.Ints, y.Ints, at = append(x.Ints, at), append(y.Ints, next), next
		}
	}
	return &model.Job{Graph: g, Data: &dataset.Data{Train: dataset.New("text", x, y), Norm: dataset.Raw}, Seed: 3, Engine: engine.Options{Threads: 1},
		Recipe: model.Recipe{Epochs: epochs, Batch: 16, LR: .01, Schedule: "cosine", Optimizer: "adamw"}}
}

// Every way of training keeps the zeros, to the bit, and trains what it says and no more.
func TestPERPZeros(t *testing.T) {
	for _, way := range []string{"retrain", "reconstruct", "both"} {
		for _, adapter := range []string{"masklora", "scalelora", "lora-prune", "weights", "none"} {
			j := text(t, 2)
			before, _ := j.Graph.Clone(true)
			s := NewPERP()
			s.Way, s.Adapter, s.Rank, s.Rate, s.Samples = way, adapter, 3, .01, 32
			res := modeltest.Run(t, s, j)
			f := res.Facts.(*PERPFacts)
			moved := map[string]bool{}
			for _, v := range res.Graph.Params() {
				moved[v.Name] = !slices.Equal(v.Const.F32(), before.Value(v.Name).Const.F32())
			}
			masked := map[string]bool{}
			for i, w := range res.Masks.Weights {
				masked[w.Name] = true
				zeros := 0
				for k, x := range w.Data() {
					if !res.Masks.Mask[i].Kept(k) {
						if math.Float32bits(x) != 0 {
							t.Fatalf("%s %s: %s[%d] is %v, though it is cut", way, adapter, w.Name, k, x)
						}
						zeros++
					}
				}
				if zeros != w.Len()/2 {
					t.Errorf("%s %s: %d of %d weights of %s are cut", way, adapter, zeros, w.Len(), w.Name)
				}
			}
			biases, norms := vectors(res.Graph)
			free := map[string]bool{}
			want := 0
			for _, v := range append(biases, norms...) {
				free[v.Name] = true
				want += v.Const.Len()
			}
			head := prune.Last(res.Graph, mustWeights(t, res.Graph))
			for _, w := range mustWeights(t, res.Graph) {
				if head[w.Value] && way != "reconstruct" {
					free[w.Name] = true
					want += 3 * (w.Const.Shape[0] + w.Const.Shape[1])
				}
				if masked[w.Name] {
					switch adapter {
					case "weights":
						want += w.Len() / 2
					case "none":
					default:
						want += 3 * (w.Const.Shape[0] + w.Const.Shape[1])
					}
				}
			}
			if way == "retrain" && f.Trained != want {
				t.Errorf("%s: %d numbers are trained, not %d", adapter, f.Trained, want)
			}
			for name, m := range moved {
				if m && !free[name] && !masked[name] {
					t.Errorf("%s %s: %s is frozen and has moved", way, adapter, name)
				}
				if way == "retrain" && !m && free[name] {
					t.Errorf("%s %s: %s is to be trained and has not moved", way, adapter, name)
				}
			}
			for _, b := range f.Blocks {
				if b.After > b.Before {
					t.Errorf("%s %s: block %s to %s from %v to %v", way, adapter, b.From, b.To, b.Before, b.After)
				}
			}
			if (way == "retrain") != (len(f.Blocks) == 0) {
				t.Errorf("%s: %d blocks", way, len(f.Blocks))
			}
		}
	}
}

func mustWeights(t *testing.T, g *graph.Graph) []*prune.Weight {
	t.Helper()
	ws, err := prune.Weights(g, prune.Scope{})
	if err != nil {
		t.Fatal(err)
	}
	return ws
}

// A linear layer with adapters of full rank is reconstructed to what least squares over the
// weights that stay comes to, solved row by row.
func TestPERPReconstructsLinear(t *testing.T) {
	j := modeltest.Job(t, 0)
	dense, _ := j.Graph.Clone(true)
	s := NewPERP()
	s.Way, s.Rank, s.Alpha, s.Rate, s.Passes, s.Samples, s.Parts = "reconstruct", 20, 20, .02, 400, 200, []string{"none"}
	s.Layers.Include = []string{"fc1*"}
	res := modeltest.Run(t, s, j)
	f := res.Facts.(*PERPFacts)
	if len(f.Blocks) != 1 {
		t.Fatalf("%+v", f.Blocks)
	}
	// The block's rows one by one: with b the bias, min over kept w of |X w + b - y|².
	set := j.Data.Train.Draw(200, j.Seed)
	x, err := j.Features(t.Context(), j.Graph, j.Graph.Inputs, set, j.Data.Norm)
	if err != nil {
		t.Fatal(err)
	}
	to := j.Graph.Value(f.Blocks[0].To)
	y, err := j.Features(t.Context(), dense, []*graph.Value{dense.Value(to.Name)}, set, j.Data.Norm)
	if err != nil {
		t.Fatal(err)
	}
	w := res.Masks.Weights[0]
	rows, cols := w.Const.Shape[0], w.Const.Shape[1]
	bias := res.Graph.Value("fc1.bias").Const.F32()
	least, energy := 0.0, 0.0
	for r := range rows {
		var kept []int
		for c := range cols {
			if res.Masks.Mask[0].Kept(r*cols + c) {
				kept = append(kept, c)
			}
		}
		a, b := mat.NewDense(set.Len(), len(kept), nil), mat.NewVecDense(set.Len(), nil)
		for i := range set.Len() {
			for k, c := range kept {
				a.Set(i, k, float64(x.X[0][i*cols+c]))
			}
			b.SetVec(i, float64(y.X[0][i*rows+r]-bias[r]))
			energy += float64(y.X[0][i*rows+r]) * float64(y.X[0][i*rows+r])
		}
		var svd mat.SVD
		svd.Factorize(a, mat.SVDThin)
		var sol mat.VecDense
		svd.SolveVecTo(&sol, b, svd.Rank(1e-9))
		var left mat.VecDense
		left.MulVec(a, &sol)
		left.SubVec(&left, b)
		least += mat.Dot(&left, &left)
	}
	least /= energy
	if e := f.Blocks[0].After; e < least*(1-1e-4) || e > least*1.001 {
		t.Errorf("a relative error of %v, and least squares comes to %v; it began at %v", e, least, f.Blocks[0].Before)
	}
}

// The first block of a transformer that is not cut before it gives the same target either
// way; further ones do not.
func TestPERPBlocks(t *testing.T) {
	j := text(t, 1)
	s := NewPERP()
	s.Way, s.Samples, s.Adapter = "reconstruct", 64, "weights"
	s.Rate, s.Passes = .01, 8
	f := modeltest.Run(t, s, j).Facts.(*PERPFacts)
	if len(f.Blocks) != 2 || f.Blocks[0].To != f.Blocks[1].From {
		t.Fatalf("%+v", f.Blocks)
	}
	for _, b := range f.Blocks {
		if !(b.After < .8*b.Before) {
			t.Errorf("%+v", b)
		}
	}
	k := text(t, 1)
	s.Dense = true
	g := modeltest.Run(t, s, k).Facts.(*PERPFacts)
	if g.Blocks[0] != f.Blocks[0] {
		t.Errorf("first block %+v, by its own values %+v", f.Blocks[0], g.Blocks[0])
	}
	if g.Blocks[1].Before == f.Blocks[1].Before {
		t.Errorf("second block %+v whatever it reads", f.Blocks[1])
	}
}

func TestPERPBad(t *testing.T) {
	for want, f := range map[string]func(*model.Job, *PERP){
		"no weight in scope has a zero": func(_ *model.Job, s *PERP) { s.Criterion = "zeros" },
		"Sparsity 0 cuts nothing":       func(_ *model.Job, s *PERP) { s.Sparsity = 0 },
		"Rank 0":                        func(_ *model.Job, s *PERP) { s.Rank = 0 },
		"nothing would be trained":      func(_ *model.Job, s *PERP) { s.Adapter, s.Parts = "none", []string{"none"} },
		"Parts wings":                   func(_ *model.Job, s *PERP) { s.Parts = []string{"wings"} },
		"none stands alone":             func(_ *model.Job, s *PERP) { s.Parts = []string{"none", "head"} },
		"retrained":                     func(j *model.Job, _ *PERP) { j.Recipe.Epochs = 0 },
	} {
		s := NewPERP()
		j := text(t, 1)
		j.OnStep = func(int, int, float64) { t.Fatalf("%s: a step was made", want) }
		f(j, s)
		if _, err := model.Run(context.Background(), s, j); err == nil || !strings.Contains(strings.NewReplacer("{", "", "}", "").Replace(err.Error()), want) {
			t.Errorf("%v, want something with %q", err, want)
		}
	}
}

// A block that training takes farther away is as it was cut, its running statistics too.
func TestPERPBlockRefused(t *testing.T) {
	j := modeltest.ConvJob(t, "resnet8")
	before, _ := j.Graph.Clone(true)
	s := NewPERP()
	s.Way, s.Rate, s.Samples, s.Passes = "reconstruct", 100, 32, 1
	res := modeltest.Run(t, s, j)
	for _, b := range res.Facts.(*PERPFacts).Blocks {
		if b.After != b.Before {
			t.Errorf("%+v", b)
		}
	}
	for i, w := range res.Masks.Weights {
		res.Masks.Mask[i].Apply(before.Value(w.Name).Const.F32())
	}
	for _, v := range res.Graph.Consts() {
		if !slices.Equal(v.Const.F32(), before.Value(v.Name).Const.F32()) {
			t.Errorf("%s has moved", v.Name)
		}
	}
}

// What the criterion has to say is said.
func TestPERPSaysWhatIsCut(t *testing.T) {
	j := modeltest.ConvJob(t, "cnn-4")
	s := NewPERP()
	s.Criterion, s.Samples = "sparsegpt", 8
	if said := modeltest.Said(modeltest.Run(t, s, j)); !strings.Contains(said, "more Samples help") {
		t.Errorf("%s", said)
	}
}

// A weight that two blocks read is trained for the first of them alone: the error that was
// told of it is the one that it has in the end.
func TestPERPSharedWeight(t *testing.T) {
	j := modeltest.Job(t, 0)
	g := graph.New("shared", 17)
	x := &graph.Value{Name: "x", DType: tensor.Float32, Shape: graph.Shape{graph.Sym("N"), graph.N(64)}}
	g.Inputs = []*graph.Value{x}
	r := rand.New(rand.NewPCG(5, 6))
	weight := func(name string, rows, cols int) *graph.Value {
		w := tensor.New(tensor.Float32, rows, cols)
		for i := range w.F32() {
			w.F32()[i] = float32(r.NormFloat64() / 8)
		}
		return g.Const(name, w, graph.Param)
	}
	step := func(op, out string, in ...*graph.Value) *graph.Value {
		return g.Add(op, "", in, []string{out}).Outputs[0]
	}
	w := weight("w", 64, 64)
	for _, k := range []string{"1", "2"} {
		h := step("Relu", "h"+k, step("MatMul", "m"+k, x, w))
		x = step("Add", "x"+k, x, step("MatMul", "n"+k, h, weight("v"+k, 64, 64)))
	}
	g.Outputs = []*graph.Value{step("MatMul", "y", x, weight("head", 64, 10))}
	if err := op.InferAll(g); err != nil {
		t.Fatal(err)
	}
	j.Graph = g
	dense, _ := g.Clone(true)
	s := NewPERP()
	s.Way, s.Rate, s.Samples = "reconstruct", .01, 100
	res := modeltest.Run(t, s, j)
	f := res.Facts.(*PERPFacts)
	if len(f.Blocks) != 2 || !strings.Contains(modeltest.Said(res), "w are read by several blocks") {
		t.Fatalf("%+v\n%s", f.Blocks, modeltest.Said(res))
	}
	set := j.Data.Train.Draw(100, j.Seed)
	sum := 0.
	now, err := j.Features(t.Context(), res.Graph, []*graph.Value{res.Graph.Value("x1")}, set, j.Data.Norm)
	if err != nil {
		t.Fatal(err)
	}
	was, err := j.Features(t.Context(), dense, []*graph.Value{dense.Value("x1")}, set, j.Data.Norm)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range was.X[0] {
		sum += math.Pow(float64(v-now.X[0][i]), 2)
	}
	if e := sum / was.Energy[0]; math.Abs(e/f.Blocks[0].After-1) > 1e-6 {
		t.Errorf("the first block's error is %v, and %v was told", e, f.Blocks[0].After)
	}
	for _, b := range f.Blocks {
		if !(b.After < b.Before) {
			t.Errorf("%+v", b)
		}
	}
}

// A block that reads a mask of the samples reads that of the samples that were drawn, by
// whatever name, or the number that stands for it where there is none.
func TestPERPMask(t *testing.T) {
	for _, mask := range []string{"attention_mask", "held", ""} {
		g, err := zoo.New("bert-2-8-2-classifier", zoo.Options{Seed: 1, In: []int{6}, Classes: 3, Tables: []int{20}})
		if err != nil {
			t.Fatal(err)
		}
		x := &dataset.Field{Name: "input_ids", Shape: []int{6}, Tokens: 20}
		m := &dataset.Field{Name: mask, Shape: []int{6}, Aside: true}
		y := &dataset.Field{Name: "label", Classes: 3}
		r := rand.New(rand.NewPCG(7, 8))
		for range 90 {
			long := 1 + r.IntN(6)
			for i := range 6 {
				x.Ints, m.Ints = append(x.Ints, int32(r.IntN(20))), append(m.Ints, 0)
				if i < long {
					m.Ints[len(m.Ints)-1] = 1
				}
			}
			y.Ints = append(y.Ints, int32(r.IntN(3)))
		}
		set := dataset.New("texts", x, m, y)
		if mask == "" {
			set = dataset.New("texts", x, y)
			set.Bind = map[string]string{"attention_mask": "1"}
		}
		if mask == "held" {
			set.Bind = map[string]string{"attention_mask": "held"}
		}
		j := &model.Job{Graph: g, Data: &dataset.Data{Train: set, Norm: dataset.Raw}, Seed: 3, Engine: engine.Options{Threads: 1}, Recipe: model.Recipe{Batch: 16, LR: .01, Schedule: "cosine", Optimizer: "adamw"}}
		dense, _ := g.Clone(true)
		cut, _ := g.Clone(true)
		s := NewPERP()
		s.Way, s.Samples, s.Rate = "reconstruct", 31, .01
		res := modeltest.Run(t, s, j)
		for i, w := range res.Masks.Weights {
			res.Masks.Mask[i].Apply(cut.Value(w.Name).Const.F32())
		}
		b := res.Facts.(*PERPFacts).Blocks[0]
		var f [2]*model.Features
		for i, g := range []*graph.Graph{dense, cut} {
			if f[i], err = j.Features(t.Context(), g, []*graph.Value{g.Value(b.To)}, set.Draw(31, j.Seed), dataset.Raw); err != nil {
				t.Fatal(err)
			}
		}
		sum := 0.
		for i, v := range f[0].X[0] {
			sum += math.Pow(float64(v-f[1].X[0][i]), 2)
		}
		if e := sum / f[0].Energy[0]; math.Abs(e/b.Before-1) > 1e-5 {
			t.Errorf("%q: a relative error of %v was told, and it is %v", mask, b.Before, e)
		}
		mostNumbers = 1000
		s.Samples = 32
		modeltest.Refused(t, s, j, "20 Samples at most")
		mostNumbers = 1 << 28
	}
}
