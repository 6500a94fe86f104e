package op

import (
	"fmt"
	"math"
	"slices"

	"pare/graph"
	"pare/tensor"
)

// Mixture is what the attributes and weights of an MoE of ONNX Runtime say: a layer of
// experts, of which each token is computed by a few (docs/ContribOperators.md there, and
// contrib_ops/cpu/moe). Its inputs are the tokens, the router's logits for every expert,
// and three pairs of weights and biases that hold all experts, of which the third may be
// left out:
//
//	y = Σ over the K experts e of largest p: p_e (W2_e a(W1_e x + b1_e, W3_e x + b3_e) + b2_e)
//
// with p the softmax of the router's logits over all experts, divided by the sum of the
// chosen where Normalised is set.
type Mixture struct {
	K          int // experts that a token is given to
	Normalised bool
	Experts    int
	Hidden     int // width of a token
	Inner      int // width between the two layers of an expert
	Rows       int // of W1: Inner, or twice that where it holds gate and linear part
	Paired     Pairing

	Activation         string // relu, gelu (by tanh), silu, identity, relu2, swiglu, geglu
	Alpha, Beta, Limit float64
	After              bool // the gate is held below Limit behind its sigmoid, not before
}

// Pairing says where the linear part is that the gate of an expert multiplies.
type Pairing uint8

// The pairings.
const (
	NoGate      Pairing = iota // there is none
	ThirdWeight                // W3 makes it
	Interleaved                // every second row of W1
	Halves                     // the second half of the rows of W1
)

// Of gives the rows of W1 that make position i of the inner width.
func (p Pairing) Of(i, inner int) []int {
	switch p {
	case Interleaved:
		return []int{2 * i, 2*i + 1}
	case Halves:
		return []int{i, inner + i}
	}
	return []int{i}
}

// The inputs of an MoE.
const (
	MoEInput = iota
	MoERouter
	MoEFirst
	MoEFirstBias
	MoESecond
	MoESecondBias
	MoEThird
	MoEThirdBias
)

// IsMoE says whether a node is a mixture of experts of ONNX Runtime.
func IsMoE(n *graph.Node) bool { return n != nil && n.Domain == ContribDomain && n.Op == "MoE" }

// MixtureOf reads an MoE whose weights have known shapes; an error where its form is not
// known, or its weights do not suit each other.
func MixtureOf(n *graph.Node) (*Mixture, error) {
	shapes := make([][]int, len(n.Inputs))
	for i, v := range n.Inputs {
		if v == nil || i < MoEFirst {
			continue
		}
		s, ok := v.Shape.Ints()
		if !ok {
			return nil, fmt.Errorf("the shape %v of input %d is not known", v.Shape, i)
		}
		shapes[i] = s
	}
	return mixtureOf(n, shapes)
}

// mixtureOf reads an MoE from its attributes and the shapes of its weights; nil: left out.
func mixtureOf(n *graph.Node, shapes [][]int) (*Mixture, error) {
	m := &Mixture{K: n.Int("k", 1), Normalised: n.Int("normalize_routing_weights", 0) != 0, Activation: n.Str("activation_type", "relu"),
		Alpha: float64(n.Float("activation_alpha", 1)), Beta: float64(n.Float("activation_beta", 0)),
		Limit: float64(n.Float("swiglu_limit", float32(math.Inf(1)))), After: n.Int("swiglu_limit_after_activation", 0) != 0}
	shape := func(i int) []int {
		if i < len(shapes) {
			return shapes[i]
		}
		return nil
	}
	if n.Int("use_sparse_mixer", 0) != 0 {
		return nil, fmt.Errorf("use_sparse_mixer, a routing of its own, is not known")
	}
	w1, w2, third := shape(MoEFirst), shape(MoESecond), shape(MoEThird) != nil
	if len(w1) != 3 || len(w2) != 3 {
		return nil, fmt.Errorf("weights of %v and %v are not stacks of matrices", w1, w2)
	}
	m.Experts, m.Hidden, m.Inner, m.Rows = w1[0], w1[2], w2[2], w1[1]
	if err := m.pair(n.Int("swiglu_fusion", 0), third); err != nil {
		return nil, err
	}
	want := map[int][]int{
		MoEFirst: {m.Experts, len(m.Paired.Of(0, m.Inner)) * m.Inner, m.Hidden}, MoEFirstBias: {m.Experts, m.Rows},
		MoESecond: {m.Experts, m.Hidden, m.Inner}, MoESecondBias: {m.Experts, m.Hidden},
		MoEThird: {m.Experts, m.Inner, m.Hidden}, MoEThirdBias: {m.Experts, m.Inner},
	}
	for i := MoEFirst; i <= MoEThirdBias; i++ {
		if s := shape(i); s != nil && !slices.Equal(s, want[i]) {
			return nil, fmt.Errorf("input %d has shape %v where %v suits the other weights: [experts, outputs, inputs] is the layout of the matrices since ONNX Runtime 1.23", i, s, want[i])
		}
	}
	if !third && shape(MoEThirdBias) != nil {
		return nil, fmt.Errorf("there is a third bias and no third weight")
	}
	if m.K < 1 || m.K > m.Experts || m.Inner < 1 || m.Hidden < 1 {
		return nil, fmt.Errorf("k is %d: between 1 and the %d experts are chosen, of widths above 0", m.K, m.Experts)
	}
	return m, nil
}

