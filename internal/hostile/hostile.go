// Package hostile helps tests to see what a reader does with a file that means
// harm: how long it takes, and how much memory before it refuses.
package hostile

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// What a reader may take.
const (
	Most     = slower * 4 * time.Second // of the processor, which may be a slow one
	Memory   = 64 << 20                 // bytes, and
	Multiple = 4                        // times the file's size
)

// since is the processor's time when the reader began, in nanoseconds; -1: none
// is at work.
var (
	since = atomic.Int64{}
	start sync.Once
)

// watch ends the process where a reader does not end: a fuzzer then keeps the
// file.
func watch() {
	for range time.Tick(50 * time.Millisecond) {
		if at := since.Load(); at >= 0 && Processor() > time.Duration(at)+Most {
			panic(fmt.Sprintf("a reader has not ended after %v", Most))
		}
	}
}

// Read calls a reader of a file of size bytes. The test fails where it takes
// longer than Most, or refuses only after it held more memory than Multiple
// times the size and Memory. It gives the reader's error. Where the reader
// allocated more than that in all, it is called again to see how much it held
// at a time.
func Read(t testing.TB, size int, read func() error) error {
	t.Helper()
	start.Do(func() { since.Store(-1); go watch() })
	since.Store(int64(Processor()))
	before := metric("/gc/heap/allocs:bytes")
	err := read()
	took := metric("/gc/heap/allocs:bytes") - before
	since.Store(-1)
	most := uint64(Multiple*size + Memory)
	if err == nil || took <= most {
		return err
	}
	if took = held(read); took > most {
		t.Errorf("a file of %d bytes was refused after %d bytes of memory, more than %d: %v", size, took, most, err)
	}
	return err
}

// held is the most that f holds at a time, in bytes, as far as a garbage
// collector that is always at work can show.
func held(f func() error) uint64 {
	defer debug.SetGCPercent(debug.SetGCPercent(1))
	runtime.GC()
	const heap = "/memory/classes/heap/objects:bytes"
	before, most := metric(heap), uint64(0)
	done := make(chan bool)
	go func() {
		defer close(done)
		f() //nolint:errcheck // it is known
	}()
	for tick := time.Tick(time.Millisecond); ; {
		select {
		case <-done:
			return most
		case <-tick:
			if now := metric(heap); now > before {
				most = max(most, now-before)
			}
		}
	}
}

func metric(name string) uint64 {
	s := []metrics.Sample{{Name: name}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}
