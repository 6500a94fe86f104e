package language

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
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
	"pare/prune/hook"
	"pare/prune/structure"
	"pare/tensor"
	"pare/train"
)

// llamaConfig is a config of a small Llama, with other entries.
func llamaConfig(hidden, layers, heads, kv, wide int, more string) string {
	return fmt.Sprintf(`{"model_type":"llama","vocab_size":256,"hidden_size":%d,"num_hidden_layers":%d,"num_attention_heads":%d,"num_key_value_heads":%d,"intermediate_size":%d,"rms_norm_eps":1e-3%s}`, hidden, layers, heads, kv, wide, more)
}

// drawn is a model of a config whose weights are drawn, larger than transformers draws
// them, so that every part of it matters.
func drawn(t testing.TB, config string) *graph.Graph {
	t.Helper()
	g := familytest.Graph(t, config, 1)
	if _, err := model.Prepare(g); err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(5, 6))
	for _, v := range g.Params() {
		for i := range v.Const.F32() {
			if len(v.Shape) == 1 {
				v.Const.F32()[i] = float32(1 + .3*r.NormFloat64())
			} else {
				v.Const.F32()[i] = float32(.4 * r.NormFloat64())
			}
		}
	}
	return g
}

// sheep is a text that is quick to learn.
func sheep(t testing.TB, seq int) *dataset.Data {
	t.Helper()
	var text strings.Builder
	for i := range 150 {
		fmt.Fprintf(&text, "%d sheep and %d goats. ", i%7, i%5)
	}
	path := filepath.Join(t.TempDir(), "sheep.txt")
	if err := os.WriteFile(path, []byte(text.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	d, err := dataset.Open(fmt.Sprintf("text:%s?seq=%d", path, seq))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// small is a job on a small Llama with grouped queries.
func small(t testing.TB, epochs int) *model.Job {
	return &model.Job{Graph: drawn(t, llamaConfig(24, 2, 4, 2, 20, "")), Data: sheep(t, 16), Seed: 3, Engine: engine.Options{Threads: 1},
		Recipe: model.Recipe{Epochs: epochs, Batch: 16, LR: .01, Schedule: "constant", Optimizer: "adam"}}
}

// quick is the method for trainings of few steps.
func quick() *Compresso {
	s := NewCompresso()
	s.GateLR, s.LoraLR = .5, 1e-3
	return s
}

// answers are what a network gives for a few tokens.
func answers(t testing.TB, g *graph.Graph) []float32 {
	t.Helper()
	p, err := engine.Compile(g, map[string]int{family.BatchAxis: 2, family.TimeAxis: 5}, engine.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	ids := tensor.Of[int64](p.Input("input_ids"))
	for i := range ids {
		ids[i] = int64(i*i*7%251 + i)
	}
	if err := p.Run(); err != nil {
		t.Fatal(err)
	}
	return slices.Clone(p.Output("logits").F32())
}

// apart is how far numbers are apart, relative to the largest of those wanted.
func apart(got, want []float32) float64 {
	worst, most := 0., 0.
	for i := range want {
		worst, most = math.Max(worst, math.Abs(float64(got[i]-want[i]))), math.Max(most, math.Abs(float64(want[i])))
	}
	return worst / most
}

// someGates are soft gates some of which are 0, at least one of each vector not, unless it
// is to be empty.
func someGates(l *layout, empty ...int) []float64 {
	r := rand.New(rand.NewPCG(8, 9))
	z := make([]float64, l.gates)
	for i, v := range l.vectors {
		for c := range v.n {
			if z[v.first+c] = 1; v.learned {
				z[v.first+c] = .2 + .8*r.Float64()
				if r.Float64() < .4 && c > 0 || slices.Contains(empty, i) {
					z[v.first+c] = 0
				}
			}
		}
	}
	return z
}

var everything = []string{"heads", "intermediate", "hidden"}

// A folded and cut network gives what the gated one gives, and the weights that are left
// are as many as the sparsity says: RMS normalisation, grouped queries, a table that is the
// output layer too, biases, queries and keys in one matrix with values, and layers of which
// nothing is left.
func TestCompressoFolds(t *testing.T) {
	for name, c := range map[string]struct {
		config string
		empty  []int // vectors
		whole  string
	}{
		"grouped":         {config: llamaConfig(24, 2, 4, 2, 20, "")},
		"one group":       {config: llamaConfig(24, 2, 4, 1, 20, "")},
		"heads of own":    {config: llamaConfig(24, 2, 4, 4, 20, "")},
		"tied":            {config: llamaConfig(24, 2, 4, 2, 20, `,"tie_word_embeddings":true`)},
		"biases":          {config: llamaConfig(24, 2, 4, 2, 20, `,"attention_bias":true,"mlp_bias":true`)},
		"qwen2":           {config: `{"model_type":"qwen2","vocab_size":256,"hidden_size":24,"num_hidden_layers":2,"num_attention_heads":4,"num_key_value_heads":2,"intermediate_size":20,"tie_word_embeddings":true}`},
		"qwen3":           {config: `{"model_type":"qwen3","vocab_size":256,"hidden_size":24,"num_hidden_layers":2,"num_attention_heads":4,"num_key_value_heads":2,"head_dim":8,"intermediate_size":20}`, whole: "cannot say that its norms"},
		"phi3":            {config: `{"model_type":"phi3","vocab_size":256,"hidden_size":24,"num_hidden_layers":2,"num_attention_heads":4,"num_key_value_heads":2,"intermediate_size":20,"pad_token_id":0}`},
		"gpt2":            {config: `{"model_type":"gpt2","vocab_size":256,"n_embd":24,"n_head":4,"n_layer":2,"n_positions":32}`, whole: "takes the mean off"},
		"no attention":    {config: llamaConfig(24, 2, 4, 2, 20, ""), empty: []int{0}},
		"no feed-forward": {config: llamaConfig(24, 2, 4, 2, 20, ""), empty: []int{1, 3}},
	} {
		g := drawn(t, c.config)
		l, err := newLayout(g, everything, prune.Scope{})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if (l.hidden < 0) != (c.whole != "") || c.whole != "" && !strings.Contains(strings.Join(l.notes, " "), c.whole) {
			t.Errorf("%s: the stream is vector %d; %q", name, l.hidden, l.notes)
		}
		z := someGates(l, c.empty...)
		gated, m, err := l.gated(g, l.attended(g))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		plain := answers(t, g)
		if d := apart(answers(t, gated), plain); d > 1e-6 {
			t.Errorf("%s: with gates of 1 the network gives something else, by %v", name, d)
		}
		for i, x := range z {
			m.Const.F32()[i] = float32(x)
		}
		want := answers(t, gated)
		if apart(want, plain) < .01 {
			t.Errorf("%s: gates change nothing", name)
		}
		before := size(g)
		if err := l.fold(g, z); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if d := apart(answers(t, g), want); d > 1e-4 {
			t.Errorf("%s: folded, it gives something else, by %v", name, d)
		}
		cut, _, gone, left, err := l.cut(g, z)
		if err != nil || len(gone) != len(c.empty) || len(left) > 0 {
			t.Fatalf("%s: %v, %v, %v", name, err, gone, left)
		}
		if d := apart(answers(t, cut), want); d > 1e-4 {
			t.Errorf("%s: cut, it gives something else, by %v", name, d)
		}
		if got, said := 1-float64(size(cut))/float64(before), l.sparsity(l.count(z), nil); math.Abs(got-said) > 1e-12 {
			t.Errorf("%s: %v of the weights are gone, and the sparsity is %v", name, got, said)
		}
		// what is written as a folder gives the same again
		cfg, ws, err := family.Weights(cut)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		again, err := family.Build(cfg, family.Tensors(ws))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if d := apart(answers(t, again), want); d > 1e-4 {
			t.Errorf("%s: written and read, it gives something else, by %v", name, d)
		}
	}
}

// size counts the numbers of the matrices of attention and feed-forward layers.
func size(g *graph.Graph) (n int) {
	for _, v := range g.Params() {
		if len(v.Shape) == 2 && (strings.Contains(v.Name, "attn") || strings.Contains(v.Name, "mlp")) {
			n += v.Const.Len()
		}
	}
	return n
}

// The weights that make queries and values are found, and no keys.
func TestCompressoAttended(t *testing.T) {
	for config, want := range map[string]string{
		llamaConfig(24, 1, 4, 2, 20, ""): "q_proj v_proj",
		`{"model_type":"qwen3","vocab_size":256,"hidden_size":24,"num_hidden_layers":1,"num_attention_heads":4,"num_key_value_heads":2,"head_dim":8,"intermediate_size":20}`:      "q_proj v_proj",
		`{"model_type":"gpt2","vocab_size":256,"n_embd":24,"n_head":4,"n_layer":1,"n_positions":32}`:                                                                              "c_attn",
		`{"model_type":"opt","vocab_size":256,"hidden_size":24,"word_embed_proj_dim":24,"num_hidden_layers":1,"num_attention_heads":4,"ffn_dim":20,"max_position_embeddings":32}`: "q_proj v_proj",
	} {
		g := drawn(t, config)
		l, err := newLayout(g, everything, prune.Scope{})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, name := range l.attended(g) {
			parts := strings.Split(name, ".")
			got = append(got, parts[len(parts)-2])
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %v, want %s", config, got, want)
		}
	}
}

// Chances and gates are those of the distribution: by the paper's numbers, and by drawing.
func TestCompressoConcrete(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for a, want := range map[float64]float64{0: .8318, 4.595: .99796, 10: .999991, -4.605: .0471} {
		p, slope := alive(a)
		if math.Abs(p-want) > 5e-5 {
			t.Errorf("the chance at %v is %v, want %v", a, p, want)
		}
		h := 1e-5
		up, _ := alive(a + h)
		down, _ := alive(a - h)
		if d := (up - down) / (2 * h); math.Abs(d-slope) > 1e-6 {
			t.Errorf("the slope of the chance at %v is %v, want %v", a, slope, d)
		}
		n := 0
		for range 100000 {
			if z, _ := concrete(a, r.Float64()); z > 0 {
				n++
			}
		}
		if got := float64(n) / 100000; math.Abs(got-want) > .005 {
			t.Errorf("at %v %v of the gates are not 0, want %v", a, got, want)
		}
		for _, u := range []float64{.01, .2, .5, .7, .99} {
			z, slope := concrete(a, u)
			up, _ := concrete(a+h, u)
			down, _ := concrete(a-h, u)
			if d := (up - down) / (2 * h); math.Abs(d-slope) > 1e-6 || (z == 0 || z == 1) && slope != 0 {
				t.Errorf("the slope of the gate at %v, %v is %v, want %v", a, u, slope, d)
			}
		}
	}
	if z, _ := concrete(30, .5); z != 1 {
		t.Errorf("a gate that is open is %v", z)
	}
	if p, slope := alive(30); p != 1-1e-6 || slope != 0 {
		t.Errorf("a chance is never more than %v", p)
	}
	if p, slope := alive(-30); p != 1e-6 || slope != 0 {
		t.Errorf("a chance is never less than %v", p)
	}
}

// The expected size is that of the equation, its derivative that of differences; gates that
// are open take nothing.
func TestCompressoSize(t *testing.T) {
	g := drawn(t, llamaConfig(24, 2, 4, 2, 20, ""))
	l, err := newLayout(g, everything, prune.Scope{Exclude: []string{"*layers.1.mlp*"}})
	if err != nil {
		t.Fatal(err)
	}
	// the stream has 24 channels; out of scope is one of the layers that make it
	if l.hidden >= 0 || !strings.Contains(strings.Join(l.notes, " "), "not all of its weights are in scope") {
		t.Errorf("%q", l.notes)
	}
	if l, err = newLayout(g, everything, prune.Scope{}); err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(3, 4))
	a := make([]float64, l.gates)
	for i := range a {
		a[i] = 3 * r.NormFloat64()
	}
	sum := func(v vector) (s float64) {
		for _, x := range a[v.first : v.first+v.n] {
			p, _ := alive(x)
			s += p
		}
		return s
	}
	n, all := 0., 0.
	for _, v := range l.vectors {
		switch v.kind {
		case structure.GroupedHead: // two heads of queries with what reads them, and one of keys and one of values, of 6
			n, all = n+36*sum(v), all+36*24*2
		case structure.FeedForward:
			n, all = n+3*sum(v), all+3*24*20
		}
	}
	want := 1 - n*sum(l.vectors[l.hidden])/all
	kept := l.expected(a)
	d := make([]float64, len(kept))
	if got := l.sparsity(kept, d); math.Abs(got-want) > 1e-12 {
		t.Errorf("the expected sparsity is %v, want %v", got, want)
	}
	for i := range kept {
		const h = 1e-4
		up, down := slices.Clone(kept), slices.Clone(kept)
		up[i], down[i] = up[i]+h, down[i]-h
		if by := (l.sparsity(up, nil) - l.sparsity(down, nil)) / (2 * h); math.Abs(by-d[i]) > 1e-9 {
			t.Errorf("by the gates of vector %d it is %v, want %v", i, d[i], by)
		}
	}
	for i := range a {
		a[i] = 30
	}
	if e := l.sparsity(l.expected(a), nil); math.Abs(e-2e-6) > 1e-7 {
		t.Errorf("open gates are expected to leave %v away", e)
	}
	for i := range a {
		a[i] = logitHigh
	}
	if e := l.sparsity(l.expected(a), nil); math.Abs(e-.004) > .0001 {
		t.Errorf("gates at their bound are expected to leave %v away", e)
	}
}

// Hard gates are 0 where the logits are lowest, as many as are expected, and soft elsewhere;
// what then lacks is made up for by the stream.
func TestCompressoHarden(t *testing.T) {
	l, err := newLayout(drawn(t, llamaConfig(24, 2, 4, 4, 20, "")), everything, prune.Scope{})
	if err != nil {
		t.Fatal(err)
	}
	a := make([]float64, l.gates)
	r := rand.New(rand.NewPCG(3, 4))
	for i := range a {
		a[i] = math.Max(logitLow, math.Min(logitHigh, 1+4*r.NormFloat64()))
	}
	z := l.harden(a)
	for i, e := range l.expected(a) {
		v := l.vectors[i]
		if want := float64(v.n) - math.Round(float64(v.n)-e); l.count(z)[i] != want {
			t.Errorf("vector %d keeps %v of %d, want %v", i, l.count(z)[i], v.n, want)
		}
		for c := v.first; c < v.first+v.n; c++ {
			for k := v.first; k < v.first+v.n; k++ {
				if a[c] < a[k] && z[c] != 0 && z[k] == 0 {
					t.Errorf("vector %d: %d goes before %d", i, k, c)
				}
			}
			if want := 1 / (1 + math.Exp(-.8*1.5*a[c])); z[c] != 0 && math.Abs(z[c]-want) > 1e-12 {
				t.Errorf("gate %d is %v, want %v", c, z[c], want)
			}
		}
	}
	for _, target := range []float64{.1, .3, .6, .8} {
		y := slices.Clone(z)
		was := l.count(y)
		more := l.adjust(y, a, target, .05)
		got := l.sparsity(l.count(y), nil)
		for i, n := range l.count(y) {
			if i != l.hidden && n != was[i] || i == l.hidden && n != was[i]+float64(more) {
				t.Errorf("%v: vector %d keeps %v of %v; %d more", target, i, n, was[i], more)
			}
		}
		for _, d := range []float64{-1, 1} { // no other width is nearer
			n := l.count(y)
			if n[l.hidden] += d; n[l.hidden] >= 1 && n[l.hidden] <= 24 && math.Abs(l.sparsity(n, nil)-target) < math.Abs(got-target)-1e-12 {
				t.Errorf("%v: the sparsity is %v, and would be %v with %v channels", target, got, l.sparsity(n, nil), n[l.hidden])
			}
		}
	}
}

// One step of the constraint: below the target the first multiplier falls and the second
// rises, above both rise; at the target only a first multiplier that is not 0 pulls.
func TestCompressoConstraint(t *testing.T) {
	l, err := newLayout(drawn(t, llamaConfig(24, 2, 4, 4, 20, "")), everything, prune.Scope{})
	if err != nil {
		t.Fatal(err)
	}
	now := func(h *l0) float64 { return h.sparsity(h.expected(h.A), nil) }
	step := func(target float64, first float64) *l0 {
		h := &l0{layout: l, Gates: &graph.Value{Name: gateName}, Rate: .1, Multiplier: .1, Target: target}
		h.newLogits()
		for i := range h.A {
			h.A[i] = 1
		}
		if target < 0 {
			h.Target = now(h)
		}
		h.Lambda[0] = first
		p := &train.Param{Value: h.Gates, W: make([]float32, l.gates+1), G: make([]float32, l.gates+1)}
		if _, err := h.Reparametrise([]*train.Param{p}); err != nil {
			t.Fatal(err)
		}
		run := &train.Run{Config: &train.Config{}}
		if err := h.BeforeStep(run); err != nil {
			t.Fatal(err)
		}
		if err := h.AfterGrad(run); err != nil {
			t.Fatal(err)
		}
		return h
	}
	if h := step(.9, 0); !(h.Lambda[0] < -.0999 && h.Lambda[1] > .0999) || h.A[0] != 1 {
		t.Errorf("below the target: multipliers %v, logit %v", h.Lambda, h.A[0])
	}
	if h := step(.01, 0); !(h.Lambda[0] > .0999 && h.Lambda[1] > .0999) {
		t.Errorf("above the target: multipliers %v", h.Lambda)
	}
	if h := step(-1, 0); h.Lambda != [2]float64{} || h.A[0] != 1 {
		t.Errorf("at the target: multipliers %v, logit %v", h.Lambda, h.A[0])
	}
	if h := step(-1, -2); h.A[0] >= 1 || h.Lambda[0] != -2 {
		t.Errorf("at the target with a multiplier: logit %v", h.A[0])
	}
	h := &l0{Target: .4, Warm: 10}
	for step, want := range map[int]float64{0: 0, 5: .2, 10: .4, 20: .4} {
		if got := h.target(step); math.Abs(got-want) > 1e-12 {
			t.Errorf("at step %d the target is %v, want %v", step, got, want)
		}
	}
	h.Cubic = true
	if got := h.target(5); math.Abs(got-.4*.875) > 1e-12 {
		t.Errorf("along a cubic it is %v", got)
	}
}

// A training reaches the target, keeps what is frozen to the bit, and its result is
// written.
func TestCompresso(t *testing.T) {
	j := small(t, 6)
	s := quick()
	res := modeltest.Run(t, s, j)
	f := res.Facts.(*CompressoFacts)
	if math.Abs(f.Sparsity-.3) > .01 || f.Epoch == 0 {
		t.Errorf("%+v\n%s", f, modeltest.Said(res))
	}
	before := drawn(t, llamaConfig(24, 2, 4, 2, 20, ""))
	if got := 1 - float64(size(res.Graph))/float64(size(before)); math.Abs(got-f.Sparsity) > 1e-12 {
		t.Errorf("%v of the weights are gone, %v are told", got, f.Sparsity)
	}
	cfg, _, err := family.Weights(res.Graph)
	if err != nil {
		t.Fatal(err)
	}
	for i, w := range f.Vectors {
		if w.Kind == structure.Embedding && cfg.Hidden != len(w.Kept) {
			t.Errorf("the stream has %d channels, %d are told", cfg.Hidden, len(w.Kept))
		}
		if w.Kind == structure.FeedForward && cfg.Of(i/2).Intermediate != len(w.Kept) {
			t.Errorf("%s has %d, %d are told", w.Name, cfg.Of(i/2).Intermediate, len(w.Kept))
		}
	}
	// keys are neither trained nor gated: they lose rows and columns alone
	was, is := before.Value("model.layers.0.self_attn.k_proj.weight"), res.Graph.Value("model.layers.0.self_attn.k_proj.weight")
	if got := res.Kept.Take(was.Name, was.Const); !slices.Equal(got.F32(), is.Const.F32()) {
		t.Error("keys have moved")
	}
}

// What was stopped and resumed comes to the same, with further epochs for the products.
func TestCompressoResumes(t *testing.T) {
	d := sheep(t, 16)
	train, val, err := d.Train.Split(.2, 1)
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Compresso){
		"gates": func(s *Compresso) { s.Tune, s.TuneLR = 1, .01 },
		"norm":  func(s *Compresso) { s.Choose = "norm" },
	} {
		modeltest.Resumes(t, name, func() (model.Method, *model.Job) {
			s := quick()
			change(s)
			j := small(t, 4)
			j.Data = &dataset.Data{Train: train, Val: val, Norm: d.Norm}
			return s, j
		}, 0, 3, 17)
	}
}

// Of the candidates the best on the validation set is kept, its products too; others are
// none.
func TestCompressoCandidates(t *testing.T) {
	l, err := newLayout(drawn(t, llamaConfig(24, 2, 4, 2, 20, "")), everything, prune.Scope{})
	if err != nil {
		t.Fatal(err)
	}
	array := hook.NewArray("a", 1, 1)
	for judged, want := range map[bool]int{true: 3, false: 5} {
		h := &l0{layout: l, Target: .3, Tolerance: .01, Judged: judged, Adapters: &hook.Adapters{Of: []*hook.Adapter{{Change: &hook.LowRankChange{C: array, R: array}}}}}
		h.newLogits()
		for epoch, c := range []struct{ logit, loss float64 }{{4, 1}, {-1, 3}, {-.5, 2}, {4, 1}, {-.2, 2.5}} { // the logit 4 leaves too much
			for i := range h.A {
				h.A[i] = c.logit
			}
			array.W[0] = float32(epoch)
			if err := h.AfterEpoch(nil, train.Epoch{Epoch: epoch + 1, ValLoss: c.loss}); err != nil {
				t.Fatal(err)
			}
		}
		if !h.restore() || h.BestEpoch != want || array.W[0] != float32(want-1) || h.A[0] != map[int]float64{3: -.5, 5: -.2}[want] {
			t.Errorf("judged %v: epoch %d, logit %v, weight %v", judged, h.BestEpoch, h.A[0], array.W[0])
		}
		if len(h.Course) != 5 {
			t.Errorf("%v", h.Course)
		}
	}
}

// The network is judged after an epoch with hard gates: the score of the last is that of
// the network that comes out.
func TestCompressoJudged(t *testing.T) {
	j := small(t, 6)
	s := quick()
	s.Tolerance = .9 // nothing is adjusted, and the last epoch is a candidate
	j.Data.Val = j.Data.Test
	res := modeltest.Run(t, s, j)
	f := res.Facts.(*CompressoFacts)
	m, err := j.Held().Run(t.Context(), res.Graph)
	if err != nil {
		t.Fatal(err)
	}
	if e := res.Epochs[f.Epoch-1]; f.Adjusted != 0 || math.Abs(e.ValLoss-m.Loss) > 1e-4*m.Loss {
		t.Errorf("epoch %d had the loss %v, the network has %v; %+v", f.Epoch, e.ValLoss, m.Loss, f)
	}
}

// Structures that are chosen before the training are those of the smallest norm, or others,
// of the size that is asked for, and the gates are 1.
func TestCompressoChosen(t *testing.T) {
	for _, choose := range []string{"norm", "random"} {
		s := quick()
		s.Choose = choose
		j := small(t, 1)
		g, _ := j.Graph.Clone(true)
		f := modeltest.Run(t, s, j).Facts.(*CompressoFacts)
		if math.Abs(f.Sparsity-.3) > .01 || f.Expected != nil {
			t.Errorf("%s: %+v", choose, f)
		}
		groups, _ := structure.Groups(g)
		rates := structure.Score(groups, structure.Squares)
		least := true
		for _, v := range f.Vectors {
			for _, z := range v.Gates {
				if z != 1 {
					t.Errorf("%s: a gate of %v", choose, z)
				}
			}
			i := slices.IndexFunc(groups, func(g *structure.Group) bool { return g.Name == v.Name })
			for c, r := range rates[i] {
				for _, k := range v.Kept {
					if !slices.Contains(v.Kept, c) && r > rates[i][k] {
						least = false
					}
				}
			}
		}
		if least != (choose == "norm") {
			t.Errorf("%s: what goes has the smallest norms: %v", choose, least)
		}
	}
}

// instructions are a job's samples with responses.
func instructions(t testing.TB) *dataset.Data {
	t.Helper()
	d := sheep(t, 16)
	for _, s := range []*dataset.Set{d.Train, d.Test} {
		s.Fields[0].Name = "input_ids"
		s.Fields[0].Tokens = 256
		next := s.Fields[1]
		for i := range next.Ints {
			if i%16 < 6 {
				next.Ints[i] = -1
			}
		}
	}
	return d
}

// The prompt stands before instructions alone, unless another is named, and is told of.
func TestCompressoPrompt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "prompt.txt")
	if err := os.WriteFile(path, []byte("Be small."), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		file     string
		instruct bool
		tokens   int
		said     string
	}{
		{"", false, 0, "no prompt stands before"}, {"none", false, 0, ""}, {"none", true, 0, ""}, {path, true, 9, "9 tokens before every sample, the text of " + path}, {path, false, 9, "9 tokens"},
		{"", true, len(CompressoPrompt), "the text of this method"},
	} {
		j := small(t, 1)
		if c.instruct {
			j.Data = instructions(t)
		}
		if len(CompressoPrompt) == c.tokens {
			few := *j.Data.Train
			few.Index = []int32{0, 1}
			j.Data.Train, j.Data.Test, j.Recipe.Batch = &few, nil, 1
		}
		s := quick()
		s.PromptFile = c.file
		res := modeltest.Run(t, s, j)
		said := modeltest.Said(res)
		if f := res.Facts.(*CompressoFacts); f.Prompt != c.tokens || !strings.Contains(said, c.said) || c.said == "" && strings.Contains(said, "prompt") {
			t.Errorf("%q, instructions %v: %d tokens, %s", c.file, c.instruct, f.Prompt, said)
		}
	}
	j, s := small(t, 1), quick()
	s.PromptFile = path
	j.Graph = drawn(t, llamaConfig(24, 2, 4, 2, 20, `,"max_position_embeddings":20`))
	modeltest.Refused(t, s, j, "with its 9 tokens samples have 25, and the model was made for texts of 20")
	if n := len(strings.Fields(CompressoPrompt)); n < 120 || n > 170 || !strings.Contains(CompressoPrompt, "pruning") {
		t.Errorf("the prompt has %d words", n)
	}
}

