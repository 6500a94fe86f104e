package files_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pare/engine"
	"pare/gguf"
	"pare/graph"
	"pare/internal/lmtest"
	"pare/lm/files"
	"pare/tensor"
)

// words are the tokens of a folder's tokenizer.json: those of lmtest's models.
const words = 300

// withTokenizer puts a tokenizer, and what else names tokens, into a folder.
func withTokenizer(t *testing.T, dir string) {
	t.Helper()
	vocab := map[string]int{"<unk>": 0, "<s>": 1, "</s>": 2}
	for b := 3; b < 259; b++ {
		vocab["<0x"+strings.ToUpper(string("0123456789abcdef"[(b-3)>>4])+string("0123456789abcdef"[(b-3)&15]))+">"] = b
	}
	merges := [][2]string{}
	for i := 259; i < words; i++ {
		switch k := i - 259; {
		case k == 0:
			vocab["▁"] = i
		case k <= 26:
			vocab[string(rune('a'+k-1))] = i
		default:
			c := string(rune('a' + k - 27))
			vocab["▁"+c] = i
			merges = append(merges, [2]string{"▁", c})
		}
	}
	put := func(name string, v any) {
		t.Helper()
		b, err := json.Marshal(v)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), b, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	type m = map[string]any
	put("tokenizer.json", m{"added_tokens": []m{{"id": 0, "content": "<unk>", "special": true}, {"id": 1, "content": "<s>", "special": true}, {"id": 2, "content": "</s>", "special": true}},
		"normalizer": m{"type": "Replace", "pattern": m{"String": " "}, "content": "▁"},
		"post_processor": m{"type": "TemplateProcessing", "single": []m{{"SpecialToken": m{"id": "<s>", "type_id": 0}}, {"Sequence": m{"id": "A", "type_id": 0}}}, "pair": []m{},
			"special_tokens": m{"<s>": m{"id": "<s>", "ids": []int{1}, "tokens": []string{"<s>"}}}},
		"model": m{"type": "BPE", "unk_token": "<unk>", "byte_fallback": true, "vocab": vocab, "merges": merges}})
	put("generation_config.json", m{"eos_token_id": []int{2, 275}, "bos_token_id": 1, "suppress_tokens": []int{270, 299, 2}, "max_length": 20})
	put("tokenizer_config.json", m{"added_tokens_decoder": m{"0": m{"content": "<unk>"}, "2": m{"content": "</s>"}, "299": m{"content": "z"}}, "model_max_length": 64})
	put("vocab.json", vocab)
}

