package search

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"pare/graph"
	"pare/tensor"
	"pare/train"
)

// shaping learns logits of the widths and depths of a supernet while its weights are trained:
// after each step of the weights, one of the logits on samples of their own, by the loss
// with mixed widths and depths, and
//
//	λ × ±log E,  E the expected cost
//
// with + where the network of the highest logits costs more than the budget, - where it
// costs less by more than the tolerance, and nothing between.
type shaping struct {
	train.Base
	net         *Supernet
	mixes       []*mixture
	masked      []bool         // by width: it is mixed by masks alone
	gates       *graph.Value   // [batch, gates+1]; nil: no width needs any
	first       []int          // by width: where its gates begin; -1: it has none
	depths      []*graph.Value // by stage and depth, flat: what the value behind so many blocks is multiplied by
	other       *train.Data    // samples that the logits are moved by
	budget      [2]float64     // shares of multiply-accumulates and parameters; 0: not asked
	lambda      float64
	tolerance   float64 // share of the whole cost
	hot, cold   float64 // temperature at the beginning and at the end
	linear      bool
	rate, decay float64
	seed        uint64

	width, depth   [][]float64    // logits
	moment, square [2][][]float64 // of Adam, by width and depth
	scales, shifts [][]*train.Param
	own            map[string]*train.Param // the parameters that the hook writes

	tau            float64  // of the last draw
	pairs          [][2]int // and which widths it mixes
	shares, dShare [][2]float64
	q              [][]float64
	o, p           []float64
	dWidth, dDepth [][]float64
	pWidth, pDepth [][]float64
	cWidth, cDepth [][]float64
}

// begin sets the logits to small noise, and scales and shifts of each width to those of the
// normalisation that they stand for.
func (h *shaping) begin(gamma, beta [][]float32) {
	r := rand.New(rand.NewPCG(h.seed, 0x7a5))
	h.width, h.depth = h.net.zeros()
	for _, of := range slices.Concat(h.width, h.depth) {
		for k := range of {
			of[k] = .01 * r.NormFloat64()
		}
	}
	h.pairs, h.shares, h.dShare = make([][2]int, len(h.width)), make([][2]float64, len(h.width)), make([][2]float64, len(h.width))
	_, h.q = h.net.zeros()
	h.dWidth, h.dDepth = h.net.zeros()
	h.pWidth, h.pDepth = h.net.zeros()
	h.cWidth, h.cDepth = h.net.zeros()
	most := 0
	for _, of := range slices.Concat(h.width, h.depth) {
		most = max(most, len(of))
	}
	h.o, h.p = make([]float64, most), make([]float64, most)
	h.moment[0], h.moment[1] = h.net.zeros()
	h.square[0], h.square[1] = h.net.zeros()
	h.scales, h.shifts = make([][]*train.Param, len(h.mixes)), make([][]*train.Param, len(h.mixes))
	for m, p := range h.mixes {
		if p.norm == nil {
			continue
		}
		for _, c := range h.net.Widths[p.Width].Choices {
			h.scales[m] = append(h.scales[m], param(fmt.Sprintf("%s.scale.%d", p.mix.Name, c), gamma[m][:c]))
			h.shifts[m] = append(h.shifts[m], param(fmt.Sprintf("%s.shift.%d", p.mix.Name, c), beta[m][:c]))
		}
	}
}

// param is a parameter that the network has not.
func param(name string, x []float32) *train.Param {
	t := tensor.From(slices.Clone(x), len(x))
	v := &graph.Value{Name: name, DType: tensor.Float32, Shape: graph.Dims(len(x)), Const: t, Role: graph.Param}
	return &train.Param{Value: v, W: t.F32(), G: make([]float32, len(x))}
}