func TestCompressoBad(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty.txt")
	if err := os.WriteFile(empty, []byte(" \n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for want, f := range map[string]func(*model.Job, *Compresso){
		"Sparsity 0.95":             func(_ *model.Job, s *Compresso) { s.Sparsity = .95 },
		"leave 0.0040 away already": func(_ *model.Job, s *Compresso) { s.Sparsity = .003 },
		"takes away 0.":             func(_ *model.Job, s *Compresso) { s.Sparsity, s.Parts = .9, []string{"intermediate"} },
		"Parts wings":               func(_ *model.Job, s *Compresso) { s.Parts = []string{"wings"} },
		"each once":                 func(_ *model.Job, s *Compresso) { s.Parts = []string{"heads", "heads"} },
		"leave nothing that could":  func(_ *model.Job, s *Compresso) { s.Exclude = []string{"*"} },
		"Warm 9ep":                  func(_ *model.Job, s *Compresso) { s.Warm = train.At{X: 9, Unit: train.Epochs} },
		"gates and products":        func(j *model.Job, _ *Compresso) { j.Recipe.Epochs = 0 },
		"no attention whose heads": func(j *model.Job, _ *Compresso) {
			j.Graph, j.Data = modeltest.Job(t, 1).Graph, modeltest.Job(t, 1).Data
		},
		"PromptFile: open":      func(_ *model.Job, s *Compresso) { s.PromptFile = "/no/such" },
		"is empty: none stands": func(_ *model.Job, s *Compresso) { s.PromptFile = empty },
		"the samples are no tokens": func(j *model.Job, s *Compresso) {
			j.Data.Before("x")
			j.Data = &dataset.Data{Train: j.Data.Train, Norm: j.Data.Norm}
			s.PromptFile = "compresso_prompt.txt"
		},
		"has a NaN or infinity": func(j *model.Job, _ *Compresso) { j.Graph.Value("lm_head.weight").Const.F32()[3] = float32(math.NaN()) },
	} {
		s := quick()
		j := small(t, 1)
		j.OnStep = func(int, int, float64) { t.Fatalf("%s: a step was made", want) }
		f(j, s)
		if _, err := model.Run(t.Context(), s, j); err == nil || !strings.Contains(strings.NewReplacer("{", "", "}", "").Replace(err.Error()), want) {
			t.Errorf("%v, want something with %q", err, want)
		}
	}
	// a logit that is no number ends the training
	h := &l0{layout: &layout{hidden: -1, gates: 1, whole: 1, vectors: []vector{{n: 1, own: 1, learned: true}}}, Rate: .1, Gates: &graph.Value{Name: gateName}}
	h.newLogits()
	p := &train.Param{Value: h.Gates, W: make([]float32, 2), G: []float32{float32(math.NaN()), 0}}
	if _, err := h.Reparametrise([]*train.Param{p}); err != nil {
		t.Fatal(err)
	}
	if err := h.AfterGrad(&train.Run{Config: &train.Config{}}); err == nil || !strings.Contains(err.Error(), "the logit of a gate is NaN") {
		t.Errorf("%v", err)
	}
	for _, bad := range []string{"", "{}", `{"A":[1],"M1":[1],"M2":[]}`, `{"A":[1],"M1":[1],"M2":[1],"Best":[1,2]}`} {
		h.Adapters = &hook.Adapters{}
		if err := h.UnmarshalBinary([]byte(bad)); err == nil {
			t.Errorf("the state %q is read", bad)
		}
	}
}

// With few steps the gates do not get where they are to: that is said, and the size is what
// is asked for all the same.
func TestCompressoShort(t *testing.T) {
	res := modeltest.Run(t, NewCompresso(), small(t, 1))
	f := res.Facts.(*CompressoFacts)
	if said := modeltest.Said(res); f.Epoch != 0 || !strings.Contains(said, "never expected to leave away") || math.Abs(f.Sparsity-.3) > .02 {
		t.Errorf("%+v\n%s", f, said)
	}
}

// Further epochs move the products alone.
func TestCompressoTunes(t *testing.T) {
	s := quick()
	one := modeltest.Run(t, s, small(t, 4))
	s.Tune, s.TuneLR = 2, .01
	two := modeltest.Run(t, s, small(t, 4))
	if f, g := one.Facts.(*CompressoFacts), two.Facts.(*CompressoFacts); !slices.EqualFunc(f.Vectors, g.Vectors, func(a, b CompressoVector) bool { return slices.Equal(a.Kept, b.Kept) && slices.Equal(a.Gates, b.Gates) }) || len(two.Epochs) != 6 {
		t.Errorf("%+v, tuned %+v", f, g)
	}
	for _, v := range one.Graph.Params() {
		moved := !slices.Equal(v.Const.F32(), two.Graph.Value(v.Name).Const.F32())
		if trained := strings.Contains(v.Name, "q_proj") || strings.Contains(v.Name, "v_proj"); moved != trained {
			t.Errorf("%s has moved: %v", v.Name, moved)
		}
	}
}