// pair says where the gate's partner is.
func (m *Mixture) pair(fusion int, third bool) error {
	gated := m.Activation == "swiglu" || m.Activation == "geglu"
	switch m.Activation {
	case "relu", "gelu", "silu", "identity", "relu2", "swiglu", "geglu":
	default:
		return fmt.Errorf("its activation %q is not known", m.Activation)
	}
	switch {
	case gated && fusion == 0 && m.Activation == "swiglu" && third, !gated && third:
		m.Paired = ThirdWeight
	case gated && fusion == 1 && !third:
		m.Paired = Interleaved
	case gated && fusion == 2 && !third:
		m.Paired = Halves
	case gated:
		return fmt.Errorf("a %s of swiglu_fusion %d with third weights: %v is not known", m.Activation, fusion, third)
	}
	return nil
}

// Gated is the activation: of the gate alone, or times the linear part.
func (m *Mixture) Gated(gate, linear float64) float64 {
	y := gate
	switch m.Activation {
	case "swiglu":
		if m.After {
			gate = min(gate/(1+math.Exp(-m.Alpha*gate)), m.Limit)
		} else {
			gate = min(gate, m.Limit)
			gate /= 1 + math.Exp(-m.Alpha*gate)
		}
		return gate * (max(-m.Limit, min(linear, m.Limit)) + m.Beta)
	case "relu":
		y = max(0, gate)
	case "relu2":
		y = max(0, gate) * max(0, gate)
	case "silu":
		y = gate / (1 + math.Exp(-gate))
	case "gelu", "geglu":
		y = gate / 2 * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(gate+.044715*gate*gate*gate)))
	}
	if m.Paired != NoGate {
		y *= linear
	}
	return y
}

// Route chooses the experts of one token: the K of the largest logits, of equal ones the
// first, the largest first, and by how much each one's output counts. chosen and weights
// are of length K.
func (m *Mixture) Route(logits []float32, chosen []int, weights []float32) {
	route(m, logits, chosen, weights)
}

func route[T float32 | float64](m *Mixture, logits []T, chosen []int, weights []T) {
	most := slices.Max(logits)
	sum, part := 0.0, 0.0
	for _, x := range logits {
		sum += math.Exp(float64(x - most))
	}
	for k := range chosen {
		best := -1
		for e, x := range logits {
			if (best < 0 || x > logits[best]) && !slices.Contains(chosen[:k], e) {
				best = e
			}
		}
		chosen[k] = best
		p := math.Exp(float64(logits[best]-most)) / sum
		weights[k], part = T(p), part+p
	}
	if m.Normalised {
		for k := range weights {
			weights[k] = T(float64(weights[k]) / part)
		}
	}
}

