package language

import (
	"bytes"
	"cmp"
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pare/graph"
	"pare/internal/familytest"
	"pare/internal/modeltest"
	"pare/model"
	"pare/prune/structure"
	"pare/zoo"
)

// turned are networks of every kind of stream.
func turned(t *testing.T) map[string]*graph.Graph {
	t.Helper()
	const small = `"vocab_size":12,"hidden_size":16,"num_hidden_layers":2,"num_attention_heads":4,"max_position_embeddings":32,"intermediate_size":24`
	out := map[string]*graph.Graph{}
	for name, c := range map[string]string{
		"llama": `{"model_type":"llama",` + small + `,"num_key_value_heads":2}`, "tied": `{"model_type":"llama",` + small + `,"tie_word_embeddings":true}`,
		"qwen2": `{"model_type":"qwen2",` + small + `}`, "qwen3": `{"model_type":"qwen3",` + small + `,"head_dim":4}`, "gemma": `{"model_type":"gemma",` + small + `,"head_dim":4}`,
		"gpt2": `{"model_type":"gpt2","vocab_size":12,"n_embd":16,"n_head":4,"n_layer":2,"n_positions":32}`,
		"opt":  `{"model_type":"opt","vocab_size":12,"hidden_size":16,"num_hidden_layers":2,"num_attention_heads":4,"max_position_embeddings":32,"ffn_dim":24}`,
		"phi":  `{"model_type":"phi",` + small + `}`, "gpt_neox": `{"model_type":"gpt_neox",` + small + `,"rotary_pct":0.5}`,
	} {
		out[name] = familytest.Graph(t, c, 1)
		shaken(out[name])
	}
	return out
}

// shaken makes weights that differ from channel to channel, those of norms and biases too.
func shaken(g *graph.Graph) {
	r := rand.New(rand.NewPCG(4, 4))
	for _, v := range g.Params() {
		for i := range v.Const.F32() {
			v.Const.F32()[i] += float32(.3 * r.NormFloat64())
		}
	}
}

func isWriter(name string) bool {
	return strings.Contains(name, "o_proj") || strings.Contains(name, "down_proj")
}

// leading are the eigenvectors of the n largest eigenvalues of a symmetric matrix, by Jacobi's
// rotations.
func leading(h [][]float64, n int) [][]float64 {
	d := len(h)
	v := make([][]float64, d) // rows are vectors
	for i := range v {
		v[i] = make([]float64, d)
		v[i][i] = 1
	}
	for range 60 {
		for p := range d {
			for q := p + 1; q < d; q++ {
				if math.Abs(h[p][q]) < 1e-300 {
					continue
				}
				phi := .5 * math.Atan2(2*h[p][q], h[q][q]-h[p][p])
				c, s := math.Cos(phi), math.Sin(phi)
				for k := range d {
					h[k][p], h[k][q] = c*h[k][p]-s*h[k][q], s*h[k][p]+c*h[k][q]
				}
				for k := range d {
					h[p][k], h[q][k] = c*h[p][k]-s*h[q][k], s*h[p][k]+c*h[q][k]
					v[p][k], v[q][k] = c*v[p][k]-s*v[q][k], s*v[p][k]+c*v[q][k]
				}
			}
		}
	}
	order := make([]int, d)
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(h[b][b], h[a][a]) })
	var out [][]float64
	for _, i := range order[:n] {
		out = append(out, v[i])
	}
	return out
}

