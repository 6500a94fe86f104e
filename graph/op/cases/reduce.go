package cases

import "pare/tensor"

const zeros = "elements that are 0 are taken to stay so"

func reductions() []Case {
	var out []Case
	for _, op := range []string{"ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2",
		"ReduceSumSquare", "ReduceLogSum", "ReduceLogSumExp"} {
		x := apart(2, 3, 2)
		if op == "ReduceLogSum" {
			x = between(.5, 2, 2, 3, 2)
		}
		for keep := range 2 {
			for _, axes := range [][]int{nil, {0}, {-1}, {0, 2}, {1, -3}} {
				// the axes are an attribute before opset 18 (ReduceSum: 13)
				c, old := Case{Op: op, In: in{x}, Attrs: as("keepdims", keep)}, Case{Op: op, Opset: 11, In: in{x}, Attrs: as("keepdims", keep)}
				if axes != nil {
					t := tensor.New(tensor.Int64, len(axes))
					for i, a := range axes {
						tensor.Of[int64](t)[i] = int64(a)
					}
					c.In = append(c.In, is(t))
					old.Attrs = append(old.Attrs, as("axes", axes)...)
				}
				out = append(out, c, old)
			}
		}
		out = append(out, Case{Op: op, In: in{x, is(tensor.New(tensor.Int64, 0))}, Attrs: as("noop_with_empty_axes", 1)})
	}
	// a product of which elements are 0: second derivatives hold these fixed
	return append(out, Case{Op: "ReduceProd", In: in{floats(2, 0, 3)}, First: zeros}, Case{Op: "ReduceProd", In: in{floats(2, 0, 0)}, First: zeros})
}
