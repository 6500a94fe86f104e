package cases

import "pare/tensor"

func linear() []Case {
	var out []Case
	for ta := range 2 {
		for tb := range 2 {
			a, b := []int{5, 3}, []int{3, 4}
			if ta == 1 {
				a = []int{3, 5}
			}
			if tb == 1 {
				b = []int{4, 3}
			}
			attrs := as("transA", ta, "transB", tb)
			out = append(out, Case{Op: "Gemm", In: in{normal(a...), normal(b...)}, Attrs: attrs})
			for _, c := range [][]int{{4}, {5, 1}, {}, {5, 4}, {1, 4}} {
				out = append(out, Case{Op: "Gemm", In: in{normal(a...), normal(b...), normal(c...)},
					Attrs: append(as("alpha", 1.5, "beta", .5), attrs...)})
			}
		}
	}
	for _, s := range [][2][]int{
		{{2, 3}, {3, 5}}, {{2, 2, 3}, {3, 5}}, {{2, 1, 2, 3}, {2, 3, 4}}, {{2, 3}, {2, 3, 2}}, {{1, 3}, {3, 1}},
		{{3}, {3}}, {{3}, {3, 2}}, {{2, 3}, {3}}, {{3}, {2, 3, 4}}, {{2, 5, 3}, {3}}, {{2, 1, 2, 3}, {1, 5, 3, 1}},
	} {
		out = append(out, Case{Op: "MatMul", In: in{normal(s[0]...), normal(s[1]...)}})
	}
	own := "com.microsoft"
	return append(out,
		Case{Domain: own, Op: "MatMulNBits", In: in{normal(2, 3, 16), whole8(0, 255, 3, 1, 8), between(.01, .1, 3, 1)}, Fixed: []int{2},
			Attrs: as("K", 16, "N", 3, "block_size", 16)},
		Case{Domain: own, Op: "MatMulNBits", In: in{normal(2, 20), whole8(0, 255, 3, 2, 16), between(.01, .1, 3, 2), whole8(0, 255, 3, 2), nil, normal(3)}, Fixed: []int{2},
			Attrs: as("K", 20, "N", 3, "bits", 8, "block_size", 16)},
		Case{Domain: "ai.onnx.ml", Op: "ZipMap", In: in{normal(2, 3)}, Attrs: as("classlabels_int64s", []int{4, 5, 6})},
		Case{Domain: own, Op: "Inverse", In: in{is(tensor.From([]float64{2, .5, -.3, .1, 1.5, .2, -.4, .3, 1, 1, 2, .5, -.5, 1, .3, .2, -.1, 2}, 2, 3, 3))}},
	)
}
