package op

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"pare/graph"
	"pare/tensor"
)

// RNN, GRU and LSTM share their geometry: X [T B I] (or [B T I] in layout 1),
// W [dirs gates*H I], R [dirs gates*H H], bias [dirs 2*gates*H]; outputs Y
// [T dirs B H] ([B T dirs H]) and the last states [dirs B H] ([B dirs H]).

var gatesOf = map[string]int{"RNN": 1, "GRU": 3, "LSTM": 4}

// cell is what a recurrent node computes in one direction.
type cell struct {
	back        bool
	acts        []activation
	clip        float64 // of what activations read; 0: none
	linear      bool    // GRU: the reset gate is applied after the product
	coupled     bool    // LSTM: the forget gate is 1 minus the input gate
	gates, size int
}

// activation is one of the functions that recurrent operators name.
type activation struct {
	name        string
	alpha, beta float64
	f           func(x float64) float64
}

// activations by name: default parameters and how many of them the node's
// lists give (alpha, then beta).
var activations = map[string]struct {
	alpha, beta float64
	params      int
	f           func(a, b float64) func(x float64) float64
}{
	"relu":    {0, 0, 0, func(a, b float64) func(float64) float64 { return func(x float64) float64 { return max(x, 0) } }},
	"tanh":    {0, 0, 0, func(a, b float64) func(float64) float64 { return math.Tanh }},
	"sigmoid": {0, 0, 0, func(a, b float64) func(float64) float64 { return sigmoid }},
	"softsign": {0, 0, 0, func(a, b float64) func(float64) float64 {
		return func(x float64) float64 { return x / (1 + math.Abs(x)) }
	}},
	"softplus":   {0, 0, 0, func(a, b float64) func(float64) float64 { return softplus }},
	"affine":     {1, 0, 2, func(a, b float64) func(float64) float64 { return func(x float64) float64 { return a*x + b } }},
	"scaledtanh": {1, 1, 2, func(a, b float64) func(float64) float64 { return func(x float64) float64 { return a * math.Tanh(b*x) } }},
	"hardsigmoid": {.2, .5, 2, func(a, b float64) func(float64) float64 {
		return func(x float64) float64 { return max(0, min(1, a*x+b)) }
	}},
	"thresholdedrelu": {1, 0, 1, func(a, b float64) func(float64) float64 { return func(x float64) float64 { return x * flag(x >= a) } }},
	"leakyrelu": {.01, 0, 1, func(a, b float64) func(float64) float64 {
		return func(x float64) float64 { return max(x, 0) + a*min(x, 0) }
	}},
	"elu": {1, 0, 1, func(a, b float64) func(float64) float64 {
		return func(x float64) float64 { return max(x, 0) + a*math.Expm1(min(x, 0)) }
	}},
}

// cellsOf reads the directions of a node.
func cellsOf(n *graph.Node, size int) ([]cell, error) {
	dirs := 1
	back := false
	switch d := n.Str("direction", "forward"); d {
	case "forward":
	case "reverse":
		back = true
	case "bidirectional":
		dirs = 2
	default:
		return nil, fmt.Errorf("unknown direction %q", d)
	}
	names, alphas, betas := []string{}, []float32(nil), []float32(nil)
	if a := n.Attr("activations"); a != nil {
		names = a.Strings
	}
	if a := n.Attr("activation_alpha"); a != nil {
		alphas = a.Floats
	}
	if a := n.Attr("activation_beta"); a != nil {
		betas = a.Floats
	}
	def := map[string][]string{"RNN": {"Tanh"}, "GRU": {"Sigmoid", "Tanh"}, "LSTM": {"Sigmoid", "Tanh", "Tanh"}}[n.Op]
	if len(names) == 0 {
		for range dirs {
			names = append(names, def...)
		}
	}
	if len(names) != dirs*len(def) {
		return nil, fmt.Errorf("%d activations, %d are needed", len(names), dirs*len(def))
	}
	cells := make([]cell, dirs)
	for i := range cells {
		c := cell{back: back || i == 1, clip: float64(n.Float("clip", 0)), gates: gatesOf[n.Op], size: size,
			linear: n.Int("linear_before_reset", 0) != 0, coupled: n.Int("input_forget", 0) != 0}
		for _, name := range names[i*len(def) : (i+1)*len(def)] {
			k, ok := activations[strings.ToLower(name)]
			if !ok {
				return nil, fmt.Errorf("unknown activation %q", name)
			}
			a := activation{name: strings.ToLower(name), alpha: float64(float32(k.alpha)), beta: float64(float32(k.beta))}
			if k.params > 0 && len(alphas) > 0 {
				a.alpha, alphas = float64(alphas[0]), alphas[1:]
			}
			if k.params > 1 && len(betas) > 0 {
				a.beta, betas = float64(betas[0]), betas[1:]
			}
			a.f = k.f(a.alpha, a.beta)
			c.acts = append(c.acts, a)
		}
		cells[i] = c
	}
	return cells, nil
}

