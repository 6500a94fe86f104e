package lm

import (
	"context"
	"encoding/json"
	"maps"
	"sync"
	"time"

	"pare/internal/journal"
)

// Entry is a line of a ledger: a call and what came of it.
type Entry struct {
	Model   string        `json:"model"`
	Purpose string        `json:"purpose,omitempty"`
	Call    string        `json:"call"` // generate, score, embed
	Usage   Usage         `json:"usage"`
	Money   float64       `json:"money,omitempty"`
	Kept    bool          `json:"kept,omitempty"`   // it came from a cache or a recording, and cost nothing
	Failed  Kind          `json:"failed,omitempty"` // why there is no whole reply
	Took    time.Duration `json:"took"`
}

// Total is the sum over entries.
type Total struct {
	Calls  int           `json:"calls"`  // all that were asked
	Kept   int           `json:"kept"`   // of them, those that a cache or a recording answered
	Failed int           `json:"failed"` // of them, those without a whole reply
	Usage  Usage         `json:"usage"`  // of those that were not kept
	Money  float64       `json:"money"`
	Took   time.Duration `json:"took"` // summed over calls, of which several may have been at once
}

// Ledger notes what calls took, by model and purpose. Several models may share one.
type Ledger struct {
	file *journal.File // nil: in memory alone

	mu     sync.Mutex
	totals map[[2]string]Total
}

// NewLedger makes a ledger that lasts as long as the process.
func NewLedger() *Ledger { return &Ledger{totals: map[[2]string]Total{}} }

// OpenLedger makes a ledger that is kept in a file of JSON lines, an [Entry] a line.
func OpenLedger(path string) (*Ledger, error) {
	l := NewLedger()
	var err error
	l.file, err = journal.Open(path, func(line []byte) error {
		var e Entry
		if err := json.Unmarshal(line, &e); err != nil {
			return err
		}
		l.add(e)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return l, nil
}

// Close ends the use of the ledger's file.
func (l *Ledger) Close() error {
	if l.file == nil {
		return nil
	}
	return l.file.Close()
}

// Totals is the sums by model and purpose.
func (l *Ledger) Totals() map[[2]string]Total {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.totals)
}

func (l *Ledger) add(e Entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := [2]string{e.Model, e.Purpose}
	t := l.totals[at]
	t.Calls++
	t.Took += e.Took
	if e.Failed != "" {
		t.Failed++
	}
	if e.Kept {
		t.Kept++
	} else {
		calls := t.Usage.Calls + max(e.Usage.Calls, 1)
		t.Usage.Add(e.Usage)
		t.Usage.Calls = calls
		t.Money += e.Money
	}
	l.totals[at] = t
}

// WithLedger notes the calls of a model for a purpose, such as "judge". Money is
// noted where there is a price.
func WithLedger(m Model, l *Ledger, purpose string, p *Price) Model {
	return layer{m.Info, func(ctx context.Context, q call, each func(Delta) error) (answer, error) {
		begin := time.Now()
		a, err := q.ask(ctx, m, each)
		e := Entry{Model: m.Info().Name, Purpose: purpose, Call: q.name(), Failed: KindOf(err), Took: time.Since(begin)}
		e.Usage, e.Kept, _ = a.usage()
		e.Usage.Unknown = e.Usage.Unknown || !e.Kept && unsure(err)
		if p != nil && !e.Kept {
			e.Money = p.Money(e.Usage)
		}
		l.add(e)
		if l.file != nil {
			if bad := l.file.Add(e); bad != nil && err == nil {
				err = &Error{Kind: Broken, Model: e.Model, Err: bad}
			}
		}
		return a, err
	}}
}
