package tokenizer

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pare/internal/hostile"
	"pare/llama2c"
)

func gpt2Meta() map[string]any {
	return map[string]any{
		"tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": "smollm",
		"tokenizer.ggml.tokens":       []string{"<|im_start|>", "<|im_end|>", "a", "b", "c", "ab", "bc", "abc", "Ġ", "Ġa", "1", "2", "12", "<tool>"},
		"tokenizer.ggml.token_type":   []any{int64(3), 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 4},
		"tokenizer.ggml.merges":       []any{"b c", "a b", "a bc", "Ġ a", "1 2"},
		"tokenizer.ggml.bos_token_id": uint32(0), "tokenizer.ggml.eos_token_id": uint64(1), "tokenizer.ggml.add_bos_token": true,
	}
}

func TestGGUF(t *testing.T) {
	tok, err := FromGGUF(gpt2Meta())
	if err != nil {
		t.Fatal(err)
	}
	// Digits are by themselves with smollm; special tokens are text where that is wished.
	if e, _, err := tok.Encode("abc ab12<tool><|im_end|>", nil, 0); err != nil || !slices.Equal(e.IDs, []int32{0, 7, 8, 5, 10, 11, 13, 1}) {
		t.Errorf("%v, %v", e.IDs, err)
	}
	if text, err := tok.Decode([]int32{0, 7, 9, 13, 1}, true); err != nil || text != "abc a<tool>" {
		t.Errorf("%q, %v", text, err)
	}
	if tok.BOS != 0 || tok.EOS != 1 || !slices.Equal(tok.Ends, []int32{1}) || !tok.IsEnd(1) || tok.Size != 14 {
		t.Errorf("%+v", tok)
	}

	llama := map[string]any{
		"tokenizer.ggml.model":  "llama",
		"tokenizer.ggml.tokens": []string{"<unk>", "<s>", "</s>", "▁", "a", "b", "▁a", "ab", "▁ab", "<0xE4>", "<0xBD>", "<0xA0>", "你好", "好"},
		"tokenizer.ggml.scores": []float32{0, 0, 0, -9, -8, -7, -3, -2, -1, 0, 0, 0, -4, -5}, "tokenizer.ggml.token_type": []int32{2, 3, 3, 1, 1, 1, 1, 1, 1, 6, 6, 6, 1, 1},
	}
	if tok, err = FromGGUF(llama); err != nil {
		t.Fatal(err)
	}
	// 你 alone is bytes, but part of a token; é is unknown.
	for text, want := range map[string][]int32{"ab": {1, 8}, "": {1}, "a a": {1, 6, 6}, "你好": {1, 3, 12}, "你a": {1, 3, 9, 10, 11, 4}, "é": {1, 3, 0}, "a</s>ab": {1, 6, 2, 8}} {
		if e, _, err := tok.Encode(text, nil, 0); err != nil || !slices.Equal(e.IDs, want) {
			t.Errorf("%q: %v, %v, want %v", text, e.IDs, err, want)
		}
	}
	if text, err := tok.Decode([]int32{1, 6, 9, 10, 11, 8}, true); err != nil || text != "a你 ab" {
		t.Errorf("%q, %v", text, err)
	}

	bert := map[string]any{"tokenizer.ggml.model": "bert", "tokenizer.ggml.tokens": []string{"[PAD]", "[UNK]", "[CLS]", "[SEP]", "▁un", "able", "▁,"},
		"tokenizer.ggml.token_type": []int32{3, 2, 3, 3, 1, 1, 1}, "tokenizer.ggml.unknown_token_id": uint32(1), "tokenizer.ggml.cls_token_id": uint32(2), "tokenizer.ggml.seperator_token_id": uint32(3)}
	if tok, err = FromGGUF(bert); err != nil {
		t.Fatal(err)
	}
	second := "un"
	if e, _, err := tok.Encode("Unable, x", &second, 0); err != nil || !slices.Equal(e.IDs, []int32{2, 4, 5, 6, 1, 3, 4, 3}) {
		t.Errorf("%v, %v", e.IDs, err)
	}
}

// What is not understood is refused by its name.
func TestGGUFRefused(t *testing.T) {
	for _, c := range []struct {
		key  string
		to   any
		want string
	}{
		{"model", "t5", `"t5" of the GGUF file is not supported`}, {"model", nil, "no tokenizer.ggml.model"}, {"pre", "kimi-k2", `"kimi-k2"`}, {"tokens", nil, "no list tokenizer.ggml.tokens"},
		{"tokens", []any{1}, "entry 0"}, {"merges", []string{"x y"}, "merge 0"}, {"merges", []string{"xy"}, "merge 0"}, {"merges", nil, "merges"}, {"token_type", []int32{1}, "1 entries for 14"},
		{"token_type", "x", "token_type"}, {"tokens", []string{"a", "a"}, "14 "}, {"model", "llama", "scores"},
	} {
		meta := gpt2Meta()
		meta["tokenizer.ggml."+c.key] = c.to
		if _, err := FromGGUF(meta); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s = %v: %v, want something with %q", c.key, c.to, err, c.want)
		}
	}
}

