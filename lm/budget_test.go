package lm_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"pare/internal/lmtest"
	"pare/lm"
)

func newBudget(t *testing.T, l lm.Limits) *lm.Budget {
	t.Helper()
	b, err := lm.NewBudget(l)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func within(t *testing.T, m lm.Model, b *lm.Budget, p *lm.Price) lm.Model {
	t.Helper()
	w, err := lm.WithBudget(m, b, p)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// What a call took counts afterwards, exactly; the sum of money is exact too.
func TestBudgetCounts(t *testing.T) {
	b := newBudget(t, lm.Limits{Calls: 10, Tokens: 10000, Money: 1})
	price := lm.Price{Prompt: 3, Cached: 1, Completion: 15}
	m := within(t, lmtest.NewFake("fake"), b, &price)
	var want lm.Spent
	for range 3 {
		u := ask(t, m, seeded).Usage
		want.Calls++
		want.Prompt += u.Prompt
		want.Completion += u.Completion
	}
	s, err := m.Score(ctx, lm.ScoreRequest{Prompt: "the cat", Text: " sat"})
	if err != nil {
		t.Fatal(err)
	}
	want.Calls++
	want.Prompt += s.Usage.Prompt
	want.Money = price.Money(lm.Usage{Prompt: want.Prompt, Completion: want.Completion})
	if got := b.Spent(); got != want {
		t.Errorf("spent %+v, not %+v", got, want)
	}
	if got := price.Money(lm.Usage{Prompt: 1000, Cached: 400, Completion: 10}); got != (600*3+400*1+10*15)/1e6 {
		t.Errorf("money %v", got)
	}
}

// However many ask at once, no limit is passed: not for a moment, and the calls that
// were let through were as many as fit.
func TestConcurrentCallersCannotOverrun(t *testing.T) {
	for _, l := range []lm.Limits{{Calls: 7}, {Tokens: 700}, {Money: 0.007}} {
		b := newBudget(t, l)
		fake := newCounted()
		m := within(t, fake, b, &lm.Price{Prompt: 10, Completion: 10})
		rs := make([]lm.Request, 200)
		for i := range rs {
			rs[i] = lm.Request{Prompt: "the", MaxTokens: 20}
		}
		got, err := lm.All(ctx, parallel{m, 50}, rs)
		if !errors.Is(err, lm.OverBudget) {
			t.Fatalf("%+v: %v", l, err)
		}
		done := 0
		for _, r := range got {
			if r != nil {
				done++
			}
		}
		s := b.Spent()
		if done != fake.calls || s.Calls != done || done == 0 || l.Calls > 0 && done != l.Calls || s.Exceeded > 0 {
			t.Errorf("%+v: %d replies, %d calls, %+v", l, done, fake.calls, s)
		}
		if l.Calls > 0 && s.Calls > l.Calls || l.Tokens > 0 && s.Prompt+s.Completion > l.Tokens || l.Money > 0 && s.Money > l.Money {
			t.Errorf("%+v was passed: %+v", l, s)
		}
	}
}

type parallel struct {
	lm.Model
	n int
}

func (p parallel) Info() lm.Info { i := p.Model.Info(); i.Parallel = p.n; return i }

// A call that may have cost something, nobody knows what, counts as the most; one
// that surely cost nothing as a call alone; one that took more than the most is told.
func TestWhatIsNotKnownCountsInFull(t *testing.T) {
	r := lm.Request{Prompt: "the", N: 2, MaxTokens: 20}
	most := 3 + 64 + 2*20
	for name, c := range map[string]struct {
		err  error
		want lm.Spent
	}{
		"refused":  {&lm.Error{Kind: lm.Refused}, lm.Spent{Calls: 1}},
		"lost":     {&lm.Error{Kind: lm.TimedOut, Unsure: true}, lm.Spent{Calls: 1, Prompt: 67, Completion: 40, Unsure: 1}},
		"nameless": {errors.New("?"), lm.Spent{Calls: 1, Prompt: 67, Completion: 40, Unsure: 1}},
	} {
		b := newBudget(t, lm.Limits{Tokens: most})
		fake := newCounted()
		fake.fail = func(int) error { return c.err }
		if _, err := within(t, fake, b, nil).Generate(ctx, r); !errors.Is(err, c.err) {
			t.Errorf("%s: %v", name, err)
		}
		if got := b.Spent(); got != c.want {
			t.Errorf("%s: %+v, not %+v", name, got, c.want)
		}
	}
	for name, c := range map[string]struct {
		usage lm.Usage
		want  lm.Spent
	}{
		"unknown": {lm.Usage{Unknown: true}, lm.Spent{Calls: 1, Prompt: 67, Completion: 40, Unsure: 1}},
		"more":    {lm.Usage{Prompt: 500, Completion: 1}, lm.Spent{Calls: 1, Prompt: 500, Completion: 1, Exceeded: 1}},
	} {
		b := newBudget(t, lm.Limits{Tokens: most})
		m := within(t, says{lmtest.NewFake("fake"), c.usage}, b, nil)
		ask(t, m, r)
		if got := b.Spent(); got != c.want {
			t.Errorf("%s: %+v, not %+v", name, got, c.want)
		}
		if _, err := m.Generate(ctx, r); !errors.Is(err, lm.OverBudget) {
			t.Errorf("%s: another call: %v", name, err)
		}
	}
}

type says struct {
	lm.Model
	usage lm.Usage
}

func (s says) Generate(ctx context.Context, r lm.Request) (*lm.Reply, error) {
	reply, err := s.Model.Generate(ctx, r)
	reply.Usage = s.usage
	return reply, err
}

// A home that tries again asks the budget first.
func TestLost(t *testing.T) {
	b := newBudget(t, lm.Limits{Calls: 4, Tokens: 250})
	fake := lmtest.NewFake("fake")
	var errs []error
	fake.Before = func(ctx context.Context) error {
		for _, unsure := range []bool{false, true, true} {
			errs = append(errs, lm.Lost(ctx, unsure))
		}
		return nil
	}
	ask(t, within(t, fake, b, nil), lm.Request{Prompt: "the", MaxTokens: 20}) // up to 87 tokens
	if errs[0] != nil || errs[1] != nil || !errors.Is(errs[2], lm.OverBudget) {
		t.Errorf("%v", errs)
	}
	if s := b.Spent(); s.Calls != 3 || s.Unsure != 1 || s.Prompt+s.Completion < 87 || s.Prompt+s.Completion > 87+40 {
		t.Errorf("%+v", s)
	}
	if err := lm.Lost(ctx, true); err != nil {
		t.Error("without a budget there is none to pass")
	}
}

// Of two budgets, one around the other, both see every try.
func TestLostInBoth(t *testing.T) {
	fake := lmtest.NewFake("fake")
	fake.Before = func(ctx context.Context) error { return lm.Lost(ctx, false) }
	inner, outer := newBudget(t, lm.Limits{Calls: 10}), newBudget(t, lm.Limits{Calls: 3})
	m := within(t, within(t, fake, inner, nil), outer, nil)
	ask(t, m, seeded)
	if a, b := inner.Spent(), outer.Spent(); a != b || a.Calls != 2 {
		t.Errorf("%+v inside, %+v outside", a, b)
	}
	if _, err := m.Generate(ctx, seeded); !errors.Is(err, lm.OverBudget) || outer.Spent().Calls != 3 {
		t.Errorf("%v after %+v", err, outer.Spent())
	}
}

// A budget in a file goes on where it was; a call that was under way when the process
// died counts in full.
func TestBudgetResumes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "budget")
	limits := lm.Limits{Tokens: 1000}
	b, err := lm.OpenBudget(path, limits)
	if err != nil {
		t.Fatal(err)
	}
	fake := newCounted()
	m := within(t, fake, b, nil)
	ask(t, m, seeded)
	before := b.Spent()
	if _, err := lm.OpenBudget(path, limits); err == nil {
		t.Error("a second user is let in")
	}
	var killed []byte
	fake.fail = func(int) error { killed, err = os.ReadFile(path); return err }
	ask(t, m, lm.Request{Prompt: "the", MaxTokens: 20})
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	after := b.Spent()
	if b, err = lm.OpenBudget(path, limits); err != nil || b.Spent() != after {
		t.Errorf("%+v, %v, not %+v", b.Spent(), err, after)
	}
	b.Close()
	if err := os.WriteFile(path, killed, 0o600); err != nil {
		t.Fatal(err)
	}
	want := before
	want.Calls++
	want.Prompt += 67
	want.Completion += 20
	want.Unsure = 1
	for range 2 {
		if b, err = lm.OpenBudget(path, limits); err != nil || b.Spent() != want {
			t.Errorf("%+v, %v, not %+v", b.Spent(), err, want)
		}
		b.Close()
	}
}

