package op

import (
	"fmt"
	"strings"

	"pare/graph"
	"pare/tensor"
)

// renamed is an operator that the standard has under a name since an opset.
func renamed(name string, opset int) contrib {
	return func(b *Builder, n *graph.Node) ([]*graph.Value, error) {
		if err := since(b, opset); err != nil {
			return nil, err
		}
		return b.Node("", name, len(n.Outputs), n.Inputs, n.Attrs...).Outputs, nil
	}
}

func init() {
	for name, f := range map[string]contrib{
		"Trilu":      renamed("Trilu", 14),
		"Range":      renamed("Range", 11),
		"GatherND":   renamed("GatherND", 11),
		"GridSample": contribGridSample,
		"BiasAdd": func(b *Builder, n *graph.Node) ([]*graph.Value, error) {
			return one(b.Op("Add", b.Op("Add", n.In(0), n.In(1)), n.In(2)))
		},
		"BiasDropout":   biasDropout,
		"BiasSplitGelu": biasSplitGelu,
		"GemmFastGelu": func(b *Builder, n *graph.Node) ([]*graph.Value, error) {
			return one(fastGelu(b, added(b, b.Op("MatMul", n.In(0), n.In(1)), n.In(2))))
		},
		"FusedMatMulActivation": fusedMatMulActivation,
		"SwiGLU":                gated,
		"Unique":                unique,
		"Pad":                   contribPad,
		"ExpandDims":            expandDims,
		"CDist":                 distances,
		"TorchEmbedding": func(b *Builder, n *graph.Node) ([]*graph.Value, error) {
			return one(b.Op("Gather", n.In(0), n.In(1)))
		},
	} {
		contribs[name] = f
	}
}

// biasDropout is BiasDropout(x, bias, residual, ratio, training) of a network that is not
// in training.
func biasDropout(b *Builder, n *graph.Node) ([]*graph.Value, error) {
	if t := n.In(4); t != nil && !(t.Const != nil && !isTrue(t.Const)) || n.Out(1) != nil {
		return nil, fmt.Errorf("it is in training")
	}
	return one(added(b, b.Op("Add", n.In(0), n.In(1)), n.In(2)))
}

func isTrue(t *tensor.Tensor) bool {
	f, err := t.Float64s()
	return err != nil || len(f) != 1 || f[0] != 0
}

// biasSplitGelu is left*gelu(right) of the halves of x plus a bias.
func biasSplitGelu(b *Builder, n *graph.Node) ([]*graph.Value, error) {
	left, right, err := halves(b, b.Op("Add", n.In(0), n.In(1)))
	if err != nil {
		return nil, err
	}
	return one(b.Op("Mul", left, gelu(b, right)))
}

// halves cuts the last axis in two.
func halves(b *Builder, x *graph.Value) (left, right *graph.Value, err error) {
	k := rank(x)
	if k < 1 || !x.Shape[k-1].Known() || x.Shape[k-1].Mul%2 != 0 {
		return nil, nil, fmt.Errorf("%v does not divide into halves", x.Shape)
	}
	w := x.Shape[k-1].Mul / 2
	parts := splitLast(b, x, w, w)
	return parts[0], parts[1], nil
}

func fusedMatMulActivation(b *Builder, n *graph.Node) ([]*graph.Value, error) {
	y, err := fusedMatMul(b, n)
	if err != nil {
		return nil, err
	}
	var p []float32
	for _, name := range []string{"activation_alpha", "activation_beta"} {
		if n.Attr(name) != nil {
			p = append(p, n.Float(name, 0))
		}
	}
	z, err := activated(b, n.Str("activation", ""), p, y[0])
	return []*graph.Value{z}, err
}