// Run is what plain loops over float64 come to: point by point, the stream of a network whose
// points before were projected onto their leading eigenvectors, until all are; and the norms
// divide by the mean over all channels that there were.
func TestSliceOracle(t *testing.T) {
	j := llamaJob(t)
	m := newLlama(j.Graph)
	ids := j.Data.Train.Fields[0].Ints
	const keep = 5
	project := func(axes [][]float64, x []float64) {
		out := make([]float64, len(x))
		for _, a := range axes {
			dot := 0.
			for i, y := range x {
				dot += a[i] * y
			}
			for i := range out {
				out[i] += dot * a[i]
			}
		}
		copy(x, out)
	}
	var axes [][][]float64
	var share []float64
	each := func(f func(logits []float64)) {
		for i := range llamaTexts {
			m.run(ids[i*llamaLength:(i+1)*llamaLength], make([]int32, llamaLength))
			f(m.out)
		}
	}
	for k := range 2 * llamaLayers {
		h, all := make([][]float64, llamaWidth), 0.
		for i := range h {
			h[i] = make([]float64, llamaWidth)
		}
		m.turn = func(point int, x []float64) {
			if point < k {
				project(axes[point], x)
			}
			if point == k {
				for i, a := range x {
					all += a * a
					for c, b := range x {
						h[i][c] += a * b
					}
				}
			}
		}
		each(func([]float64) {})
		axes = append(axes, leading(h, keep))
		some := 0.
		m.turn = func(point int, x []float64) {
			if point < k {
				project(axes[point], x)
			}
			if point == k {
				project(axes[k], x)
				for _, a := range x {
					some += a * a
				}
			}
		}
		each(func([]float64) {})
		share = append(share, some/all)
	}
	m.turn = nil
	var dense, want [][]float64 // by text
	each(func(z []float64) { dense = append(dense, z) })
	m.turn = func(point int, x []float64) { project(axes[point], x) }
	each(func(z []float64) { want = append(want, z) })
	given := allLogits(t, j) // of texts in another order

	s := NewSliceGPT()
	s.Sparsity, s.Round = 1-float64(keep)/llamaWidth, 1
	r := modeltest.Run(t, s, j)
	f := r.Facts.(*SliceFacts)
	if f.Width != keep || len(f.Points) != 2*llamaLayers {
		t.Fatalf("%+v", f)
	}
	for k, p := range f.Points {
		if math.Abs(p.Kept-share[k]) > 1e-5 || p.Kept > .999 {
			t.Errorf("point %d keeps %v, want %v", k, p.Kept, share[k])
		}
	}
	const n = llamaLength * llamaTokens
	for i, x := range allLogits(t, j.On(r.Graph)) {
		of := slices.IndexFunc(dense, func(z []float64) bool { return math.Abs(z[0]-float64(given[i/n*n])) < 1e-4 })
		if of < 0 || math.Abs(float64(x)-want[of][i%n]) > 2e-4 {
			t.Fatalf("logit %d of text %d is %v", i, of, x)
		}
	}
	for _, v := range r.Graph.Params() { // no weight has the old width but the last's
		if strings.Contains(v.Name, "layers") && v.Const.Rank() == 2 && slices.Contains(v.Const.Shape, llamaWidth) && !strings.Contains(v.Name, "2.mlp.down") && !strings.Contains(v.Name, "q_proj") && !strings.Contains(v.Name, "o_proj") && !strings.Contains(v.Name, "shortcut") {
			t.Errorf("%s is %v", v.Name, v.Const.Shape)
		}
	}
}

// Before anything is deleted the turned network computes what the network did, of every family
// whose norms stand within the branches, whatever the axes; and with axes deleted, all weights
// of the stream are as narrow as that says.
func TestSliceInvariant(t *testing.T) {
	for name, g := range turned(t) {
		for _, basis := range []string{"pca", "random", "channels"} {
			t.Run(name+" "+basis, func(t *testing.T) {
				j := llamaJob(t).On(g)
				if _, err := model.Prepare(g); err != nil {
					t.Fatal(err)
				}
				want, before := allLogits(t, j), modeltest.Bits(g)
				s := NewSliceGPT()
				s.Sparsity, s.Basis = 0, basis
				r := modeltest.Run(t, s, j)
				if !bytes.Equal(before, modeltest.Bits(g)) {
					t.Error("the network itself has changed")
				}
				far := 0.
				for i, x := range allLogits(t, j.On(r.Graph)) {
					far = math.Max(far, math.Abs(float64(x-want[i])))
				}
				if far > 1e-4 {
					t.Errorf("logits differ by %v", far)
				}
				f := r.Facts.(*SliceFacts)
				for _, p := range f.Points {
					if math.Abs(p.Kept-1) > 1e-9 {
						t.Errorf("%+v", p)
					}
				}
				s.Sparsity, s.Round = .5, 1
				r = modeltest.Run(t, s, j)
				if f := r.Facts.(*SliceFacts); f.Width != 8 || f.Of != 16 || f.After.Params >= f.Before.Params && name != "tied" || !slices.EqualFunc(allLogits(t, j.On(r.Graph)), want, func(a, b float32) bool { return a-a == b-b }) {
					t.Errorf("%+v", f)
				}
			})
		}
	}
}

// With axes deleted the network gives what the whole one gives whose stream is projected onto the
// axes that stay, point by point, of every family.
func TestSliceProjects(t *testing.T) {
	for name, g := range turned(t) {
		for _, basis := range []string{"pca", "random"} {
			t.Run(name+" "+basis, func(t *testing.T) {
				j := llamaJob(t).On(g)
				if _, err := model.Prepare(g); err != nil {
					t.Fatal(err)
				}
				s := NewSliceGPT()
				s.Sparsity, s.Round, s.Basis = .375, 1, basis
				st, err := findStream(g)
				if err != nil {
					t.Fatal(err)
				}
				f := &SliceFacts{Width: 10}
				bases, err := s.look(context.Background(), j, f)
				if err != nil {
					t.Fatal(err)
				}
				small, err := st.sliced(g, f.Width, bases)
				if err != nil {
					t.Fatal(err)
				}
				whole, _ := g.Clone(true)
				st, err = findStream(whole)
				if err != nil {
					t.Fatal(err)
				}
				onto, err := st.projected(whole)
				if err != nil {
					t.Fatal(err)
				}
				for k, w := range onto {
					d := st.width
					for i := range d {
						for c := range d {
							sum := 0.
							for a := range f.Width {
								mean := 0.
								for o := range d {
									mean += bases[k].At(o, a) / float64(d)
								}
								if !st.mean {
									mean = 0
								}
								sum += (bases[k].At(i, a) - mean) * bases[k].At(c, a)
							}
							w.Data()[i*d+c] = float32(sum)
						}
					}
				}
				want, got, far := allLogits(t, j.On(whole)), allLogits(t, j.On(small)), 0.
				for i, x := range got {
					far = math.Max(far, math.Abs(float64(x-want[i])))
				}
				if far > 5e-4 {
					t.Errorf("logits differ by %v", far)
				}
			})
		}
	}
}

