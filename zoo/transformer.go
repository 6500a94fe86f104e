package zoo

import (
	"fmt"
	"math"

	"pare/graph"
	"pare/tensor"
)

func (b *net) layerNorm(name string, x *graph.Value) *graph.Value {
	b.at(name)
	d := x.Shape[len(x.Shape)-1].Mul
	return b.Attr("LayerNormalization", []graph.Attr{graph.MakeAttr("axis", -1), graph.MakeAttr("epsilon", 1e-5)}, x,
		b.param(name+".weight", fill(1), d), b.param(name+".bias", nil, d))
}

// gelu is the exact form, x*Phi(x), in the operators of this opset.
func (b *net) gelu(x *graph.Value) *graph.Value {
	e := b.Op("Erf", b.Op("Mul", x, b.Scalar(1/math.Sqrt2, x)))
	return b.Op("Mul", b.Op("Mul", x, b.Op("Add", e, b.Scalar(1, x))), b.Scalar(.5, x))
}

// dense is a layer of a transformer.
func (b *net) dense(name string, x *graph.Value, out int) *graph.Value {
	if b.plain {
		return b.torchLinear(name, x, out)
	}
	return b.linear(name, x, out, b.normal(.02))
}

// attention is multi-head self-attention over [N, T, d] (Vaswani et al. 2017);
// mask, added to the scores, may be nil.
func (b *net) attention(name string, x, mask *graph.Value, heads int) *graph.Value {
	t, d := x.Shape[1].Mul, x.Shape[2].Mul
	split := func(part string, perm ...int) *graph.Value {
		y := b.dense(name+"."+part, x, d)
		y = b.Op("Reshape", y, b.Ints(0, t, heads, d/heads))
		return b.Attr("Transpose", []graph.Attr{graph.MakeAttr("perm", perm)}, y)
	}
	q, k, v := split("q", 0, 2, 1, 3), split("k", 0, 2, 3, 1), split("v", 0, 2, 1, 3)
	b.at(name)
	s := b.Op("Mul", b.Op("MatMul", q, k), b.Scalar(1/math.Sqrt(float64(d/heads)), x))
	if mask != nil {
		s = b.Op("Add", s, mask)
	}
	a := b.Op("MatMul", b.Attr("Softmax", []graph.Attr{graph.MakeAttr("axis", -1)}, s), v)
	a = b.Attr("Transpose", []graph.Attr{graph.MakeAttr("perm", []int{0, 2, 1, 3})}, a)
	a = b.Op("Reshape", a, b.Ints(0, t, d))
	return b.dense(name+".proj", a, d)
}

// block is a pre-norm transformer block.
func (b *net) block(name string, x, mask *graph.Value, heads int) *graph.Value {
	d := x.Shape[2].Mul
	h := b.attention(name+".attn", b.layerNorm(name+".ln1", x), mask, heads)
	x = b.Op("Add", x, h)
	h = b.linear(name+".fc1", b.layerNorm(name+".ln2", x), 4*d, b.normal(.02))
	h = b.linear(name+".fc2", b.gelu(h), d, b.normal(.02))
	return b.Op("Add", x, h)
}

// viT is a small vision transformer (Dosovitskiy et al. 2021) that averages
// its tokens instead of adding a class token.
func viT(o Options, patch, dim, layers, heads int) (*graph.Graph, error) {
	in, err := image(o.In, 3, 32, 32)
	if err != nil {
		return nil, err
	}
	if in[1]%patch != 0 || in[2]%patch != 0 || dim%heads != 0 {
		return nil, fmt.Errorf("input %v does not divide into patches of %d, or width %d into %d heads", in, patch, dim, heads)
	}
	b, x := newNet("vit", o, in...)
	t := in[1] / patch * (in[2] / patch)
	w := b.param("patch.weight", b.xavier(patch*patch*in[0], dim), dim, in[0], patch, patch)
	x = b.Attr("Conv", []graph.Attr{graph.MakeAttr("kernel_shape", []int{patch, patch}), graph.MakeAttr("strides", []int{patch, patch})},
		x, w, b.param("patch.bias", nil, dim))
	x = b.Op("Reshape", x, b.Ints(0, dim, t))
	x = b.Attr("Transpose", []graph.Attr{graph.MakeAttr("perm", []int{0, 2, 1})}, x)
	x = b.Op("Add", x, b.param("position", b.normal(.02), 1, t, dim))
	for i := range layers {
		x = b.block(fmt.Sprintf("blocks.%d", i), x, nil, heads)
	}
	x = b.layerNorm("norm", x)
	x = b.Attr("ReduceMean", []graph.Attr{graph.MakeAttr("axes", []int{1}), graph.MakeAttr("keepdims", 0)}, x)
	return b.finish(b.linear("head", x, o.Classes, b.normal(.02)), "logits")
}