// Reparametrise takes what the hook writes out of what the optimiser moves, and puts scales
// and shifts of each width in their place.
func (h *shaping) Reparametrise(ps []*train.Param) ([]*train.Param, error) {
	h.own = map[string]*train.Param{}
	var writes []*graph.Value
	for _, p := range h.mixes {
		writes = append(writes, p.mix, p.shift)
	}
	for _, v := range append(append(writes, h.depths...), h.gates) {
		if v == nil {
			continue
		}
		i := slices.IndexFunc(ps, func(p *train.Param) bool { return p.Name == v.Name })
		if i < 0 {
			return nil, fmt.Errorf("%q is searched but not trained", v.Name)
		}
		h.own[v.Name] = ps[i]
	}
	out := slices.DeleteFunc(slices.Clone(ps), func(p *train.Param) bool { return h.own[p.Name] != nil })
	for m := range h.mixes {
		out = append(append(out, h.scales[m]...), h.shifts[m]...)
	}
	return out, nil
}

// temperature is that of the present epoch.
func (h *shaping) temperature(r *train.Run) float64 {
	way := float64(r.Epoch) / float64(r.Epochs)
	if h.linear {
		return h.hot + (h.cold-h.hot)*way
	}
	return h.cold + (h.hot-h.cold)*(1+math.Cos(math.Pi*way))/2
}

// draw draws two widths of each and the shares of all depths, and writes what the network
// reads of them. which tells the draws of one step apart.
func (h *shaping) draw(r *train.Run, step int, which uint64) {
	random := rand.New(rand.NewPCG(h.seed, 0x7a5<<48|uint64(step)<<1|which))
	h.tau = h.temperature(r)
	for w, logits := range h.width {
		o, p := h.o[:len(logits)], h.p[:len(logits)]
		perturb(random, logits, h.tau, o, p)
		i, j := pair(random, p)
		x := 1 / (1 + math.Exp(o[j]-o[i]))
		h.pairs[w], h.shares[w] = [2]int{i, j}, [2]float64{x, 1 - x}
	}
	for s, logits := range h.depth {
		perturb(random, logits, h.tau, h.o[:len(logits)], h.q[s])
	}
	h.write()
}

// channels are the widths of the last draw.
func (h *shaping) channels(w int) [2]int {
	c := h.net.Widths[w].Choices
	return [2]int{c[h.pairs[w][0]], c[h.pairs[w][1]]}
}

// write writes the last draw into the network.
func (h *shaping) write() {
	for m, p := range h.mixes {
		p.write(h.channels(p.Width), h.shares[p.Width], h.of(h.scales[m], p.Width, weights), h.of(h.shifts[m], p.Width, weights))
	}
	k := 0
	for _, q := range h.q {
		for _, x := range q {
			h.depths[k].Const.F32()[0] = float32(x)
			k++
		}
	}
	if h.gates == nil {
		return
	}
	g, columns := h.gates.Const.F32(), h.gates.Const.Shape[1]
	for w, at := range h.first {
		if at < 0 {
			continue
		}
		c := h.channels(w)
		n := h.net.Widths[w].Choices[len(h.net.Widths[w].Choices)-1]
		for i := range n {
			x := 0.0
			for k := range c {
				if h.masked[w] && i < c[k] {
					x += h.shares[w][k]
				}
			}
			if !h.masked[w] && i < max(c[0], c[1]) {
				x = 1
			}
			for b := at + i; b < len(g); b += columns {
				g[b] = float32(x)
			}
		}
	}
}

func weights(p *train.Param) []float32   { return p.W }
func gradients(p *train.Param) []float32 { return p.G }

// of are the numbers of parameters for the two widths that were drawn; nil: there are none.
func (h *shaping) of(ps []*train.Param, w int, part func(*train.Param) []float32) (out [2][]float32) {
	for k, i := range h.pairs[w] {
		if ps != nil {
			out[k] = part(ps[i])
		}
	}
	return out
}

// BeforeStep draws for the step of the weights.
func (h *shaping) BeforeStep(r *train.Run) error {
	h.draw(r, r.Step, 0)
	return nil
}

// AfterGrad hands scales and shifts of the widths that were drawn their gradients.
func (h *shaping) AfterGrad(*train.Run) error {
	h.back()
	return nil
}

