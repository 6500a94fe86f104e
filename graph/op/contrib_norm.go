package op

import (
	"fmt"

	"pare/graph"
)

// epsilon is that of a normalisation, which the runtime's operators may leave out.
func epsilon(n *graph.Node) float64 { return float64(n.Float("epsilon", 1e-5)) }

// lastMean is the mean over the last axis.
func lastMean(b *Builder, x *graph.Value) *graph.Value {
	if b.G.Version("") < 18 {
		return b.Attr("ReduceMean", []graph.Attr{graph.MakeAttr("axes", []int{-1})}, x)
	}
	return b.Op("ReduceMean", x, b.Ints(-1))
}

func layerNorm(b *Builder, x, scale, bias *graph.Value, eps float64) *graph.Value {
	if b.G.Version("") >= 17 {
		in := []*graph.Value{x, scale}
		if bias != nil {
			in = append(in, bias)
		}
		return b.Attr("LayerNormalization", []graph.Attr{graph.MakeAttr("epsilon", eps)}, in...)
	}
	d := b.Op("Sub", x, lastMean(b, x))
	v := lastMean(b, b.Op("Mul", d, d))
	y := b.Op("Div", d, b.Op("Sqrt", b.Op("Add", v, b.Scalar(eps, x))))
	return added(b, b.Op("Mul", y, scale), bias)
}

func rmsNorm(b *Builder, x, scale *graph.Value, eps float64) *graph.Value {
	if b.G.Version("") >= 23 {
		return b.Attr("RMSNormalization", []graph.Attr{graph.MakeAttr("epsilon", eps)}, x, scale)
	}
	v := lastMean(b, b.Op("Mul", x, x))
	return b.Op("Mul", b.Op("Div", x, b.Op("Sqrt", b.Op("Add", v, b.Scalar(eps, x)))), scale)
}

func simplified(b *Builder, n *graph.Node) ([]*graph.Value, error) {
	x := n.In(0)
	last := n.Int("axis", -1)
	if x == nil || last != -1 && (x.Shape == nil || last != len(x.Shape)-1) || n.Out(1) != nil {
		return nil, fmt.Errorf("over several axes, or with its deviation")
	}
	return one(rmsNorm(b, x, n.In(1), epsilon(n)))
}

// skipNorm is a normalisation of a sum: output, mean, deviation, the sum.
func skipNorm(b *Builder, n *graph.Node, rms bool) ([]*graph.Value, error) {
	if n.Out(1) != nil || n.Out(2) != nil {
		return nil, fmt.Errorf("it gives mean and deviation")
	}
	sum := b.Op("Add", n.In(0), n.In(1))
	if rms {
		sum = added(b, sum, n.In(3))
		return []*graph.Value{rmsNorm(b, sum, n.In(2), float64(n.Float("epsilon", 1e-6))), nil, nil, sum}, nil
	}
	sum = added(b, sum, n.In(4))
	return []*graph.Value{layerNorm(b, sum, n.In(2), n.In(3), float64(n.Float("epsilon", 1e-12))), nil, nil, sum}, nil
}

// embedNorm is EmbedLayerNormalization(words, segments, word table, position table,
// segment table, scale, bias, mask, positions): the normalised sum of embeddings, the
// number of words that the mask leaves, and the sum.
func embedNorm(b *Builder, n *graph.Node) ([]*graph.Value, error) {
	ids, words, places := n.In(0), n.In(2), n.In(3)
	if rank(ids) != 2 || rank(words) != 2 || rank(places) != 2 || (n.In(1) == nil) != (n.In(4) == nil) {
		return nil, fmt.Errorf("its words are not [batch length], or its tables not of rank 2")
	}
	var at *graph.Value
	if n.In(8) != nil {
		at = b.Op("Gather", places, n.In(8))
	} else { // the first rows
		if err := since(b, 10); err != nil {
			return nil, err
		}
		at = b.Unsqueeze(b.Op("Slice", places, b.Ints(0), b.Unsqueeze(sizeOf(b, ids, 1), 0), b.Ints(0)), 0)
	}
	sum := b.Op("Add", b.Op("Gather", words, ids), at)
	if n.In(1) != nil {
		sum = b.Op("Add", sum, b.Op("Gather", n.In(4), n.In(1)))
	}
	y := layerNorm(b, sum, n.In(5), n.In(6), float64(n.Float("epsilon", 1e-12)))
	left := []*graph.Value{y, nil, sum}
	if n.Out(1) != nil {
		mask := n.In(7)
		if mask == nil {
			mask = b.Op("Mul", ids, b.Scalar(0, ids))
		}
		left[1] = b.Sum(mask, false, 1)
	}
	return left, nil
}
