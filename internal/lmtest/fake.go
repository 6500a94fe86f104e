// Package lmtest is what tests of language models share: a small model that is quick
// and a true distribution, and the demands that any home has to meet.
package lmtest

import (
	"cmp"
	"context"
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"unicode/utf8"

	"pare/lm"
)

// Fake is a language model of words in which a token depends on the one before: a
// distribution made by hashing, over a few words and, so that any text can be scored,
// all bytes. It is deterministic; samples without a seed take the next of a row.
type Fake struct {
	info  lm.Info
	words []string // tokens below 256 are bytes
	drawn atomic.Int64
	known sync.Map // distributions by the token before
	// Before is called before a request is worked on, where it is not nil; its error
	// is the reply.
	Before func(ctx context.Context) error
}

// words are some beside ASCII, and two of which one begins with the other.
var words = []string{" the", " cat", " cats", " sat", " on", " mat", ".", "\n", " naïve", " 猫", " 42", " x", "the", " so", " and", " 🙂", "Yes", "No", ",", " end"}

const end = " end" // ends a text; it is not shown

// NewFake makes a model of a name. Models of different names differ.
func NewFake(name string) *Fake {
	return &Fake{words: words, info: lm.Info{
		Name: name, Home: "in memory", Fingerprint: "fake-1:" + name, Context: 4096, Parallel: 4,
		Can: lm.Capabilities{Chat: true, Text: true, Continue: true, Logprobs: true, Alternatives: 20, Score: true, ScoreChat: true, ScoreAlternatives: 20,
			Embed: true, Seed: true, TopK: true, MinP: true, RepetitionPenalty: true, Stops: 4},
	}}
}

// Info says what the model is.
func (f *Fake) Info() lm.Info { return f.info }

// write writes a chat as this model reads it.
func write(ms []lm.Message, prompt string, inside bool) string {
	if len(ms) == 0 {
		return prompt
	}
	var b strings.Builder
	for i, m := range ms {
		fmt.Fprintf(&b, "[%s] %s", m.Role, m.Text)
		if inside && i == len(ms)-1 {
			return b.String()
		}
		b.WriteString("\n")
	}
	return b.String() + "[assistant]"
}

func (f *Fake) text(t int) string {
	if t < 256 {
		return string([]byte{byte(t)})
	}
	return f.words[t-256]
}

// tokens takes the longest token each time.
func (f *Fake) tokens(s string) []int {
	var out []int
	for len(s) > 0 {
		best, n := int(s[0]), 1
		for i, w := range f.words {
			if len(w) >= n && strings.HasPrefix(s, w) {
				best, n = 256+i, len(w)
			}
		}
		out, s = append(out, best), s[n:]
	}
	return out
}

// logprobs is the distribution after a token; -1: at the beginning.
func (f *Fake) logprobs(before int) []float64 {
	if lp, ok := f.known.Load(before); ok {
		return lp.([]float64)
	}
	lp := f.distribution(before)
	f.known.Store(before, lp)
	return lp
}

func (f *Fake) distribution(before int) []float64 {
	out := make([]float64, 256+len(f.words))
	sum := 0.0
	for t := range out {
		h := fnv.New64a()
		fmt.Fprint(h, f.info.Name, before, t)
		out[t] = 4 * float64(h.Sum64()%1000) / 1000
		switch {
		case t >= utf8.RuneSelf && t < 256: // never drawn: a text is whole characters
			out[t] -= 200
		case t < 256 && (t < ' ' || t == 127):
			out[t] -= 100
		case t < 256:
			out[t] -= 4
		}
		sum += math.Exp(out[t])
	}
	for t := range out {
		out[t] -= math.Log(sum)
	}
	return out
}

