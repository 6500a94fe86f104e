package structured

import (
	"fmt"
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
	"pare/internal/oracle"
	"pare/model"
	"pare/prune"
	"pare/tensor"
	"pare/zoo"
)

// The network of these tests: texts of 3 tokens of width 6, two layers of attention of
// some heads of size 2 beside a shortcut, the mean over tokens, a classifier.
const (
	tokens  = 3
	wide    = 6
	size    = 2
	classes = 3
)

// attentionJob makes such a network with samples. heads is of each layer.
func attentionJob(t *testing.T, heads ...int) *model.Job {
	t.Helper()
	g := graph.New("attention", 17)
	x := &graph.Value{Name: "x", DType: tensor.Float32, Shape: graph.Shape{graph.Sym("N"), graph.N(tokens), graph.N(wide)}}
	g.Inputs = []*graph.Value{x}
	b, r := op.NewBuilder(g, "n"), rand.New(rand.NewPCG(11, 5))
	weight := func(name string, shape ...int) *graph.Value {
		w := tensor.New(tensor.Float32, shape...)
		for i := range w.F32() {
			w.F32()[i] = float32(.5 * r.NormFloat64())
		}
		return g.Const(name, w, graph.Param)
	}
	perm := func(v *graph.Value, p ...int) *graph.Value {
		return b.Attr("Transpose", []graph.Attr{graph.MakeAttr("perm", p)}, v)
	}
	h := x
	for l, n := range heads {
		split := func(part string) *graph.Value {
			y := b.Op("Add", b.Op("MatMul", h, weight(fmt.Sprintf("%d.%s.weight", l, part), wide, n*size)), weight(fmt.Sprintf("%d.%s.bias", l, part), n*size))
			return perm(b.Op("Reshape", y, b.Ints(0, tokens, n, size)), 0, 2, 1, 3)
		}
		q, k, v := split("q"), split("k"), split("v")
		a := b.Attr("Softmax", []graph.Attr{graph.MakeAttr("axis", -1)}, b.Op("Mul", b.Op("MatMul", q, perm(k, 0, 1, 3, 2)), b.Scalar(1/math.Sqrt(size), x)))
		c := b.Op("Reshape", perm(b.Op("MatMul", a, v), 0, 2, 1, 3), b.Ints(0, tokens, n*size))
		h = b.Op("Add", h, b.Op("Add", b.Op("MatMul", c, weight(fmt.Sprintf("%d.o.weight", l), n*size, wide)), weight(fmt.Sprintf("%d.o.bias", l), wide)))
	}
	y := b.Op("Gemm", b.Attr("ReduceMean", []graph.Attr{graph.MakeAttr("axes", []int{1}), graph.MakeAttr("keepdims", 0)}, h), weight("head.weight", wide, classes), weight("head.bias", classes))
	y.Name = "logits"
	g.Outputs = []*graph.Value{y}
	if b.Err() != nil {
		t.Fatal(b.Err())
	}
	if err := op.InferAll(g); err != nil {
		t.Fatal(err)
	}
	f, c := &dataset.Field{Name: "x", Shape: []int{tokens, wide}}, &dataset.Field{Name: "label", Classes: classes}
	for i := range 24 {
		for range tokens * wide {
			f.Floats = append(f.Floats, float32(r.NormFloat64()))
		}
		c.Ints = append(c.Ints, int32(i%classes))
	}
	return &model.Job{Graph: g, Data: &dataset.Data{Train: dataset.New("training", f, c), Norm: dataset.Raw}, Seed: 2, Engine: engine.Options{Threads: 1},
		Recipe: model.Recipe{Batch: 6, LR: .05, Schedule: "cosine", Optimizer: "sgd", Momentum: .9}}
}

