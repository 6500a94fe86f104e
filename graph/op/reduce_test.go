package op

import (
	"math"
	"testing"

	"pare/graph"
	"pare/tensor"
)

// TestReductions compares each reduction, over every choice of axes, with one
// by coordinates, and checks both derivatives.
func TestReductions(t *testing.T) {
	sum := func(f func(x float64) float64) func(v []float64) float64 {
		return func(v []float64) (s float64) {
			for _, x := range v {
				s += f(x)
			}
			return s
		}
	}
	id, sq := func(x float64) float64 { return x }, func(x float64) float64 { return x * x }
	extreme := func(sign float64) func(v []float64) float64 {
		return func(v []float64) float64 {
			m := math.Inf(-1)
			for _, x := range v {
				m = max(m, sign*x)
			}
			return sign * m
		}
	}
	want := map[string]func(v []float64) float64{
		"ReduceSum": sum(id), "ReduceMean": func(v []float64) float64 { return sum(id)(v) / float64(len(v)) },
		"ReduceMax": extreme(1), "ReduceMin": extreme(-1),
		"ReduceProd": func(v []float64) float64 {
			p := 1.0
			for _, x := range v {
				p *= x
			}
			return p
		},
		"ReduceL1": sum(math.Abs), "ReduceL2": func(v []float64) float64 { return math.Sqrt(sum(sq)(v)) },
		"ReduceSumSquare": sum(sq), "ReduceLogSum": func(v []float64) float64 { return math.Log(sum(id)(v)) },
		"ReduceLogSumExp": func(v []float64) float64 { return math.Log(sum(math.Exp)(v)) },
	}
	x := randu(3, .5, 2, 2, 3, 2)
	for op, f := range want {
		for _, as := range [][]int{nil, {0}, {-1}, {0, 2}, {1, -3}} {
			for keep := range 2 {
				gone := [3]bool{}
				for _, a := range as {
					gone[(a+3)%3] = true
				}
				if as == nil {
					gone = [3]bool{true, true, true}
				}
				groups := map[[3]int][]float64{}
				var order [][3]int
				for i, v := range tensor.Of[float64](x) {
					k := [3]int{i / 6, i / 2 % 3, i % 2}
					for d := range k {
						if gone[d] {
							k[d] = 0
						}
					}
					if groups[k] == nil {
						order = append(order, k)
					}
					groups[k] = append(groups[k], v)
				}
				shape := []int{}
				for d, n := range x.Shape {
					if !gone[d] {
						shape = append(shape, n)
					} else if keep == 1 {
						shape = append(shape, 1)
					}
				}
				w := tensor.New(tensor.Float64, shape...)
				for i, k := range order {
					tensor.Of[float64](w)[i] = f(groups[k])
				}
				attrs := []graph.Attr{attr("keepdims", keep)}
				if as != nil {
					attrs = append(attrs, attr("axes", as))
				}
				closeTo(t, op, eval(t, 11, "", op, 1, []*tensor.Tensor{x}, attrs...)[0], w, 1e-12)
				in := []*tensor.Tensor{x}
				if as != nil {
					in = append(in, tensor.New(tensor.Int64, len(as)))
					for i, a := range as {
						tensor.Of[int64](in[1])[i] = int64(a)
					}
				}
				closeTo(t, op, eval(t, 18, "", op, 1, in, attrs[0])[0], w, 1e-12)
				for _, opset := range []int{11, 18} {
					g, feed := oneNode(t, opset, "", op, 1, in, attrs[0])
					if opset == 11 {
						g, feed = oneNode(t, opset, "", op, 1, in[:1], attrs...)
					}
					checkGrad2(t, g, feed)
				}
			}
		}
		same := eval(t, 18, "", op, 1, []*tensor.Tensor{x, i64()}, attr("noop_with_empty_axes", 1))[0]
		if !equalInts(same.Shape, x.Shape) {
			t.Errorf("%s without axes: %v", op, same)
		}
	}
	for op, w := range map[string]int64{"ReduceSum": 1<<60 + 4, "ReduceMean": (1<<60 + 4) / 2, "ReduceMax": 1<<60 + 1, "ReduceMin": 3, "ReduceL1": 1<<60 + 4} {
		closeTo(t, op, eval(t, 13, "", op, 1, []*tensor.Tensor{i64(1<<60+1, 3)}, attr("keepdims", 0))[0], tensor.Scalar(w), 0)
	}
	// a product with one zero: the first derivative is that of the others
	g, in := oneNode(t, 13, "", "ReduceProd", 1, []*tensor.Tensor{f64(2, 0, 3)})
	checkGrad(t, g, in)
	inf := math.Inf(-1)
	closeTo(t, "log of nothing", eval(t, 13, "", "ReduceLogSumExp", 1, []*tensor.Tensor{f64(inf, inf)}, attr("keepdims", 0))[0], tensor.Scalar(inf), 0)
}
