package op

import (
	"math"
	"sort"
	"strings"
	"testing"

	"pare/graph"
	"pare/tensor"
)

// denseMixture is a mixture of 5 experts of width 4 and inner width 6, written plainly:
// the two numbers of each row of the first weight are pulled apart by part.
func denseMixture(in [][]float64, k int, normalise bool, act func(gate, linear float64) float64, part func(e, i int) (gate, linear []float64)) []float64 {
	bias := func(i, at int) float64 {
		if i < len(in) && in[i] != nil {
			return in[i][at]
		}
		return 0
	}
	dot := func(a, b []float64) float64 {
		s := 0.0
		for i := range b {
			s += a[i] * b[i]
		}
		return s
	}
	out := make([]float64, len(in[0]))
	for t := range len(out) / 4 {
		p, best, sum, kept := make([]float64, 5), []int{0, 1, 2, 3, 4}, 0.0, 0.0
		for e := range p {
			p[e] = math.Exp(in[1][t*5+e])
			sum += p[e]
		}
		sort.Slice(best, func(a, b int) bool { return p[best[a]] > p[best[b]] })
		for _, e := range best[:k] {
			kept += p[e]
		}
		if normalise {
			sum = kept
		}
		x := in[0][t*4 : t*4+4]
		for _, e := range best[:k] {
			h := make([]float64, 6)
			for i := range h {
				gate, linear := part(e, i)
				h[i] = act(dot(gate, x)+gate[4], dot(linear, x)+linear[4])
			}
			for j := range 4 {
				out[t*4+j] += p[e] / sum * (dot(in[4][(e*4+j)*6:(e*4+j)*6+6], h) + bias(5, e*4+j))
			}
		}
	}
	return out
}

// row is a row of a stack of matrices with its bias behind it.
func row(in [][]float64, i, at int) []float64 {
	b := 0.0
	if i+1 < len(in) && in[i+1] != nil {
		b = in[i+1][at]
	}
	return append(append([]float64{}, in[i][at*4:at*4+4]...), b)
}

func init() {
	none := make([]float64, 5)
	halves := func(in [][]float64) func(e, i int) ([]float64, []float64) {
		return func(e, i int) ([]float64, []float64) { return row(in, 2, e*12+i), row(in, 2, e*12+6+i) }
	}
	third := func(in [][]float64) func(e, i int) ([]float64, []float64) {
		return func(e, i int) ([]float64, []float64) { return row(in, 2, e*6+i), row(in, 6, e*6+i) }
	}
	silu := func(x float64) float64 { return x / (1 + math.Exp(-x)) }
	alone["MoE#6"] = func(in [][]float64) []float64 {
		return denseMixture(in, 2, false, func(g, l float64) float64 { return silu(g) * (l + .5) }, halves(in))
	}
	alone["MoE#7"] = func(in [][]float64) []float64 {
		return denseMixture(in, 2, false, func(g, l float64) float64 { return min(silu(g), 1) * max(-1, min(l, 1)) }, third(in))
	}
	alone["MoE#8"] = func(in [][]float64) []float64 {
		return denseMixture(in, 2, true, func(g, l float64) float64 { return silu(g) * l }, third(in))
	}
	alone["MoE#9"] = func(in [][]float64) []float64 {
		return denseMixture(in, 3, false, func(g, l float64) float64 {
			return g / 2 * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(g+.044715*g*g*g))) * l
		}, halves(in))
	}
	alone["MoE#10"] = func(in [][]float64) []float64 {
		return denseMixture(in, 2, false, func(g, _ float64) float64 { return max(0, g) * max(0, g) },
			func(e, i int) ([]float64, []float64) { return row(in, 2, e*6+i), none })
	}
}