// loss is the cross-entropy of a sample, where gates multiply the heads of each layer.
func attentionLoss(g *graph.Graph, x []float64, y int, gates [][]float64) float64 {
	of := func(name string) []float64 { return oracle.Wide(g.Value(name).Const.F32()) }
	times := func(x, w, b []float64, in, out int) []float64 { // for every token
		var z []float64
		for t := range len(x) / in {
			for o := range out {
				s := b[o]
				for k := range in {
					s += x[t*in+k] * w[k*out+o]
				}
				z = append(z, s)
			}
		}
		return z
	}
	h := slices.Clone(x)
	for l, gate := range gates {
		d := len(gate) * size
		part := func(p string) []float64 {
			return times(h, of(fmt.Sprintf("%d.%s.weight", l, p)), of(fmt.Sprintf("%d.%s.bias", l, p)), wide, d)
		}
		q, k, v := part("q"), part("k"), part("v")
		ctx := make([]float64, tokens*d)
		for n, f := range gate {
			for t := range tokens {
				p, sum := make([]float64, tokens), 0.
				for u := range tokens {
					for i := range size {
						p[u] += q[t*d+n*size+i] * k[u*d+n*size+i] / math.Sqrt(size)
					}
					p[u] = math.Exp(p[u])
					sum += p[u]
				}
				for u := range tokens {
					for i := range size {
						ctx[t*d+n*size+i] += f * p[u] / sum * v[u*d+n*size+i]
					}
				}
			}
		}
		for i, z := range times(ctx, of(fmt.Sprintf("%d.o.weight", l)), of(fmt.Sprintf("%d.o.bias", l)), d, wide) {
			h[i] += z
		}
	}
	mean := make([]float64, wide)
	for i, z := range h {
		mean[i%wide] += z / tokens
	}
	out := times(mean, of("head.weight"), of("head.bias"), wide, classes)
	sum := 0.
	for _, z := range out {
		sum += math.Exp(z)
	}
	return math.Log(sum) - out[y]
}

// Run rates heads by the absolute derivative of every sample's loss by a factor of the
// head, here a difference of losses in float64, and cuts the rows and columns of those
// least important.
func TestHeadsOracle(t *testing.T) {
	heads := []int{3, 4}
	for _, raw := range []bool{false, true} {
		j := attentionJob(t, heads...)
		set := j.Data.Train
		want := make([][]float64, len(heads))
		for l, n := range heads {
			want[l] = make([]float64, n)
			for h := range n {
				for i := range set.Len() {
					at := func(f float64) float64 {
						gates := [][]float64{{1, 1, 1}, {1, 1, 1, 1}}
						gates[l][h] = f
						return attentionLoss(j.Graph, oracle.Wide(set.X().Floats[i*tokens*wide:(i+1)*tokens*wide]), int(set.Label(i)), gates)
					}
					want[l][h] += math.Abs(at(1+1e-5)-at(1-1e-5)) / 2e-5 / float64(set.Len())
				}
			}
			if !raw {
				norm := 0.
				for _, x := range want[l] {
					norm += x * x
				}
				for h := range want[l] {
					want[l][h] /= math.Sqrt(norm)
				}
			}
		}
		// of 7 heads 3 go: the lowest but the best of each layer
		type place struct{ l, h int }
		var order []place
		for l := range want {
			for h, x := range want[l] {
				if x < slices.Max(want[l]) {
					order = append(order, place{l, h})
				}
			}
		}
		slices.SortFunc(order, func(a, b place) int {
			if want[a.l][a.h] < want[b.l][b.h] {
				return -1
			}
			return 1
		})
		gone := make([][]int, len(heads))
		for _, x := range order[:3] {
			gone[x.l] = append(gone[x.l], x.h)
		}
		s := NewHeads()
		s.Share, s.Raw = .45, raw
		whole, _ := j.Graph.Clone(true)
		r := modeltest.Run(t, s, j)
		f := r.Facts.(*HeadFacts)
		for l, layer := range f.Layers {
			slices.Sort(gone[l])
			if !slices.Equal(layer.Removed, gone[l]) && len(layer.Removed)+len(gone[l]) > 0 {
				t.Errorf("raw %v: of layer %d heads %v go, want %v", raw, l, layer.Removed, gone[l])
			}
			for h, x := range layer.Importance {
				if math.Abs(x-want[l][h]) > 1e-5*want[l][h]+1e-7 {
					t.Errorf("raw %v: head %d of layer %d is worth %v, want %v", raw, h, l, x, want[l][h])
				}
			}
			for _, part := range []string{"q", "k", "v"} {
				var left []float32
				for i, x := range whole.Value(fmt.Sprintf("%d.%s.weight", l, part)).Const.F32() {
					if !slices.Contains(gone[l], i%(heads[l]*size)/size) {
						left = append(left, x)
					}
				}
				if got := r.Graph.Value(fmt.Sprintf("%d.%s.weight", l, part)).Const.F32(); !slices.Equal(got, left) {
					t.Errorf("layer %d: %s is not what is left of it", l, part)
				}
			}
		}
	}
}

