package tokenizer_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pare/internal/lmtest"
	"pare/tokenizer"
)

const (
	gpt2Pre   = `{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true}`
	smolPre   = `{"type":"Sequence","pretokenizers":[{"type":"Digits","individual_digits":true},{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true}]}`
	splitPre  = `{"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":%q},"behavior":"Isolated","invert":false},{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":false}]}`
	qwenWords = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	llamaWord = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
)

// What is written of a tokenizer reads back as one that gives the same tokens, of random texts, by
// the name that llama.cpp has for the way in which it divides them.
func TestToGGUF(t *testing.T) {
	parts := []string{"the", " the", " world", "12", "123", "1234", "'s", "'S", " ", "\n", "\t", "é", "世", "🙂", ".", "!?", "in", "or", "er", "H", "<s>", "<tool>", "</s>", "x"}
	r := rand.New(rand.NewPCG(1, 1))
	for want, c := range map[string]struct {
		file []byte
		size int
	}{
		"gpt-2": {lmtest.BytePairs(gpt2Pre, false, false), lmtest.BytePairTokens}, "smollm": {lmtest.BytePairs(smolPre, true, false), 300},
		"qwen2": {lmtest.BytePairs(fmt.Sprintf(splitPre, qwenWords), false, false), 280}, "llama-bpe": {lmtest.BytePairs(fmt.Sprintf(splitPre, llamaWord), true, true), 280},
		"default true": {lmtest.Pieces(true), 320}, "default false": {lmtest.Pieces(false), 320},
	} {
		own, err := tokenizer.Read(c.file)
		if err != nil {
			t.Fatal(err)
		}
		es, err := tokenizer.ToGGUF(c.file, c.size, tokenizer.Names{EOS: "</s>"})
		if err != nil {
			t.Errorf("%s: %v", want, err)
			continue
		}
		meta := map[string]any{}
		for _, e := range es {
			meta[e.Key] = e.Value
		}
		pre := fmt.Sprint(meta["tokenizer.ggml.pre"])
		if p, ok := meta["tokenizer.ggml.add_space_prefix"]; ok {
			pre += fmt.Sprint(" ", p)
		}
		tokens, types := meta["tokenizer.ggml.tokens"].([]string), meta["tokenizer.ggml.token_type"].([]int32)
		if end := tokens[meta["tokenizer.ggml.eos_token_id"].(uint32)]; pre != want || len(tokens) != c.size || end != "</s>" || len(types) != c.size || types[slices.Index(tokens, "<s>")] != 3 {
			t.Errorf("%s is divided as %s, with %d tokens, the last %s", want, pre, len(tokens), end)
		}
		if i := slices.Index(tokens, "<tool>"); i >= 0 && types[i] != 4 || c.size > own.Size && types[c.size-1] != 5 || i < 0 && (types[0] != 2 || types[3] != 6) {
			t.Errorf("%s: types %v", want, types)
		}
		back, err := tokenizer.FromGGUF(meta)
		if err != nil {
			t.Fatal(err)
		}
		for range 500 {
			text := ""
			for range r.IntN(9) {
				text += parts[r.IntN(len(parts))]
			}
			a, _, err := own.Encode(text, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			if b, _, err := back.Encode(text, nil, 0); err != nil || !slices.Equal(a.IDs, b.IDs) {
				t.Fatalf("%s: %q is %v, and %v behind (%v)", want, text, a.IDs, b.IDs, err)
			}
		}
	}
}

// What llama.cpp would read otherwise is refused, by what is in the way.
func TestToGGUFRefused(t *testing.T) {
	plain := string(lmtest.BytePairs(gpt2Pre, false, false))
	for want, c := range map[string]struct {
		file  string
		size  int
		names tokenizer.Names
	}{
		"vocabulary of 200":  {plain, 200, tokenizer.Names{}},
		"no token \"<eos>\"": {plain, 300, tokenizer.Names{EOS: "<eos>"}},
		"tokens here and":    {string(lmtest.BytePairs(fmt.Sprintf(splitPre, `\p{N}{1,2}|\p{L}`), false, false)), 300, tokenizer.Names{}},
		"no BPE":             {`{"model":{"type":"WordPiece","vocab":{"a":0},"unk_token":"a"}}`, 300, tokenizer.Names{}},
		"fall back on":       {strings.ReplaceAll(string(lmtest.Pieces(true)), `"byte_fallback":true`, `"byte_fallback":false`), 400, tokenizer.Names{}},
		"not a tokenizer":    {"[", 300, tokenizer.Names{}},
		"scores cannot say":  {strings.Replace(string(lmtest.Pieces(true)), `"h e"`, `"h e","▁t h"`, 1), 400, tokenizer.Names{}},
	} {
		file := c.file
		if want == "scores cannot say" { // "▁th" e and "▁t he" make one token, with others between
			file = strings.Replace(file, `"vocab":{`, `"vocab":{"▁th":319,`, 1)
			file = strings.Replace(file, `"▁wor ld"`, `"▁wor ld","▁th e"`, 1)
		}
		if _, err := tokenizer.ToGGUF([]byte(file), c.size, c.names); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want something with %q", err, want)
		}
	}
}
