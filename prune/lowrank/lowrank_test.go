package lowrank_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"pare/graph"
	"pare/graph/op"
	"pare/internal/answer"
	"pare/prune"
	"pare/prune/lowrank"
	"pare/prune/structure"
	"pare/tensor"
	"pare/zoo"
)

func draw(r *rand.Rand, shape ...int) *tensor.Tensor {
	t := tensor.New(tensor.Float32, shape...)
	for i := range t.F32() {
		t.F32()[i] = float32(r.NormFloat64())
	}
	return t
}

// alone is a network of one node.
func alone(t *testing.T, name string, x []int, w []int, left bool, attrs ...graph.Attr) *graph.Graph {
	t.Helper()
	r := rand.New(rand.NewPCG(1, 2))
	g := graph.New(name, 17)
	in := &graph.Value{Name: "x", DType: tensor.Float32, Shape: graph.Dims(x...)}
	g.Inputs = []*graph.Value{in}
	weight := g.Const("w", draw(r, w...), graph.Param)
	args := []*graph.Value{in, weight}
	if left {
		args = []*graph.Value{weight, in}
	}
	b := op.NewBuilder(g, "y")
	if name == "Gemm" {
		n := w[1]
		if left {
			n = x[1]
			if a := attrs[len(attrs)-1]; a.Name == "transB" {
				n = x[0]
			}
		} else if a := attrs[len(attrs)-1]; a.Name == "transB" {
			n = w[0]
		}
		args = append(args, g.Const("c", draw(r, n), graph.Param))
	}
	y := b.Attr(name, attrs, args...)
	g.Outputs = []*graph.Value{y}
	if err := b.Err(); err != nil {
		t.Fatal(err)
	}
	return g
}

// layers lists what may be factored.
func layers(t *testing.T, g *graph.Graph) []*lowrank.Layer {
	t.Helper()
	ws, err := prune.Weights(g, prune.Scope{})
	if err != nil {
		t.Fatal(err)
	}
	out, _ := lowrank.Layers(g, ws)
	return out
}

func attr(name string, v any) graph.Attr { return graph.MakeAttr(name, v) }

// pads, strides, dilations, groups and kernels that are no squares.
var cases = []struct {
	name  string
	op    string
	x, w  []int
	left  bool
	attrs []graph.Attr
}{
	{name: "plain", op: "Conv", x: []int{1, 4, 7, 6}, w: []int{6, 4, 3, 3}},
	{name: "padded", op: "Conv", x: []int{2, 4, 7, 6}, w: []int{6, 4, 3, 5}, attrs: []graph.Attr{attr("pads", []int{1, 2, 0, 3})}},
	{name: "strides", op: "Conv", x: []int{1, 4, 9, 8}, w: []int{6, 4, 3, 3}, attrs: []graph.Attr{attr("pads", []int{1, 1, 1, 1}), attr("strides", []int{2, 3})}},
	{name: "dilations", op: "Conv", x: []int{1, 4, 9, 11}, w: []int{6, 4, 3, 2}, attrs: []graph.Attr{attr("pads", []int{2, 0, 1, 1}), attr("dilations", []int{2, 3})}},
	{name: "groups", op: "Conv", x: []int{1, 6, 7, 6}, w: []int{4, 3, 3, 3}, attrs: []graph.Attr{attr("group", 2), attr("pads", []int{1, 1, 1, 1}), attr("strides", []int{1, 2})}},
	{name: "depthwise", op: "Conv", x: []int{1, 5, 7, 6}, w: []int{5, 1, 5, 5}, attrs: []graph.Attr{attr("group", 5), attr("pads", []int{2, 2, 2, 2})}},
	{name: "same upper", op: "Conv", x: []int{1, 3, 7, 6}, w: []int{6, 3, 4, 3}, attrs: []graph.Attr{attr("auto_pad", "SAME_UPPER"), attr("strides", []int{2, 2})}},
	{name: "same lower", op: "Conv", x: []int{1, 3, 7, 6}, w: []int{6, 3, 4, 3}, attrs: []graph.Attr{attr("auto_pad", "SAME_LOWER"), attr("kernel_shape", []int{4, 3})}},
	{name: "one axis", op: "Conv", x: []int{1, 4, 9}, w: []int{6, 4, 3}, attrs: []graph.Attr{attr("pads", []int{1, 0}), attr("strides", []int{2})}},
	{name: "three axes", op: "Conv", x: []int{1, 3, 5, 6, 4}, w: []int{4, 3, 3, 2, 3}, attrs: []graph.Attr{attr("pads", []int{1, 0, 1, 0, 1, 1}), attr("strides", []int{2, 1, 1})}},
	{name: "transposed", op: "ConvTranspose", x: []int{1, 4, 5, 6}, w: []int{4, 3, 3, 3}, attrs: []graph.Attr{attr("strides", []int{2, 2}), attr("pads", []int{1, 0, 1, 1}), attr("output_padding", []int{1, 0})}},
	{name: "transposed groups", op: "ConvTranspose", x: []int{1, 4, 5, 6}, w: []int{4, 3, 3, 2}, attrs: []graph.Attr{attr("group", 2), attr("strides", []int{2, 1})}},
	{name: "matrix", op: "MatMul", x: []int{2, 3, 5}, w: []int{5, 7}},
	{name: "matrix on the left", op: "MatMul", x: []int{2, 5, 3}, w: []int{7, 5}, left: true},
	{name: "gemm", op: "Gemm", x: []int{3, 5}, w: []int{5, 7}, attrs: []graph.Attr{attr("alpha", 2.), attr("beta", .5)}},
	{name: "gemm, turned weight", op: "Gemm", x: []int{3, 5}, w: []int{7, 5}, attrs: []graph.Attr{attr("alpha", 2.), attr("transB", 1)}},
	{name: "gemm, turned input", op: "Gemm", x: []int{5, 3}, w: []int{7, 5}, attrs: []graph.Attr{attr("transA", 1), attr("transB", 1)}},
	{name: "gemm on the left", op: "Gemm", x: []int{5, 3}, w: []int{7, 5}, left: true, attrs: []graph.Attr{attr("alpha", 3.)}},
	{name: "gemm on the left, both turned", op: "Gemm", x: []int{3, 5}, w: []int{5, 7}, left: true, attrs: []graph.Attr{attr("transA", 1), attr("transB", 1)}},
}

