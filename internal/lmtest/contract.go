package lmtest

import (
	"context"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"

	"pare/lm"
)

// Contract holds a home to what it says it can do. The demands that need something
// the home cannot do are refusals instead.
func Contract(t *testing.T, m lm.Model) {
	info := m.Info()
	if info.Name == "" || info.Fingerprint == "" {
		t.Errorf("the model has no name or no fingerprint: %+v", info)
	}
	t.Run("samples", func(t *testing.T) { samples(t, m) })
	t.Run("greedy", func(t *testing.T) { greedy(t, m) })
	t.Run("stop", func(t *testing.T) { stops(t, m) })
	t.Run("scores", func(t *testing.T) { scores(t, m) })
	t.Run("stream", func(t *testing.T) { stream(t, m) })
	t.Run("chat", func(t *testing.T) { chat(t, m) })
	t.Run("embed", func(t *testing.T) { embed(t, m) })
	t.Run("refusals", func(t *testing.T) { refusals(t, m) })
}

const prompt = "Once the cat"

func generate(t *testing.T, m lm.Model, r lm.Request) *lm.Reply {
	t.Helper()
	reply, err := m.Generate(context.Background(), r)
	if err != nil {
		t.Fatal(err)
	}
	if len(reply.Choices) != r.Samples() {
		t.Fatalf("%d choices for %d samples", len(reply.Choices), r.Samples())
	}
	if u := reply.Usage; u.Prompt == 0 && !u.Unknown {
		t.Errorf("usage %+v", u)
	}
	return reply
}

// A seed gives the same samples again; they differ among each other, and from those
// of another seed.
func samples(t *testing.T, m lm.Model) {
	if !m.Info().Can.Seed || !m.Info().Can.Text {
		t.Skip("no seeds")
	}
	r := lm.Request{Prompt: prompt, N: 4, MaxTokens: 8, Temperature: 1, Seed: new(int64(3))}
	one, two := generate(t, m, r), generate(t, m, r)
	if !reflect.DeepEqual(one.Choices, two.Choices) {
		t.Error("the same seed gives other samples")
	}
	distinct := map[string]bool{}
	for _, c := range one.Choices {
		distinct[c.Text] = true
		if c.Tokens != nil {
			t.Error("tokens that were not asked for")
		}
	}
	if len(distinct) < 2 {
		t.Errorf("four samples at temperature 1 are all %q", one.Choices[0].Text)
	}
	r.Seed = new(int64(100))
	if reflect.DeepEqual(one.Choices, generate(t, m, r).Choices) {
		t.Error("another seed gives the same samples")
	}
}

// At temperature 0 the token is the likeliest, and so it is where only one may be
// drawn.
func greedy(t *testing.T, m lm.Model) {
	can := m.Info().Can
	if !can.Text || !can.Logprobs || can.Alternatives < 1 {
		t.Skip("no log-probabilities")
	}
	r := lm.Request{Prompt: prompt, MaxTokens: 6, Logprobs: true, Alternatives: 1}
	c := generate(t, m, r).Choices[0]
	if len(c.Tokens) == 0 {
		t.Fatal("no tokens")
	}
	for _, k := range c.Tokens {
		if len(k.Alternatives) != 1 || math.Abs(k.Logprob-k.Alternatives[0].Logprob) > 1e-6 {
			t.Errorf("token %q of %v is not the likeliest: %+v", k.Text, k.Logprob, k.Alternatives)
		}
	}
	if can.TopK {
		r.Temperature, r.TopK = 1, 1
		if got := generate(t, m, r).Choices[0].Text; got != c.Text {
			t.Errorf("of one token %q is drawn, not %q", got, c.Text)
		}
	}
	r.MaxTokens = 2
	if got := generate(t, m, r); got.Choices[0].Finish != lm.FinishLength || got.Usage.Completion > 2 && !got.Usage.Unknown {
		t.Errorf("two tokens end with %q, %+v", got.Choices[0].Finish, got.Usage)
	}
}

// A stop string ends the text before it.
func stops(t *testing.T, m lm.Model) {
	if !m.Info().Can.Text || m.Info().Can.Stops == 0 {
		t.Skip("no stop strings")
	}
	r := lm.Request{Prompt: prompt, MaxTokens: 12}
	whole := generate(t, m, r).Choices[0].Text
	runes := []rune(whole)
	if len(runes) < 6 {
		t.Fatalf("the text %q is too short for this test", whole)
	}
	r.Stop = []string{"never in a text\x00", string(runes[3:5])}
	c := generate(t, m, r).Choices[0]
	if want := whole[:strings.Index(whole, r.Stop[1])]; c.Text != want || c.Finish != lm.FinishStop {
		t.Errorf("%q stopped before %q is %q (%s)", whole, r.Stop[1], c.Text, c.Finish)
	}
}

