package lm_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"

	"pare/internal/lmtest"
	"pare/lm"
)

var ctx = context.Background()

// counted is a fake that counts what it is asked, and fails where it is told to.
type counted struct {
	*lmtest.Fake
	mu    sync.Mutex
	calls int
	fail  func(call int) error
}

func newCounted() *counted {
	c := &counted{Fake: lmtest.NewFake("fake")}
	c.Before = func(context.Context) error {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.calls++
		if c.fail != nil {
			return c.fail(c.calls)
		}
		return nil
	}
	return c
}

func ask(t *testing.T, m lm.Model, r lm.Request) *lm.Reply {
	t.Helper()
	reply, err := m.Generate(ctx, r)
	if err != nil {
		t.Fatal(err)
	}
	return reply
}

var (
	seeded = lm.Request{Prompt: "the", N: 2, MaxTokens: 5, Temperature: 1, Seed: new(int64(1)), Logprobs: true, Alternatives: 2}
	chance = lm.Request{Prompt: "the", MaxTokens: 5, Temperature: 1}
)

// Every wrapper is a model that meets the same demands.
func TestWrappersAreModels(t *testing.T) {
	dir := t.TempDir()
	cache, err := lm.WithCache(lmtest.NewFake("fake"), filepath.Join(dir, "cache"))
	if err != nil {
		t.Fatal(err)
	}
	recording, err := lm.Record(lmtest.NewFake("fake"), filepath.Join(dir, "recording"))
	if err != nil {
		t.Fatal(err)
	}
	defer recording.Close()
	budget, err := lm.NewBudget(lm.Limits{Calls: 1000, Tokens: 1e6})
	if err != nil {
		t.Fatal(err)
	}
	within, err := lm.WithBudget(lmtest.NewFake("fake"), budget, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, m := range map[string]lm.Model{"recording": recording, "budget": within, "ledger": lm.WithLedger(lmtest.NewFake("fake"), lm.NewLedger(), "test", nil)} {
		t.Run(name, func(t *testing.T) { lmtest.Contract(t, m) })
	}
	// What is kept says so, and is otherwise the same.
	for range 2 {
		got, want := ask(t, cache, seeded), ask(t, lmtest.NewFake("fake"), seeded)
		got.Kept = false
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%+v, not %+v", got, want)
		}
	}
}

func TestAllKeepsWhatSucceeds(t *testing.T) {
	m := newCounted()
	var rs []lm.Request
	for i := range 20 {
		r := seeded
		r.Seed = new(int64(i))
		if i%7 == 3 {
			r.TopP = 2
		}
		rs = append(rs, r)
	}
	got, err := lm.All(ctx, m, rs)
	var batch *lm.BatchError
	if !errors.As(err, &batch) || !reflect.DeepEqual(batch.Failed(), []int{3, 10, 17}) || !errors.Is(err, lm.Invalid) {
		t.Fatalf("%v", err)
	}
	if !strings.HasPrefix(err.Error(), "3 of 20 requests failed; request 3: invalid: ") {
		t.Error(err)
	}
	for i, r := range rs {
		if i%7 != 3 && !reflect.DeepEqual(got[i], ask(t, m, r)) {
			t.Errorf("reply %d is not that of its request", i)
		}
	}
	gone, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := lm.All(gone, m, rs); !errors.As(err, &batch) || len(batch.Errs) != 20 || !errors.Is(err, context.Canceled) {
		t.Errorf("ended: %v", err)
	}
	if got, err := lm.All(ctx, m, nil); len(got) != 0 || err != nil {
		t.Errorf("none: %v, %v", got, err)
	}
	scores, err := lm.AllScores(ctx, m, []lm.ScoreRequest{{Prompt: "the", Text: " cat"}, {Prompt: "the"}, {Prompt: "the", Text: " mat"}})
	if !errors.As(err, &batch) || len(batch.Errs) != 1 || scores[0].Tokens[0].Text != " cat" || scores[2].Tokens[0].Text != " mat" {
		t.Errorf("scores %v, %v", scores, err)
	}
}

func ExampleWithCache() {
	dir, err := os.MkdirTemp("", "lm")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	var model lm.Model = lmtest.NewFake("words") // or an endpoint
	cache, err := lm.WithCache(model, dir)
	if err != nil {
		fmt.Println(err)
		return
	}
	for range 3 {
		if _, err := cache.Generate(context.Background(), lm.Request{Prompt: "the", MaxTokens: 4}); err != nil {
			fmt.Println(err)
		}
	}
	fmt.Printf("%+v\n", cache.Stats())
	// Output: {Hits:2 Misses:1 Remade:0}
}

func ExampleWithBudget() {
	budget, err := lm.NewBudget(lm.Limits{Tokens: 200})
	if err != nil {
		fmt.Println(err)
		return
	}
	m, err := lm.WithBudget(lmtest.NewFake("words"), budget, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	for i := range 3 {
		_, err := m.Generate(context.Background(), lm.Request{Prompt: "the", MaxTokens: 60})
		fmt.Println(i, errors.Is(err, lm.OverBudget))
	}
	// Output:
	// 0 false
	// 1 false
	// 2 true
}

func ExampleAll() {
	m := lmtest.NewFake("words")
	replies, err := lm.All(context.Background(), m, []lm.Request{
		{Prompt: "the", MaxTokens: 3},
		{Prompt: "the", MaxTokens: -3}, // refused; the others are answered all the same
		{Prompt: "on", MaxTokens: 3},
	})
	fmt.Println(replies[0] != nil, replies[1] != nil, replies[2] != nil)
	fmt.Println(err)
	// Output:
	// true false true
	// 1 of 3 requests failed; request 1: invalid: MaxTokens -3: 0 to 16777216 is needed
}