// Two layers are the one whose weight was truncated, at every rank, by every scheme, and
// take what was foretold; at the full rank they are the layer itself.
func TestFactor(t *testing.T) {
	for _, c := range cases {
		g := alone(t, c.op, c.x, c.w, c.left, c.attrs...)
		ls := layers(t, g)
		if len(ls) != 1 {
			t.Fatalf("%s: %d layers", c.name, len(ls))
		}
		l, dense := ls[0], answer.ToNoise(t, g)
		schemes := 0
		for _, scheme := range []lowrank.Scheme{lowrank.Channel, lowrank.Spatial, lowrank.Decouple} {
			u := l.Unfold(scheme)
			if u == nil {
				continue
			}
			schemes++
			s := u.Decompose(l.Data())
			for rank := 1; rank <= u.Full(); rank++ {
				what := fmt.Sprintf("%s, %s, rank %d of %d", c.name, scheme, rank, u.Full())
				f, err := lowrank.Factor(g, []lowrank.Pick{{Layer: l, Of: s, Rank: rank}})
				if err != nil {
					t.Fatal(what, err)
				}
				cut, _ := g.Clone(true)
				s.Truncate(cut.Value("w").Const.F32(), func([]float64) int { return rank })
				answer.Same(t, what, answer.ToNoise(t, cut), answer.ToNoise(t, f))
				if rank == u.Full() {
					answer.Same(t, what, dense, answer.ToNoise(t, f))
				}
				was, is := structure.CostOf(g), structure.CostOf(f)
				want := u.At(rank)
				if u.Whole.MACs != was.MACs || is.MACs != want.MACs || is.Params-want.Params != was.Params-u.Whole.Params {
					t.Errorf("%s: %+v became %+v, want %+v", what, was, is, want)
				}
				if lost := s.Lost(rank); (rank == u.Full()) != (lost < 1e-12) || lost > 1 {
					t.Errorf("%s: %v is lost", what, lost)
				}
			}
		}
		if want := map[string]int{"one axis": 2, "depthwise": 2, "transposed": 1, "transposed groups": 1}[c.name]; schemes != want && (want > 0 || c.op == "Conv" && schemes != 3) {
			t.Errorf("%s: %d schemes fit", c.name, schemes)
		}
	}
}

// The share of the squares decides the rank: of r equal singular values at energy 1 all r,
// and of a matrix of rank r never more.
func TestHolding(t *testing.T) {
	for _, c := range []struct {
		values []float64
		energy float64
		want   int
	}{
		{[]float64{3, 2, 1}, 1, 3}, {[]float64{3, 2, 1, 0, 0}, 1, 3}, {[]float64{3, 2, 1}, 9. / 14, 1}, {[]float64{3, 2, 1}, 9.01 / 14, 2},
		{[]float64{3, 2, 1}, .93, 3}, {[]float64{3, 2, 1}, .92, 2}, {[]float64{0, 0}, .5, 1}, {[]float64{2, 2, 2, 2}, .5, 2}, {[]float64{2, 2, 2, 2}, .51, 3},
	} {
		if got := lowrank.Holding(c.values, c.energy); got != c.want {
			t.Errorf("%v at %v: %d, want %d", c.values, c.energy, got, c.want)
		}
	}
	r := rand.New(rand.NewPCG(5, 5))
	g := alone(t, "MatMul", []int{1, 9}, []int{9, 8}, false)
	w := g.Value("w").Const.F32()
	clear(w)
	for range 3 { // three outer products
		a, b := draw(r, 9).F32(), draw(r, 8).F32()
		for i := range 9 {
			for k := range 8 {
				w[i*8+k] += a[i] * b[k]
			}
		}
	}
	l := layers(t, g)[0]
	s := l.Unfold(lowrank.Channel).Decompose(l.Data())
	if got := s.Rank(1 - 1e-9); got != 3 {
		t.Errorf("rank %d at energy 1 of a matrix of rank 3: %v", got, s.Values)
	}
	if got := s.Above(1e-4); got != 3 {
		t.Errorf("%d singular values above 0 of a matrix of rank 3: %v", got, s.Values)
	}
}

