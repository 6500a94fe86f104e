package main

import (
	"math"
	"sync/atomic"
	"time"
)

// far is the time from which on two cores count as far apart.
const far = 150 * time.Nanosecond

// hop is the time that a line of the cache takes from one core to another and
// back. The host of a virtual machine may put its cores side by side (some 60 ns)
// or on different dies (some 300 ns), for seconds; on the latter, layers of ten
// microseconds gain little from a second thread, whoever's they are.
func hop() time.Duration {
	const rounds = 1000
	best := time.Duration(math.MaxInt64)
	for range 3 { // the first may wait for the other thread to wake
		var line atomic.Int64
		done := make(chan struct{})
		go func() {
			for k := int64(1); k < 2*rounds; k += 2 {
				for line.Load() != k {
				}
				line.Store(k + 1)
			}
			close(done)
		}()
		t := time.Now()
		for k := int64(0); k < 2*rounds; k += 2 {
			line.Store(k + 1)
			for line.Load() != k+2 {
			}
		}
		best = min(best, time.Since(t)/rounds)
		<-done
	}
	return best
}
