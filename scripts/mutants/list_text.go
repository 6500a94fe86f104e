package main

var textMutants = []Broken{
	{What: "tokenizer", File: "tokenizer/special.go", Tests: []string{"tokenizer"}, Mutants: []Mutant{
		{Name: "token-plain-special", Breaks: "special tokens in the text of a stranger are special",
			Old: `if plain && a.Special || a.SingleWord`,
			New: `if a.SingleWord`},
		{Name: "token-inside-words", Breaks: "added tokens that are words alone are found inside words",
			Old: `a.SingleWord && !alone(text, lo, hi)`,
			New: `false`},
		{Name: "token-first-again", Breaks: "what is behind an added token is the beginning of a text",
			Old: `first, from = false, hi`,
			New: `from = hi`},
		{Name: "token-no-ends", Breaks: "the tokens that texts begin and end with are not found", File: "tokenizer/tokenizer.go",
			Old: `	t.ends()
`,
			New: ``},
		{Name: "token-never-a-space", Breaks: "the space at the beginning of a text is taken away where none was put there", File: "tokenizer/decode.go",
			Old: `if i == 0 && !never {`,
			New: `if _ = never; i == 0 {`},
		{Name: "token-window-bytes", Breaks: "a stream loses the bytes of a character at the edge of its window", File: "tokenizer/stream.go",
			Old: `s.sent = len(before) - unfinished(before)`,
			New: `s.sent = len(before)`},
	}},
	{What: "templates", File: "internal/jinja/filters.go", Mutants: []Mutant{
		{Name: "jinja-round-floats", Breaks: "whole numbers are rounded to floats",
			Old: `if i, ok := integer(v); ok && n >= 0 { // whole`,
			New: `if i, ok := integer(v); ok && n >= 400 { // whole`},
		{Name: "jinja-floor-of-quotient", Breaks: "a quotient that is rounded up is a whole number", File: "internal/jinja/arith.go",
			Old: `return math.Round(q), nil`,
			New: `return math.Floor(x / y), nil`},
	}},
}
