package lm

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Kind is what went wrong, so that callers can tell errors apart:
//
//	errors.Is(err, lm.RateLimited)
type Kind string

// Kinds of errors.
const (
	Invalid     Kind = "invalid"      // the request means nothing
	Unsupported Kind = "unsupported"  // the home cannot do what the request asks for
	Refused     Kind = "refused"      // the home will not: no right, no such model, no such thing
	RateLimited Kind = "rate-limited" // too many requests for now
	TimedOut    Kind = "timed-out"    // no reply in time
	Unavailable Kind = "unavailable"  // the home cannot be reached, or fails
	Rubbish     Kind = "rubbish"      // the reply is not what was agreed on
	TooLong     Kind = "too-long"     // prompt and completion do not fit the context
	OverBudget  Kind = "over-budget"  // the budget would not hold
	Unrecorded  Kind = "unrecorded"   // a replay has no such call
	Cancelled   Kind = "cancelled"    // the caller gave up
	Broken      Kind = "broken"       // this side failed: a file cannot be written
)

// Error makes a Kind something that errors.Is finds.
func (k Kind) Error() string { return string(k) }

// Error is what a model answers in place of a reply.
type Error struct {
	Kind  Kind
	Model string // its name, where known
	// Status is the HTTP status; 0: there was none.
	Status int
	// Wait is how long the home asks to wait; 0: it does not say.
	Wait time.Duration
	// Unsure says that the call may have cost tokens that no reply told of.
	Unsure bool
	Err    error
}

func (e *Error) Error() string {
	text := string(e.Kind)
	if e.Model != "" {
		text = e.Model + ": " + text
	}
	if e.Status != 0 {
		text += fmt.Sprintf(" (status %d)", e.Status)
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

func (e *Error) Unwrap() error { return e.Err }

// Is says whether a target is the error's kind.
func (e *Error) Is(target error) bool {
	k, ok := target.(Kind)
	return ok && k == e.Kind
}

// KindOf is the kind of an error; "" for nil. An error that is no [*Error] is
// cancelled or timed out where a context was, and rubbish otherwise.
func KindOf(err error) Kind {
	var e *Error
	switch {
	case err == nil:
		return ""
	case errors.As(err, &e):
		return e.Kind
	case errors.Is(err, context.Canceled):
		return Cancelled
	case errors.Is(err, context.DeadlineExceeded):
		return TimedOut
	}
	return Rubbish
}

// Gone is the error of a context that has ended; nil while it has not.
func Gone(ctx context.Context, model string) error {
	if ctx.Err() == nil {
		return nil
	}
	kind := Cancelled
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		kind = TimedOut
	}
	return &Error{Kind: kind, Model: model, Err: context.Cause(ctx)}
}

// unsure says whether a failed call may have cost tokens that are not known: one of
// its errors says so, or is not ours.
func unsure(err error) bool {
	switch e := err.(type) {
	case nil:
		return false
	case *Error:
		return e.Unsure
	case interface{ Unwrap() []error }:
		return slices.ContainsFunc(e.Unwrap(), unsure)
	case interface{ Unwrap() error }:
		return unsure(e.Unwrap())
	}
	return true
}