// runC is how run.c of llama2.c makes tokens: all pairs are looked at again after each
// merge.
func runC(tokens []string, scores []float32, text string) []int32 {
	lookup := func(s string) int {
		return slices.Index(tokens, s)
	}
	out := []int32{1}
	if text != "" {
		out = append(out, int32(lookup(" ")))
	}
	for _, c := range strings.Split(text, "") {
		if id := lookup(c); id >= 0 {
			out = append(out, int32(id))
			continue
		}
		for i := range len(c) {
			out = append(out, int32(c[i])+3)
		}
	}
	for {
		best, at, score := -1, -1, float32(-1e10)
		for i := 0; i+1 < len(out); i++ {
			if id := lookup(tokens[out[i]] + tokens[out[i+1]]); id >= 0 && scores[id] > score {
				best, at, score = id, i, scores[id]
			}
		}
		if at < 0 {
			return out
		}
		out[at] = int32(best)
		out = slices.Delete(out, at+1, at+2)
	}
}

func TestLlama2C(t *testing.T) {
	tokens := []string{"<unk>", "\n<s>\n", "\n</s>\n"}
	for b := range 256 {
		tokens = append(tokens, "<0x"+strings.ToUpper(string("0123456789abcdef"[b>>4])+string("0123456789abcdef"[b&15]))+">")
	}
	rng := rand.New(rand.NewPCG(5, 6))
	tokens = append(tokens, " ", "a", "b", "c", "é", "ab", "ba", "aa", "abc", " a", " ab", "bc", "ca", "aaa", "aab", "éa")
	scores := make([]float32, len(tokens))
	for i := range scores {
		scores[i] = -float32(rng.IntN(6))
	}
	check := func(tokens []string, scores []float32, lines []string) {
		t.Helper()
		tok, err := FromLlama2C(tokens, scores)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range lines {
			e, _, err := tok.Encode(line, nil, 0)
			if want := runC(tokens, scores, line); err != nil || !slices.Equal(e.IDs, want) {
				t.Fatalf("%q: %v, %v, want %v", line, e.IDs, err, want)
			}
			if text, err := tok.Decode(e.IDs, true); err != nil || text != line {
				t.Errorf("%v: %q, %v, want %q", e.IDs, text, err, line)
			}
		}
	}
	var lines []string
	for range 200 {
		s := make([]rune, rng.IntN(40))
		for i := range s {
			s[i] = []rune("aabbc é漢 \n")[rng.IntN(10)]
		}
		lines = append(lines, string(s))
	}
	check(tokens, scores, lines)

	for _, bad := range [][]string{nil, tokens[:258], append(slices.Clone(tokens[:300-30]), ""), slices.DeleteFunc(slices.Clone(tokens), func(s string) bool { return s == " " })} {
		if _, err := FromLlama2C(bad, make([]float32, len(bad))); err == nil {
			t.Errorf("%d tokens are read", len(bad))
		}
	}

	data := os.Getenv("PARE_DATA")
	if data == "" {
		t.Log("PARE_DATA is not set: the vocabulary of stories260K is left out")
		return
	}
	f, err := llama2c.OpenTokenizer(filepath.Join(data, "stories260k", "tok512.bin"))
	if err != nil {
		t.Fatal(err)
	}
	tokens, scores = nil, nil
	for _, p := range f.Pieces {
		tokens, scores = append(tokens, p.Text), append(scores, p.Score)
	}
	check(tokens, scores, append(lines, "Once upon a time, there was a little girl named Lily.", "She said: \"Let's go!\"\n\nThey did…"))
}

// Any vocabulary is read or refused, and any text of it, soon.
func FuzzLlama2C(f *testing.F) {
	f.Add("<unk>\na\n \n a\né", "a b", 1)
	f.Fuzz(func(t *testing.T, pieces, text string, k int) {
		hostile.Read(t, len(pieces)+len(text), func() error { //nolint:errcheck // what it refuses does not matter here
			var tokens []string
			for b := range 259 {
				tokens = append(tokens, fmt.Sprintf("<0x%02X>", b))
			}
			tokens = append(tokens, strings.Split(pieces, "\n")...)
			scores := make([]float32, len(tokens))
			for i := range scores {
				scores[i] = float32(i * k % 7)
			}
			tok, err := FromLlama2C(tokens, scores)
			if err != nil {
				return err
			}
			ids, err := tok.Tokens(text)
			if err != nil {
				return err
			}
			_, err = tok.Decode(ids, true)
			return err
		})
	})
}

func FuzzGGUF(f *testing.F) {
	f.Add("llama", "a b\n▁\n<0x41>\nab", "x ab", 0)
	f.Add("gpt2", "a\nb\nab\na b", "abab", 3)
	f.Add("bert", "▁a\nb\n[UNK]", "ab c", 2)
	f.Fuzz(func(t *testing.T, model, tokens, text string, id int) {
		hostile.Read(t, len(tokens)+len(text), func() error { //nolint:errcheck // what it refuses does not matter here
			list := strings.Split(tokens, "\n")
			scores := make([]float32, len(list))
			for i := range scores {
				scores[i] = float32(i % 5)
			}
			tok, err := FromGGUF(map[string]any{"tokenizer.ggml.model": model, "tokenizer.ggml.tokens": list, "tokenizer.ggml.scores": scores, "tokenizer.ggml.merges": list,
				"tokenizer.ggml.bos_token_id": id, "tokenizer.ggml.unknown_token_id": id, "tokenizer.ggml.cls_token_id": id, "tokenizer.ggml.seperator_token_id": id})
			if err != nil {
				return err
			}
			e, _, err := tok.Encode(text, nil, 0)
			if err != nil {
				return err
			}
			for _, id := range e.IDs {
				if _, ok := tok.Token(id); !ok {
					t.Errorf("token %d is none", id)
				}
			}
			_, err = tok.Decode(e.IDs, false)
			return err
		})
	})
}
