package objective

import (
	"pare/graph"
	"pare/graph/op"
	"pare/tensor"
)

// Triplet is max(0, margin + d(a,p) - d(a,n)) of each sample a of a batch with the farthest p
// of its class and the nearest n of another one, d the Euclidean distance; the mean over
// the samples that have both. Where none has it is 0.
var Triplet = &Loss{
	Name: "triplet", Paper: "Hermans et al. 2017 (batch hard)",
	Doc:     "how much nearer than margin the nearest sample of another class is than the farthest of the same, within the batch: for embeddings that are compared by distance",
	Outputs: []string{"embedding"}, Targets: []string{"class"}, Target: Classes, Layout: ByRows,
	Params: []Param{{Name: "margin", Default: []float64{.2}, Range: "(0,)", Doc: "distance that classes shall keep"}},
	Build: func(b *op.Builder, out, target []*graph.Value, p Params) (*graph.Value, error) {
		x := out[0]
		same := sameClass(b, target[0])
		// which are hardest is found by |x|² + |y|² - 2xy, how far they are by the difference
		lengths := b.Sum(square(b, x), true, 1)
		products := b.Op("MatMul", x, transposed(b, x))
		far := b.Op("Sub", b.Op("Add", lengths, transposed(b, lengths)), times(b, products, 2))
		pick := func(name string, hide *graph.Value, in float64) *graph.Value {
			d := b.Op("Where", hide, b.Scalar(in, far), far)
			return distance(b, x, b.Op("Gather", x, b.Attr(name, []graph.Attr{graph.MakeAttr("axis", 1), graph.MakeAttr("keepdims", 0)}, d)))
		}
		other := b.Op("Not", same)
		hardest := b.Op("Sub", pick("ArgMax", other, -largest), pick("ArgMin", same, largest))
		loss := b.Op("Relu", plus(b, hardest, p.Num("margin")))
		paired := b.Op("And", more(b, same, 1), more(b, other, 0))
		counted := float(b, paired)
		return share(b, total(b, b.Op("Mul", loss, counted)), total(b, counted)), nil
	},
}

// largest is beyond any squared distance.
const largest = 3e38

// Contrastive is the mean over a sample's fellows p of its class of
// -log(exp(a·p/T) / sum over all others of exp(a·o/T)), of vectors of length 1; the mean
// over the samples that have fellows. Where none has it is 0.
var Contrastive = &Loss{
	Name: "contrastive", Paper: "Khosla et al. 2020 (supervised, outside the logarithm)",
	Doc:     "the cross-entropy of finding samples of the same class among all of the batch by the cosine: for embeddings that are compared by angle",
	Outputs: []string{"embedding"}, Targets: []string{"class"}, Target: Classes, Layout: ByRows,
	Params: []Param{{Name: "temperature", Default: []float64{.1}, Range: "(0,)", Doc: "what cosines are divided by"}},
	Build: func(b *op.Builder, out, target []*graph.Value, p Params) (*graph.Value, error) {
		x := b.Op("Div", out[0], norm(b, out[0], true))
		s := times(b, b.Op("MatMul", x, transposed(b, x)), 1/p.Num("temperature"))
		self := b.Attr("EyeLike", []graph.Attr{graph.MakeAttr("dtype", tensor.Float32)}, s)
		logp := b.Attr("LogSoftmax", []graph.Attr{graph.MakeAttr("axis", 1)}, b.Op("Sub", s, times(b, self, 1e9)))
		fellow := b.Op("Sub", float(b, sameClass(b, target[0])), self)
		fellows := b.Sum(fellow, false, 1)
		loss := b.Op("Neg", b.Sum(b.Op("Mul", fellow, logp), false, 1))
		has := float(b, b.Op("Greater", fellows, b.Scalar(0, fellows)))
		return share(b, total(b, share(b, loss, fellows)), total(b, has)), nil
	},
}

// sameClass says which rows are of the same class, [rows rows].
func sameClass(b *op.Builder, class *graph.Value) *graph.Value {
	return b.Op("Equal", b.Unsqueeze(class, 1), b.Unsqueeze(class, 0))
}

// more says in which rows of truth values more than n are true.
func more(b *op.Builder, x *graph.Value, n float64) *graph.Value {
	sum := b.Sum(float(b, x), false, 1)
	return b.Op("Greater", sum, b.Scalar(n, sum))
}

func transposed(b *op.Builder, x *graph.Value) *graph.Value {
	return b.Attr("Transpose", []graph.Attr{graph.MakeAttr("perm", []int{1, 0})}, x)
}

// distance is how far the rows of two matrices are apart.
func distance(b *op.Builder, x, y *graph.Value) *graph.Value {
	return norm(b, b.Op("Sub", x, y), false)
}
