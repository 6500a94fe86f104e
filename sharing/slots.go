package sharing

import "math/rand/v2"

// prime is the modulus of the hash.
const prime = 2038074743

// hash is u(x) = ((a0 x + a1 x^2 + a2) mod prime) mod m. Every product is reduced, so
// nothing overflows: x^2 a1 would for x above 2^16.
type hash struct{ a0, a1, a2 uint64 }

// newHash draws odd coefficients below the prime.
func newHash(seed uint64) hash {
	r := rand.New(rand.NewPCG(seed, 0x5A4E))
	draw := func() uint64 { return 2*(1+r.Uint64N(prime/2-2)) + 1 }
	return hash{draw(), draw(), draw()}
}

func (h hash) one(x uint64, m int) int {
	x %= prime
	return int((h.a0*x%prime + h.a1*(x*x%prime)%prime + h.a2) % prime % uint64(m))
}

// two hashes a pair.
func (h hash) two(x, y uint64, m int) int {
	return int((h.a0*(x%prime)%prime + h.a1*(y%prime)%prime + h.a2) % prime % uint64(m))
}

// Slot is where an entry reads: twice the place in the array, and one more where
// its sign is negative.
type Slot uint32

// At is the place in the array.
func (s Slot) At() int { return int(s >> 1) }

// Sign is 1 or -1.
func (s Slot) Sign() float32 { return 1 - 2*float32(s&1) }

// walk visits the slot of every entry of every tensor, in order.
func (l *Layout) walk(f func(k, i int, s Slot)) {
	h, off := newHash(*l.Seed), uint64(0)
	for k := range l.Tensors {
		t := &l.Tensors[k]
		signs := rand.NewPCG(*l.Seed, 0x5164<<32|uint64(k))
		place, n := l.places(h, t, off), t.size()
		var bits uint64
		for i := range n {
			if i%64 == 0 {
				bits = signs.Uint64()
			}
			f(k, i, Slot(2*place(i))|Slot(bits&1))
			bits >>= 1
		}
		off += uint64(n)
	}
}

// places gives the place of entry i of a tensor that starts at position off of the
// line of all weights. Entries are asked for in order.
func (l *Layout) places(h hash, t *Tensor, off uint64) func(i int) int {
	m := uint64(l.Len)
	switch l.Mapper {
	case Hashed:
		return func(i int) int { return h.one(off+uint64(i), l.Len) }
	case Roast:
		cols := t.size() / max(1, t.Shape[0])
		side, room := l.Tile, l.Len-l.Tile*l.Tile
		return func(i int) int {
			r, c := i/cols, i%cols
			at := h.two(uint64(r/side)+off, uint64(c/side)+off+uint64(t.Shape[0]), room)
			return at + r%side*side + c%side
		}
	}
	chunk, start := ^uint64(0), uint64(0)
	return func(i int) int {
		j := off + uint64(i)
		if c := j / m; c != chunk {
			chunk, start = c, uint64(h.one(c, l.Len))
		}
		return int((start + j%m) % m)
	}
}

// Slots are where the entries of each tensor read.
func (l *Layout) Slots() [][]Slot {
	out := make([][]Slot, len(l.Tensors))
	for k := range l.Tensors {
		out[k] = make([]Slot, l.Tensors[k].size())
	}
	l.walk(func(k, i int, s Slot) { out[k][i] = s })
	return out
}

// Expand writes the tensors of the layout.
func (l *Layout) Expand(array []float32, to [][]float32) {
	l.walk(func(k, i int, s Slot) { to[k][i] = value(l.Tensors[k].Scale, s, array) })
}

// value is an entry. All who expand do it by this product, so that bits agree.
func value(scale float32, s Slot, array []float32) float32 { return scale * s.Sign() * array[s.At()] }

// Read writes a tensor whose slots are known.
func Read(scale float32, slots []Slot, array, to []float32) {
	for i, s := range slots {
		to[i] = value(scale, s, array)
	}
}

// Scatter adds the gradient of a tensor to that of the array.
func Scatter(scale float32, slots []Slot, gradient []float32, to []float64) {
	for i, s := range slots {
		to[s.At()] += float64(scale * s.Sign() * gradient[i])
	}
}
