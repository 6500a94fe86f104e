package local

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"

	"pare/catalog"
	"pare/internal/kernel"
	"pare/lm"
	"pare/lm/decode"
	"pare/lm/generate"
	"pare/tokenizer"
)

// draw is a seed where none is given.
func draw() uint64 { return rand.Uint64() }

// Score says how likely a text is after another.
func (m *Model) Score(ctx context.Context, r lm.ScoreRequest) (*lm.Scores, error) {
	if err := r.Check(m.Info()); err != nil {
		return nil, err
	}
	done, err := m.take(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	before, prefix, err := m.before(ctx, r.Messages, r.Prompt, r.Continue)
	if err != nil {
		return nil, err
	}
	all, err := m.both(prefix, r)
	if err != nil {
		return nil, err
	}
	if len(all) < len(before) {
		return nil, m.torn()
	}
	for i, t := range before {
		if all[i] != t {
			return nil, m.torn()
		}
	}
	if len(all) > m.opt.Context {
		return nil, m.fail(lm.TooLong, catalog.Errorf("both texts have %d tokens, more than {Context} %d", len(all), m.opt.Context))
	}
	w := &scored{m: m, all: all, want: r.Alternatives, stream: m.Tokenizer.Stream(true)}
	if err := w.run(ctx, len(before)); err != nil {
		return nil, m.failed(ctx, err)
	}
	return &lm.Scores{Tokens: w.out, Usage: lm.Usage{Prompt: len(all)}}, nil
}

// scored is a text on its way to be scored.
type scored struct {
	m      *Model
	all    []int // tokens, of what stands before too
	want   int   // alternatives
	stream *tokenizer.Stream
	at     int // bytes of the text up to the next token
	row    []float32
	out    []lm.Token
}

// run scores all tokens but the first n.
func (w *scored) run(ctx context.Context, n int) error {
	if n == 0 { // nothing stands before the text
		if err := w.add(0, nil); err != nil {
			return err
		}
		n = 1
	} else { // what stands before is no part of the text, but has to do with how its first bytes look
		for _, t := range w.all[:n] {
			if _, err := w.stream.Next(int32(t)); err != nil {
				return err
			}
		}
	}
	if n == len(w.all) {
		return nil
	}
	w.row = make([]float32, w.m.Family.Vocab)
	s, err := w.m.decode.NewSession(decode.Options{Capacity: len(w.all), Threads: w.m.opt.Threads, Most: w.m.opt.Memory, Cache: w.m.opt.Cache})
	if err != nil {
		return w.m.fail(lm.TooLong, err)
	}
	defer s.Close()
	if n > 1 {
		if err := s.Run([]decode.Input{{Tokens: w.all[:n-1]}}, nil); err != nil {
			return err
		}
	}
	return s.Run([]decode.Input{{Tokens: w.all[n-1 : len(w.all)-1], All: true}}, func(_, k int, logits []float32) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return w.add(n+k, logits)
	})
}

// add takes a token by the logits in front of it; nil: there are none.
func (w *scored) add(i int, logits []float32) error {
	piece, err := w.stream.Next(int32(w.all[i]))
	if err != nil {
		return err
	}
	k := lm.Token{Text: piece, Offset: w.at, Unscored: logits == nil}
	if logits != nil {
		kernel.LogSoftmax(logits, w.row, len(w.row))
		k.Logprob = float64(w.row[w.all[i]])
		if w.want > 0 {
			k.Alternatives = w.m.alternatives(generate.Likeliest(w.row, w.want))
		}
	}
	w.at += len(piece)
	w.out = append(w.out, k)
	return nil
}

// both are the tokens of what stands before and of the text, as one.
func (m *Model) both(prefix string, r lm.ScoreRequest) ([]int, error) {
	if len(r.Messages) > 0 {
		t, err := m.Tokenizer.Tokens(prefix + r.Text)
		if err != nil {
			return nil, m.fail(lm.Invalid, err)
		}
		return ints(t), nil
	}
	ids, _, err := m.before(context.Background(), nil, prefix+r.Text, false)
	return ids, err
}

// torn is the error of a text whose first token begins before it.
func (m *Model) torn() error {
	return m.fail(lm.Invalid, errors.New("the text's first token begins in what stands before it: move the border to where a word begins, with its space"))
}

