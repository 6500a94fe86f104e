package expert

import (
	"fmt"
	"strings"

	"pare/graph"
	"pare/graph/op"
)

// setsOf lists the axes of a node's values that go together: where one of them is that of
// the experts, all are. An axis that stands alone ends at the node: it is summed over, or
// chosen from, which judge looks at. A node of an operator that is not followed has none.
func setsOf(n *graph.Node) ([][]axis, error) {
	for _, vs := range [][]*graph.Value{n.Inputs, n.Outputs} {
		for _, v := range vs {
			if v != nil && v.Shape == nil {
				return nil, fmt.Errorf("%s has a value of unknown rank", told(n))
			}
		}
	}
	switch {
	case op.IsMoE(n):
		return mixtureSets(n), nil
	case n.Domain != "":
		return nil, fmt.Errorf("%s, which experts are not followed through", told(n))
	case elementwise[n.Op]:
		return aligned(n, n.Inputs), nil
	case alone[n.Op]:
		return aligned(n, n.Inputs[:1]), nil
	}
	if f := shaped[n.Op]; f != nil {
		return f(n)
	}
	return nil, fmt.Errorf("%s, which experts are not followed through", told(n))
}

func names(s string) map[string]bool {
	out := map[string]bool{}
	for _, x := range strings.Fields(s) {
		out[x] = true
	}
	return out
}

// elementwise are operators of one or several inputs that broadcast; of those in alone the
// first input alone is computed with.
var (
	elementwise = names("Abs Add And Ceil Cos Div Equal Erf Exp Floor Gelu Greater GreaterOrEqual HardSigmoid HardSwish IsNaN LeakyRelu Less LessOrEqual Log " +
		"Max Min Mish Mod Mul Neg Not Or Pow PRelu Reciprocal Relu Round Selu Sigmoid Sign Sin Softplus Softsign Sqrt Sub Sum Swish Tanh Where Elu Celu")
	alone = names("Cast CastLike Clip Dropout Identity")
)

var shaped map[string]func(n *graph.Node) ([][]axis, error)

func init() {
	shaped = map[string]func(n *graph.Node) ([][]axis, error){
		"MatMul": matMulSets, "Gemm": gemmSets, "Einsum": einsumSets,
		"Softmax": sameSets, "LogSoftmax": sameSets, "LayerNormalization": sameSets, "RMSNormalization": sameSets,
		"TopK": chosenSets, "ArgMax": reducedSets, "ReduceSum": reducedSets, "ReduceMean": reducedSets, "ReduceMax": reducedSets,
		"Transpose": transposeSets, "Reshape": reshapeSets, "Flatten": reshapeSets, "Squeeze": reshapeSets, "Unsqueeze": reshapeSets,
		"Expand": expandSets, "Concat": concatSets, "Slice": slicedSets, "Split": splitSets, "Gather": gatherSets, "GatherND": rowSets,
		"GatherElements": elementSets, "ScatterElements": elementSets, "OneHot": oneHotSets,
		"Shape": shapeSets, "ConstantOfShape": shapeSets,
	}
}

// aligned ties the axes of values to those of the output, from the right; an axis of one
// entry is repeated.
func aligned(n *graph.Node, vs []*graph.Value) [][]axis {
	y := n.Out(0)
	var out [][]axis
	for d := range y.Shape {
		s := []axis{{y, d}}
		for _, v := range vs {
			if v == nil {
				continue
			}
			if k := d - len(y.Shape) + len(v.Shape); k >= 0 && v.Shape[k] != graph.N(1) {
				s = append(s, axis{v, k})
			}
		}
		out = append(out, s)
	}
	return out
}

func mixtureSets(n *graph.Node) [][]axis {
	s := []axis{{n.In(op.MoERouter), 1}}
	for i := op.MoEFirst; i <= op.MoEThirdBias; i++ {
		if v := n.In(i); v != nil {
			s = append(s, axis{v, 0})
		}
	}
	return [][]axis{s}
}

