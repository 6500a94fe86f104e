package language

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	"pare/dataset"
	"pare/engine"
	"pare/graph"
	"pare/internal/familytest"
	"pare/internal/modeltest"
	"pare/lm/family"
	"pare/model"
	"pare/prune"
	"pare/prune/structure"
	"pare/tensor"
	"pare/train"
	"pare/zoo"
)

// The specification's example: cosines of 0.98, 0.80, 0.92 and 0.90, of which each counts for
// heads and neurons alike.
func TestAdaptRates(t *testing.T) {
	got := standing([]float64{-.98, -.98, -.8, -.8, -.92, -.92, -.9, -.9})
	for i, want := range []float64{-.8, -.8, 1, 1, -.2, -.2, 0, 0} {
		if math.Abs(got[i]-want) > 1e-12 {
			t.Errorf("layer %d stands at %v, want %v", i/2, got[i], want)
		}
	}
	mean := 0.
	for i, want := range []float64{.036, .036, 0, 0, .024, .024, .02, .02} {
		x := advance(0, .02, .02, got[i])
		if mean += x / 8; math.Abs(x-want) > 1e-12 {
			t.Errorf("layer %d loses %v, want %v", i/2, x, want)
		}
	}
	if math.Abs(mean-.02) > 1e-12 {
		t.Errorf("the mean is %v", mean)
	}
	if got := standing([]float64{-.3, -.3, -.3}); !slices.Equal(got, []float64{0, 0, 0}) {
		t.Errorf("layers that are alike stand at %v", got)
	}
	for _, c := range [][3]float64{{.1, 1, 0}, {.98, -1, .99}, {.5, 0, .52}} {
		if x := advance(c[0], .02, .5, c[1]); math.Abs(x-c[2]) > 1e-12 {
			t.Errorf("from %v, at %v: %v, want %v", c[0], c[1], x, c[2])
		}
	}
	// Neurons go by floor(C (1-s)); a head of 64 goes when as many rows are to.
	for _, c := range []struct {
		first, now, unit int
		ratio            float64
		want             int
	}{{100, 100, 1, .036, 96}, {100, 96, 1, .036, 96}, {100, 96, 1, .02, 96}, {64, 64, 1, .02, 62}, {100, 100, 1, 0, 100}, {50, 50, 1, .02, 49},
		{4, 4, 64, .24, 4}, {4, 4, 64, .25, 3}, {4, 3, 64, .49, 3}, {4, 3, 64, .99, 1}, {8, 8, 1, .99, 1}, {1, 1, 64, .99, 1}} {
		if got := stays(c.first, c.now, c.unit, c.ratio); got != c.want {
			t.Errorf("%+v: %d stay", c, got)
		}
	}
}

// Stages have shares of the training: of 15 steps five have 1, 2, 3, 4 and 5, and each one at
// least.
func TestStageEnds(t *testing.T) {
	for _, c := range []struct {
		shares   string
		steps, k int
		want     []int
	}{{"linear", 15, 5, []int{1, 3, 6, 10, 15}}, {"linear", 1500, 5, []int{100, 300, 600, 1000, 1500}}, {"constant", 10, 4, []int{3, 5, 8, 10}},
		{"cosine", 1000, 3, []int{134, 500, 1000}}, {"linear", 5, 5, []int{1, 2, 3, 4, 5}}, {"cosine", 6, 5, []int{1, 2, 3, 4, 6}}, {"linear", 7, 1, []int{7}}} {
		got, err := stageEnds(c.shares, c.steps, c.k)
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%+v: %v, %v", c, got, err)
		}
	}
	if _, err := stageEnds("linear", 4, 5); err == nil || !strings.Contains(err.Error(), "fewer than one a stage") {
		t.Errorf("%v", err)
	}
}

// narrow is the method for the small Llama.
func narrow(share model.Count) *AdaptPruner {
	s := NewAdaptPruner()
	s.Params, s.Cuts, s.Amplitude, s.Stages = share, 20, .03, 1
	return s
}

