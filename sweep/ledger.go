package sweep

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
)

// ledger is the file of outcomes, one JSON object a line. The last line of a key
// counts.
type ledger struct {
	mu   sync.Mutex
	path string
	by   map[string]*Outcome
}

// openLedger reads the file; one that does not exist is empty. What a run that
// was killed left of a last line is taken off.
func openLedger(path string) (*ledger, error) {
	l := &ledger{path: path, by: map[string]*Outcome{}}
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return l, nil
	}
	if err != nil {
		return nil, err
	}
	whole := b[:bytes.LastIndexByte(b, '\n')+1]
	for n, line := range bytes.Split(whole, []byte("\n")) {
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		o := &Outcome{}
		if err := json.Unmarshal(line, o); err != nil || o.Key == "" {
			return nil, fmt.Errorf("%s: line %d is not an outcome of a sweep (%v): take the line out, or give another folder", path, n+1, err)
		}
		l.by[o.Key] = o
	}
	if len(whole) < len(b) {
		return l, os.Truncate(path, int64(len(whole)))
	}
	return l, nil
}

// add appends an outcome, on the disk when it returns.
func (l *ledger) add(o *Outcome) error {
	b, err := json.Marshal(o)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	f, err := os.OpenFile(l.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(append(b, '\n'))
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		l.by[o.Key] = o
	}
	return err
}

// find gives the outcome of a key, or nil.
func (l *ledger) find(key string) *Outcome {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.by[key]
}