// Of a process that died with two calls under way, one of which had lost a try, all
// three count.
func TestBudgetOfSeveralOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "budget")
	b, err := lm.OpenBudget(path, lm.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	fake := lmtest.NewFake("fake")
	m := within(t, fake, b, nil)
	var killed []byte
	fake.Before = func(context.Context) error {
		fake.Before = func(ctx context.Context) error {
			if err := lm.Lost(ctx, true); err != nil {
				return err
			}
			killed, err = os.ReadFile(path)
			return err
		}
		_, err := m.Generate(ctx, lm.Request{Prompt: "on", MaxTokens: 10})
		return err
	}
	ask(t, m, lm.Request{Prompt: "the", MaxTokens: 20})
	other := filepath.Join(t.TempDir(), "budget")
	if err := os.WriteFile(other, killed, 0o600); err != nil {
		t.Fatal(err)
	}
	o, err := lm.OpenBudget(other, lm.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	if got, want := o.Spent(), (lm.Spent{Calls: 3, Prompt: 67 + 66 + 66, Completion: 20 + 10 + 10, Unsure: 3}); got != want {
		t.Errorf("%+v, not %+v", got, want)
	}
}

// A file that is no budget is refused, by the line.
func TestNoBudget(t *testing.T) {
	path := filepath.Join(t.TempDir(), "budget")
	for _, text := range []string{"{}\n", "x\n", `{"spent":{"calls":-5}}` + "\n", `{"id":1,"settle":{"nano":-1}}` + "\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := lm.OpenBudget(path, lm.Limits{Calls: 1}); err == nil || !strings.Contains(err.Error(), "line 1") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// A home that says nonsense of what it took does not free the budget.
func TestHugeUsage(t *testing.T) {
	b := newBudget(t, lm.Limits{})
	m := within(t, says{lmtest.NewFake("fake"), lm.Usage{Prompt: 1 << 40}}, b, &lm.Price{Prompt: 1e6})
	for range 20 {
		before := b.Spent().Money
		if ask(t, m, seeded); b.Spent().Money < max(before, 1e9) {
			t.Fatalf("%v after %v", b.Spent().Money, before)
		}
	}
}

// What cannot be held is refused before anything is asked.
func TestBudgetRefuses(t *testing.T) {
	fake := newCounted()
	if _, err := lm.WithBudget(fake, newBudget(t, lm.Limits{Money: 1}), nil); err == nil || !strings.Contains(err.Error(), "price of fake") {
		t.Errorf("no price: %v", err)
	}
	if _, err := lm.NewBudget(lm.Limits{Calls: -1}); err == nil {
		t.Error("a negative limit")
	}
	endless := says{unbounded{fake}, lm.Usage{}}
	if _, err := within(t, endless, newBudget(t, lm.Limits{Tokens: 1e6}), nil).Generate(ctx, lm.Request{Prompt: "a"}); !errors.Is(err, lm.Invalid) || !strings.Contains(err.Error(), "MaxTokens is needed") {
		t.Errorf("no end: %v", err)
	}
	if fake.calls != 0 {
		t.Error("something was asked")
	}
}

type unbounded struct{ lm.Model }

func (u unbounded) Info() lm.Info { i := u.Model.Info(); i.Context = 0; return i }

// What is kept costs nothing.
func TestCacheAroundBudget(t *testing.T) {
	b := newBudget(t, lm.Limits{Calls: 1})
	c := newCache(t, within(t, lmtest.NewFake("fake"), b, nil), t.TempDir())
	l := lm.NewLedger()
	m := lm.WithLedger(c, l, "judge", &lm.Price{Prompt: 1, Completion: 1})
	u := ask(t, m, seeded).Usage
	ask(t, m, seeded)
	other := seeded
	other.Prompt = "on"
	if _, err := m.Generate(ctx, other); !errors.Is(err, lm.OverBudget) {
		t.Error(err)
	}
	got := l.Totals()[[2]string{"fake", "judge"}]
	got.Took = 0
	u.Calls = 2 // the refused one among them
	if want := (lm.Total{Calls: 3, Kept: 1, Failed: 1, Usage: u, Money: (lm.Price{Prompt: 1, Completion: 1}).Money(u)}); got != want {
		t.Errorf("%+v, not %+v", got, want)
	}
}

// What a failed call took is not known where the call may have cost something.
func TestLedgerOfFailures(t *testing.T) {
	for name, c := range map[string]struct {
		err     error
		unknown bool
	}{
		"refused": {&lm.Error{Kind: lm.Refused}, false},
		"lost":    {&lm.Error{Kind: lm.TimedOut, Unsure: true}, true},
	} {
		l, fake := lm.NewLedger(), newCounted()
		fake.fail = func(int) error { return c.err }
		if _, err := lm.WithLedger(fake, l, "", nil).Generate(ctx, seeded); !errors.Is(err, c.err) {
			t.Errorf("%s: %v", name, err)
		}
		if got := l.Totals()[[2]string{"fake", ""}]; got.Failed != 1 || got.Usage.Unknown != c.unknown {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// A ledger in a file goes on where it was.
func TestLedgerResumes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger")
	var totals []map[[2]string]lm.Total
	for range 2 {
		l, err := lm.OpenLedger(path)
		if err != nil {
			t.Fatal(err)
		}
		totals = append(totals, l.Totals())
		ask(t, lm.WithLedger(lmtest.NewFake("fake"), l, "", nil), seeded)
		totals = append(totals, l.Totals())
		l.Close()
	}
	if len(totals[0]) != 0 || !reflect.DeepEqual(totals[1], totals[2]) || totals[3][[2]string{"fake", ""}].Calls != 2 {
		t.Errorf("%+v", totals)
	}
}

func TestReadPrices(t *testing.T) {
	got, err := lm.ReadPrices(strings.NewReader(`{"a": {"prompt": 1, "completion": 2}, "b": {"prompt": 1, "cached": 0.5, "completion": 0}}`))
	if want := (map[string]lm.Price{"a": {Prompt: 1, Cached: 1, Completion: 2}, "b": {Prompt: 1, Cached: .5}}); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v, %v", got, err)
	}
	for _, bad := range []string{``, `{`, `[]`, `{"a":{"prompt":1}}`, `{"a":{"prompt":-1,"completion":1}}`, `{"a":{"promt":1}}`, `{"a":{"prompt":1e300,"completion":1}}`, `{} {}`} {
		if p, err := lm.ReadPrices(strings.NewReader(bad)); err == nil {
			t.Errorf("%s: %v", bad, p)
		}
	}
}
