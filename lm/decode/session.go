package decode

import (
	"cmp"
	"fmt"
	"slices"

	"pare/catalog"
	"pare/internal/kernel"
	"pare/lm/family"
)

// Options of a session. Zero values stand for what is said.
type Options struct {
	Sequences int // texts that are decoded side by side; 0: 1
	Capacity  int // tokens that a text may have; 0: as many as the model was made for
	Rows      int // tokens that are computed at once; 0: 256
	Threads   int // 0: one for each core
	Most      int // bytes that the session may take; 0: 16 GiB

	// Cache is how keys and values are held: F32, or F16 in half the memory, which takes half
	// as long to read. "": F32 for a model whose matrices are in the form F32, else F16.
	Cache Form
}

// Session decodes some texts with a model. It must not be used by two goroutines at once.
type Session struct {
	m    *Model
	opt  Options
	pool *kernel.Pool
	own  bool

	length []int             // tokens of each sequence
	caches []*kernel.KVCache // of each layer, heads by sequence
	turns  map[*family.Rotary]*table

	// Rows that are computed at once.
	n    int
	rows []row
	now  []row // those that are being computed: all, or behind the last layer's keys those of want
	kept []row
	want []int // rows whose logits are asked for

	h, x, y, z []float32 // [rows hidden]: the stream, what a branch reads, what branches give
	qkv        []float32 // [rows across]
	attended   []float32 // [rows heads*size]
	up, inner  []float32 // [rows 2*widest], [rows widest]
	logits     []float32 // [shown vocab]
	one        [1]*product
	lin        linear
	attend     attendTask
	gate       gateTask
	step       stepTask
}

// row is a token: of an input, at a position of a sequence.
type row struct{ input, at, seq, pos, token int }

// table are cosine and sine of the positions, [capacity half].
type table struct {
	cos, sin []float32
	half     int
}

// NewSession makes a session. It returns an error where the options are out of range, the
// model has no positions for so long a text, or the caches would take too much memory.
func (m *Model) NewSession(o Options) (*Session, error) {
	o.Sequences, o.Rows, o.Most = cmp.Or(o.Sequences, 1), cmp.Or(o.Rows, 256), cmp.Or(o.Most, 16<<30)
	o.Capacity = cmp.Or(o.Capacity, m.c.Positions)
	const most = 1 << 24
	for _, x := range []int{o.Sequences, o.Capacity, o.Rows} {
		if x < 1 || x > most {
			return nil, fmt.Errorf("sequences %d, capacity %d, rows %d: each is from 1 to %d", o.Sequences, o.Capacity, o.Rows, most)
		}
	}
	if o.Threads < 0 || o.Most < 0 {
		return nil, fmt.Errorf("threads %d, bytes %d: neither may be negative", o.Threads, o.Most)
	}
	if o.Cache == "" {
		o.Cache = m.Cache()
	}
	if !slices.Contains(Caches, o.Cache) {
		return nil, catalog.Errorf("{Cache} %q is none of %q", o.Cache, Caches)
	}
	if m.c.Learned && o.Capacity > m.c.Positions {
		return nil, fmt.Errorf("texts of %d tokens: the model has %d positions", o.Capacity, m.c.Positions)
	}
	s := &Session{m: m, opt: o, length: make([]int, o.Sequences), turns: map[*family.Rotary]*table{}}
	if err := s.room(); err != nil {
		return nil, err
	}
	if s.pool = kernel.Shared(); o.Threads > 0 {
		s.pool, s.own = kernel.NewPool(o.Threads), true
	}
	c := m.c
	memory := kernel.NewMemory(o.Sequences * o.Capacity * m.CacheBytes(o.Cache))
	for _, l := range m.layers {
		s.caches = append(s.caches, kernel.NewKVCache(memory, l.kv*o.Sequences, c.HeadDim, o.Capacity, o.Cache == F16))
		if l.rotary != nil && s.turns[l.rotary] == nil {
			cos, sin, err := l.rotary.Table(o.Capacity)
			if err != nil {
				return nil, err
			}
			s.turns[l.rotary] = &table{cos, sin, l.rotary.Dim / 2}
		}
	}
	floats := func(n int) []float32 { return make([]float32, o.Rows*n) }
	s.rows, s.want, s.kept = make([]row, 0, o.Rows), make([]int, 0, o.Rows), make([]row, 0, o.Rows)
	s.h, s.x, s.y, s.z = floats(c.Hidden), floats(c.Hidden), floats(c.Hidden), floats(c.Hidden)
	s.qkv, s.attended = floats(m.across), floats(m.heads*c.HeadDim)
	s.up, s.inner = floats(2*m.widest), floats(m.widest)
	s.logits = make([]float32, s.shown()*c.Vocab)
	s.attend.s, s.gate.s, s.step.s = s, s, s
	s.attend.results = make([]float32, s.resultFloats())
	s.lin.room(m.products(), o.Rows)
	return s, nil
}

