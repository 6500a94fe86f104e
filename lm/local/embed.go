package local

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"pare/catalog"
	"pare/engine"
	"pare/internal/kernel"
	"pare/lm"
	"pare/lm/decode"
	"pare/lm/files"
	"pare/tensor"
)

// pooling is how a text's vector is made of those of its tokens.
type pooling struct {
	way   string // mean, first, last or max
	unit  bool   // the vector's length is made 1
	lower bool   // texts are made small letters first
	most  int    // tokens of a text; 0: as many as the model takes
}

// poolings are the names that sentence-transformers has for the ways.
var poolings = map[string]string{"pooling_mode_cls_token": "first", "pooling_mode_mean_tokens": "mean", "pooling_mode_max_tokens": "max", "pooling_mode_lasttoken": "last"}

// readPooling reads how a folder's model makes vectors, as sentence-transformers writes it:
// modules.json names a pooling, and perhaps a normalisation. Without it, it is the mean, of
// length 1.
func readPooling(dir string) (pooling, error) {
	p := pooling{way: "mean", unit: true}
	b, err := files.Small(filepath.Join(dir, "modules.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return p, nil
	}
	var modules []struct{ Type, Path string }
	if err == nil {
		err = json.Unmarshal(b, &modules)
	}
	if err != nil {
		return p, fmt.Errorf("modules.json: %w", err)
	}
	p.unit = false
	for _, m := range modules {
		switch kind := m.Type[strings.LastIndexByte(m.Type, '.')+1:]; kind {
		case "Transformer":
			if !filepath.IsLocal(filepath.Join(".", m.Path)) {
				return p, fmt.Errorf("modules.json: the path %.100q leads out of the folder", m.Path)
			}
			if err := p.readTexts(dir, m.Path); err != nil {
				return p, err
			}
		case "Normalize":
			p.unit = true
		case "Pooling":
			if !filepath.IsLocal(m.Path) {
				return p, fmt.Errorf("modules.json: the path %.100q leads out of the folder", m.Path)
			}
			if p.way, err = readWay(filepath.Join(dir, m.Path, "config.json")); err != nil {
				return p, fmt.Errorf("%s: %w", filepath.Join(m.Path, "config.json"), err)
			}
		default:
			return p, fmt.Errorf("modules.json: what a module %.100q does to vectors is not known", kind)
		}
	}
	return p, nil
}

// readTexts reads what sentence-transformers does to texts before they are tokens. A text that
// stands before every text, unless another is asked for, is refused: nobody says here which of
// them is meant.
func (p *pooling) readTexts(dir, path string) error {
	var about struct {
		Most  int  `json:"max_seq_length"`
		Lower bool `json:"do_lower_case"`
	}
	var all struct {
		Prompts map[string]string
		Default *string `json:"default_prompt_name"`
	}
	for name, to := range map[string]any{filepath.Join(path, "sentence_bert_config.json"): &about, "config_sentence_transformers.json": &all} {
		b, err := files.Small(filepath.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = json.Unmarshal(b, to)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	if about.Most < 0 {
		return fmt.Errorf("sentence_bert_config.json: max_seq_length %d is negative", about.Most)
	}
	p.most, p.lower = about.Most, about.Lower
	if d := all.Default; d != nil && all.Prompts[*d] != "" {
		return fmt.Errorf("config_sentence_transformers.json puts the prompt %.60q before every text, which is not done here: take default_prompt_name out of it, and put before each text what it needs", all.Prompts[*d])
	}
	return nil
}

// readWay reads which pooling a file asks for.
func readWay(path string) (string, error) {
	b, err := files.Small(path)
	if err != nil {
		return "", err
	}
	var all map[string]any
	if err := json.Unmarshal(b, &all); err != nil {
		return "", err
	}
	var on []string
	for key, v := range all {
		if strings.HasPrefix(key, "pooling_mode_") && v == true {
			on = append(on, key)
		}
	}
	slices.Sort(on)
	if len(on) != 1 || poolings[on[0]] == "" {
		return "", fmt.Errorf("it asks for %q: one of pooling by the first token, the last, the mean or the largest is known", on)
	}
	return poolings[on[0]], nil
}

// encoder makes vectors of the tokens of whole texts.
type encoder struct {
	session *engine.Session
	types   bool // it is told which text a token is of
}

// newEncoder prepares an encoder without what lies behind its layers.
func newEncoder(m *Model) (*encoder, error) {
	f := *m.Family
	f.Transform, f.TransformNorm, f.Classifier, f.Pooler, f.Head = nil, nil, nil, nil, nil
	g, err := f.Graph()
	if err != nil {
		return nil, err
	}
	s, err := engine.NewSession(g, engine.SessionOptions{Threads: m.opt.Threads, MaxBatch: 1, Max: map[string]int{g.Inputs[0].Shape[1].Sym: m.opt.Context}, Most: m.opt.Memory})
	return &encoder{session: s, types: f.Segments != nil}, err
}

// states gives the vectors of a text's tokens [len(ids) hidden]. A plan is for a number of
// tokens: texts are filled up to the next multiple of 16.
func (e *encoder) states(ctx context.Context, ids []int, most, hidden int) ([]float32, error) {
	n := min((len(ids)+15)/16*16, most)
	tokens, mask := tensor.New(tensor.Int64, 1, n), tensor.New(tensor.Int64, 1, n)
	for i, t := range ids {
		tensor.Of[int64](tokens)[i], tensor.Of[int64](mask)[i] = int64(t), 1
	}
	in := map[string]*tensor.Tensor{"input_ids": tokens, "attention_mask": mask}
	if e.types {
		in["token_type_ids"] = tensor.New(tensor.Int64, 1, n)
	}
	out := map[string]*tensor.Tensor{"last_hidden_state": tensor.New(tensor.Float32, 1, n, hidden)}
	if err := e.session.Run(ctx, in, out); err != nil {
		return nil, err
	}
	return out["last_hidden_state"].F32()[:len(ids)*hidden], nil
}

// Embed gives a vector for each text. Of an encoder it is what sentence-transformers gives,
// by the folder's modules.json; of a decoder, and where there is none, the mean of the
// states of the last layer, of length 1. A text of more tokens than the model takes is an
// error.
func (m *Model) Embed(ctx context.Context, r lm.EmbedRequest) (*lm.Embeddings, error) {
	if err := r.Check(m.Info()); err != nil {
		return nil, err
	}
	if d := m.Family.Hidden; r.Dimensions != 0 && r.Dimensions != d {
		return nil, m.fail(lm.Unsupported, catalog.Errorf("vectors have %d numbers, and nothing says that the model was trained for fewer: leave {Dimensions} out", d))
	}
	done, err := m.take(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	out := &lm.Embeddings{}
	most := m.opt.Context
	if p := m.pooling.most; p > 0 {
		most = min(most, p)
	}
	for i, text := range r.Texts {
		if m.pooling.lower {
			text = strings.ToLower(text)
		}
		e, _, err := m.Tokenizer.Encode(text, nil, 0)
		if err != nil {
			return nil, m.fail(lm.Invalid, fmt.Errorf("text %d: %w", i, err))
		}
		ids := ints(e.IDs)
		if len(ids) == 0 || len(ids) > most {
			kind := lm.TooLong
			if len(ids) == 0 {
				kind = lm.Invalid
			}
			return nil, m.fail(kind, catalog.Errorf("text %d has %d tokens: from 1 to %d are taken ({Context}, and max_seq_length of sentence_bert_config.json)", i, len(ids), most))
		}
		v, err := m.vector(ctx, ids)
		if err != nil {
			return nil, m.failed(ctx, err)
		}
		out.Vectors = append(out.Vectors, v)
		out.Usage.Prompt += len(ids)
	}
	return out, nil
}

// vector is that of a text.
func (m *Model) vector(ctx context.Context, ids []int) ([]float32, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	v := pooled{way: m.pooling.way, out: make([]float32, m.Family.Hidden)}
	if m.encoder != nil {
		states, err := m.encoder.states(ctx, ids, m.opt.Context, len(v.out))
		if err != nil {
			return nil, err
		}
		for s := range slices.Chunk(states, len(v.out)) {
			v.add(s)
		}
	} else {
		s, err := m.decode.NewSession(decode.Options{Capacity: len(ids), Threads: m.opt.Threads, Most: m.opt.Memory, Cache: m.opt.Cache})
		if err != nil {
			return nil, m.fail(lm.TooLong, err)
		}
		defer s.Close()
		if err := s.States([]decode.Input{{Tokens: ids, All: true}}, func(_, _ int, x []float32) error { v.add(x); return ctx.Err() }); err != nil {
			return nil, err
		}
	}
	return v.end(m.pooling.unit), nil
}

// pooled is a vector in the making.
type pooled struct {
	way string
	n   int
	out []float32
}

func (p *pooled) add(x []float32) {
	p.n++
	switch {
	case p.way == "mean":
		kernel.Add(p.out, x, p.out)
	case p.n == 1 || p.way == "last":
		copy(p.out, x)
	case p.way == "max":
		for i, v := range x {
			p.out[i] = max(p.out[i], v)
		}
	}
}

func (p *pooled) end(unit bool) []float32 {
	if p.way == "mean" {
		kernel.Scale(1/float32(p.n), p.out, p.out)
	}
	if size := math.Sqrt(kernel.Dot(p.out, p.out)); unit && size > 0 {
		kernel.Scale(float32(1/size), p.out, p.out)
	}
	return p.out
}

// prepare makes ready to decode, or to encode.
func (m *Model) prepare() (err error) {
	if m.Family.Encoder {
		if m.opt.Weights != "" && m.opt.Weights != decode.F32 {
			return catalog.Errorf("{Weights} %s: the weights of an encoder are held as float32 only", m.opt.Weights)
		}
		if m.opt.Cache != "" {
			return catalog.Errorf("{Cache} %s: an encoder keeps no keys and values", m.opt.Cache)
		}
		m.encoder, err = newEncoder(m)
		return err
	}
	if m.decode, err = decode.New(m.Family); err != nil {
		return err
	}
	if m.decode, err = m.decode.In(m.opt.Weights); err == nil {
		m.opt.Cache = cmp.Or(m.opt.Cache, m.decode.Cache())
	}
	return err
}
