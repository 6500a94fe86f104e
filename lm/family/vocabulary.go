package family

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"pare/tensor"
)

// NamedTokens are the numbers of tokens that the config.json names, such as eos_token_id.
func (c *Config) NamedTokens() (out []int32) {
	for name, v := range c.raw {
		if strings.HasSuffix(name, "_token_id") {
			out = append(out, TokensIn(v)...)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// TokensIn reads a token's number of JSON, or a list of numbers; none of anything else.
func TokensIn(v json.RawMessage) (out []int32) {
	var id *int32
	if json.Unmarshal(v, &id) == nil && id != nil {
		return []int32{*id}
	}
	if json.Unmarshal(v, &out) != nil {
		return nil
	}
	return out
}

// Renumber writes a token's number, or a list of numbers, anew; what is neither stays. It
// returns an error where a token is not among those of to.
func Renumber(v json.RawMessage, to map[int32]int32) (json.RawMessage, error) {
	ids := TokensIn(v)
	if ids == nil {
		return v, nil
	}
	for i, id := range ids {
		n, ok := to[id]
		if !ok {
			return nil, fmt.Errorf("token %d is not kept", id)
		}
		ids[i] = n
	}
	if strings.HasPrefix(strings.TrimSpace(string(v)), "[") {
		return json.Marshal(ids)
	}
	return json.Marshal(ids[0])
}

// Keep gives config and weights of the model whose vocabulary is only the tokens kept, which
// are in order: the i-th of them becomes token i. Weights are read when they are asked for.
// It returns an error where a token that the config names is not kept, or one does not exist.
func Keep(c *Config, src Source, kept []int32) (*Config, Source, error) {
	to := make(map[int32]int32, len(kept))
	for i, id := range kept {
		if id < 0 || int(id) >= c.Vocab || i > 0 && id <= kept[i-1] {
			return nil, nil, fmt.Errorf("token %d is kept: those of the vocabulary are 0 to %d, each once and in order", id, c.Vocab-1)
		}
		to[id] = int32(i)
	}
	raw := maps.Clone(c.raw)
	for name, v := range raw {
		if !strings.HasSuffix(name, "_token_id") {
			continue
		}
		b, err := Renumber(v, to)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", name, err)
		}
		raw[name] = b
	}
	raw["vocab_size"] = json.RawMessage(fmt.Sprint(len(kept)))
	b, err := json.Marshal(raw)
	if err != nil {
		return nil, nil, err
	}
	less, err := Read(b)
	if err != nil {
		return nil, nil, err
	}
	f := families[c.Type]
	rows := map[string]bool{"cls.predictions.bias": true}
	for _, name := range []string{f.prefix + f.embed, f.embed, f.head} {
		rows[name+".weight"], rows[name+".bias"] = true, true
	}
	return less, &tokenRows{src, rows, c.Vocab, kept}, nil
}

// tokenRows gives of weights with a row for each token the rows of some.
type tokenRows struct {
	Source
	of    map[string]bool // the names of these weights
	vocab int
	kept  []int32
}

// Read gives a weight.
func (s *tokenRows) Read(name string) (*tensor.Tensor, error) {
	t, err := s.Source.Read(name)
	if err != nil || !s.of[name] || t.Rank() == 0 || t.Shape[0] != s.vocab {
		return t, err
	}
	shape := slices.Clone(t.Shape)
	shape[0] = len(s.kept)
	out := tensor.New(t.DType, shape...)
	n := t.Len() / s.vocab
	for i, id := range s.kept {
		out.CopyRange(i*n, t, int(id)*n, n)
	}
	return out, nil
}
