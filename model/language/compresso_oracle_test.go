package language

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pare/dataset"
	"pare/engine"
	"pare/internal/modeltest"
	"pare/model"
)

// A number with its derivative, and what it was computed from: enough to train a small
// decoder by, in float64 and plain loops.
type num struct {
	v, g float64
	of   [2]*num
	by   [2]float64
}

type tape struct{ all []*num }

func (t *tape) put(v float64, a, b *num, da, db float64) *num {
	n := &num{v: v, of: [2]*num{a, b}, by: [2]float64{da, db}}
	t.all = append(t.all, n)
	return n
}
func (t *tape) leaf(v float64) *num             { return t.put(v, nil, nil, 0, 0) }
func (t *tape) add(a, b *num) *num              { return t.put(a.v+b.v, a, b, 1, 1) }
func (t *tape) mul(a, b *num) *num              { return t.put(a.v*b.v, a, b, b.v, a.v) }
func (t *tape) times(a *num, x float64) *num    { return t.put(a.v*x, a, nil, x, 0) }
func (t *tape) f(a *num, v, slope float64) *num { return t.put(v, a, nil, slope, 0) }

func (t *tape) exp(a *num) *num { e := math.Exp(a.v); return t.f(a, e, e) }
func (t *tape) log(a *num) *num { return t.f(a, math.Log(a.v), 1/a.v) }
func (t *tape) inverse(a *num) *num {
	return t.f(a, 1/a.v, -1/(a.v*a.v))
}
func (t *tape) sum(xs []*num) *num {
	s := xs[0]
	for _, x := range xs[1:] {
		s = t.add(s, x)
	}
	return s
}

func (t *tape) dot(a, b []*num) *num {
	var ps []*num
	for i := range a {
		ps = append(ps, t.mul(a[i], b[i]))
	}
	return t.sum(ps)
}

// back writes the derivatives of a number.
func (t *tape) back(of *num) {
	of.g = 1
	for i := len(t.all) - 1; i >= 0; i-- {
		n := t.all[i]
		for k, a := range n.of {
			if a != nil {
				a.g += n.g * n.by[k]
			}
		}
	}
}

// linear is x times a matrix [in out].
func (t *tape) linear(x []*num, w [][]*num) []*num {
	out := make([]*num, len(w[0]))
	for o := range out {
		col := make([]*num, len(x))
		for i := range x {
			col[i] = w[i][o]
		}
		out[o] = t.dot(x, col)
	}
	return out
}

// tiny is the size of the oracle's decoder.
var tiny = struct{ hidden, layers, heads, kv, head, wide, vocab, seq int }{8, 2, 4, 2, 2, 6, 11, 4}

// byHandCompresso is the method's training in float64.
type byHandCompresso struct {
	w        map[string][]float64 // by weight
	a, b     map[string][]float64 // products, by weight
	logit    []float64
	moments  map[string][2][]float64
	lambda   [2]float64
	expected []float64
}

func (h *byHandCompresso) names(layer int) (heads, wide int) { // where gates begin
	each := tiny.kv + tiny.wide
	return layer * each, layer*each + tiny.kv
}

func (h *byHandCompresso) stream() int { return tiny.layers * (tiny.kv + tiny.wide) }

func (h *byHandCompresso) p(a float64) float64 {
	p := 1 - 1/(1+math.Exp(-(2./3*math.Log(1./11)-a)))
	return math.Min(1-1e-6, math.Max(1e-6, p))
}

// sparsity is by sums of what is kept.
func (h *byHandCompresso) sparsity(kept func(gate int) float64) float64 {
	s, n := 0., 0.
	for c := range tiny.hidden {
		s += kept(h.stream() + c)
	}
	for l := range tiny.layers {
		at, wide := h.names(l)
		for c := range tiny.kv {
			n += float64(2*tiny.heads/tiny.kv*tiny.head+2*tiny.head) * kept(at+c)
		}
		for c := range tiny.wide {
			n += 3 * kept(wide+c)
		}
	}
	whole := tiny.layers * tiny.hidden * (2*tiny.heads*tiny.head + 2*tiny.kv*tiny.head + 3*tiny.wide)
	return 1 - s*n/float64(whole)
}

