package train

import (
	"context"
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
