package local

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"strings"

	"pare/catalog"
	"pare/lm"
	"pare/lm/decode"
	"pare/lm/generate"
	"pare/tokenizer"
	"pare/tokenizer/chat"
)

var _ lm.Streamer = (*Model)(nil)

// alternatives are the most at each place.
const alternatives = 100

// Info says what the model is and can do.
func (m *Model) Info() lm.Info {
	if m.encoder != nil {
		return lm.Info{Name: m.opt.Name, Home: m.home, Fingerprint: m.fingerprint, Context: m.opt.Context, Can: lm.Capabilities{Embed: true}}
	}
	chats := m.Template != nil
	return lm.Info{Name: m.opt.Name, Home: m.home, Fingerprint: m.fingerprint, Context: m.opt.Context,
		Can: lm.Capabilities{Chat: chats, Text: true, Continue: chats, Logprobs: true, Alternatives: alternatives, Embed: true, Score: true, ScoreChat: chats, ScoreAlternatives: alternatives, Seed: true,
			TopK: true, MinP: true, RepetitionPenalty: true, Stops: 64}}
}

// Context is the most tokens of a text.
func (m *Model) Context() int { return m.opt.Context }

// Held says how matrices are held, how many bytes of them decoding a token reads, and which
// stay float32 since the form cannot hold them. An encoder decodes nothing.
func (m *Model) Held() (form decode.Form, read int, left []string) {
	if m.decode == nil { // an encoder
		return decode.F32, 0, nil
	}
	return cmp.Or(m.opt.Weights, decode.F32), m.decode.Read(), m.decode.Left()
}

// Kept says how the keys and values of a text's tokens are held, and how many bytes those of a
// token take. An encoder keeps none.
func (m *Model) Kept() (form decode.Form, bytes int) {
	if m.decode == nil {
		return decode.F32, 0
	}
	return m.opt.Cache, m.decode.CacheBytes(m.opt.Cache)
}

// take waits until nobody works, and gives what ends the work.
func (m *Model) take(ctx context.Context) (func(), error) {
	select {
	case m.one <- struct{}{}:
		return func() { <-m.one }, nil
	case <-ctx.Done():
		return nil, lm.Gone(ctx, m.opt.Name)
	}
}

// fail is an error of the model.
func (m *Model) fail(kind lm.Kind, err error) error {
	return &lm.Error{Kind: kind, Model: m.opt.Name, Err: err}
}

// failed is the error of work that did not end well.
func (m *Model) failed(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return lm.Gone(ctx, m.opt.Name)
	}
	var e *lm.Error
	if err == nil || errors.As(err, &e) {
		return err
	}
	return m.fail(lm.Broken, err)
}

// before are the tokens of what stands before an answer or a text, and their text.
func (m *Model) before(ctx context.Context, ms []lm.Message, prompt string, inside bool) (ids []int, text string, err error) {
	if len(ms) == 0 {
		e, _, err := m.Tokenizer.Encode(prompt, nil, 0)
		if err != nil {
			return nil, "", m.fail(lm.Invalid, err)
		}
		ids := ints(e.IDs)
		if n := len(ids); n > 0 && m.Tokenizer.EOS >= 0 && ids[n-1] == int(m.Tokenizer.EOS) { // the text is to go on
			ids = ids[:n-1]
		}
		return ids, prompt, nil
	}
	c := chat.Conversation{Prompt: !inside, Continue: inside, BOS: m.bos, EOS: m.eos}
	for _, x := range ms {
		c.Messages = append(c.Messages, chat.Message{Role: x.Role, Content: x.Text})
	}
	text, err = m.Template.Render(ctx, c)
	if err != nil {
		return nil, "", m.fail(lm.Invalid, fmt.Errorf("the template of chats: %w", err))
	}
	t, err := m.Tokenizer.Tokens(text)
	if err != nil {
		return nil, "", m.fail(lm.Invalid, err)
	}
	return ints(t), text, nil
}

func ints(ids []int32) []int {
	out := make([]int, len(ids))
	for i, t := range ids {
		out[i] = int(t)
	}
	return out
}

// Generate writes what follows.
func (m *Model) Generate(ctx context.Context, r lm.Request) (*lm.Reply, error) {
	return m.Stream(ctx, r, func(lm.Delta) error { return nil })
}

