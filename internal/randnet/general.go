package randnet

import (
	"pare/graph"
	"pare/tensor"
)

// general are the makers for values of any rank.
var general = []maker{
	func(b *net, x *graph.Value) []*graph.Value { return one(b.activation(x)) },
	func(b *net, x *graph.Value) []*graph.Value { return one(b.Op(b.binary(), pair(b, x, b.addend(x))...)) },
	func(b *net, x *graph.Value) []*graph.Value { return one(b.Op(b.binary(), pair(b, x, b.shaped(x))...)) },
	func(b *net, x *graph.Value) []*graph.Value { return one(b.Op("Identity", x)) },
	broadcast, concat, split, slice, pad, transpose, reshape, flatten, softmax, layerNorm, reduce, gather, where, clip, axes, several, stretch,
	denominator, cumulate,
}

// broadcast joins two values of which one has axes of length 1.
func broadcast(b *net, x *graph.Value) []*graph.Value {
	y := b.value()
	n, m := len(x.Shape), len(y.Shape)
	for i := 1; i <= min(n, m); i++ {
		p, q := x.Shape[n-i], y.Shape[m-i]
		if p != q && p != graph.N(1) && q != graph.N(1) {
			return nil
		}
	}
	return one(b.Op(b.binary(), x, y))
}

// axis is any axis, counted from either end; batch says whether it may be a
// symbolic one.
func (b *net) axis(x *graph.Value, batch bool) (a int, ok bool) {
	a = b.of(len(x.Shape))
	if len(x.Shape) == 0 || !batch && !x.Shape[a].Known() {
		return 0, false
	}
	if b.oneIn(3) {
		return a - len(x.Shape), true
	}
	return a, true
}

// dim is the length of an axis counted from either end.
func dim(x *graph.Value, a int) int { return x.Shape[(a+len(x.Shape))%len(x.Shape)].Mul }

func concat(b *net, x *graph.Value) []*graph.Value {
	a, ok := b.axis(x, false)
	if !ok {
		return nil
	}
	in := []*graph.Value{x}
	for range b.in(1, 2) {
		in = append(in, b.shaped(x))
	}
	if b.oneIn(3) {
		var s []int
		for _, d := range x.Shape {
			if !d.Known() {
				return nil
			}
			s = append(s, d.Mul)
		}
		s[(a+len(s))%len(s)] = b.in(1, 3)
		in = append(in, b.numbers(-1, 1, graph.Param, s...))
	}
	return one(b.Attr("Concat", []graph.Attr{attr("axis", a)}, in...))
}

func split(b *net, x *graph.Value) []*graph.Value {
	a, ok := b.axis(x, false)
	if !ok || dim(x, a) < 2 {
		return nil
	}
	k := b.in(1, min(5, dim(x, a)-1))
	return b.Node("", "Split", 2, []*graph.Value{x, b.Ints(k, dim(x, a)-k)}, attr("axis", a)).Outputs
}

func slice(b *net, x *graph.Value) []*graph.Value {
	a, ok := b.axis(x, false)
	if !ok {
		return nil
	}
	n := dim(x, a)
	lo := b.of(n)
	hi, step := b.in(lo+1, n), b.in(1, 3)
	switch b.of(4) {
	case 0:
		lo, hi = lo-n, 1<<40
	case 1: // backwards
		return one(b.Op("Slice", x, b.Ints(n-1), b.Ints(-1<<40), b.Ints(a), b.Ints(-step)))
	}
	return one(b.Op("Slice", x, b.Ints(lo), b.Ints(hi), b.Ints(a), b.Ints(step)))
}

func pad(b *net, x *graph.Value) []*graph.Value {
	n := len(x.Shape)
	p := make([]int, 2*n)
	mode := pick(b.Source, "constant", "constant", "constant", "reflect", "edge")
	for d := range n {
		if !x.Shape[d].Known() {
			continue
		}
		for _, i := range []int{d, d + n} {
			if b.oneIn(3) {
				p[i] = b.in(1, 2)
			}
			if mode == "reflect" {
				p[i] = min(p[i], x.Shape[d].Mul-1)
			}
		}
		if mode == "constant" && b.oneIn(6) && x.Shape[d].Mul > 1 {
			p[d] = -1
		}
	}
	in := []*graph.Value{x, b.Ints(p...)}
	if mode == "constant" && b.oneIn(3) {
		in = append(in, b.Scalar(pick(b.Source, 0, .5), x))
	}
	return one(b.Attr("Pad", []graph.Attr{attr("mode", mode)}, in...))
}