// What was drawn has the same log-probabilities when it is scored; offsets say where
// tokens stand, in letters of any length.
func scores(t *testing.T, m lm.Model) {
	can := m.Info().Can
	if !can.Score || !can.Text {
		t.Skip("no scores")
	}
	for _, text := range []string{" sat on 42", " 猫 naïve é\n", " the" + strings.Repeat(" so", 20)} {
		s, err := m.Score(context.Background(), lm.ScoreRequest{Prompt: prompt, Text: text})
		if err != nil {
			t.Fatal(err)
		}
		var all []byte
		for _, k := range s.Tokens {
			if k.Offset != len(all) || k.Logprob > 0 || k.Unscored {
				t.Errorf("%q: token %+v at %d", text, k, len(all))
			}
			all = append(all, k.Raw()...)
		}
		if string(all) != text {
			t.Errorf("the tokens of %q are %q", text, all)
		}
		if sum := lm.Sum(s.Tokens); !(sum < 0) || math.Abs(lm.Mean(s.Tokens)*float64(len(s.Tokens))-sum) > 1e-9 {
			t.Errorf("%q: sum %v, mean %v", text, sum, lm.Mean(s.Tokens))
		}
	}
	if !can.Logprobs || !can.Seed {
		return
	}
	var c lm.Choice
	for seed := int64(5); c.Text == ""; seed++ { // a sample may end at once
		c = generate(t, m, lm.Request{Prompt: prompt, MaxTokens: 8, Temperature: 1, Seed: &seed, Logprobs: true}).Choices[0]
	}
	s, err := m.Score(context.Background(), lm.ScoreRequest{Prompt: prompt, Text: c.Text})
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Tokens) != len(c.Tokens) { // another way to write the same text
		t.Logf("%q was drawn as %d tokens and is scored as %d", c.Text, len(c.Tokens), len(s.Tokens))
		return
	}
	for i, k := range s.Tokens {
		if math.Abs(k.Logprob-c.Tokens[i].Logprob) > 1e-3 {
			t.Errorf("token %d %q: drawn with %v, scored with %v", i, k.Text, c.Tokens[i].Logprob, k.Logprob)
		}
	}
}

// The pieces of a stream are the reply, and an error of the reader ends it.
func stream(t *testing.T, m lm.Model) {
	can := m.Info().Can
	if !can.Text || !can.Seed {
		t.Skip("no seeds")
	}
	r := lm.Request{Prompt: prompt, N: 2, MaxTokens: 8, Temperature: 1, Seed: new(int64(9)), Logprobs: can.Logprobs}
	want := generate(t, m, r)
	var got lm.Reply
	pieces := 0
	reply, err := lm.Stream(context.Background(), m, r, func(d lm.Delta) error { pieces++; got.Add(d); return nil })
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got.Choices, want.Choices) {
		t.Errorf("the pieces make\n%+v, not\n%+v", got.Choices, want.Choices)
	}
	if !reflect.DeepEqual(reply, want) {
		t.Errorf("the stream ends in\n%+v, not\n%+v", reply, want)
	}
	stop := errors.New("enough")
	if _, err := lm.Stream(context.Background(), m, r, func(lm.Delta) error { return stop }); !errors.Is(err, stop) || !errors.Is(err, lm.Cancelled) {
		t.Errorf("the reader's error comes back as %v", err)
	}
}

