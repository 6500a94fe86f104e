package files_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pare/gguf"
	"pare/internal/lmtest"
	"pare/lm/files"
)

// qwenPre divides texts as Qwen2 does.
var qwenPre = fmt.Sprintf(`{"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":%q},"behavior":"Isolated","invert":false},{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":false}]}`,
	`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`)

// A GGUF file that is made of a folder computes what the folder computes, with its tokenizer and
// template, in every type that is written, of every architecture.
func TestGGUFOfFolder(t *testing.T) {
	for _, kind := range []string{"llama", "qwen2", "qwen3"} {
		for _, tied := range []bool{false, true} {
			folder, _ := both(t, kind, tied, 2)
			tok := lmtest.BytePairs(qwenPre, false, false)
			if kind == "llama" {
				tok = lmtest.Pieces(true)
			}
			for name, text := range map[string]string{"tokenizer.json": string(tok), "tokenizer_config.json": `{"eos_token":{"content":"</s>"},"bos_token":null,"chat_template":"{{ messages }}"}`} {
				if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			from, g := opened(t, folder)
			want := logits(t, g)
			own, err := from.Tokenizer()
			if err != nil {
				t.Fatal(err)
			}
			for of, by := range map[gguf.Type]float64{gguf.F32: 1e-5, gguf.F16: .01, gguf.Q8_0: .1, gguf.Q4_0: 1.5} {
				path := filepath.Join(t.TempDir(), "out.gguf")
				if _, err := files.WriteGGUF(path, g, from, of); err != nil {
					t.Fatal(kind, err)
				}
				f, h := opened(t, path)
				got := logits(t, h)
				near(t, fmt.Sprint(kind, " ", tied, " ", of), want, got, by)
				if of == gguf.Q4_0 && slices.Equal(got, want) {
					t.Errorf("%s: nothing is rounded", kind)
				}
				theirs, err := f.Tokenizer()
				if err != nil {
					t.Fatal(err)
				}
				text := "the world, 1234! It's 世界\n"
				a, _, _ := own.Encode(text, nil, 0)
				b, _, err := theirs.Encode(text, nil, 0)
				if err != nil || !slices.Equal(a.IDs, b.IDs) || theirs.EOS != mustID(t, own.ID, "</s>") {
					t.Errorf("%s: %v, and %v in the folder (%v)", kind, b.IDs, a.IDs, err)
				}
				if s, _ := f.Meta.Text("tokenizer.chat_template"); s != "{{ messages }}" {
					t.Errorf("template %q", s)
				}
				if c := f.Config; c.Vocab != 320 || c.Positions != 64 || c.Tied != tied || c.Type != kind {
					t.Errorf("%+v", c)
				}
			}
		}
	}
}

func mustID(t *testing.T, id func(string) (int32, bool), s string) int32 {
	t.Helper()
	n, ok := id(s)
	if !ok {
		t.Fatalf("there is no %q", s)
	}
	return n
}

// A folder of which no GGUF file can be made says so, and what is in the way.
func TestGGUFOfFolderRefused(t *testing.T) {
	for want, change := range map[string]func(dir string) error{
		"not of type mistral": func(dir string) error { return inConfig(dir, `"llama"`, `"mistral"`) },
		"has no tokenizer":    func(dir string) error { return os.Remove(filepath.Join(dir, "tokenizer.json")) },
		"positions of type": func(dir string) error {
			return inConfig(dir, `"rope_theta"`, `"rope_scaling":{"rope_type":"dynamic","factor":2.0},"rope_theta"`)
		},
		"not a tokenizer.json": func(dir string) error { return os.WriteFile(filepath.Join(dir, "tokenizer.json"), []byte("{"), 0o644) },
		"tokenizer_config": func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "tokenizer_config.json"), []byte("{"), 0o644)
		},
	} {
		folder, _ := both(t, "llama", true, 2)
		if err := os.WriteFile(filepath.Join(folder, "tokenizer.json"), lmtest.Pieces(true), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := change(folder); err != nil {
			t.Fatal(err)
		}
		f, err := files.Open(folder)
		if err != nil {
			t.Fatal(want, err)
		}
		if err := f.ForGGUF(); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "write a folder") {
			t.Errorf("%v, want something with %q", err, want)
		}
		f.Close()
	}
}

func inConfig(dir, old, is string) error {
	path := filepath.Join(dir, "config.json")
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	s := strings.ReplaceAll(string(b), " ", "")
	if !strings.Contains(s, old) {
		return fmt.Errorf("%s is not in %s", old, s)
	}
	return os.WriteFile(path, []byte(strings.ReplaceAll(s, old, is)), 0o644)
}
