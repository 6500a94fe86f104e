// Package local is language models on this machine: a folder as Hugging Face has them, a
// GGUF file, or a model of llama2.c. A [Model] is an [lm.Model]: it answers chats, goes on
// from texts, says how likely texts are, and gives vectors for them; an encoder the latter
// alone.
package local

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"pare/catalog"
	"pare/llama2c"
	"pare/lm/decode"
	"pare/lm/family"
	"pare/lm/files"
	"pare/tokenizer"
	"pare/tokenizer/chat"
)

// Options of Open. Zero values stand for what is said.
type Options struct {
	Name      string // what the model is called; "": as its file
	Tokenizer string // tokenizer.json, or the vocabulary of a model of llama2.c; "": what lies beside the weights
	Context   int    // the most tokens of a text; 0: what the model was made for, at most 4096
	Threads   int    // 0: one for each core
	Memory    int    // bytes that caches may take; 0: 4 GiB

	// Weights is how matrices are held: decoding takes about as long as reading them does.
	// "": as float32; as auto where a GGUF file has them quantised, which changes none.
	Weights decode.Form

	// Cache is how the keys and values of a text's tokens are held: f32, or f16 in half the
	// memory. "": as float32 where Weights are, else as float16.
	Cache decode.Form
}

// most are the tokens of a text where nobody says: caches of more take much memory.
const most = 4096

// Model is a language model on this machine. Its methods may be called by many goroutines;
// they work one after the other.
type Model struct {
	Family    *family.Model
	Tokenizer *tokenizer.Tokenizer
	Template  *chat.Template // nil: the model answers no chats

	opt         Options
	decode      *decode.Model // nil of an encoder
	encoder     *encoder      // nil of a decoder
	pooling     pooling
	ends        []int
	bos, eos    string
	fingerprint string
	home        string
	one         chan struct{} // who works
	close       func() error
}

