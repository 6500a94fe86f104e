package family

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"

	"pare/tensor"
)

// Draw makes a model with weights drawn by a seed as transformers draws them: matrices and
// tables from N(0, 0.02²), scales that leave things as they are, no shifts. It returns an
// error where the weights would have more than most bytes; 0 is 16 GiB.
func Draw(cfg *Config, seed uint64, most int) (*Model, error) {
	c := *cfg
	l := &loader{Config: &c, family: families[c.Type]}
	r, left := rand.New(rand.NewPCG(seed, 0x6c6d)), cmp.Or(most, 16<<30)
	l.draw = func(name string, shape []int) *tensor.Tensor {
		n, ok := tensor.Size(shape)
		if !ok || n > left/4 {
			l.fail("with %q the weights have more bytes than are allowed", name)
			return tensor.New(tensor.Float32, make([]int, len(shape))...)
		}
		left -= 4 * n
		t := tensor.New(tensor.Float32, shape...)
		switch {
		case len(shape) == 2:
			for i := range t.F32() {
				t.F32()[i] = float32(.02 * r.NormFloat64())
			}
		case strings.HasSuffix(name, ".weight") && !l.OnePlus:
			for i := range t.F32() {
				t.F32()[i] = 1
			}
		}
		return t
	}
	m := l.model()
	return m, l.err
}

// Load finds the weights of a model. The widths of layers are those of the weights: where
// they differ from the config's, the model's config says so. Weights of float32 are those
// that src gives, not copies: where it reads a file, it must stay open as long as the model
// and what is built from it are in use. Load returns an error that names a weight which is
// missing, does not fit, or is not known.
func Load(cfg *Config, src Source) (*Model, error) {
	l := newLoader(cfg, src)
	m := l.model()
	if l.err != nil {
		return nil, l.err
	}
	if err := l.rest(m); err != nil {
		return nil, err
	}
	m.widths()
	return m, nil
}

// newLoader begins to read a model.
func newLoader(cfg *Config, src Source) *loader {
	c := *cfg
	l := &loader{Config: &c, family: families[c.Type], src: src, open: map[string]bool{}}
	for _, n := range src.Names() {
		l.open[n] = true
	}
	if !l.open[l.prefix+l.embed+".weight"] && l.open[l.embed+".weight"] {
		l.prefix = ""
	}
	return l
}

// loader reads weights; the first error sticks.
type loader struct {
	*Config
	family
	src  Source
	seen func(name string) *tensor.Tensor              // gives type and shape alone; nil: weights are read
	open map[string]bool                               // names that were not read yet
	draw func(name string, shape []int) *tensor.Tensor // in the place of src, and nil otherwise
	err  error
}

func (l *loader) fail(format string, a ...any) {
	if l.err == nil {
		l.err = fmt.Errorf(format, a...)
	}
}

// weight reads a tensor of a shape, in which sizes of 0 are those of the weight.
func (l *loader) weight(name string, shape ...int) *Weight {
	if l.err != nil {
		return nil
	}
	w := &Weight{Name: name, Stored: tensor.Float32}
	if l.draw != nil {
		w.T = l.draw(name, shape)
		return w
	}
	if !l.open[name] {
		l.fail("weight %q is missing", name)
		return nil
	}
	delete(l.open, name)
	t, err := l.read(name)
	if err != nil {
		l.fail("weight %q: %v", name, err)
		return nil
	}
	if t == nil {
		return nil
	}
	fits := t.Rank() == len(shape) && t.Len() > 0
	for i := range shape {
		fits = fits && (shape[i] == 0 || shape[i] == t.Shape[i])
	}
	switch w.Stored = t.DType; {
	case !fits:
		l.fail("weight %q has shape %v, where %v is expected (0: any size)", name, t.Shape, shape)
		return nil
	case !t.DType.IsFloat():
		l.fail("weight %q holds %v, not floating-point numbers", name, t.DType)
		return nil
	}
	if l.seen != nil {
		w.T = &tensor.Tensor{DType: tensor.Float32, Shape: t.Shape}
		return w
	}
	if w.T, err = t.As(tensor.Float32); err != nil {
		l.fail("weight %q: %v", name, err)
		return nil
	}
	return w
}

// read gives a weight as it is stored, or what it is.
func (l *loader) read(name string) (*tensor.Tensor, error) {
	if l.seen != nil {
		return l.seen(name), nil
	}
	return l.src.Read(name)
}

