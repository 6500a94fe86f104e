package run

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// Ledger is a file of outcomes, one JSON object a line, that several goroutines may
// add to. The last line of a key counts.
type Ledger[T any] struct {
	mu   sync.Mutex
	path string
	key  func(*T) string
	by   map[string]*T
}

// OpenLedger reads a file; one that does not exist is empty. What a run that was
// killed left of a last line is taken off. key gives the key of an outcome, "" for
// what is none.
func OpenLedger[T any](path string, key func(*T) string) (*Ledger[T], error) {
	l := &Ledger[T]{path: path, key: key, by: map[string]*T{}}
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
		o := new(T)
		if err := json.Unmarshal(line, o); err != nil || key(o) == "" {
			return nil, fmt.Errorf("%s: line %d is not an outcome (%v): take the line out, or give another folder", path, n+1, err)
		}
		l.by[key(o)] = o
	}
	if len(whole) < len(b) {
		return l, os.Truncate(path, int64(len(whole)))
	}
	return l, nil
}

// LedgerOf takes the folder of a comparison until it is released, and reads its file of
// outcomes. What processes that were killed left half written in the folder is taken away.
func LedgerOf[T any](dir string, key func(*T) string) (l *Ledger[T], release func(), err error) {
	path := filepath.Join(dir, "results.jsonl")
	lock, err := Take(path)
	if err != nil {
		return nil, nil, err
	}
	TidyFolder(dir, ".checkpoint", ".pare")
	if l, err = OpenLedger(path, key); err != nil {
		lock.Release()
		return nil, nil, err
	}
	return l, lock.Release, nil
}

// Short is a digest of what decides an outcome, such as its key in a ledger: 16 hexadecimal
// digits of the JSON, in which maps are in the order of their keys.
func Short(facts any) string {
	b, _ := json.Marshal(facts)
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:8])
}

// Add appends an outcome, on the disk when it returns.
func (l *Ledger[T]) Add(o *T) error {
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
	st, err := f.Stat()
	if err != nil {
		return errors.Join(err, f.Close())
	}
	if _, err = f.Write(append(b, '\n')); err != nil { // half a line would spoil the next
		return errors.Join(err, f.Truncate(st.Size()), f.Close())
	}
	if err = errors.Join(f.Sync(), f.Close()); err == nil {
		l.by[l.key(o)] = o
	}
	return err
}

// Find gives the outcome of a key, or nil.
func (l *Ledger[T]) Find(key string) *T {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.by[key]
}
