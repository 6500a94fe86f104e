package files

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"pare/gguf"
	"pare/lm/family"
	"pare/tensor"
	"pare/weights"
)

// architectures are those of GGUF files that are read, by Hugging Face's model_type. The rows
// of queries and keys of a Llama lie in pairs, those of the others in halves.
var architectures = map[string]string{"llama": "llama", "qwen2": "qwen2", "qwen3": "qwen3"}

// classes are transformers' names of what the files hold.
var classes = map[string]string{"llama": "LlamaForCausalLM", "qwen2": "Qwen2ForCausalLM", "qwen3": "Qwen3ForCausalLM"}

// ggufModel makes a config of the metadata of a GGUF file, and reads its tensors by the names of
// Hugging Face, as long as the file is open. It returns an error that names what it does not
// understand: the architecture, a tensor, how positions are scaled, or a key of the metadata
// that may change what the model computes.
func ggufModel(f *gguf.File) (*family.Config, family.Source, error) {
	arch, err := f.Meta.Text("general.architecture")
	if err != nil {
		return nil, nil, err
	}
	kind, ok := architectures[arch]
	if !ok {
		return nil, nil, fmt.Errorf("a GGUF file of architecture %.40q is not read: llama, qwen2 and qwen3 are; its folder of Hugging Face may be", arch)
	}
	m := &meta{Meta: f.Meta, arch: arch}
	heads, hidden, positions := must(m, "attention.head_count", m.Int), must(m, "embedding_length", m.Int), must(m, "context_length", m.Int)
	c := map[string]any{"model_type": kind, "architectures": []string{classes[kind]}, "hidden_act": "silu", "rope_theta": 1e4,
		"hidden_size": hidden, "num_attention_heads": heads, "max_position_embeddings": positions,
		"num_hidden_layers": must(m, "block_count", m.Int), "intermediate_size": must(m, "feed_forward_length", m.Int),
		"rms_norm_eps": must(m, "attention.layer_norm_rms_epsilon", m.Float)}
	kv, ok := value(m, "attention.head_count_kv", m.Int)
	if !ok {
		kv = heads
	}
	c["num_key_value_heads"] = kv
	head, ok := value(m, "attention.key_length", m.Int)
	if ok {
		c["head_dim"] = head
	} else {
		head = hidden / max(heads, 1)
	}
	if x, ok := value(m, "rope.freq_base", m.Float); ok {
		c["rope_theta"] = x
	}
	if x := m.linear(); x != 1 {
		c["rope_scaling"] = map[string]any{"rope_type": "linear", "factor": x}
	}
	if err := m.rest(head, positions); err != nil {
		return nil, nil, err
	}
	src := &ggufNames{f: f, to: map[string]string{}, pairs: arch == "llama", heads: heads, kv: kv, head: head}
	tied := true
	for _, name := range f.Names() {
		if name == "rope_freqs.weight" {
			return nil, nil, errors.New("the file scales positions by a tensor, rope_freqs.weight, which is not read: " + elsewhere)
		}
		hf, err := huggingFace(name)
		if err != nil {
			return nil, nil, err
		}
		src.to[hf] = name
		tied = tied && name != "output.weight"
	}
	c["tie_word_embeddings"] = tied
	_, shape, ok := f.Info("token_embd.weight")
	if !ok || len(shape) != 2 {
		return nil, nil, errors.New("the file has no token_embd.weight of two axes")
	}
	c["vocab_size"] = shape[0]
	b, err := json.Marshal(c)
	if err != nil {
		return nil, nil, err
	}
	cfg, err := family.Read(b)
	return cfg, src, err
}

// ggufNames reads the tensors of a GGUF file by Hugging Face's names.
type ggufNames struct {
	f         *gguf.File
	to        map[string]string // the file's name
	pairs     bool              // rows of queries and keys lie in pairs
	heads, kv int
	head      int // elements of a head
}

// Names lists the names.
func (s *ggufNames) Names() (out []string) {
	for _, name := range s.f.Names() { // in the file's order
		hf, err := huggingFace(name)
		if err == nil {
			out = append(out, hf)
		}
	}
	return out
}

// Info says what Read gives.
func (s *ggufNames) Info(name string) (tensor.DType, []int, bool) { return s.f.Info(s.to[name]) }

// Read gives a tensor as float32.
func (s *ggufNames) Read(name string) (*tensor.Tensor, error) {
	t, err := s.f.Read(s.to[name])
	if err != nil || !s.pairs {
		return t, err
	}
	heads := s.heads
	switch {
	case strings.Contains(name, ".q_proj."):
	case strings.Contains(name, ".k_proj."):
		heads = s.kv
	default:
		return t, nil
	}
	if t.Rank() == 0 || t.Shape[0] != heads*s.head {
		return nil, fmt.Errorf("it has shape %v, where the metadata say %d heads of %d rows", t.Shape, heads, s.head)
	}
	return weights.Halves(t, heads)
}

// outside and inside are the parts of names that llama.cpp calls otherwise, of the whole
// model and of a block.
var (
	outside = map[string]string{"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}
	inside  = map[string]string{"attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm", "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj",
		"attn_output": "self_attn.o_proj", "attn_q_norm": "self_attn.q_norm", "attn_k_norm": "self_attn.k_norm", "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj"}
)

// huggingFace is the name that a tensor of a GGUF file has there.
func huggingFace(name string) (string, error) {
	bad := fmt.Errorf("the file has a tensor %.80q that is not known of a Llama, Qwen2 or Qwen3", name)
	dot := strings.LastIndexByte(name, '.')
	if dot < 0 {
		return "", bad
	}
	stem, end := name[:dot], name[dot:]
	if x, ok := outside[stem]; ok {
		return x + end, nil
	}
	rest, ok := strings.CutPrefix(stem, "blk.")
	n, part, ok2 := strings.Cut(rest, ".")
	x, ok3 := inside[part]
	if !ok || !ok2 || !ok3 {
		return "", bad
	}
	return "model.layers." + n + "." + x + end, nil
}
