package run

import (
	"context"
	"sync"

	"golang.org/x/sync/errgroup"
)

// Batch makes runs, several at a time, and keeps each that ends in a ledger.
type Batch[C comparable, O any] struct {
	Ledger *Ledger[O]
	Jobs   int // runs at a time; 0: one

	// One makes a run, and tells of its progress in [0,1]. Only what ends the batch is an
	// error: a run that fails has an outcome too.
	One func(ctx context.Context, c C, progress func(share float64)) (*O, error)

	OnStep func(share float64)         // of all runs, in [0,1]; nil: nobody asks
	OnRun  func(o *O, done, total int) // one has ended
}

// Run makes the runs. It returns the first error, and that of ctx where it ends; what has
// ended is kept.
func (b *Batch[C, O]) Run(ctx context.Context, todo []C) error {
	var mu sync.Mutex
	share, done := map[C]float64{}, 0
	progress := func(c C, x float64) {
		mu.Lock()
		defer mu.Unlock()
		share[c] = x
		sum := 0.0
		for _, x := range share {
			sum += x
		}
		if b.OnStep != nil {
			b.OnStep(sum / float64(len(todo)))
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(max(1, b.Jobs))
	for _, c := range todo {
		group.Go(func() error {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			o, err := b.One(ctx, c, func(x float64) { progress(c, x) })
			if err != nil {
				return err
			}
			if err := b.Ledger.Add(o); err != nil {
				return err
			}
			progress(c, 1)
			mu.Lock()
			defer mu.Unlock()
			done++
			if b.OnRun != nil {
				b.OnRun(o, done, len(todo))
			}
			return nil
		})
	}
	return group.Wait()
}
