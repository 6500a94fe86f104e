package main

var decodeMutants = []Broken{
	{What: "weights", File: "internal/kernel/packed.go", Tests: []string{"internal/kernel", "lm/decode"}, Mutants: []Mutant{
		{Name: "weights-common-scale", Breaks: "whole numbers times a float16 are rounded anew",
			Old: `if h, ok := commonScale(g, most); ok {`,
			New: `if h, ok := commonScale(g, most); ok && h == 0 {`},
		{Name: "weights-starts", Breaks: "rows of sparse forms begin where those of dense ones do",
			Old: `at = p.starts[lo]`,
			New: `_ = at`},
		{Name: "weights-too-large", Breaks: "numbers that float16 cannot hold become infinite",
			Old: `if !h.IsFinite() {
				return fmt.Errorf("float16 cannot hold %v", v)
			}`,
			New: ``},
		{Name: "weights-auto-changes", Breaks: "auto takes forms that change weights", File: "lm/decode/form.go",
			Old: `if d := v - row[i]; !(max(d, -d) <= near) {`,
			New: `if d := v - row[i]; d != d {`},
		{Name: "weights-auto-near", Breaks: "auto changes weights by up to 2^-24", File: "lm/decode/form.go",
			Old: `const near = 0x1p-25`,
			New: `const near = 0x1p-24`},
		{Name: "weights-wrap", Breaks: "whole numbers beyond 127 wrap around", Tests: []string{"internal/kernel"},
			Old: `max(-127, min(127, v/scale))`,
			New: `v/scale`},
		{Name: "weights-always-sparse", Breaks: "putting weights in their places costs nothing", File: "lm/decode/form.go",
			Old: `size += size / 3`,
			New: `size += size / 300`},
		{Name: "weights-tile-bias", Breaks: "every tile takes the first biases", File: "lm/decode/linear.go",
			Old: `t.g.Ep.Bias = q.bias[lo:hi]`,
			New: `t.g.Ep.Bias = q.bias[:hi-lo]`},
	}},
}
