package gguf

import (
	"encoding/binary"

	"github.com/x448/float16"
)

// The blocks of 32 elements, as dequantize_row_* of ggml-quants.c reads them. A block begins
// with a scale d, some with a smallest value m; the low halves of the bytes are elements 0 to
// 15, the high halves 16 to 31. Products and sums are rounded one by one, as gguf-py does;
// a C compiler may have fused them.

func half(b []byte) float32 { return float16.Frombits(binary.LittleEndian.Uint16(b)).Float32() }

// decodeQ4_0: d (q − 8).
func decodeQ4_0(b []byte, out []float32) {
	d := half(b)
	for i, q := range b[2:18] {
		out[i] = float32(int(q&15)-8) * d
		out[i+16] = float32(int(q>>4)-8) * d
	}
}

// decodeQ4_1: d q + m.
func decodeQ4_1(b []byte, out []float32) {
	d, m := half(b), half(b[2:])
	for i, q := range b[4:20] {
		out[i] = float32(float32(q&15)*d) + m
		out[i+16] = float32(float32(q>>4)*d) + m
	}
}

// decodeQ5_0: d (q − 16), the fifth bits of q in a word of 32.
func decodeQ5_0(b []byte, out []float32) {
	d, high := half(b), binary.LittleEndian.Uint32(b[2:])
	for i, q := range b[6:22] {
		out[i] = float32(fifth(q&15, high, i)-16) * d
		out[i+16] = float32(fifth(q>>4, high, i+16)-16) * d
	}
}

// decodeQ5_1: d q + m, the fifth bits of q in a word of 32.
func decodeQ5_1(b []byte, out []float32) {
	d, m, high := half(b), half(b[2:]), binary.LittleEndian.Uint32(b[4:])
	for i, q := range b[8:24] {
		out[i] = float32(float32(fifth(q&15, high, i))*d) + m
		out[i+16] = float32(float32(fifth(q>>4, high, i+16))*d) + m
	}
}

// fifth adds bit i of high to four bits.
func fifth(low byte, high uint32, i int) int { return int(low) | int(high>>i&1)<<4 }

// decodeQ8_0: d q.
func decodeQ8_0(b []byte, out []float32) {
	d := half(b)
	for i, q := range b[2:34] {
		out[i] = float32(int8(q)) * d
	}
}