func transpose(b *net, x *graph.Value) []*graph.Value {
	n := len(x.Shape)
	p := make([]int, n)
	for i := range p {
		p[i] = i
	}
	for i := n - 1; i > 0; i-- {
		j := b.of(i + 1)
		p[i], p[j] = p[j], p[i]
	}
	if b.oneIn(6) {
		return one(b.Op("Transpose", x))
	}
	if n == 4 && b.oneIn(3) {
		p = pick(b.Source, []int{0, 2, 3, 1}, []int{0, 3, 1, 2}, []int{0, 1, 3, 2})
	}
	return one(b.Attr("Transpose", []graph.Attr{attr("perm", p)}, x))
}

// reshape moves factors between axes; a symbolic first axis stays.
func reshape(b *net, x *graph.Value) []*graph.Value {
	if len(x.Shape) == 0 {
		return nil
	}
	n := per(x.Shape)
	var s []int
	if !x.Shape[0].Known() {
		s = append(s, pick(b.Source, 0, -1))
		n /= x.Shape[0].Mul
	} else {
		for _, d := range x.Shape[1:] {
			if !d.Known() {
				return nil
			}
		}
	}
	for range b.of(4) {
		k := pick(b.Source, 1, 2, 3, 4, 5, 7)
		if n%k == 0 {
			s = append(s, k)
			n /= k
		}
	}
	return one(b.Op("Reshape", x, b.Ints(append(s, n)...)))
}

func flatten(b *net, x *graph.Value) []*graph.Value {
	if b.of(2) == 0 {
		return one(b.Op("Flatten", x))
	}
	return one(b.Attr("Flatten", []graph.Attr{attr("axis", b.of(len(x.Shape)+1))}, x))
}

func softmax(b *net, x *graph.Value) []*graph.Value {
	a, ok := b.axis(x, false)
	if !ok {
		return nil
	}
	return one(b.Attr(pick(b.Source, "Softmax", "Softmax", "LogSoftmax"), []graph.Attr{attr("axis", a)}, x))
}

// layerNorm over the last axes, whose noise it must not magnify.
func layerNorm(b *net, x *graph.Value) []*graph.Value {
	a := b.of(len(x.Shape) + 1)
	if a == len(x.Shape) || b.G.Version("") < 17 {
		return nil
	}
	var s []int
	for _, d := range x.Shape[a:] {
		if !d.Known() {
			return nil
		}
		s = append(s, d.Mul)
	}
	in := []*graph.Value{x, b.numbers(.5, 1.5, graph.Param, s...)}
	if b.of(2) == 0 {
		in = append(in, b.numbers(-1, 1, graph.Param, s...))
	}
	if b.oneIn(2) {
		a -= len(x.Shape)
	}
	return b.behind(b.Attr("LayerNormalization", []graph.Attr{attr("axis", a), attr("epsilon", pick(b.Source, 1e-2, .1))}, in...))
}

func reduce(b *net, x *graph.Value) []*graph.Value {
	names := []string{"ReduceMean", "ReduceMean", "ReduceL2", "ReduceSumSquare", "ReduceLogSumExp"}
	if !b.Smooth {
		names = append(names, "ReduceMax", "ReduceMin", "ReduceL1")
	} else if b.oneIn(2) {
		names = names[:2]
	}
	name := names[b.of(len(names))]
	var axes []int
	for d := range x.Shape {
		if x.Shape[d].Known() && b.of(2) == 0 {
			axes = append(axes, d)
		}
	}
	if len(axes) == 0 {
		return nil
	}
	keep := attr("keepdims", b.of(2))
	if b.G.Version("") < 18 {
		return one(b.Attr(name, []graph.Attr{attr("axes", axes), keep}, x))
	}
	return one(b.Attr(name, []graph.Attr{keep}, x, b.Ints(axes...)))
}

