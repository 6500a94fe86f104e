package op

import (
	"fmt"
	"math"
	"slices"

	"pare/graph"
	"pare/tensor"
)

// Attention (opset 23) is softmax(softcap(scale*Q*K') + bias)*V for every head
// (Vaswani et al. 2017); several query heads may share a key and value head
// (Ainslie et al. 2023). The bias is the sum of a mask, the causal limit, the
// window and the padding; a query that may see no key gives zeros.

// attnCase is the geometry of an attention. Tensors are [batch, heads, length,
// size], or [batch, length, heads*size] where packed.
type attnCase struct {
	packed            bool
	b, hq, hkv        int
	lq, lkv, past, lk int // lk: keys in all, lkv+past
	d, dv             int
	scale, softcap    float64
	causal            bool
	left, right       int // the window; -1: without bound
	mode              int // what the fourth output holds
	maskShape         []int
}

// attnDims gives batch, heads, length and size of one of Q, K and V.
func attnDims(s []int, heads int) (b, h, l, d int, err error) {
	switch {
	case len(s) == 4:
		return s[0], s[1], s[2], s[3], nil
	case len(s) == 3 && heads > 0 && s[2]%heads == 0:
		return s[0], heads, s[1], s[2] / heads, nil
	}
	return 0, 0, 0, 0, fmt.Errorf("shape %v with %d heads is neither [batch heads length size] nor [batch length heads*size]", s, heads)
}

func attnOf(n *graph.Node, q, k, v []int, pastKey, mask []int) (*attnCase, error) {
	c := &attnCase{packed: len(q) == 3, softcap: float64(n.Float("softcap", 0)), causal: n.Int("is_causal", 0) != 0,
		left: n.Int("left_window_size", -1), right: n.Int("right_window_size", -1), mode: n.Int("qk_matmul_output_mode", 0)}
	if len(q) != len(k) || len(q) != len(v) {
		return nil, fmt.Errorf("the inputs Q %v, K %v and V %v differ in rank", q, k, v)
	}
	var err error
	if c.b, c.hq, c.lq, c.d, err = attnDims(q, n.Int("q_num_heads", 0)); err != nil {
		return nil, err
	}
	kvHeads := n.Int("kv_num_heads", 0)
	var b2, b3, h3, d2, l3 int
	if b2, c.hkv, c.lkv, d2, err = attnDims(k, kvHeads); err != nil {
		return nil, err
	}
	if b3, h3, l3, c.dv, err = attnDims(v, kvHeads); err != nil {
		return nil, err
	}
	if b2 != c.b || b3 != c.b || d2 != c.d || h3 != c.hkv || l3 != c.lkv || c.hkv == 0 || c.hq%c.hkv != 0 {
		return nil, fmt.Errorf("the inputs Q %v, K %v and V %v do not go together (%d and %d heads)", q, k, v, c.hq, c.hkv)
	}
	if pastKey != nil {
		if len(pastKey) != 4 || pastKey[0] != c.b || pastKey[1] != c.hkv || pastKey[3] != c.d {
			return nil, fmt.Errorf("past keys %v do not go with K %v", pastKey, k)
		}
		c.past = pastKey[2]
	}
	c.lk = c.lkv + c.past
	c.scale = 1 / math.Sqrt(float64(c.d))
	if a := n.Attr("scale"); a != nil {
		c.scale = float64(a.F)
	}
	c.maskShape = mask
	if k := len(mask); k > 0 {
		full := append(append([]int{}, mask[:k-1]...), c.lk)
		if s, err := broadcastInts([]int{c.b, c.hq, c.lq, c.lk}, full); err != nil || len(s) != 4 || mask[k-1] > c.lk || !slices.Equal(s, []int{c.b, c.hq, c.lq, c.lk}) {
			return nil, fmt.Errorf("mask %v does not fit scores [%d %d %d %d]", mask, c.b, c.hq, c.lq, c.lk)
		}
	}
	return c, nil
}

// heads copies a tensor into [b, h, l, d].
func (c *attnCase) heads(x []float64, h, l, d int) []float64 {
	if !c.packed {
		return x
	}
	out := make([]float64, len(x))
	for i := range out {
		p := i % d
		t := i / d % l
		k := i / d / l % h
		out[i] = x[((i/d/l/h*l+t)*h+k)*d+p]
	}
	return out
}

// joined is past followed by x along the length.
func (c *attnCase) joined(past, x []float64, d int) []float64 {
	if past == nil {
		return x
	}
	out := make([]float64, 0, len(past)+len(x))
	for r := range c.b * c.hkv {
		out = append(out, past[r*c.past*d:(r+1)*c.past*d]...)
		out = append(out, x[r*c.lkv*d:(r+1)*c.lkv*d]...)
	}
	return out
}

