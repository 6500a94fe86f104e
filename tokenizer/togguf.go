package tokenizer

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Entry is a key of the metadata of a GGUF file with its value: a string, a flag, a number, or a
// slice of strings, float32 or int32.
type Entry struct {
	Key   string
	Value any
}

// Kinds of tokens in GGUF files, beside those that reading knows.
const (
	ggufNormal = 1
	ggufUnused = 5
	ggufByte   = 6
)

// Names are the texts of the tokens that a model's other files call so; "": none.
type Names struct{ BOS, EOS, Unk, Pad string }

// ToGGUF gives the metadata of a GGUF file, "tokenizer.ggml." and what follows, of a
// tokenizer.json, for a model of a vocabulary of size tokens; those that it lacks are unused.
// It takes BPE of bytes, as GPT-2, Llama 3, Qwen2 and SmolLM have it, and BPE that falls back on
// bytes, as SentencePiece has it in Llama 1 and 2. What llama.cpp would divide otherwise it refuses:
// a tokenizer that FromGGUF makes of the metadata must give the numbers that the file gives, for
// texts of many kinds and for texts of the vocabulary's own tokens.
func ToGGUF(file []byte, size int, names Names) ([]Entry, error) {
	t, err := Read(file)
	if err != nil {
		return nil, err
	}
	m, ok := t.model.(*bpe)
	switch {
	case !ok:
		return nil, errors.New("its model is no BPE, and GGUF files are written with such alone")
	case m.prefix != "" || m.suffix != "":
		return nil, errors.New("its tokens have a prefix or a suffix within words, which llama.cpp does not know")
	case t.Size > size:
		return nil, fmt.Errorf("it has tokens up to %d, and the model a vocabulary of %d", t.Size-1, size)
	}
	w := &ggufWriter{Tokenizer: t, m: m, size: size, names: names}
	if err := w.vocabulary(); err != nil {
		return nil, err
	}
	var tries [][]Entry
	if t.bytes {
		tries = w.bytePairs()
	} else if tries, err = w.pieces(); err != nil {
		return nil, err
	}
	why := errors.New("there is no way of dividing texts that takes whole pieces as it does")
	for _, es := range tries {
		if es, err = w.around(es); err != nil {
			return nil, err
		}
		if err = w.same(es); err == nil {
			return es, nil
		}
		why = err
	}
	return nil, fmt.Errorf("llama.cpp knows no tokenizer that gives the same tokens: %w", why)
}

// ggufWriter makes the metadata.
type ggufWriter struct {
	*Tokenizer
	m      *bpe
	size   int
	names  Names
	tokens []string
	types  []int32
}

// vocabulary lists the tokens and their kinds.
func (w *ggufWriter) vocabulary() error {
	w.tokens, w.types = make([]string, w.size), make([]int32, w.size)
	seen := map[string]bool{}
	for id := range w.tokens {
		s, ok := w.m.token(int32(id))
		kind := int32(ggufNormal)
		if i, added := w.addedID[int32(id)]; added {
			a := w.added[i]
			if s, kind, ok = a.Content, ggufDefined, true; a.Special {
				kind = ggufControl
			}
		} else if !w.bytes && len(s) == 6 && strings.HasPrefix(s, "<0x") {
			kind = ggufByte
		}
		if !ok {
			s, kind = fmt.Sprintf("[PAD%d]", id), ggufUnused
		}
		if int32(id) == w.m.unk && !w.bytes {
			kind = ggufUnknown
		}
		if seen[s] {
			return fmt.Errorf("its vocabulary has the token %q twice", s)
		}
		seen[s] = true
		w.tokens[id], w.types[id] = s, kind
	}
	return nil
}

// merged are the pairs of the merges, in their order.
func (w *ggufWriter) merged() (pairs [][2]string, of []int32) {
	type pair struct {
		merge
		key uint64
	}
	var all []pair
	for k, m := range w.m.merges {
		all = append(all, pair{m, k})
	}
	slices.SortFunc(all, func(a, b pair) int { return cmp.Compare(a.rank, b.rank) })
	for _, p := range all {
		a, _ := w.m.token(int32(p.key >> 32))
		b, _ := w.m.token(int32(uint32(p.key)))
		pairs, of = append(pairs, [2]string{a, b}), append(of, p.id)
	}
	return pairs, of
}

