package main

var fileMutants = []Broken{
	{What: "files", File: "lm/files/metadata.go", Tests: []string{"lm/files"}, Mutants: []Mutant{
		{Name: "files-unknown-key", Breaks: "a key of the metadata that nobody read is passed over",
			Old: `if !ok {`,
			New: `if !ok && key == "" {`},
		{Name: "files-scale-without-type", Breaks: "positions are scaled only where a type is stated",
			Old: `case !ok || kind == "linear":`,
			New: `case !ok:
		return 1
	case kind == "linear":`},
		{Name: "files-heads", Breaks: "rows of other heads than the metadata state are put in an order", File: "lm/files/gguf.go",
			Old: `if t.Rank() == 0 || t.Shape[0] != heads*s.head {`,
			New: `if t.Rank() == 0 {`},
		{Name: "files-pairs", Breaks: "the rows of a Qwen are taken for a Llama's", File: "lm/files/gguf.go",
			Old: `pairs: arch == "llama"`,
			New: `pairs: true`},
		{Name: "files-pairs-written", Breaks: "the rows of a Qwen are written as a Llama's", File: "lm/files/write.go",
			Old: `if c.Type != "llama" {`,
			New: `if c.Type == "" {`},
		{Name: "files-head-q4", Breaks: "the output layer is written as Q4_0", File: "lm/files/write.go",
			Old: `as, head = gguf.Q8_0, head+1`,
			New: `head++`},
		{Name: "files-epsilon", Breaks: "a narrower stream keeps the ε of the norms", File: "lm/files/write.go",
			Old: `if c.Eps != old.Eps {`,
			New: `if c.Eps < 0 {`},
		{Name: "files-window", Breaks: "a window that the config does not state is none", File: "lm/family/rotary.go", Tests: []string{"lm/family"},
			Old: `return def
	}
	var x json.Number`,
			New: `return 0
	}
	var x json.Number`},
		{Name: "files-rounded", Breaks: "what is measured is the network before it was written", File: "cmd/pare/languagefile.go", Tests: []string{"cmd/pare"},
			Old: `return written, nil`,
			New: `return g, nil`},
	}},
}
