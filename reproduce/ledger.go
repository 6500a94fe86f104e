package reproduce

import (
	"context"
	"fmt"
	"path/filepath"

	"pare/evidence"
	"pare/internal/kernel"
	"pare/run"
)

// Ledger keeps trials in a folder: each that ends is a line of results.jsonl, and is not
// made again by the same program with the same seeds and vector instructions. Threads are
// no part of that: every seed runs on one. A nil ledger keeps nothing.
type Ledger struct {
	program string // digest of the executable
	lines   *run.Ledger[line]
	lock    *run.Lock
}

// line is what the file has of a trial.
type line struct {
	Program string          `json:"executable"`
	Trial   *evidence.Trial `json:"trial"`
}

// OpenLedger takes a folder, which is there, until the ledger is closed. It returns a
// run.BusyError where another process has it.
func OpenLedger(dir string) (*Ledger, error) {
	program, err := run.Executable()
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, "results.jsonl")
	lock, err := run.Take(path)
	if err != nil {
		return nil, err
	}
	lines, err := run.OpenLedger(path, (*line).key)
	if err != nil {
		lock.Release()
		return nil, err
	}
	return &Ledger{program: program, lines: lines, lock: lock}, nil
}

// Close gives the folder back.
func (l *Ledger) Close() {
	if l != nil {
		l.lock.Release()
	}
}

// key is what two trials must have in common to be the same; "" for what is none.
func (l *line) key() string {
	t := l.Trial
	if t == nil || l.Program == "" {
		return ""
	}
	return fmt.Sprintf("%s %s %d %d %s %s", t.ID, t.Name, t.First, t.Seeds, t.Level, l.Program)
}

// Try is evidence.Experiment.Try with the vector instructions in use, or the trial that the
// ledger has of it already: kept.
func (l *Ledger) Try(ctx context.Context, e *evidence.Experiment, first uint64, seeds int, done func(int)) (t *evidence.Trial, kept bool, err error) {
	level := kernel.Level().String()
	if seeds == 0 {
		seeds = e.Seeds
	}
	if l != nil {
		like := line{l.program, &evidence.Trial{ID: e.ID, Name: e.Name, First: first, Seeds: seeds, Level: level}}
		if had := l.lines.Find(like.key()); had != nil {
			return had.Trial, true, nil
		}
	}
	if t, err = e.Try(ctx, first, seeds, done); err != nil {
		return nil, false, err
	}
	t.Level = level
	if l != nil {
		if err := l.lines.Add(&line{l.program, t}); err != nil {
			return nil, false, fmt.Errorf("%s ended and could not be kept: %w", e.Name, err)
		}
	}
	return t, false, nil
}
