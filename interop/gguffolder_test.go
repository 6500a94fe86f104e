package interop

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"pare/gguf"
	"pare/internal/familytest"
	"pare/internal/lmtest"
	language "pare/lm/files"
)

// GGUF files that are made of folders, with their tokenizers, read in llama.cpp's package as they
// do here: keys and tensors, of every architecture and type.
func TestGGUFOfFolder(t *testing.T) {
	python(t, "gguf", "numpy")
	dir := t.TempDir()
	for _, kind := range []string{"llama", "qwen2", "qwen3"} {
		g := familytest.Graph(t, fmt.Sprintf(`{"model_type":%q,"vocab_size":320,"hidden_size":64,"num_attention_heads":4,"num_key_value_heads":2,"head_dim":32,"intermediate_size":96,"num_hidden_layers":2,
			"max_position_embeddings":64,"rms_norm_eps":0.25,"tie_word_embeddings":false,"eos_token_id":[2,1]}`, kind), 3)
		folder := filepath.Join(dir, kind)
		if _, err := language.WriteFolder(folder, g, nil); err != nil {
			t.Fatal(err)
		}
		tok := lmtest.Pieces(true)
		if kind != "llama" {
			tok = lmtest.BytePairs(`{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true}`, false, false)
		}
		if err := os.WriteFile(filepath.Join(folder, "tokenizer.json"), tok, 0o644); err != nil {
			t.Fatal(err)
		}
		from, err := language.Open(folder)
		if err != nil {
			t.Fatal(err)
		}
		defer from.Close()
		h, err := from.Graph()
		if err != nil {
			t.Fatal(err)
		}
		for name, of := range language.Types {
			path := filepath.Join(dir, kind+name+".gguf")
			if _, err := language.WriteGGUF(path, h, from, of); err != nil {
				t.Fatal(err)
			}
			f, err := gguf.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			a := ggufs(t, dir, ggufJob{Do: "read", Path: path})[0]
			agree(t, f, a)
			if len(f.Meta) < 20 || len(f.Tensors) < 20 {
				t.Errorf("%d keys and %d tensors", len(f.Meta), len(f.Tensors))
			}
			for _, k := range f.Meta {
				if got, want := fmt.Sprint(a.Keys[k.Key]), fmt.Sprint(k.Value); got != want {
					t.Errorf("%s: %s is %.200s, want %.200s", kind, k.Key, got, want)
				}
			}
		}
	}
}
