package cases

import (
	"pare/graph"
)

// mixture is a form of a mixture of experts.
type mixture struct {
	k, normalise, fusion int
	act                  string
	rows                 int // of the first weight, for an inner width of 6
	third, biased        bool
	tokens               []int
	alpha, beta, limit   float64
	after, elsewhere     bool // the CPU has no kernel for it
}

// mixtures are of 5 experts of width 4 and inner width 6, but for the first and second
// rows of a gate.
func mixtures() []mixture {
	return []mixture{
		{k: 1, act: "relu", rows: 6, biased: true, tokens: []int{7, 4}},
		{k: 2, act: "gelu", rows: 6, tokens: []int{2, 3, 4}, normalise: 1},
		{k: 3, act: "silu", rows: 6, biased: true, tokens: []int{2, 3, 4}},
		{k: 5, act: "identity", rows: 6, biased: true, tokens: []int{3, 4}, normalise: 1},
		{k: 2, act: "swiglu", fusion: 1, rows: 12, biased: true, tokens: []int{7, 4}, normalise: 1, alpha: 1.702, beta: 1, limit: 1.5},
		{k: 2, act: "swiglu", fusion: 1, rows: 12, tokens: []int{7, 4}},
		{k: 2, act: "swiglu", fusion: 2, rows: 12, biased: true, tokens: []int{3, 4}, beta: .5, elsewhere: true},
		{k: 2, act: "swiglu", rows: 6, third: true, biased: true, tokens: []int{2, 3, 4}, limit: 1, after: true, elsewhere: true},
		{k: 2, act: "silu", rows: 6, third: true, tokens: []int{5, 4}, normalise: 1, elsewhere: true},
		{k: 3, act: "geglu", fusion: 2, rows: 12, tokens: []int{5, 4}, elsewhere: true},
		{k: 2, act: "relu2", rows: 6, biased: true, tokens: []int{5, 4}, elsewhere: true},
	}
}

func (m mixture) attrs() []graph.Attr {
	out := as("k", m.k, "activation_type", m.act, "normalize_routing_weights", m.normalise, "swiglu_fusion", m.fusion)
	for _, a := range []struct {
		name string
		x    float64
	}{{"activation_alpha", m.alpha}, {"activation_beta", m.beta}, {"swiglu_limit", m.limit}} {
		if a.x != 0 {
			out = append(out, as(a.name, a.x)...)
		}
	}
	if m.after {
		out = append(out, as("swiglu_limit_after_activation", 1)...)
	}
	return out
}

// inputs are drawn by draw; biases are left out where there are none.
func (m mixture) inputs(draw func(shape ...int) Input) in {
	tokens := 1
	for _, d := range m.tokens[:len(m.tokens)-1] {
		tokens *= d
	}
	out := in{draw(m.tokens...), draw(tokens, 5), draw(5, m.rows, 4), nil, draw(5, 4, 6)}
	if m.biased {
		out[3] = draw(5, m.rows)
		out = append(out, draw(5, 4))
	}
	if m.third {
		for len(out) < 6 {
			out = append(out, nil)
		}
		if out = append(out, draw(5, 6, 4)); m.biased {
			out = append(out, draw(5, 6))
		}
	}
	return out
}

// mixtureNodes are mixtures of experts as ONNX Runtime computes them.
func mixtureNodes() []Runtime {
	var out []Runtime
	for _, m := range mixtures() {
		c := Runtime{Op: "MoE", In: m.inputs(f32), Attrs: m.attrs(), Const: []int{2, 3, 4, 5, 6, 7}, Whole: true}
		if m.elsewhere {
			c.Alone = "CUDA"
		}
		if len(m.tokens) == 2 {
			c.Free = []Free{{0, 0, "tokens"}, {1, 0, "tokens"}}
		}
		out = append(out, c)
	}
	return out
}

// experts are the same, for gradients.
func experts() []Case {
	var out []Case
	for _, m := range mixtures() {
		out = append(out, Case{Domain: "com.microsoft", Op: "MoE", In: m.inputs(normal), Attrs: m.attrs()})
	}
	return out
}
