package local

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"pare/gguf"
	"pare/internal/lmtest"
	"pare/llama2c"
	"pare/lm"
	"pare/safetensors"
	"pare/tensor"
	"pare/weights"
)

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

// made writes a random model in llama2.c's format, with its tokenizer, and gives its path.
func made(t *testing.T) string {
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
	put([]int32{dim, hidden, layers, heads, kv, -vocab, context}) // with a classifier of its own
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
	draw(259*dim, 0, 0)      // words are far likelier than special tokens and bytes, which may be no text
	draw((vocab-259)*dim, 1, 0)
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

func opened(t *testing.T, path string, o Options) *Model {
	t.Helper()
	o.Threads = 1
	m, err := Open(path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

func said(t *testing.T, m *Model, r lm.Request) *lm.Reply {
	t.Helper()
	reply, err := m.Generate(context.Background(), r)
	if err != nil {
		t.Fatal(err)
	}
	return reply
}

// What is streamed is the reply; the same seed says the same; samples differ.
func TestGenerate(t *testing.T) {
	m := opened(t, made(t), Options{})
	seed := int64(5)
	r := lm.Request{Prompt: "once", N: 3, MaxTokens: 20, Temperature: 1, Seed: &seed}
	text := make([]string, 3)
	finish := make([]string, 3)
	reply, err := m.Stream(context.Background(), r, func(d lm.Delta) error {
		text[d.Index] += d.Text
		finish[d.Index] += d.Finish
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	again := said(t, m, r)
	for i, c := range reply.Choices {
		if c.Text != text[i] || c.Finish != finish[i] || again.Choices[i].Text != c.Text {
			t.Errorf("%q, streamed %q (%s), again %q", c.Text, text[i], finish[i], again.Choices[i].Text)
		}
	}
	if reply.Choices[0].Text == reply.Choices[1].Text {
		t.Error("two samples are the same")
	}
	if u := reply.Usage; u.Prompt != 6 || u.Completion < 3 || u.Completion > 60 { // <s>, a blank, four letters
		t.Errorf("%+v", u)
	}
}

// A text ends before a stop string, of which no piece shows the beginning.
func TestStop(t *testing.T) {
	m := opened(t, made(t), Options{})
	whole := said(t, m, lm.Request{Prompt: "a", MaxTokens: 30}).Choices[0].Text
	runes := []rune(whole)
	for _, cut := range []struct{ from, to int }{{2, 4}, {5, 6}, {len(runes) - 1, len(runes)}} {
		stop := string(runes[cut.from:cut.to])
		at := strings.Index(whole, stop)
		got := ""
		reply, err := m.Stream(context.Background(), lm.Request{Prompt: "a", MaxTokens: 30, Stop: []string{"never there", stop}}, func(d lm.Delta) error {
			got += d.Text
			if !strings.HasPrefix(whole[:at], got) {
				t.Errorf("stop %q: %q was given", stop, got)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if c := reply.Choices[0]; c.Text != whole[:at] || c.Finish != lm.FinishStop || got != c.Text {
			t.Errorf("stop %q: %q (%s), not %q", stop, c.Text, c.Finish, whole[:at])
		}
	}
}

// What is written has the log-probabilities that scoring it gives, token for token, and one
// window's perplexity is their mean's.
func TestScore(t *testing.T) {
	m := opened(t, made(t), Options{})
	reply := said(t, m, lm.Request{Prompt: "b", MaxTokens: 12, Logprobs: true, Alternatives: 3})
	c := reply.Choices[0]
	scores, err := m.Score(context.Background(), lm.ScoreRequest{Prompt: "b", Text: c.Text, Alternatives: 3})
	if err != nil {
		t.Fatal(err)
	}
	text := ""
	for _, k := range scores.Tokens {
		if k.Offset != len(text) {
			t.Errorf("%q begins at %d, not %d", k.Text, k.Offset, len(text))
		}
		text += k.Text
		if len(k.Alternatives) != 3 || k.Alternatives[0].Logprob < k.Logprob-1e-6 || k.Alternatives[0].Logprob < k.Alternatives[2].Logprob {
			t.Errorf("%+v", k)
		}
	}
	if text != c.Text {
		t.Errorf("tokens of %q, not %q", text, c.Text)
	}
	if len(scores.Tokens) == len(c.Tokens) { // the text may have other tokens than it was written with
		for i, k := range scores.Tokens {
			if math.Abs(k.Logprob-c.Tokens[i].Logprob) > 1e-4 {
				t.Errorf("token %d: %v written, %v scored", i, c.Tokens[i].Logprob, k.Logprob)
			}
		}
	}
	whole, err := m.Score(context.Background(), lm.ScoreRequest{Text: "a text of words"})
	if err != nil {
		t.Fatal(err)
	}
	p, err := m.TextPerplexity(context.Background(), "a text of words", 0, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	if want := -lm.Mean(whole.Tokens); math.Abs(p.Loss-want) > 1e-5 || math.Abs(p.Value-math.Exp(want)) > 1e-3*p.Value {
		t.Errorf("%+v, and the tokens' mean is %v", p, want)
	}
	two, err := m.TextPerplexity(context.Background(), "a text of words", 5, 2, nil)
	if err != nil || two.Tokens != 8 || two.Error == 0 {
		t.Errorf("%+v %v", two, err)
	}
}

// ggufOf writes the same model as a GGUF file.
func ggufOf(t *testing.T, path string) string {
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
	back := map[string]string{}
	for _, name := range []string{"token_embd.weight", "output_norm.weight", "output.weight"} {
		hf, err := huggingFace(name)
		if err != nil {
			t.Fatal(err)
		}
		back[hf] = name
	}
	for part := range inside {
		for _, n := range []string{"0", "1"} {
			name := "blk." + n + "." + part + ".weight"
			hf, err := huggingFace(name)
			if err != nil {
				t.Fatal(err)
			}
			back[hf] = name
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

// folderOf writes the same model as a folder, without a tokenizer.
func folderOf(t *testing.T, path string) string {
	t.Helper()
	f, err := llama2c.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	c, dir := f.Config, t.TempDir()
	b, err := json.Marshal(map[string]any{"model_type": "llama", "architectures": []string{"LlamaForCausalLM"}, "hidden_act": "silu", "hidden_size": c.Dim, "intermediate_size": c.Hidden, "num_hidden_layers": c.Layers,
		"num_attention_heads": c.Heads, "num_key_value_heads": c.KVHeads, "vocab_size": c.Vocab, "max_position_embeddings": c.Context, "tie_word_embeddings": false, "rope_theta": 1e4, "rms_norm_eps": 1e-5, "eos_token_id": 2})
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

// The same model says the same from a GGUF file as from llama2.c's, and answers chats.
func TestGGUF(t *testing.T) {
	path := made(t)
	m, g := opened(t, path, Options{}), opened(t, ggufOf(t, path), Options{})
	r := lm.Request{Prompt: "some words", MaxTokens: 20, Logprobs: true}
	a, b := said(t, m, r).Choices[0], said(t, g, r).Choices[0]
	if a.Text != b.Text || len(a.Tokens) != len(b.Tokens) {
		t.Fatalf("%q and %q", a.Text, b.Text)
	}
	for i := range a.Tokens {
		if math.Abs(a.Tokens[i].Logprob-b.Tokens[i].Logprob) > 1e-5 {
			t.Errorf("token %d: %v and %v", i, a.Tokens[i].Logprob, b.Tokens[i].Logprob)
		}
	}
	if m.Info().Fingerprint == g.Info().Fingerprint {
		t.Error("two files have one fingerprint")
	}
	ask := []lm.Message{{Role: lm.User, Text: "hi"}}
	chat := said(t, g, lm.Request{Messages: ask, MaxTokens: 6, Logprobs: true}).Choices[0]
	plain, err := g.Tokenizer.Tokens("user: hi\nassistant:")
	if err != nil {
		t.Fatal(err)
	}
	if got := said(t, g, lm.Request{Messages: ask, MaxTokens: 1}).Usage.Prompt; got != len(plain) {
		t.Errorf("a prompt of %d tokens, and the template's text has %d", got, len(plain))
	}
	if !utf8.ValidString(chat.Text) {
		t.Errorf("%q is no text", chat.Text)
	}
	s, err := g.Score(context.Background(), lm.ScoreRequest{Messages: ask, Text: chat.Text})
	if err != nil || len(s.Tokens) == 0 {
		t.Errorf("%v %v", s, err)
	}
	if _, err := m.Generate(context.Background(), lm.Request{Messages: ask}); !errors.Is(err, lm.Unsupported) {
		t.Errorf("%v of a model without a template", err)
	}
}

func TestRefused(t *testing.T) {
	path := made(t)
	m := opened(t, path, Options{Context: 16})
	for _, c := range []struct {
		r    lm.Request
		kind lm.Kind
	}{
		{lm.Request{Prompt: "a text that is longer than sixteen tokens"}, lm.TooLong},
		{lm.Request{}, lm.Invalid},
		{lm.Request{Prompt: "a", Alternatives: 1000, Logprobs: true}, lm.Unsupported},
	} {
		if _, err := m.Generate(context.Background(), c.r); !errors.Is(err, c.kind) {
			t.Errorf("%+v: %v, not %s", c.r, err, c.kind)
		}
	}
	if _, err := m.Score(context.Background(), lm.ScoreRequest{Prompt: "a", Text: "\xc3"}); !errors.Is(err, lm.Invalid) {
		t.Errorf("%v", err)
	}
	if _, err := m.Embed(context.Background(), lm.EmbedRequest{Texts: []string{"a"}}); !errors.Is(err, lm.Unsupported) {
		t.Errorf("%v", err)
	}
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := m.Generate(gone, lm.Request{Prompt: "a"}); !errors.Is(err, lm.Cancelled) {
		t.Errorf("%v", err)
	}
	if _, err := m.TextPerplexity(context.Background(), "a", 40, 0, nil); err != nil {
		t.Errorf("%v", err)
	}
	if _, err := m.TextPerplexity(context.Background(), strings.Repeat("a ", 30), 40, 0, nil); !errors.Is(err, lm.TooLong) {
		t.Errorf("%v", err)
	}

	folder := folderOf(t, path)
	alone := t.TempDir()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(alone, "model.bin"), b, 0o644); err != nil {
		t.Fatal(err)
	}
	small := filepath.Join(t.TempDir(), "tok.bin")
	v, err := os.ReadFile(filepath.Join(filepath.Dir(path), "tokenizer.bin"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(small, append(v, 0, 0, 0, 0, 1, 0, 0, 0, 'q'), 0o644); err != nil { // one token more
		t.Fatal(err)
	}
	for want, open := range map[string]func() (*Model, error){
		"no such file":            func() (*Model, error) { return Open(filepath.Join(alone, "none.gguf"), Options{}) },
		"no config.json":          func() (*Model, error) { return Open(alone, Options{}) },
		"the tokenizer":           func() (*Model, error) { return Open(folder, Options{}) },
		"Tokenizer":               func() (*Model, error) { return Open(filepath.Join(alone, "model.bin"), Options{}) },
		"do not belong together":  func() (*Model, error) { return Open(path, Options{Tokenizer: small}) },
		"neither a folder":        func() (*Model, error) { return Open(small[:len(small)-4], Options{}) },
		"are not negative":        func() (*Model, error) { return Open(path, Options{Context: -1}) },
		"not a model of llama2.c": func() (*Model, error) { return Open(small, Options{}) },
	} {
		if strings.HasPrefix(want, "neither") {
			if err := os.WriteFile(small[:len(small)-4], nil, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if m, err := open(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v %v, want something with %q", m, err, want)
		}
	}
}

// It is a home like others.
func TestContract(t *testing.T) { lmtest.Contract(t, opened(t, ggufOf(t, made(t)), Options{})) }
