package lm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"pare/internal/journal"
	"pare/internal/printable"
)

// recorded is a line of a recording: first what the model is, then its answers.
type recorded struct {
	Info   *Info   `json:"info,omitempty"`
	Call   *call   `json:"call,omitempty"`
	Answer *answer `json:"answer,omitempty"`
	Error  *failed `json:"error,omitempty"`
}

// failed is an error as a file keeps it.
type failed struct {
	Kind   Kind   `json:"kind"`
	Status int    `json:"status,omitempty"`
	Text   string `json:"text"`
}

// Recording is a model that writes down what another answers.
type Recording struct {
	layer
	file *journal.File
}

// Record puts a recording around a model: a file of JSON lines, errors among them. A
// file that is there is added to, where it is of the same model.
func Record(m Model, path string) (*Recording, error) {
	info, fresh := m.Info(), true
	file, err := journal.Open(path, func(line []byte) error {
		var l recorded
		if err := json.Unmarshal(line, &l); err != nil {
			return err
		}
		if fresh && l.Info == nil {
			return errors.New("it is not what a recording begins with")
		}
		if l.Info != nil && (l.Info.Name != info.Name || l.Info.Fingerprint != info.Fingerprint) {
			return fmt.Errorf("the recording is of another model, %s: choose another file", printable.Line(l.Info.Name))
		}
		fresh = false
		return nil
	})
	if err != nil {
		return nil, err
	}
	if fresh {
		if err := file.Add(recorded{Info: &info}); err != nil {
			return nil, errors.Join(err, file.Close())
		}
	}
	r := &Recording{file: file}
	r.layer = layer{m.Info, func(ctx context.Context, q call, each func(Delta) error) (answer, error) {
		a, err := q.ask(ctx, m, each)
		if ctx.Err() != nil && err != nil { // the caller's doing, not the model's
			return a, err
		}
		n := q.normal()
		line := recorded{Call: &n}
		if _, _, ok := a.usage(); ok {
			line.Answer = &a
		}
		if err != nil {
			line.Error = keep(err)
		}
		if bad := file.Add(line); bad != nil {
			return a, errors.Join(err, &Error{Kind: Broken, Model: info.Name, Err: fmt.Errorf("the reply could not be recorded: %w", bad)})
		}
		return a, err
	}}
	return r, nil
}

// keep writes an error as a file keeps it.
func keep(err error) *failed {
	f := &failed{Kind: KindOf(err), Text: err.Error()}
	var e *Error
	if errors.As(err, &e) {
		f.Status, f.Text = e.Status, ""
		if e.Err != nil {
			f.Text = e.Err.Error()
		}
	}
	return f
}

// Close ends the recording.
func (r *Recording) Close() error { return r.file.Close() }

// Replay is a model that answers from a recording, and asks nobody. The order of
// different requests does not matter; the n-th time a request comes gets the n-th
// answer that was recorded for it. A request that was not recorded, or not so often,
// is refused with [Unrecorded].
func Replay(path string) (Model, error) {
	r := &replay{path: path, lines: map[string][]recorded{}, next: map[string]int{}}
	err := journal.Read(path, func(line []byte) error {
		var l recorded
		if err := json.Unmarshal(line, &l); err != nil {
			return err
		}
		switch {
		case l.Info != nil:
			r.info = l.Info
			return nil
		case r.info == nil || l.Call == nil || l.Answer == nil && l.Error == nil:
			return errors.New("it is no line of a recording")
		}
		if !l.Call.one() || l.Error == nil && !l.Answer.whole(*l.Call) {
			return errors.New("the answer is not what was asked for")
		}
		k, err := key(*r.info, *l.Call, 0)
		if err == nil {
			r.lines[k] = append(r.lines[k], l)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if r.info == nil {
		return nil, fmt.Errorf("%s holds no recording", path)
	}
	return layer{func() Info { return *r.info }, r.answer}, nil
}

type replay struct {
	path  string
	info  *Info
	mu    sync.Mutex
	lines map[string][]recorded
	next  map[string]int
}

func (r *replay) answer(ctx context.Context, q call, each func(Delta) error) (answer, error) {
	if err := Gone(ctx, r.info.Name); err != nil {
		return answer{}, err
	}
	k, err := key(*r.info, q, 0)
	if err != nil {
		return answer{}, err
	}
	r.mu.Lock()
	n, lines := r.next[k], r.lines[k]
	if n < len(lines) {
		r.next[k]++
	}
	r.mu.Unlock()
	if n == len(lines) {
		return answer{}, &Error{Kind: Unrecorded, Model: r.info.Name, Err: fmt.Errorf("%s was recorded %d times in %s, and is asked for once more: record the session anew", q.title(), n, r.path)}
	}
	l := lines[n]
	var a answer
	if l.Answer != nil {
		a = l.Answer.copied().kept()
	}
	if err := play(a, each); err != nil || l.Error == nil {
		return a, err
	}
	return a, &Error{Kind: l.Error.Kind, Model: r.info.Name, Status: l.Error.Status, Err: errors.New(printable.Line(l.Error.Text))}
}
