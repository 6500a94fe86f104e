package op

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"pare/graph"
)

// ContribDomain is that of the operators that ONNX Runtime's optimiser writes in
// the place of several of ai.onnx.
const ContribDomain = "com.microsoft"

// contrib writes such an operator out: its outputs, nil for those that nobody reads.
type contrib func(b *Builder, n *graph.Node) ([]*graph.Value, error)

// contribs are those that are known.
var contribs = map[string]contrib{}

func init() {
	for name, f := range map[string]contrib{
		"Gelu": func(b *Builder, n *graph.Node) ([]*graph.Value, error) { return one(gelu(b, n.In(0))) },
		"BiasGelu": func(b *Builder, n *graph.Node) ([]*graph.Value, error) {
			return one(gelu(b, b.Op("Add", n.In(0), n.In(1))))
		},
		"FastGelu": func(b *Builder, n *graph.Node) ([]*graph.Value, error) {
			return one(fastGelu(b, added(b, n.In(0), n.In(1))))
		},
		"QuickGelu": func(b *Builder, n *graph.Node) ([]*graph.Value, error) {
			x := n.In(0)
			return one(b.Op("Mul", x, b.Op("Sigmoid", b.Op("Mul", x, b.Scalar(float64(n.Float("alpha", 1.702)), x)))))
		},
		"FusedConv":                        fusedConv,
		"FusedMatMul":                      fusedMatMul,
		"TransposeMatMul":                  fusedMatMul,
		"FusedGemm":                        fusedGemm,
		"SkipLayerNormalization":           func(b *Builder, n *graph.Node) ([]*graph.Value, error) { return skipNorm(b, n, false) },
		"SkipSimplifiedLayerNormalization": func(b *Builder, n *graph.Node) ([]*graph.Value, error) { return skipNorm(b, n, true) },
		"SimplifiedLayerNormalization":     simplified,
		"LayerNormalization": func(b *Builder, n *graph.Node) ([]*graph.Value, error) {
			if n.Int("axis", -1) != -1 || len(n.Outputs) > 1 {
				return nil, fmt.Errorf("over several axes, or with mean and variance")
			}
			return one(layerNorm(b, n.In(0), n.In(1), n.In(2), epsilon(n)))
		},
		"MultiHeadAttention":      multiHead,
		"Attention":               packedAttention,
		"QAttention":              quantisedAttention,
		"GroupQueryAttention":     groupQuery,
		"RotaryEmbedding":         contribRotary,
		"EmbedLayerNormalization": embedNorm,
	} {
		contribs[name] = f
	}
}

func one(v *graph.Value) ([]*graph.Value, error) { return []*graph.Value{v}, nil }

// WrittenOut lists the operators of a domain that ReadContrib writes out, sorted.
func WrittenOut(domain string) []string {
	switch domain {
	case ContribDomain:
		return slices.Sorted(maps.Keys(contribs))
	case LearnedDomain:
		return slices.Sorted(maps.Keys(learned))
	}
	return nil
}

// plainOpset is the version of ai.onnx that a file gets which named none.
const plainOpset = 13

// ReadContrib writes out the operators of a runtime's optimiser, and of ai.onnx.ml, that
// are known so, as operators of ai.onnx. Those that are not stay, and are refused by name when the
// network is used. The graph's nodes must be sorted.
func ReadContrib(g *graph.Graph) {
	some := false
	Each(g, func(n *graph.Node) { some = some || contribOf(n) != nil })
	if !some {
		return
	}
	if _, ok := g.Opset[""]; !ok { // the file has none of these so far
		g.Opset[""] = plainOpset
	}
	readContrib(g, map[*graph.Value][]graph.Dim{})
	left := map[string]bool{}
	Each(g, func(n *graph.Node) { left[n.Domain] = true })
	for _, d := range []string{ContribDomain, LearnedDomain} {
		if !left[d] {
			delete(g.Opset, d)
		}
	}
}

