package decode

import (
	"math"
	"sync/atomic"

	"pare/internal/kernel"
)

// attention is that of layer i over x: new keys and values go to the cache, then every
// token attends to those of its sequence up to itself.
func (s *Session) attention(i int, l *layer, y []float32) {
	t := &s.attend
	t.l, t.cache, t.across, t.turn = l, s.caches[i], 0, nil
	for _, p := range l.qkv {
		t.across += p.out
	}
	if l.rotary != nil {
		t.turn = s.turns[l.rotary]
	}
	s.lin.run(s.pool, l.qkv, s.x, s.qkv, s.n, t.across)
	t.placing = true
	s.pool.Run(s.n, t)
	t.placing = false
	if i == len(s.m.layers)-1 {
		s.keep(t.across)
	}
	t.run()
	s.multiply(l.o, s.attended, y)
}

// apart is up to how many rows the parts of a row's attention are pieces of work of their own.
const apart = 4

// partLength is how many positions a part of a row's attention has, a multiple of a panel of
// keys. Parts are computed one by one and put together in their order, whoever computes
// them. Tests take less.
var partLength = 256

// attendTask attends. A piece of work is a row, which puts keys and values into the cache; or
// what the query heads that share keys make of those of a row; or, where rows are few, of a
// part of them.
type attendTask struct {
	s       *Session
	l       *layer
	cache   *kernel.KVCache
	across  int
	turn    *table // nil: positions do not turn
	placing bool
	parts   int         // of each row at most, which are pieces of their own; 0: they are not
	results []float32   // of parts
	beyond  atomic.Bool // a key or a value was too large for the cache
}

// run attends to what is in the cache.
func (t *attendTask) run() {
	s, l := t.s, t.l
	parts := 0
	if s.n <= apart && s.pool.Threads() > 1 {
		for r := range s.n {
			_, _, n := t.span(r)
			parts = max(parts, n)
		}
	}
	if t.parts = parts; parts < 2 {
		t.parts = 0
		s.pool.Run(s.n*l.kv, t)
		return
	}
	s.pool.Run(s.n*l.kv*t.parts, t)
	for piece := range s.n * l.kv {
		_, _, n := t.span(piece / l.kv)
		all := t.results[piece*t.parts*t.size():]
		for p := 1; p < n; p++ {
			t.merge(all, all[p*t.size():])
		}
		t.end(piece, all)
	}
}

// span is what positions a row attends to, and in how many parts.
func (t *attendTask) span(r int) (lo, hi, parts int) {
	hi = t.s.now[r].pos + 1
	if t.l.window > 0 {
		lo = max(0, hi-t.l.window)
	}
	return lo, hi, (hi-1)/partLength - lo/partLength + 1
}

// place gives the queries and keys of a row their position, and puts keys and values into
// the cache.
func (t *attendTask) place(w *kernel.Worker, r int) {
	s, l := t.s, t.l
	d, at := s.m.c.HeadDim, s.now[r]
	x := s.qkv[r*t.across : (r+1)*t.across]
	for h := range l.heads {
		q := x[l.q+h*l.step:][:d]
		t.prepare(q, l.qNorm, at.pos)
		kernel.Scale(float32(s.m.c.Scale), q, q)
	}
	for h := range l.kv {
		k, v := x[l.k+h*l.step:][:d], x[l.v+h*l.step:][:d]
		t.prepare(k, l.kNorm, at.pos)
		if !t.cache.Put(w, at.seq*l.kv+h, at.pos, k, v) {
			t.beyond.Store(true)
		}
	}
}

// prepare normalises and turns a head.
func (t *attendTask) prepare(x []float32, n *norm, pos int) {
	if n != nil {
		n.apply(x, x)
	}
	if t.turn == nil {
		return
	}
	half := t.turn.half
	cos, sin := t.turn.cos[pos*half:(pos+1)*half], t.turn.sin[pos*half:(pos+1)*half]
	a, b := x[:half], x[half:2*half]
	for j, c := range cos {
		u, v := a[j], b[j]
		a[j], b[j] = u*c-v*sin[j], v*c+u*sin[j]
	}
}

// Do does a piece of work.
func (t *attendTask) Do(w *kernel.Worker, piece int) {
	switch {
	case t.placing:
		t.place(w, piece)
	case t.parts > 0:
		if _, _, n := t.span(piece / t.parts / t.l.kv); piece%t.parts < n {
			t.part(w, piece/t.parts, piece%t.parts, t.results[piece*t.size():])
		}
	default:
		size := t.size()
		both := w.Scratch(1, 2*size)
		all, next := both[:size], both[size:]
		t.part(w, piece, 0, all)
		_, _, n := t.span(piece / t.l.kv)
		for p := 1; p < n; p++ {
			t.part(w, piece, p, next)
			t.merge(all, next)
		}
		t.end(piece, all)
	}
}

// group is how many query heads share keys and values.
func (t *attendTask) group() int { return t.l.heads / t.l.kv }

// What comes of a part are for each head of the group a sum of values, the largest score, and
// the sum of the weights e^(score-largest) of the values.
func (t *attendTask) size() int  { return t.group() * t.width() }
func (t *attendTask) width() int { return kernel.ValueWidth(t.s.m.c.HeadDim) + 2 }

// part attends to a part of the positions of a row, for the heads of a group.
func (t *attendTask) part(w *kernel.Worker, piece, part int, out []float32) {
	s, l := t.s, t.l
	r, h := piece/l.kv, piece%l.kv
	lo, hi, _ := t.span(r)
	begin := (lo/partLength + part) * partLength
	lo, hi = max(lo, begin), min(hi, begin+partLength)
	head, group, wide := s.now[r].seq*l.kv+h, t.group(), t.width()
	scores := w.Scratch(0, group*partLength)
	t.cache.Scores(w, head, lo, hi, s.qkv[r*t.across+l.q+h*group*l.step:], l.step, group, scores, partLength)
	from := lo % kernel.KeyPanel
	for g := range group {
		x := scores[g*partLength+from:][:hi-lo]
		if c := s.m.c.ScoreSoftcap; c > 0 {
			softcap(x, c)
		}
		out[(g+1)*wide-2], out[(g+1)*wide-1] = kernel.ExpSum(x, x)
	}
	t.cache.Sums(w, head, lo, hi, scores[from:], partLength, group, out, wide)
}

// merge adds to what comes of the parts before one what comes of it (Milakov, Gimelshein
// 2018, arXiv 1805.02867).
func (t *attendTask) merge(all, next []float32) {
	wide := t.width()
	for g := range t.group() {
		a, b := all[g*wide:(g+1)*wide], next[g*wide:(g+1)*wide]
		most := max(a[wide-2], b[wide-2])
		u, v := float32(math.Exp(float64(a[wide-2]-most))), float32(math.Exp(float64(b[wide-2]-most)))
		kernel.Axpby(u, a[:wide-2], v, b[:wide-2], a[:wide-2])
		a[wide-2], a[wide-1] = most, u*a[wide-1]+v*b[wide-1]
	}
}

// end writes what the heads of a group attend to.
func (t *attendTask) end(piece int, all []float32) {
	d, wide, group := t.s.m.c.HeadDim, t.width(), t.group()
	y := t.s.attended[piece*group*d:]
	for g := range group {
		a := all[g*wide : (g+1)*wide]
		kernel.Scale(1/a[wide-1], a[:d], y[g*d:(g+1)*d])
	}
}

// softcap is c·tanh(x/c).
func softcap(x []float32, c float64) {
	kernel.Scale(float32(1/c), x, x)
	kernel.Tanh(x, x)
	kernel.Scale(float32(c), x, x)
}