// linear reads a layer; sizes of 0 are those of the weight.
func (l *loader) linear(name string, out, in int, bias, turned bool) *Linear {
	shape := []int{out, in}
	if turned {
		shape = []int{in, out}
	}
	w := l.weight(name+".weight", shape...)
	if w == nil {
		return nil
	}
	y := &Linear{Weight: *w, Turned: turned, Out: w.T.Shape[0], In: w.T.Shape[1]}
	if turned {
		y.Out, y.In = y.In, y.Out
	}
	if bias {
		y.Bias = l.weight(name+".bias", y.Out)
	}
	return y
}

func (l *loader) norm(name string, size int) *Norms {
	n := &Norms{W: l.weight(name+".weight", size)}
	if l.Norm == LayerNorm {
		n.B = l.weight(name+".bias", size)
	}
	return n
}

// model reads all weights.
func (l *loader) model() *Model {
	m := &Model{Config: l.Config}
	m.Embed = l.weight(l.prefix+l.embed+".weight", l.Vocab, l.Hidden)
	if l.Learned {
		m.Positions = l.weight(l.prefix+l.positions+".weight", l.Config.Positions+l.Offset, l.Hidden)
	}
	if l.Config.Segments > 0 {
		m.Segments = l.weight(l.prefix+l.segments+".weight", l.Config.Segments, l.Hidden)
	}
	if l.embedNorm != "" {
		m.EmbedNorm = l.norm(l.prefix+l.embedNorm, l.Hidden)
	}
	for i := 0; i < l.Layers && l.err == nil; i++ {
		m.Layers = append(m.Layers, l.block(i))
	}
	if l.final != "" {
		m.Final = l.norm(l.prefix+l.final, l.Hidden)
	}
	l.behind(m)
	return m
}

// behind reads what stands behind the layers.
func (l *loader) behind(m *Model) {
	if l.Type != "bert" {
		if !l.Tied {
			m.Head = l.linear(l.head, l.Vocab, l.Hidden, l.Bias.Head, false)
		} else if l.Bias.Head {
			m.HeadBias = l.weight(l.head+".bias", l.Vocab)
		}
		return
	}
	classes := 0
	if l.draw != nil {
		classes = 2
	}
	switch l.Class {
	case "BertForMaskedLM":
		m.Transform, m.TransformNorm = l.linear(l.transform, l.Hidden, l.Hidden, true, false), l.norm(l.transformNorm, l.Hidden)
		if !l.Tied {
			m.Head = l.linear(l.head, l.Vocab, l.Hidden, false, false)
		}
		m.HeadBias = l.weight("cls.predictions.bias", l.Vocab)
	case "BertForSequenceClassification":
		m.Pooler = l.linear(l.prefix+l.pooler, l.Hidden, l.Hidden, true, false)
		m.Classifier = l.linear(l.classifier, classes, l.Hidden, true, false)
	default:
		if l.draw != nil || l.open[l.prefix+l.pooler+".weight"] {
			m.Pooler = l.linear(l.prefix+l.pooler, l.Hidden, l.Hidden, true, false)
		}
	}
}

// block reads layer i.
func (l *loader) block(i int) *Layer {
	p := fmt.Sprintf("%s%s%d.", l.prefix, l.layer, i)
	b := &Layer{}
	has := l.Of(i)
	norm := func(name string) *Norms {
		if name == "" {
			return nil
		}
		return l.norm(p+name, l.Hidden)
	}
	if has.Heads > 0 || l.OneNorm && has.Intermediate > 0 {
		b.Norm1 = norm(l.norm1)
	}
	if has.Heads > 0 {
		b.Attention, b.After1 = l.attention(p, has), norm(l.after1)
	}
	if has.Intermediate > 0 {
		b.Norm2, b.MLP, b.After2 = norm(l.norm2), l.mlp(p, has.Intermediate), norm(l.after2)
	}
	return b
}

func (l *loader) attention(p string, has Widths) *Attention {
	a := &Attention{Fused: l.fused}
	d, bias := l.HeadDim, l.Bias.QKV
	q, kv := has.Heads*d, has.KVHeads*d
	if l.draw == nil { // as many as the weights have
		q, kv = 0, 0
	}
	a.O = l.linear(p+l.o, l.Hidden, q, l.Bias.Out, l.turned)
	if l.qkv != "" {
		a.QKV = l.linear(p+l.qkv, q+2*kv, l.Hidden, bias, l.turned)
	} else {
		a.Q, a.K, a.V = l.linear(p+l.q, q, l.Hidden, bias, l.turned), l.linear(p+l.k, kv, l.Hidden, bias, l.turned), l.linear(p+l.v, kv, l.Hidden, bias, l.turned)
	}
	if l.err != nil {
		return nil
	}
	l.count(a, p)
	if l.QKNorm {
		a.QNorm, a.KNorm = l.norm(p+l.qNorm, d), l.norm(p+l.kNorm, d)
	}
	return a
}