// contribOf is what writes a node out, or nil. The runtime has one of its operators
// in the standard's domain.
func contribOf(n *graph.Node) contrib {
	switch {
	case n.Domain == ContribDomain || n.Domain == "" && n.Op == "SimplifiedLayerNormalization":
		return contribs[n.Op]
	case n.Domain == LearnedDomain:
		return learned[n.Op]
	}
	return nil
}

func readContrib(g *graph.Graph, dims map[*graph.Value][]graph.Dim) {
	g.Fresh("part") // it now knows all names
	uses := g.Uses()
	nodes := g.Nodes
	g.Nodes = nil
	for _, n := range nodes {
		for _, s := range n.Subgraphs() {
			readContrib(s, dims)
		}
		f := contribOf(n)
		if f != nil {
			for i, o := range n.Outputs { // what nobody reads need not be known
				if o != nil && len(uses[o]) == 0 && !g.IsOutput(o) {
					n.Outputs[i] = nil
				}
			}
		}
		if f == nil || !writeOut(g, n, f, dims) {
			g.Nodes = append(g.Nodes, n)
			_ = inferNode(g, n, dims) // what is wrong is reported when the graph is used
		}
	}
}

// writeOut puts the parts of a node behind the graph's nodes; false where its form
// is not known, and then it adds none.
func writeOut(g *graph.Graph, n *graph.Node, f contrib, dims map[*graph.Value][]graph.Dim) bool {
	first := len(g.Nodes)
	b := &Builder{G: g, Stem: n.Name, dims: dims}
	if b.Stem == "" {
		b.Stem = n.Op
	}
	var outs []*graph.Value
	err := safely(func() (err error) { outs, err = f(b, n); return })
	good := err == nil && b.Err() == nil
	for i, o := range n.Outputs {
		good = good && (o == nil || i < len(outs) && outs[i] != nil && outs[i].From != nil)
	}
	if !good {
		g.Nodes = g.Nodes[:first]
		return false
	}
	for i, o := range n.Outputs {
		if o == nil {
			continue
		}
		adopt(g, outs[i], o)
		if d, ok := dims[outs[i]]; ok {
			dims[o] = d
		}
	}
	return true
}

// wayOn is said of operators that are not known.
func wayOn(ns []*graph.Node) string {
	for _, n := range ns {
		if n.Domain == ContribDomain || strings.HasPrefix(n.Domain, ContribDomain+".") {
			return "; operators of com.microsoft are written by a runtime's optimiser: export the network without it"
		}
	}
	return "; a program of its own can add it (op.Register)"
}

func added(b *Builder, x, y *graph.Value) *graph.Value {
	if y == nil {
		return x
	}
	return b.Op("Add", x, y)
}

func gelu(b *Builder, x *graph.Value) *graph.Value {
	if b.G.Version("") >= 20 {
		return b.Op("Gelu", x)
	}
	e := b.Op("Add", b.Op("Erf", b.Op("Div", x, b.Scalar(math.Sqrt2, x))), b.Scalar(1, x))
	return b.Op("Mul", b.Op("Mul", x, e), b.Scalar(.5, x))
}

func fastGelu(b *Builder, x *graph.Value) *graph.Value {
	cube := b.Op("Mul", b.Op("Mul", x, x), x)
	inner := b.Op("Add", x, b.Op("Mul", cube, b.Scalar(.044715, x)))
	t := b.Op("Add", b.Op("Tanh", b.Op("Mul", inner, b.Scalar(math.Sqrt(2/math.Pi), x))), b.Scalar(1, x))
	return b.Op("Mul", b.Op("Mul", x, t), b.Scalar(.5, x))
}

