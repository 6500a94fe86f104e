package lmtest

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pare/gguf"
	"pare/llama2c"
	"pare/safetensors"
	"pare/tensor"
	"pare/weights"
)

// vocab is the tokens of the models of files.
const vocab = 300

// pieces are the bytes and some words: <unk>, <s>, </s>, <0x00> …, then letters.
func pieces() (text []string, score []float32) {
	text = []string{"<unk>", "\n<s>\n", "\n</s>\n"}
	for b := range 256 {
		text = append(text, "<0x"+strings.ToUpper(string("0123456789abcdef"[b>>4])+string("0123456789abcdef"[b&15]))+">")
	}
	for i := len(text); i < vocab; i++ {
		switch k := i - 259; {
		case k == 0:
			text = append(text, " ")
		case k <= 26:
			text = append(text, string(rune('a'+k-1)))
		default:
			text = append(text, " "+string(rune('a'+k-27)))
		}
	}
	for i := range text {
		score = append(score, -float32(vocab-i))
	}
	return text, score
}

// Llama2C writes a random model in llama2.c's format, with its tokenizer, and gives its path.
func Llama2C(t testing.TB) string { return llama2C(t, false) }

// Tied writes one whose output layer is the table of embeddings.
func Tied(t testing.TB) string { return llama2C(t, true) }

func llama2C(t testing.TB, tied bool) string {
	t.Helper()
	dir := t.TempDir()
	r := rand.New(rand.NewPCG(1, 2))
	var b bytes.Buffer
	put := func(x any) {
		if err := binary.Write(&b, binary.LittleEndian, x); err != nil {
			t.Fatal(err)
		}
	}
	const dim, hidden, layers, heads, kv, context = 24, 40, 2, 4, 2, 128
	tokens := int32(-vocab) // with a classifier of its own
	if tied {
		tokens = vocab
	}
	put([]int32{dim, hidden, layers, heads, kv, tokens, context})
	draw := func(n int, scale, shift float64) {
		x := make([]float32, n)
		for i := range x {
			x[i] = float32(shift + scale*r.NormFloat64())
		}
		put(x)
	}
	const size = dim / heads
	draw(vocab*dim, .6, 0)
	draw(layers*dim, .1, 1)
	for _, n := range []int{dim * heads * size, dim * kv * size, dim * kv * size, dim * dim} {
		draw(layers*n, .4, 0)
	}
	draw(layers*dim, .1, 1)
	for range 3 {
		draw(layers*dim*hidden, .4, 0)
	}
	draw(dim, .1, 1)
	draw(context*size, 0, 0) // tables that are computed anew
	if !tied {
		draw(259*dim, 0, 0) // words are far likelier than special tokens and bytes, which may be no text
		draw((vocab-259)*dim, 1, 0)
	}
	path := filepath.Join(dir, "model.bin")
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	b.Reset()
	put(int32(8))
	text, score := pieces()
	for i := range text {
		put(score[i])
		put(int32(len(text[i])))
		b.WriteString(text[i])
	}
	if err := os.WriteFile(filepath.Join(dir, "tokenizer.bin"), b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// GGUF writes a model of llama2.c as a GGUF file.
func GGUF(t testing.TB, path string) string {
	t.Helper()
	f, err := llama2c.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	c := f.Config
	text, score := pieces()
	types := make([]int32, vocab)
	for i := range types {
		switch {
		case i == 0:
			types[i] = 2
		case i < 3:
			types[i] = 3
		case i < 259:
			types[i] = 6
		default:
			types[i] = 1
		}
		text[i] = strings.ReplaceAll(strings.ReplaceAll(text[i], "\n", ""), " ", "▁")
	}
	meta := gguf.Meta{{Key: "general.architecture", Value: "llama"}, {Key: "llama.embedding_length", Value: uint32(c.Dim)}, {Key: "llama.block_count", Value: uint32(c.Layers)},
		{Key: "llama.feed_forward_length", Value: uint32(c.Hidden)}, {Key: "llama.attention.head_count", Value: uint32(c.Heads)}, {Key: "llama.attention.head_count_kv", Value: uint32(c.KVHeads)},
		{Key: "llama.context_length", Value: uint32(c.Context)}, {Key: "llama.attention.layer_norm_rms_epsilon", Value: float32(llama2c.Epsilon)}, {Key: "llama.rope.freq_base", Value: float32(1e4)},
		{Key: "tokenizer.ggml.model", Value: "llama"}, {Key: "tokenizer.ggml.tokens", Value: text}, {Key: "tokenizer.ggml.scores", Value: score}, {Key: "tokenizer.ggml.token_type", Value: types},
		{Key: "tokenizer.ggml.bos_token_id", Value: uint32(1)}, {Key: "tokenizer.ggml.eos_token_id", Value: uint32(2)}, {Key: "tokenizer.ggml.add_bos_token", Value: true},
		{Key: "tokenizer.chat_template", Value: "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}{% if add_generation_prompt %}assistant:{% endif %}"}}
	back := map[string]string{"model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight", "lm_head.weight": "output.weight"}
	for theirs, ours := range map[string]string{"input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
		"self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down"} {
		for i := range c.Layers {
			back[fmt.Sprintf("model.layers.%d.%s.weight", i, theirs)] = fmt.Sprintf("blk.%d.%s.weight", i, ours)
		}
	}
	var out []gguf.Source
	for _, hf := range f.Names() {
		_, shape, _ := f.Info(hf)
		out = append(out, gguf.Source{Name: back[hf], Type: gguf.F32, Shape: shape, Read: func() (*tensor.Tensor, error) {
			x, err := f.Read(hf)
			switch {
			case err == nil && strings.Contains(hf, "q_proj"):
				return weights.Pairs(x, c.Heads)
			case err == nil && strings.Contains(hf, "k_proj"):
				return weights.Pairs(x, c.KVHeads)
			}
			return x, err
		}})
	}
	to := filepath.Join(t.TempDir(), "same.gguf")
	if err := gguf.Write(to, meta, out); err != nil {
		t.Fatal(err)
	}
	return to
}

// Folder writes a model of llama2.c as a folder of Hugging Face, without a tokenizer.
func Folder(t testing.TB, path string) string {
	t.Helper()
	f, err := llama2c.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	c, dir := f.Config, t.TempDir()
	b, err := json.Marshal(map[string]any{"model_type": "llama", "architectures": []string{"LlamaForCausalLM"}, "hidden_act": "silu", "hidden_size": c.Dim, "intermediate_size": c.Hidden, "num_hidden_layers": c.Layers,
		"num_attention_heads": c.Heads, "num_key_value_heads": c.KVHeads, "vocab_size": c.Vocab, "max_position_embeddings": c.Context, "tie_word_embeddings": c.Tied, "rope_theta": 1e4, "rms_norm_eps": 1e-5, "eos_token_id": 2})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "config.json"), b, 0o644); err != nil {
		t.Fatal(err)
	}
	file := &safetensors.File{Tensors: map[string]*tensor.Tensor{}}
	for _, name := range f.Names() {
		x, err := f.Read(name)
		if err != nil {
			t.Fatal(err)
		}
		file.Names = append(file.Names, name)
		file.Tensors[name] = x.Clone()
	}
	if err := safetensors.Write(filepath.Join(dir, "model.safetensors"), file); err != nil {
		t.Fatal(err)
	}
	return dir
}