// product ties the axes of a product of matrices: batches, rows, columns, and what is
// summed over.
func product(a, b, y *graph.Value, ta, tb int) [][]axis {
	ra, rb, ry := len(a.Shape), len(b.Shape), len(y.Shape)
	out := [][]axis{{{a, ra - 1 - ta}, {b, rb - 2 + tb}}, {{a, ra - 2 + ta}, {y, ry - 2}}, {{b, rb - 1 - tb}, {y, ry - 1}}}
	for d := range ry - 2 {
		s := []axis{{y, d}}
		for _, v := range []*graph.Value{a, b} {
			if k := d - ry + len(v.Shape); k >= 0 && v.Shape[k] != graph.N(1) {
				s = append(s, axis{v, k})
			}
		}
		out = append(out, s)
	}
	return out
}

func matMulSets(n *graph.Node) ([][]axis, error) {
	a, b, y := n.In(0), n.In(1), n.Out(0)
	if len(a.Shape) < 2 || len(b.Shape) < 2 {
		return nil, fmt.Errorf("%s multiplies a vector", told(n))
	}
	return product(a, b, y, 0, 0), nil
}

func gemmSets(n *graph.Node) ([][]axis, error) {
	out := product(n.In(0), n.In(1), n.Out(0), n.Int("transA", 0), n.Int("transB", 0))
	if c := n.In(2); c != nil {
		for d := range c.Shape {
			if k := d + 2 - len(c.Shape); c.Shape[d] != graph.N(1) {
				for i, s := range out[1:] {
					if s[1] == (axis{n.Out(0), k}) {
						out[i+1] = append(s, axis{c, d})
					}
				}
			}
		}
	}
	return out, nil
}

func einsumSets(n *graph.Node) ([][]axis, error) {
	left, right, ok := strings.Cut(strings.ReplaceAll(n.Str("equation", ""), " ", ""), "->")
	terms := strings.Split(left, ",")
	if !ok || strings.Contains(left, ".") || len(terms) != len(n.Inputs) {
		return nil, fmt.Errorf("%s has an equation that is not followed", told(n))
	}
	by := map[rune]int{}
	var out [][]axis
	put := func(v *graph.Value, term string) {
		for d, c := range term {
			k, ok := by[c]
			if !ok {
				k = len(out)
				by[c], out = k, append(out, nil)
			}
			out[k] = append(out[k], axis{v, d})
		}
	}
	for i, t := range terms {
		put(n.In(i), t)
	}
	put(n.Out(0), right)
	return out, nil
}

// sameSets ties all axes of the input to those of the output.
func sameSets(n *graph.Node) ([][]axis, error) { return aligned(n, n.Inputs[:1]), nil }

func chosenSets(n *graph.Node) ([][]axis, error) {
	x := n.In(0)
	a := normal(n.Int("axis", -1), len(x.Shape))
	var out [][]axis
	for d := range x.Shape {
		s := []axis{{x, d}}
		for _, o := range n.Outputs {
			if o != nil && d != a {
				s = append(s, axis{o, d})
			}
		}
		out = append(out, s)
	}
	return out, nil
}

// reduced are the axes that a reduction reduces.
func reduced(n *graph.Node) (map[int]bool, bool) {
	rank, out := len(n.In(0).Shape), map[int]bool{}
	if n.Is("ArgMax") {
		out[normal(n.Int("axis", 0), rank)] = true
		return out, true
	}
	as, ok := axesOf(n, 1, rank)
	for _, a := range as {
		out[a] = true
	}
	if len(as) == 0 && n.Int("noop_with_empty_axes", 0) == 0 {
		for d := range rank {
			out[d] = true
		}
	}
	return out, ok
}

func reducedSets(n *graph.Node) ([][]axis, error) {
	x, y := n.In(0), n.Out(0)
	gone, ok := reduced(n)
	if !ok {
		return nil, fmt.Errorf("%s reduces axes that are not constant", told(n))
	}
	var out [][]axis
	k := 0
	for d := range x.Shape {
		if gone[d] {
			out = append(out, []axis{{x, d}})
			k += n.Int("keepdims", 1)
			continue
		}
		out = append(out, []axis{{x, d}, {y, k}})
		k++
	}
	return out, nil
}
