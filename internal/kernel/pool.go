package kernel

import (
	"runtime"
	"sync"
	"sync/atomic"
	"unsafe"
)

// Task is work in n independent pieces. Do may be called for different i at
// once, by workers numbered from 0; what it computes must not depend on the
// worker.
type Task interface{ Do(w *Worker, i int) }

// Worker is one thread of a pool with scratch memory of its own.
type Worker struct {
	ID        int
	tile      tile
	sparse    sparseTile
	sampled   sampled
	packed    packedTile
	whole     wholeTile
	attention attentionTile
	rows      rows
	dot       dotTile
	requant   requantTile
	depthwise depthwiseTile
	thin      sparseByteTile
	buf       [][]float32
	lines     []float32
	half      []uint16
	sums      [3][]int32
	raw       []byte
	taps      []int
}

// Scratch gives buffer number k of the worker with room for n floats; its
// contents are what was left there.
func (w *Worker) Scratch(k, n int) []float32 {
	for len(w.buf) <= k {
		w.buf = append(w.buf, nil)
	}
	if cap(w.buf[k]) < n {
		w.buf[k] = make([]float32, n)
	}
	return w.buf[k][:n]
}

// ints is scratch memory number k for n sums.
func (w *Worker) ints(k, n int) []int32 {
	if cap(w.sums[k]) < n {
		w.sums[k] = make([]int32, n)
	}
	return w.sums[k][:n]
}

// bytes is scratch memory for n bytes.
func (w *Worker) bytes(n int) []byte {
	if cap(w.raw) < n {
		w.raw = make([]byte, n)
	}
	return w.raw[:n]
}

// aligned is scratch memory for n floats that begins with a line of the cache.
func (w *Worker) aligned(n int) []float32 {
	if cap(w.lines) < n {
		w.lines = alignedFloats(n)
	}
	return w.lines[:n]
}

// alignedFloats makes n floats that begin with a line of the cache.
func alignedFloats(n int) []float32 {
	const line = 16
	x := make([]float32, n+line)
	off := -int(uintptr(unsafe.Pointer(&x[0]))/4) & (line - 1)
	return x[off : off+n : off+n]
}

// Pool is a fixed set of standing workers. The caller of Run is worker 0. An
// idle worker spins for some tens of microseconds, then sleeps; Run does not wait
// for one that sleeps. Run must not be called by two goroutines at once; one that
// is called by a task runs on its worker.
type Pool struct {
	workers []*Worker
	lock    sync.Mutex

	task  Task
	n     int64
	share []share
	epoch atomic.Uint64
	gate  atomic.Int64
	wake  []chan struct{}
	sleep []atomic.Bool
	fail  atomic.Pointer[any]
	done  atomic.Bool
}

// share is the range of pieces that a worker begins with, so that the data of a
// place stay with the worker that had them the last time. It is a cache line.
type share struct {
	next, end atomic.Int64
	_         [48]byte
}

// How often an idle worker looks for work before it sleeps, and how often the
// caller looks for the end before it lets others run. Neither yields earlier: a
// goroutine that yields to its partner takes its processor, and both go on by
// turns on one while the other stands idle.
const (
	spins = 1 << 17
	waits = 1 << 20
)

// shut is added to a pool's gate while there is no task; what the gate holds
// besides is how many workers are inside. A worker that comes too late, because
// it slept or its thread had no processor, finds the gate shut, and nobody waits
// for it: a piece of some microseconds is done before a sleeper wakes.
const shut = 1 << 32

// NewPool starts threads-1 workers; 0 threads means one for each core.
func NewPool(threads int) *Pool {
	if threads <= 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	p := &Pool{share: make([]share, threads), wake: make([]chan struct{}, threads), sleep: make([]atomic.Bool, threads)}
	p.gate.Store(shut)
	for i := range threads {
		p.workers = append(p.workers, &Worker{ID: i})
		p.wake[i] = make(chan struct{}, 1)
	}
	for i := 1; i < threads; i++ {
		go p.loop(i)
	}
	return p
}

var (
	sharedOnce sync.Once
	shared     *Pool
)

// Shared is the process's pool with a worker for each core.
func Shared() *Pool {
	sharedOnce.Do(func() { shared = NewPool(0) })
	return shared
}

// Threads is the number of workers.
func (p *Pool) Threads() int { return len(p.workers) }

// Close ends the workers; the pool must not be used after.
func (p *Pool) Close() {
	p.done.Store(true)
	p.epoch.Add(1)
	for i := 1; i < len(p.workers); i++ {
		p.rouse(i)
	}
}

func (p *Pool) rouse(i int) {
	if p.sleep[i].Swap(false) {
		p.wake[i] <- struct{}{}
	}
}

func (p *Pool) loop(i int) {
	seen := uint64(0)
	for {
		for s := 0; p.epoch.Load() == seen; s++ {
			if s < spins {
				continue
			}
			p.sleep[i].Store(true)
			if p.epoch.Load() != seen {
				if !p.sleep[i].Swap(false) { // someone is waking this worker
					<-p.wake[i]
				}
				break
			}
			<-p.wake[i]
		}
		seen = p.epoch.Load()
		if p.done.Load() {
			return
		}
		if p.gate.Add(1) < shut {
			p.drain(p.workers[i])
		}
		p.gate.Add(-1)
	}
}

// drain takes the worker's own pieces, then what is left of the others'.
func (p *Pool) drain(w *Worker) {
	defer func() {
		if r := recover(); r != nil {
			why := r // its own variable, so that only a panic allocates
			p.fail.CompareAndSwap(nil, &why)
			for k := range p.share {
				p.share[k].next.Store(p.n)
			}
		}
	}()
	for k := range p.share {
		s := &p.share[(w.ID+k)%len(p.share)]
		for {
			i := s.next.Add(1) - 1
			if i >= s.end.Load() {
				break
			}
			p.task.Do(w, int(i))
		}
	}
}

// Run does the n pieces of a task and returns when all are done. It allocates
// nothing. A panic in a piece is raised again here.
func (p *Pool) Run(n int, t Task) {
	if n <= 0 {
		return
	}
	if !p.lock.TryLock() {
		// a task of this pool, or another goroutine: serial, with scratch of its own
		w := &Worker{}
		for i := range n {
			t.Do(w, i)
		}
		return
	}
	defer p.lock.Unlock()
	if len(p.workers) == 1 || n == 1 {
		for i := range n {
			t.Do(p.workers[0], i)
		}
		return
	}
	p.task, p.n = t, int64(n)
	for k, t := int64(0), int64(len(p.share)); k < t; k++ {
		p.share[k].next.Store(k * p.n / t)
		p.share[k].end.Store((k + 1) * p.n / t)
	}
	p.gate.Add(-shut)
	p.epoch.Add(1)
	for i := 1; i < len(p.workers); i++ {
		p.rouse(i)
	}
	p.drain(p.workers[0])
	p.gate.Add(shut)
	for s := 0; p.gate.Load() != shut; s++ {
		if s%waits == waits-1 {
			runtime.Gosched()
		}
	}
	p.task = nil
	if r := p.fail.Swap(nil); r != nil {
		panic(*r)
	}
}
