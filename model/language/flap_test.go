package language

import (
	"context"
	"math"
	"slices"
	"sort"
	"strings"
	"testing"

	"pare/internal/modeltest"
	"pare/model"
	"pare/prune/structure"
	"pare/tensor"
)

// Run is what plain loops over float64 come to: the fluctuation of every column of o and down,
// beside those of its layer, one ranking of heads and neurons until so many parameters are
// left, and biases of what went.
func TestFLAPOracle(t *testing.T) {
	j := llamaJob(t)
	m := newLlama(j.Graph)
	type column struct{ xs []float64 }
	inputs := make([][][]column, llamaLayers) // by layer: of o, of down
	for l := range inputs {
		inputs[l] = [][]column{make([]column, 8), make([]column, 6)}
	}
	m.look = func(l, part int, x []float64) {
		for k, a := range x {
			inputs[l][part][k].xs = append(inputs[l][part][k].xs, a)
		}
	}
	m.loss(j.Data.Train)
	m.look = nil
	type unit struct {
		l, part, c int
		rate       float64
	}
	var all []unit
	mean := make([][][]float64, llamaLayers)
	for l := range inputs {
		mean[l] = make([][]float64, 2)
		for part, name := range []string{"self_attn.o_proj", "mlp.down_proj"} {
			w := m.w[layerWeight(l, name)]
			var score []float64
			for k, c := range inputs[l][part] {
				mu, v, norm := 0., 0., 0.
				for _, x := range c.xs {
					mu += x / float64(len(c.xs))
				}
				for _, x := range c.xs {
					v += (x - mu) * (x - mu) / float64(len(c.xs))
				}
				for _, a := range w[k*llamaWidth : (k+1)*llamaWidth] {
					norm += a * a
				}
				mean[l][part] = append(mean[l][part], mu)
				if score = append(score, v*norm); part == 0 {
					score[k] *= score[k]
				}
			}
			n, mu, v := len(score), 0., 0.
			for _, x := range score {
				mu += x / float64(n)
			}
			for _, x := range score {
				v += (x - mu) * (x - mu) / float64(n-1)
			}
			wide := []int{llamaShare * llamaHead, 1}[part]
			for c := range n / wide {
				u := unit{l, part, c, 0}
				for k := c * wide; k < (c+1)*wide; k++ {
					u.rate += (score[k] - mu) / math.Sqrt(v) / float64(wide)
				}
				all = append(all, u)
			}
		}
	}
	s := NewFLAP()
	d, err := findDecoder(j.Graph, s.Scope())
	if err != nil {
		t.Fatal(err)
	}
	groups, _ := structure.Groups(j.Graph)
	_, rates, err := s.rates(context.Background(), j, d, groups)
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range all {
		i := slices.IndexFunc(d.roots, func(r *root) bool { return r.layer == u.l && r.heads() == (u.part == 0) })
		g := slices.IndexFunc(groups, func(g *structure.Group) bool { return g.Name == d.roots[i].name })
		if got := rates[g][u.c]; math.Abs(got-u.rate) > 1e-4 {
			t.Errorf("channel %d of %s rates %v, want %v", u.c, groups[g].Name, got, u.rate)
		}
	}
	sort.Slice(all, func(a, b int) bool { return all[a].rate < all[b].rate })
	const target = 1000
	left := map[[2]int]int{}
	for _, u := range all {
		left[[2]int{u.l, u.part}]++
	}
	params, gone := 1256, map[[2]int][]int{}
	for _, u := range all {
		key := [2]int{u.l, u.part}
		if params <= target || left[key] == 1 {
			continue
		}
		left[key]--
		gone[key] = append(gone[key], u.c)
		params -= []int{96, 24}[u.part]
	}
	s.Params = target
	r := modeltest.Run(t, s, j)
	f := r.Facts.(*FLAPFacts)
	for _, root := range f.Roots {
		l := int(root.Layer[len("model.layers.")] - '0')
		part := 1
		if strings.Contains(root.Name, "attn") {
			part = 0
		}
		if want := root.Before - len(gone[[2]int{l, part}]); root.After != want {
			t.Errorf("%s keeps %d of %d, want %d", root.Name, root.After, root.Before, want)
		}
	}
	for key, cs := range gone {
		name := []string{"self_attn.o_proj", "mlp.down_proj"}[key[1]]
		w := m.w[layerWeight(key[0], name)]
		wide := []int{llamaShare * llamaHead, 1}[key[1]]
		want, bias := []float64(nil), make([]float64, llamaWidth)
		for k := range len(w) / llamaWidth {
			row := w[k*llamaWidth : (k+1)*llamaWidth]
			if !slices.Contains(cs, k/wide) {
				want = append(want, row...)
				continue
			}
			for o, a := range row {
				bias[o] += a * mean[key[0]][key[1]][k]
			}
		}
		v := r.Graph.Value(layerWeight(key[0], name))
		if v.Const.Len() != len(want) {
			t.Fatalf("%s has %d entries, want %d", v.Name, v.Const.Len(), len(want))
		}
		for i, x := range v.Const.F32() {
			if float64(x) != want[i] {
				t.Fatalf("%s[%d] is %v, want %v", v.Name, i, x, want[i])
			}
		}
		uses := r.Graph.Uses()
		add := uses[uses[v][0].Node.Out(0)]
		if len(add) != 1 || !add[0].Node.Is("Add") {
			t.Fatalf("behind %s there is no bias", v.Name)
		}
		b := add[0].Node.In(1 - add[0].Index)
		for o, x := range b.Const.F32() {
			if math.Abs(float64(x)-bias[o]) > 1e-6 {
				t.Errorf("bias %d of %s is %v, want %v", o, v.Name, x, bias[o])
			}
		}
	}
	if f.Biases != len(gone) || len(gone) < 3 {
		t.Errorf("%d biases, %v went", f.Biases, gone)
	}
	without := NewFLAP()
	without.Params, without.Bias = target, false
	if r := modeltest.Run(t, without, llamaJob(t)); r.Facts.(*FLAPFacts).Biases != 0 || len(r.Graph.Nodes) >= len(modeltest.Run(t, s, llamaJob(t)).Graph.Nodes) {
		t.Error("there are biases although none are wanted")
	}
}

