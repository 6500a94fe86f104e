package main

var localMutants = []Broken{
	{What: "local models", File: "lm/local/model.go", Tests: []string{"lm/local"}, Mutants: []Mutant{
		{Name: "local-first-blank", Breaks: "a continuation loses the blank it begins with",
			Old: `if _, err := w.stream.Next(int32(id)); err != nil {
				return nil, m.failed(ctx, err)
			}`,
			New: `_, _ = w, id`},
		{Name: "local-stop-shown", Breaks: "the beginning of a stop string is given before it is known to be one",
			Old: `hold = begun(w.text, w.r.Stop)`,
			New: `hold = 0`},
		{Name: "local-stop-last", Breaks: "of several stop strings the last in the list ends a text, not the first in it",
			Old: `k >= 0 && (at < 0 || k < at)`,
			New: `k >= 0`},
		{Name: "local-context-ignored", Breaks: "a text may be longer than the context", File: "lm/local/score.go",
			Old: `if window > m.opt.Context {`,
			New: `if false {`},
		{Name: "local-windows-run-on", Breaks: "a window sees those before it", File: "lm/local/score.go",
			Old: `if err := s.Truncate(0, 0); err != nil {`,
			New: `if err := s.Truncate(0, min(1, s.Len(0))); err != nil {`},
		{Name: "local-torn", Breaks: "a text whose first token begins before it is scored all the same", File: "lm/local/score.go",
			Old: `if all[i] != t {`,
			New: `if all[i] != t && i < 0 {`},
		{Name: "local-ends-of-one", Breaks: "of several tokens that end a text the first alone does", File: "lm/local/open.go",
			Old: `m.ends = append(m.ends, some...)`,
			New: `m.ends = append(m.ends, some[0])`},
		{Name: "local-chat-forgets", Breaks: "a chat forgets what was answered", File: "cmd/pare/chat.go", Tests: []string{"cmd/pare"},
			Old: `q.r.Messages = append(q.r.Messages, lm.Message{Role: lm.Assistant, Text: reply.Choices[0].Text})`,
			New: `_ = reply`},
	}},
}