// act applies an activation after the clipping.
func (c *cell) act(k int, x float64) float64 {
	if c.clip > 0 {
		x = max(-c.clip, min(c.clip, x))
	}
	return c.acts[k].f(x)
}

// step computes the next state from the products of the input (with its bias)
// and of the state (with its bias), [gates*size] each. again multiplies a
// vector by the last gate's recurrent weights, as a GRU does.
func (c *cell) step(xw, hr, h, s, peep []float64, again func(v []float64) []float64) (newH, newS []float64) {
	k := c.size
	newH, newS = make([]float64, k), make([]float64, k)
	switch c.gates {
	case 1:
		for j := range k {
			newH[j] = c.act(0, xw[j]+hr[j])
		}
	case 3: // update, reset, hidden
		z, r := make([]float64, k), make([]float64, k)
		for j := range k {
			z[j] = c.act(0, xw[j]+hr[j])
			r[j] = c.act(0, xw[k+j]+hr[k+j])
		}
		inner := make([]float64, k)
		if c.linear {
			for j := range k {
				inner[j] = r[j] * hr[2*k+j]
			}
		} else {
			rh := make([]float64, k)
			for j := range k {
				rh[j] = r[j] * h[j]
			}
			inner = again(rh)
		}
		for j := range k {
			newH[j] = (1-z[j])*c.act(1, xw[2*k+j]+inner[j]) + z[j]*h[j]
		}
	case 4: // input, output, forget, cell
		p := func(gate, j int) float64 {
			if peep == nil {
				return 0
			}
			return peep[gate*k+j]
		}
		for j := range k {
			i := c.act(0, xw[j]+hr[j]+p(0, j)*s[j])
			f := c.act(0, xw[2*k+j]+hr[2*k+j]+p(2, j)*s[j])
			if c.coupled {
				f = 1 - i
			}
			newS[j] = f*s[j] + i*c.act(1, xw[3*k+j]+hr[3*k+j])
			newH[j] = c.act(0, xw[k+j]+hr[k+j]+p(1, j)*newS[j]) * c.acts[2].f(newS[j])
		}
	}
	return newH, newS
}

func inferRNN(c *Infer) error {
	x, err := c.In(0)
	if err != nil {
		return err
	}
	r, err := c.In(2)
	if err != nil {
		return err
	}
	outs := func(y, last graph.Shape) {
		c.Out(0, x.DType, y)
		c.Out(1, x.DType, last)
		c.Out(2, x.DType, last)
	}
	if x.Shape == nil || r.Shape == nil {
		outs(nil, nil)
		return nil
	}
	if len(x.Shape) != 3 || len(r.Shape) != 3 {
		return fmt.Errorf("input %v and recurrent weights %v must be of rank 3", x.Shape, r.Shape)
	}
	w, err := c.In(1)
	if err != nil {
		return err
	}
	gates := graph.N(gatesOf[c.Node.Op])
	if len(w.Shape) == 3 {
		if i := w.Shape[2]; i.Known() && x.Shape[2].Known() && i != x.Shape[2] {
			return fmt.Errorf("input %v and weights %v do not go together", x.Shape, w.Shape)
		}
	}
	if h := r.Shape[2]; h.Known() && r.Shape[1].Known() && h.Times(gates) != r.Shape[1] {
		return fmt.Errorf("recurrent weights %v are not those of %v gates", r.Shape, gates)
	}
	dirs, h := r.Shape[0], r.Shape[2]
	if c.Node.Int("layout", 0) == 0 {
		t, b := x.Shape[0], x.Shape[1]
		outs(graph.Shape{t, dirs, b, h}, graph.Shape{dirs, b, h})
	} else {
		b, t := x.Shape[0], x.Shape[1]
		outs(graph.Shape{b, t, dirs, h}, graph.Shape{b, dirs, h})
	}
	return nil
}

