package randnet

import (
	"pare/graph"
)

// maker adds nodes that read x and gives what they make; nothing where x does
// not suit.
type maker func(b *net, x *graph.Value) []*graph.Value

func one(v *graph.Value) []*graph.Value { return []*graph.Value{v} }

func attr(name string, v any) graph.Attr { return graph.MakeAttr(name, v) }

// images are the makers for [N C H W].
var images = []maker{conv, conv, conv, conv, norm, norm, pool, pool, global, instance, shuffle, shortcut}

// conv is a convolution of any kind.
func conv(b *net, x *graph.Value) []*graph.Value {
	ci, h, w := x.Shape[1].Mul, x.Shape[2].Mul, x.Shape[3].Mul
	if !channels(x) {
		return nil
	}
	groups := 1
	switch b.of(5) {
	case 3:
		groups = ci
	case 4:
		for _, k := range []int{3, 2} {
			if ci%k == 0 {
				groups = k
			}
		}
	}
	co := groups * pick(b.Source, 1, 2, 3, 5, 8, 17)
	if co > 40 {
		co = groups
	}
	k := [2]int{pick(b.Source, 1, 3, 2, 5, 7), 0}
	if k[1] = k[0]; b.oneIn(4) {
		k[1] = pick(b.Source, 1, 2, 3, 4)
	}
	st := [2]int{pick(b.Source, 1, 1, 2, 3), 1}
	if st[1] = st[0]; b.oneIn(5) {
		st[1] = b.in(1, 3)
	}
	dil := []int{1, 1}
	if b.oneIn(4) {
		dil = []int{b.in(1, 3), b.in(1, 2)}
	}
	attrs := []graph.Attr{attr("strides", st[:]), attr("group", groups)}
	if b.of(3) > 0 {
		attrs = append(attrs, attr("dilations", dil))
	} else {
		dil = []int{1, 1}
	}
	if b.of(2) == 0 {
		attrs = append(attrs, attr("kernel_shape", k[:]))
	}
	size := [2]int{h, w}
	switch b.of(6) {
	case 0:
		attrs = append(attrs, attr("auto_pad", pick(b.Source, "SAME_UPPER", "SAME_LOWER")))
	case 1:
		if (k[0]-1)*dil[0] >= h || (k[1]-1)*dil[1] >= w {
			return nil
		}
	default:
		var p [4]int
		for d := range 2 {
			reach := (k[d] - 1) * dil[d]
			p[d], p[d+2] = reach/2, reach/2
			if b.oneIn(4) {
				p[d], p[d+2] = b.of(reach+2), b.of(reach+2)
			}
			if p[d]+p[d+2]+size[d] <= reach {
				return nil
			}
		}
		attrs = append(attrs, attr("pads", p[:]))
	}
	in := []*graph.Value{x, b.weight(ci/groups*k[0]*k[1], co, ci/groups, k[0], k[1])}
	if b.of(2) == 0 {
		in = append(in, b.numbers(-1, 1, graph.Param, co))
	}
	return b.behind(b.Attr("Conv", attrs, in...))
}

// channels says whether axis 1 is no batch.
func channels(x *graph.Value) bool {
	return x.Shape[1].Known() && x.Shape[2].Known() && x.Shape[3].Known()
}

// behind adds operators that kernels fuse into the one before them.
func (b *net) behind(y *graph.Value) []*graph.Value {
	out := one(y)
	for range 3 {
		if b.Err() != nil || !b.fits(y) {
			return out
		}
		switch b.of(7) {
		case 0:
			if len(y.Shape) == 4 && channels(y) {
				y = norm(b, y)[0]
			}
		case 1:
			y = b.activation(y)
		case 2:
			y = b.Op("Add", pair(b, y, b.shaped(y))...)
		case 3:
			y = b.Op("Add", pair(b, y, b.addend(y))...)
		default:
			return out
		}
		if b.oneIn(4) {
			out = append(out, y) // the value before is read by others too
		} else {
			out = one(y)
		}
	}
	return out
}

