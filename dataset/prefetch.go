package dataset

import (
	"context"
	"slices"
	"time"
)

// mostAhead bounds the batches that are prepared at a time.
const mostAhead = 16

// Ahead fills the next batches of a loader in the background while the present one is
// used: one of a set in memory, of a stream as many as an eighth of its bound holds.
// Buffers are reused; a batch that was not foreseen is prepared at once. Close ends
// the background work.
type Ahead struct {
	*Loader
	Waited time.Duration // for batches, so far

	ctx    context.Context
	within context.Context // of the batches that are foreseen
	drop   func()
	want   chan foreseen
	ready  chan result // in the order in which they were wanted
	queue  []foreseen  // what is wanted
	slots  [][]Buffer  // used in turn
	turn   int
}

// foreseen is a batch that is to be prepared.
type foreseen struct {
	ctx  context.Context
	at   [2]int // epoch, batch
	slot int
}

type result struct {
	n   int
	err error
}

// NewAhead starts a worker for a loader, which it then owns.
func NewAhead(l *Loader) *Ahead { return NewAheadContext(context.Background(), l) }

// NewAheadContext is NewAhead of which waiting, and reading a stream, end with the
// context.
func NewAheadContext(ctx context.Context, l *Loader) *Ahead {
	a := &Ahead{Loader: l, ctx: ctx, want: make(chan foreseen, mostAhead), ready: make(chan result, mostAhead)}
	a.within, a.drop = context.WithCancel(ctx)
	go func() {
		for w := range a.want {
			r := result{err: w.ctx.Err()}
			if r.err == nil {
				r.n, r.err = l.FillContext(w.ctx, w.at[0], w.at[1], a.slots[w.slot])
			}
			a.ready <- r
		}
		close(a.ready)
	}()
	return a
}

// Fill gives batch i of an epoch, as Loader.Fill does, and starts the next ones.
func (a *Ahead) Fill(epoch, i int, to []Buffer) (int, error) {
	at := [2]int{epoch, i}
	alike := len(a.slots) > 0 && slices.EqualFunc(a.slots[0], to, func(x, y Buffer) bool {
		return x.Field == y.Field && len(x.X) == len(y.X) && len(x.I) == len(y.I) && x.Raw == y.Raw
	})
	if len(a.queue) > 0 && (a.queue[0].at != at || !alike) {
		a.forget() // another batch was foreseen, or of another kind
	}
	if !alike {
		a.room(to)
	}
	if len(a.queue) == 0 {
		a.start(at)
	}
	var r result
	select {
	case r = <-a.ready:
	default:
		began := time.Now()
		select {
		case r = <-a.ready:
		case <-a.ctx.Done():
			return 0, a.ctx.Err()
		}
		a.Waited += time.Since(began)
	}
	slot := a.queue[0].slot
	a.queue = slices.Delete(a.queue, 0, 1)
	if r.err != nil {
		return 0, r.err
	}
	for j, f := range a.slots[slot] {
		copy(to[j].X, f.X)
		copy(to[j].I, f.I)
	}
	for len(a.queue) < len(a.slots) {
		a.start(a.after(at))
	}
	return r.n, nil
}

// after is the batch that is likely to be wanted after those that are.
func (a *Ahead) after(at [2]int) [2]int {
	if n := len(a.queue); n > 0 {
		at = a.queue[n-1].at
	}
	if at[1]++; at[1] < a.Steps() || !a.Shuffle && at[1]*a.Size < a.Set.Len() {
		return at
	}
	return [2]int{at[0] + 1, 0}
}

// room makes buffers like those that are to be filled.
func (a *Ahead) room(to []Buffer) {
	bytes := int64(1)
	for _, b := range to {
		bytes += int64(4*len(b.X) + 8*len(b.I))
	}
	n := 1
	if a.Set.Stream != nil {
		n = int(min(mostAhead, max(1, a.Set.Bound/8/bytes)))
	}
	a.slots, a.turn = make([][]Buffer, n), 0
	for k := range a.slots {
		a.slots[k] = make([]Buffer, len(to))
		for j, b := range to {
			f := &a.slots[k][j]
			f.Field, f.Raw = b.Field, b.Raw
			if b.X != nil {
				f.X = make([]float32, len(b.X))
			}
			if b.I != nil {
				f.I = make([]int64, len(b.I))
			}
		}
	}
}

func (a *Ahead) start(at [2]int) {
	w := foreseen{a.within, at, a.turn}
	a.turn = (a.turn + 1) % len(a.slots)
	a.queue = append(a.queue, w)
	a.want <- w
}

// forget ends the work on batches that were foreseen.
func (a *Ahead) forget() {
	cut := a.Set.Stream != nil // one in memory is done at once
	if cut {
		a.drop()
	}
	for range a.queue {
		<-a.ready
	}
	if a.queue = a.queue[:0]; cut {
		a.within, a.drop = context.WithCancel(a.ctx)
	}
}

// Close ends the worker.
func (a *Ahead) Close() {
	a.forget()
	a.drop()
	close(a.want)
	for range a.ready { // until it has ended
	}
}
