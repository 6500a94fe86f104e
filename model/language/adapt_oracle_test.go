package language

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pare/dataset"
	"pare/engine"
	"pare/graph"
	"pare/internal/familytest"
	"pare/internal/modeltest"
	"pare/model"
	"pare/train"
)

// The network of these tests: a Llama of width 8 over 12 tokens, of three layers with four
// heads of size 2 that share two of keys and values, and six neurons.
const (
	llamaWidth  = 8
	llamaHead   = 2
	llamaShare  = 2 // heads of queries on one of keys and values
	llamaTokens = 12
	llamaLength = 4
	llamaTexts  = 3
	llamaLayers = 3
)

// llamaJob makes it with texts.
func llamaJob(t testing.TB) *model.Job {
	t.Helper()
	g := familytest.Graph(t, fmt.Sprintf(`{"model_type":"llama","vocab_size":%d,"hidden_size":%d,"num_hidden_layers":%d,"num_attention_heads":4,"num_key_value_heads":2,"intermediate_size":6,"rms_norm_eps":1e-5}`,
		llamaTokens, llamaWidth, llamaLayers), 1)
	r := rand.New(rand.NewPCG(5, 8))
	for _, v := range g.Params() {
		for i := range v.Const.F32() {
			v.Const.F32()[i] += float32(.4 * r.NormFloat64())
		}
	}
	x := &dataset.Field{Name: "ids", Shape: []int{llamaLength}, Tokens: llamaTokens}
	y := &dataset.Field{Name: "next", Shape: []int{llamaLength}, Classes: llamaTokens}
	for range llamaTexts {
		at := r.IntN(llamaTokens)
		for range llamaLength {
			x.Ints = append(x.Ints, int32(at))
			if at = (at + 3) % llamaTokens; r.IntN(4) == 0 {
				at = r.IntN(llamaTokens)
			}
			y.Ints = append(y.Ints, int32(at))
		}
	}
	j := &model.Job{Graph: g, Data: &dataset.Data{Train: dataset.New("text", x, y), Norm: dataset.Raw}, Seed: 3, Engine: engine.Options{Threads: 1},
		Recipe: model.Recipe{Batch: llamaTexts, LR: .2, Schedule: "wsd:0.34:0.02+warmup:1", Optimizer: "sgd", Momentum: .9}}
	if _, err := model.Prepare(g); err != nil {
		t.Fatal(err)
	}
	if _, err := model.Fits(g, j.Data, j.Judge()); err != nil {
		t.Fatal(err)
	}
	return j
}

// llama is the network once more, in float64: matrices [in][out].
type llama struct {
	w     map[string][]float64
	names []string // in an order
	kv    []int    // heads of keys and values, by layer
	ffn   []int    // neurons

	look func(l, part int, x []float64) // is given what goes into o (0) and down (1) of a layer; nil: nobody looks
	turn func(point int, x []float64)   // may change the stream in front of a layer's two halves, and behind the last; nil: nobody does
	out  []float64                      // logits of the last text
}

func newLlama(g *graph.Graph) *llama {
	m := &llama{w: map[string][]float64{}, kv: slices.Repeat([]int{2}, llamaLayers), ffn: slices.Repeat([]int{6}, llamaLayers)}
	for _, v := range g.Params() {
		m.names = append(m.names, v.Name)
		for _, x := range v.Const.F32() {
			m.w[v.Name] = append(m.w[v.Name], float64(x))
		}
	}
	return m
}

func layerWeight(l int, name string) string {
	return fmt.Sprintf("model.layers.%d.%s.weight", l, name)
}

// times is x times a matrix, of a token.
func times(x, w []float64) []float64 {
	out := make([]float64, len(w)/len(x))
	for i, a := range x {
		for o := range out {
			out[o] += a * w[i*len(out)+o]
		}
	}
	return out
}

func rmsNorm(x, w []float64) []float64 {
	s := 0.
	for _, a := range x {
		s += a * a / float64(len(x))
	}
	out := make([]float64, len(x))
	for i, a := range x {
		out[i] = a / math.Sqrt(s+1e-5) * w[i]
	}
	return out
}

