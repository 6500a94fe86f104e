package decode

import (
	"pare/internal/kernel"
	"pare/lm/family"
)

// forward computes the rows' states behind the last layer, and keeps keys and values.
func (s *Session) forward() {
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
	}
}

// layer is block i, as family.Order describes it.
func (s *Session) layer(i int, l *layer) {
	if s.m.c.Order == family.Parallel {
		if l.norm1 != nil {
			s.normalise(l.norm1)
		}
		if l.heads > 0 {
			s.attention(i, l, s.y)
		}
		if l.width > 0 {
			if l.norm2 != nil { // of what came in, as norm1
				s.normalise(l.norm2)
			}
			s.mlp(l, s.z)
		}
		if l.heads > 0 {
			s.add(s.y, nil)
		}
		if l.width > 0 {
			s.add(s.z, nil)
		}
		return
	}
	if l.heads > 0 {
		s.normalise(l.norm1)
		s.attention(i, l, s.y)
		s.add(s.y, l.after1)
	}
	if l.width > 0 {
		s.normalise(l.norm2)
		s.mlp(l, s.y)
		s.add(s.y, l.after2)
	}
}

// normalise writes the normalised stream to x.
func (s *Session) normalise(n *norm) {
	d := s.m.c.Hidden
	for r := range s.n {
		n.apply(s.h[r*d:(r+1)*d], s.x[r*d:(r+1)*d])
	}
}

// add adds what a branch gives, normalised where there is a norm, to the stream.
func (s *Session) add(y []float32, n *norm) {
	d := s.m.c.Hidden
	for r := range s.n {
		y, h := y[r*d:(r+1)*d], s.h[r*d:(r+1)*d]
		if n != nil {
			n.apply(y, y)
		}
		kernel.Add(h, y, h)
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