// A chat is answered; going on inside an answer is not the same as a new one; what is
// drawn after messages scores the same.
func chat(t *testing.T, m lm.Model) {
	can := m.Info().Can
	if !can.Chat {
		t.Skip("no chats")
	}
	ms := []lm.Message{{Role: lm.System, Text: "Be brief."}, {Role: lm.User, Text: "Where is the cat?"}}
	c := generate(t, m, lm.Request{Messages: ms, MaxTokens: 6, Logprobs: can.Logprobs}).Choices[0]
	if can.ScoreChat && can.Logprobs && c.Text != "" {
		s, err := m.Score(context.Background(), lm.ScoreRequest{Messages: ms, Text: c.Text})
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(lm.Sum(s.Tokens)-lm.Sum(c.Tokens)) > 1e-3*float64(len(s.Tokens)) {
			t.Errorf("%q was drawn with %v and scored with %v", c.Text, lm.Sum(c.Tokens), lm.Sum(s.Tokens))
		}
	}
	if !can.Continue {
		return
	}
	ms = append(ms, lm.Message{Role: lm.Assistant, Text: "The cat sat"})
	in := generate(t, m, lm.Request{Messages: ms, Continue: true, MaxTokens: 12}).Choices[0].Text
	after := generate(t, m, lm.Request{Messages: ms, MaxTokens: 12}).Choices[0].Text
	if in == after {
		t.Errorf("going on inside the answer and after it are both %q", in)
	}
	if strings.HasPrefix(in, "The cat sat") {
		t.Errorf("the continuation repeats what it continues: %q", in)
	}
}

// Vectors stand in the order of the texts, all of one length; the same text has the
// same vector.
func embed(t *testing.T, m lm.Model) {
	if !m.Info().Can.Embed {
		t.Skip("no embeddings")
	}
	e, err := m.Embed(context.Background(), lm.EmbedRequest{Texts: []string{"the cat", "42 x, 42", "the cat"}})
	if err != nil {
		t.Fatal(err)
	}
	if len(e.Vectors) != 3 || len(e.Vectors[0]) == 0 || len(e.Vectors[0]) != len(e.Vectors[1]) {
		t.Fatalf("vectors %v", e.Vectors)
	}
	if !reflect.DeepEqual(e.Vectors[0], e.Vectors[2]) || reflect.DeepEqual(e.Vectors[0], e.Vectors[1]) {
		t.Errorf("vectors %v", e.Vectors)
	}
}

// What a home cannot do and what means nothing is refused, each by its kind; an ended
// context is no reply.
func refusals(t *testing.T, m lm.Model) {
	can := m.Info().Can
	ctx := context.Background()
	ask := func(r lm.Request) error { _, err := m.Generate(ctx, r); return err }
	base := lm.Request{Prompt: prompt, MaxTokens: 2}
	if !can.Text {
		base = lm.Request{Messages: []lm.Message{{Role: lm.User, Text: prompt}}, MaxTokens: 2}
	}
	with := func(f func(*lm.Request)) lm.Request { r := base; f(&r); return r }
	for name, r := range map[string]lm.Request{
		"nothing":       {},
		"temperature":   with(func(r *lm.Request) { r.Temperature = math.NaN() }),
		"samples":       with(func(r *lm.Request) { r.N = -1 }),
		"share":         with(func(r *lm.Request) { r.TopP = 1.5 }),
		"both":          with(func(r *lm.Request) { r.Prompt, r.Messages = "x", []lm.Message{{Role: lm.User, Text: "x"}} }),
		"role":          with(func(r *lm.Request) { r.Prompt, r.Messages = "", []lm.Message{{Role: "tool", Text: "x"}} }),
		"stop":          with(func(r *lm.Request) { r.Stop = []string{""} }),
		"letters":       with(func(r *lm.Request) { r.Prompt, r.Messages = "\xff", nil }),
		"alternatives":  with(func(r *lm.Request) { r.Alternatives = 1 }),
		"inside a user": with(func(r *lm.Request) { r.Continue = true }),
	} {
		if err := ask(r); !errors.Is(err, lm.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if !can.Seed && !errors.Is(ask(with(func(r *lm.Request) { r.Seed = new(int64(1)) })), lm.Unsupported) {
		t.Error("a seed that is not understood is not refused")
	}
	if !can.Score {
		if _, err := m.Score(ctx, lm.ScoreRequest{Prompt: "a", Text: "b"}); !errors.Is(err, lm.Unsupported) {
			t.Errorf("score: %v", err)
		}
	}
	if n := m.Info().Context; n > 0 && can.Text {
		if err := ask(lm.Request{Prompt: strings.Repeat("a b c ", n), MaxTokens: 1}); !errors.Is(err, lm.TooLong) {
			t.Errorf("a prompt longer than the context: %v", err)
		}
	}
	gone, cancel := context.WithCancel(ctx)
	cancel()
	if reply, err := m.Generate(gone, base); !errors.Is(err, lm.Cancelled) || !errors.Is(err, context.Canceled) {
		t.Errorf("an ended context: %v, %v", reply, err)
	}
}