// turn is the rotation by a position of heads of size 2, whose one frequency is 1.
func turn(x []float64, at int) {
	c, s := math.Cos(float64(at)), math.Sin(float64(at))
	for i := 0; i < len(x); i += llamaHead {
		x[i], x[i+1] = x[i]*c-x[i+1]*s, x[i+1]*c+x[i]*s
	}
}

// run gives what goes into every layer and out of the last, and the mean loss of a text.
func (m *llama) run(ids, next []int32) (states [][][]float64, loss float64) {
	h := make([][]float64, len(ids))
	for t, id := range ids {
		h[t] = slices.Clone(m.w["model.embed_tokens.weight"][int(id)*llamaWidth : (int(id)+1)*llamaWidth])
	}
	keep := func() {
		var s [][]float64
		for _, x := range h {
			s = append(s, slices.Clone(x))
		}
		states = append(states, s)
	}
	change := func(point int) {
		for _, x := range h {
			if m.turn != nil {
				m.turn(point, x)
			}
		}
	}
	m.out = nil
	for l := range llamaLayers {
		keep()
		change(2 * l)
		of := func(name string) []float64 { return m.w[layerWeight(l, name)] }
		q, k, v := make([][]float64, len(h)), make([][]float64, len(h)), make([][]float64, len(h))
		for t, x := range h {
			n := rmsNorm(x, of("input_layernorm"))
			q[t], k[t], v[t] = times(n, of("self_attn.q_proj")), times(n, of("self_attn.k_proj")), times(n, of("self_attn.v_proj"))
			turn(q[t], t)
			turn(k[t], t)
		}
		for t := range h {
			ctx := make([]float64, len(q[t]))
			for n := range m.kv[l] * llamaShare {
				p, sum, on := make([]float64, t+1), 0., n/llamaShare*llamaHead
				for u := range p {
					for i := range llamaHead {
						p[u] += q[t][n*llamaHead+i] * k[u][on+i] / math.Sqrt(llamaHead)
					}
					p[u] = math.Exp(p[u])
					sum += p[u]
				}
				for u := range p {
					for i := range llamaHead {
						ctx[n*llamaHead+i] += p[u] / sum * v[u][on+i]
					}
				}
			}
			if m.look != nil {
				m.look(l, 0, ctx)
			}
			for i, x := range times(ctx, of("self_attn.o_proj")) {
				h[t][i] += x
			}
		}
		change(2*l + 1)
		for _, x := range h {
			n := rmsNorm(x, of("post_attention_layernorm"))
			a, b := times(n, of("mlp.gate_proj")), times(n, of("mlp.up_proj"))
			for i, z := range a {
				a[i] = z / (1 + math.Exp(-z)) * b[i]
			}
			if m.look != nil {
				m.look(l, 1, a)
			}
			for i, z := range times(a, of("mlp.down_proj")) {
				x[i] += z
			}
		}
	}
	keep()
	for t, x := range h {
		z := times(rmsNorm(x, m.w["model.norm.weight"]), m.w["lm_head.weight"])
		sum := 0.
		m.out = append(m.out, z...)
		for _, a := range z {
			sum += math.Exp(a)
		}
		loss += (math.Log(sum) - z[next[t]]) / float64(len(h))
	}
	return states, loss
}

// loss is the mean over all texts.
func (m *llama) loss(d *dataset.Set) (sum float64) {
	for i := range llamaTexts {
		_, l := m.run(d.Fields[0].Ints[i*llamaLength:(i+1)*llamaLength], d.Fields[1].Ints[i*llamaLength:(i+1)*llamaLength])
		sum += l / llamaTexts
	}
	return sum
}

// gradient is a quotient of differences.
func (m *llama) gradient(d *dataset.Set, name string) []float64 {
	const h = 1e-5
	w := m.w[name]
	out := make([]float64, len(w))
	for i, x := range w {
		w[i] = x + h
		up := m.loss(d)
		w[i] = x - h
		out[i] = (up - m.loss(d)) / (2 * h)
		w[i] = x
	}
	return out
}

