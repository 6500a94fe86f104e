package lm

import (
	"context"
	"fmt"
	"slices"
	"sync"
)

// BatchError is the errors of a batch, by the place of the request. Errors.Is and
// errors.As look into all of them.
type BatchError struct {
	Of   int // requests in all
	Errs map[int]error
}

// Failed is the places of the requests that failed, in order.
func (e *BatchError) Failed() []int {
	at := make([]int, 0, len(e.Errs))
	for i := range e.Errs {
		at = append(at, i)
	}
	slices.Sort(at)
	return at
}

func (e *BatchError) Error() string {
	first := e.Failed()[0]
	return fmt.Sprintf("%d of %d requests failed; request %d: %v", len(e.Errs), e.Of, first, e.Errs[first])
}

// Unwrap is the errors in order.
func (e *BatchError) Unwrap() []error {
	var errs []error
	for _, i := range e.Failed() {
		errs = append(errs, e.Errs[i])
	}
	return errs
}

// All asks for many replies, as many at once as the model's Parallel says, and
// returns them in the order of the requests. What fails leaves the rest alone: the
// error is a [*BatchError], and the reply of a failed request is nil or what there
// was of it.
func All(ctx context.Context, m Model, rs []Request) ([]*Reply, error) {
	return each(ctx, m.Info(), rs, m.Generate)
}

// AllScores is All for scores.
func AllScores(ctx context.Context, m Model, rs []ScoreRequest) ([]*Scores, error) {
	return each(ctx, m.Info(), rs, m.Score)
}

func each[In, Out any](ctx context.Context, info Info, in []In, f func(context.Context, In) (Out, error)) ([]Out, error) {
	out, errs := make([]Out, len(in)), make([]error, len(in))
	var wait sync.WaitGroup
	next := make(chan int)
	for range min(max(info.Parallel, 1), len(in)) {
		wait.Go(func() {
			for i := range next {
				if errs[i] = Gone(ctx, info.Name); errs[i] == nil {
					out[i], errs[i] = f(ctx, in[i])
				}
			}
		})
	}
	for i := range in {
		next <- i
	}
	close(next)
	wait.Wait()
	batch := &BatchError{len(in), map[int]error{}}
	for i, err := range errs {
		if err != nil {
			batch.Errs[i] = err
		}
	}
	if len(batch.Errs) == 0 {
		return out, nil
	}
	return out, batch
}
