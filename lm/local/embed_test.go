package local

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pare/internal/familytest"
	"pare/internal/kernel"
	"pare/internal/lmtest"
	"pare/lm"
	"pare/lm/decode"
	"pare/lm/files"
)

const words = `{"version": "1.0", "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": null, "lowercase": false},
	"pre_tokenizer": {"type": "BertPreTokenizer"}, "added_tokens": [],
	"post_processor": {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
		"pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}], "special_tokens": {"[CLS]": {"id": "[CLS]", "ids": [1], "tokens": ["[CLS]"]}}},
	"model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100, "vocab": {"[UNK]": 0, "[CLS]": 1, "the": 2, "cat": 3, "sat": 4}}}`

// encoderFolder writes a random BERT with a tokenizer.
func encoderFolder(t *testing.T) string {
	t.Helper()
	g := familytest.Graph(t, `{"model_type": "bert", "architectures": ["BertModel"], "vocab_size": 5, "hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 12, "max_position_embeddings": 40, "hidden_act": "gelu", "type_vocab_size": 2, "pad_token_id": 0}`, 1)
	dir := t.TempDir()
	if _, err := files.WriteFolder(dir, g, nil); err != nil {
		t.Fatal(err)
	}
	put(t, dir, "tokenizer.json", words)
	return dir
}

func put(t *testing.T, dir, name, text string) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func vectors(t *testing.T, m *Model, texts ...string) [][]float32 {
	t.Helper()
	e, err := m.Embed(context.Background(), lm.EmbedRequest{Texts: texts})
	if err != nil {
		t.Fatal(err)
	}
	return e.Vectors
}

// An encoder gives vectors and nothing else; a text's does not depend on what it is filled up
// with, and its length is 1 where the folder says no other.
func TestEncoder(t *testing.T) {
	dir := encoderFolder(t)
	m := opened(t, dir, Options{})
	v := vectors(t, m, "the cat", strings.Repeat("the cat sat ", 12))
	if d := kernel.Dot(v[0], v[0]); math.Abs(d-1) > 1e-6 || len(v[0]) != 8 {
		t.Errorf("%v has the length %v", v[0], d)
	}
	short := opened(t, dir, Options{Context: 3}) // there is nothing to fill up
	for i, x := range vectors(t, short, "the cat")[0] {
		if math.Abs(float64(x-v[0][i])) > 1e-6 {
			t.Errorf("number %d is %v, and %v where the text is filled up", i, x, v[0][i])
		}
	}
	if _, err := m.Generate(context.Background(), lm.Request{Prompt: "the"}); !errors.Is(err, lm.Unsupported) {
		t.Errorf("%v", err)
	}
	if _, err := m.TextPerplexity(context.Background(), "the cat sat", 0, 0, nil); !errors.Is(err, lm.Unsupported) {
		t.Errorf("%v", err)
	}
	if _, err := m.Score(context.Background(), lm.ScoreRequest{Prompt: "the", Text: " cat"}); !errors.Is(err, lm.Unsupported) {
		t.Errorf("%v", err)
	}
	if _, err := Open(dir, Options{Weights: decode.F16}); err == nil || !strings.Contains(err.Error(), "Weights f16") {
		t.Errorf("%v", err)
	}
	const kind = `"type": "sentence_transformers.models.`
	put(t, dir, "modules.json", `[{`+kind+`Transformer", "path": ""}, {`+kind+`Pooling", "path": "1"}]`)
	put(t, dir, "1/config.json", `{"pooling_mode_mean_tokens": true, "pooling_mode_cls_token": false}`)
	mean := vectors(t, opened(t, dir, Options{}), "the cat")[0]
	size := math.Sqrt(kernel.Dot(mean, mean))
	for i, x := range mean {
		if math.Abs(float64(x)/size-float64(v[0][i])) > 1e-6 || math.Abs(size-1) < 1e-3 {
			t.Errorf("number %d of a vector of length %v is %v, of length 1 %v", i, size, x, v[0][i])
		}
	}
	for modules, want := range map[string]string{
		`[{` + kind + `Dense", "path": "2"}]`:         `a module "Dense" does to vectors is not known`,
		`[{` + kind + `Pooling", "path": "../../x"}]`: "leads out of the folder",
		`[{` + kind + `Pooling", "path": "2"}]`:       "2/config.json",
		`{`:                                           "modules.json",
	} {
		put(t, dir, "modules.json", modules)
		if _, err := Open(dir, Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", modules, err)
		}
	}
	// What stands beside says how texts become tokens.
	put(t, dir, "modules.json", `[{`+kind+`Transformer", "path": ""}, {`+kind+`Pooling", "path": "1"}]`)
	put(t, dir, "sentence_bert_config.json", `{"max_seq_length": 4, "do_lower_case": true}`)
	m = opened(t, dir, Options{})
	if _, err := m.Embed(context.Background(), lm.EmbedRequest{Texts: []string{"the cat sat the"}}); !errors.Is(err, lm.TooLong) || !strings.Contains(err.Error(), "from 1 to 4") {
		t.Errorf("a text that is cut elsewhere: %v", err)
	}
	if small := vectors(t, m, "the cat", "THE Cat"); !slices.Equal(small[0], small[1]) || !slices.Equal(small[0], mean) {
		t.Errorf("large letters give %v, small ones %v", small[1], small[0])
	}
	put(t, dir, "config_sentence_transformers.json", `{"prompts": {"query": "find: "}, "default_prompt_name": "query"}`)
	if _, err := Open(dir, Options{}); err == nil || !strings.Contains(err.Error(), "default_prompt_name") {
		t.Errorf("a prompt before every text: %v", err)
	}
	put(t, dir, "config_sentence_transformers.json", `{"prompts": {"query": "find: "}, "default_prompt_name": null}`)
	opened(t, dir, Options{})
	put(t, dir, "modules.json", `[{`+kind+`Pooling", "path": "1"}]`)
	put(t, dir, "1/config.json", `{"pooling_mode_mean_tokens": true, "pooling_mode_max_tokens": true}`)
	if _, err := Open(dir, Options{}); err == nil || !strings.Contains(err.Error(), "it asks for") {
		t.Errorf("two ways at once: %v", err)
	}
}