func (m *llama) params() (n int64) {
	for _, w := range m.w {
		n += int64(len(w))
	}
	return n
}

// cosines are the means over tokens of the cosines of what enters and leaves each layer.
func (m *llama) cosines(d *dataset.Set) []float64 {
	out := make([]float64, llamaLayers)
	for i := range llamaTexts {
		states, _ := m.run(d.Fields[0].Ints[i*llamaLength:(i+1)*llamaLength], d.Fields[1].Ints[i*llamaLength:(i+1)*llamaLength])
		for l := range out {
			for t := range llamaLength {
				a, b := states[l][t], states[l+1][t]
				ab, aa, bb := 0., 0., 0.
				for k := range a {
					ab, aa, bb = ab+a[k]*b[k], aa+a[k]*a[k], bb+b[k]*b[k]
				}
				out[l] += ab / math.Sqrt(aa*bb) / (llamaTexts * llamaLength)
			}
		}
	}
	return out
}

// parts are the matrices of a layer's heads, or of its neurons, and how many of their rows or
// columns are one channel's.
func parts(l int, heads bool) map[string]struct {
	rows bool
	n    int
} {
	type p = struct {
		rows bool
		n    int
	}
	if heads {
		return map[string]p{layerWeight(l, "self_attn.q_proj"): {false, llamaShare * llamaHead}, layerWeight(l, "self_attn.k_proj"): {false, llamaHead},
			layerWeight(l, "self_attn.v_proj"): {false, llamaHead}, layerWeight(l, "self_attn.o_proj"): {true, llamaShare * llamaHead}}
	}
	return map[string]p{layerWeight(l, "mlp.gate_proj"): {false, 1}, layerWeight(l, "mlp.up_proj"): {false, 1}, layerWeight(l, "mlp.down_proj"): {true, 1}}
}

// channel says which channel an entry of a matrix belongs to.
func channel(i, width, n int, rows bool) int {
	if rows {
		return i / llamaWidth / n
	}
	return i % width / n
}

// prune cuts to a number of parameters, in at most 20 cuts of a twentieth.
func (m *llama) prune(d *dataset.Set, target int64) (cuts []AdaptCut) {
	type root struct{ l, first, unit int }
	var roots []root
	for l := range llamaLayers {
		roots = append(roots, root{l, m.kv[l], llamaHead}, root{l, m.ffn[l], 1})
	}
	ratio := make([]float64, len(roots))
	for m.params() > target && len(cuts) < 20 {
		cos := m.cosines(d)
		mean, most := 0., 0.
		for _, c := range cos { // each layer counts twice, which changes nothing
			mean -= c / llamaLayers
		}
		for _, c := range cos {
			most = math.Max(most, math.Abs(-c-mean))
		}
		gradient := map[string][]float64{}
		gone := make([][]int, len(roots))
		for i, r := range roots {
			ratio[i] = math.Min(.99, math.Max(0, ratio[i]+1./20-.03*(-cos[r.l]-mean)/most))
			now := m.ffn[r.l]
			if i%2 == 0 {
				now = m.kv[r.l]
			}
			stay := math.Floor(float64(r.first*r.unit)*(1-ratio[i]) + 1e-9)
			n := min(now-1, int(math.Max(0, float64(now*r.unit)-stay))/r.unit)
			score := make([]float64, now)
			for name, p := range parts(r.l, i%2 == 0) {
				if n == 0 {
					continue
				}
				if gradient[name] == nil {
					gradient[name] = m.gradient(d, name)
				}
				for k, w := range m.w[name] {
					score[channel(k, now*p.n, p.n, p.rows)] += math.Abs(w * gradient[name][k])
				}
			}
			for range n {
				least := -1
				for c := range score {
					if !slices.Contains(gone[i], c) && (least < 0 || score[c] < score[least]) {
						least = c
					}
				}
				gone[i] = append(gone[i], least)
			}
		}
		for i, r := range roots {
			now := &m.ffn[r.l]
			if i%2 == 0 {
				now = &m.kv[r.l]
			}
			for name, p := range parts(r.l, i%2 == 0) {
				var left []float64
				for k, w := range m.w[name] {
					if !slices.Contains(gone[i], channel(k, *now*p.n, p.n, p.rows)) {
						left = append(left, w)
					}
				}
				m.w[name] = left
			}
			*now -= len(gone[i])
		}
		c := AdaptCut{Ratio: slices.Clone(ratio), Params: m.params()}
		for _, x := range cos {
			c.Importance = append(c.Importance, -x)
		}
		cuts = append(cuts, c)
	}
	return cuts
}

