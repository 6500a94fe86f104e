package family

import (
	"fmt"

	"pare/graph"
	"pare/graph/op"
	"pare/internal/kernel"
	"pare/tensor"
)

// opset and IR version of the graphs built here.
const (
	opset     = 20
	irVersion = 9
)

// The axes of the inputs that are free.
const (
	BatchAxis = "batch"
	TimeAxis  = "sequence"
)

// Build writes a model as a graph of ONNX operators: over input_ids [batch sequence],
// int64, which are numbers of tokens without padding, it gives logits [batch sequence
// vocabulary]. An encoder has attention_mask, 1 for tokens and 0 for padding, and
// token_type_ids as further inputs; without a head it gives last_hidden_state, and
// pooler_output where it has a pooler.
//
// Positions, angles and the causal mask are computed in the graph. Weights are constants
// under Hugging Face's names. Matrices of layers lie as [in out], the right side of a
// MatMul; tables as they are. See [Load] for errors.
func Build(cfg *Config, src Source) (*graph.Graph, error) {
	m, err := Load(cfg, src)
	if err != nil {
		return nil, err
	}
	return m.Graph()
}

// Graph writes the model as a graph, as Build describes.
func (m *Model) Graph() (*graph.Graph, error) {
	b := newBuilder(m)
	g := b.G
	b.inputs()
	h := b.embed()
	for i, l := range m.Layers {
		h = b.layer(i, l, h)
	}
	if m.Final != nil {
		b.Stem = "final"
		h = b.norm(m.Final, h)
	}
	b.outputs(h)
	if err := b.Err(); err != nil {
		return nil, err
	}
	if err := remember(g, m.Config, b.types); err != nil {
		return nil, err
	}
	return g, op.InferAll(g)
}

// newBuilder begins a graph.
func newBuilder(m *Model) *builder {
	g := graph.New(m.Type, opset)
	g.Meta.IRVersion = irVersion
	return &builder{Builder: op.NewBuilder(g, "positions"), Model: m, consts: map[string]*graph.Value{}, types: map[string]tensor.DType{}}
}

// builder is a graph under construction.
type builder struct {
	*op.Builder
	*Model
	consts map[string]*graph.Value
	types  map[string]tensor.DType // in which weights were stored
	once   bool                    // the model is given up: matrices lose their first layout, and none is a view of a file

	ids, mask, segments *graph.Value
	at                  *graph.Value                // positions [sequence]
	hidden              map[int]*graph.Value        // what is added to scores, by window
	turns               map[*Rotary][2]*graph.Value // cosine and sine [sequence Dim]
}

func (b *builder) input(name string) *graph.Value {
	v := &graph.Value{Name: name, DType: tensor.Int64, Shape: graph.Shape{graph.Sym(BatchAxis), graph.Sym(TimeAxis)}}
	b.G.Inputs = append(b.G.Inputs, v)
	return v
}

// inputs are the tokens, and what is known from their number.
func (b *builder) inputs() {
	b.ids = b.input("input_ids")
	if b.Encoder {
		b.mask = b.input("attention_mask")
		if b.Segments != nil {
			b.segments = b.input("token_type_ids")
		}
	}
	b.positions(b.ids)
}

// positions are those of what has the axes [batch sequence …].
func (b *builder) positions(x *graph.Value) {
	length := b.Op("Gather", b.Op("Shape", x), b.Const(tensor.Scalar(int64(1))))
	b.at = b.Op("Range", b.Const(tensor.Scalar(int64(0))), length, b.Const(tensor.Scalar(int64(1))))
	b.hidden, b.turns = map[int]*graph.Value{}, map[*Rotary][2]*graph.Value{}
}

// constant makes a weight a constant, once.
func (b *builder) constant(w *Weight, t *tensor.Tensor) *graph.Value {
	if v := b.consts[w.Name]; v != nil {
		return v
	}
	v := b.G.Const(w.Name, t, graph.Param)
	b.consts[w.Name], b.types[w.Name] = v, w.Stored
	return v
}

func (b *builder) table(w *Weight) *graph.Value { return b.constant(w, w.T) }

// float casts to float32.
func (b *builder) float(x *graph.Value) *graph.Value {
	return b.Attr("Cast", []graph.Attr{graph.MakeAttr("to", tensor.Float32)}, x)
}

// linear is a layer over the last axis.
func (b *builder) linear(l *Linear, x *graph.Value) *graph.Value {
	t := l.T
	if !l.Turned {
		t = tensor.New(tensor.Float32, l.In, l.Out)
		kernel.Transpose(l.T.F32(), t.F32(), l.Out, l.In)
	} else if b.once {
		t = t.Clone()
	}
	if b.once {
		l.T = nil
	}
	y := b.Op("MatMul", x, b.constant(&l.Weight, t))
	if l.Bias != nil {
		y = b.Op("Add", y, b.table(l.Bias))
	}
	return y
}

// norm normalises the last axis.
func (b *builder) norm(n *Norms, x *graph.Value) *graph.Value {
	if b.Norm == LayerNorm {
		return b.Attr("LayerNormalization", []graph.Attr{graph.MakeAttr("axis", -1), graph.MakeAttr("epsilon", b.Eps)}, x, b.table(n.W), b.table(n.B))
	}
	mean := b.Reduce("ReduceMean", b.Op("Mul", x, x), true, len(x.Shape)-1)
	root := b.Op("Sqrt", b.Op("Add", mean, b.Scalar(b.Eps, x)))
	w := b.table(n.W)
	if b.OnePlus {
		w = b.Op("Add", w, b.Scalar(1, x))
	}
	return b.Op("Mul", b.Op("Div", x, root), w)
}

