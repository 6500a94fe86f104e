// Package hostile helps tests to see what a reader does with a file that means
// harm: how long it takes, and how much memory before it refuses.
package hostile

import (
	"fmt"
	"runtime/metrics"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// What a reader may take.
const (
	Most     = 2 * time.Second
	Memory   = 64 << 20 // bytes, and
	Multiple = 4        // times the file's size
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
		if at := since.Load(); at >= 0 && processor() > time.Duration(at)+Most {
			panic(fmt.Sprintf("a reader has not ended after %v", Most))
		}
	}
}

// Read calls a reader of a file of size bytes. The test fails where it takes
// longer than Most, or refuses only after it took more memory than Multiple
// times the size and Memory. It gives the reader's error.
func Read(t testing.TB, size int, read func() error) error {
	t.Helper()
	start.Do(func() { since.Store(-1); go watch() })
	since.Store(int64(processor()))
	before := allocated()
	err := read()
	took := allocated() - before
	since.Store(-1)
	if most := uint64(Multiple*size + Memory); err != nil && took > most {
		t.Errorf("a file of %d bytes was refused after %d bytes of memory, more than %d: %v", size, took, most, err)
	}
	return err
}

// allocated is the number of bytes allocated since the process began, garbage
// included: no less than what was held at any one time.
func allocated() uint64 {
	s := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}
