package files_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pare/gguf"
	"pare/graph"
	"pare/internal/familytest"
	"pare/internal/lmtest"
	"pare/lm/files"
	"pare/prune/block"
	"pare/prune/structure"
	"pare/safetensors"
	"pare/tensor"
)

// both writes a model of a type, drawn with other norms and biases than transformers begins
// with, as a folder and, by llama.cpp's names, as a GGUF file. Widths are multiples of 32.
func both(t *testing.T, kind string, tied bool, kv int) (folder, file string) {
	t.Helper()
	const hidden, heads, head, width, layers = 64, 4, 32, 96, 2
	g := familytest.Graph(t, fmt.Sprintf(`{"model_type": %q, "vocab_size": 320, "hidden_size": %d, "num_attention_heads": %d, "num_key_value_heads": %d, "head_dim": %d, "intermediate_size": %d, "num_hidden_layers": %d,
		"max_position_embeddings": 64, "rms_norm_eps": 0.001, "rope_theta": 5000.0, "tie_word_embeddings": %v}`, kind, hidden, heads, kv, head, width, layers, tied), 7)
	r := rand.New(rand.NewPCG(1, 2))
	for _, v := range g.Consts() {
		if x := v.Const.F32(); strings.HasSuffix(v.Name, ".weight") || strings.HasSuffix(v.Name, ".bias") {
			for i := range x {
				x[i] += float32(.1 * r.NormFloat64())
			}
		}
	}
	folder = filepath.Join(t.TempDir(), "folder")
	if notes, err := files.WriteFolder(folder, g, nil); err != nil || len(notes) != 1 || !strings.Contains(notes[0], "no tokenizer") {
		t.Fatal(notes, err)
	}
	w, err := safetensors.Read(filepath.Join(folder, "model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	names := strings.NewReplacer("model.embed_tokens", "token_embd", "model.norm", "output_norm", "lm_head", "output", "model.layers", "blk", "self_attn.q_proj", "attn_q", "self_attn.k_proj", "attn_k", "self_attn.v_proj", "attn_v",
		"self_attn.o_proj", "attn_output", "self_attn.q_norm", "attn_q_norm", "self_attn.k_norm", "attn_k_norm", "input_layernorm", "attn_norm", "post_attention_layernorm", "ffn_norm", "mlp.gate_proj", "ffn_gate", "mlp.up_proj", "ffn_up", "mlp.down_proj", "ffn_down")
	var out []gguf.Source
	for _, hf := range w.Names {
		x := w.Tensors[hf]
		if kind == "llama" && (strings.Contains(hf, "q_proj") || strings.Contains(hf, "k_proj")) {
			y := tensor.New(tensor.Float32, x.Shape...)
			for row := range x.Shape[0] { // row i of a head's first half and row i of its second are neighbours
				at := row%head%(head/2)*2 + row%head/(head/2)
				copy(y.F32()[(row/head*head+at)*hidden:][:hidden], x.F32()[row*hidden:][:hidden])
			}
			x = y
		}
		out = append(out, gguf.Source{Name: names.Replace(hf), Type: gguf.F32, Shape: x.Shape, Read: func() (*tensor.Tensor, error) { return x, nil }})
	}
	meta := gguf.Meta{{Key: "general.architecture", Value: kind}}
	for key, v := range map[string]any{"embedding_length": uint32(hidden), "block_count": uint32(layers), "feed_forward_length": uint32(width), "attention.head_count": uint32(heads),
		"attention.key_length": uint32(head), "attention.value_length": uint32(head), "context_length": uint32(64), "attention.layer_norm_rms_epsilon": float32(.001), "rope.freq_base": float32(5000)} {
		meta.Set(kind+"."+key, v)
	}
	if kv != heads {
		meta.Set(kind+".attention.head_count_kv", uint32(kv))
	}
	file = filepath.Join(t.TempDir(), "file.gguf")
	if err := gguf.Write(file, meta, out); err != nil {
		t.Fatal(err)
	}
	return folder, file
}

// A GGUF file of every architecture computes what its folder computes, and what is written of
// it again too; without a number of heads for keys there are as many as for queries.
func TestArchitectures(t *testing.T) {
	for _, kind := range []string{"llama", "qwen2", "qwen3"} {
		for _, tied := range []bool{false, true} {
			kv := 2
			if tied {
				kv = 4
			}
			folder, file := both(t, kind, tied, kv)
			_, g := opened(t, folder)
			want := logits(t, g)
			f, g := opened(t, file)
			near(t, kind, want, logits(t, g), 1e-6)
			to := filepath.Join(t.TempDir(), "again.gguf")
			if notes, err := files.WriteGGUF(to, g, f, gguf.F32); err != nil || notes != nil {
				t.Fatal(notes, err)
			}
			_, g = opened(t, to)
			near(t, kind+" again", want, logits(t, g), 1e-6)
		}
	}
}

// Weights that are cut stay zero in blocks, what is left is near, and file and notes say in
// which types it is written.
func TestBlocksOfZeros(t *testing.T) {
	for of, want := range map[gguf.Type]struct {
		file uint32
		head gguf.Type
		far  float64
		note string
	}{gguf.Q8_0: {7, gguf.Q8_0, 1. / 127, ""}, gguf.Q4_0: {2, gguf.Q8_0, 1. / 8, "Q8_0"}} {
		_, path := both(t, "llama", false, 2)
		f, g := opened(t, path)
		sparse(t, g)
		to := filepath.Join(t.TempDir(), "blocks.gguf")
		notes, err := files.WriteGGUF(to, g, f, of)
		if err != nil || (want.note == "") != (notes == nil) || !strings.Contains(strings.Join(notes, " "), want.note) {
			t.Errorf("%v: %q, %v", of, notes, err)
		}
		small, err := files.Open(to)
		if err != nil {
			t.Fatal(err)
		}
		defer small.Close()
		if n, _ := small.Meta.Get("general.file_type"); n != want.file {
			t.Errorf("%v: general.file_type is %v", of, n)
		}
		if len(small.Notes) != 1 || !strings.Contains(small.Notes[0], of.String()) {
			t.Errorf("%q", small.Notes)
		}
		h, err := gguf.Open(to)
		if err != nil {
			t.Fatal(err)
		}
		defer h.Close()
		for name, as := range map[string]gguf.Type{"output.weight": want.head, "token_embd.weight": want.head, "blk.1.ffn_up.weight": of, "output_norm.weight": gguf.F32} {
			if x, _ := h.Tensor(name); x.Type != as {
				t.Errorf("%v: %s is %v, not %v", of, name, x.Type, as)
			}
		}
		again, err := small.Graph()
		if err != nil {
			t.Fatal(err)
		}
		was := map[string]*tensor.Tensor{}
		for _, v := range g.Consts() {
			was[v.Name] = v.Const
		}
		zeros := 0
		for _, v := range again.Consts() {
			if !strings.HasSuffix(v.Name, "_proj.weight") {
				continue
			}
			largest := float32(0)
			for _, x := range was[v.Name].F32() {
				largest = max(largest, x, -x)
			}
			for i, x := range was[v.Name].F32() {
				y := v.Const.F32()[i]
				if x == 0 {
					zeros++
				}
				if d := float64(y - x); x == 0 && y != 0 || max(d, -d) > want.far*float64(largest) {
					t.Fatalf("%v: weight %d of %s is %v, and was %v", of, i, v.Name, y, x)
				}
			}
		}
		if zeros == 0 {
			t.Error("nothing was cut")
		}
	}
}

// A GGUF file with a layer or channels of the stream less says so in its metadata, with the ε
// that the norms then have.
func TestLessGGUF(t *testing.T) {
	f, g := opened(t, lmtest.GGUF(t, lmtest.Llama2C(t)))
	found, _ := block.Find(g, block.Options{})
	short, err := block.Remove(g, found[:1])
	if err != nil {
		t.Fatal(err)
	}
	groups, _ := structure.Groups(g)
	s := structure.All(groups)
	for i, k := range structure.Kinds(g, groups) {
		if k == structure.Embedding {
			for c := range 8 {
				s[i].Set(3*c, false)
			}
		}
	}
	narrow, err := structure.Cut(g, groups, s)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		g   *graph.Graph
		key string
		n   int
		eps float64
	}{{short, "block_count", 1, 1e-5}, {narrow, "embedding_length", 16, 1e-5 * 24 / 16}} {
		to := filepath.Join(t.TempDir(), "less.gguf")
		if _, err := files.WriteGGUF(to, c.g, f, gguf.F32); err != nil {
			t.Fatal(err)
		}
		small, again := opened(t, to)
		near(t, c.key, logits(t, c.g), logits(t, again), 5e-5)
		if n, err := small.Meta.Int("llama." + c.key); err != nil || n != c.n {
			t.Errorf("%s is %d (%v)", c.key, n, err)
		}
		if eps, err := small.Meta.Float("llama.attention.layer_norm_rms_epsilon"); err != nil || math.Abs(eps/c.eps-1) > 1e-6 {
			t.Errorf("%s %d: ε is %v (%v)", c.key, c.n, eps, err)
		}
	}
}

// A folder that has other files and no tokenizer is written with a note.
func TestNoTokenizer(t *testing.T) {
	folder := lmtest.Folder(t, lmtest.Llama2C(t))
	if err := os.WriteFile(filepath.Join(folder, "generation_config.json"), []byte("{}"), 0o644); err != nil {
		t.Fatal(err)
	}
	f, g := opened(t, folder)
	notes, err := files.WriteFolder(filepath.Join(t.TempDir(), "out"), g, f)
	if err != nil || len(notes) != 1 || !strings.Contains(notes[0], "no tokenizer") {
		t.Errorf("%q %v", notes, err)
	}
}