func rnnMACs(n *graph.Node) int64 {
	x, w, r := n.In(0).Shape, n.In(1).Shape, n.In(2).Shape
	if len(x) != 3 || len(w) != 3 || len(r) != 3 {
		return 0
	}
	each := w.Size(0, 3).Plus(r.Size(0, 3))
	return int64(x[0].Times(x[1]).Times(each).Mul)
}

var _ = register(
	Def{Name: "RNN", Infer: inferRNN, Fits: fitsRNN, Eval: evalRNN, Decompose: expandRNN, MACs: rnnMACs},
	Def{Name: "GRU", Infer: inferRNN, Fits: fitsRNN, Eval: evalRNN, Decompose: expandRNN, MACs: rnnMACs},
	Def{Name: "LSTM", Infer: inferRNN, Fits: fitsRNN, Eval: evalRNN, Decompose: expandRNN, MACs: rnnMACs},
)

// rnnStrides gives the place of a step, sample and direction in
// X, Y and the states, in rows.
type rnnStrides struct{ t, b, dirs, batchFirst int }

func (s rnnStrides) x(t, b int) int {
	if s.batchFirst != 0 {
		return b*s.t + t
	}
	return t*s.b + b
}

func (s rnnStrides) y(t, b, d int) int {
	if s.batchFirst != 0 {
		return (b*s.t+t)*s.dirs + d
	}
	return (t*s.dirs+d)*s.b + b
}

func (s rnnStrides) state(b, d int) int {
	if s.batchFirst != 0 {
		return b*s.dirs + d
	}
	return d*s.b + b
}

// rnnArgs are the inputs of a recurrent node with known sizes; slices that the
// node leaves out are nil.
type rnnArgs struct {
	at                           rnnStrides
	cells                        []cell
	features, size, gates        int // gates: rows of a direction's weights
	x, w, r, bias, h0, s0, peeps []float64
	lens                         []int
	state                        []int // shape of the states
}

// rnnForm is what the shapes of a recurrent node's inputs, and its attributes, say.
func rnnForm(n *graph.Node, in [][]int) (*rnnArgs, error) {
	x, w, r := in[0], in[1], in[2]
	if len(x) != 3 || len(w) != 3 || len(r) != 3 {
		return nil, fmt.Errorf("input %v and weights %v and %v must be of rank 3", x, w, r)
	}
	h := r[2]
	cells, err := cellsOf(n, h)
	if err != nil {
		return nil, err
	}
	a := &rnnArgs{cells: cells, features: x[2], size: h, gates: gatesOf[n.Op] * h,
		at: rnnStrides{t: x[0], b: x[1], dirs: len(cells), batchFirst: n.Int("layout", 0)}}
	a.state = []int{a.at.dirs, a.at.b, h}
	if a.at.batchFirst != 0 {
		a.at.t, a.at.b = a.at.b, a.at.t
		a.state = []int{a.at.b, a.at.dirs, h}
	}
	for i, want := range [][]int{1: {a.at.dirs, a.gates, a.features}, 2: {a.at.dirs, a.gates, h}, 3: {a.at.dirs, 2 * a.gates}, 4: {a.at.b}, 5: a.state, 6: a.state, 7: {a.at.dirs, 3 * h}} {
		if i > 0 && i < len(in) && in[i] != nil && !slices.Equal(in[i], want) {
			return nil, fmt.Errorf("input %d is %v, %v is needed", i, in[i], want)
		}
	}
	return a, nil
}