// A neuron whose value never changes becomes part of the bias, whether that is there or not,
// and nothing is lost.
func TestFLAPConstantNeurons(t *testing.T) {
	j := text(t, 0) // a GPT, whose layers have biases
	for _, l := range []string{"0", "1"} {
		w, b := j.Graph.Value("blocks."+l+".fc1.weight"), j.Graph.Value("blocks."+l+".fc1.bias")
		n := w.Const.Shape[1]
		for i := range w.Const.F32() {
			if i%n < 5 {
				w.Const.F32()[i] = 0
			}
		}
		for k := range 5 {
			b.Const.F32()[k] = float32(k) - 1.5
		}
	}
	whole := allLogits(t, j)
	s := NewFLAP()
	s.Params = 0
	s.Widths = []string{"blocks.*.fc1=59"}
	s.Include = []string{"blocks.*.fc1.weight"}
	before := len(j.Graph.Nodes)
	r := modeltest.Run(t, s, j)
	if len(r.Graph.Nodes) != before {
		t.Errorf("%d nodes, %d before: the biases are there", len(r.Graph.Nodes), before)
	}
	got := allLogits(t, j.On(r.Graph))
	for i, x := range got {
		if math.Abs(float64(x-whole[i])) > 2e-5 {
			t.Fatalf("logit %d is %v, %v before", i, x, whole[i])
		}
	}
	s.Bias = false
	r = modeltest.Run(t, s, j)
	if slices.EqualFunc(allLogits(t, j.On(r.Graph)), whole, func(a, b float32) bool { return math.Abs(float64(a-b)) < 1e-3 }) {
		t.Error("without biases nothing is missed")
	}
}

func allLogits(t *testing.T, j *model.Job) []float32 {
	t.Helper()
	var out []float32
	if err := j.Look(context.Background(), 64, j.Graph.Outputs[:1], func(vs []*tensor.Tensor) error {
		out = append(out, vs[0].F32()...)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return out
}

// Biases go into the files of a model whose layers have some, and of no other.
func TestFLAPUnsaid(t *testing.T) {
	s := NewFLAP()
	j := llamaJob(t)
	if err := s.Unsaid(j.Graph); err == nil || !strings.Contains(err.Error(), "Bias=false") {
		t.Errorf("%v", err)
	}
	s.Bias = false
	if err := s.Unsaid(j.Graph); err != nil {
		t.Error(err)
	}
	s.Bias = true
	if g := turned(t)["gpt2"]; s.Unsaid(g) != nil {
		t.Errorf("%v", s.Unsaid(g))
	}
}

// What is asked for badly is refused, and a run that was stopped goes on to the same.
func TestFLAPRefuses(t *testing.T) {
	s := NewFLAP()
	s.Params = 0
	modeltest.Refused(t, s, llamaJob(t), "no target")
	s.Params = .1
	modeltest.Refused(t, s, llamaJob(t), "no cut of channels")
	modeltest.Refused(t, NewFLAP(), modeltest.Job(t, 0), "no layer of a transformer")
	j := llamaJob(t)
	j.Data = nil
	modeltest.Refused(t, NewFLAP(), j, "give Data")
	modeltest.Resumes(t, "flap", func() (model.Method, *model.Job) {
		s := NewFLAP()
		s.Params = .8
		j := llamaTrained(t)
		return s, j
	}, 12, 4, 9)
}
