package dataset

import "io"

// leastWindow and mostWindow bound the bytes of a file that are looked at together.
const (
	leastWindow = 64 << 10
	mostWindow  = 4 << 20
)

// window is what is in memory of a file that is read from its beginning to its end.
type window struct {
	in  io.Reader
	b   []byte
	lo  int   // so much of b was read
	at  int64 // where in the file b begins
	err error // why there is no more of it
}

// offset is the place in the file up to which it was read.
func (w *window) offset() int64 { return w.at + int64(w.lo) }

// rest is what was not read yet.
func (w *window) rest() []byte { return w.b[w.lo:] }

// full says that nothing was read and that there can be no more.
func (w *window) full() bool { return w.lo == 0 && len(w.b) >= mostWindow }

// fill reads on. What was not read yet stays, and where that is all there is room for,
// there is more room.
func (w *window) fill() {
	size := max(leastWindow, cap(w.b))
	if w.lo == 0 && len(w.b) == cap(w.b) && len(w.b) > 0 {
		size *= 2
	}
	b := w.b[:0]
	if size > cap(b) {
		b = make([]byte, 0, size)
	}
	w.at += int64(w.lo)
	b = append(b, w.b[w.lo:]...)
	w.lo = 0
	for w.err == nil && len(b) < cap(b) {
		var n int
		n, w.err = w.in.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
	}
	w.b = b
}
