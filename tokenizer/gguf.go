package tokenizer

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Kinds of tokens in GGUF files.
const (
	ggufUnknown = 2
	ggufControl = 3
	ggufDefined = 4 // by the user: found in texts, and part of them
)

// ggufVocab is the metadata of a GGUF file, by keys without "tokenizer.ggml.".
type ggufVocab struct {
	meta   map[string]any
	tokens []string
	types  []int32
	scores []float32
}

// FromGGUF makes a tokenizer of the metadata of a GGUF file
// (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md), by its keys
// (tokenizer.ggml.model, .pre, .tokens, .scores, .token_type, .merges, .bos_token_id and
// so on): strings, flags, numbers of any kind, and slices of these. It understands the
// models gpt2, llama and bert, as llama.cpp reads them, with three departures: as in the
// tokenizers library, of tokens in texts that overlap the one that begins first is taken,
// not the longest, and words of more than 100 characters are unknown to bert; and gpt2
// has no BOS and EOS that the file does not name, where llama.cpp takes token 11.
func FromGGUF(meta map[string]any) (*Tokenizer, error) {
	v := &ggufVocab{meta: map[string]any{}}
	for k, x := range meta {
		if key, ok := strings.CutPrefix(k, "tokenizer.ggml."); ok {
			v.meta[key] = x
		}
	}
	if err := v.read(); err != nil {
		return nil, err
	}
	kind, _ := v.meta["model"].(string)
	switch kind {
	case "gpt2":
		return v.gpt2()
	case "llama":
		return v.llama()
	case "bert":
		return v.bert()
	case "":
		return nil, errors.New("the metadata has no tokenizer.ggml.model")
	}
	return nil, fmt.Errorf("the tokenizer model %q of the GGUF file is not supported: gpt2, llama and bert are", kind)
}

// read reads the lists that belong to the tokens.
func (v *ggufVocab) read() error {
	var err error
	if v.tokens, err = texts(v.meta["tokens"]); err != nil || len(v.tokens) == 0 {
		return errors.Join(errors.New("the metadata has no list tokenizer.ggml.tokens"), err)
	}
	if len(v.tokens) >= maxTokens {
		return fmt.Errorf("tokenizer.ggml.tokens has %d entries", len(v.tokens))
	}
	if v.types, err = numbers[int32](v.meta["token_type"]); err != nil {
		return fmt.Errorf("tokenizer.ggml.token_type: %w", err)
	}
	if v.scores, err = numbers[float32](v.meta["scores"]); err != nil {
		return fmt.Errorf("tokenizer.ggml.scores: %w", err)
	}
	for name, n := range map[string]int{"token_type": len(v.types), "scores": len(v.scores)} {
		if n != 0 && n != len(v.tokens) {
			return fmt.Errorf("tokenizer.ggml.%s has %d entries for %d tokens", name, n, len(v.tokens))
		}
	}
	v.tokens = slices.Clone(v.tokens)
	for i, s := range v.tokens {
		if s == "" {
			v.tokens[i] = fmt.Sprintf("[EMPTY_%d]", i)
		}
	}
	return nil
}

func (v *ggufVocab) kind(id int) int32 {
	if v.types == nil {
		return 1
	}
	return v.types[id]
}

// id is the number of a special token; -1: there is none.
func (v *ggufVocab) id(key string, def int32) int32 {
	id := def
	if x, err := numbers[int64]([]any{v.meta[key]}); err == nil && len(x) == 1 && x[0] >= 0 && x[0] < int64(len(v.tokens)) {
		id = int32(x[0])
	}
	if int(id) >= len(v.tokens) {
		return -1
	}
	return id
}

func (v *ggufVocab) flag(key string, def bool) bool {
	if b, ok := v.meta[key].(bool); ok {
		return b
	}
	return def
}

// index is the tokens by their texts.
func (v *ggufVocab) index(tokens []string) (*vocab, error) {
	of := make(map[string]int32, len(tokens))
	for i, s := range tokens {
		if k, ok := of[s]; ok {
			return nil, fmt.Errorf("the token %q stands in the vocabulary twice, as %d and %d", s, k, i)
		}
		of[s] = int32(i)
	}
	return newVocab(of)
}

