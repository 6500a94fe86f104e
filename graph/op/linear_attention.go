package op

import (
	"fmt"
	"math"
	"slices"

	"pare/graph"
	"pare/tensor"
)

// LinearAttention (opset 27) keeps a matrix S [dk dv] for every key head. Each
// step decays it by exp(g), adds the outer product of the key and the value
// (or of the key and beta times what the value adds to what S holds of the
// key), and reads it by the query: scale*q'S (Katharopoulos et al. 2020; Yang
// et al. 2024 for the delta rule).

type linCase struct {
	b, t, hq, hkv, dk, dv int
	gated, delta          bool
	scale                 float64
	decayEach             bool // a decay for each element of the key, not one a head
	betaOne               bool // one beta for all heads
}

func linOf(n *graph.Node, q, k, v, past, decay, beta []int) (*linCase, error) {
	c := &linCase{hq: n.Int("q_num_heads", 0), hkv: n.Int("kv_num_heads", 0)}
	switch rule := n.Str("update_rule", "gated_delta"); rule {
	case "linear":
	case "gated":
		c.gated = true
	case "delta":
		c.delta = true
	case "gated_delta":
		c.gated, c.delta = true, true
	default:
		return nil, fmt.Errorf("unknown update rule %q", rule)
	}
	if len(q) != 3 || len(k) != 3 || len(v) != 3 || c.hq < 1 || c.hkv < 1 || c.hq%c.hkv != 0 || q[2]%c.hq != 0 || k[2]%c.hkv != 0 || v[2]%c.hkv != 0 {
		return nil, fmt.Errorf("query %v, key %v and value %v do not divide into %d and %d heads", q, k, v, c.hq, c.hkv)
	}
	c.b, c.t, c.dk, c.dv = q[0], q[1], q[2]/c.hq, v[2]/c.hkv
	if k[2]/c.hkv != c.dk || !slices.Equal(k[:2], q[:2]) || !slices.Equal(v[:2], q[:2]) {
		return nil, fmt.Errorf("query %v, key %v and value %v do not go together", q, k, v)
	}
	if past != nil && !slices.Equal(past, []int{c.b, c.hkv, c.dk, c.dv}) {
		return nil, fmt.Errorf("the state %v, [%d %d %d %d] is needed", past, c.b, c.hkv, c.dk, c.dv)
	}
	if (decay != nil) != c.gated || (beta != nil) != c.delta {
		return nil, fmt.Errorf("a decay goes with the gated rules and beta with those of the delta, and only with these")
	}
	if decay != nil {
		c.decayEach = len(decay) == 3 && decay[2] == c.hkv*c.dk && c.dk > 1
		if want := c.hkv; !c.decayEach && !slices.Equal(decay, []int{c.b, c.t, want}) || c.decayEach && !slices.Equal(decay[:2], q[:2]) {
			return nil, fmt.Errorf("decay %v fits neither %d heads nor their keys", decay, c.hkv)
		}
	}
	if beta != nil {
		c.betaOne = len(beta) == 3 && beta[2] == 1
		if !c.betaOne && !slices.Equal(beta, []int{c.b, c.t, c.hkv}) || c.betaOne && !slices.Equal(beta[:2], q[:2]) {
			return nil, fmt.Errorf("beta %v does not fit %d heads", beta, c.hkv)
		}
	}
	if c.scale = float64(n.Float("scale", 0)); c.scale == 0 {
		c.scale = 1 / math.Sqrt(float64(c.dk))
	}
	return c, nil
}

var _ = register(Def{Name: "LinearAttention",
	Infer: func(c *Infer) error {
		for i := range 3 {
			v, err := c.In(i)
			if err != nil {
				return err
			}
			if v.Shape == nil {
				c.Out(0, c.DType(0), nil)
				c.Out(1, c.DType(0), nil)
				return nil
			}
			if len(v.Shape) != 3 {
				return fmt.Errorf("input %d is %v: it must be of rank 3", i, v.Shape)
			}
		}
		hq, hkv := c.Node.Int("q_num_heads", 0), c.Node.Int("kv_num_heads", 0)
		if hq < 1 || hkv < 1 || hq%hkv != 0 {
			return fmt.Errorf("%d query heads and %d key heads", hq, hkv)
		}
		q, v := c.Shape(0), c.Shape(2)
		dk, ok := q[2].Over(graph.N(hq))
		dv, known := v[2].Over(graph.N(hkv))
		if !ok || !known {
			return fmt.Errorf("query %v and value %v do not divide into %d and %d heads", q, v, hq, hkv)
		}
		state := c.DType(3)
		if state == tensor.Undefined {
			state = c.DType(0)
		}
		c.Out(0, c.DType(0), graph.Shape{q[0], q[1], dv.Times(graph.N(hq))})
		c.Out(1, state, graph.Shape{q[0], graph.N(hkv), dk, dv})
		return nil
	},
	Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
		var f [6][]float64
		var s [6][]int
		for i := range f {
			if t := arg(in, i); t != nil {
				var err error
				if f[i], err = floats(t); err != nil {
					return nil, err
				}
				s[i] = t.Shape
			}
		}
		c, err := linOf(n, s[0], s[1], s[2], s[3], s[4], s[5])
		if err != nil {
			return nil, err
		}
		state := make([]float64, c.b*c.hkv*c.dk*c.dv)
		copy(state, f[3])
		y := make([]float64, c.b*c.t*c.hq*c.dv)
		for bh := range c.b * c.hkv {
			for t := range c.t {
				c.step(f, state[bh*c.dk*c.dv:(bh+1)*c.dk*c.dv], y, bh/c.hkv, bh%c.hkv, t)
			}
		}
		out, err := ofFloats(in[0].DType, []int{c.b, c.t, c.hq * c.dv}, y)
		if err != nil {
			return nil, err
		}
		d := in[0].DType
		if p := arg(in, 3); p != nil {
			d = p.DType
		}
		st, err := ofFloats(d, []int{c.b, c.hkv, c.dk, c.dv}, state)
		return []*tensor.Tensor{out, st}, err
	},
	Decompose: expandLinear})

