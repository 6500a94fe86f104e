package randnet

import "math/rand/v2"

// Source makes choices from bytes, so that a fuzzer can steer them: each choice
// takes one byte, and after the last every choice is the first.
type Source struct {
	b []byte
	r *rand.Rand // of weights: what they are is of no interest to a fuzzer
}

// Bytes is a source of a fuzzer's choices.
func Bytes(b []byte) *Source { return &Source{b, rand.New(rand.NewPCG(uint64(len(b)), 0xb17e5))} }

// Seed is a source of n choices by seed.
func Seed(seed uint64, n int) *Source {
	r := rand.New(rand.NewPCG(seed, 0x5eed))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.UintN(256))
	}
	return &Source{b, r}
}

// done says whether all choices are made.
func (s *Source) done() bool { return len(s.b) == 0 }

// of is a number in [0, n), n at most 256.
func (s *Source) of(n int) int {
	if len(s.b) == 0 || n < 2 {
		return 0
	}
	k := int(s.b[0]) % n
	s.b = s.b[1:]
	return k
}

// in is a number in [lo, hi].
func (s *Source) in(lo, hi int) int { return lo + s.of(hi-lo+1) }

// one in n times it is true; it is false at the end.
func (s *Source) oneIn(n int) bool { return s.of(n) == n-1 && n > 1 }

// pick is one of xs.
func pick[T any](s *Source, xs ...T) T { return xs[s.of(len(xs))] }