// count finds the numbers of heads, which the sizes of the matrices say.
func (l *loader) count(a *Attention, p string) {
	d, rows := l.HeadDim, 0 // rows of keys
	a.Heads = a.O.In / d
	if a.QKV != nil {
		rows = (a.QKV.Out - a.O.In) / 2
		if a.QKV.Out != a.O.In+2*rows {
			rows = 0
		}
	} else if a.Q.Out == a.O.In && a.K.Out == a.V.Out {
		rows = a.K.Out
	}
	a.KVHeads = rows / d
	if a.Heads < 1 || a.KVHeads < 1 || a.Heads*d != a.O.In || a.KVHeads*d != rows || a.Heads%a.KVHeads != 0 || a.Fused == Heads && a.Heads != a.KVHeads {
		l.fail("the attention %q has matrices of sizes that do not fit heads of %d elements", p+l.o, d)
	}
}

func (l *loader) mlp(p string, width int) *MLP {
	if l.draw == nil {
		width = 0
	}
	m := &MLP{Down: l.linear(p+l.down, l.Hidden, width, l.Bias.MLP, l.turned)}
	if l.err != nil {
		return nil
	}
	m.Width = m.Down.In
	if l.gateUp != "" {
		m.GateUp = l.linear(p+l.gateUp, 2*m.Width, l.Hidden, l.Bias.MLP, l.turned)
		return m
	}
	m.Up = l.linear(p+l.up, m.Width, l.Hidden, l.Bias.MLP, l.turned)
	if l.Gated {
		m.Gate = l.linear(p+l.gate, m.Width, l.Hidden, l.Bias.MLP, l.turned)
	}
	return m
}

// rest returns an error where weights are left that nobody reads: they might change the
// function. Copies of what is tied and what is computed anew are no such.
func (l *loader) rest(m *Model) error {
	var unknown []string
	for _, name := range slices.Sorted(maps.Keys(l.open)) {
		switch {
		case l.Tied && name == l.head+".weight":
			if err := l.copies(name, m.Embed); err != nil {
				return err
			}
		case l.Type == "bert" && name == l.head+".bias":
			if err := l.copies(name, m.HeadBias); err != nil {
				return err
			}
		case slices.ContainsFunc(l.buffers, func(end string) bool { return strings.HasSuffix(name, end) }):
		default:
			unknown = append(unknown, name)
		}
	}
	if unknown != nil {
		return fmt.Errorf("%d weights have no place in a model of type %s, such as %.200q", len(unknown), l.Type, unknown[:min(3, len(unknown))])
	}
	return nil
}

// copies returns an error where a weight is not what the model has in its place. What
// transformers takes then depends on its version: before 5 the one, since then the other.
func (l *loader) copies(name string, w *Weight) error {
	if w == nil { // the model has no such layer
		return nil
	}
	same := false
	t, err := l.src.Read(name)
	if err == nil {
		var of *tensor.Tensor
		if of, err = l.src.Read(w.Name); err == nil {
			same, err = sameNumbers(t, of)
		}
	}
	if err != nil {
		return fmt.Errorf("weight %q: %w", name, err)
	}
	if !same {
		return fmt.Errorf("weight %q should be a copy of %q, and is another: where the two are not tied, say \"tie_word_embeddings\": false in config.json, and else take it out of the file", name, w.Name)
	}
	return nil
}

// widths writes the layers' own widths into the config.
func (m *Model) widths() {
	var all []Widths
	for _, b := range m.Layers {
		var w Widths
		if b.Attention != nil {
			w.Heads, w.KVHeads = b.Heads, b.KVHeads
		}
		if b.MLP != nil {
			w.Intermediate = b.Width
		}
		all = append(all, w)
	}
	m.setWidths(all)
}

// setWidths says of a config how wide its layers are.
func (c *Config) setWidths(all []Widths) {
	c.Pare = nil
	one := all[0]
	for _, w := range all {
		if w != one || w.Heads == 0 || w.Intermediate == 0 {
			c.Pare = all
			return
		}
	}
	c.Heads, c.KVHeads, c.Intermediate = one.Heads, one.KVHeads, one.Intermediate
}
