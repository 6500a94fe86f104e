package gguf

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/x448/float16"
)

// A packing is how a type lays out numbers in a block, element by element: the inverse of its
// decoder, written from the format's diagrams.
type packing struct {
	groups         int // of elements that share a scale and a smallest value; 0: the block is one
	scales, mins   int // bits of these
	signed, bits   int // what scales are lowered by; bits of an element
	minus          int // what elements are lowered by
	hasMin, double bool
	put            func(b []byte, s, m []int, q []int)
}

// set puts the bits of v into byte at from bit on.
func set(b []byte, at, from, v int) { b[at] |= byte(v << from) }

// scales6 packs eight scales and smallest values of 6 bits into 12 bytes.
func scales6(b []byte, s, m []int) {
	for g := range 8 {
		if g < 4 {
			set(b, g, 0, s[g])
			set(b, g+4, 0, m[g])
			continue
		}
		set(b, g-4, 6, s[g]>>4)
		set(b, g, 6, m[g]>>4)
		set(b, g+4, 0, s[g]&15)
		set(b, g+4, 4, m[g]&15)
	}
}

var packings = map[Type]packing{
	Q4_0: {bits: 4, minus: 8, put: func(b []byte, _, _, q []int) {
		for i, v := range q {
			set(b, 2+i%16, i/16*4, v)
		}
	}},
	Q4_1: {bits: 4, hasMin: true, put: func(b []byte, _, _, q []int) {
		for i, v := range q {
			set(b, 4+i%16, i/16*4, v)
		}
	}},
	Q5_0: {bits: 5, minus: 16, put: func(b []byte, _, _, q []int) {
		for i, v := range q {
			set(b, 6+i%16, i/16*4, v&15)
			set(b, 2+i/8, i%8, v>>4)
		}
	}},
	Q5_1: {bits: 5, hasMin: true, put: func(b []byte, _, _, q []int) {
		for i, v := range q {
			set(b, 8+i%16, i/16*4, v&15)
			set(b, 4+i/8, i%8, v>>4)
		}
	}},
	Q8_0: {bits: 8, minus: 128, put: func(b []byte, _, _, q []int) {
		for i, v := range q {
			b[2+i] = byte(v - 128)
		}
	}},
	Q2_K: {groups: 16, scales: 4, mins: 4, bits: 2, hasMin: true, put: func(b []byte, s, m, q []int) {
		for g := range 16 {
			set(b, g, 0, s[g])
			set(b, g, 4, m[g])
		}
		for i, v := range q {
			set(b, 16+i/128*32+i%32, i/32%4*2, v)
		}
	}},
	Q3_K: {groups: 16, scales: 6, signed: 32, bits: 3, minus: 4, put: func(b []byte, s, _, q []int) {
		for g, v := range s {
			set(b, 96+g%8, g/8*4, v&15)
			set(b, 104+g%4, g/4*2, v>>4)
		}
		for i, v := range q {
			set(b, 32+i/128*32+i%32, i/32%4*2, v&3)
			set(b, i%32, i/32, v>>2)
		}
	}},
	Q4_K: {groups: 8, scales: 6, mins: 6, bits: 4, hasMin: true, put: func(b []byte, s, m, q []int) {
		scales6(b[4:], s, m)
		for i, v := range q {
			set(b, 16+i/64*32+i%32, i/32%2*4, v)
		}
	}},
	Q5_K: {groups: 8, scales: 6, mins: 6, bits: 5, hasMin: true, put: func(b []byte, s, m, q []int) {
		scales6(b[4:], s, m)
		for i, v := range q {
			set(b, 48+i/64*32+i%32, i/32%2*4, v&15)
			set(b, 16+i%32, i/32, v>>4)
		}
	}},
	Q6_K: {groups: 16, scales: 8, signed: 128, bits: 6, minus: 32, put: func(b []byte, s, _, q []int) {
		for g, v := range s {
			b[192+g] = byte(v - 128)
		}
		for i, v := range q {
			set(b, i/128*64+i%64, i/64%2*4, v&15)
			set(b, 128+i/128*32+i%32, i/32%4*2, v>>4)
		}
	}},
	Q8_K: {bits: 8, minus: 128, double: true, put: func(b []byte, _, _, q []int) {
		for i, v := range q {
			b[4+i] = byte(v - 128)
		}
	}},
}

// where the scale and the smallest value of a block lie.
var halves = map[Type][2]int{Q4_0: {0}, Q4_1: {0, 2}, Q5_0: {0}, Q5_1: {0, 2}, Q8_0: {0}, Q2_K: {80, 82}, Q3_K: {108}, Q4_K: {0, 2}, Q5_K: {0, 2}, Q6_K: {208}}