// silent makes a layer the identity.
func silent(g *graph.Graph, l int) {
	clear(g.Value(layerWeight(l, "self_attn.o_proj")).Const.F32())
	clear(g.Value(layerWeight(l, "mlp.down_proj")).Const.F32())
}

// Without an amplitude all layers lose the same share; with one, a layer that changes nothing
// has the least importance and loses most.
func TestAdaptAmplitude(t *testing.T) {
	s := narrow(.7)
	s.Amplitude = 0
	for _, c := range modeltest.Run(t, s, llamaJob(t)).Facts.(*AdaptFacts).Stages[0].Cuts {
		for _, x := range c.Ratio {
			if math.Abs(x-c.Ratio[0]) > 1e-12 {
				t.Errorf("shares %v", c.Ratio)
			}
		}
	}
	for l := range llamaLayers {
		j := llamaJob(t)
		silent(j.Graph, l)
		for _, distance := range []string{"cosine", "euclidean", "manhattan"} {
			s := narrow(.7)
			s.Distance = distance
			c := modeltest.Run(t, s, j).Facts.(*AdaptFacts).Stages[0].Cuts
			x, most := c[0].Importance, slices.Max(c[0].Ratio)
			if x[l] != slices.Min(x) || c[0].Ratio[2*l] != most || c[0].Ratio[2*l+1] != most {
				t.Errorf("%s: layer %d changes nothing, importances %v, shares %v", distance, l, x, c[0].Ratio)
			}
			for _, c := range c {
				for _, x := range c.Ratio {
					if x < 0 || x > .99 {
						t.Errorf("shares %v", c.Ratio)
					}
				}
			}
		}
	}
}