// step is one of gradient descent with momentum on all texts.
func (m *llama) step(d *dataset.Set, lr float64, moment map[string][]float64) {
	g := map[string][]float64{}
	for _, name := range m.names {
		g[name] = m.gradient(d, name)
	}
	for _, name := range m.names {
		if moment[name] == nil {
			moment[name] = make([]float64, len(m.w[name]))
		}
		for i := range m.w[name] {
			moment[name][i] = .9*moment[name][i] + g[name][i]
			m.w[name][i] -= lr * moment[name][i]
		}
	}
}

// Run is what plain loops over float64 come to: two stages of cuts by importance, rate and
// sensitivity, and of three steps of training in all one after the first and two after the
// second, by one schedule of rates, with moments that begin anew.
func TestAdaptOracle(t *testing.T) {
	j := llamaJob(t)
	j.Recipe.Epochs = 3
	d := j.Data.Train
	m := newLlama(j.Graph)
	whole := m.params()
	s := NewAdaptPruner()
	s.Params, s.Stages, s.Cuts, s.Amplitude = model.Count(float64(int64(.6*float64(whole)))), 2, 20, .03
	last := int64(s.Params)
	targets := []int64{whole - int64(math.Round(float64(whole-last)/2)), last}
	// The rate rises to its peak at the first step, and falls over the last third of three
	// steps: at step 2 it is where the fall begins.
	rate, err := train.ParseRate(j.Recipe.Schedule, j.Recipe.LR, 3)
	if err != nil {
		t.Fatal(err)
	}
	var want [][]AdaptCut
	for stage, steps := range [][]int{{0}, {1, 2}} {
		want = append(want, m.prune(d, targets[stage]))
		moment := map[string][]float64{}
		for _, k := range steps {
			m.step(d, rate(k), moment)
		}
	}
	r := modeltest.Run(t, s, j)
	f := r.Facts.(*AdaptFacts)
	if len(f.Stages) != 2 || f.Stages[0].From != 0 || f.Stages[0].Until != 1 || f.Stages[1].From != 1 || f.Stages[1].Until != 3 {
		t.Fatalf("stages %+v", f.Stages)
	}
	near := func(a, b []float64, most float64) bool {
		return slices.EqualFunc(a, b, func(x, y float64) bool { return math.Abs(x-y) <= most })
	}
	for i, st := range f.Stages {
		if st.Target.Params != targets[i] || len(st.Cuts) != len(want[i]) {
			t.Fatalf("stage %d: %d cuts to %d, want %d to %d", i, len(st.Cuts), st.Target.Params, len(want[i]), targets[i])
		}
		for k, c := range st.Cuts {
			w := want[i][k]
			if !near(c.Importance, w.Importance, 1e-5) || !near(c.Ratio, w.Ratio, 1e-4) || c.Params != w.Params {
				t.Errorf("stage %d, cut %d: %+v, want %+v", i, k, c, w)
			}
		}
	}
	for i, root := range f.Roots {
		n := m.ffn[i/2]
		if i%2 == 0 {
			n = m.kv[i/2]
		}
		if root.After != n {
			t.Errorf("%s keeps %d, want %d", root.Name, root.After, n)
		}
	}
	for _, v := range r.Graph.Params() {
		w := m.w[v.Name]
		if len(w) != v.Const.Len() {
			t.Fatalf("%s has %d entries, want %d", v.Name, v.Const.Len(), len(w))
		}
		for i, x := range v.Const.F32() {
			if math.Abs(float64(x)-w[i]) > 2e-5 {
				t.Fatalf("%s[%d] is %v, want %v", v.Name, i, x, w[i])
			}
		}
	}
}