func gather(b *net, x *graph.Value) []*graph.Value {
	a, ok := b.axis(x, false)
	if !ok {
		return nil
	}
	n := dim(x, a)
	var idx []int
	for range b.in(1, 4) {
		idx = append(idx, b.of(min(n, 256))-pick(b.Source, 0, 0, n))
	}
	at := b.Ints(idx...)
	if b.oneIn(4) {
		at = b.Const(tensor.Scalar(int64(idx[0])))
	}
	return one(b.Attr("Gather", []graph.Attr{attr("axis", a)}, x, at))
}

// where chooses by an input of bool, or by a comparison that rounding cannot
// change: that of an input.
func where(b *net, x *graph.Value) []*graph.Value {
	in := b.rough[b.of(len(b.rough))]
	c := b.cond
	if c == nil || b.of(2) == 0 {
		c = b.Op(pick(b.Source, "Less", "Greater"), in, b.Scalar(.1, in))
	}
	if b.oneIn(3) {
		c = b.Op("Not", c)
	}
	if !x.Shape.Equal(in.Shape) {
		x = in
	}
	other := b.shaped(x)
	if b.of(2) == 0 {
		other = b.addend(x)
	}
	return one(b.Op("Where", append([]*graph.Value{c}, pair(b, x, other)...)...))
}

func clip(b *net, x *graph.Value) []*graph.Value {
	if b.Smooth {
		return nil
	}
	in := []*graph.Value{x, b.Scalar(pick(b.Source, 0, -1, -.5), x)}
	switch b.of(3) {
	case 0:
		in = append(in, b.Scalar(pick(b.Source, 1., 6), x))
	case 1:
		in = []*graph.Value{x, nil, b.Scalar(.7, x)}
	}
	return one(b.Op("Clip", in...))
}

// axes adds an axis of length 1, or takes one away.
func axes(b *net, x *graph.Value) []*graph.Value {
	for d, k := range x.Shape {
		if k == graph.N(1) && b.of(2) == 0 {
			return one(b.Squeeze(x, d))
		}
	}
	if len(x.Shape) > 4 {
		return nil
	}
	return one(b.Unsqueeze(x, b.of(len(x.Shape)+1)))
}

// several joins some values of one shape.
func several(b *net, x *graph.Value) []*graph.Value {
	in := []*graph.Value{x}
	for range b.in(1, 3) {
		in = append(in, b.shaped(x))
	}
	name := pick(b.Source, "Sum", "Mean")
	if !b.Smooth {
		name = pick(b.Source, "Sum", "Mean", "Max", "Min")
	}
	return one(b.Op(name, in...))
}

// stretch repeats a value.
func stretch(b *net, x *graph.Value) []*graph.Value {
	n := len(x.Shape)
	k := make([]int, n)
	for d := range k {
		if k[d] = 1; b.oneIn(3) && x.Shape[d].Known() {
			k[d] = 2
		}
	}
	if b.of(2) == 0 {
		return one(b.Op("Tile", x, b.Ints(k...)))
	}
	for d := range k {
		if k[d] = 1; x.Shape[d] == graph.N(1) {
			k[d] = b.in(1, 4)
		}
	}
	return one(b.Op("Expand", x, b.Ints(k...)))
}

// denominator divides by what stays away from zero.
func denominator(b *net, x *graph.Value) []*graph.Value {
	y := b.Op("Add", b.Op("Sigmoid", b.shaped(x)), b.Scalar(.5, x))
	if b.oneIn(3) {
		y = b.numbers(.5, 2, graph.Param, 1)
	}
	if b.oneIn(3) {
		return one(b.Op("Mul", x, b.Op("Reciprocal", y)))
	}
	return one(b.Op("Div", x, y))
}

func cumulate(b *net, x *graph.Value) []*graph.Value {
	a, ok := b.axis(x, false)
	if !ok || dim(x, a) > 20 {
		return nil
	}
	return one(b.Attr("CumSum", []graph.Attr{attr("exclusive", b.of(2)), attr("reverse", b.of(2))}, x, b.Const(tensor.Scalar(int64(a)))))
}