// logits are what a network gives for a job's texts.
func logits(t *testing.T, j *model.Job, g *graph.Graph) []float32 {
	t.Helper()
	var out []float32
	k := j.On(g)
	if err := k.Look(context.Background(), 64, g.Outputs[:1], func(vs []*tensor.Tensor) error {
		out = append(out, vs[0].F32()...)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return out
}

// What is left gives what the network gives in which what is cut is zero.
func TestAdaptCutIsZeroed(t *testing.T) {
	j := llamaJob(t)
	whole, _ := j.Graph.Clone(true)
	r := modeltest.Run(t, narrow(.65), j)
	groups, _ := structure.Groups(whole)
	cut, zero := logits(t, j, r.Graph), logits(t, j, structure.Zero(whole, groups, r.Kept.Selection(groups)))
	for i, x := range cut {
		if d := math.Abs(float64(x) - float64(zero[i])); d > 1e-5*math.Max(1, math.Abs(float64(zero[i]))) {
			t.Fatalf("logit %d is %v, zeroed %v", i, x, zero[i])
		}
	}
	if slices.Equal(cut, logits(t, j, whole)) {
		t.Error("the cut changes nothing")
	}
}

// A neuron that nothing is made of has no gradient, goes first, and is not missed.
func TestAdaptDeadNeuron(t *testing.T) {
	j := llamaJob(t)
	for l := range llamaLayers {
		clear(j.Graph.Value(layerWeight(l, "mlp.down_proj")).Const.F32()[4*llamaWidth : 5*llamaWidth])
	}
	groups, _ := structure.Groups(j.Graph)
	groups = slices.DeleteFunc(groups, func(g *structure.Group) bool { return !strings.Contains(g.Name, "mlp") })
	rates, err := NewAdaptPruner().rates(context.Background(), j, groups)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range rates {
		if r[4] != 0 || slices.Index(r, 0) != 4 {
			t.Errorf("%s: %v", groups[i].Name, r)
		}
	}
	whole := logits(t, j, j.Graph)
	s := narrow(model.Count(1256 - 3*24))
	s.Amplitude, s.Include = 0, []string{"*mlp*"}
	r := modeltest.Run(t, s, j)
	if got := logits(t, j, r.Graph); !slices.EqualFunc(got, whole, func(a, b float32) bool { return math.Abs(float64(a-b)) < 1e-5 }) {
		t.Error("neurons of which nothing is made are missed")
	}
	for _, root := range r.Facts.(*AdaptFacts).Roots {
		if root.After != 5 {
			t.Errorf("%+v", root)
		}
	}
}

// Scores are what they say, by quotients of differences and plain sums.
func TestAdaptScores(t *testing.T) {
	j := llamaJob(t)
	m := newLlama(j.Graph)
	d := j.Data.Train
	groups, _ := structure.Groups(j.Graph)
	groups = slices.DeleteFunc(groups, func(g *structure.Group) bool {
		return !strings.HasPrefix(g.Name, "model.layers.1") || len(g.Channels) == llamaWidth
	})
	if len(groups) != 2 || !strings.Contains(groups[0].Name, "q_proj") {
		t.Fatalf("%v", groups)
	}
	one := func(i int) *dataset.Set { // the loss of a text alone, as the oracle takes it of all
		x, y := *d.Fields[0], *d.Fields[1]
		x.Ints, y.Ints = nil, nil
		for range llamaTexts {
			x.Ints = append(x.Ints, d.Fields[0].Ints[i*llamaLength:(i+1)*llamaLength]...)
			y.Ints = append(y.Ints, d.Fields[1].Ints[i*llamaLength:(i+1)*llamaLength]...)
		}
		return dataset.New("one", &x, &y)
	}
	mean, square := map[string][]float64{}, map[string][]float64{}
	for i := range llamaTexts {
		of := one(i)
		for _, heads := range []bool{true, false} {
			for name := range parts(1, heads) {
				if mean[name] == nil {
					mean[name], square[name] = make([]float64, len(m.w[name])), make([]float64, len(m.w[name]))
				}
				for k, g := range m.gradient(of, name) {
					mean[name][k] += g / llamaTexts
					square[name][k] += g * g / llamaTexts
				}
			}
		}
	}
	for score, entry := range map[string]func(w, g, gg float64) float64{
		"taylor": func(w, g, _ float64) float64 { return math.Abs(w * g) },
		"vector": func(w, g, _ float64) float64 { return w * g },
		"second": func(w, _, gg float64) float64 { return w * w * gg / 2 },
		"mixed":  func(w, g, gg float64) float64 { return math.Abs(w*g - w*w*gg/2) },
		"l1":     func(w, _, _ float64) float64 { return math.Abs(w) },
		"l2":     func(w, _, _ float64) float64 { return w * w },
	} {
		s := NewAdaptPruner()
		s.Score = score
		rates, err := s.rates(context.Background(), j, groups)
		if err != nil {
			t.Fatal(err)
		}
		for k, n := range []int{2, 6} {
			want := make([]float64, n)
			for name, p := range parts(1, k == 0) {
				row := make([]float64, n*p.n) // sums of single rows or columns
				for i, w := range m.w[name] {
					row[channel(i, n*p.n, 1, p.rows)] += entry(w, mean[name][i], square[name][i])
				}
				for i, x := range row {
					want[i/p.n] += math.Abs(x)
				}
			}
			for c, x := range rates[k] {
				if math.Abs(x-want[c]) > 1e-4*math.Abs(want[c])+1e-6 {
					t.Errorf("%s: channel %d of %s is worth %v, want %v", score, c, groups[k].Name, x, want[c])
				}
			}
		}
	}
}

// Every stage ends within its target, and above it by less than its last cut took; one
// schedule of rates goes through all.
func TestAdaptStages(t *testing.T) {
	j := llamaJob(t)
	j.Recipe.Batch, j.Recipe.Epochs, j.Recipe.Schedule = 1, 10, "wsd:0.1:0.01+warmup:5%"
	j.Data.Test = j.Data.Train
	s := narrow(.6)
	s.Stages = 5
	r := modeltest.Run(t, s, j)
	f := r.Facts.(*AdaptFacts)
	rate, err := train.ParseRate(j.Recipe.Schedule, j.Recipe.LR, 30)
	if err != nil {
		t.Fatal(err)
	}
	before, row := f.Before.Params, 0
	for i, st := range f.Stages {
		if want := f.Before.Params - int64(math.Round(float64(f.Before.Params-int64(.6*float64(f.Before.Params)))*float64(i+1)/5)); st.Target.Params != want {
			t.Errorf("stage %d: %d are to stay, want %d", i, st.Target.Params, want)
		}
		if n := len(st.Cuts); n > 0 {
			if n > 1 {
				before = st.Cuts[n-2].Params
			}
			if st.After.Params > st.Target.Params || before <= st.Target.Params {
				t.Errorf("stage %d: %d stay, %d before the last cut, for %d", i, st.After.Params, before, st.Target.Params)
			}
		}
		before = st.After.Params
		if want := []int{2, 6, 12, 20, 30}[i]; st.Until != want {
			t.Errorf("stage %d ends at step %d, want %d", i, st.Until, want)
		}
		if st.Cut == nil || st.Tuned == nil {
			t.Errorf("stage %d is not measured", i)
		}
		for ; row < len(r.Epochs) && r.Epochs[row].Step <= st.Until; row++ {
			if e := r.Epochs[row]; e.Rate != rate(e.Step-1) || e.Epoch != row+1 {
				t.Errorf("row %d: %+v, the rate is %v", row, e, rate(e.Step-1))
			}
		}
		if r.Epochs[row-1].Step != st.Until {
			t.Errorf("no row of epochs ends with stage %d", i)
		}
	}
	if got := sizeOf(structure.CostOf(r.Graph)); got != f.After || got.Params > int64(.6*float64(f.Before.Params)) {
		t.Errorf("%+v, facts %+v", got, f.After)
	}
	// Without a number of stages each takes a twentieth.
	s.Stages, s.Params = 0, .82
	if f := modeltest.Run(t, s, llamaTrained(t)).Facts.(*AdaptFacts); len(f.Stages) != 4 {
		t.Errorf("%d stages", len(f.Stages))
	}
}

func llamaTrained(t *testing.T) *model.Job {
	j := llamaJob(t)
	j.Recipe.Batch, j.Recipe.Epochs = 1, 4
	return j
}

// The target may be one of multiply-accumulates, or both.
func TestAdaptTargets(t *testing.T) {
	s := narrow(0)
	s.MACs = .7
	f := modeltest.Run(t, s, llamaJob(t)).Facts.(*AdaptFacts)
	if x := float64(f.After.MACs) / float64(f.Before.MACs); x > .7 || x < .55 {
		t.Errorf("%v of the multiply-accumulates", x)
	}
	s.Params = .6
	f = modeltest.Run(t, s, llamaJob(t)).Facts.(*AdaptFacts)
	if float64(f.After.Params) > .6*float64(f.Before.Params) || float64(f.After.MACs) > .7*float64(f.Before.MACs) {
		t.Errorf("%+v", f)
	}
}

// What is asked for badly is refused before work, with the way on.
func TestAdaptRefuses(t *testing.T) {
	job := func() *model.Job {
		j := llamaJob(t)
		j.OnStep = func(int, int, float64) { t.Error("a step was made") }
		return j
	}
	for want, change := range map[string]func(s *AdaptPruner, j *model.Job){
		"no target: give Params":       func(s *AdaptPruner, _ *model.Job) { s.Params = 0 },
		"the network has 1256":         func(s *AdaptPruner, _ *model.Job) { s.Params = 1300 },
		"608 of 1256 are left":         func(s *AdaptPruner, _ *model.Job) { s.Params = .4 },
		"takes turns with training":    func(s *AdaptPruner, _ *model.Job) { s.Stages = 3 },
		"fewer than one a stage":       func(s *AdaptPruner, j *model.Job) { s.Stages, j.Recipe.Epochs = 3, 1 },
		"Include and Exclude leave no": func(s *AdaptPruner, _ *model.Job) { s.Exclude = []string{"*proj*"} },
		"give Data":                    func(_ *AdaptPruner, j *model.Job) { j.Data = nil },
		"raise Ratio":                  func(s *AdaptPruner, _ *model.Job) { s.Ratio = .1 },
		"no layer of a transformer":    func(_ *AdaptPruner, j *model.Job) { j.Graph = modeltest.Job(t, 0).Graph },
		"not finite": func(_ *AdaptPruner, j *model.Job) {
			j.Graph.Value("lm_head.weight").Const.F32()[5] = float32(math.Inf(1))
		},
		"is not finite: the network is bro": func(_ *AdaptPruner, j *model.Job) {
			j.Graph.Value(layerWeight(1, "mlp.down_proj")).Const.F32()[5] = float32(math.NaN())
		},
	} {
		s, j := narrow(.7), job()
		change(s, j)
		modeltest.Refused(t, s, j, want)
	}
}

// A run that was stopped goes on to the same, in any stage, and does not choose again what it
// has chosen.
func TestAdaptResumes(t *testing.T) {
	modeltest.Resumes(t, "adapt-pruner", func() (model.Method, *model.Job) {
		s := narrow(.7)
		s.Stages, s.Samples = 3, 2
		j := llamaTrained(t)
		j.Data.Test = j.Data.Train
		return s, j
	}, 12, 1, 4, 7, 11)
}

// Samples are drawn anew for each cut, and importance and score look at the same.
func TestAdaptDraws(t *testing.T) {
	j := llamaJob(t)
	a := &adapting{AdaptPruner: NewAdaptPruner()}
	a.Samples = 1
	seen := map[string]bool{}
	for i := range 12 {
		k := a.drawn(j, i+1)
		if k.Data.Train.Len() != 1 {
			t.Fatalf("%d samples", k.Data.Train.Len())
		}
		seen[k.Data.Train.Digest()] = true
	}
	if len(seen) != llamaTexts {
		t.Errorf("%d of %d texts are drawn in 12 cuts", len(seen), llamaTexts)
	}
}

// Padding does not count.
func TestAdaptPadding(t *testing.T) {
	g, err := zoo.New("bert-2-8-2-classifier", zoo.Options{Seed: 1, In: []int{6}, Classes: 3, Tables: []int{20}})
	if err != nil {
		t.Fatal(err)
	}
	x := &dataset.Field{Name: "input_ids", Shape: []int{6}, Tokens: 20}
	m := &dataset.Field{Name: "attention_mask", Shape: []int{6}, Aside: true}
	y := &dataset.Field{Name: "label", Classes: 3}
	for i := range 8 {
		for k := range 6 {
			x.Ints, m.Ints = append(x.Ints, int32((3*i+5*k)%20)), append(m.Ints, 1)
			if k > i%4+1 {
				m.Ints[len(m.Ints)-1] = 0
			}
		}
		y.Ints = append(y.Ints, int32(i%3))
	}
	j := &model.Job{Graph: g, Data: &dataset.Data{Train: dataset.New("texts", x, m, y), Norm: dataset.Raw}, Seed: 3, Engine: engine.Options{Threads: 1}}
	d, err := findDecoder(g, prune.Scope{})
	if err != nil || len(d.layers) != 2 || len(d.roots) != 4 {
		t.Fatalf("%+v, %v", d, err)
	}
	a := &adapting{AdaptPruner: NewAdaptPruner(), decoder: d}
	got, err := a.importances(context.Background(), j)
	if err != nil {
		t.Fatal(err)
	}
	want, n := make([]float64, 2), 0.
	vs := []*graph.Value{g.Value("attention_mask")}
	for _, l := range d.layers {
		vs = append(vs, g.Value(l.in), g.Value(l.out))
	}
	if err := j.Look(context.Background(), 8, vs, func(vs []*tensor.Tensor) error {
		for p, is := range tensor.Of[int64](vs[0]) {
			if is == 0 {
				continue
			}
			n++
			for l := range want {
				ab, aa, bb := 0., 0., 0.
				for k := range 8 {
					a, b := float64(vs[1+2*l].F32()[8*p+k]), float64(vs[2+2*l].F32()[8*p+k])
					ab, aa, bb = ab+a*b, aa+a*a, bb+b*b
				}
				want[l] -= ab / math.Sqrt(aa*bb)
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if n >= 48 || n == 0 {
		t.Fatalf("%v tokens", n)
	}
	for l, x := range want {
		if math.Abs(got[l]-x/n) > 1e-9 {
			t.Errorf("layer %d: %v, want %v", l, got[l], x/n)
		}
	}
}

// Layers are found in the graphs of all families, and what is left of them is a model of the
// family again, in widths by layer.
func TestAdaptFamilies(t *testing.T) {
	const small = `"vocab_size":40,"hidden_size":24,"num_hidden_layers":3,"num_attention_heads":6,"max_position_embeddings":32,"intermediate_size":32,`
	for _, text := range []string{
		`{"model_type":"llama",` + small + `"num_key_value_heads":2,"head_dim":8,"tie_word_embeddings":true}`,
		`{"model_type":"llama",` + small + `"num_key_value_heads":1,"attention_bias":true,"mlp_bias":true}`,
		`{"model_type":"mistral",` + small + `"num_key_value_heads":3,"sliding_window":4}`,
		`{"model_type":"qwen2",` + small + `"num_key_value_heads":2}`,
		`{"model_type":"qwen3",` + small + `"num_key_value_heads":2,"head_dim":6}`,
		`{"model_type":"gemma",` + small + `"num_key_value_heads":2,"head_dim":6}`,
		`{"model_type":"gemma2",` + small + `"num_key_value_heads":2,"head_dim":6,"sliding_window":3,"query_pre_attn_scalar":16}`,
		`{"model_type":"gemma3_text",` + small + `"num_key_value_heads":2,"head_dim":6,"sliding_window":3,"sliding_window_pattern":2}`,
		`{"model_type":"phi",` + small + `"partial_rotary_factor":0.5}`,
		`{"model_type":"phi3",` + small + `"num_key_value_heads":2,"sliding_window":5}`,
		`{"model_type":"gpt2","vocab_size":40,"n_embd":24,"n_head":6,"n_layer":3,"n_positions":32}`,
		`{"model_type":"gpt_neox",` + small + `"rotary_pct":0.5}`,
		`{"model_type":"opt","vocab_size":40,"hidden_size":24,"num_hidden_layers":3,"num_attention_heads":6,"max_position_embeddings":32,"ffn_dim":32}`,
	} {
		g := familytest.Graph(t, text, 1)
		x := &dataset.Field{Name: "ids", Shape: []int{7}, Tokens: 40}
		y := &dataset.Field{Name: "next", Shape: []int{7}, Classes: 40}
		for i := range 4 * 7 {
			x.Ints, y.Ints = append(x.Ints, int32((7*i+3)%40)), append(y.Ints, int32((5*i+1)%40))
		}
		j := &model.Job{Graph: g, Data: &dataset.Data{Train: dataset.New("text", x, y), Norm: dataset.Raw}, Seed: 3, Engine: engine.Options{Threads: 1}}
		if _, err := model.Prepare(g); err != nil {
			t.Fatal(err)
		}
		if _, err := model.Fits(g, j.Data, j.Judge()); err != nil {
			t.Fatal(err)
		}
		s := NewAdaptPruner()
		s.Params, s.Amplitude, s.Cuts = .75, .015, 30
		r, err := model.Run(context.Background(), s, j)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		f := r.Facts.(*AdaptFacts)
		if len(f.Roots) != 6 {
			t.Errorf("%s: roots %+v", text, f.Roots)
		}
		back, _, err := family.Weights(r.Graph)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		for i, w := range back.Pare {
			if w.Intermediate != f.Roots[2*i+1].After {
				t.Errorf("%s: layer %d has %d neurons, the facts say %d", text, i, w.Intermediate, f.Roots[2*i+1].After)
			}
		}
		if x := float64(f.After.Params) / float64(f.Before.Params); x > .75 || x < .6 {
			t.Errorf("%s: %v of the parameters stay", text, x)
		}
	}
}
