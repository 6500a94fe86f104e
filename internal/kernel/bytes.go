package kernel

import (
	"math"
	"unsafe"
)

// Quantisation is how bytes stand for numbers: x = (byte - Zero)*Scale. Bytes are unsigned;
// signed ones are stored with 128 added, and so is their zero point.
type Quantisation struct {
	Scale float32
	Zero  uint8
}

// Bounds are the least and the greatest number, in units of the scale, that a byte holds.
func (q Quantisation) Bounds() (lo, hi float32) {
	return -float32(q.Zero), 255 - float32(q.Zero)
}

// bytesTile is the argument of the passes over bytes; the order of its fields is known to the
// generator.
type bytesTile struct {
	X, Y, Out unsafe.Pointer
	N         int
	F         [8]uint32
}

func (q Quantisation) fill(t *bytesTile, scale, lo, hi float32) {
	t.F[0], t.F[1], t.F[2], t.F[3] = math.Float32bits(scale), math.Float32bits(lo), math.Float32bits(hi), uint32(q.Zero)
}

func (q Quantisation) round(x float32) byte {
	lo, hi := q.Bounds()
	if !(x > lo) { // NaN too
		x = lo
	}
	return byte(int32(math.RoundToEven(float64(min(x, hi)))) + int32(q.Zero))
}

// QuantiseBytes writes numbers as bytes.
func QuantiseBytes(x []float32, q Quantisation, y []byte) {
	n := quantiseVec(x, q, y)
	for i, v := range x[n:] {
		y[n+i] = q.round(v / q.Scale)
	}
}

// DequantiseBytes writes bytes as numbers.
func DequantiseBytes(x []byte, q Quantisation, y []float32) {
	n := dequantiseVec(x, q, y)
	for i, v := range x[n:] {
		y[n+i] = float32(int32(v)-int32(q.Zero)) * q.Scale
	}
}

// AddBytes writes the sum of what x and y stand for, held between lo and hi, in units of z's
// scale and within its bounds.
func AddBytes(x []byte, qx Quantisation, y []byte, qy Quantisation, z []byte, qz Quantisation, lo, hi float32) {
	rx, ry := qx.Scale/qz.Scale, qy.Scale/qz.Scale
	n := addBytesVec(x, qx, rx, y, qy, ry, z, qz, lo, hi)
	for i := n; i < len(z); i++ {
		a := float32((float32(x[i]) - float32(qx.Zero)) * rx)
		b := float32((float32(y[i]) - float32(qy.Zero)) * ry)
		z[i] = qz.round(min(max(a+b, lo), hi))
	}
}

// MulBytes writes their product.
func MulBytes(x []byte, qx Quantisation, y []byte, qy Quantisation, z []byte, qz Quantisation, lo, hi float32) {
	s := qx.Scale * qy.Scale / qz.Scale
	n := mulBytesVec(x, qx, y, qy, s, z, qz, lo, hi)
	for i := n; i < len(z); i++ {
		v := float32((float32(x[i])-float32(qx.Zero))*(float32(y[i])-float32(qy.Zero))) * s
		z[i] = qz.round(min(max(v, lo), hi))
	}
}

// MapBytes takes every byte through a table.
func MapBytes(x []byte, table *[256]byte, y []byte) {
	n := mapVec(x, table, y)
	for i, v := range x[n:] {
		y[n+i] = table[v]
	}
}

// maxBytes writes the greater of two bytes.
func maxBytes(x, y, z []byte) {
	n := maxBytesVec(x, y, z)
	for i := n; i < len(z); i++ {
		z[i] = max(x[i], y[i])
	}
}

// sumBytes adds bytes.
func sumBytes(x []byte) int32 {
	n, s := sumBytesVec(x)
	for _, v := range x[n:] {
		s += int32(v)
	}
	return s
}
