package files

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"pare/gguf"
	"pare/lm/family"
	"pare/tokenizer"
)

// NamedTokens are the tokens that the files of the model name beside the tokenizer, such as
// the one that ends a text.
func (f *File) NamedTokens() (out []int32, err error) {
	out = f.Config.NamedTokens()
	for _, x := range f.Meta {
		if id, err := f.Meta.Int(x.Key); err == nil && strings.HasPrefix(x.Key, "tokenizer.ggml.") && strings.HasSuffix(x.Key, "_token_id") {
			out = append(out, int32(id))
		}
	}
	if f.Meta == nil {
		b, err := Small(filepath.Join(f.Path, generation))
		var g map[string]json.RawMessage
		if err == nil {
			err = json.Unmarshal(b, &g)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%s: %w", generation, err)
		}
		for name, v := range g {
			if strings.HasSuffix(name, "_token_id") {
				out = append(out, family.TokensIn(v)...)
			}
		}
	}
	out = slices.DeleteFunc(out, func(id int32) bool { return id < 0 || int(id) >= f.Config.Vocab })
	slices.Sort(out)
	return slices.Compact(out), nil
}

const generation = "generation_config.json"

// Keep reduces the vocabulary to some tokens, in order: the i-th becomes token i, in the
// weights that Graph reads and in all that is written beside them. It returns an error where
// a token that the files name is not kept, or they name tokens in a way that is not understood;
// nothing has changed then.
func (f *File) Keep(kept []int32) error {
	cfg, src, err := family.Keep(f.Config, f.src, kept)
	if err != nil {
		return err
	}
	v := &vocabulary{kept: kept, to: make(map[int32]int32, len(kept)), size: f.Config.Vocab}
	for i, id := range kept {
		v.to[id] = int32(i)
	}
	var meta gguf.Meta
	if f.Meta != nil {
		if meta, err = v.meta(f.Meta); err != nil {
			return err
		}
	}
	if f.Meta == nil {
		for _, name := range beside { // what cannot be written is said before the work
			b, err := Small(filepath.Join(f.Path, name))
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err == nil {
				_, err = v.file(name, b)
			}
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	f.Config, f.src, f.Meta, f.vocabulary, f.made = cfg, src, meta, v, nil
	return nil
}

// vocabulary is what is left of one.
type vocabulary struct {
	kept []int32
	to   map[int32]int32 // new numbers by old ones
	size int             // before
}

// otherForms are files that hold a tokenizer which tokenizer.json holds too.
var otherForms = []string{"vocab.json", "merges.txt", "tokenizer.model", "spiece.model"}

// file gives what becomes of a file that lies beside the weights; nil: it is left out.
func (v *vocabulary) file(name string, b []byte) ([]byte, error) {
	switch {
	case v == nil:
		return b, nil
	case name == tokenizerFile:
		return tokenizer.Reduce(b, v.kept)
	case slices.Contains(otherForms, name):
		return nil, nil
	case name == "vocab.txt":
		return v.lines(b)
	case name == generation:
		return v.object(b, func(key string, x json.RawMessage) (string, json.RawMessage, error) {
			switch {
			case strings.HasSuffix(key, "_token_id"):
				x, err := family.Renumber(x, v.to)
				if err != nil {
					err = fmt.Errorf("%s: %w", key, err)
				}
				return key, x, err
			case strings.HasSuffix(key, "suppress_tokens"):
				left := slices.DeleteFunc(family.TokensIn(x), func(id int32) bool { _, ok := v.to[id]; return !ok })
				x, err := family.Renumber(encoded(left), v.to)
				return key, x, err
			case key == "bad_words_ids" || key == "forced_decoder_ids" || key == "sequence_bias" || key == "force_words_ids":
				return "", nil, fmt.Errorf("%s names tokens in a way that is not renumbered: leave it out", key)
			}
			return key, x, nil
		})
	case name == "tokenizer_config.json":
		return v.object(b, func(key string, x json.RawMessage) (string, json.RawMessage, error) {
			if key != "added_tokens_decoder" {
				return key, x, nil
			}
			x, err := v.object(x, func(key string, x json.RawMessage) (string, json.RawMessage, error) {
				id, err := strconv.ParseInt(key, 10, 32)
				if err != nil {
					return "", nil, err
				}
				n, ok := v.to[int32(id)]
				if !ok {
					return "", nil, nil
				}
				return strconv.Itoa(int(n)), x, nil
			})
			return key, x, err
		})
	case name == "added_tokens.json":
		return v.object(b, func(key string, x json.RawMessage) (string, json.RawMessage, error) {
			ids := family.TokensIn(x)
			if len(ids) != 1 {
				return "", nil, fmt.Errorf("%q has no number", key)
			}
			n, ok := v.to[ids[0]]
			if !ok {
				return "", nil, nil
			}
			return key, encoded(n), nil
		})
	}
	return b, nil
}

// object changes the entries of an object; an entry that gets no name goes.
func (*vocabulary) object(b []byte, change func(key string, x json.RawMessage) (string, json.RawMessage, error)) ([]byte, error) {
	var old map[string]json.RawMessage
	if err := json.Unmarshal(b, &old); err != nil {
		return nil, err
	}
	out := map[string]json.RawMessage{}
	for key, x := range old {
		name, x, err := change(key, x)
		if err != nil {
			return nil, err
		}
		if name != "" {
			out[name] = x
		}
	}
	return json.MarshalIndent(out, "", "  ")
}

// lines keeps those of the tokens: line i is token i.
func (v *vocabulary) lines(b []byte) ([]byte, error) {
	all := strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
	var out []string
	for _, id := range v.kept {
		if int(id) >= len(all) {
			return nil, fmt.Errorf("it has %d lines, and token %d is kept", len(all), id)
		}
		out = append(out, all[id])
	}
	return []byte(strings.Join(out, "\n") + "\n"), nil
}

// meta gives the metadata of a GGUF file with the tokens that are left.
func (v *vocabulary) meta(old gguf.Meta) (gguf.Meta, error) {
	m := slices.Clone(old)
	left := map[string]bool{}
	var texts []string
	for i := range m {
		key, ok := strings.CutPrefix(m[i].Key, "tokenizer.ggml.")
		switch {
		case m[i].Key == "tokenizer.huggingface.json":
			return nil, errors.New("the metadata hold a tokenizer.json beside llama.cpp's own tokenizer, which is not written anew: leave it out")
		case strings.HasSuffix(m[i].Key, ".vocab_size"):
			m[i].Value = uint32(len(v.kept))
		case !ok:
		case strings.HasSuffix(key, "_token_id"):
			id, err := old.Int(m[i].Key)
			if err != nil {
				return nil, err
			}
			n, ok := v.to[int32(id)]
			if !ok && id >= 0 && id < v.size {
				return nil, fmt.Errorf("%s: token %d is not kept", m[i].Key, id)
			}
			if ok {
				m[i].Value = uint32(n)
			}
		case key == "tokens":
			var err error
			if texts, err = pick[string](v, m[i].Value); err != nil {
				return nil, fmt.Errorf("%s: %w", m[i].Key, err)
			}
			for _, t := range texts {
				left[t] = true
			}
			m[i].Value = texts
		case key == "scores" || key == "token_type":
			x, err := pickNumbers(v, m[i].Value)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", m[i].Key, err)
			}
			m[i].Value = x
		}
	}
	for i := range m {
		lines, ok := m[i].Value.([]string)
		if m[i].Key != "tokenizer.ggml.merges" || !ok {
			continue
		}
		var out []string
		for _, l := range lines {
			k := strings.IndexByte(l[min(1, len(l)):], ' ') + 1
			if k > 0 && left[l[:k]] && left[l[k+1:]] && left[l[:k]+l[k+1:]] {
				out = append(out, l)
			}
		}
		m[i].Value = out
	}
	return m, nil
}

// pick takes what a list has of the tokens that are kept.
func pick[T any](v *vocabulary, list any) ([]T, error) {
	all, ok := list.([]T)
	if !ok {
		return nil, fmt.Errorf("it is a %T", list)
	}
	out := make([]T, len(v.kept))
	for i, id := range v.kept {
		if int(id) >= len(all) {
			return nil, fmt.Errorf("it has %d entries, and token %d is kept", len(all), id)
		}
		out[i] = all[id]
	}
	return out, nil
}

func pickNumbers(v *vocabulary, list any) (any, error) {
	switch list.(type) {
	case []float32:
		return pick[float32](v, list)
	case []int32:
		return pick[int32](v, list)
	case []uint32:
		return pick[uint32](v, list)
	case []int8:
		return pick[int8](v, list)
	}
	return nil, fmt.Errorf("it is a %T", list)
}

// encoded is a value of numbers as JSON, which it always has.
func encoded(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}