// loss is the mean over the places that count of a batch, with gates and products; it gives
// the gates' and the products' leaves.
func (h *byHandCompresso) loss(ids, next [][]int, z []float64, rank int, scale float64) (float64, []*num, map[string][]*num) {
	t := &tape{}
	gates := make([]*num, len(z))
	for i, x := range z {
		gates[i] = t.leaf(x)
	}
	leaves := map[string][]*num{}
	mat := func(name string, in, out int) [][]*num {
		m := make([][]*num, in)
		for i := range m {
			m[i] = make([]*num, out)
			for o := range m[i] {
				m[i][o] = t.leaf(h.w[name][i*out+o])
			}
		}
		if h.a[name] != nil {
			for _, x := range h.a[name] {
				leaves[name+".a"] = append(leaves[name+".a"], t.leaf(x))
			}
			for _, x := range h.b[name] {
				leaves[name+".b"] = append(leaves[name+".b"], t.leaf(x))
			}
			for i := range m {
				for o := range m[i] {
					for k := range rank {
						m[i][o] = t.add(m[i][o], t.times(t.mul(leaves[name+".b"][o*rank+k], leaves[name+".a"][k*in+i]), scale))
					}
				}
			}
		}
		return m
	}
	norm := func(name string, x []*num) []*num {
		ms := t.times(t.dot(x, x), 1/float64(tiny.hidden))
		r := math.Sqrt(ms.v + 1e-3)
		inv := t.f(ms, 1/r, -.5/(r*r*r))
		out := make([]*num, len(x))
		for c := range x {
			out[c] = t.times(t.mul(x[c], inv), h.w[name][c])
		}
		return out
	}
	gate := func(x []*num, at, each int) []*num {
		out := make([]*num, len(x))
		for i := range x {
			out[i] = t.mul(x[i], gates[at+i/each])
		}
		return out
	}
	both := func(x, y []*num) []*num {
		out := make([]*num, len(x))
		for i := range x {
			out[i] = t.add(x[i], y[i])
		}
		return out
	}
	turn := func(x []*num, at int) []*num { // heads of two places turn by one angle
		out := make([]*num, len(x))
		for i := 0; i < len(x); i += 2 {
			c, s := math.Cos(float64(at)), math.Sin(float64(at))
			out[i] = t.add(t.times(x[i], c), t.times(x[i+1], -s))
			out[i+1] = t.add(t.times(x[i+1], c), t.times(x[i], s))
		}
		return out
	}
	type layer struct{ q, k, v, o, gate, up, down [][]*num }
	var ls []layer
	for l := range tiny.layers {
		n := func(s string, in, out int) [][]*num {
			return mat(fmt.Sprintf("model.layers.%d.%s.weight", l, s), in, out)
		}
		d, qd, kd := tiny.hidden, tiny.heads*tiny.head, tiny.kv*tiny.head
		ls = append(ls, layer{n("self_attn.q_proj", d, qd), n("self_attn.k_proj", d, kd), n("self_attn.v_proj", d, kd), n("self_attn.o_proj", qd, d), n("mlp.gate_proj", d, tiny.wide), n("mlp.up_proj", d, tiny.wide), n("mlp.down_proj", tiny.wide, d)})
	}
	table := mat("model.embed_tokens.weight", tiny.vocab, tiny.hidden)
	var losses []*num
	for s, row := range ids {
		xs := make([][]*num, len(row))
		for i, id := range row {
			xs[i] = gate(table[id], h.stream(), 1)
		}
		for l, w := range ls {
			name := fmt.Sprintf("model.layers.%d.", l)
			at, wide := h.names(l)
			qs, ks, vs := make([][]*num, len(xs)), make([][]*num, len(xs)), make([][]*num, len(xs))
			for i, x := range xs {
				n := norm(name+"input_layernorm.weight", x)
				qs[i], ks[i], vs[i] = turn(t.linear(n, w.q), i), turn(t.linear(n, w.k), i), t.linear(n, w.v)
			}
			for i := range xs {
				var y []*num
				for hd := range tiny.heads {
					kv := hd / (tiny.heads / tiny.kv)
					part := func(x []*num, of int) []*num { return x[of*tiny.head : (of+1)*tiny.head] }
					var e []*num
					for k := 0; k <= i; k++ {
						e = append(e, t.exp(t.times(t.dot(part(qs[i], hd), part(ks[k], kv)), 1/math.Sqrt(float64(tiny.head)))))
					}
					inv := t.inverse(t.sum(e))
					for c := range tiny.head {
						var ps []*num
						for k := range e {
							ps = append(ps, t.mul(t.mul(e[k], inv), part(vs[k], kv)[c]))
						}
						y = append(y, t.sum(ps))
					}
				}
				xs[i] = both(xs[i], gate(t.linear(gate(y, at, tiny.head*tiny.heads/tiny.kv), w.o), h.stream(), 1))
			}
			for i, x := range xs {
				n := norm(name+"post_attention_layernorm.weight", x)
				g, u := gate(t.linear(n, w.gate), wide, 1), gate(t.linear(n, w.up), wide, 1)
				y := make([]*num, tiny.wide)
				for c := range y {
					s := 1 / (1 + math.Exp(-g[c].v))
					y[c] = t.mul(t.f(g[c], g[c].v*s, s+g[c].v*s*(1-s)), u[c])
				}
				xs[i] = both(x, gate(t.linear(y, w.down), h.stream(), 1))
			}
		}
		for i, x := range xs {
			if next[s][i] < 0 {
				continue
			}
			n := norm("model.norm.weight", x)
			var es []*num
			var right *num
			for id := range tiny.vocab {
				y := t.dot(n, table[id])
				if id == next[s][i] {
					right = y
				}
				es = append(es, t.exp(y))
			}
			losses = append(losses, t.add(t.log(t.sum(es)), t.times(right, -1)))
		}
	}
	loss := t.times(t.sum(losses), 1/float64(len(losses)))
	t.back(loss)
	return loss.v, gates, leaves
}