// shown is for how many rows logits are computed at once.
func (s *Session) shown() int { return min(s.opt.Rows, max(s.opt.Sequences, 8)) }

// resultFloats is how many floats the parts of attention come to that are pieces of their own.
func (s *Session) resultFloats() int {
	parts := (s.opt.Capacity-1)/partLength + 1
	return min(s.opt.Rows, apart) * s.m.heads * parts * (kernel.ValueWidth(s.m.c.HeadDim) + 2)
}

// room returns an error where the session would take more bytes than it may.
func (s *Session) room() error {
	c, o := s.m.c, s.opt
	left := float64(o.Most)
	for _, l := range s.m.layers {
		left -= float64(kernel.KVBytes(l.kv, c.HeadDim, o.Capacity, o.Cache == F16)) * float64(o.Sequences)
	}
	left -= 4 * float64(s.resultFloats())
	left -= 4 * float64(o.Rows) * float64(4*c.Hidden+s.m.heads*c.HeadDim+s.m.across+3*s.m.widest)
	left -= 4 * float64(s.shown()) * float64(c.Vocab)
	left -= 4 * float64(roomFloats(s.m.products(), o.Rows))
	if left < 0 {
		return fmt.Errorf("caches for %d texts of %d tokens take %.0f bytes more than the %d that are allowed", o.Sequences, o.Capacity, -left, o.Most)
	}
	return nil
}

// Close ends the session's threads.
func (s *Session) Close() {
	if s.own {
		s.pool.Close()
		s.own = false
	}
}

// Model is the session's.
func (s *Session) Model() *Model { return s.m }

// Sequences is how many texts there are.
func (s *Session) Sequences() int { return len(s.length) }

// Len is the number of tokens of a sequence, and Left how many more there is room for.
func (s *Session) Len(seq int) int  { return s.length[seq] }
func (s *Session) Left(seq int) int { return s.opt.Capacity - s.length[seq] }

// Truncate takes back all tokens of a sequence but the first n.
func (s *Session) Truncate(seq, n int) error {
	if seq < 0 || seq >= len(s.length) || n < 0 || n > s.length[seq] {
		return fmt.Errorf("sequence %d of %d cannot be cut to %d tokens", seq, len(s.length), n)
	}
	s.length[seq] = n
	return nil
}

// Fork makes a sequence a copy of another, whose tokens are not computed again.
func (s *Session) Fork(to, from int) error {
	for _, q := range []int{to, from} {
		if q < 0 || q >= len(s.length) {
			return fmt.Errorf("there is no sequence %d of %d", q, len(s.length))
		}
	}
	if to == from {
		return nil
	}
	for i, l := range s.m.layers {
		for h := range l.kv {
			s.caches[i].Copy(to*l.kv+h, from*l.kv+h, s.length[from])
		}
	}
	s.length[to] = s.length[from]
	return nil
}