// Open opens a model. It returns an error that says what is missing, does not fit or is not
// understood.
func Open(path string, o Options) (*Model, error) {
	if o.Context < 0 || o.Threads < 0 || o.Memory < 0 {
		return nil, catalog.Errorf("{Context} %d, {Threads} %d and {Memory} %d are not negative", o.Context, o.Threads, o.Memory)
	}
	if err := o.Weights.Check(); err != nil {
		return nil, err
	}
	if o.Cache != "" && !slices.Contains(decode.Caches, o.Cache) {
		return nil, catalog.Errorf("{Cache} %q is none of %q", o.Cache, decode.Caches)
	}
	m := &Model{opt: o, home: path, pooling: pooling{way: "mean", unit: true}, one: make(chan struct{}, 1)}
	err := m.open(path)
	if err == nil {
		err = m.settle(path)
	}
	if err != nil {
		if m.close != nil {
			err = errors.Join(err, m.close())
		}
		if strings.HasPrefix(err.Error(), path) { // it says so itself
			return nil, err
		}
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}

// open reads weights and tokenizer by what the path is.
func (m *Model) open(path string) error {
	st, err := os.Stat(path)
	switch {
	case err != nil:
		return plainly(err)
	case st.IsDir():
		return m.folder(path)
	case strings.EqualFold(filepath.Ext(path), ".gguf"):
		return m.gguf(path)
	case strings.EqualFold(filepath.Ext(path), ".bin"):
		return m.llama2c(path)
	}
	return errors.New("it is neither a folder with a config.json, nor a .gguf file, nor a .bin file of llama2.c")
}

// plainly leaves the path out, which is said in front.
func plainly(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// file takes weights, config and tokenizer of a folder or a GGUF file.
func (m *Model) file(path string) (*files.File, error) {
	f, err := files.Open(path)
	if err != nil {
		return nil, err
	}
	m.close = f.Close
	if m.Family, err = f.Load(); err != nil {
		return nil, err
	}
	if m.opt.Tokenizer == "" {
		m.Tokenizer, err = f.Tokenizer()
	} else {
		m.Tokenizer, err = files.ReadTokenizer(m.opt.Tokenizer)
	}
	if err == nil && m.Tokenizer == nil {
		err = catalog.Errorf("the folder has no tokenizer.json: give {Tokenizer}")
	}
	return f, err
}

func (m *Model) folder(dir string) error {
	if _, err := m.file(dir); err != nil {
		return err
	}
	var err error
	if m.pooling, err = readPooling(dir); err != nil {
		return err
	}
	return m.conversation(dir)
}

// conversation reads what a folder says of chats: the template, and what ends a turn.
func (m *Model) conversation(dir string) error {
	optional := func(name string) ([]byte, error) {
		b, err := files.Small(filepath.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		return b, err
	}
	template := ""
	b, err := optional("tokenizer_config.json")
	if err != nil {
		return err
	}
	if b != nil {
		c, err := chat.ReadConfig(b)
		if err != nil {
			return err
		}
		template, m.bos, m.eos = c.Template, c.BOS, c.EOS
	}
	if b, err = optional("chat_template.jinja"); err != nil {
		return err
	}
	if b != nil {
		template = string(b)
	}
	for _, name := range []string{"generation_config.json", "config.json"} {
		if b, err = optional(name); err != nil {
			return err
		}
		if b == nil {
			continue
		}
		if err := m.endsOf(name, b); err != nil {
			return err
		}
	}
	if id, ok := m.Tokenizer.ID(m.eos); ok && m.eos != "" {
		m.ends = append(m.ends, int(id))
	}
	return m.template(template)
}

// endsOf takes the tokens after which a text ends.
func (m *Model) endsOf(name string, b []byte) error {
	var c struct {
		EOS json.RawMessage `json:"eos_token_id"`
	}
	if err := json.Unmarshal(b, &c); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	var one int
	var some []int
	switch {
	case len(c.EOS) == 0 || string(c.EOS) == "null":
	case json.Unmarshal(c.EOS, &one) == nil:
		m.ends = append(m.ends, one)
	case json.Unmarshal(c.EOS, &some) == nil:
		m.ends = append(m.ends, some...)
	default:
		return fmt.Errorf("%s: eos_token_id is neither a token nor a list of tokens", name)
	}
	return nil
}

func (m *Model) template(text string) (err error) {
	if text == "" {
		return nil
	}
	if m.Template, err = chat.Parse(text); err != nil {
		return fmt.Errorf("the template of chats: %w", err)
	}
	return nil
}

func (m *Model) gguf(path string) error {
	f, err := m.file(path)
	if err != nil {
		return err
	}
	if m.opt.Weights == "" && f.Quantised() {
		m.opt.Weights = decode.Auto
	}
	if m.bos, err = m.text(m.Tokenizer.BOS); err == nil {
		m.eos, err = m.text(m.Tokenizer.EOS)
	}
	if err != nil {
		return err
	}
	if t, err := f.Meta.Text("tokenizer.chat_template"); err == nil {
		return m.template(t)
	}
	return nil
}

// text is a token's own; "" of none.
func (m *Model) text(id int32) (string, error) {
	if id < 0 {
		return "", nil
	}
	s, ok := m.Tokenizer.Token(id)
	if !ok {
		return "", fmt.Errorf("there is no token %d, by which texts are to begin or end", id)
	}
	return s, nil
}

func (m *Model) llama2c(path string) error {
	f, err := llama2c.Open(path)
	if err != nil {
		return err
	}
	m.close = f.Close
	c := f.Config
	b, err := json.Marshal(map[string]any{"model_type": "llama", "hidden_act": "silu", "hidden_size": c.Dim, "intermediate_size": c.Hidden, "num_hidden_layers": c.Layers, "num_attention_heads": c.Heads,
		"num_key_value_heads": c.KVHeads, "vocab_size": c.Vocab, "max_position_embeddings": c.Context, "tie_word_embeddings": c.Tied, "rope_theta": llama2c.Theta, "rms_norm_eps": llama2c.Epsilon})
	if err != nil {
		return err
	}
	cfg, err := family.Read(b)
	if err != nil {
		return err
	}
	if m.Family, err = family.Load(cfg, f); err != nil {
		return err
	}
	for _, name := range []string{"tokenizer.bin", fmt.Sprintf("tok%d.bin", c.Vocab)} {
		if p := filepath.Join(filepath.Dir(path), name); m.opt.Tokenizer == "" {
			if _, err := os.Stat(p); err == nil {
				m.opt.Tokenizer = p
			}
		}
	}
	if m.opt.Tokenizer == "" {
		return catalog.Errorf("beside the model there is neither tokenizer.bin nor tok%d.bin: give {Tokenizer}", c.Vocab)
	}
	v, err := llama2c.OpenTokenizer(m.opt.Tokenizer)
	if err != nil {
		return err
	}
	var text []string
	var score []float32
	for _, p := range v.Pieces {
		text, score = append(text, p.Text), append(score, p.Score)
	}
	m.Tokenizer, err = tokenizer.FromLlama2C(text, score)
	return err
}

// settle checks that the parts fit, and makes ready to decode.
func (m *Model) settle(path string) (err error) {
	if m.Tokenizer.Size > m.Family.Vocab {
		return fmt.Errorf("the tokenizer has tokens up to %d, and the model a vocabulary of %d: they do not belong together", m.Tokenizer.Size-1, m.Family.Vocab)
	}
	for _, id := range m.Tokenizer.Ends {
		m.ends = append(m.ends, int(id))
	}
	if m.Tokenizer.EOS >= 0 {
		m.ends = append(m.ends, int(m.Tokenizer.EOS))
	}
	slices.Sort(m.ends)
	m.ends = slices.Compact(m.ends)
	if n := m.Family.Config.Positions; m.opt.Context > n {
		return catalog.Errorf("{Context} %d: the model was made for texts of %d tokens", m.opt.Context, n)
	}
	if m.opt.Context == 0 {
		m.opt.Context = min(m.Family.Config.Positions, most)
	}
	if m.opt.Memory == 0 {
		m.opt.Memory = 4 << 30
	}
	if m.opt.Name == "" {
		m.opt.Name = filepath.Base(filepath.Clean(path))
		if end := filepath.Ext(path); strings.EqualFold(end, ".gguf") || strings.EqualFold(end, ".bin") { // a folder may be called SmolLM2-1.7B
			m.opt.Name = strings.TrimSuffix(m.opt.Name, end)
		}
	}
	if err := m.prepare(); err != nil {
		return err
	}
	m.fingerprint, err = fingerprint(path, m.opt)
	return err
}

// Close lets go of the model's files.
func (m *Model) Close() error {
	if m.encoder != nil {
		m.encoder.session.Close()
	}
	if m.close == nil {
		return nil
	}
	return m.close()
}