// token describes a token.
func (f *Fake) token(t, offset int, lp []float64, alternatives int) lm.Token {
	k := lm.Token{Text: f.text(t), Offset: offset, Logprob: lp[t]}
	if !utf8.ValidString(k.Text) {
		k.Text, k.Bytes = "\ufffd", []byte(k.Text)
	}
	for _, a := range best(lp)[:min(alternatives, len(lp))] {
		alt := lm.Alternative{Text: f.text(a), Logprob: lp[a]}
		if !utf8.ValidString(alt.Text) {
			alt.Text, alt.Bytes = "\ufffd", []byte(alt.Text)
		}
		k.Alternatives = append(k.Alternatives, alt)
	}
	return k
}

// best is tokens by what is likeliest, ties by number.
func best(lp []float64) []int {
	order := make([]int, len(lp))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(lp[b], lp[a]) })
	return order
}

// draw samples a token.
func draw(lp []float64, r lm.Request, seen []int, rng *rand.Rand) int {
	lp = slices.Clone(lp)
	if p := r.RepetitionPenalty; p > 0 {
		for _, t := range seen { // all logits are negative here
			lp[t] *= p
		}
	}
	order := best(lp)
	if r.Temperature == 0 {
		return order[0]
	}
	weights := make([]float64, len(order))
	for i, t := range order {
		weights[i] = math.Exp((lp[t] - lp[order[0]]) / r.Temperature)
	}
	sum := 0.0
	for _, w := range weights {
		sum += w
	}
	keep, mass := len(order), 0.0
	for i, w := range weights {
		if r.TopK > 0 && i >= r.TopK || r.TopP > 0 && mass/sum >= r.TopP || w < r.MinP {
			keep = i
			break
		}
		mass += w
	}
	x := rng.Float64() * mass
	for i, w := range weights[:keep] {
		if x -= w; x < 0 {
			return order[i]
		}
	}
	return order[keep-1]
}

// sample draws a choice after tokens.
func (f *Fake) sample(ctx context.Context, r lm.Request, prompt []int, seed int64, most int) (lm.Choice, int, error) {
	rng := rand.New(rand.NewPCG(uint64(seed), 7))
	c := lm.Choice{Finish: lm.FinishLength}
	seen, before := slices.Clone(prompt), -1
	if len(prompt) > 0 {
		before = prompt[len(prompt)-1]
	}
	n := 0
	for ; n < most; n++ {
		if err := lm.Gone(ctx, f.info.Name); err != nil {
			return c, n, err
		}
		lp := f.logprobs(before)
		t := draw(lp, r, seen, rng)
		if f.text(t) == end {
			c.Finish = lm.FinishStop
			break
		}
		c.Tokens = append(c.Tokens, f.token(t, len(c.Text), lp, r.Alternatives))
		c.Text += f.text(t)
		seen, before = append(seen, t), t
		if at := stop(c.Text, r.Stop); at >= 0 {
			c.Text, c.Finish = c.Text[:at], lm.FinishStop
			n++
			break
		}
	}
	return c, n, nil
}

// stop is where the first stop string begins; -1: nowhere.
func stop(text string, stops []string) int {
	first := -1
	for _, s := range stops {
		if at := strings.Index(text, s); at >= 0 && (first < 0 || at < first) {
			first = at
		}
	}
	return first
}

// begin refuses what a home refuses before it works.
func (f *Fake) begin(ctx context.Context, bad error) error {
	if bad != nil {
		return bad
	}
	if f.Before != nil {
		if err := f.Before(ctx); err != nil {
			return err
		}
	}
	return lm.Gone(ctx, f.info.Name)
}

func (f *Fake) long(tokens int) error {
	if tokens < f.info.Context {
		return nil
	}
	return &lm.Error{Kind: lm.TooLong, Model: f.info.Name, Err: fmt.Errorf("%d tokens do not fit a context of %d", tokens, f.info.Context)}
}

// Generate draws samples.
func (f *Fake) Generate(ctx context.Context, r lm.Request) (*lm.Reply, error) {
	return f.generate(ctx, r, true)
}

