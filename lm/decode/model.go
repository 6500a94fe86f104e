// Package decode runs language models token by token: what earlier tokens gave stays in
// caches of fixed size, so that a step reads every weight once and computes one token for
// each sequence.
//
// [New] takes a model of package lm/family. A [Session] holds the caches of some sequences;
// its Run takes new tokens of any of them and gives logits. It gives what the graph of
// family.Build gives for the whole text, and allocates nothing once it has run. A step takes
// about as long as it takes to read the weights: [Model.In] holds them in fewer bytes, and
// BenchmarkForms says what each form gains.
package decode

import (
	"fmt"
	"math"

	"pare/internal/kernel"
	"pare/lm/family"
)

// Model is a language model as decoding reads it: matrices [out in]. It does not change,
// and any number of sessions may use it.
type Model struct {
	c         *family.Config
	embed     []float32
	positions []float32
	layers    []*layer
	final     *norm
	head      *product
	widest    int      // of what the feed-forward layers make of a token
	heads     int      // the most of any layer
	across    int      // the most that queries, keys and values of a layer take
	form      Form     // that the matrices are in
	left      []string // matrices that it could not hold
}

// product is a matrix [out in] with a bias, which may be nil.
type product struct {
	name    string
	w, bias []float32
	out, in int
	packed  *kernel.Packed      // in the place of w; nil: none
	whole   *kernel.WholeMatrix // likewise
}

// bytes is how many bytes of the matrix a step reads.
func (p *product) bytes() int {
	switch {
	case p.packed != nil:
		return p.packed.Bytes()
	case p.whole != nil:
		return p.whole.Bytes()
	}
	return 4 * p.out * p.in
}

// norm is a normalisation; b is nil for RMS.
type norm struct {
	w, b []float32
	eps  float64
}

// layer is a block.
type layer struct {
	norm1, after1, norm2, after2 *norm

	heads, kv     int // 0: no attention
	qkv           []*product
	q, k, v, step int // where head 0 lies in what qkv gives; one head further
	qNorm, kNorm  *norm
	o             *product
	window        int
	rotary        *family.Rotary

	width int        // 0: no feed-forward layers
	up    []*product // gate and up, or up alone
	down  *product
}

// New lays a model out for decoding. Its weights are shared where they lie as decoding
// reads them. It returns an error for encoders, which do not decode.
func New(f *family.Model) (*Model, error) {
	if f.Encoder {
		return nil, fmt.Errorf("a model of type %s sees the whole text at once: it does not decode", f.Type)
	}
	m := &Model{c: f.Config, embed: f.Embed.T.F32()}
	if f.Positions != nil {
		m.positions = f.Positions.T.F32()
	}
	for i, l := range f.Layers {
		m.layers = append(m.layers, m.layer(i, l))
	}
	m.final = m.norm(f.Final)
	if f.Head != nil {
		m.head = of(f.Head)
	} else {
		m.head = &product{name: f.Embed.Name, w: m.embed, out: f.Vocab, in: f.Hidden}
		if f.HeadBias != nil {
			m.head.bias = f.HeadBias.T.F32()
		}
	}
	return m, nil
}

// Config is that of the model. It must not be changed.
func (m *Model) Config() *family.Config { return m.c }

func of(l *family.Linear) *product {
	p := &product{name: l.Name, w: l.T.F32(), out: l.Out, in: l.In}
	if l.Turned {
		p.w = make([]float32, l.Out*l.In)
		kernel.Transpose(l.T.F32(), p.w, l.In, l.Out)
	}
	if l.Bias != nil {
		p.bias = l.Bias.T.F32()
	}
	return p
}

func (m *Model) norm(n *family.Norms) *norm {
	if n == nil {
		return nil
	}
	out := &norm{w: n.W.T.F32(), eps: m.c.Eps}
	if m.c.OnePlus {
		out.w = make([]float32, len(out.w))
		kernel.Affine(1, n.W.T.F32(), 1, out.w)
	}
	if n.B != nil {
		out.b = n.B.T.F32()
	}
	return out
}

func (m *Model) layer(i int, l *family.Layer) *layer {
	y := &layer{norm1: m.norm(l.Norm1), after1: m.norm(l.After1), norm2: m.norm(l.Norm2), after2: m.norm(l.After2), window: m.c.Window[i]}
	if a, d := l.Attention, m.c.HeadDim; a != nil {
		y.heads, y.kv, y.o = a.Heads, a.KVHeads, of(a.O)
		y.qNorm, y.kNorm = m.norm(a.QNorm), m.norm(a.KNorm)
		y.k, y.v = a.Heads*d, (a.Heads+a.KVHeads)*d
		y.step = d
		switch a.Fused {
		case family.Apart:
			y.qkv = []*product{of(a.Q), of(a.K), of(a.V)}
		case family.Rows:
			y.qkv = []*product{of(a.QKV)}
		case family.Heads:
			y.qkv = []*product{of(a.QKV)}
			y.k, y.v, y.step = d, 2*d, 3*d
		}
		if m.c.Rotary != nil {
			y.rotary = m.c.Rotary[i]
		}
		m.heads, m.across = max(m.heads, a.Heads), max(m.across, (a.Heads+2*a.KVHeads)*d)
	}
	if f := l.MLP; f != nil {
		y.width, y.down = f.Width, of(f.Down)
		switch {
		case f.GateUp != nil:
			y.up = []*product{of(f.GateUp)}
		case f.Gate != nil:
			y.up = []*product{of(f.Gate), of(f.Up)}
		default:
			y.up = []*product{of(f.Up)}
		}
		m.widest = max(m.widest, f.Width)
	}
	return y
}

// products are all matrices.
func (m *Model) products() []*product {
	all := []*product{m.head}
	for _, l := range m.layers {
		for _, ps := range [][]*product{l.qkv, l.up, {l.o, l.down}} {
			for _, p := range ps {
				if p != nil {
					all = append(all, p)
				}
			}
		}
	}
	return all
}

// Read is how many bytes of weights a step reads at least.
func (m *Model) Read() (n int) {
	for _, p := range m.products() {
		n += p.bytes()
	}
	return n
}

// CacheBytes is how many bytes the keys and values of a token take.
func (m *Model) CacheBytes(f Form) (n int) {
	for _, l := range m.layers {
		n += kernel.KVBytes(l.kv, m.c.HeadDim, kernel.KeyPanel, f == F16) / kernel.KeyPanel
	}
	return n
}

// apply writes the normalised x; y may be x.
func (n *norm) apply(x, y []float32) {
	size := float64(len(x))
	if n.b == nil {
		kernel.Scale(float32(1/math.Sqrt(kernel.Dot(x, x)/size+n.eps)), x, y)
		kernel.Mul(y, n.w, y)
		return
	}
	kernel.Affine(1, x, float32(-kernel.Sum(x)/size), y)
	kernel.Scale(float32(1/math.Sqrt(kernel.Dot(y, y)/size+n.eps)), y, y)
	kernel.Mul(y, n.w, y)
	kernel.Add(y, n.b, y)
}