// bias gives what is added to the scores [b, hq, lq, lk].
func (c *attnCase) bias(mask *tensor.Tensor, valid []int) ([]float64, error) {
	out := make([]float64, c.b*c.hq*c.lq*c.lk)
	none := math.Inf(-1)
	if mask != nil {
		m, err := floats(mask)
		if err != nil {
			return nil, err
		}
		wide := mask.Shape[mask.Rank()-1]
		full := append(append([]int{}, mask.Shape[:mask.Rank()-1]...), c.lk)
		st := broadcastStrides(full, []int{c.b, c.hq, c.lq, c.lk})
		odometer([]int{c.b, c.hq, c.lq, c.lk}, st, func(i, off int) {
			row, j := off/c.lk, off%c.lk
			switch {
			case j >= wide: // a short mask hides what is beyond it
				out[i] = none
			case mask.DType != tensor.Bool:
				out[i] = m[row*wide+j]
			case m[row*wide+j] == 0:
				out[i] = none
			}
		})
	}
	for i := range out {
		j, q, b := i%c.lk, i/c.lk%c.lq, i/c.lk/c.lq/c.hq
		p := q + c.past // the query's position among the keys
		if valid != nil {
			p = q + valid[b] - c.lq
			if j >= valid[b] {
				out[i] = none
			}
		}
		if c.causal && j > p || c.left >= 0 && j < p-c.left || c.right >= 0 && j > p+c.right {
			out[i] = none
		}
	}
	return out, nil
}

// attnArgs are the inputs of an attention, by heads: q [b, hq, lq, d], k and v
// [b, hkv, lk, d or dv], bias [b, hq, lq, lk].
type attnArgs struct {
	*attnCase
	q, k, v, bias []float64
	round         func(float64) float64 // to the type of the inputs
	precise       func(float64) float64 // to that of the softmax
	root          float64               // of the scale
}

func attnArgsOf(n *graph.Node, in []*tensor.Tensor) (*attnArgs, error) {
	shape := func(t *tensor.Tensor) []int {
		if t == nil {
			return nil
		}
		return t.Shape
	}
	mask, pastK, pastV := arg(in, 3), arg(in, 4), arg(in, 5)
	if (pastK == nil) != (pastV == nil) {
		return nil, fmt.Errorf("past keys and past values are given together or not at all")
	}
	c, err := attnOf(n, in[0].Shape, in[1].Shape, in[2].Shape, shape(pastK), shape(mask))
	if err != nil {
		return nil, err
	}
	valid, err := intsOf(arg(in, 6))
	if err != nil || valid != nil && (len(valid) != c.b || pastK != nil) {
		return nil, fmt.Errorf("the numbers of valid keys do not fit a batch of %d without past keys (%v)", c.b, err)
	}
	var f [5][]float64
	for i, t := range []*tensor.Tensor{in[0], in[1], in[2], pastK, pastV} {
		if t == nil {
			continue
		}
		if f[i], err = floats(t); err != nil {
			return nil, err
		}
	}
	a := &attnArgs{attnCase: c, round: rounder(in[0].DType)}
	a.q = c.heads(f[0], c.hq, c.lq, c.d)
	a.k = c.joined(f[3], c.heads(f[1], c.hkv, c.lkv, c.d), c.d)
	a.v = c.joined(f[4], c.heads(f[2], c.hkv, c.lkv, c.dv), c.dv)
	if a.bias, err = c.bias(mask, valid); err != nil {
		return nil, err
	}
	a.precise = a.round
	if p := tensor.DType(n.Int("softmax_precision", 0)); p.IsFloat() {
		a.precise = rounder(p)
	}
	a.root = a.round(math.Sqrt(c.scale))
	return a, nil
}

func evalAttention(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
	c, err := attnArgsOf(n, in)
	if err != nil {
		return nil, err
	}
	y := make([]float64, c.b*c.hq*c.lq*c.dv)
	shown := make([]float64, len(c.bias))
	row := make([]float64, c.lk)
	for i := range c.b * c.hq * c.lq {
		c.weights(i, row, shown[i*c.lk:(i+1)*c.lk])
		out, kv := y[i*c.dv:(i+1)*c.dv], c.kv(i)
		for j, p := range row {
			if p == 0 {
				continue // a hidden value is ignored, even where it is NaN
			}
			for e := range out {
				out[e] += p * c.v[(kv*c.lk+j)*c.dv+e]
			}
		}
	}
	ys := []int{c.b, c.hq, c.lq, c.dv}
	if c.packed {
		ys, y = []int{c.b, c.lq, c.hq * c.dv}, c.packed3(y)
	}
	return several(in[0].DType, [][]int{ys, {c.b, c.hkv, c.lk, c.d}, {c.b, c.hkv, c.lk, c.dv}, {c.b, c.hq, c.lq, c.lk}}, y, c.k, c.v, shown)
}