// At a weight of full rank U Vᵀ is the gradient of the sum of its singular values, in each
// scheme.
func TestDirection(t *testing.T) {
	g := alone(t, "Conv", []int{1, 6, 7, 6}, []int{4, 3, 3, 2}, false, attr("group", 2))
	l := layers(t, g)[0]
	for _, scheme := range []lowrank.Scheme{lowrank.Channel, lowrank.Spatial, lowrank.Decouple} {
		u := l.Unfold(scheme)
		norm := func() (sum float64) {
			for _, v := range u.Decompose(l.Data()).Values {
				for _, x := range v {
					sum += x
				}
			}
			return sum
		}
		d := make([]float32, l.Len())
		u.Decompose(l.Data()).Direction(d, func(v []float64) int { return len(v) })
		for i, x := range l.Data() {
			const h = 1e-2
			l.Data()[i] = x + h
			up := norm()
			l.Data()[i] = x - h
			down := norm()
			l.Data()[i] = x
			if got := (up - down) / (2 * h); math.Abs(got-float64(d[i])) > 1e-3 {
				t.Errorf("%s: entry %d: %v, by differences %v", scheme, i, d[i], got)
			}
		}
	}
}

// A weight behind a Transpose is factored too, and the Transpose goes; what is read twice,
// multiplied as a stack or in a recurrence stays, with the reason.
func TestLayers(t *testing.T) {
	g := alone(t, "MatMul", []int{2, 5}, []int{5, 7}, false)
	turned := g.Const("turned", draw(rand.New(rand.NewPCG(1, 1)), 7, 5), graph.Param)
	b := op.NewBuilder(g, "t")
	g.Nodes[0].Inputs[1] = b.Attr("Transpose", []graph.Attr{attr("perm", []int{1, 0})}, turned)
	if err := g.Sort(); err != nil {
		t.Fatal(err)
	}
	l := layers(t, g)[0]
	s := l.Unfold(lowrank.Channel).Decompose(l.Data())
	f, err := lowrank.Factor(g, []lowrank.Pick{{Layer: l, Of: s, Rank: 5}})
	if err != nil {
		t.Fatal(err)
	}
	answer.Same(t, "behind a Transpose", answer.ToNoise(t, g), answer.ToNoise(t, f))
	if len(f.Nodes) != 2 || f.Value("turned") != nil {
		t.Errorf("left: %v", f.Nodes)
	}

	twice := alone(t, "MatMul", []int{2, 5}, []int{5, 5}, false)
	b = op.NewBuilder(twice, "z")
	twice.Outputs = []*graph.Value{b.Op("MatMul", twice.Outputs[0], twice.Value("w"))}
	stack := alone(t, "MatMul", []int{3, 2, 5}, []int{3, 5, 4}, false)
	lstm, err := zoo.New("lstm-1-8", zoo.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for want, g := range map[string]*graph.Graph{"is read by 2 nodes": twice, "is a stack of matrices": stack, "which is not split": lstm} {
		ws, err := prune.Weights(g, prune.Scope{})
		if err != nil {
			t.Fatal(err)
		}
		_, skips := lowrank.Layers(g, ws)
		found := false
		for _, k := range skips {
			found = found || strings.Contains(k.Why, want)
		}
		if !found {
			t.Errorf("%q is not among %v", want, skips)
		}
	}
}

// Networks of the zoo with every layer factored at full rank compute what they did.
func TestNetworks(t *testing.T) {
	for _, name := range []string{"resnet8", "mobilenetv2", "vit-tiny", "unet-8"} {
		g, err := zoo.New(name, zoo.Options{Seed: 1, Width: .25})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := op.Simplify(g); err != nil {
			t.Fatal(err)
		}
		var picks []lowrank.Pick
		for i, l := range layers(t, g) {
			u := l.Unfold([]lowrank.Scheme{lowrank.Channel, lowrank.Spatial}[i%2])
			if u == nil {
				u = l.Unfold(lowrank.Channel)
			}
			picks = append(picks, lowrank.Pick{Layer: l, Of: u.Decompose(l.Data()), Rank: u.Full()})
		}
		f, err := lowrank.Factor(g, picks)
		if err != nil {
			t.Fatal(name, err)
		}
		answer.Same(t, name, answer.ToNoise(t, g), answer.ToNoise(t, f))
	}
}
