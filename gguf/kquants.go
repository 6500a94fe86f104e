package gguf

import (
	"encoding/binary"
	"math"
)

// The blocks of 256 elements, as dequantize_row_*_K of ggml-quants.c reads them: a scale d of
// the block, and small scales of its 8 or 16 groups.

// decodeQ2K: 16 scales and smallest values of 4 bits, 64 bytes of four elements, d, dmin:
// d s q − dmin m in each group of 16. The elements of a byte are 32 apart.
func decodeQ2K(b []byte, out []float32) {
	scales, qs := b[:16], b[16:80]
	d, dmin := half(b[80:]), half(b[82:])
	for g, s := range scales {
		scale, least := d*float32(s&15), float32(dmin*float32(s>>4))
		q := qs[g/8*32+g%2*16:][:16]
		shift := g / 2 % 4 * 2
		for i, v := range q {
			out[16*g+i] = float32(scale*float32(v>>shift&3)) - least
		}
	}
}

// decodeQ3K: 32 bytes of the third bits, 64 bytes of the lower two, 12 bytes of 16 scales of
// 6 bits, d: d (s − 32) (q − 4) in each group of 16.
func decodeQ3K(b []byte, out []float32) {
	high, qs, scales := b[:32], b[32:96], b[96:108]
	d := half(b[108:])
	for g := range 16 {
		s := scales[g%8] >> (g / 8 * 4) & 15
		s |= scales[8+g%4] >> (g / 4 * 2) & 3 << 4
		scale := d * float32(int(s)-32)
		at := g % 2 * 16 // in the 32 bytes that 128 elements take
		shift := g / 2 % 4 * 2
		for i := range 16 {
			q := int(qs[g/8*32+at+i]>>shift&3) - 4
			q += int(high[at+i]>>(g/2)&1) << 2
			out[16*g+i] = scale * float32(q)
		}
	}
}

// scaleMin unpacks scale and smallest value of group g of the eight of Q4_K and Q5_K: 6 bits
// each in 12 bytes.
func scaleMin(b []byte, g int) (scale, least float32) {
	if g < 4 {
		return float32(b[g] & 63), float32(b[g+4] & 63)
	}
	return float32(b[g+4]&15 | b[g-4]>>6<<4), float32(b[g+4]>>4 | b[g]>>6<<4)
}

// decodeQ4K: d, dmin, 12 bytes of scales, 128 bytes of two elements: d s q − dmin m in each
// group of 32. The elements of a byte are 32 apart.
func decodeQ4K(b []byte, out []float32) {
	d, dmin, scales, qs := half(b), half(b[2:]), b[4:16], b[16:144]
	for g := range 8 {
		s, m := scaleMin(scales, g)
		s, m = d*s, float32(dmin*m)
		shift := g % 2 * 4
		for i, q := range qs[g/2*32:][:32] {
			out[32*g+i] = float32(s*float32(q>>shift&15)) - m
		}
	}
}

// decodeQ5K: as Q4_K with 32 bytes of fifth bits, of group g in bit g.
func decodeQ5K(b []byte, out []float32) {
	d, dmin, scales, high, qs := half(b), half(b[2:]), b[4:16], b[16:48], b[48:176]
	for g := range 8 {
		s, m := scaleMin(scales, g)
		s, m = d*s, float32(dmin*m)
		shift := g % 2 * 4
		for i, q := range qs[g/2*32:][:32] {
			out[32*g+i] = float32(s*float32(q>>shift&15|high[i]>>g&1<<4)) - m
		}
	}
}

// decodeQ6K: 128 bytes of the lower four bits, 64 bytes of the upper two, 16 scales of 8 bits, d:
// d s (q − 32) in each group of 16.
func decodeQ6K(b []byte, out []float32) {
	low, high, scales := b[:128], b[128:192], b[192:208]
	d := half(b[208:])
	for g, s := range scales {
		scale := d * float32(int8(s))
		h := g / 8           // which half of the block
		quarter := g / 2 % 4 // of the half: 32 elements
		at := g % 2 * 16     // in the quarter
		l := low[h*64+quarter%2*32+at:][:16]
		u := high[h*32+at:][:16]
		for i := range 16 {
			q := l[i]>>(quarter/2*4)&15 | u[i]>>(2*quarter)&3<<4
			out[16*g+i] = scale * float32(int(q)-32)
		}
	}
}

// decodeQ8K: a scale of 32 bits, 256 elements, and sums of these, which are left out: d q.
func decodeQ8K(b []byte, out []float32) {
	d := math.Float32frombits(binary.LittleEndian.Uint32(b))
	for i, q := range b[4:260] {
		out[i] = d * float32(int8(q))
	}
}