// gpt is a small decoder-only language model (Radford et al. 2019): token and
// position embeddings, causal blocks, the output over the vocabulary
// (o.Classes). Its input is int64 tokens [N, T].
func gpt(o Options, layers, dim, heads int) (*graph.Graph, error) {
	context, err := textLength(o, 64, layers, dim, heads)
	if err != nil {
		return nil, err
	}
	b, x := newNet("gpt", o, context)
	x.Name, x.DType = "tokens", tensor.Int64
	mask := tensor.New(tensor.Float32, 1, 1, context, context)
	for i := range context {
		for j := i + 1; j < context; j++ {
			mask.F32()[i*context+j] = -1e9
		}
	}
	m := b.G.Const("causal", mask, graph.Frozen)
	h := b.Op("Gather", b.param("token.weight", b.normal(.02), o.Classes, dim), x)
	h = b.Op("Add", h, b.param("position", b.normal(.02), 1, context, dim))
	for i := range layers {
		h = b.block(fmt.Sprintf("blocks.%d", i), h, m, heads)
	}
	h = b.layerNorm("norm", h)
	b.at("head")
	return b.finish(b.Op("MatMul", h, b.param("head.weight", b.normal(.02), dim, o.Classes)), "logits")
}

// bert is an encoder (Devlin et al. 2019): its output is the last states. The
// vocabulary is o.Classes. Its input is int64 tokens [N, T], none of them
// padding.
func bert(o Options, layers, dim, heads int) (*graph.Graph, error) {
	length, err := textLength(o, 128, layers, dim, heads)
	if err != nil {
		return nil, err
	}
	b, x := newNet("bert", o, length)
	x.Name, x.DType = "tokens", tensor.Int64
	return b.finish(b.encoder(x, nil, o.Classes, layers, dim, heads), "states")
}

// bertClassifier is bert with a head for o.Classes classes on the first token,
// as BertForSequenceClassification has it: a layer with tanh and one of logits.
// attention_mask is 1 for tokens and 0 for padding. The vocabulary is
// o.Tables[0].
func bertClassifier(o Options, layers, dim, heads int) (*graph.Graph, error) {
	length, err := textLength(o, 128, layers, dim, heads)
	if err != nil {
		return nil, err
	}
	words := o.Tables
	if words == nil {
		words = []int{30522}
	}
	if len(words) != 1 || words[0] < 1 {
		return nil, fmt.Errorf("tables of %v rows: an encoder has one, of its vocabulary", words)
	}
	b, x := newNet("bert-classifier", o, length)
	b.plain = true // narrow and from scratch: N(0, .02^2) is for wide ones, whose first steps would hardly move these
	x.Name, x.DType = "input_ids", tensor.Int64
	mask := b.input("attention_mask", tensor.Int64, length)
	b.at("mask")
	m := b.Attr("Cast", []graph.Attr{graph.MakeAttr("to", int(tensor.Float32))}, b.Unsqueeze(mask, 1, 2))
	m = b.Op("Sub", b.Scalar(1, m), m)
	m = b.Op("Mul", m, b.Scalar(-10000, m))
	h := b.encoder(x, m, words[0], layers, dim, heads)
	b.at("pooler")
	h = b.Attr("Gather", []graph.Attr{graph.MakeAttr("axis", 1)}, h, b.Const(index(0)))
	h = b.Op("Tanh", b.dense("pooler", h, dim))
	return b.finish(b.dense("classifier", h, o.Classes), "logits")
}

// textLength checks a transformer's sizes and finds the length of its text.
func textLength(o Options, length, layers, dim, heads int) (int, error) {
	if o.In != nil {
		if len(o.In) != 1 || o.In[0] < 1 {
			return 0, fmt.Errorf("input %v is not a length of text", o.In)
		}
		length = o.In[0]
	}
	if layers < 1 || dim < 1 || heads < 1 || dim%heads != 0 {
		return 0, fmt.Errorf("width %d does not divide into %d heads, or there is no layer", dim, heads)
	}
	return length, nil
}

// encoder is token, position and one segment embedding, and blocks normalised
// after each sum. mask, added to the scores, may be nil.
func (b *net) encoder(x, mask *graph.Value, words, layers, dim, heads int) *graph.Value {
	length, table := features(x), b.normal(.02)
	if b.plain {
		table = b.normal(1)
	}
	h := b.Op("Gather", b.param("token.weight", table, words, dim), x)
	h = b.Op("Add", h, b.param("position", table, 1, length, dim))
	h = b.Op("Add", h, b.param("segment", table, dim))
	h = b.layerNorm("norm", h)
	for i := range layers {
		name := fmt.Sprintf("layers.%d", i)
		h = b.layerNorm(name+".ln1", b.Op("Add", h, b.attention(name+".attn", h, mask, heads)))
		f := b.gelu(b.dense(name+".fc1", h, 4*dim))
		h = b.layerNorm(name+".ln2", b.Op("Add", h, b.dense(name+".fc2", f, dim)))
	}
	return h
}
