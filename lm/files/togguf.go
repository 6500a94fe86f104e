package files

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"pare/gguf"
	"pare/lm/family"
	"pare/tokenizer"
)

// ForGGUF makes what a GGUF file says beside its tensors: it returns an error where WriteGGUF
// would, whatever is done to the weights. Of a GGUF file these are its own metadata; of a folder
// they are made of config.json, tokenizer.json and what lies beside them, once.
func (f *File) ForGGUF() error {
	if f.Meta != nil || f.made != nil {
		return nil
	}
	arch := ""
	for name, kind := range architectures {
		if kind == f.Config.Type {
			arch = name
		}
	}
	if arch == "" {
		return fmt.Errorf("a GGUF file is written of models of type llama, qwen2 and qwen3, not of type %s: %s", f.Config.Type, converter)
	}
	m, err := f.hyperparameters(arch)
	if err == nil {
		err = f.tokens(&m)
	}
	if err != nil {
		return fmt.Errorf("%w: %s", err, converter)
	}
	f.made = m
	return nil
}

// converter is the way on where no GGUF file is written.
const converter = "write a folder, and make a GGUF file of it by llama.cpp's convert_hf_to_gguf.py"

// hyperparameters are the keys of the model's shape, as convert_hf_to_gguf.py writes them.
func (f *File) hyperparameters(arch string) (gguf.Meta, error) {
	c := f.Config
	m := gguf.Meta{{Key: "general.architecture", Value: arch}, {Key: "general.type", Value: "model"}, {Key: "general.name", Value: filepath.Base(filepath.Clean(f.Path))}}
	set := func(key string, v any) { m.Set(arch+"."+key, v) }
	for _, w := range c.Window {
		if w != 0 && w < c.Positions {
			return nil, errors.New("its tokens see a window of those before them, which llama.cpp does not do for this architecture")
		}
	}
	set("block_count", uint32(c.Layers))
	set("context_length", uint32(c.Positions))
	set("embedding_length", uint32(c.Hidden))
	set("feed_forward_length", uint32(c.Intermediate))
	set("attention.head_count", uint32(c.Heads))
	set("attention.head_count_kv", uint32(c.KVHeads))
	theta, factor, err := turning(c)
	if err != nil {
		return nil, err
	}
	set("rope.freq_base", float32(theta))
	if factor != 1 {
		set("rope.scaling.type", "linear")
		set("rope.scaling.factor", float32(factor))
	}
	set("attention.layer_norm_rms_epsilon", float32(c.Eps))
	set("vocab_size", uint32(c.Vocab))
	if arch == "llama" {
		set("rope.dimension_count", uint32(c.HeadDim))
	}
	if arch == "qwen3" || c.HeadDim*c.Heads != c.Hidden {
		set("attention.key_length", uint32(c.HeadDim))
		set("attention.value_length", uint32(c.HeadDim))
	}
	return m, nil
}

// turning gives the base of the angles of all layers, and what positions are divided by.
func turning(c *family.Config) (theta, factor float64, err error) {
	for i, r := range c.Rotary {
		if r != c.Rotary[0] && !slices.Equal(r.Freq, c.Rotary[0].Freq) {
			return 0, 0, fmt.Errorf("the angles of layer %d are not those of the first", i)
		}
	}
	if len(c.Rotary) == 0 || c.Rotary[0] == nil {
		return 0, 0, errors.New("it has no angles of positions")
	}
	r := c.Rotary[0]
	if r.Type != "default" && r.Type != "linear" || r.Dim != c.HeadDim {
		return 0, 0, fmt.Errorf("positions of type %s, and such that turn a part of each head, are not written into a GGUF file", r.Type)
	}
	return r.Base, r.Linear, nil
}

// tokens adds the tokenizer, with what is left of its vocabulary, and the template of chats.
func (f *File) tokens(m *gguf.Meta) error {
	file, err := Small(filepath.Join(f.Path, tokenizerFile))
	if errors.Is(err, fs.ErrNotExist) {
		return errors.New("the folder has no tokenizer.json, which a GGUF file holds")
	}
	if err != nil {
		return err
	}
	if file, err = f.vocabulary.file(tokenizerFile, file); err != nil {
		return err
	}
	config, err := Small(filepath.Join(f.Path, "tokenizer_config.json"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	names, err := tokenizer.NamesOf(config)
	if err != nil {
		return fmt.Errorf("tokenizer_config.json: %w", err)
	}
	es, err := tokenizer.ToGGUF(file, f.Config.Vocab, names)
	if err != nil {
		return fmt.Errorf("the tokenizer: %w", err)
	}
	for _, e := range es {
		*m = append(*m, gguf.Field{Key: e.Key, Value: e.Value})
	}
	f.ids(m)
	template, err := f.template(config)
	if err == nil && template != "" {
		m.Set("tokenizer.chat_template", template)
	}
	return err
}

// ids adds the numbers of special tokens that config.json has and the tokenizer's files have not.
func (f *File) ids(m *gguf.Meta) {
	b, err := f.Config.JSON()
	var all map[string]json.RawMessage
	if err != nil || json.Unmarshal(b, &all) != nil {
		return
	}
	for key, to := range map[string]string{"bos_token_id": "bos_token_id", "eos_token_id": "eos_token_id", "pad_token_id": "padding_token_id"} {
		var one int
		var some []int
		if json.Unmarshal(all[key], &one) != nil {
			if json.Unmarshal(all[key], &some) != nil || len(some) == 0 {
				continue
			}
			one = some[0]
		}
		if _, ok := m.Get("tokenizer.ggml." + to); !ok && one >= 0 && one < f.Config.Vocab && string(all[key]) != "null" {
			m.Set("tokenizer.ggml."+to, uint32(one))
		}
	}
}

// template is the one by which chats are written; "": there is none.
func (f *File) template(config []byte) (string, error) {
	b, err := Small(filepath.Join(f.Path, "chat_template.jinja"))
	if err == nil {
		return string(b), nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	var c struct {
		Template json.RawMessage `json:"chat_template"`
	}
	if config == nil || json.Unmarshal(config, &c) != nil {
		return "", nil
	}
	var one string
	if json.Unmarshal(c.Template, &one) == nil {
		return one, nil
	}
	var some []struct{ Name, Template string }
	if json.Unmarshal(c.Template, &some) == nil {
		for _, t := range some {
			if t.Name == "default" {
				return t.Template, nil
			}
		}
	}
	return "", nil
}
