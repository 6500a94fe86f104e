package files

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"pare/gguf"
	"pare/graph"
	"pare/lm/family"
	"pare/tensor"
	"pare/weights"
)

// Types are those in which the matrices of a GGUF file are written, by name.
var Types = map[string]gguf.Type{"f32": gguf.F32, "f16": gguf.F16, "q8_0": gguf.Q8_0, "q4_0": gguf.Q4_0}

// quantisation is the version of the blocks (GGML_QNT_VERSION).
const quantisation = 2

// fileTypes are llama.cpp's numbers for what most matrices of a file are (enum llama_ftype).
var fileTypes = map[gguf.Type]uint32{gguf.F32: 0, gguf.F16: 1, gguf.Q4_0: 2, gguf.Q8_0: 7}

// ErrUneven is what writing a GGUF file gives whose layers are not all alike. llama.cpp reads
// lists of widths, one for each layer, but makes the tensors of a Llama, Qwen2 or Qwen3 of the
// first layer's widths (llama_model::load_tensors).
var ErrUneven = errors.New("its layers differ in heads or widths, and llama.cpp takes such layers of no Llama, Qwen2 or Qwen3")

// WriteGGUF writes a network that File.Graph made, pruned or not, as a GGUF file, with the
// metadata of the one that it was read from: the tokenizer, the template of chats, and all; or
// with those that are made of a folder's files (see ForGGUF). Matrices are of the type, one of
// Types, and vectors F32, as llama.cpp has them; notes say where a matrix takes another type.
// The error is ErrUneven where layers differ; others are those of ForGGUF, of [family.Weights]
// and of the writer.
func WriteGGUF(path string, g *graph.Graph, from *File, of gguf.Type) (notes []string, err error) {
	if from == nil {
		return nil, ErrNoMeta
	}
	if err := from.ForGGUF(); err != nil {
		return nil, err
	}
	cfg, ws, err := family.Weights(g)
	if err != nil {
		return nil, err
	}
	if cfg.Pare != nil {
		return nil, ErrUneven
	}
	meta, err := from.metadata(cfg, of)
	if err != nil {
		return nil, err
	}
	names := map[string]string{} // Hugging Face's by llama.cpp's
	for hf := range ws {
		name, err := llamaCpp(hf)
		if err != nil {
			return nil, err
		}
		names[name] = hf
	}
	var out []gguf.Source
	narrow, head := 0, 0
	for _, name := range order(from.names, names) {
		t := ws[names[name]]
		as := of
		switch last := t.Shape[t.Rank()-1]; {
		case t.Rank() < 2:
			as = gguf.F32
		case of == gguf.Q4_0 && outside[strings.TrimSuffix(name, ".weight")] != "" && last%32 == 0:
			as, head = gguf.Q8_0, head+1
		case (of == gguf.Q4_0 || of == gguf.Q8_0) && last%32 != 0:
			as, narrow = gguf.F16, narrow+1
		}
		out = append(out, gguf.Source{Name: name, Type: as, Shape: t.Shape, Read: func() (*tensor.Tensor, error) { return rows(names[name], t, cfg) }})
	}
	if narrow > 0 {
		notes = append(notes, fmt.Sprintf("%d matrices are written as F16: their rows are no multiples of 32, which a block of %s has", narrow, of))
	}
	if head > 0 {
		notes = append(notes, "the table of embeddings and the output layer are written as Q8_0, which loses less there")
	}
	return notes, gguf.Write(path, meta, out)
}

// ErrNoMeta is what writing a GGUF file gives where no metadata are known.
var ErrNoMeta = errors.New("a GGUF file needs the metadata of a model and its tokenizer: those of another GGUF file, or of a folder of Hugging Face")

// order are the tensors' names in the order of the original, those that it lacks behind.
func order(old []string, names map[string]string) []string {
	var out, more []string
	at := map[string]bool{}
	for _, name := range old {
		if names[name] != "" {
			out, at[name] = append(out, name), true
		}
	}
	for name := range names {
		if !at[name] {
			more = append(more, name)
		}
	}
	slices.SortFunc(more, natural)
	return append(out, more...)
}

// rows gives a tensor with its rows in the order of llama.cpp.
func rows(name string, t *tensor.Tensor, c *family.Config) (*tensor.Tensor, error) {
	if c.Type != "llama" {
		return t, nil
	}
	switch {
	case strings.Contains(name, ".q_proj."):
		return weights.Pairs(t, c.Heads)
	case strings.Contains(name, ".k_proj."):
		return weights.Pairs(t, c.KVHeads)
	}
	return t, nil
}

// metadata are those of the original with what pruning has changed.
func (f *File) metadata(c *family.Config, of gguf.Type) (gguf.Meta, error) {
	m := slices.Clone(f.Meta)
	if f.Meta == nil {
		m = slices.Clone(f.made)
		if of == gguf.Q4_0 || of == gguf.Q8_0 {
			m.Set("general.quantization_version", uint32(quantisation))
		}
	}
	arch, err := m.Text("general.architecture")
	if err != nil {
		return nil, err
	}
	old := f.Config
	set := func(key string, was, now int) {
		if _, ok := m.Get(arch + "." + key); was != now || !ok {
			m.Set(arch+"."+key, uint32(now))
		}
	}
	set("embedding_length", old.Hidden, c.Hidden)
	set("block_count", old.Layers, c.Layers)
	set("attention.head_count", old.Heads, c.Heads)
	set("attention.head_count_kv", old.KVHeads, c.KVHeads)
	set("feed_forward_length", old.Intermediate, c.Intermediate)
	if c.HeadDim*c.Heads != c.Hidden || old.HeadDim*old.Heads != old.Hidden { // it is not the width's share
		for _, key := range []string{"attention.key_length", "attention.value_length", "rope.dimension_count"} {
			set(key, old.HeadDim, c.HeadDim)
		}
	}
	if c.Eps != old.Eps {
		m.Set(arch+".attention.layer_norm_rms_epsilon", float32(c.Eps))
	}
	m.Set("general.file_type", fileTypes[of])
	return m, nil
}

// llamaCpp is the name that a weight of Hugging Face's has in a GGUF file.
func llamaCpp(hf string) (string, error) {
	dot := strings.LastIndexByte(hf, '.')
	if dot < 0 {
		return "", fmt.Errorf("the weight %q has no place in a GGUF file", hf)
	}
	stem, end := hf[:dot], hf[dot:]
	for theirs, ours := range outside {
		if ours == stem {
			return theirs + end, nil
		}
	}
	rest, ok := strings.CutPrefix(stem, "model.layers.")
	n, part, _ := strings.Cut(rest, ".")
	if ok {
		for theirs, ours := range inside {
			if ours == part {
				return "blk." + n + "." + theirs + end, nil
			}
		}
	}
	return "", fmt.Errorf("the weight %q has no place in a GGUF file", hf)
}