// back goes back from the gradients of what the hook has written to those of scales and
// shifts, and of the logits, into dWidth and dDepth.
func (h *shaping) back() {
	for m := range h.mixes {
		for k := range h.scales[m] {
			clear(h.scales[m][k].G)
			clear(h.shifts[m][k].G)
		}
	}
	dShare := h.dShare
	clear(dShare)
	for m, p := range h.mixes {
		w := p.Width
		var dShift []float32
		if p.shift != nil {
			dShift = h.own[p.shift.Name].G
		}
		d := p.back(h.channels(w), h.shares[w], h.of(h.scales[m], w, weights), h.of(h.shifts[m], w, weights),
			h.of(h.scales[m], w, gradients), h.of(h.shifts[m], w, gradients), h.own[p.mix.Name].G, dShift)
		dShare[w][0] += d[0]
		dShare[w][1] += d[1]
	}
	h.backGates(dShare)
	for w, of := range h.dWidth {
		clear(of)
		p, d := h.shares[w], dShare[w]
		x := p[0] * p[1] * (d[0] - d[1]) / h.tau
		of[h.pairs[w][0]] += x
		of[h.pairs[w][1]] -= x
	}
	k := 0
	for s, of := range h.dDepth {
		mean := 0.0
		for i := range of {
			of[i] = float64(h.own[h.depths[k+i].Name].G[0])
			mean += h.q[s][i] * of[i]
		}
		for i := range of {
			of[i] = h.q[s][i] * (of[i] - mean) / h.tau
		}
		k += len(of)
	}
}

// backGates adds the gradients of the shares of widths that are mixed by masks.
func (h *shaping) backGates(dShare [][2]float64) {
	if h.gates == nil {
		return
	}
	g, columns := h.own[h.gates.Name].G, h.gates.Const.Shape[1]
	for w, at := range h.first {
		if at < 0 || !h.masked[w] {
			continue
		}
		for k, n := range h.channels(w) {
			for i := range n {
				for b := at + i; b < len(g); b += columns {
					dShare[w][k] += float64(g[b])
				}
			}
		}
	}
}

// AfterStep draws anew, and moves the logits by samples of their own.
func (h *shaping) AfterStep(r *train.Run) error {
	h.draw(r, r.Step-1, 1)
	if _, err := r.GradientOf(h.other, r.Epoch, r.Index%h.other.Steps()); err != nil {
		return err
	}
	h.back()
	h.price()
	for k, of := range [2][][]float64{h.width, h.depth} {
		d := [2][][]float64{h.dWidth, h.dDepth}[k]
		for i := range of {
			if err := h.adam(of[i], d[i], h.moment[k][i], h.square[k][i], r.Step); err != nil {
				return err
			}
		}
	}
	return nil
}

// adam moves logits against their gradient, with the decay added to it.
func (h *shaping) adam(x, d, m, v []float64, step int) error {
	const beta1, beta2, eps = .5, .999, 1e-8
	for k := range x {
		g := d[k] + h.decay*x[k]
		m[k] = beta1*m[k] + (1-beta1)*g
		v[k] = beta2*v[k] + (1-beta2)*g*g
		x[k] -= h.rate * m[k] / (1 - math.Pow(beta1, float64(step))) / (math.Sqrt(v[k]/(1-math.Pow(beta2, float64(step)))) + eps)
		if x[k]-x[k] != 0 {
			return fmt.Errorf("step %d: the logit of a width is %v: lower the learning rate", step, x[k])
		}
	}
	return nil
}

// Name identifies the state in a checkpoint.
func (*shaping) Name() string { return "shaping" }

// state are the numbers that the next step depends on.
func (h *shaping) state() [][]float64 {
	return slices.Concat(h.width, h.depth, h.moment[0], h.moment[1], h.square[0], h.square[1])
}

// MarshalBinary writes logits and their moments.
func (h *shaping) MarshalBinary() ([]byte, error) {
	var out []byte
	for _, x := range slices.Concat(h.state()...) {
		out = binary.LittleEndian.AppendUint64(out, math.Float64bits(x))
	}
	return out, nil
}

// UnmarshalBinary restores them.
func (h *shaping) UnmarshalBinary(b []byte) error {
	n := 0
	for _, of := range h.state() {
		n += len(of)
	}
	if len(b) != 8*n {
		return fmt.Errorf("the saved state has %d bytes for %d logits and moments", len(b), n)
	}
	for _, of := range h.state() {
		for k := range of {
			of[k], b = math.Float64frombits(binary.LittleEndian.Uint64(b)), b[8:]
		}
	}
	return nil
}
