package lm_test

import (
	"context"
	"errors"
	"testing"

	"pare/internal/lmtest"
	"pare/lm"
)

// few is a model that makes two samples, and embeds two texts, a call.
type few struct{ *lmtest.Fake }

func (f few) Info() lm.Info {
	i := f.Fake.Info()
	i.Can.Samples, i.Can.Texts = 2, 2
	return i
}

// A call is let through where its most just fits, in every limit, and is not where it
// does not.
func TestMost(t *testing.T) {
	ms := []lm.Message{{Role: lm.System, Text: "Be brief."}, {Role: lm.User, Text: "猫?"}}
	generate := func(r lm.Request) func(lm.Model) error {
		return func(m lm.Model) error { _, err := m.Generate(ctx, r); return err }
	}
	for name, c := range map[string]struct {
		ask                       func(lm.Model) error
		calls, prompt, completion int
	}{
		"text":    {generate(lm.Request{Prompt: "the", MaxTokens: 7}), 1, 64 + 3, 7},
		"samples": {generate(lm.Request{Prompt: "the", MaxTokens: 7, N: 5}), 3, 3 * (64 + 3), 35},
		"chat":    {generate(lm.Request{Messages: ms, MaxTokens: 7}), 1, 64 + 16 + 9 + 16 + 4, 7},
		"score": {func(m lm.Model) error {
			_, err := m.Score(ctx, lm.ScoreRequest{Prompt: "the", Text: " cat"})
			return err
		}, 1, 64 + 3 + 4, 1},
		"vectors": {func(m lm.Model) error {
			_, err := m.Embed(ctx, lm.EmbedRequest{Texts: []string{"a", "bc", "def"}})
			return err
		}, 2, 3*64 + 6, 0},
	} {
		for _, price := range []lm.Price{{Prompt: 3, Cached: 1, Completion: 15}, {Prompt: 1, Cached: 3, Completion: 15}} {
			money := (3*float64(c.prompt) + 15*float64(c.completion)) / 1e6
			for _, l := range []struct{ enough, less lm.Limits }{
				{lm.Limits{Calls: c.calls}, lm.Limits{Calls: c.calls - 1}},
				{lm.Limits{Tokens: c.prompt + c.completion}, lm.Limits{Tokens: c.prompt + c.completion - 1}},
				{lm.Limits{Money: money + 1e-9}, lm.Limits{Money: money - 1e-8}},
			} {
				if err := c.ask(within(t, few{lmtest.NewFake("fake")}, newBudget(t, l.enough), &price)); err != nil {
					t.Errorf("%s, %+v: %v", name, l.enough, err)
				}
				if l.less == (lm.Limits{}) { // no limit
					continue
				}
				if err := c.ask(within(t, few{lmtest.NewFake("fake")}, newBudget(t, l.less), &price)); !errors.Is(err, lm.OverBudget) {
					t.Errorf("%s, %+v: %v", name, l.less, err)
				}
			}
		}
	}
}

// What is kept costs nothing inside a budget either, whatever becomes of it.
func TestKeptInsideBudget(t *testing.T) {
	cache := newCache(t, lmtest.NewFake("fake"), t.TempDir())
	ask(t, cache, seeded)
	b := newBudget(t, lm.Limits{})
	m := within(t, cache, b, nil)
	ask(t, m, seeded)
	enough := errors.New("enough")
	if _, err := lm.Stream(ctx, m, seeded, func(lm.Delta) error { return enough }); !errors.Is(err, enough) {
		t.Error(err)
	}
	if got := b.Spent(); got != (lm.Spent{}) {
		t.Errorf("%+v", got)
	}
}

// All asks for as many at once as the model says.
func TestAllAtOnce(t *testing.T) {
	fake := lmtest.NewFake("fake")
	come := make(chan struct{})
	fake.Before = func(ctx context.Context) error { // nobody goes on before two have come
		select {
		case come <- struct{}{}:
		case <-come:
		}
		return nil
	}
	if _, err := lm.All(ctx, parallel{fake, 2}, make([]lm.Request, 4)); err == nil {
		t.Error("nothing was asked for, and there was a reply")
	}
	rs := []lm.Request{chance, chance, chance, chance}
	if got, err := lm.All(ctx, parallel{fake, 2}, rs); err != nil || len(got) != 4 {
		t.Errorf("%v, %v", got, err)
	}
}
