package lm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"pare/catalog"
	"pare/internal/journal"
)

// Limits is what may be spent at most. 0: no limit.
type Limits struct {
	Calls  int     // requests to the home, tries that failed among them
	Tokens int     // prompt and completion
	Money  float64 // in the currency of the prices
}

// Spent is what has been spent.
type Spent struct {
	Calls      int     `json:"calls"`
	Prompt     int     `json:"prompt"`
	Completion int     `json:"completion"`
	Money      float64 `json:"money"`
	// Unsure is how many calls ended so that nobody told what they took: they count
	// as the most they can have taken.
	Unsure int `json:"unsure,omitempty"`
	// Exceeded is how many calls took more than was thought the most. Then a limit
	// may have been passed, by what these took more.
	Exceeded int `json:"exceeded,omitempty"`
}

// Budget holds what is spent below limits: before a call there has to be room for the
// most it can take, and after it counts what it took. Several models may share one,
// and many goroutines call them at once. The most is taken from the bytes of the
// prompt, of which a tokenizer makes no more tokens, 64 tokens around a call and 16
// around a message for the chat's template, and MaxTokens for each sample.
type Budget struct {
	limits Limits
	file   *journal.File // nil: in memory alone

	mu       sync.Mutex
	spent    tally
	reserved tally
	next     int
}

// tally is what a call may take, or took; all of it exact.
type tally struct {
	Calls      int   `json:"calls"`
	Prompt     int   `json:"prompt"`
	Completion int   `json:"completion"`
	Nano       money `json:"nano"`
	Unsure     int   `json:"unsure,omitempty"`
	Exceeded   int   `json:"exceeded,omitempty"`
}

func (t tally) plus(o tally, sign int) tally {
	return tally{t.Calls + sign*o.Calls, t.Prompt + sign*o.Prompt, t.Completion + sign*o.Completion, min(t.Nano+money(sign)*o.Nano, mostNano), t.Unsure + sign*o.Unsure, t.Exceeded + sign*o.Exceeded}
}

// mostNano is where sums of money stay, so that none turns negative.
const mostNano = money(4e18)

// sound says whether a tally that was read can have been written.
func (t *tally) sound() bool {
	return t == nil || t.Calls >= 0 && t.Prompt >= 0 && t.Completion >= 0 && t.Nano >= 0 && t.Nano <= mostNano
}

// step is a line of the file of a budget.
type step struct {
	Spent   *tally `json:"spent,omitempty"`   // all up to here
	Reserve *tally `json:"reserve,omitempty"` // by the call ID
	Settle  *tally `json:"settle,omitempty"`  // what the call ID took
	ID      int    `json:"id,omitempty"`
}

// NewBudget makes a budget that lasts as long as the process.
func NewBudget(l Limits) (*Budget, error) {
	if l.Calls < 0 || l.Tokens < 0 || !(l.Money >= 0 && l.Money <= mostCost) {
		return nil, catalog.Errorf("{Limits} %+v: numbers that are not negative are needed", l)
	}
	return &Budget{limits: l}, nil
}