// said are the logits of a text.
func said(t *testing.T, g *graph.Graph, ids []int32) [][]float32 {
	t.Helper()
	p, err := engine.Compile(g, map[string]int{"batch": 1, "sequence": len(ids)}, engine.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for i, id := range ids {
		tensor.Of[int64](p.Input("input_ids"))[i] = int64(id)
	}
	if err := p.Run(); err != nil {
		t.Fatal(err)
	}
	out := p.Output("logits")
	n := out.Shape[out.Rank()-1]
	var rows [][]float32
	for i := range ids {
		rows = append(rows, slices.Clone(out.F32()[i*n:][:n]))
	}
	return rows
}

// A model that has lost tokens gives those that are left the logits that they had, with its
// tokenizer and everything else numbered anew, in a folder and in a GGUF file, with an output
// layer of its own and without.
func TestKeepVocabulary(t *testing.T) {
	for _, tied := range []bool{false, true} {
		made := lmtest.Llama2C(t)
		if tied {
			made = lmtest.Tied(t)
		}
		folder := lmtest.Folder(t, made)
		withTokenizer(t, folder)
		for _, path := range []string{folder, lmtest.GGUF(t, made)} {
			f, g := opened(t, path)
			tok, err := f.Tokenizer()
			if err != nil {
				t.Fatal(err)
			}
			named, err := f.NamedTokens()
			if err != nil {
				t.Fatal(err)
			}
			if f.Meta == nil && !slices.Equal(named, []int32{1, 2, 275}) {
				t.Errorf("the files name %v", named)
			}
			counts := make([]int, tok.Size)
			text := " ab cab bat"
			ids, err := tok.Tokens(text)
			if err != nil {
				t.Fatal(err)
			}
			for _, id := range ids {
				counts[id]++
			}
			kept := tok.Choose(counts, named, 1, 0).Kept
			if len(kept) >= words-20 {
				t.Fatalf("%d of %d tokens are kept", len(kept), words)
			}
			before := said(t, g, ids)
			if err := f.Keep(kept); err != nil {
				t.Fatal(err)
			}
			if g, err = f.Graph(); err != nil {
				t.Fatal(err)
			}
			out := filepath.Join(t.TempDir(), "out")
			var notes []string
			if f.Meta == nil {
				notes, err = files.WriteFolder(out, g, f)
			} else {
				out += ".gguf"
				notes, err = files.WriteGGUF(out, g, f, gguf.F32)
			}
			if err != nil {
				t.Fatal(err)
			}
			left, g := opened(t, out)
			again, err := left.Tokenizer()
			if err != nil {
				t.Fatal(err)
			}
			if again.Size != len(kept) || left.Config.Vocab != len(kept) {
				t.Errorf("%d tokens, a vocabulary of %d, and %d are kept", again.Size, left.Config.Vocab, len(kept))
			}
			now, err := again.Tokens(text)
			if err != nil {
				t.Fatal(err)
			}
			for i := range now {
				if i >= len(ids) || kept[now[i]] != ids[i] {
					t.Fatalf("%q is %v of %v, and was %v", text, now, kept, ids)
				}
			}
			for i, row := range said(t, g, now) {
				for k, id := range kept {
					if row[k] != before[i][id] {
						t.Fatalf("%s: token %d after %d of the text has logit %v, and had %v", path, id, i, row[k], before[i][id])
					}
				}
			}
			if kept[again.EOS] != 2 || kept[again.BOS] != 1 {
				t.Errorf("texts end with %d", again.EOS)
			}
			if f.Meta != nil {
				continue
			}
			if !slices.ContainsFunc(notes, func(n string) bool { return strings.HasPrefix(n, "vocab.json held the tokenizer") }) {
				t.Error(notes)
			}
			at := func(id int32) int { return slices.Index(kept, id) }
			var gen struct {
				EOS      []int `json:"eos_token_id"`
				BOS      int   `json:"bos_token_id"`
				Suppress []int `json:"suppress_tokens"`
				Max      int   `json:"max_length"`
			}
			var more struct {
				Added map[string]any `json:"added_tokens_decoder"`
			}
			read(t, filepath.Join(out, "generation_config.json"), &gen)
			read(t, filepath.Join(out, "tokenizer_config.json"), &more)
			if !slices.Equal(gen.EOS, []int{2, at(275)}) || gen.BOS != 1 || !slices.Equal(gen.Suppress, []int{2}) || gen.Max != 20 || len(more.Added) != 2 {
				t.Errorf("%+v, %+v", gen, more)
			}
		}
	}
}

func read(t *testing.T, path string, v any) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(b, v)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Tokens that files name in a way that is not understood, or that are not kept, are refused,
// and nothing has changed then.
func TestKeepVocabularyRefused(t *testing.T) {
	for want, c := range map[string]struct {
		kept []int32
		gen  string
	}{
		"eos_token_id: token 2 is not kept": {[]int32{0, 1, 270}, `{}`},
		"token 5 is kept":                   {[]int32{0, 1, 2, 7, 5}, `{}`},
		"token 300 is kept":                 {[]int32{0, 1, 2, 300}, `{}`},
		"bad_words_ids names tokens":        {[]int32{0, 1, 2, 270}, `{"bad_words_ids": [[270]]}`},
		"bos_token_id: token 9":             {[]int32{0, 1, 2, 270}, `{"bos_token_id": 9}`},
	} {
		dir := lmtest.Folder(t, lmtest.Llama2C(t))
		withTokenizer(t, dir)
		if err := os.WriteFile(filepath.Join(dir, "generation_config.json"), []byte(c.gen), 0o644); err != nil {
			t.Fatal(err)
		}
		f, _ := opened(t, dir)
		if err := f.Keep(c.kept); err == nil || !strings.Contains(strings.ReplaceAll(err.Error(), "generation_config.json: ", ""), want) {
			t.Errorf("%v, want %s", err, want)
		}
		if f.Config.Vocab != words {
			t.Errorf("%s: the vocabulary is %d", want, f.Config.Vocab)
		}
	}
}
