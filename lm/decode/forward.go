package decode

import (
	"pare/catalog"
	"pare/internal/kernel"
	"pare/lm/family"
)

// forward computes the states behind the last layer of the rows that are asked for, and keeps
// keys and values of all. It returns an error where the caches cannot hold them.
func (s *Session) forward() error {
	s.now = s.rows
	s.attend.beyond.Store(false)
	c := s.m.c
	for i, r := range s.rows {
		h := s.h[i*c.Hidden : (i+1)*c.Hidden]
		copy(h, s.m.embed[r.token*c.Hidden:(r.token+1)*c.Hidden])
		if c.EmbedScale != 1 {
			kernel.Scale(float32(c.EmbedScale), h, h)
		}
		if s.m.positions != nil {
			p := (r.pos + c.Offset) * c.Hidden
			kernel.Add(h, s.m.positions[p:p+c.Hidden], h)
		}
	}
	for i, l := range s.m.layers {
		s.layer(i, l)
		if s.attend.beyond.Load() {
			return catalog.Errorf("layer %d has a key or a value above 65504, which float16 cannot hold: {Cache} %s holds it", i, F32)
		}
	}
	s.keep(0)
	return nil
}

// keep leaves the rows alone whose states are asked for, where others are left: of them the
// last layer needs no more than keys and values. across is how many floats qkv has of a row.
func (s *Session) keep(across int) {
	if s.n == len(s.want) {
		return
	}
	d := s.m.c.Hidden
	s.kept = s.kept[:0]
	for to, from := range s.want {
		copy(s.h[to*d:(to+1)*d], s.h[from*d:(from+1)*d])
		copy(s.x[to*d:(to+1)*d], s.x[from*d:(from+1)*d])
		copy(s.qkv[to*across:(to+1)*across], s.qkv[from*across:(from+1)*across])
		s.kept = append(s.kept, s.rows[from])
	}
	s.n, s.now = len(s.kept), s.kept
}

// layer is block i, as family.Order describes it.
func (s *Session) layer(i int, l *layer) {
	if s.m.c.Order == family.Parallel {
		s.pass(nil, nil, l.norm1)
		if l.heads > 0 {
			s.attention(i, l, s.y)
		}
		if l.width > 0 {
			if l.norm2 != nil { // of what came in, as norm1
				s.pass(nil, nil, l.norm2)
			}
			s.mlp(l, s.z)
		}
		if l.heads > 0 {
			s.pass(s.y, nil, nil)
		}
		if l.width > 0 {
			s.pass(s.z, nil, nil)
		}
		return
	}
	if l.heads > 0 {
		s.pass(nil, nil, l.norm1)
		s.attention(i, l, s.y)
	}
	switch {
	case l.width == 0 && l.heads > 0:
		s.pass(s.y, l.after1, nil)
	case l.width > 0 && l.heads > 0:
		s.pass(s.y, l.after1, l.norm2)
	case l.width > 0:
		s.pass(nil, nil, l.norm2)
	}
	if l.width > 0 {
		s.mlp(l, s.y)
		s.pass(s.y, l.after2, nil)
	}
}

// pass adds what a branch gives, normalised where there is a norm, to the stream, and writes
// the stream, normalised by the next norm, to x. Each of the three may be nil.
func (s *Session) pass(y []float32, after, next *norm) {
	s.step.y, s.step.after, s.step.next = y, after, next
	s.pool.Run((s.n+stepRows-1)/stepRows, &s.step)
}

// stepTask is pass for some rows.
type stepTask struct {
	s           *Session
	y           []float32
	after, next *norm
}

const stepRows = 16 // rows of a piece of work

func (t *stepTask) Do(_ *kernel.Worker, piece int) {
	s, d := t.s, t.s.m.c.Hidden
	for r := piece * stepRows; r < min(s.n, (piece+1)*stepRows); r++ {
		h := s.h[r*d : (r+1)*d]
		if t.y != nil {
			y := t.y[r*d : (r+1)*d]
			if t.after != nil {
				t.after.apply(y, y)
			}
			kernel.Add(h, y, h)
		}
		if t.next != nil {
			t.next.apply(h, s.x[r*d:(r+1)*d])
		}
	}
}

// multiply is a layer of one matrix.
func (s *Session) multiply(p *product, x, y []float32) {
	s.one[0] = p
	s.lin.run(s.pool, s.one[:], x, y, s.n, p.out)
}

// mlp are the feed-forward layers of x.
func (s *Session) mlp(l *layer, y []float32) {
	across := 0
	for _, p := range l.up {
		across += p.out
	}
	s.lin.run(s.pool, l.up, s.x, s.up, s.n, across)
	s.gate.l, s.gate.across = l, across
	s.pool.Run(s.n, &s.gate)
	s.multiply(l.down, s.inner, y)
}

// gateTask applies the activation between the feed-forward layers, row by row.
type gateTask struct {
	s      *Session
	l      *layer
	across int
}

func (t *gateTask) Do(_ *kernel.Worker, r int) {
	up := t.s.up[r*t.across : (r+1)*t.across]
	x, y := up[:t.l.width], t.s.inner[r*t.l.width:(r+1)*t.l.width]
	switch t.s.m.c.Activation {
	case family.SiLU:
		kernel.Sigmoid(x, y)
		kernel.Mul(x, y, y)
	case family.GELU:
		kernel.Gelu(x, y)
	case family.GELUTanh:
		kernel.GeluTanh(x, y)
	default:
		kernel.Relu(x, y)
	}
	if t.s.m.c.Gated {
		kernel.Mul(y, up[t.l.width:], y)
	}
}
