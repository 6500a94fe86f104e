package family

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"pare/graph"
	"pare/graph/op"
	"pare/tensor"
)

// Lazy is a Source that says what a weight is without reading it.
type Lazy interface {
	Source
	Info(name string) (d tensor.DType, shape []int, ok bool)
}

// Parts is a model that is never in memory as a whole: its tokens are embedded, its blocks are
// built one at a time, each a graph of its own, and so is what stands behind the last. One
// after the other they give what the graph of Build gives.
type Parts struct {
	*Config          // as Load has it
	All     []Stored // the weights, in the order in which the model reads them

	src    Lazy
	prefix string
}

// Stored is what a weight is in its file.
type Stored struct {
	Name  string
	DType tensor.DType
	Shape []int
}

// Split finds the weights of a model without reading them, and holds them to what [Load] holds
// them to. It returns an error for an encoder, whose blocks read more than the stream.
func Split(cfg *Config, src Lazy) (*Parts, error) {
	if cfg.Encoder {
		return nil, fmt.Errorf("a model of type %s is an encoder, whose blocks see the padding of its texts as well", cfg.Type)
	}
	p := &Parts{src: src}
	l := newLoader(cfg, src)
	l.seen = func(name string) *tensor.Tensor {
		d, shape, ok := src.Info(name)
		if !ok {
			l.fail("weight %q is missing", name)
			return nil
		}
		p.All = append(p.All, Stored{name, d, shape})
		return &tensor.Tensor{DType: d, Shape: shape}
	}
	m := l.model()
	if l.err != nil {
		return nil, l.err
	}
	if err := l.rest(m); err != nil {
		return nil, err
	}
	m.widths()
	p.Config, p.prefix = m.Config, l.prefix
	w := &writer{Config: m.Config, family: families[m.Type]}
	return p, w.state(m.Config)
}

// BlockOf says to which block a weight belongs; false for one of none.
func (p *Parts) BlockOf(name string) (i int, ok bool) {
	names := families[p.Type].names
	i, _, ok = names.inLayer(strings.TrimPrefix(name, p.prefix))
	return i, ok
}

// Head is the name of the output layer's matrix; "" where that is the table of embeddings.
func (p *Parts) Head() string {
	if p.Tied {
		return ""
	}
	return families[p.Type].head + ".weight"
}

// Read gives a weight as it is stored.
func (p *Parts) Read(name string) (*tensor.Tensor, error) { return p.src.Read(name) }

// loader reads the weights of a part.
func (p *Parts) loader() *loader {
	l := newLoader(p.Config, p.src)
	l.prefix = p.prefix
	return l
}

// Has says whether a block has an attention or feed-forward layers: without both it hands the
// stream on.
func (p *Parts) Has(i int) bool { w := p.Of(i); return w.Heads > 0 || w.Intermediate > 0 }

// Block reads block i, and gives it as a graph: hidden [batch sequence width] goes in, and
// hidden of the same shape comes out. Its weights have memory of their own.
func (p *Parts) Block(i int) (*graph.Graph, error) {
	l := p.loader()
	b := l.block(i)
	if l.err != nil {
		return nil, l.err
	}
	return p.part(&Model{Config: p.Config}, func(x *builder, h *graph.Value) { x.out("next", x.layer(i, b, h)) })
}

// End reads what stands behind the last block, and gives it as a graph from the hidden stream to
// the logits.
func (p *Parts) End() (*graph.Graph, error) {
	l := p.loader()
	m := &Model{Config: p.Config}
	if l.Tied {
		m.Embed = l.weight(l.prefix+l.embed+".weight", l.Vocab, l.Hidden)
	}
	if l.final != "" {
		m.Final = l.norm(l.prefix+l.final, l.Hidden)
	}
	l.behind(m)
	if l.err != nil {
		return nil, l.err
	}
	return p.part(m, func(b *builder, h *graph.Value) {
		if m.Final != nil {
			b.Stem = "final"
			h = b.norm(m.Final, h)
		}
		b.outputs(h)
	})
}

// Final reads the norm behind the last block, and gives it as a graph from the hidden stream to
// what the output layer multiplies; nil where there is none.
func (p *Parts) Final() (*graph.Graph, error) {
	l := p.loader()
	if l.final == "" {
		return nil, nil
	}
	n := l.norm(l.prefix+l.final, l.Hidden)
	if l.err != nil {
		return nil, l.err
	}
	return p.part(&Model{Config: p.Config}, func(b *builder, h *graph.Value) { b.out("normed", b.norm(n, h)) })
}

// Output is the output layer, of which some rows are in memory at a time. Logits are the
// products, softened where LogitSoftcap is not 0.
type Output struct {
	*Config
	table, bias *tensor.Tensor
}

// Output opens the output layer.
func (p *Parts) Output() (*Output, error) {
	o := &Output{Config: p.Config}
	name := p.Head()
	if name == "" {
		name = p.prefix + families[p.Type].embed + ".weight"
	}
	var err error
	if o.table, err = p.src.Read(name); err == nil && p.Bias.Head {
		if o.bias, err = p.src.Read(families[p.Type].head + ".bias"); err == nil {
			o.bias, err = o.bias.As(tensor.Float32)
		}
	}
	return o, err
}