// adam moves numbers of a name against their gradient.
func (h *byHandCompresso) adam(name string, x, g []float64, lr float64, step int) {
	m, ok := h.moments[name]
	if !ok {
		m = [2][]float64{make([]float64, len(x)), make([]float64, len(x))}
		h.moments[name] = m
	}
	for i := range x {
		m[0][i] = .9*m[0][i] + .1*g[i]
		m[1][i] = .999*m[1][i] + .001*g[i]*g[i]
		x[i] -= lr * m[0][i] / (1 - math.Pow(.9, float64(step+1))) / (math.Sqrt(m[1][i]/(1-math.Pow(.999, float64(step+1)))) + 1e-8)
	}
}

// The whole of the method: draws, gates, products, multipliers, hardening, folding and
// cutting of a decoder whose table is the output layer too, with labels that do not count.
func TestCompressoOracle(t *testing.T) {
	config := llamaConfig(tiny.hidden, tiny.layers, tiny.heads, tiny.kv, tiny.wide, `,"vocab_size":11,"head_dim":2,"tie_word_embeddings":true`)
	s := quick()
	s.Rank, s.Alpha, s.LoraLR, s.Sparsity, s.Rise, s.GateLR, s.Multiplier = 2, 3, .01, .3, "cubic", .8, 1
	r := rand.New(rand.NewPCG(11, 12))
	x := &dataset.Field{Name: "text", Shape: []int{tiny.seq}, Tokens: tiny.vocab}
	y := &dataset.Field{Name: "next", Shape: []int{tiny.seq}, Classes: tiny.vocab}
	for range 12 {
		for i := range tiny.seq {
			x.Ints = append(x.Ints, int32(r.IntN(tiny.vocab)))
			if y.Ints = append(y.Ints, int32(r.IntN(tiny.vocab))); i == 0 || r.IntN(4) == 0 {
				y.Ints[len(y.Ints)-1] = -1
			}
		}
	}
	set := dataset.New("tokens", x, y)
	j := &model.Job{Graph: drawn(t, config), Data: &dataset.Data{Train: set, Norm: dataset.Raw}, Seed: 3, Engine: engine.Options{Threads: 1},
		Recipe: model.Recipe{Epochs: 6, Batch: 3, LR: .01, Schedule: "constant", Optimizer: "adam"}}

	h := &byHandCompresso{w: map[string][]float64{}, a: map[string][]float64{}, b: map[string][]float64{}, moments: map[string][2][]float64{}}
	for _, v := range j.Graph.Params() {
		for _, e := range v.Const.F32() {
			h.w[v.Name] = append(h.w[v.Name], float64(e))
		}
	}
	draw := rand.New(rand.NewPCG(j.Seed, 0x9e49))
	var adapted []string
	for l := range tiny.layers {
		for _, p := range []string{"q", "v"} {
			name := fmt.Sprintf("model.layers.%d.self_attn.%s_proj.weight", l, p)
			adapted = append(adapted, name)
			out := len(h.w[name]) / tiny.hidden
			for range s.Rank * tiny.hidden {
				h.a[name] = append(h.a[name], float64(float32((2*draw.Float64()-1)/math.Sqrt(float64(tiny.hidden)))))
			}
			h.b[name] = make([]float64, out*s.Rank)
		}
	}
	draw = rand.New(rand.NewPCG(j.Seed, 0x10))
	for i := range h.stream() + tiny.hidden {
		mean := 10.
		if k := i % (tiny.kv + tiny.wide); i < h.stream() && k >= tiny.kv {
			mean = math.Log(99)
		}
		h.logit = append(h.logit, mean+.01*draw.NormFloat64())
	}
	load := &dataset.Loader{Set: set, Size: 3, Norm: dataset.Raw, Shuffle: true, Seed: j.Seed}
	steps, scale := 24, s.Alpha/float64(s.Rank)
	var losses []float64
	for step := range steps {
		to := []dataset.Buffer{{Field: 0, I: make([]int64, 3*tiny.seq)}, {Field: 1, I: make([]int64, 3*tiny.seq)}}
		if _, err := load.Fill(step/4, step%4, to); err != nil {
			t.Fatal(err)
		}
		var ids, next [][]int
		for i := range 3 {
			var a, b []int
			for k := range tiny.seq {
				a, b = append(a, int(to[0].I[i*tiny.seq+k])), append(b, int(to[1].I[i*tiny.seq+k]))
			}
			ids, next = append(ids, a), append(next, b)
		}
		draw := rand.New(rand.NewPCG(j.Seed, 0x35<<48|uint64(step)))
		z, ys := make([]float64, len(h.logit)), make([]float64, len(h.logit))
		for i, a := range h.logit {
			u := 1e-6 + (1-2e-6)*draw.Float64()
			ys[i] = 1 / (1 + math.Exp(-(math.Log(u)-math.Log(1-u)+a)*1.5))
			z[i] = math.Min(1, math.Max(0, 1.2*ys[i]-.1))
		}
		loss, gates, leaves := h.loss(ids, next, z, s.Rank, scale)
		losses = append(losses, loss)
		e := h.sparsity(func(i int) float64 { return h.p(h.logit[i]) })
		target := s.Sparsity
		if step < steps/2 {
			target *= 1 - math.Pow(1-float64(step)/float64(steps/2), 3)
		}
		grads := make([]float64, len(h.logit))
		for i := range h.logit {
			if z[i] > 0 && z[i] < 1 {
				grads[i] = gates[i].g * 1.2 * ys[i] * (1 - ys[i]) * 1.5
			}
			if p := h.p(h.logit[i]); p > 1e-6 && p < 1-1e-6 { // e is linear in every chance
				up := h.sparsity(func(k int) float64 {
					if k == i {
						return p + 1
					}
					return h.p(h.logit[k])
				})
				grads[i] += (h.lambda[0] + 2*h.lambda[1]*(e-target)) * (up - e) * p * (1 - p)
			}
		}
		h.adam("logits", h.logit, grads, s.GateLR, step)
		for i := range h.logit {
			h.logit[i] = math.Max(math.Log(.01), math.Min(math.Log(100), h.logit[i]))
		}
		l := h.lambda[:]
		h.adam("multipliers", l, []float64{-(e - target), -(e - target) * (e - target)}, s.Multiplier, step)
		for name, ns := range leaves {
			var g []float64
			for _, n := range ns {
				g = append(g, n.g)
			}
			of := h.a[name[:len(name)-2]]
			if name[len(name)-1] == 'b' {
				of = h.b[name[:len(name)-2]]
			}
			h.adam(name, of, g, s.LoraLR*(1-float64(step)/float64(steps)), step)
		}
		if step%4 == 3 {
			h.expected = append(h.expected, h.sparsity(func(i int) float64 { return h.p(h.logit[i]) }))
		}
	}

	seen := 0
	j.OnStep = func(_, _ int, loss float64) {
		if seen < steps && math.Abs(loss-losses[seen]) > 2e-5*losses[seen] {
			t.Errorf("step %d: loss %v, want %v", seen, loss, losses[seen])
		}
		seen++
	}
	res := modeltest.Run(t, s, j)
	f := res.Facts.(*CompressoFacts)
	if seen != steps || len(f.Expected) != 6 || f.Epoch == 0 {
		t.Fatalf("%d steps, %+v", seen, f)
	}
	for i, e := range f.Expected {
		if math.Abs(e-h.expected[i]) > 1e-4 {
			t.Errorf("expected sparsity %v after epoch %d, want %v", e, i+1, h.expected[i])
		}
	}
	for i, x := range f.Multipliers {
		if math.Abs(x-h.lambda[i]) > 1e-4 {
			t.Errorf("multiplier %d is %v, want %v", i+1, x, h.lambda[i])
		}
	}
	h.compare(t, s, res, adapted)
}