// expert adds to y what expert e makes of a token, w times.
func (m *Mixture) expert(in [][]float64, e int, w float64, x, y []float64) {
	line := func(i, row, rows int, x []float64) float64 {
		s := 0.0
		if in[i+1] != nil {
			s = in[i+1][e*rows+row]
		}
		for c, a := range in[i][(e*rows+row)*len(x):][:len(x)] {
			s += a * x[c]
		}
		return s
	}
	h := make([]float64, m.Inner)
	for i := range h {
		rows, linear := m.Paired.Of(i, m.Inner), 0.0
		if m.Paired == ThirdWeight {
			linear = line(MoEThird, i, m.Inner, x)
		} else if len(rows) > 1 {
			linear = line(MoEFirst, rows[1], m.Rows, x)
		}
		h[i] = m.Gated(line(MoEFirst, rows[0], m.Rows, x), linear)
	}
	for j := range y {
		y[j] += w * line(MoESecond, j, m.Hidden, h)
	}
}

func evalMoE(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
	shapes, x := make([][]int, len(in)), make([][]float64, MoEThirdBias+1)
	for i, t := range in {
		if t == nil {
			continue
		}
		f, err := floats(t)
		if err != nil {
			return nil, err
		}
		shapes[i], x[i] = t.Shape, f
	}
	m, err := mixtureOf(n, shapes)
	if err != nil {
		return nil, err
	}
	if k := in[0].Rank(); k < 1 || in[0].Shape[k-1] != m.Hidden || len(x[0])/m.Hidden*m.Experts != len(x[1]) {
		return nil, fmt.Errorf("tokens of %v and logits of %v do not suit %d experts of width %d", in[0].Shape, in[1].Shape, m.Experts, m.Hidden)
	}
	y := make([]float64, len(x[0]))
	chosen, weights := make([]int, m.K), make([]float64, m.K)
	for t := range len(x[0]) / m.Hidden {
		route(m, x[1][t*m.Experts:(t+1)*m.Experts], chosen, weights)
		for k, e := range chosen {
			m.expert(x, e, weights[k], x[0][t*m.Hidden:(t+1)*m.Hidden], y[t*m.Hidden:(t+1)*m.Hidden])
		}
	}
	return single(ofFloats(in[0].DType, in[0].Shape, y))
}

func inferMoE(c *Infer) error {
	x, router, err := c.pair()
	if err != nil {
		return err
	}
	c.Out(0, x.DType, x.Shape)
	for i := MoEFirst; i <= MoEThirdBias; i++ {
		if v := c.Node.In(i); v != nil {
			if _, ok := v.Shape.Ints(); !ok {
				return nil // computed: told when it runs
			}
		}
	}
	m, err := MixtureOf(c.Node)
	if err != nil {
		return err
	}
	if k := len(x.Shape); x.Shape != nil && (k != 2 && k != 3 || x.Shape[k-1].Known() && x.Shape[k-1].Mul != m.Hidden) {
		return fmt.Errorf("tokens of %v do not suit experts that read %d numbers", x.Shape, m.Hidden)
	}
	if s := router.Shape; s != nil && (len(s) != 2 || s[1].Known() && s[1].Mul != m.Experts) {
		return fmt.Errorf("logits of %v do not suit %d experts", s, m.Experts)
	}
	return nil
}

// moeMACs counts the experts that are chosen, not those that there are.
func moeMACs(n *graph.Node) int64 {
	m, err := MixtureOf(n)
	if err != nil {
		return 0
	}
	s := n.Out(0).Shape
	each := m.Rows + m.Inner
	if m.Paired == ThirdWeight {
		each += m.Inner
	}
	return int64(s.Size(0, len(s)).Times(graph.N(m.K * each)).Mul)
}

var _ = register(Def{Domain: ContribDomain, Name: "MoE", Infer: inferMoE, Eval: evalMoE, Decompose: decomposeMoE, MACs: moeMACs,
	Params: func(*graph.Node) []Param {
		var out []Param
		for _, i := range []int{MoEFirst, MoESecond, MoEThird} {
			out = append(out, Param{In: i, Part: Matrix, Out: 1, Outs: []int{0, 1}}, Param{In: i + 1, Part: Bias})
		}
		return out
	}})