// usualPre are the names that the best known ways of dividing texts have in llama.cpp.
var usualPre = []string{"gpt-2", "smollm", "qwen2", "llama-bpe", "default"}

// bytePairs are the metadata of BPE of bytes, for every way of dividing texts that may be this one.
func (w *ggufWriter) bytePairs() (out [][]Entry) {
	pairs, _ := w.merged()
	lines := make([]string, len(pairs))
	for i, p := range pairs {
		lines[i] = p[0] + " " + p[1]
	}
	name := func(p preTokenizer) string {
		for _, n := range usualPre {
			if slices.Contains(p.names, n) {
				return n
			}
		}
		return p.names[0]
	}
	rank := func(p preTokenizer) int {
		if i := slices.Index(usualPre, name(p)); i >= 0 {
			return i
		}
		return len(usualPre)
	}
	pres := slices.Clone(preTokenizers)
	slices.SortStableFunc(pres, func(a, b preTokenizer) int { return rank(a) - rank(b) })
	for _, p := range pres {
		if p.ignore != w.m.ignore || p.sep {
			continue
		}
		out = append(out, []Entry{{"tokenizer.ggml.model", "gpt2"}, {"tokenizer.ggml.pre", name(p)}, {"tokenizer.ggml.tokens", w.tokens}, {"tokenizer.ggml.token_type", w.types}, {"tokenizer.ggml.merges", lines}})
	}
	return out
}

// pieces are the metadata of SentencePiece's BPE, whose merges are said by scores: what is merged
// first has the highest.
func (w *ggufWriter) pieces() ([][]Entry, error) {
	if !w.m.fallback {
		return nil, errors.New("it is BPE neither of bytes nor with bytes to fall back on")
	}
	scores := make([]float32, w.size)
	first := map[int32]bool{}
	last, rank := int32(-1), 0
	_, of := w.merged()
	for _, id := range of {
		if id == last {
			continue
		}
		if first[id] {
			s, _ := w.m.token(id)
			return nil, fmt.Errorf("it makes %q of some pairs before, and of others after, it makes other tokens: scores cannot say that", s)
		}
		first[id], last = true, id
		rank++
		scores[id] = -float32(rank)
	}
	for id, s := range w.tokens {
		if !first[int32(id)] && (w.types[id] != ggufNormal || utf8.RuneCountInString(s) > 1) {
			scores[id] = -float32(rank) - 1e3 // it comes of no merge
		}
	}
	var out [][]Entry
	for _, prefix := range []bool{true, false} {
		out = append(out, []Entry{{"tokenizer.ggml.model", "llama"}, {"tokenizer.ggml.pre", "default"}, {"tokenizer.ggml.tokens", w.tokens}, {"tokenizer.ggml.scores", scores}, {"tokenizer.ggml.token_type", w.types},
			{"tokenizer.ggml.add_space_prefix", prefix}})
	}
	return out, nil
}

// around adds the special tokens, and what stands around texts.
func (w *ggufWriter) around(es []Entry) ([]Entry, error) {
	es = slices.Clone(es)
	begin, end := false, false
	at := slices.IndexFunc(w.single, func(p part) bool { return p.of == 0 })
	lead, tail := w.single[:max(at, 0)], w.single[at+1:]
	bos, eos := w.names.BOS, w.names.EOS
	for _, side := range []struct {
		parts []part
		name  *string
		on    *bool
	}{{lead, &bos, &begin}, {tail, &eos, &end}} {
		switch {
		case len(side.parts) == 0:
			continue
		case len(side.parts) > 1 || len(side.parts[0].ids) != 1:
			return nil, errors.New("it puts more than one token before or behind a text")
		}
		*side.on = true
		*side.name, _ = w.Token(side.parts[0].ids[0])
	}
	for _, s := range []struct{ key, token string }{{"bos", bos}, {"eos", eos}, {"unknown", w.names.Unk}, {"padding", w.names.Pad}} {
		if s.token == "" {
			continue
		}
		id, ok := w.ID(s.token)
		if !ok {
			return nil, fmt.Errorf("it has no token %q, which the model's files name", s.token)
		}
		es = append(es, Entry{"tokenizer.ggml." + s.key + "_token_id", uint32(id)})
	}
	return append(es, Entry{"tokenizer.ggml.add_bos_token", begin}, Entry{"tokenizer.ggml.add_eos_token", end}), nil
}

