package kernel

import (
	"sync"
	"unsafe"
)

// Memory is what matrices and caches lie in together: in large pieces, so that the system can
// map them by large pages, of which a processor looks up far fewer. Its methods may be called
// by many goroutines. A nil Memory gives pieces of their own.
type Memory struct {
	block int
	lock  sync.Mutex
	left  []byte
}

// largestBlock is how many bytes are asked for at once: what is left of the last is wasted.
const largestBlock = 32 << 20

// NewMemory is memory for about so many bytes.
func NewMemory(bytes int) *Memory { return &Memory{block: min(bytes, largestBlock)} }

// line is the size of a line of the cache, with which what is taken begins.
const line = 64

// bytes takes n zeros.
func (m *Memory) bytes(n int) []byte {
	m.lock.Lock()
	defer m.lock.Unlock()
	if need := n + line; need > len(m.left) {
		if need > m.block/2 { // what is left serves others yet
			return largePages(make([]byte, n))
		}
		m.left = largePages(make([]byte, m.block))
	}
	off := -int(uintptr(unsafe.Pointer(&m.left[0]))) & (line - 1)
	out := m.left[off : off+n : off+n]
	m.left = m.left[off+n:]
	return out
}

// take takes n numbers of memory, all of them 0.
func take[T byte | uint16 | uint32 | uint64 | float32](m *Memory, n int) []T {
	if m == nil || n == 0 {
		return make([]T, n)
	}
	b := m.bytes(n * int(unsafe.Sizeof(T(0))))
	return unsafe.Slice((*T)(unsafe.Pointer(&b[0])), n)
}

// moved is x in memory.
func moved[T byte | uint16 | uint32 | uint64](m *Memory, x []T) []T {
	if m == nil || x == nil {
		return x
	}
	y := take[T](m, len(x))
	copy(y, x)
	return y
}