// pair gives two values in any order.
func pair(b *net, x, y *graph.Value) []*graph.Value {
	if b.of(2) == 0 {
		return []*graph.Value{x, y}
	}
	return []*graph.Value{y, x}
}

// norm is batch normalisation.
func norm(b *net, x *graph.Value) []*graph.Value {
	if !channels(x) {
		return one(x)
	}
	c := x.Shape[1].Mul
	return one(b.Attr("BatchNormalization", []graph.Attr{attr("epsilon", pick(b.Source, 1e-5, .1))}, x,
		b.numbers(.5, 1.5, graph.Param, c), b.numbers(-1, 1, graph.Param, c), b.numbers(-1, 1, graph.Stat, c), b.numbers(.5, 2, graph.Stat, c)))
}

func pool(b *net, x *graph.Value) []*graph.Value {
	if !channels(x) {
		return nil
	}
	k := []int{b.in(1, 3), b.in(1, 3)}
	attrs := []graph.Attr{attr("kernel_shape", k), attr("strides", []int{b.in(1, 3), b.in(1, 3)})}
	p := make([]int, 4)
	for d := range 2 {
		if k[d] > 1 && b.oneIn(3) {
			p[d], p[d+2] = b.of(k[d]), b.of(k[d])
		}
		if x.Shape[d+2].Mul+p[d]+p[d+2] < k[d] {
			return nil
		}
	}
	attrs = append(attrs, attr("pads", p))
	if b.oneIn(4) {
		attrs = append(attrs, attr("ceil_mode", 1))
	}
	if b.of(2) == 0 {
		return one(b.Attr("MaxPool", attrs, x))
	}
	return one(b.Attr("AveragePool", append(attrs, attr("count_include_pad", b.of(2))), x))
}

func global(b *net, x *graph.Value) []*graph.Value {
	y := b.Op(pick(b.Source, "GlobalAveragePool", "GlobalAveragePool", "GlobalMaxPool"), x)
	switch b.of(3) {
	case 0:
		y = b.Op("Flatten", y)
	case 1: // a gate on the channels
		y = b.Op("Mul", pair(b, x, b.Op("Sigmoid", y))...)
	}
	return one(y)
}

// instance normalises every image and channel by reductions.
func instance(b *net, x *graph.Value) []*graph.Value {
	axes := []graph.Attr{attr("axes", []int{2, 3})}
	m := b.Attr("ReduceMean", axes, x)
	if b.G.Version("") >= 18 {
		return nil // the axes are an input there
	}
	d := b.Op("Sub", x, m)
	v := b.Attr("ReduceMean", axes, b.Op("Mul", d, d))
	return one(b.Op("Div", d, b.Op("Sqrt", b.Op("Add", v, b.Scalar(.1, x)))))
}

// shuffle mixes channels between groups, or moves pixels to channels.
func shuffle(b *net, x *graph.Value) []*graph.Value {
	if !channels(x) {
		return nil
	}
	c, h, w := x.Shape[1].Mul, x.Shape[2].Mul, x.Shape[3].Mul
	switch {
	case c%2 == 0 && b.of(2) == 0:
		y := b.Op("Reshape", x, b.Ints(0, 2, c/2, h, w))
		y = b.Attr("Transpose", []graph.Attr{attr("perm", []int{0, 2, 1, 3, 4})}, y)
		return one(b.Op("Reshape", y, b.Ints(-1, c, h, w)))
	case h%2 == 0 && w%2 == 0:
		return one(b.Attr("SpaceToDepth", []graph.Attr{attr("blocksize", 2)}, x))
	case c%4 == 0:
		return one(b.Attr("DepthToSpace", []graph.Attr{attr("blocksize", 2), attr("mode", pick(b.Source, "DCR", "CRD"))}, x))
	}
	return nil
}

// shortcut is a parameter-free shortcut: every second pixel, more channels.
func shortcut(b *net, x *graph.Value) []*graph.Value {
	y := b.Op("Slice", x, b.Ints(0, 0), b.Ints(1<<31, 1<<31), b.Ints(2, 3), b.Ints(2, 2))
	return one(b.Op("Pad", y, b.Ints(0, b.of(3), 0, 0, 0, b.of(3), 0, 0)))
}