// finish adds the tokens that are found in texts and those that stand around texts.
func (v *ggufVocab) finish(t *Tokenizer, begin, end bool, bos, eos, last int32) (*Tokenizer, error) {
	var added []addedToken
	for i, s := range v.tokens {
		k := v.kind(i)
		if k == 1 && slices.Contains(endNames, s) {
			k = ggufControl
		}
		if k == ggufUnknown || k == ggufControl || k == ggufDefined {
			added = append(added, addedToken{ID: int32(i), Content: s, Special: k != ggufDefined})
		}
	}
	if err := t.add(added); err != nil {
		return nil, err
	}
	t.BOS, t.EOS = v.id("bos_token_id", bos), v.id("eos_token_id", eos)
	t.Pad = max(0, v.id("padding_token_id", t.EOS))
	t.single, t.pair = nil, nil
	if v.flag("add_bos_token", begin) {
		if t.BOS < 0 {
			return nil, errors.New("texts are to begin with a token, but the metadata has no tokenizer.ggml.bos_token_id")
		}
		t.single = append(t.single, part{of: -1, ids: []int32{t.BOS}})
	}
	t.single = append(t.single, part{of: 0})
	if v.flag("add_eos_token", end) {
		if last < 0 {
			last = t.EOS
		}
		if last < 0 {
			return nil, errors.New("texts are to end with a token, but the metadata has no tokenizer.ggml.eos_token_id")
		}
		t.single = append(t.single, part{of: -1, ids: []int32{last}})
	}
	for _, key := range []string{"eos_token_id", "eot_token_id", "eom_token_id"} {
		if id := v.id(key, -1); id >= 0 {
			t.Ends = append(t.Ends, id)
		}
	}
	t.ends()
	t.BOS, t.EOS = v.id("bos_token_id", bos), v.id("eos_token_id", eos)
	return t, nil
}

// gpt2 is BPE of bytes.
func (v *ggufVocab) gpt2() (*Tokenizer, error) {
	pre, _ := v.meta["pre"].(string)
	at := slices.IndexFunc(preTokenizers, func(p preTokenizer) bool { return slices.Contains(p.names, pre) })
	if at < 0 {
		return nil, fmt.Errorf("the pre-tokenizer %q of the GGUF file (tokenizer.ggml.pre) is not supported", pre)
	}
	p := preTokenizers[at]
	words, err := v.index(v.tokens)
	if err != nil {
		return nil, err
	}
	lines, err := texts(v.meta["merges"])
	if err != nil || len(lines) == 0 {
		return nil, errors.Join(errors.New("the metadata has no list tokenizer.ggml.merges"), err)
	}
	m := &bpe{vocab: words, unk: -1, ignore: p.ignore, merges: make(map[uint64]merge, len(lines))}
	for i, l := range lines {
		k := strings.IndexByte(l[min(1, len(l)):], ' ') + 1
		if k == 0 {
			return nil, fmt.Errorf("merge %d, %q, is not of two tokens", i, l)
		}
		if err := m.merge(i, l[:k], l[k+1:]); err != nil {
			return nil, err
		}
	}
	m.prepare()
	t := newTokenizer(m)
	for _, text := range p.split {
		re, err := pattern{Regex: &text}.compile()
		if err != nil {
			return nil, err
		}
		t.split = append(t.split, split(re, false, isolated))
	}
	t.bytes = true
	t.decode.steps = []decoder{bytesOf}
	last := int32(-1)
	if p.sep || v.flag("add_sep_token", false) {
		last = v.id("seperator_token_id", -1)
	}
	return v.finish(t, p.begin, p.sep, -1, -1, last)
}