// kv is the key and value head of query i, counted through the batch.
func (c *attnArgs) kv(i int) int {
	b, h := i/c.lq/c.hq, i/c.lq%c.hq
	return b*c.hkv + h/(c.hq/c.hkv)
}

// weights computes in row what query i takes of each value, and in shown what
// the fourth output holds.
func (c *attnArgs) weights(i int, row, shown []float64) {
	r, kv := c.round, c.kv(i)
	q, bias := c.q[i*c.d:(i+1)*c.d], c.bias[i*c.lk:(i+1)*c.lk]
	seen := false
	for j := range row {
		s := 0.0
		for p, x := range q {
			s += r(x*c.root) * r(c.k[(kv*c.lk+j)*c.d+p]*c.root)
		}
		s = r(s)
		if c.mode == 0 {
			shown[j] = s
		}
		if c.softcap > 0 {
			s = r(r(math.Tanh(r(s/c.softcap))) * c.softcap)
		}
		if c.mode == 1 {
			shown[j] = s
		}
		s = r(s + bias[j])
		if c.mode == 2 {
			shown[j] = s
		}
		row[j] = c.precise(s)
		seen = seen || !math.IsInf(bias[j], -1)
	}
	softmaxRow(row, c.precise)
	for j, p := range row {
		if p = r(p); !seen {
			p = 0
		}
		if row[j] = p; c.mode == 3 {
			shown[j] = p
		}
	}
}

// packed3 puts [b, hq, lq, dv] into [b, lq, hq*dv].
func (c *attnCase) packed3(y []float64) []float64 {
	out := make([]float64, len(y))
	for i := range y {
		e, l, h := i%c.dv, i/c.dv%c.lq, i/c.dv/c.lq%c.hq
		out[((i/c.dv/c.lq/c.hq*c.lq+l)*c.hq+h)*c.dv+e] = y[i]
	}
	return out
}

// softmaxRow is the softmax of a row, rounded after each step.
func softmaxRow(row []float64, r func(float64) float64) {
	m, s := math.Inf(-1), 0.0
	for _, x := range row {
		m = math.Max(m, x)
	}
	if math.IsInf(m, -1) {
		m = 0
	}
	for j, x := range row {
		row[j] = r(math.Exp(r(x - m)))
		s += row[j]
	}
	if s = r(s); s == 0 {
		s = 1
	}
	for j := range row {
		row[j] = r(row[j] / s)
	}
}

func inferAttention(c *Infer) error {
	var s [3]graph.Shape
	for i := range s {
		v, err := c.In(i)
		if err != nil {
			return err
		}
		if s[i] = v.Shape; v.Shape == nil {
			c.Out(0, c.DType(0), nil)
			for o := 1; o < 4; o++ {
				c.Out(o, c.DType(min(o, 2)), nil)
			}
			return nil
		}
		if len(s[i]) != len(s[0]) || len(s[i]) != 3 && len(s[i]) != 4 {
			return fmt.Errorf("the inputs Q %v, K %v, V %v: all must be of rank 3, or of rank 4", s[0], s[1], s[2])
		}
	}
	split := func(s graph.Shape, heads int) (h, l, d graph.Dim, err error) {
		if len(s) == 4 {
			return s[1], s[2], s[3], nil
		}
		if heads < 1 {
			return h, l, d, fmt.Errorf("the number of heads of %v is not given", s)
		}
		d, ok := s[2].Over(graph.N(heads))
		if !ok && s[2].Known() {
			return h, l, d, fmt.Errorf("%v does not divide into %d heads", s, heads)
		} else if !ok {
			d = graph.Derived(fmt.Sprintf("1/%d", heads), s[2])
		}
		return graph.N(heads), s[1], d, nil
	}
	hq, lq, _, err := split(s[0], c.Node.Int("q_num_heads", 0))
	if err != nil {
		return err
	}
	hk, lk, d, err := split(s[1], c.Node.Int("kv_num_heads", 0))
	if err != nil {
		return err
	}
	_, _, dv, err := split(s[2], c.Node.Int("kv_num_heads", 0))
	if err != nil {
		return err
	}
	if past := c.Node.In(4); past != nil {
		if len(past.Shape) == 4 {
			lk = lk.Plus(past.Shape[2])
		} else {
			lk = unknownDim(c, 1, 2)
		}
	}
	if len(s[0]) == 4 {
		c.Out(0, c.DType(0), graph.Shape{s[0][0], hq, lq, dv})
	} else {
		c.Out(0, c.DType(0), graph.Shape{s[0][0], lq, dv.Times(hq)})
	}
	c.Out(1, c.DType(1), graph.Shape{s[0][0], hk, lk, d})
	c.Out(2, c.DType(2), graph.Shape{s[0][0], hk, lk, dv})
	c.Out(3, c.DType(0), graph.Shape{s[0][0], hq, lq, lk})
	return nil
}
