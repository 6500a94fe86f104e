package train

import "testing"

// Of epochs that the samples held out cannot tell apart, by a standard error, the one of
// the smaller loss is kept; of others the better one.
func TestBetterByError(t *testing.T) {
	epoch := func(n int, accuracy, loss float64) Epoch {
		return Epoch{Epoch: n, ValLoss: loss, Score: Score{Metric: "accuracy", Higher: true, Value: accuracy}}
	}
	for _, c := range []struct {
		accuracy, loss float64
		n              int // samples: the error of .92 is .027 of 100, and .0027 of 10,000
		better         bool
	}{{.92, .4, 100, false}, {.92, .2, 100, true}, {.92, .4, 10000, true}, {.89, .2, 100, true}, {.89, .2, 10000, false}, {.99, .4, 100, true}} {
		was := chosen{Epoch: epoch(1, .9, .3), top: .9}
		if got := was.better(epoch(2, c.accuracy, c.loss), c.n); got != c.better {
			t.Errorf("%+v after accuracy .9 and loss .3: %v", c, got)
		}
	}
}