// OpenBudget makes a budget that is kept in a file: what was spent in it before
// counts, and a call that a killed process left open counts as the most it can have
// taken. One process at a time may have it open.
func OpenBudget(path string, l Limits) (*Budget, error) {
	b, err := NewBudget(l)
	if err != nil {
		return nil, err
	}
	open := map[int]tally{}
	b.file, err = journal.Open(path, func(line []byte) error {
		var s step
		if err := json.Unmarshal(line, &s); err != nil {
			return err
		}
		switch {
		case !s.Spent.sound() || !s.Reserve.sound() || !s.Settle.sound():
			return errors.New("a number is out of range")
		case s.Spent != nil:
			b.spent = *s.Spent
		case s.Reserve != nil:
			open[s.ID] = *s.Reserve
		case s.Settle != nil:
			b.spent = b.spent.plus(*s.Settle, 1)
			delete(open, s.ID)
		default:
			return errors.New("it is no line of a budget")
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, t := range open {
		t.Unsure = 1
		b.spent = b.spent.plus(t, 1)
	}
	if err := b.file.Replace(step{Spent: &b.spent}); err != nil {
		return nil, errors.Join(err, b.file.Close())
	}
	return b, nil
}

// Close ends the use of the budget's file.
func (b *Budget) Close() error {
	if b.file == nil {
		return nil
	}
	return b.file.Close()
}

// Spent says what has been spent; what is under way is left out.
func (b *Budget) Spent() Spent {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.spent
	return Spent{s.Calls, s.Prompt, s.Completion, s.Nano.float(), s.Unsure, s.Exceeded}
}

// WithBudget holds a model below the limits of a budget. A limit of money needs a
// price. Put a cache around it, not inside: what is kept then costs nothing.
func WithBudget(m Model, b *Budget, p *Price) (Model, error) {
	if p == nil {
		if b.limits.Money > 0 {
			return nil, catalog.Errorf("there is no price of %s, which a limit of {Money} needs: give one in the prices", m.Info().Name)
		}
		p = &Price{}
	}
	if err := p.check(); err != nil {
		return nil, err
	}
	return layer{m.Info, func(ctx context.Context, q call, each func(Delta) error) (answer, error) {
		return b.answer(ctx, m, q, each, *p)
	}}, nil
}

func (b *Budget) answer(ctx context.Context, m Model, q call, each func(Delta) error, p Price) (answer, error) {
	info := m.Info()
	if err := q.check(info); err != nil {
		return answer{}, err
	}
	u, ends := q.bound(info)
	if !ends && (b.limits.Tokens > 0 || b.limits.Money > 0) {
		return answer{}, invalid("{MaxTokens} is needed under a budget of tokens or money: without it nobody knows what a call takes at most")
	}
	most := tally{Calls: u.Calls, Prompt: u.Prompt, Completion: u.Completion, Nano: p.most(u.Prompt, u.Completion)}
	id, err := b.reserve(info.Name, most)
	if err != nil {
		return answer{}, err
	}
	around, _ := ctx.Value(purse{}).(*open)
	a, err := q.ask(context.WithValue(ctx, purse{}, &open{b, info.Name, most, around}), m, each)
	took := took(a, err, p, most)
	if bad := b.settle(id, most, took); bad != nil {
		return a, errors.Join(err, broken(info.Name, bad))
	}
	return a, err
}

// took is what a call took, or the most where nobody knows.
func took(a answer, err error, p Price, most tally) tally {
	u, kept, ok := a.usage()
	switch {
	case kept:
		return tally{}
	case unsure(err) || ok && u.Unknown || !ok && err == nil:
		most.Unsure = 1
		return most
	case !ok: // it failed, and cost nothing
		return tally{Calls: most.Calls}
	}
	t := tally{Calls: max(u.Calls, 1), Prompt: u.Prompt, Completion: u.Completion, Nano: p.cost(u)}
	if err != nil { // usage tells of the parts that came
		t.Calls = max(t.Calls, most.Calls)
	}
	if t.Calls > most.Calls || t.Prompt+t.Completion > most.Prompt+most.Completion || t.Nano > most.Nano {
		t.Exceeded = 1
	}
	return t
}

// reserve takes room for the most that a call takes.
func (b *Budget) reserve(name string, t tally) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.room(name, t); err != nil {
		return 0, err
	}
	id := b.next
	if err := b.note(step{Reserve: &t, ID: id}); err != nil {
		return 0, broken(name, err)
	}
	b.next++
	b.reserved = b.reserved.plus(t, 1)
	return id, nil
}

// room refuses what does not fit any more.
func (b *Budget) room(name string, t tally) error {
	l, used := b.limits, b.spent.plus(b.reserved, 1)
	all := used.plus(t, 1)
	most := money(l.Money * nano)
	over := func(field string, need, left, limit any) error {
		return &Error{Kind: OverBudget, Model: name, Err: catalog.Errorf("the call may take {%s} %v, and of %v there are %v left: raise the limit, ask for less, or go on with what there is", field, need, limit, left)}
	}
	switch {
	case l.Calls > 0 && all.Calls > l.Calls:
		return over("Calls", t.Calls, l.Calls-used.Calls, l.Calls)
	case l.Tokens > 0 && all.Prompt+all.Completion > l.Tokens:
		return over("Tokens", t.Prompt+t.Completion, l.Tokens-used.Prompt-used.Completion, l.Tokens)
	case l.Money > 0 && all.Nano > most:
		return over("Money", t.Nano.float(), (most - used.Nano).float(), l.Money)
	}
	return nil
}

// settle counts what a call took in the place of the most.
func (b *Budget) settle(id int, most, took tally) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reserved = b.reserved.plus(most, -1)
	b.spent = b.spent.plus(took, 1)
	return b.note(step{Settle: &took, ID: id})
}

func broken(name string, err error) error {
	return &Error{Kind: Broken, Model: name, Err: fmt.Errorf("the budget could not be kept: %w", err)}
}

func (b *Budget) note(s step) error {
	if b.file == nil {
		return nil
	}
	return b.file.Add(s)
}

// purse is the key of a context under which a call's budget stands.
type purse struct{}

// open is a call under way.
type open struct {
	budget *Budget
	name   string
	most   tally
	around *open // of a budget around this one; nil: there is none
}

// Lost tells the budgets of a call, if it has any, that a try has failed and is about
// to be made again: homes that try again call it. What may have cost tokens counts as
// the most the call can take. The error is [OverBudget] where there is no room for
// another try.
func Lost(ctx context.Context, unsure bool) error {
	o, _ := ctx.Value(purse{}).(*open)
	for ; o != nil; o = o.around {
		if err := o.lost(unsure); err != nil {
			return err
		}
	}
	return nil
}

// lost counts a try that has failed.
func (o *open) lost(unsure bool) error {
	t := tally{Calls: 1}
	if unsure {
		t = o.most
		t.Unsure = 1
	}
	b := o.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.room(o.name, t); err != nil {
		return err
	}
	b.spent = b.spent.plus(t, 1)
	if err := b.note(step{Settle: &t, ID: -1}); err != nil {
		return broken(o.name, err)
	}
	return nil
}