// gated is SwiGLU(gate, up) = gate*sigmoid(alpha*gate)*(up + beta) (Shazeer 2020), both
// bounded where a limit is set; the halves of one input where there is no other.
func gated(b *Builder, n *graph.Node) ([]*graph.Value, error) {
	gate, up := n.In(0), n.In(1)
	if up == nil {
		var err error
		if gate, up, err = halves(b, gate); err != nil {
			return nil, err
		}
	}
	if most := n.Float("limit", 0); most > 0 {
		if err := since(b, 12); err != nil {
			return nil, err
		}
		gate = b.Op("Min", gate, b.Scalar(float64(most), gate))
		up = b.Op("Max", b.Op("Min", up, b.Scalar(float64(most), up)), b.Scalar(-float64(most), up))
	}
	turned := gate
	if a := n.Float("activation_alpha", 1); a != 1 {
		turned = b.Op("Mul", gate, b.Scalar(float64(a), gate))
	}
	if beta := n.Float("activation_beta", 0); beta != 0 {
		up = b.Op("Add", up, b.Scalar(float64(beta), up))
	}
	return one(b.Op("Mul", b.Op("Mul", gate, b.Op("Sigmoid", turned)), up))
}

// unique is Unique of a vector: its values in the order in which they come, where each is
// among these, and how often.
func unique(b *Builder, n *graph.Node) ([]*graph.Value, error) {
	if err := since(b, 11); err != nil {
		return nil, err
	}
	y := b.Node("", "Unique", 4, []*graph.Value{n.In(0)}, graph.MakeAttr("sorted", 0)).Outputs
	return []*graph.Value{y[0], y[2], y[3]}, nil
}

// contribPad is Pad(x, pads, value), whose value may be a vector of one.
func contribPad(b *Builder, n *graph.Node) ([]*graph.Value, error) {
	if err := since(b, 11); err != nil {
		return nil, err
	}
	in := []*graph.Value{n.In(0), b.Op("Reshape", n.In(1), b.Ints(-1))}
	if v := n.In(2); v != nil {
		in = append(in, b.Op("Reshape", v, b.Const(tensor.New(tensor.Int64, 0))))
	}
	return one(b.Attr("Pad", n.Attrs, in...))
}

// expandDims is ExpandDims(x, axis).
func expandDims(b *Builder, n *graph.Node) ([]*graph.Value, error) {
	x, at := n.In(0), n.In(1)
	if x == nil || at == nil || at.Const == nil || at.Const.Len() != 1 || x.Shape == nil {
		return nil, fmt.Errorf("its axis or its rank is not known")
	}
	a, err := intsOf(at.Const)
	if err != nil {
		return nil, err
	}
	if a[0] < 0 { // the runtime counts from behind as the result has axes
		a[0] += len(x.Shape) + 1
	}
	return one(b.Unsqueeze(x, a[0]))
}

// distances is CDist: of each row of A from each row of B.
func distances(b *Builder, n *graph.Node) ([]*graph.Value, error) {
	metric := n.Str("metric", "sqeuclidean")
	if metric != "sqeuclidean" && metric != "euclidean" {
		return nil, fmt.Errorf("its metric %q is not known", metric)
	}
	d := b.Op("Sub", b.Unsqueeze(n.In(0), 1), b.Unsqueeze(n.In(1), 0))
	y := b.Sum(b.Op("Mul", d, d), false, 2)
	if metric == "euclidean" {
		y = b.Op("Sqrt", y)
	}
	return one(y)
}

// contribGridSample is GridSample, whose modes have other names from opset 20 on.
func contribGridSample(b *Builder, n *graph.Node) ([]*graph.Value, error) {
	if err := since(b, 16); err != nil {
		return nil, err
	}
	k := &graph.Node{Attrs: append([]graph.Attr{}, n.Attrs...)}
	if mode := n.Str("mode", "bilinear"); b.G.Version("") >= 20 && mode != "nearest" {
		k.Set("mode", strings.TrimPrefix(mode, "bi"))
	}
	return one(b.Attr("GridSample", k.Attrs, n.Inputs...))
}
