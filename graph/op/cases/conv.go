package cases

import "pare/graph"

func convolutions() []Case {
	of := func(x, w []int, bias bool, attrs ...graph.Attr) Case {
		c := Case{Op: "Conv", In: in{normal(x...), normal(w...)}, Attrs: attrs}
		if bias {
			c.In = append(c.In, normal(w[0]))
		}
		return c
	}
	return []Case{
		of([]int{2, 3, 5, 4}, []int{2, 3, 3, 2}, true),
		of([]int{1, 2, 5, 4}, []int{3, 2, 1, 1}, false),
		of([]int{1, 2, 5, 6}, []int{3, 2, 3, 3}, true, as("pads", []int{1, 0, 2, 1}, "strides", []int{2, 1})...),
		of([]int{2, 4, 4, 3}, []int{4, 1, 3, 3}, true, as("pads", []int{1, 1, 1, 1}, "group", 4)...),
		of([]int{1, 4, 5, 3}, []int{6, 2, 2, 2}, true, as("group", 2, "strides", []int{3, 2})...),
		of([]int{1, 2, 7, 5}, []int{2, 2, 3, 2}, false, as("dilations", []int{2, 3})...),
		of([]int{1, 2, 7, 5}, []int{2, 1, 3, 2}, true, as("dilations", []int{3, 1}, "strides", []int{2, 2}, "pads", []int{2, 1, 0, 2}, "group", 2)...),
		of([]int{1, 2, 5, 5}, []int{2, 2, 3, 2}, false, as("auto_pad", "SAME_UPPER", "strides", []int{2, 2})...),
		of([]int{1, 2, 5, 5}, []int{2, 2, 2, 3}, false, as("auto_pad", "SAME_LOWER", "strides", []int{2, 1})...),
		of([]int{1, 1, 3, 3}, []int{2, 1, 2, 2}, false, as("auto_pad", "VALID")...),
		of([]int{2, 3, 7}, []int{2, 3, 3}, true, as("pads", []int{1, 2}, "strides", []int{2})...),
		of([]int{1, 2, 3, 4, 3}, []int{2, 2, 2, 3, 2}, true, as("pads", []int{1, 0, 0, 0, 1, 1}, "strides", []int{1, 2, 1})...),
	}
}

func pools() []Case {
	var out []Case
	for _, g := range []struct {
		x     []int
		attrs []graph.Attr
	}{
		{[]int{2, 2, 5, 6}, as("kernel_shape", []int{2, 2}, "strides", []int{2, 2})},
		{[]int{1, 2, 5, 7}, as("kernel_shape", []int{3, 3}, "strides", []int{2, 1}, "pads", []int{1, 1, 1, 1})},
		{[]int{1, 1, 6, 6}, as("kernel_shape", []int{3, 2}, "strides", []int{2, 2}, "ceil_mode", 1)},
		{[]int{1, 2, 7, 5}, as("kernel_shape", []int{2, 3}, "strides", []int{3, 2}, "pads", []int{0, 1, 1, 0}, "ceil_mode", 1)},
		{[]int{1, 1, 7, 6}, as("kernel_shape", []int{2, 3}, "dilations", []int{3, 2}, "strides", []int{1, 1})},
		{[]int{1, 1, 5, 5}, as("kernel_shape", []int{2, 3}, "strides", []int{2, 2}, "auto_pad", "SAME_UPPER")},
		{[]int{1, 1, 5, 5}, as("kernel_shape", []int{2, 3}, "strides", []int{2, 2}, "auto_pad", "SAME_LOWER")},
		{[]int{2, 3, 7}, as("kernel_shape", []int{3}, "strides", []int{2}, "pads", []int{1, 0})},
		{[]int{1, 2, 3, 4, 3}, as("kernel_shape", []int{2, 2, 2}, "strides", []int{1, 2, 1})},
	} {
		out = append(out, Case{Op: "MaxPool", In: in{apart(g.x...)}, Attrs: g.attrs},
			Case{Op: "AveragePool", In: in{normal(g.x...)}, Attrs: g.attrs},
			Case{Op: "AveragePool", In: in{normal(g.x...)}, Attrs: append(as("count_include_pad", 1), g.attrs...)})
	}
	for _, s := range [][]int{{2, 3, 4, 5}, {1, 2, 7}, {1, 2, 2, 3, 2}} {
		out = append(out, Case{Op: "GlobalAveragePool", In: in{normal(s...)}}, Case{Op: "GlobalMaxPool", In: in{apart(s...)}})
	}
	return append(out, Case{Op: "MaxPool", In: in{apart(1, 2, 4, 5)}, Outs: 2, Attrs: as("kernel_shape", []int{2, 2})})
}
