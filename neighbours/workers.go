package neighbours

import (
	"context"
	"sync"
	"sync/atomic"
)

// workers are threads, each with room of its own.
type workers struct{ of []*screen }

func newWorkers(threads int) *workers {
	w := &workers{}
	for range threads {
		w.of = append(w.of, newScreen())
	}
	return w
}

// each does n pieces of work, whose results must not depend on who does which. It gives
// the error of the first piece that has one.
func (w *workers) each(ctx context.Context, n int, do func(c *screen, i int) error) error {
	var next atomic.Int64
	var wg sync.WaitGroup
	var mu sync.Mutex
	var first error
	failed := n
	work := func(c *screen) {
		for {
			i := int(next.Add(1) - 1)
			if i >= n {
				return
			}
			err := stopped(ctx)
			if err == nil {
				err = do(c, i)
			}
			if err != nil {
				mu.Lock()
				if i < failed {
					failed, first = i, err
				}
				mu.Unlock()
				next.Store(int64(n))
				return
			}
		}
	}
	for _, c := range w.of[1:] {
		wg.Go(func() { work(c) })
	}
	work(w.of[0])
	wg.Wait()
	return first
}