// llama is SentencePiece's BPE: the pair whose token has the highest score is merged
// first.
func (v *ggufVocab) llama() (*Tokenizer, error) {
	if v.scores == nil {
		return nil, errors.New("the metadata has no list tokenizer.ggml.scores")
	}
	words, err := v.index(v.tokens)
	if err != nil {
		return nil, err
	}
	m := &bpe{vocab: words, unk: v.id("unknown_token_id", 0), fallback: true}
	if err := m.byScore(v.tokens, v.scores, true); err != nil {
		return nil, err
	}
	t := newTokenizer(m)
	prefix := v.flag("add_space_prefix", true)
	t.normalize = []normalizer{func(s string) (string, error) {
		if prefix && s != "" {
			s = " " + s
		}
		return strings.ReplaceAll(s, " ", "▁"), nil
	}}
	t.decode = decoders{steps: []decoder{replaced(&finder{text: "▁"}, " "), hexBytes, fuse}, single: true}
	if prefix {
		t.decode.steps = append(t.decode.steps, strip(" ", 1, 0))
	}
	return v.finish(t, true, false, 1, 2, -1)
}

// bert is WordPiece. GGUF files mark the tokens that begin words, tokenizer.json those
// that do not.
func (v *ggufVocab) bert() (*Tokenizer, error) {
	tokens := slices.Clone(v.tokens)
	for i, s := range tokens {
		if strings.HasPrefix(s, "[") && strings.HasSuffix(s, "]") {
			continue
		}
		if rest, ok := strings.CutPrefix(s, "▁"); ok {
			tokens[i] = rest
		} else {
			tokens[i] = "##" + s
		}
	}
	words, err := v.index(tokens)
	if err != nil {
		return nil, err
	}
	t := newTokenizer(&wordPiece{words, v.id("unknown_token_id", 100), "##", 100})
	lower := v.flag("normalizer.lowercase", true)
	accents := v.flag("normalizer.strip_accents", lower)
	t.normalize = []normalizer{func(s string) (string, error) { return bertNormal(s, true, true, accents, lower), nil }}
	if t.split, err = readSplitter([]byte(`{"type": "BertPreTokenizer"}`)); err != nil {
		return nil, err
	}
	t.decode.steps = []decoder{wordPieces("##", true)}
	sep := v.id("seperator_token_id", 102)
	if t, err = v.finish(t, true, true, v.id("cls_token_id", 101), -1, sep); err != nil {
		return nil, err
	}
	t.Pad = max(0, v.id("padding_token_id", 0))
	t.Pairs = len(t.single) == 3 && sep >= 0
	if t.Pairs {
		t.pair = append(slices.Clone(t.single), part{of: 1, kind: 1}, part{of: -1, ids: []int32{sep}, kind: 1})
	}
	return t, nil
}

// texts are the entries of a list of strings.
func texts(x any) ([]string, error) {
	switch l := x.(type) {
	case nil:
		return nil, nil
	case []string:
		return l, nil
	case []any:
		out := make([]string, len(l))
		for i, e := range l {
			s, ok := e.(string)
			if !ok {
				return nil, fmt.Errorf("entry %d is a %T, not a string", i, e)
			}
			out[i] = s
		}
		return out, nil
	}
	return nil, fmt.Errorf("it is a %T, not a list of strings", x)
}

// numbers are the entries of a list of numbers of any kind.
func numbers[T int32 | int64 | float32](x any) ([]T, error) {
	if x == nil {
		return nil, nil
	}
	if l, ok := x.([]T); ok {
		return l, nil
	}
	l := reflect.ValueOf(x)
	if l.Kind() != reflect.Slice {
		return nil, fmt.Errorf("it is a %T, not a list of numbers", x)
	}
	out := make([]T, l.Len())
	for i := range out {
		e := l.Index(i)
		if e.Kind() == reflect.Interface {
			e = e.Elem()
		}
		switch {
		case e.IsValid() && e.CanInt():
			out[i] = T(e.Int())
		case e.IsValid() && e.CanUint():
			out[i] = T(e.Uint())
		case e.IsValid() && e.CanFloat():
			out[i] = T(e.Float())
		default:
			return nil, fmt.Errorf("entry %d is not a number", i)
		}
	}
	return out, nil
}