// compare hardens, folds and cuts.
func (h *byHandCompresso) compare(t *testing.T, s *Compresso, res *model.Result, adapted []string) {
	z := make([]float64, len(h.logit))
	harden := func(at, n int) {
		gone := float64(n)
		order := make([]int, n)
		for i := range n {
			order[i] = at + i
			gone -= h.p(h.logit[at+i])
		}
		slices.SortStableFunc(order, func(a, b int) int {
			if h.logit[a] < h.logit[b] {
				return -1
			}
			return 1
		})
		for _, i := range order[int(math.Round(gone)):] {
			z[i] = 1 / (1 + math.Exp(-.8*1.5*h.logit[i]))
		}
	}
	for l := range tiny.layers {
		at, wide := h.names(l)
		harden(at, tiny.kv)
		harden(wide, tiny.wide)
	}
	harden(h.stream(), tiny.hidden)
	f := res.Facts.(*CompressoFacts)
	hard := h.sparsity(func(i int) float64 { return math.Ceil(z[i]) })
	if math.Abs(f.Hard-hard) > 1e-12 {
		t.Fatalf("hard sparsity %v, want %v", f.Hard, hard)
	}
	starts := []int{}
	for l := range tiny.layers {
		at, wide := h.names(l)
		starts = append(starts, at, wide)
	}
	starts = append(starts, h.stream())
	for i, v := range f.Vectors { // what was adjusted is checked by itself
		for k, c := range v.Kept {
			want := 1 / (1 + math.Exp(-.8*1.5*h.logit[starts[i]+c]))
			if math.Abs(v.Gates[k]-want) > 1e-4 || z[starts[i]+c] == 0 && f.Adjusted <= 0 {
				t.Errorf("%s: gate %d is %v, want %v", v.Name, c, v.Gates[k], z[starts[i]+c])
			}
		}
		for c := range v.Of {
			if z[starts[i]+c] != 0 && !slices.Contains(v.Kept, c) && f.Adjusted >= 0 {
				t.Errorf("%s: %d is gone", v.Name, c)
			}
		}
		clear(z[starts[i] : starts[i]+v.Of])
		for k, c := range v.Kept {
			z[starts[i]+c] = v.Gates[k]
		}
	}
	for _, name := range adapted {
		for i := range h.w[name] {
			in, out := i/(len(h.w[name])/tiny.hidden), i%(len(h.w[name])/tiny.hidden)
			for k := range s.Rank {
				h.w[name][i] += s.Alpha / float64(s.Rank) * h.b[name][out*s.Rank+k] * h.a[name][k*tiny.hidden+in]
			}
		}
	}
	one := func(int) float64 { return 1 }
	stream := func(i int) float64 { return z[h.stream()+i] }
	check := func(name string, rows, cols int, row, col func(i int) float64, stays, remains func(i int) float64) {
		v := res.Graph.Value(name)
		var want []float64
		for i := range rows {
			for k := range cols {
				if stays(i) != 0 && remains(k) != 0 {
					want = append(want, h.w[name][i*cols+k]*row(i)*col(k))
				}
			}
		}
		if v == nil || v.Const.Len() != len(want) {
			t.Errorf("%s: it is %v, want %d numbers", name, v, len(want))
			return
		}
		for i, x := range v.Const.F32() {
			if math.Abs(float64(x)-want[i]) > 1e-4*math.Max(1, math.Abs(want[i])) {
				t.Errorf("%s[%d] is %v, want %v", name, i, x, want[i])
				return
			}
		}
	}
	check("model.embed_tokens.weight", tiny.vocab, tiny.hidden, one, stream, one, stream)
	check("model.norm.weight", 1, tiny.hidden, one, func(i int) float64 { return 1 / stream(i) }, one, stream)
	for l := range tiny.layers {
		name := func(s string) string { return fmt.Sprintf("model.layers.%d.%s.weight", l, s) }
		at, wide := h.names(l)
		query := func(i int) float64 { return z[at+i/(tiny.head*tiny.heads/tiny.kv)] }
		key := func(i int) float64 { return z[at+i/tiny.head] }
		place := func(i int) float64 { return z[wide+i] }
		check(name("mlp.gate_proj"), tiny.hidden, tiny.wide, one, place, stream, place)
		check(name("mlp.up_proj"), tiny.hidden, tiny.wide, one, place, stream, place)
		check(name("mlp.down_proj"), tiny.wide, tiny.hidden, one, stream, place, stream)
		if slices.Max(z[at:at+tiny.kv]) == 0 { // the branch is gone
			if v := res.Graph.Value(name("input_layernorm")); v != nil {
				t.Errorf("%s stays", v.Name)
			}
			continue
		}
		check(name("self_attn.q_proj"), tiny.hidden, tiny.heads*tiny.head, one, one, stream, query)
		check(name("self_attn.k_proj"), tiny.hidden, tiny.kv*tiny.head, one, one, stream, key)
		check(name("self_attn.v_proj"), tiny.hidden, tiny.kv*tiny.head, one, one, stream, key)
		check(name("self_attn.o_proj"), tiny.heads*tiny.head, tiny.hidden, query, stream, query, stream)
		check(name("input_layernorm"), 1, tiny.hidden, one, one, one, stream)
	}
}
