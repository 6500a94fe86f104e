// Package evidence puts claims to the test: an experiment gives values by seed, a
// claim judges them, and a trial is what came of it. It knows no network.
package evidence

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// Experiment is the paper's claims at small scale. Run puts the values of one
// seed; the claims judge them over all seeds.
type Experiment struct {
	ID     string // number of the paper's specification; "": the method has none
	Name   string // of the method
	About  string
	Seeds  int // used where the user names no number
	Run    func(ctx context.Context, seed uint64, put func(name string, x float64)) error
	Claims []Claim
	Asks   []Comparison // of ingredients that no small setting is known to show
}

// Trial is an experiment that was made.
type Trial struct {
	ID      string    `json:"id"`
	Name    string    `json:"name"`
	About   string    `json:"about"`
	First   uint64    `json:"first_seed"`
	Seeds   int       `json:"seeds"`
	Level   string    `json:"instructions"` // vector instructions that it was computed with, such as avx2
	Seconds float64   `json:"seconds"`      // that it took
	Values  Values    `json:"values"`
	Claims  []Verdict `json:"claims"`
	Answers []Answer  `json:"answers"`
}

// Try makes an experiment over a number of seeds (0: its own) from a first one on, tells
// how many are done, and judges the claims.
func (e *Experiment) Try(ctx context.Context, first uint64, seeds int, done func(int)) (*Trial, error) {
	if seeds == 0 {
		seeds = e.Seeds
	}
	if seeds < 1 {
		return nil, fmt.Errorf("%d seeds: at least 1 is needed", seeds)
	}
	start := time.Now()
	v, err := e.Values(ctx, first, seeds, done)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", e.Name, err)
	}
	t := &Trial{ID: e.ID, Name: e.Name, About: e.About, First: first, Seeds: seeds, Seconds: time.Since(start).Seconds(), Values: v}
	for _, c := range e.Claims {
		t.Claims = append(t.Claims, c.Judge(v))
	}
	for _, c := range e.Asks {
		t.Answers = append(t.Answers, c.Answer(v))
	}
	return t, nil
}

// Values runs n seeds from a first one on, as many at a time as there are cores, and
// reports how many are done.
func (e *Experiment) Values(ctx context.Context, first uint64, n int, done func(int)) (Values, error) {
	type one struct {
		names []string
		x     []float64
	}
	out := make([]one, n)
	var ready atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for s := range n {
		group.Go(func() error {
			seed := first + uint64(s)
			err := e.Run(ctx, seed, func(name string, x float64) {
				out[s].names, out[s].x = append(out[s].names, name), append(out[s].x, x)
			})
			if err != nil {
				return fmt.Errorf("seed %d: %w", seed, err)
			}
			done(int(ready.Add(1)))
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	v := Values{}
	for _, o := range out {
		for i, name := range o.names {
			v[name] = append(v[name], o.x[i])
		}
	}
	return v, nil
}