// Heads are found in an attention written out, and nothing else is taken for one.
func TestHeadGroups(t *testing.T) {
	for name, want := range map[string]int{"vit-tiny": 4, "gpt-tiny": 4, "bert-2-16-4": 2, "bert-2-16-1": 0, "resnet8": 0, "unet-8": 0, "mlp:16-8-4": 0} {
		g, err := zoo.New(name, zoo.Options{Seed: 1})
		if err != nil {
			t.Fatal(err)
		}
		heads, _ := headGroups(g, prune.Scope{})
		for _, grp := range heads {
			if !strings.Contains(grp.Name, "attn") || len(grp.Channels) > 4 {
				t.Errorf("%s: %v are taken for heads", name, grp)
			}
		}
		if len(heads) != want {
			t.Errorf("%s has %d groups of heads, want %d", name, len(heads), want)
		}
	}
}

// Every layer keeps a head; budgets are met with heads alone, or refused; data without
// labels do.
func TestHeadsTargets(t *testing.T) {
	s := NewHeads()
	s.Share = .99
	r := modeltest.Run(t, s, attentionJob(t, 3, 4))
	for _, l := range r.Facts.(*HeadFacts).Layers {
		if len(l.Importance)-len(l.Removed) != 1 {
			t.Errorf("%+v", l)
		}
	}
	s.Share, s.MACs, s.Params = 0, .7, .8
	f := modeltest.Run(t, s, attentionJob(t, 3, 4)).Facts.(*HeadFacts)
	if m, p := float64(f.After.MACs)/float64(f.Before.MACs), float64(f.After.Params)/float64(f.Before.Params); m > .7 || p > .8 || m < .5 {
		t.Errorf("%v of the multiply-accumulates and %v of the parameters stay", m, p)
	}
	s.Share = .6 // together: the stronger of the two
	if g := modeltest.Run(t, s, attentionJob(t, 3, 4)).Facts.(*HeadFacts); g.After.MACs > f.After.MACs {
		t.Errorf("%d after both, %d after the budgets alone", g.After.MACs, f.After.MACs)
	}
	s.Share, s.MACs = 0, .1
	modeltest.Refused(t, s, attentionJob(t, 3, 4), "heads alone do not get there")
	s.MACs, s.Params = 0, 0
	modeltest.Refused(t, s, attentionJob(t, 3, 4), "no target: give Share")
	modeltest.Refused(t, NewHeads(), modeltest.Job(t, 1), "no attention whose heads")
	s = NewHeads()
	s.Exclude = []string{"*"}
	modeltest.Refused(t, s, attentionJob(t, 3, 4), "leave none")
	j := attentionJob(t, 3, 4)
	j.Data.Train = dataset.New("training", j.Data.Train.X())
	if said := modeltest.Said(modeltest.Run(t, NewHeads(), j)); !strings.Contains(said, "without labels") {
		t.Error(said)
	}
	s = NewHeads()
	s.Exclude = []string{"0.*"}
	if f := modeltest.Run(t, s, attentionJob(t, 3, 4)).Facts.(*HeadFacts); len(f.Layers) != 1 || !strings.HasPrefix(f.Layers[0].Name, "1.") {
		t.Errorf("%+v", f)
	}
}

// Runs that are stopped go on to the same.
func TestHeadsResume(t *testing.T) {
	modeltest.Resumes(t, "heads", func() (model.Method, *model.Job) {
		j := attentionJob(t, 3, 4)
		j.Recipe.Epochs = 3
		return NewHeads(), j
	}, 12, 5, 9)
}