// activate applies the activation.
func (b *builder) activate(x *graph.Value) *graph.Value {
	switch b.Activation {
	case SiLU:
		return b.Op("Mul", x, b.Op("Sigmoid", x))
	case GELU:
		return b.Op("Gelu", x)
	case GELUTanh:
		return b.Attr("Gelu", []graph.Attr{graph.MakeAttr("approximate", "tanh")}, x)
	}
	return b.Op("Relu", x)
}

// embed looks tokens up, and adds positions and segments.
func (b *builder) embed() *graph.Value {
	b.Stem = "embed"
	h := b.Op("Gather", b.table(b.Model.Embed), b.ids)
	if b.EmbedScale != 1 {
		h = b.Op("Mul", h, b.Scalar(b.EmbedScale, h))
	}
	if b.segments != nil {
		h = b.Op("Add", h, b.Op("Gather", b.table(b.Segments), b.segments))
	}
	if b.Model.Positions != nil {
		at := b.at
		if b.Offset != 0 {
			at = b.Op("Add", at, b.Const(tensor.Scalar(int64(b.Offset))))
		}
		h = b.Op("Add", h, b.Op("Gather", b.table(b.Model.Positions), at))
	}
	if b.EmbedNorm != nil {
		h = b.norm(b.EmbedNorm, h)
	}
	return h
}

// layer is block i.
func (b *builder) layer(i int, l *Layer, h *graph.Value) *graph.Value {
	name := fmt.Sprintf("layers.%d", i)
	attend := func(x *graph.Value) *graph.Value {
		b.Stem = name + ".attention"
		return b.attention(i, l.Attention, x)
	}
	forward := func(x *graph.Value) *graph.Value {
		b.Stem = name + ".mlp"
		return b.mlp(l.MLP, x)
	}
	norm := func(n *Norms, x *graph.Value) *graph.Value {
		b.Stem = name + ".norm"
		return b.norm(n, x)
	}
	add := func(x, y *graph.Value) *graph.Value {
		b.Stem = name
		return b.Op("Add", x, y)
	}
	if b.Order == Parallel {
		var one *graph.Value
		x := h
		if l.Norm1 != nil {
			one = norm(l.Norm1, x)
		}
		if l.Attention != nil {
			h = add(h, attend(one))
		}
		if l.MLP != nil {
			if l.Norm2 != nil {
				one = norm(l.Norm2, x)
			}
			h = add(h, forward(one))
		}
		return h
	}
	for _, br := range []struct {
		there         bool
		before, after *Norms
		f             func(x *graph.Value) *graph.Value
	}{{l.Attention != nil, l.Norm1, l.After1, attend}, {l.MLP != nil, l.Norm2, l.After2, forward}} {
		switch {
		case !br.there:
		case b.Order == PostNorm:
			h = norm(br.before, add(h, br.f(h)))
		case b.Order == Sandwich:
			h = add(h, norm(br.after, br.f(norm(br.before, h))))
		default:
			h = add(h, br.f(norm(br.before, h)))
		}
	}
	return h
}

// mlp is the feed-forward part of a block.
func (b *builder) mlp(m *MLP, x *graph.Value) *graph.Value {
	var gate, up *graph.Value
	switch {
	case m.GateUp != nil:
		parts := b.split(b.linear(m.GateUp, x), m.Width, m.Width)
		gate, up = parts[0], parts[1]
	case m.Gate != nil:
		gate, up = b.linear(m.Gate, x), b.linear(m.Up, x)
	default:
		return b.linear(m.Down, b.activate(b.linear(m.Up, x)))
	}
	return b.linear(m.Down, b.Op("Mul", b.activate(gate), up))
}

// split cuts the last axis into parts.
func (b *builder) split(x *graph.Value, sizes ...int) []*graph.Value {
	return b.Node("", "Split", len(sizes), []*graph.Value{x, b.Ints(sizes...)}, graph.MakeAttr("axis", len(x.Shape)-1)).Outputs
}

// out makes a value an output.
func (b *builder) out(name string, v *graph.Value) {
	v.Name = name
	b.G.Outputs = append(b.G.Outputs, v)
}

// outputs are the logits, or what an encoder without a head gives.
func (b *builder) outputs(h *graph.Value) {
	out := b.out
	b.Stem = "head"
	bert := b.Type == "bert"
	if bert && b.Transform == nil {
		if b.Classifier == nil {
			out("last_hidden_state", h)
		}
		if b.Pooler == nil {
			return
		}
		first := b.Attr("Gather", []graph.Attr{graph.MakeAttr("axis", 1)}, h, b.Const(tensor.Scalar(int64(0))))
		p := b.Op("Tanh", b.linear(b.Pooler, first))
		if b.Classifier == nil {
			out("pooler_output", p)
			return
		}
		out("logits", b.linear(b.Classifier, p))
		return
	}
	if bert {
		h = b.norm(b.TransformNorm, b.activate(b.linear(b.Transform, h)))
	}
	var y *graph.Value
	if b.Head != nil {
		y = b.linear(b.Head, h)
	} else {
		y = b.Op("MatMul", h, b.Attr("Transpose", []graph.Attr{graph.MakeAttr("perm", []int{1, 0})}, b.table(b.Model.Embed)))
	}
	if b.HeadBias != nil {
		y = b.Op("Add", y, b.table(b.HeadBias))
	}
	if c := b.LogitSoftcap; c > 0 {
		y = b.softcap(y, c)
	}
	out("logits", y)
}

// softcap is c·tanh(x/c).
func (b *builder) softcap(x *graph.Value, c float64) *graph.Value {
	return b.Op("Mul", b.Op("Tanh", b.Op("Div", x, b.Scalar(c, x))), b.Scalar(c, x))
}
