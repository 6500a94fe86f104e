package dataset

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"sync"
	"sync/atomic"
)

// Stream reads the samples of a set that memory does not hold. Fields that it does
// hold (see Field.Held) are not read: classes and other single numbers are, so that
// splits and draws by class need not read samples.
type Stream interface {
	// Len is the number of samples.
	Len() int
	// Read reads sample i into fields of room for one, in the set's order; one that is
	// nil is not wanted; one whose Chance has room for a picture gets that too. It may be called by several goroutines. A file that is not
	// what it was when the set was opened is an error, never another sample.
	Read(i int, to []*Field) error
	// Parts are the ends of the runs of samples that are read as a whole, in order;
	// nil: each is read by itself.
	Parts() []int
	// Window is how many samples can be at hand at a time. A loader that shuffles
	// keeps to parts and window where there are more samples than that.
	Window() int
	// Digest identifies the contents by what can be known without reading all of
	// them: names and sizes of files, checksums that they have, and blocks of them: hex.
	Digest() string
}

// Shuffling says by which parts and window a set is shuffled; empty: as a whole.
func (s *Set) Shuffling() string {
	if s.Stream == nil || s.Stream.Window() >= s.Stream.Len() {
		return ""
	}
	return fmt.Sprintf("%d parts in a window of %d samples", len(s.Stream.Parts()), s.Stream.Window())
}

// read writes the samples from lo to hi of a stream in an epoch's order, several at
// a time.
func (l *Loader) read(ctx context.Context, epoch, lo, hi int, to []Buffer) error {
	threads := l.Threads
	if threads < 1 {
		threads = runtime.GOMAXPROCS(0)
	}
	threads = min(threads, hi-lo)
	for len(l.workers) < threads {
		l.workers = append(l.workers, &worker{reading: l.Set.room()})
	}
	var next atomic.Int64
	next.Store(int64(lo))
	var mu sync.Mutex
	var first error // that of the first sample which has one
	failed := int64(hi)
	var wg sync.WaitGroup
	work := func(t int) {
		for {
			k := next.Add(1) - 1
			mu.Lock()
			end := failed
			mu.Unlock()
			if k >= end {
				return
			}
			err := ctx.Err()
			if err == nil {
				err = l.one(l.workers[t], epoch, int(k), lo, to)
			}
			if err != nil {
				mu.Lock()
				if k < failed {
					failed, first = k, err
				}
				mu.Unlock()
				return
			}
		}
	}
	for t := 1; t < threads; t++ {
		wg.Go(func() { work(t) })
	}
	if threads > 0 {
		work(0)
	}
	wg.Wait()
	return first
}

// one reads sample k of an epoch's order and writes it into a batch that begins with
// sample lo.
func (l *Loader) one(w *worker, epoch, k, lo int, to []Buffer) error {
	s := int(l.order[k])
	at := l.Set.at(s)
	fail := func(err error) error { return fmt.Errorf("sample %d of the %s set: %w", at, l.Set.Name, err) }
	if err := l.Set.read(at, w.reading); err != nil {
		return fail(err)
	}
	for _, f := range w.fields {
		if f != nil {
			if err := f.sound(0); err != nil {
				return fail(err)
			}
		}
	}
	for _, b := range to {
		f, at := w.fields[b.Field], 0
		if f == nil {
			f, at = l.Set.Fields[b.Field], l.Set.at(s)
		}
		if b.I != nil {
			if i := f.fraction(at); i >= 0 {
				return fail(fmt.Errorf("the network takes whole numbers, and value %v of field %q is none", f.Floats[at*f.Size()+i], f.Name))
			}
		}
		l.write(w, epoch, s, k-lo, b, f, at)
	}
	return nil
}

// sound refuses a sample that has a class outside its classes, or a number that is
// not finite.
func (f *Field) sound(at int) error {
	n := f.Size()
	if f.Classes > 0 && f.Ints != nil {
		for _, l := range f.Ints[at*n : (at+1)*n] {
			if int(l) >= f.Classes || l < 0 && n == 1 {
				return fmt.Errorf("label %d is outside the %d classes", l, f.Classes)
			}
		}
	}
	if f.Floats != nil {
		for _, v := range f.Floats[at*n : (at+1)*n] {
			if v-v != 0 {
				return fmt.Errorf("field %q has a NaN or infinity", f.Name)
			}
		}
	}
	return nil
}

// fraction finds a value that cannot be a whole number; -1: all can.
func (f *Field) fraction(at int) int {
	if f.Floats == nil {
		return -1
	}
	n := f.Size()
	for i, v := range f.Floats[at*n : (at+1)*n] {
		if !whole(v) {
			return i
		}
	}
	return -1
}

func whole(v float32) bool {
	return v == float32(math.Trunc(float64(v))) && v <= 1<<24 && v >= -1<<24
}