// Stream draws samples, and gives them token by token, the choices in turn.
func (f *Fake) Stream(ctx context.Context, r lm.Request, each func(lm.Delta) error) (*lm.Reply, error) {
	reply, err := f.generate(ctx, r, false)
	if err != nil {
		return reply, err
	}
	for at, more := 0, true; more; at++ {
		more = false
		for i, c := range reply.Choices {
			if at > len(c.Tokens) {
				continue
			}
			more = true
			d := lm.Delta{Index: i}
			if at == len(c.Tokens) {
				d.Finish = c.Finish
			} else {
				t := c.Tokens[at]
				from := min(t.Offset, len(c.Text))
				d.Text = c.Text[from:min(from+len(t.Raw()), len(c.Text))]
				if r.Logprobs {
					d.Tokens = []lm.Token{t}
				}
			}
			if err := each(d); err != nil {
				return nil, &lm.Error{Kind: lm.Cancelled, Model: f.info.Name, Err: err}
			}
		}
	}
	return bare(reply, r), nil
}

// bare leaves tokens out where they were not asked for.
func bare(reply *lm.Reply, r lm.Request) *lm.Reply {
	for i := range reply.Choices {
		if !r.Logprobs {
			reply.Choices[i].Tokens = nil
		}
	}
	return reply
}

func (f *Fake) generate(ctx context.Context, r lm.Request, strip bool) (*lm.Reply, error) {
	if err := f.begin(ctx, r.Check(f.info)); err != nil {
		return nil, err
	}
	prompt := f.tokens(write(r.Messages, r.Prompt, r.Continue))
	if err := f.long(len(prompt) + r.MaxTokens); err != nil {
		return nil, err
	}
	most := r.MaxTokens
	if most == 0 {
		most = 64
	}
	seed := f.drawn.Add(1) << 32
	if r.Seed != nil {
		seed = *r.Seed
	}
	reply := &lm.Reply{Usage: lm.Usage{Prompt: len(prompt)}}
	for i := range r.Samples() {
		c, n, err := f.sample(ctx, r, prompt, seed+int64(i), most)
		if err != nil {
			return reply, err
		}
		reply.Choices = append(reply.Choices, c)
		reply.Usage.Completion += n
	}
	if strip {
		bare(reply, r)
	}
	return reply, nil
}

// Score scores a text. Tokens do not run over its beginning.
func (f *Fake) Score(ctx context.Context, r lm.ScoreRequest) (*lm.Scores, error) {
	if err := f.begin(ctx, r.Check(f.info)); err != nil {
		return nil, err
	}
	prompt, text := f.tokens(write(r.Messages, r.Prompt, r.Continue)), f.tokens(r.Text)
	if err := f.long(len(prompt) + len(text)); err != nil {
		return nil, err
	}
	s := &lm.Scores{Usage: lm.Usage{Prompt: len(prompt) + len(text)}}
	before, at := -1, 0
	if len(prompt) > 0 {
		before = prompt[len(prompt)-1]
	}
	for _, t := range text {
		k := f.token(t, at, f.logprobs(before), r.Alternatives)
		if before < 0 {
			k.Logprob, k.Unscored, k.Alternatives = 0, true, nil
		}
		s.Tokens = append(s.Tokens, k)
		before, at = t, at+len(f.text(t))
	}
	return s, nil
}

// Embed counts a text's tokens into eight places, and takes the length of one.
func (f *Fake) Embed(ctx context.Context, r lm.EmbedRequest) (*lm.Embeddings, error) {
	if err := f.begin(ctx, r.Check(f.info)); err != nil {
		return nil, err
	}
	n := 8
	if r.Dimensions > 0 {
		n = min(n, r.Dimensions)
	}
	e := &lm.Embeddings{}
	for _, s := range r.Texts {
		v := make([]float32, n)
		norm := 0.0
		for _, t := range f.tokens(s) {
			v[t%n]++
			e.Usage.Prompt++
		}
		for _, x := range v {
			norm += float64(x * x)
		}
		for i := range v {
			v[i] /= float32(math.Sqrt(norm))
		}
		e.Vectors = append(e.Vectors, v)
	}
	return e, nil
}
