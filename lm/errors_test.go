package lm_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"pare/lm"
)

// Errors are told apart by their kind, however they are wrapped.
func TestKinds(t *testing.T) {
	limited := &lm.Error{Kind: lm.RateLimited, Model: "m", Status: 429, Err: errors.New("slow down")}
	for _, c := range []struct {
		err  error
		want lm.Kind
	}{
		{nil, ""}, {limited, lm.RateLimited}, {fmt.Errorf("page 3: %w", limited), lm.RateLimited}, {context.Canceled, lm.Cancelled},
		{fmt.Errorf("x: %w", context.DeadlineExceeded), lm.TimedOut}, {errors.New("x"), lm.Rubbish},
	} {
		if got := lm.KindOf(c.err); got != c.want {
			t.Errorf("%v is %q, not %q", c.err, got, c.want)
		}
	}
	if !errors.Is(limited, lm.RateLimited) || errors.Is(limited, lm.Refused) || limited.Error() != "m: rate-limited (status 429): slow down" {
		t.Error(limited)
	}
	if err := lm.Gone(context.Background(), "m"); err != nil {
		t.Error(err)
	}
	late, cancel := context.WithTimeout(context.Background(), 0)
	defer cancel()
	if err := lm.Gone(late, "m"); !errors.Is(err, lm.TimedOut) || !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}