// A stream that lives in a few axes, which no channel is, loses nothing by the deletion of the
// others; and loses with other axes.
func TestSliceFindsAxes(t *testing.T) {
	j := llamaJob(t)
	// All that is added to the stream is a combination of three rows.
	rows := [][]float32{{1, -1, .5, 2, 0, .3, -.7, 1}, {.2, .4, -1, .1, 1.5, -.6, .8, 0}, {-.3, 1, 1, -.4, .2, 2, .1, -1}}
	for _, v := range j.Graph.Params() {
		if len(v.Shape) == 2 && v.Const.Shape[1] == llamaWidth && (slices.Contains([]string{"model.embed_tokens.weight"}, v.Name) || isWriter(v.Name)) {
			x := v.Const.F32()
			for r := range len(x) / llamaWidth {
				a, b, c := x[r*llamaWidth], x[r*llamaWidth+1], x[r*llamaWidth+2]
				for k := range llamaWidth {
					x[r*llamaWidth+k] = a*rows[0][k] + b*rows[1][k] + c*rows[2][k]
				}
			}
		}
	}
	want := allLogits(t, j)
	far := func(basis string) float64 {
		s := NewSliceGPT()
		s.Sparsity, s.Round, s.Basis = .625, 1, basis
		d := 0.
		for i, x := range allLogits(t, j.On(modeltest.Run(t, s, j).Graph)) {
			d = math.Max(d, math.Abs(float64(x-want[i])))
		}
		return d
	}
	if d := far("pca"); d > 5e-4 {
		t.Errorf("logits differ by %v", d)
	}
	for _, basis := range []string{"random", "channels"} {
		if d := far(basis); d < .1 {
			t.Errorf("%s: logits differ by %v alone", basis, d)
		}
	}
}

// Budgets hold, with the widest stream that is within them.
func TestSliceBudgets(t *testing.T) {
	j := llamaJob(t)
	cost := func(w int) structure.Cost {
		s := NewSliceGPT()
		s.Sparsity, s.Round = 1-float64(w)/llamaWidth, 1
		r := modeltest.Run(t, s, j)
		if f := r.Facts.(*SliceFacts); f.Width != w {
			t.Fatalf("%+v", f)
		}
		return structure.CostOf(r.Graph)
	}
	whole, some := structure.CostOf(j.Graph), 0
	for w := 1; w < llamaWidth; w++ {
		c := cost(w)
		if c.Params > whole.Params || c.MACs > whole.MACs { // the matrices beside the blocks take more than is saved
			continue
		}
		some++
		for _, less := range []int64{0, 1} {
			for _, macs := range []bool{false, true} {
				s := NewSliceGPT()
				s.Sparsity, s.Round = 0, 1
				if s.Params = model.Count(c.Params - less); macs {
					s.Params, s.MACs = 0, model.Count(c.MACs-less)
				}
				if less == 1 && w == 1 {
					modeltest.Refused(t, s, j, "cannot be kept")
					continue
				}
				if f := modeltest.Run(t, s, j).Facts.(*SliceFacts); f.Width != w-int(less) {
					t.Errorf("width %d for %+v less %d", f.Width, c, less)
				}
			}
		}
	}
	if some < 4 {
		t.Errorf("%d widths save anything", some)
	}
}

// What cannot be turned is refused, and says why.
func TestSliceRefuses(t *testing.T) {
	modeltest.Refused(t, NewSliceGPT(), modeltest.Job(t, 0), "no stream")
	s := NewSliceGPT()
	s.Sparsity = .9
	modeltest.Refused(t, s, llamaJob(t), "leaves less than Round 8")
	j := llamaJob(t)
	j.Recipe.Recover, s.Sparsity = "solve", 0
	modeltest.Refused(t, s, j, "leave solve out")
	j = llamaJob(t)
	j.Data = nil
	modeltest.Refused(t, s, j, "give Data")
	g, err := zoo.New("bert-1-16-2", zoo.Options{In: []int{4}, Classes: llamaTokens, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := findStream(g); err == nil {
		t.Error("norms behind the sums are turned")
	}
	g = familytest.Graph(t, `{"model_type":"gemma2","vocab_size":12,"hidden_size":16,"num_hidden_layers":2,"num_attention_heads":4,"num_key_value_heads":2,"head_dim":4,"intermediate_size":24}`, 1)
	if _, err := findStream(g); err == nil || !strings.Contains(err.Error(), "behind a branch") {
		t.Errorf("%v", err)
	}
	modeltest.Resumes(t, "slicegpt", func() (model.Method, *model.Job) {
		s := NewSliceGPT()
		s.Round = 1
		return s, llamaTrained(t)
	}, 12, 4, 9)
}
