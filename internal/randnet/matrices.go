package randnet

import "pare/graph"

// matrices are the makers for matrices and sequences of vectors.
var matrices = []maker{gemm, matMul, matMul, matMul, attention, gemm}

// gemm is a layer with any of its options.
func gemm(b *net, x *graph.Value) []*graph.Value {
	if len(x.Shape) != 2 || !x.Shape[1].Known() {
		return matMul(b, x)
	}
	k, n := x.Shape[1].Mul, pick(b.Source, 1, 3, 8, 16, 33, 7)
	var attrs []graph.Attr
	w := []int{k, n}
	if b.of(2) == 0 {
		attrs, w = append(attrs, attr("transB", 1)), []int{n, k}
	}
	if b.oneIn(6) && x.Shape[0].Known() { // the samples are the depth
		k = x.Shape[0].Mul
		attrs, w = []graph.Attr{attr("transA", 1)}, []int{k, n}
	}
	in := []*graph.Value{x, b.weight(k, w...)}
	switch b.of(5) {
	case 0, 1:
		in = append(in, b.numbers(-1, 1, graph.Param, n))
	case 2:
		in = append(in, b.numbers(-1, 1, graph.Param, pick(b.Source, []int{}, []int{1}, []int{1, 1}, []int{1, n})...))
	}
	if b.oneIn(6) {
		attrs = append(attrs, attr("alpha", .5), attr("beta", pick(b.Source, 1., .25, 0)))
	}
	return b.behind(b.Attr("Gemm", attrs, in...))
}

func matMul(b *net, x *graph.Value) []*graph.Value {
	d := x.Shape[len(x.Shape)-1]
	if !d.Known() {
		return nil
	}
	n := pick(b.Source, 1, 4, 8, 16, 33, 7, 64)
	if b.oneIn(8) {
		return one(b.Op("MatMul", x, b.weight(d.Mul, d.Mul))) // by a vector
	}
	return b.behind(b.Op("MatMul", x, b.weight(d.Mul, d.Mul, n)))
}

// attention is softmax(x y^T) z over sequences, or a product of two values.
func attention(b *net, x *graph.Value) []*graph.Value {
	n := len(x.Shape)
	if n != 3 || !x.Shape[1].Known() || !x.Shape[2].Known() {
		return nil
	}
	y := b.Attr("Transpose", []graph.Attr{attr("perm", []int{0, 2, 1})}, b.shaped(x))
	s := b.Op("Mul", b.Op("MatMul", x, y), b.Scalar(1/float64(x.Shape[2].Mul), x))
	if b.of(2) == 0 {
		return one(s)
	}
	if b.oneIn(3) {
		s = b.Op("Add", s, b.numbers(-2, 2, graph.Frozen, x.Shape[1].Mul, x.Shape[1].Mul))
	}
	return b.behind(b.Op("MatMul", b.Attr("Softmax", []graph.Attr{attr("axis", -1)}, s), b.shaped(x)))
}