// The vector of a decoder is the mean of what its output layer reads.
func TestDecoderVector(t *testing.T) {
	m := opened(t, lmtest.Llama2C(t), Options{})
	got := vectors(t, m, "some words")[0]
	e, _, err := m.Tokenizer.Encode("some words", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	s, err := m.decode.NewSession(decode.Options{Capacity: len(e.IDs)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	want := make([]float64, m.Family.Hidden)
	for _, id := range e.IDs { // token by token, the state alone is asked for
		if err := s.States([]decode.Input{{Tokens: []int{int(id)}}}, func(_, _ int, x []float32) error {
			for i, v := range x {
				want[i] += float64(v)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	size := 0.
	for _, v := range want {
		size += v * v
	}
	for i, v := range want {
		if math.Abs(v/math.Sqrt(size)-float64(got[i])) > 1e-5 {
			t.Fatalf("number %d is %v, want %v", i, got[i], v/math.Sqrt(size))
		}
	}
	// the logits are what the output layer makes of a state
	if err := s.Truncate(0, 0); err != nil {
		t.Fatal(err)
	}
	var state, logits []float32
	if err := s.States([]decode.Input{{Tokens: []int{5}}}, func(_, _ int, x []float32) error { state = slices.Clone(x); return nil }); err != nil {
		t.Fatal(err)
	}
	if err := s.Truncate(0, 0); err != nil {
		t.Fatal(err)
	}
	if err := s.Run([]decode.Input{{Tokens: []int{5}}}, func(_, _ int, y []float32) error { logits = slices.Clone(y); return nil }); err != nil {
		t.Fatal(err)
	}
	head := m.Family.Embed
	if m.Family.Head != nil {
		head = &m.Family.Head.Weight
	}
	d := len(state)
	for i, y := range logits {
		if x := kernel.Dot(state, head.T.F32()[i*d:(i+1)*d]); math.Abs(x-float64(y)) > 1e-4 {
			t.Fatalf("logit %d is %v, and %v of the state", i, y, x)
		}
	}
}
