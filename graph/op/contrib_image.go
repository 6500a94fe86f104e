package op

import (
	"fmt"

	"pare/graph"
)

// channelsLast applies an operator of [batch channels places…] to [batch places… channels].
func channelsLast(b *Builder, f func(x *graph.Value) *graph.Value, x *graph.Value) (*graph.Value, error) {
	k := rank(x)
	if k < 3 {
		return nil, fmt.Errorf("its input is not [batch places… channels]")
	}
	return lastAgain(b, f(channelsFirst(b, x))), nil
}

// channelsFirst moves the last axis behind the first.
func channelsFirst(b *Builder, x *graph.Value) *graph.Value {
	perm := []int{0, len(x.Shape) - 1}
	for i := 1; i+1 < len(x.Shape); i++ {
		perm = append(perm, i)
	}
	return b.Attr("Transpose", []graph.Attr{graph.MakeAttr("perm", perm)}, x)
}

// lastAgain moves the second axis behind all others.
func lastAgain(b *Builder, x *graph.Value) *graph.Value {
	perm := []int{0}
	for i := 2; i < len(x.Shape); i++ {
		perm = append(perm, i)
	}
	return b.Attr("Transpose", []graph.Attr{graph.MakeAttr("perm", append(perm, 1))}, x)
}

func init() {
	for name, f := range map[string]contrib{
		"NhwcMaxPool": func(b *Builder, n *graph.Node) ([]*graph.Value, error) {
			y, err := channelsLast(b, func(x *graph.Value) *graph.Value { return b.Attr("MaxPool", n.Attrs, x) }, n.In(0))
			return []*graph.Value{y}, err
		},
		"NhwcConv":      nhwcConv,
		"NhwcFusedConv": nhwcConv,
		"GroupNorm":     func(b *Builder, n *graph.Node) ([]*graph.Value, error) { return contribGroupNorm(b, n, n.In(0)) },
		"SkipGroupNorm": skipGroupNorm,
	} {
		contribs[name] = f
	}
}

// nhwcConv is a convolution of channels that come last, whose kernels are as ever, with
// what is added to it and its activation.
func nhwcConv(b *Builder, n *graph.Node) ([]*graph.Value, error) {
	x, z := n.In(0), n.In(3)
	if rank(x) < 3 || z != nil && rank(z) != rank(x) {
		return nil, fmt.Errorf("its input is not [batch places… channels]")
	}
	if z != nil {
		z = channelsFirst(b, z)
	}
	y, err := convolved(b, n, channelsFirst(b, x), z)
	if err != nil || b.err != nil {
		return nil, err
	}
	return one(lastAgain(b, y))
}

// skipGroupNorm is SkipGroupNorm(x, scale, bias, skip, added): the normalisation of the
// sum, and the sum.
func skipGroupNorm(b *Builder, n *graph.Node) ([]*graph.Value, error) {
	x, skip := n.In(0), n.In(3)
	if rank(x) != 4 || skip == nil || n.Int("channels_last", 1) == 0 {
		return nil, fmt.Errorf("its input is not [batch height width channels]")
	}
	if rank(skip) == 2 {
		skip = b.Unsqueeze(skip, 1, 2)
	}
	sum := added(b, b.Op("Add", x, skip), n.In(4))
	y, err := contribGroupNorm(b, n, sum)
	return append(y, sum), err
}

// contribGroupNorm is GroupNorm(x, scale, bias) (Wu, He 2018), of channels that come last
// unless it is said otherwise, followed by x*sigmoid(x) where that is asked for.
func contribGroupNorm(b *Builder, n *graph.Node, x *graph.Value) ([]*graph.Value, error) {
	groups, scale, bias := n.Int("groups", 0), n.In(1), n.In(2)
	if rank(x) != 4 || groups < 1 || scale == nil || bias == nil {
		return nil, fmt.Errorf("its input is not of rank 4, or its groups are not known")
	}
	last := n.Int("channels_last", 1) != 0
	if last {
		x = channelsFirst(b, x)
	}
	c := x.Shape[1]
	if !c.Known() || c.Mul%groups != 0 {
		return nil, fmt.Errorf("%v channels do not divide into %d groups", c, groups)
	}
	// each group a row, normalised as a channel of an instance normalisation
	ones, zeros := make([]float64, groups), make([]float64, groups)
	for i := range ones {
		ones[i] = 1
	}
	unit := func(v []float64) *graph.Value {
		t, err := ofFloats(x.DType, []int{groups}, v)
		if err != nil {
			b.err = err
			return &graph.Value{}
		}
		return b.Const(t)
	}
	y := b.Attr("InstanceNormalization", []graph.Attr{graph.MakeAttr("epsilon", n.Float("epsilon", 1e-5))},
		b.Op("Reshape", x, b.Ints(0, groups, -1)), unit(ones), unit(zeros))
	y = b.Op("Reshape", y, b.Op("Shape", x))
	each := func(v *graph.Value) *graph.Value { return b.Op("Reshape", cast(b, v, x.DType), b.Ints(-1, 1, 1)) }
	y = b.Op("Add", b.Op("Mul", y, each(scale)), each(bias))
	if n.Int("activation", 0) != 0 {
		y = b.Op("Mul", y, b.Op("Sigmoid", y))
	}
	if last {
		y = lastAgain(b, y)
	}
	return one(y)
}