// Rows gives the rows of tokens from lo to hi, [hi-lo width], and their biases, nil for none.
func (o *Output) Rows(lo, hi int) (w, bias []float32, err error) {
	x := tensor.New(o.table.DType, hi-lo, o.Hidden)
	x.CopyRange(0, o.table, lo*o.Hidden, (hi-lo)*o.Hidden)
	if x, err = x.As(tensor.Float32); err != nil {
		return nil, nil, err
	}
	if o.bias != nil {
		bias = o.bias.F32()[lo:hi]
	}
	return x.F32(), bias, nil
}

// part writes a part of a model that reads the hidden stream as a graph.
func (p *Parts) part(m *Model, build func(b *builder, h *graph.Value)) (*graph.Graph, error) {
	b := newBuilder(m)
	b.once = true
	h := &graph.Value{Name: "hidden", DType: tensor.Float32, Shape: graph.Shape{graph.Sym(BatchAxis), graph.Sym(TimeAxis), graph.N(p.Hidden)}}
	b.G.Inputs = []*graph.Value{h}
	b.positions(h)
	build(b, h)
	if err := b.Err(); err != nil {
		return nil, err
	}
	if err := remember(b.G, p.Config, b.types); err != nil {
		return nil, err
	}
	return b.G, op.InferAll(b.G)
}

// Laid gives a weight of a graph that Build or a Parts made as files have it: in the layout and
// the type in which it was stored.
func Laid(g *graph.Graph, v *graph.Value) (*tensor.Tensor, error) {
	mem, c, err := recall(g)
	if err != nil {
		return nil, err
	}
	w := &writer{Config: c, family: families[c.Type], mem: mem}
	role, ok := w.role(v.Name)
	if !ok {
		return nil, fmt.Errorf("a model of type %s has no place for the weight %q", c.Type, v.Name)
	}
	return w.laid(v, role)
}

// Embedding makes the hidden stream of tokens. Tables stay as they are stored.
type Embedding struct {
	*Config
	table, positions *tensor.Tensor
}

// Embedding opens the tables.
func (p *Parts) Embedding() (*Embedding, error) {
	names := families[p.Type].names
	e := &Embedding{Config: p.Config}
	var err error
	if e.table, err = p.src.Read(p.prefix + names.embed + ".weight"); err != nil {
		return nil, err
	}
	if p.Learned {
		e.positions, err = p.src.Read(p.prefix + names.positions + ".weight")
	}
	return e, err
}

// Of gives the hidden stream [batch sequence width] of tokens [batch sequence].
func (e *Embedding) Of(tokens *tensor.Tensor) (*tensor.Tensor, error) {
	ids := tensor.Of[int64](tokens)
	if ids == nil || tokens.Rank() != 2 {
		return nil, fmt.Errorf("tokens are %v, where int64 [batch sequence] is expected", tokens)
	}
	length := tokens.Shape[1]
	if e.positions != nil && length+e.Offset > e.positions.Shape[0] {
		return nil, fmt.Errorf("texts of %d tokens are longer than the %d positions that the model has", length, e.positions.Shape[0]-e.Offset)
	}
	out := tensor.New(tensor.Float32, tokens.Shape[0], length, e.Hidden)
	for i, id := range ids {
		if id < 0 || id >= int64(e.table.Shape[0]) {
			return nil, fmt.Errorf("token %d is none of the %d that the model knows", id, e.table.Shape[0])
		}
		to := out.F32()[i*e.Hidden : (i+1)*e.Hidden]
		if err := row(to, e.table, int(id)); err != nil {
			return nil, err
		}
		if e.EmbedScale != 1 {
			s := float32(e.EmbedScale)
			for k := range to {
				to[k] *= s
			}
		}
		if e.positions == nil {
			continue
		}
		at := make([]float32, e.Hidden)
		if err := row(at, e.positions, i%length+e.Offset); err != nil {
			return nil, err
		}
		for k := range to {
			to[k] += at[k]
		}
	}
	if i := out.Finite(); i >= 0 {
		return nil, errors.New("the table of embeddings has a NaN or infinity: the network is broken")
	}
	return out, nil
}

// row writes a row of a table as float32.
func row(to []float32, table *tensor.Tensor, i int) error {
	x := tensor.New(table.DType, len(to))
	x.CopyRange(0, table, i*len(to), len(to))
	x, err := x.As(tensor.Float32)
	if err == nil {
		copy(to, x.F32())
	}
	return err
}

// sameNumbers says whether two tensors hold the same numbers.
func sameNumbers(a, b *tensor.Tensor) (bool, error) {
	if a.DType == b.DType && slices.Equal(a.Shape, b.Shape) {
		if x, ok := a.Data.([]uint16); ok && slices.Equal(x, b.Data.([]uint16)) {
			return true, nil // a large table need not be widened
		}
	}
	a, err := a.As(tensor.Float32)
	if err == nil {
		b, err = b.As(tensor.Float32)
	}
	if err != nil {
		return false, err
	}
	return slices.Equal(a.F32(), b.F32()), nil
}
