package op

import (
	"math"

	"pare/graph"
	"pare/tensor"
)

// softmaxRows views a tensor as outer x size x inner along the softmax axis;
// before opset 13 all axes from `axis` on are one.
func softmaxRows(n *graph.Node, opset int, shape []int) (outer, size, inner int, err error) {
	def := -1
	if opset < 13 {
		def = 1
	}
	a, err := axis(n.Int("axis", def), len(shape))
	if err != nil {
		return
	}
	if opset < 13 {
		return prod(shape[:a]), prod(shape[a:]), 1, nil
	}
	return prod(shape[:a]), shape[a], prod(shape[a+1:]), nil
}

// softmaxArgs reads the input of a softmax as softmaxRows views it.
func softmaxArgs(n *graph.Node, opset int, t *tensor.Tensor) (x []float64, outer, size, inner int, err error) {
	if x, err = floats(t); err != nil {
		return
	}
	outer, size, inner, err = softmaxRows(n, opset, t.Shape)
	return
}

// softmaxAxes lists the axes that a Softmax node normalises over.
func softmaxAxes(b *Builder, n *graph.Node) []int {
	rank := len(n.In(0).Shape)
	if b.G.Version("") >= 13 {
		a, _ := axis(n.Int("axis", -1), rank)
		return []int{a}
	}
	a, _ := axis(n.Int("axis", 1), rank)
	var out []int
	for d := a; d < rank; d++ {
		out = append(out, d)
	}
	return out
}

func evalSoftmax(log bool) func(n *graph.Node, opset int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
	return func(n *graph.Node, opset int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
		x, outer, size, inner, err := softmaxArgs(n, opset, in[0])
		if err != nil {
			return nil, err
		}
		y := make([]float64, len(x))
		round := rounder(in[0].DType)
		for o := range outer {
			for i := range inner {
				at := func(k int) int { return (o*size+k)*inner + i }
				m, s := math.Inf(-1), 0.0
				for k := range size {
					m = math.Max(m, x[at(k)])
				}
				for k := range size {
					s += round(math.Exp(round(x[at(k)] - m)))
				}
				s = round(s)
				for k := range size {
					if y[at(k)] = x[at(k)] - m - math.Log(s); !log {
						y[at(k)] = round(math.Exp(round(x[at(k)]-m))) / s
					}
				}
			}
		}
		return single(ofFloats(in[0].DType, in[0].Shape, y))
	}
}

var _ = register(
	Def{Name: "Softmax", Infer: sameAs, Eval: evalSoftmax(false),
		Grad: func(b *Builder, n *graph.Node, dy []*graph.Value) ([]*graph.Value, error) {
			return []*graph.Value{b.Pare("SoftmaxGrad", []graph.Attr{graph.MakeAttr("axes", softmaxAxes(b, n))}, dy[0], n.Out(0))}, nil
		}},
	Def{Name: "LogSoftmax", Infer: sameAs, Eval: evalSoftmax(true),
		Grad: func(b *Builder, n *graph.Node, dy []*graph.Value) ([]*graph.Value, error) {
			s := reduce(b, "ReduceSum", dy[0], softmaxAxes(b, n), true)
			return []*graph.Value{b.Op("Sub", dy[0], b.Op("Mul", b.Op("Exp", n.Out(0)), s))}, nil
		}},

	// SoftmaxGrad(dy, y) = y*(dy - sum(dy*y)) over the attribute axes.
	Def{Domain: graph.Pare, Name: "SoftmaxGrad", Infer: sameAs,
		Eval: func(n *graph.Node, opset int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			d, y, err := bothFloats(in[0], in[1])
			if err != nil {
				return nil, err
			}
			kept := append([]int{}, in[1].Shape...)
			for _, a := range n.Ints("axes") {
				kept[a] = 1
			}
			st := broadcastStrides(kept, in[1].Shape)
			sum := make([]float64, prod(kept))
			odometer(in[1].Shape, st, func(i, off int) { sum[off] += d[i] * y[i] })
			out := make([]float64, len(y))
			odometer(in[1].Shape, st, func(i, off int) { out[i] = y[i] * (d[i] - sum[off]) })
			return single(ofFloats(in[0].DType, in[0].Shape, out))
		},
		Decompose: func(b *Builder, n *graph.Node) ([]*graph.Value, error) {
			d, y := n.In(0), n.In(1)
			s := reduce(b, "ReduceSum", b.Op("Mul", d, y), n.Ints("axes"), true)
			return []*graph.Value{b.Op("Mul", y, b.Op("Sub", d, s))}, nil
		}},
)

func logSum(row []float64) float64 {
	m, s := math.Inf(-1), 0.0
	for _, v := range row {
		m = math.Max(m, v)
	}
	for _, v := range row {
		s += math.Exp(v - m)
	}
	return m + math.Log(s)
}