// activated applies the activation that a fused operator names, with its numbers.
func activated(b *Builder, name string, p []float32, x *graph.Value) (*graph.Value, error) {
	at := func(i int, def float32) float32 {
		if i < len(p) {
			return p[i]
		}
		return def
	}
	switch name {
	case "":
		return x, nil
	case "Relu", "Tanh", "Sigmoid", "Softplus", "Softsign", "HardSwish":
		return b.Op(name, x), nil
	case "LeakyRelu":
		return b.Attr(name, []graph.Attr{graph.MakeAttr("alpha", at(0, .01))}, x), nil
	case "Elu":
		return b.Attr(name, []graph.Attr{graph.MakeAttr("alpha", at(0, 1))}, x), nil
	case "HardSigmoid":
		return b.Attr(name, []graph.Attr{graph.MakeAttr("alpha", at(0, .2)), graph.MakeAttr("beta", at(1, .5))}, x), nil
	case "Clip":
		if len(p) != 2 {
			break
		}
		if b.G.Version("") < 11 {
			return b.Attr(name, []graph.Attr{graph.MakeAttr("min", p[0]), graph.MakeAttr("max", p[1])}, x), nil
		}
		return b.Op(name, x, b.Scalar(float64(p[0]), x), b.Scalar(float64(p[1]), x)), nil
	}
	return nil, fmt.Errorf("its activation %q is not known", name)
}

// without lists a node's attributes but some.
func without(n *graph.Node, names ...string) []graph.Attr {
	c := &graph.Node{Attrs: append([]graph.Attr{}, n.Attrs...)}
	drop(c, names...)
	return c.Attrs
}

func fusedConv(b *Builder, n *graph.Node) ([]*graph.Value, error) {
	y, err := convolved(b, n, n.In(0), n.In(3))
	return []*graph.Value{y}, err
}

// convolved is the convolution of x by a node's kernel, its bias, what is added to it, and
// its activation.
func convolved(b *Builder, n *graph.Node, x, z *graph.Value) (*graph.Value, error) {
	in := []*graph.Value{x, n.In(1)}
	if n.In(2) != nil {
		in = append(in, n.In(2))
	}
	y := b.Attr("Conv", without(n, "activation", "activation_params"), in...)
	var p []float32
	if a := n.Attr("activation_params"); a != nil {
		p = a.Floats
	}
	return activated(b, n.Str("activation", ""), p, added(b, y, z))
}

func fusedMatMul(b *Builder, n *graph.Node) ([]*graph.Value, error) {
	var in [2]*graph.Value
	for i, side := range []string{"A", "B"} {
		if in[i] = n.In(i); in[i] == nil || len(in[i].Shape) == 1 {
			continue
		}
		turned, batch := n.Int("trans"+side, 0) != 0, n.Int("transBatch"+side, 0) != 0
		if !turned && !batch {
			continue
		}
		k := rank(in[i])
		if k < 0 {
			return nil, fmt.Errorf("the rank of input %d is not known", i)
		}
		in[i] = b.Attr("Transpose", []graph.Attr{graph.MakeAttr("perm", turnedAxes(k, turned, batch))}, in[i])
	}
	y := b.Op("MatMul", in[0], in[1])
	if a := n.Float("alpha", 1); a != 1 {
		y = b.Op("Mul", y, b.Scalar(float64(a), y))
	}
	return one(y)
}

// turnedAxes are the axes of a matrix by rows and columns: the first axis of the file is
// the rows' where batch is set, with the batch behind it, and both are exchanged where
// turned is.
func turnedAxes(k int, turned, batch bool) []int {
	perm := make([]int, k)
	for d := range perm {
		perm[d] = d
	}
	if batch && k > 2 {
		perm = append(append(perm[1:k-1:k-1], 0), k-1)
	}
	if turned {
		perm[k-1], perm[k-2] = perm[k-2], perm[k-1]
	}
	return perm
}

func fusedGemm(b *Builder, n *graph.Node) ([]*graph.Value, error) {
	in := []*graph.Value{n.In(0), n.In(1)}
	if n.In(2) != nil {
		in = append(in, n.In(2))
	}
	const alpha, beta, leaky = "activation_alpha", "activation_beta", "leaky_relu_alpha"
	y := b.Attr("Gemm", without(n, "activation", "activation_gamma", alpha, beta, leaky), in...)
	var p []float32
	for _, name := range []string{leaky, alpha, beta} {
		if n.Attr(name) != nil {
			p = append(p, n.Float(name, 0))
		}
	}
	y, err := activated(b, n.Str("activation", ""), p, y)
	return []*graph.Value{y}, err
}