func fitsRNN(n *graph.Node, in [][]int) error {
	_, err := rnnForm(n, in)
	return err
}

func rnnArgsOf(n *graph.Node, in []*tensor.Tensor) (*rnnArgs, error) {
	a, err := rnnForm(n, shapesOf(in))
	if err != nil {
		return nil, err
	}
	for i, to := range map[int]*[]float64{0: &a.x, 1: &a.w, 2: &a.r, 3: &a.bias, 5: &a.h0, 6: &a.s0, 7: &a.peeps} {
		if t := arg(in, i); t != nil {
			if *to, err = floats(t); err != nil {
				return nil, err
			}
		}
	}
	a.lens, err = intsOf(arg(in, 4))
	if err != nil || a.lens != nil && len(a.lens) != a.at.b {
		return nil, fmt.Errorf("the lengths do not fit a batch of %d (%v)", a.at.b, err)
	}
	for _, l := range a.lens {
		if l < 0 || l > a.at.t {
			return nil, fmt.Errorf("sequence length %d is not between 0 and the %d steps of the input", l, a.at.t)
		}
	}
	return a, nil
}

func evalRNN(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
	a, err := rnnArgsOf(n, in)
	if err != nil {
		return nil, err
	}
	y := make([]float64, a.at.t*a.at.dirs*a.at.b*a.size)
	lastH, lastS := make([]float64, a.at.dirs*a.at.b*a.size), make([]float64, a.at.dirs*a.at.b*a.size)
	for d := range a.cells {
		a.direction(d, y, lastH, lastS)
	}
	ys := []int{a.at.t, a.at.dirs, a.at.b, a.size}
	if a.at.batchFirst != 0 {
		ys = []int{a.at.b, a.at.t, a.at.dirs, a.size}
	}
	return several(in[0].DType, [][]int{ys, a.state, a.state}, y, lastH, lastS)
}

// direction computes one direction for all samples.
func (a *rnnArgs) direction(d int, y, lastH, lastS []float64) {
	c, g, h, size := a.cells[d], a.gates, a.size, a.features
	wd, rd := a.w[d*g*size:(d+1)*g*size], a.r[d*g*h:(d+1)*g*h]
	wb, rb := make([]float64, g), make([]float64, g)
	if a.bias != nil {
		wb, rb = a.bias[2*d*g:(2*d+1)*g], a.bias[(2*d+1)*g:(2*d+2)*g]
	}
	var peep []float64
	if a.peeps != nil {
		peep = a.peeps[3*d*h : 3*(d+1)*h]
	}
	again := func(v []float64) []float64 {
		out := append([]float64{}, rb[2*h:]...)
		matmul(out, v, rd[2*h*h:], 1, h, h, false, true)
		return out
	}
	for b := range a.at.b {
		hs, ss := make([]float64, h), make([]float64, h)
		s := a.at.state(b, d) * h
		if a.h0 != nil {
			copy(hs, a.h0[s:s+h])
		}
		if a.s0 != nil {
			copy(ss, a.s0[s:s+h])
		}
		length := a.at.t
		if a.lens != nil {
			length = a.lens[b]
		}
		for k := range length {
			t := k
			if c.back {
				t = length - 1 - k
			}
			xw, hr := append([]float64{}, wb...), append([]float64{}, rb...)
			xi := a.at.x(t, b) * size
			matmul(xw, a.x[xi:xi+size], wd, 1, size, g, false, true)
			matmul(hr, hs, rd, 1, h, g, false, true)
			hs, ss = c.step(xw, hr, hs, ss, peep, again)
			copy(y[a.at.y(t, b, d)*h:], hs)
		}
		copy(lastH[s:], hs)
		copy(lastS[s:], ss)
	}
}
