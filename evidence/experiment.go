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

// Experiment is the paper's claim at small scale. Run puts the values of one
// seed; the claims judge them over all seeds.
type Experiment struct {
	ID     string // number of the paper's specification
	Name   string // of the method
	About  string
	Seeds  int // used where the user names no number
	Run    func(ctx context.Context, seed uint64, put func(name string, x float64)) error
	Claims []Claim
}

// Trial is an experiment that was made.
type Trial struct {
	ID      string    `json:"id"`
	Name    string    `json:"name"`
	About   string    `json:"about"`
	Seeds   int       `json:"seeds"`
	Seconds float64   `json:"seconds"` // that it took
	Values  Values    `json:"values"`
	Claims  []Verdict `json:"claims"`
}

// Verdict is what became of a claim.
type Verdict struct {
	Text     string `json:"text"`
	Measured string `json:"measured"`
	Holds    bool   `json:"holds"`
}

// Try makes an experiment over a number of seeds (0: its own), tells how many are
// done, and judges the claims.
func (e *Experiment) Try(ctx context.Context, seeds int, done func(int)) (*Trial, error) {
	if seeds == 0 {
		seeds = e.Seeds
	}
	if seeds < 1 {
		return nil, fmt.Errorf("%d seeds: at least 1 is needed", seeds)
	}
	start := time.Now()
	v, err := e.Values(ctx, seeds, done)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", e.Name, err)
	}
	t := &Trial{ID: e.ID, Name: e.Name, About: e.About, Seeds: seeds, Seconds: time.Since(start).Seconds(), Values: v}
	for _, c := range e.Claims {
		measured, ok := c.Check(v)
		t.Claims = append(t.Claims, Verdict{c.Text, measured, ok})
	}
	return t, nil
}

// Values runs seeds 1 to n, as many at a time as there are cores, and reports
// how many are done.
func (e *Experiment) Values(ctx context.Context, n int, done func(int)) (Values, error) {
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
			err := e.Run(ctx, uint64(s+1), func(name string, x float64) {
				out[s].names, out[s].x = append(out[s].names, name), append(out[s].x, x)
			})
			if err != nil {
				return fmt.Errorf("seed %d: %w", s+1, err)
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
