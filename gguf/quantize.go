package gguf

import (
	"encoding/binary"
	"math"

	"github.com/x448/float16"
)

// The reference quantisation of ggml-quants.c, to the bit: quantize_row_q8_0_ref and
// quantize_row_q4_0_ref, with every product and sum rounded to float32 by itself, as the C
// standard and gguf-py have it. (A compiler that fuses q4_0's product and sum gives another
// nibble where the sum falls on a whole number.)

// inverse is 1/d, 0 for 0, and also where it is more than a float32 holds: then the scale is
// 0 as a float16, and C has no answer.
func inverse(d float32) float32 {
	if id := 1 / d; !math.IsInf(float64(id), 0) {
		return id
	}
	return 0
}

func putHalf(out []byte, v float32) {
	binary.LittleEndian.PutUint16(out, float16.Fromfloat32(v).Bits())
}

// encodeQ8_0 writes 32 elements: the scale is the largest magnitude over 127, elements are
// rounded to the nearest, ties away from zero.
func encodeQ8_0(x []float32, out []byte) {
	var most float32
	for _, v := range x {
		most = max(most, float32(math.Abs(float64(v))))
	}
	d := most / 127
	id := inverse(d)
	putHalf(out, d)
	for i, v := range x {
		out[2+i] = byte(int8(math.Round(float64(v * id))))
	}
}

// encodeQ4_0 writes 32 elements: the scale is the element of largest magnitude, the first
// such, over −8, so that it becomes 0 of the numbers 0 to 15 that stand for −8 to 7.
func encodeQ4_0(x []float32, out []byte) {
	var most, extreme float32
	for _, v := range x {
		if a := float32(math.Abs(float64(v))); most < a {
			most, extreme = a, v
		}
	}
	d := extreme / -8
	id := inverse(d)
	putHalf(out, d)
	nibble := func(v float32) byte { return byte(min(15, int8(float32(v*id)+8.5))) }
	for i := range 16 {
		out[2+i] = nibble(x[i]) | nibble(x[i+16])<<4
	}
}
