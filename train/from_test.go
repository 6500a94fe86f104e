package train

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"testing"
)

// counter records what an optimiser is told of one parameter.
type counter struct {
	of *Param
	t  []int
}

func (c *counter) Buffers() int { return 0 }

func (c *counter) Step(p *Param, lr float64, t int) {
	if c.of == nil {
		c.of = p
	}
	if c.of == p {
		c.t = append(c.t, t)
	}
}

// A run that begins at a step has that step's rate and an optimiser that counts
// from 0: bias correction divides by what its moments have seen.
func TestFromOptimizer(t *testing.T) {
	c := config(t, 1)
	total := 2 * c.Train.Steps()
	var rates []int
	o := &counter{}
	c.Optimizer, c.From = o, total-3
	c.Rate = func(step int) float64 { rates = append(rates, step); return .1 }
	r, err := Fit(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(o.t, []int{0, 1, 2}) || rates[0] != total-3 || r.Step != total {
		t.Errorf("optimiser steps %v, rates of %v, %d steps done", o.t, rates, r.Step)
	}
}

// Parts of a training that end within epochs come, one after the other, to what the whole
// comes to, where the optimiser has no state; the parts' last rows say where they ended. A
// part that was stopped, and one that had ended, go on from their checkpoints.
func TestUntil(t *testing.T) {
	plain := func() *Config {
		c := config(t, 1)
		c.Optimizer = SGD{}
		return c
	}
	whole := plain()
	if _, err := Fit(context.Background(), whole); err != nil {
		t.Fatal(err)
	}
	steps := whole.Train.Steps()
	ends := []int{3, steps, steps + 5, 2 * steps}
	c := plain()
	from := 0
	for _, until := range ends {
		save := filepath.Join(t.TempDir(), "part")
		var rates []int
		part := func(ctx context.Context, stop func()) (*Run, error) {
			p := plain()
			p.Graph, p.From, p.Until, p.Save, p.Resume = c.Graph, from, until, save, true
			p.Rate = func(step int) float64 { rates = append(rates, step); return c.Rate(step) }
			p.OnStep = func(step int, _ float64) {
				if step == from+2 {
					stop()
				}
			}
			return Fit(ctx, p)
		}
		ctx, cancel := context.WithCancel(context.Background())
		if _, err := part(ctx, cancel); !errors.Is(err, ErrInterrupted) {
			t.Fatalf("%v", err)
		}
		r, err := part(context.Background(), func() {})
		if err != nil {
			t.Fatal(err)
		}
		if last := r.Past[len(r.Past)-1]; r.Step != until || last.Step != until || rates[0] != from {
			t.Errorf("from %d until %d: it ended at %d, its last row is %+v", from, until, r.Step, last)
		}
		n := len(r.Past)
		if r, err = part(context.Background(), func() { t.Error("a step was made") }); err != nil || len(r.Past) != n {
			t.Errorf("until %d, again: %v, %d rows, not %d", until, err, len(r.Past), n)
		}
		from = until
	}
	if sum(whole.Graph) != sum(c.Graph) {
		t.Error("the parts do not come to what the whole training comes to")
	}
	for _, bad := range [][2]int{{5, 5}, {0, 2*steps + 1}, {0, -1}} {
		p := plain()
		if p.From, p.Until = bad[0], bad[1]; p.Until != 0 {
			if _, err := Fit(context.Background(), p); err == nil {
				t.Errorf("from %d until %d is taken", bad[0], bad[1])
			}
		}
	}
}