// Stream writes what follows, piece by piece.
func (m *Model) Stream(ctx context.Context, r lm.Request, each func(lm.Delta) error) (*lm.Reply, error) {
	if err := r.Check(m.Info()); err != nil {
		return nil, err
	}
	done, err := m.take(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	ids, _, err := m.before(ctx, r.Messages, r.Prompt, r.Continue)
	if err != nil {
		return nil, err
	}
	if len(ids) == 0 {
		return nil, m.fail(lm.Invalid, errors.New("the prompt has no tokens"))
	}
	if len(ids) >= m.opt.Context {
		return nil, m.fail(lm.TooLong, catalog.Errorf("the prompt has %d tokens, and {Context} %d leaves room for no answer", len(ids), m.opt.Context))
	}
	room := m.opt.Context - len(ids)
	if r.MaxTokens > 0 {
		room = min(room, r.MaxTokens)
	}
	s, err := m.decode.NewSession(decode.Options{Sequences: r.Samples(), Capacity: len(ids) + room, Threads: m.opt.Threads, Most: m.opt.Memory, Cache: m.opt.Cache})
	if err != nil {
		return nil, m.fail(lm.TooLong, err)
	}
	defer s.Close()
	reply := &lm.Reply{Choices: make([]lm.Choice, r.Samples()), Usage: lm.Usage{Prompt: len(ids)}}
	writers := make([]*writer, r.Samples())
	for i := range writers {
		writers[i] = &writer{m: m, r: &r, index: i, stream: m.Tokenizer.Stream(true), put: func(d lm.Delta) error {
			reply.Add(d)
			if err := each(d); err != nil {
				return m.fail(lm.Cancelled, err)
			}
			return nil
		}}
	}
	for _, w := range writers { // how a token looks depends on the one before it
		for _, id := range ids {
			if _, err := w.stream.Next(int32(id)); err != nil {
				return nil, m.failed(ctx, err)
			}
		}
	}
	o := generate.Options{Sampling: generate.Sampling{RepetitionPenalty: r.RepetitionPenalty, Temperature: r.Temperature, TopK: r.TopK, TopP: r.TopP, MinP: r.MinP},
		Samples: r.Samples(), Tokens: room, Stop: m.ends, Top: r.Alternatives}
	if r.Seed != nil {
		o.Seed = uint64(*r.Seed)
	} else if r.Temperature > 0 {
		o.Seed = draw()
	}
	o.Each = func(t *generate.Text) error {
		reply.Usage.Completion++
		return writers[t.Sample].add(t)
	}
	texts, err := generate.Run(ctx, s, [][]int{ids}, o)
	if err != nil {
		return reply, m.failed(ctx, err)
	}
	for i, t := range texts {
		if err := writers[i].end(t); err != nil {
			return reply, m.failed(ctx, err)
		}
	}
	return reply, nil
}

// writer makes the text of a sample of its tokens.
type writer struct {
	m      *Model
	r      *lm.Request
	index  int
	stream *tokenizer.Stream
	put    func(lm.Delta) error

	text   string // all of it
	sent   int    // bytes of it that were given
	tokens []lm.Token
	over   bool
}

// add takes the last token of a text. What may be the beginning of a stop string is held
// back.
func (w *writer) add(t *generate.Text) error {
	n := len(t.Tokens) - 1
	piece := ""
	if t.End != generate.Stopped {
		var err error
		if piece, err = w.stream.Next(int32(t.Tokens[n])); err != nil {
			return err
		}
		piece = strings.ToValidUTF8(piece, "\uFFFD") // a model may write bytes that are no text
	}
	if w.r.Logprobs {
		k := lm.Token{Text: piece, Offset: len(w.text), Logprob: t.LogProbs[n]}
		if t.Top != nil {
			k.Alternatives = w.m.alternatives(t.Top[n])
		}
		w.tokens = append(w.tokens, k)
	}
	w.text += piece
	if at := first(w.text, w.r.Stop); at >= 0 {
		w.text, w.over, t.End = w.text[:at], true, generate.Stopped
	}
	hold := 0
	if !w.over {
		hold = begun(w.text, w.r.Stop)
	}
	return w.give(len(w.text)-hold, "")
}

// give gives the text up to a byte.
func (w *writer) give(to int, finish string) error {
	if to <= w.sent && finish == "" {
		return nil
	}
	d := lm.Delta{Index: w.index, Text: w.text[w.sent:max(w.sent, to)], Tokens: w.tokens, Finish: finish}
	w.sent, w.tokens = max(w.sent, to), nil
	return w.put(d)
}

// end gives what was held back.
func (w *writer) end(t *generate.Text) error {
	if !w.over {
		rest, err := w.stream.End()
		if err != nil {
			return err
		}
		w.text += strings.ToValidUTF8(rest, "\uFFFD")
	}
	finish := lm.FinishLength
	if t.End == generate.Stopped {
		finish = lm.FinishStop
	}
	return w.give(len(w.text), finish)
}

// first is where the first of some stop strings begins in a text; -1: none does.
func first(text string, stop []string) int {
	at := -1
	for _, s := range stop {
		if k := strings.Index(text, s); k >= 0 && (at < 0 || k < at) {
			at = k
		}
	}
	return at
}

// begun is the number of bytes at the end of a text with which a stop string may begin.
func begun(text string, stop []string) (n int) {
	for _, s := range stop {
		for k := min(len(s)-1, len(text)); k > n; k-- {
			if strings.HasSuffix(text, s[:k]) {
				n = k
			}
		}
	}
	return n
}

// alternatives are the likeliest tokens at a place.
func (m *Model) alternatives(top []generate.Choice) (out []lm.Alternative) {
	for _, c := range top {
		text, err := m.Tokenizer.Decode([]int32{int32(c.Token)}, false)
		if err != nil {
			text, _ = m.Tokenizer.Token(int32(c.Token))
		}
		out = append(out, lm.Alternative{Text: text, Logprob: math.Log(c.P)})
	}
	return out
}