// Perplexity is what a text comes to.
type Perplexity struct {
	Value  float64 `json:"perplexity"`     // exp of the mean loss of a token
	Loss   float64 `json:"loss"`           // the mean negative natural log-probability of a token
	Error  float64 `json:"loss_error"`     // the standard error of that mean, over windows
	Bits   float64 `json:"bits_per_byte"`  // of the text
	Tokens int     `json:"tokens"`         // that were scored
	Bytes  int     `json:"bytes"`          // that they are
	Window int     `json:"window"`         // tokens of a window
	Left   int     `json:"left,omitempty"` // tokens behind the last window, where all windows were asked for
}

// TextPerplexity scores a text in windows of so many tokens that do not overlap, each by
// itself, in which the first token is not scored: as the papers on pruning language models
// do (Frantar, Alistarh 2023, arXiv 2301.00774). What is less than a window at the end is
// left out, unless it is all. Only most windows are scored; 0: all. each is told after every window.
func (m *Model) TextPerplexity(ctx context.Context, text string, window, most int, each func(done, all int)) (*Perplexity, error) {
	if m.encoder != nil {
		return nil, m.fail(lm.Unsupported, errors.New("it is an encoder, which sees a text at once and says nothing of the next token: a text has no perplexity under it"))
	}
	done, err := m.take(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	ids, _, err := m.before(ctx, nil, text, false)
	if err != nil {
		return nil, err
	}
	if window == 0 {
		window = min(m.opt.Context, len(ids))
	}
	window = min(window, len(ids))
	if window < 2 {
		return nil, m.fail(lm.Invalid, catalog.Errorf("the text has %d tokens, of which none could be scored: a longer {Text} is needed", len(ids)))
	}
	if window > m.opt.Context {
		return nil, m.fail(lm.TooLong, catalog.Errorf("windows of %d tokens are longer than {Context} %d", window, m.opt.Context))
	}
	s, err := m.decode.NewSession(decode.Options{Capacity: window, Threads: m.opt.Threads, Most: m.opt.Memory, Cache: m.opt.Cache})
	if err != nil {
		return nil, m.fail(lm.TooLong, err)
	}
	defer s.Close()
	p := &Perplexity{Window: window}
	row := make([]float32, m.Family.Vocab)
	windows := len(ids) / window
	if most > 0 {
		windows = min(windows, most)
	} else {
		p.Left = len(ids) - windows*window
	}
	var means []float64
	for w := range windows {
		sum, err := m.window(ctx, s, ids[w*window:(w+1)*window], row)
		if err != nil {
			return nil, m.failed(ctx, err)
		}
		means = append(means, sum/float64(window-1))
		p.Loss += sum
		p.Tokens += window - 1
		scored := make([]int32, window-1)
		for i, t := range ids[w*window+1 : (w+1)*window] {
			scored[i] = int32(t)
		}
		plain, err := m.Tokenizer.Decode(scored, true)
		if err != nil {
			return nil, m.failed(ctx, err)
		}
		p.Bytes += len(plain)
		if each != nil {
			each(w+1, windows)
		}
	}
	p.Bits = p.Loss / math.Ln2 / float64(max(1, p.Bytes))
	p.Loss /= float64(p.Tokens)
	p.Value = math.Exp(p.Loss)
	if n := float64(len(means)); n > 1 {
		v := 0.
		for _, x := range means {
			v += (x - p.Loss) * (x - p.Loss)
		}
		p.Error = math.Sqrt(v / (n - 1) / n)
	}
	if math.IsNaN(p.Loss) {
		return nil, m.fail(lm.Broken, errors.New("the model gives logits that are not numbers"))
	}
	return p, nil
}

// window is the sum of the negative log-probabilities of tokens but the first.
func (m *Model) window(ctx context.Context, s *decode.Session, x []int, row []float32) (sum float64, err error) {
	if err := s.Truncate(0, 0); err != nil {
		return 0, err
	}
	err = s.Run([]decode.Input{{Tokens: x[:len(x)-1], All: true}}, func(_, k int, logits []float32) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		kernel.LogSoftmax(logits, row, len(row))
		sum -= float64(row[x[k+1]])
		return nil
	})
	return sum, err
}