// moeNode is a mixture of 3 experts of width 4 and inner width 6.
func moeNode(kv ...any) (*graph.Graph, *graph.Node) {
	g := graph.New("moe", 17)
	g.Opset[ContribDomain] = 1
	x := &graph.Value{Name: "x", DType: tensor.Float32, Shape: graph.Dims(7, 4)}
	r := &graph.Value{Name: "r", DType: tensor.Float32, Shape: graph.Dims(7, 3)}
	g.Inputs = []*graph.Value{x, r}
	var attrs []graph.Attr
	for i := 0; i < len(kv); i += 2 {
		attrs = append(attrs, graph.MakeAttr(kv[i].(string), kv[i+1]))
	}
	w := func(name string, shape ...int) *graph.Value {
		return g.Const(name, tensor.New(tensor.Float32, shape...), graph.Auto)
	}
	n := g.Add("MoE", ContribDomain, []*graph.Value{x, r, w("w1", 3, 6, 4), w("b1", 3, 6), w("w2", 3, 4, 6), w("b2", 3, 4)}, []string{"y"}, attrs...)
	g.Outputs = n.Outputs
	return g, n
}

// Its weights are matrices of all experts, and what is counted are the chosen alone.
func TestMixtureCounts(t *testing.T) {
	g, n := moeNode("k", 2)
	if err := InferAll(g); err != nil {
		t.Fatal(err)
	}
	if c, ok := MACs(n); !ok || c != 7*2*(6*4+4*6) {
		t.Errorf("%d multiply-accumulates", c)
	}
	Classify(g)
	for _, v := range g.Consts() {
		if v.Role != graph.Param {
			t.Errorf("%s is %v", v.Name, v.Role)
		}
	}
	matrices := 0
	for _, s := range Sites(g) {
		if s.Part == Matrix {
			matrices++
			if len(s.Outs) != 2 || s.Outs[0] != 0 || s.Outs[1] != 1 {
				t.Errorf("%s makes outputs along %v", s.Value.Name, s.Outs)
			}
		}
	}
	if matrices != 2 {
		t.Errorf("%d matrices", matrices)
	}
}

// What no runtime computes, or Pare does not know, is refused with what is wrong.
func TestMixtureRefuses(t *testing.T) {
	for _, c := range []struct {
		change func(n *graph.Node)
		want   string
	}{
		{func(n *graph.Node) { n.Set("k", 4) }, "between 1 and the 3 experts"},
		{func(n *graph.Node) { n.Set("k", 0) }, "between 1 and the 3 experts"},
		{func(n *graph.Node) { n.Set("activation_type", "tanh") }, `"tanh" is not known`},
		{func(n *graph.Node) { n.Set("activation_type", "swiglu") }, "swiglu_fusion 0"},
		{func(n *graph.Node) { n.Set("use_sparse_mixer", 1) }, "use_sparse_mixer"},
		{func(n *graph.Node) { n.Inputs[2].Shape = graph.Dims(3, 4, 6) }, "the layout of the matrices"},
		{func(n *graph.Node) { n.Inputs[5].Shape = graph.Dims(3, 5) }, "input 5 has shape [3 5] where [3 4]"},
		{func(n *graph.Node) { n.Inputs[1].Shape = graph.Dims(7, 5) }, "logits of [7 5]"},
		{func(n *graph.Node) { n.Inputs[0].Shape = graph.Dims(7, 8) }, "tokens of [7 8]"},
		{func(n *graph.Node) { n.Inputs[2].Shape = graph.Dims(3, 4) }, "not stacks of matrices"},
	} {
		g, n := moeNode("k", 2)
		c.change(n)
		if err := InferAll(g); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, and not %q", err, c.want)
		}
	}
}

// Of equal logits the first expert is chosen, as by TopK, and a token whose logits are not
// numbers gives none either.
func TestRoute(t *testing.T) {
	m := &Mixture{K: 2, Experts: 4, Normalised: true}
	chosen, weights := make([]int, 2), make([]float32, 2)
	m.Route([]float32{1, 3, 3, 1}, chosen, weights)
	if chosen[0] != 1 || chosen[1] != 2 || weights[0] != .5 || weights[1] != .5 {
		t.Errorf("%v %v", chosen, weights)
	}
	m.Route([]float32{float32(math.Inf(-1)), 0, float32(math.Inf(-1)), 0}, chosen, weights)
	if chosen[0] != 1 || chosen[1] != 3 || weights[0] != .5 {
		t.Errorf("%v %v", chosen, weights)
	}
	m.Route([]float32{float32(math.NaN()), 0, 1, 2}, chosen, weights)
	if !math.IsNaN(float64(weights[0])) {
		t.Errorf("%v %v", chosen, weights)
	}
}