// same returns an error where the metadata make other tokens of a text.
func (w *ggufWriter) same(es []Entry) error {
	meta := map[string]any{}
	for _, e := range es {
		meta[e.Key] = e.Value
	}
	t, err := FromGGUF(meta)
	if err != nil {
		return err
	}
	for _, text := range append(slices.Clone(probes), w.own()...) {
		a, _, err := w.Encode(text, nil, 0)
		if err != nil {
			continue // it has no tokens for the text
		}
		b, _, err := t.Encode(text, nil, 0)
		if err != nil {
			return err
		}
		if !slices.Equal(a.IDs, b.IDs) {
			return fmt.Errorf("%.60q is %d tokens here and %d there", text, len(a.IDs), len(b.IDs))
		}
	}
	return nil
}

// own are texts of the vocabulary's own tokens, some of many.
func (w *ggufWriter) own() (out []string) {
	step := max(1, w.size/400)
	var line bytes.Buffer
	for id := 0; id < w.size; id += step {
		s, err := w.Decode([]int32{int32(id)}, true)
		if err != nil || !utf8.ValidString(s) || w.types[id] != ggufNormal {
			continue
		}
		out = append(out, s)
		if line.WriteString(s); line.Len() > 60 {
			out = append(out, line.String())
			line.Reset()
		}
	}
	return out
}

// probes are texts that ways of dividing them tell apart: digits in rows, signs, endings in both
// cases, blanks and lines, scripts, marks, and signs of several characters.
var probes = []string{
	"Hello world", " Hello  world ", "I'm sure you'll say it's we've they'd; I'M SURE YOU'LL SAY IT'S", "1 12 123 1234 12345 1234567 3.14159 1,000,000 2nd", "x = foo(bar[0], \"baz\"); // note\n\tif (a<=b && c!=d) { return -1; }\r\n\r\n",
	"\n\n\n  \n\t\t  end  ", "$5.00 €12 100% #tag @me a_b a-b --- *** ... ?!?! <|x|> ~^+=|", "Straße, naïve café, ÀÉÎÕÜ, œuvre", "Съешь же ещё этих мягких французских булок", "这是一个测试。你好，世界！", "日本語のテキストです。カタカナ", "한국어 문장입니다", "مرحبا بالعالم", "नमस्ते दुनिया", "שלום עולם",
	"🙂🙃 👩‍👩‍👧 emoji🎉end", "CamelCaseWord ALLCAPS mixedCASE x1y2z3", "http://www.example.org/a?b=c&d=e", "  leading", "trailing  ", "a\u00a0b\u3000c", "''''s 't'T ’s", "½ ² Ⅷ ٣٤٥ १२३४",
}

// NamesOf reads the texts of special tokens from a tokenizer_config.json; b may be nil.
func NamesOf(b []byte) (n Names, err error) {
	if b == nil {
		return n, nil
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(b, &all); err != nil {
		return n, err
	}
	for key, to := range map[string]*string{"bos_token": &n.BOS, "eos_token": &n.EOS, "unk_token": &n.Unk, "pad_token": &n.Pad} {
		var text struct{ Content string }
		if raw := all[key]; raw != nil && json.Unmarshal(raw, to) != nil && json.Unmarshal(raw, &text) == nil {
			*to = text.Content
		}
	}
	return n, nil
}