// Numbers that are packed element by element come out as d s q − dmin m.
func TestBlocks(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	some := func(n, bits int) []int {
		out := make([]int, n)
		for i := range out {
			out[i] = r.IntN(1 << bits)
		}
		return out
	}
	for kind, p := range packings {
		l := layouts[kind]
		for range 50 {
			groups := max(1, p.groups)
			s, m, q := some(groups, p.scales), some(groups, p.mins), some(l.block, p.bits)
			b := make([]byte, l.size)
			p.put(b, s, m, q)
			d, dmin := float32(r.IntN(2048)-1024)/64, float32(r.IntN(2048)-1024)/64
			if p.double {
				binary.LittleEndian.PutUint32(b, math.Float32bits(d))
			} else {
				at := halves[kind]
				binary.LittleEndian.PutUint16(b[at[0]:], float16.Fromfloat32(d).Bits())
				if p.hasMin {
					binary.LittleEndian.PutUint16(b[at[1]:], float16.Fromfloat32(dmin).Bits())
				}
			}
			got := make([]float32, l.block)
			l.decode(b, got)
			for i, v := range got {
				g := i / (l.block / groups)
				want := float64(d) * float64(q[i]-p.minus)
				switch {
				case p.groups > 0 && p.hasMin:
					want = want*float64(s[g]) - float64(dmin)*float64(m[g])
				case p.groups > 0:
					want *= float64(s[g] - p.signed)
				case p.hasMin:
					want += float64(dmin)
				}
				if float64(v) != want { // all of these are exact
					t.Fatalf("%v: element %d is %v, want %v", kind, i, v, want)
				}
			}
		}
	}
	for kind, l := range layouts {
		if l.decode != nil && packings[kind].put == nil {
			t.Errorf("%v is not tested", kind)
		}
	}
}

// Quantised by hand: the scale of ±127/4 is 1/4, of −8 is 1; ties go away from zero.
func TestQuantize(t *testing.T) {
	x := make([]float32, 32)
	copy(x, []float32{31.75, -31.75, 0.125, -0.125, 0.12, 10, 0.375})
	b := make([]byte, 34)
	encodeQ8_0(x, b)
	for i, want := range []int8{127, -127, 1, -1, 0, 40, 2, 0} {
		if int8(b[2+i]) != want {
			t.Errorf("Q8_0: %v became %d, want %d", x[i], int8(b[2+i]), want)
		}
	}
	if b[0] != 0 || b[1] != 0x34 {
		t.Errorf("Q8_0: scale %x, want 3400", b[:2])
	}
	clear(x)
	copy(x, []float32{-8, 7, 6.5, 6.49, -7.5, -7.51, 0.5, -0.5, 8, 7.5})
	b = make([]byte, 18)
	encodeQ4_0(x, b)
	for i, want := range []byte{0, 15, 15, 14, 1, 0, 9, 8, 15, 15, 8} {
		if b[2+i]&15 != want || b[2+i]>>4 != 8 {
			t.Errorf("Q4_0: %v became %x, want 8%x", x[i], b[2+i], want)
		}
	}
	if b[0] != 0 || b[1] != 0x3c {
		t.Errorf("Q4_0: scale %x, want 3c00", b[:2])
	}
	x[3] = 16 // positive: its scale is −2, it becomes 0
	encodeQ4_0(x, b)
	if b[1] != 0xc0 || b[2+3]&15 != 0 || b[2+0]&15 != 12 {
		t.Errorf("Q4_0: %x", b)
	}
}

// What is quantised differs by half a step at most, zeros and numbers near nothing stay so, and
// what was decoded is quantised to the same again.
func TestQuantizeErrors(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for kind, step := range map[Type]float64{Q8_0: 1. / 127, Q4_0: 1. / 8} {
		l := layouts[kind]
		b, c := make([]byte, l.size), make([]byte, l.size)
		x, y := make([]float32, 32), make([]float32, 32)
		for n := range 1000 {
			scale := math.Exp2(float64(n%16 - 4))
			most := 0.0
			for i := range x {
				x[i] = float32(r.NormFloat64() * scale)
				most = max(most, math.Abs(float64(x[i])))
			}
			l.encode(x, b)
			l.decode(b, y)
			for i := range x {
				worst := most * step * 0.501
				if kind == Q4_0 {
					worst = most * step * 1.01 // the far end has one number less
				}
				if e := math.Abs(float64(x[i] - y[i])); e > worst+most*0x1p-10 {
					t.Fatalf("%v: %v of at most %v became %v", kind, x[i], most, y[i])
				}
			}
			if kind == Q8_0 {
				l.encode(y, c)
				if string(b[2:]) != string(c[2:]) {
					t.Fatalf("%v: quantised again %x, was %x", kind, c, b)
				}
			}
		}
		for _, v := range []float32{0, 1e-39, -1e-42} {
			for i := range x {
				x[i] = v
			}
			l.encode(x, b)
			l.decode(b, y)
			if y[0] != 0 || y[31] != 0 {
				t.Errorf("%v: %v became %v", kind, v, y[0])
			}
		}
	}
}