// step moves the state of one head on by one position and reads it.
func (c *linCase) step(f [6][]float64, s, y []float64, b, h, t int) {
	at := b*c.t + t
	k, v := f[1][(at*c.hkv+h)*c.dk:], f[2][(at*c.hkv+h)*c.dv:]
	for i := range s {
		if d := i / c.dv; c.gated && c.decayEach {
			s[i] *= math.Exp(f[4][(at*c.hkv+h)*c.dk+d])
		} else if c.gated {
			s[i] *= math.Exp(f[4][at*c.hkv+h])
		}
	}
	for e := range c.dv {
		w := v[e]
		if c.delta {
			beta := at
			if !c.betaOne {
				beta = at*c.hkv + h
			}
			for d := range c.dk {
				w -= s[d*c.dv+e] * k[d]
			}
			w *= f[5][beta]
		}
		for d := range c.dk {
			s[d*c.dv+e] += k[d] * w
		}
	}
	for g := range c.hq / c.hkv {
		row := at*c.hq + h*(c.hq/c.hkv) + g
		for e := range c.dv {
			sum := 0.0
			for d := range c.dk {
				sum += f[0][row*c.dk+d] * s[d*c.dv+e]
			}
			y[row*c.dv+e] = c.scale * sum
		}
	}
}

// expandLinear writes the steps out.
func expandLinear(b *Builder, n *graph.Node) ([]*graph.Value, error) {
	var s [6][]int
	for i := range s {
		if v := n.In(i); v != nil {
			var ok bool
			if s[i], ok = v.Shape.Ints(); !ok {
				return nil, fmt.Errorf("the shape %v is not known", v.Shape)
			}
		}
	}
	c, err := linOf(n, s[0], s[1], s[2], s[3], s[4], s[5])
	if err != nil {
		return nil, err
	}
	// heads in front: [B H T size]
	split := func(x *graph.Value, h, size int) *graph.Value {
		return b.Attr("Transpose", []graph.Attr{graph.MakeAttr("perm", []int{0, 2, 1, 3})}, b.Op("Reshape", x, b.Ints(c.b, c.t, h, size)))
	}
	group := c.hq / c.hkv
	q, k, v := split(n.In(0), c.hq, c.dk), split(n.In(1), c.hkv, c.dk), split(n.In(2), c.hkv, c.dv)
	q = b.Op("Reshape", q, b.Ints(c.b, c.hkv, group, c.t, c.dk))
	var decay, beta *graph.Value
	if c.gated {
		size := 1
		if c.decayEach {
			size = c.dk
		}
		decay = b.Op("Exp", split(n.In(4), c.hkv, size))
	}
	if c.delta {
		h := c.hkv
		if c.betaOne {
			h = 1
		}
		beta = split(n.In(5), h, 1)
	}
	at := func(x *graph.Value, axis, t int) *graph.Value {
		return b.Attr("Gather", []graph.Attr{graph.MakeAttr("axis", axis)}, x, b.Const(scalarInt(t)))
	}
	state := n.In(3)
	ys := make([]*graph.Value, c.t)
	for t := range c.t {
		kt, vt := b.Unsqueeze(at(k, 2, t), 3), b.Unsqueeze(at(v, 2, t), 2) // [B H dk 1], [B H 1 dv]
		if state != nil && c.gated {
			state = b.Op("Mul", state, b.Unsqueeze(at(decay, 2, t), 3))
		}
		if c.delta {
			if state != nil {
				vt = b.Op("Sub", vt, b.Op("MatMul", transpose2(b, kt), state))
			}
			vt = b.Op("Mul", vt, b.Unsqueeze(at(beta, 2, t), 3))
		}
		write := b.Op("Mul", kt, vt)
		if state == nil {
			state = write
		} else {
			state = b.Op("Add", state, write)
		}
		qt := at(q, 3, t) // [B H group dk]
		ys[t] = b.Unsqueeze(b.Op("Mul", b.Op("MatMul", qt, state), b.Scalar(c.scale, qt)), 1)
	}
	y := b.Attr("Concat", []graph.Attr{graph.MakeAttr("axis", 1)}, ys...) // [B T H group dv]
	return []*graph.Value{b.Op("Reshape", y, b.Ints(c.b, c.t, c.hq*c.dv)), state}, nil
}
