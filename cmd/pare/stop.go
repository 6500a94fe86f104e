package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"pare/run/job"
)

// stopper hears the signals that ask the program to stop: the first ends the context,
// so that what is done can be saved; one more ends the process. Within a second they
// are the same (timeout sends two).
type stopper struct {
	heard  atomic.Int32 // the first, 0 for none
	paused atomic.Bool  // the run has come to where it was to pause
	cancel context.CancelFunc
	ch     chan os.Signal
	done   chan struct{}
}

// same is how long a signal is the one before.
const same = time.Second

// listen begins to hear signals, and gives the context that the first one ends.
func (s *stopper) listen(w io.Writer) context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel, s.ch, s.done = cancel, make(chan os.Signal, 8), make(chan struct{})
	stops := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // nohup
		stops = append(stops, syscall.SIGHUP)
	}
	signal.Notify(s.ch, stops...)
	go s.hear(w)
	return ctx
}

func (s *stopper) hear(w io.Writer) {
	var first time.Time
	for {
		select {
		case <-s.done:
			return
		case sig := <-s.ch:
			switch {
			case first.IsZero():
				first = time.Now()
				if n, ok := sig.(syscall.Signal); ok {
					s.heard.Store(int32(n))
				}
				s.cancel()
				fmt.Fprintln(w, "\npare: stopping, saving what is done (once more to stop at once)")
			case time.Since(first) > same:
				os.Exit(s.status())
			}
		}
	}
}

// pause stops the program as a signal does.
func (s *stopper) pause() {
	s.paused.Store(true)
	s.cancel()
}

// leave stops it where nobody waits for it any more.
func (s *stopper) leave() {
	s.heard.CompareAndSwap(0, int32(syscall.SIGTERM))
	s.cancel()
}

// status is the exit status of a process that a signal has stopped, 0 where none was heard.
func (s *stopper) status() int {
	if s.paused.Load() {
		return job.Paused
	}
	if n := s.heard.Load(); n > 0 {
		return 128 + int(n)
	}
	return 0
}

// end stops hearing. Where a signal was heard the process is about to end by it, and one
// that follows on its heels is still kept from killing it on the way out.
func (s *stopper) end() {
	if s.status() == 0 {
		signal.Stop(s.ch)
	}
	close(s.done)
	s.cancel()
}

// await gives what f gives, or the context's error where that ends before: f then
// goes on, and nobody waits for it. It must write nothing.
func await[T any](ctx context.Context, f func() (T, error)) (T, error) {
	type outcome struct {
		x     T
		err   error
		panic any
	}
	ch := make(chan outcome, 1)
	go func() {
		var o outcome
		defer func() {
			o.panic = recover()
			ch <- o
		}()
		o.x, o.err = f()
	}()
	select {
	case o := <-ch:
		if o.panic != nil {
			panic(o.panic)
		}
		return o.x, o.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}
