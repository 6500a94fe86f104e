package decode

import "pare/internal/kernel"

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
	for r := range s.n {
		t.place(r)
	}
	s.pool.Run(s.n*l.heads, t)
	s.multiply(l.o, s.attended, y)
}

// attendTask attends: a piece of work is a head of a row.
type attendTask struct {
	s      *Session
	l      *layer
	cache  cache
	across int
	turn   *table // nil: positions do not turn
}

// place gives the queries and keys of a row their position, and puts keys and values into
// the cache.
func (t *attendTask) place(r int) {
	s, l := t.s, t.l
	d, room, at := s.m.c.HeadDim, s.opt.Capacity, s.rows[r]
	x := s.qkv[r*t.across : (r+1)*t.across]
	for h := range l.heads {
		t.prepare(x[l.q+h*l.step:][:d], l.qNorm, at.pos)
	}
	for h := range l.kv {
		k, v := x[l.k+h*l.step:][:d], x[l.v+h*l.step:][:d]
		t.prepare(k, l.kNorm, at.pos)
		base := (at.seq*l.kv + h) * d * room
		copy(t.cache.k[base+at.pos*d:], k)
		for e, v := range v {
			t.cache.v[base+e*room+at.pos] = v
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

// Do computes what a head of a row attends to.
func (t *attendTask) Do(w *kernel.Worker, piece int) {
	s, l := t.s, t.l
	r, h := piece/l.heads, piece%l.heads
	d, room, at := s.m.c.HeadDim, s.opt.Capacity, s.rows[r]
	from := 0
	if l.window > 0 {
		from = max(0, at.pos+1-l.window)
	}
	n := at.pos + 1 - from
	scores := w.Scratch(0, room)[:n]
	base := (at.seq*l.kv + h/(l.heads/l.kv)) * d * room
	kernel.Dots(s.qkv[r*t.across+l.q+h*l.step:][:d], t.cache.k[base+from*d:], d, scores)
	kernel.Scale(float32(s.m.c.Scale), scores, scores)
	if c := s.m.c.ScoreSoftcap; c > 0 {
		softcap(scores, c)
	}
	kernel.Softmax(scores, scores, n)
	out := s.attended[(r*l.heads+h)*d:][:d]
	kernel.Dots(scores, t.cache.v[base+from:], room, out)
}

// softcap is c·tanh(x/c).
func softcap(x []float32, c float64) {
	kernel.Scale(float32(1/c), x, x)
	kernel.Tanh(x, x)
	kernel.Scale(float32(c), x, x)
}
