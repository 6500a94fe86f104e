package kernel

import (
	"unsafe"

	"github.com/klauspost/cpuid/v2"
)

// whole is how many of n elements the assembly does.
func wholeBytes(n int) int {
	switch isa {
	case AVX512:
		return n
	case AVX2:
		return n &^ 7
	}
	return 0
}

func quantiseVec(x []float32, q Quantisation, y []byte) int {
	n := wholeBytes(len(x))
	if n == 0 {
		return 0
	}
	_ = y[n-1]
	t := bytesTile{X: unsafe.Pointer(&x[0]), Out: unsafe.Pointer(&y[0]), N: n}
	lo, hi := q.Bounds()
	q.fill(&t, q.Scale, lo, hi)
	if isa == AVX512 {
		floatstobytes_avx512((*byte)(unsafe.Pointer(&t)))
	} else {
		floatstobytes_avx2((*byte)(unsafe.Pointer(&t)))
	}
	return n
}

func dequantiseVec(x []byte, q Quantisation, y []float32) int {
	n := wholeBytes(len(x))
	if n == 0 {
		return 0
	}
	_ = y[n-1]
	t := bytesTile{X: unsafe.Pointer(&x[0]), Out: unsafe.Pointer(&y[0]), N: n, F: [8]uint32{bitsOf(q.Scale), bitsOf(float32(q.Zero))}}
	if isa == AVX512 {
		bytestofloats_avx512((*byte)(unsafe.Pointer(&t)))
	} else {
		bytestofloats_avx2((*byte)(unsafe.Pointer(&t)))
	}
	return n
}

func bitsOf(x float32) uint32 { return *(*uint32)(unsafe.Pointer(&x)) }

func addBytesVec(x []byte, qx Quantisation, rx float32, y []byte, qy Quantisation, ry float32, z []byte, qz Quantisation, lo, hi float32) int {
	n := wholeBytes(len(z))
	if n == 0 {
		return 0
	}
	_, _ = x[n-1], y[n-1]
	t := bytesTile{X: unsafe.Pointer(&x[0]), Y: unsafe.Pointer(&y[0]), Out: unsafe.Pointer(&z[0]), N: n}
	qz.fill(&t, rx, lo, hi)
	t.F[4], t.F[5], t.F[6] = bitsOf(float32(qx.Zero)), bitsOf(float32(qy.Zero)), bitsOf(ry)
	if isa == AVX512 {
		addbytes_avx512((*byte)(unsafe.Pointer(&t)))
	} else {
		addbytes_avx2((*byte)(unsafe.Pointer(&t)))
	}
	return n
}

func mulBytesVec(x []byte, qx Quantisation, y []byte, qy Quantisation, s float32, z []byte, qz Quantisation, lo, hi float32) int {
	n := wholeBytes(len(z))
	if n == 0 {
		return 0
	}
	_, _ = x[n-1], y[n-1]
	t := bytesTile{X: unsafe.Pointer(&x[0]), Y: unsafe.Pointer(&y[0]), Out: unsafe.Pointer(&z[0]), N: n}
	qz.fill(&t, s, lo, hi)
	t.F[4], t.F[5] = bitsOf(float32(qx.Zero)), bitsOf(float32(qy.Zero))
	if isa == AVX512 {
		mulbytes_avx512((*byte)(unsafe.Pointer(&t)))
	} else {
		mulbytes_avx2((*byte)(unsafe.Pointer(&t)))
	}
	return n
}

// permutes says whether the CPU looks up bytes in tables of 128.
var permutes = cpuid.CPU.Supports(cpuid.AVX512VBMI)

func mapVec(x []byte, table *[256]byte, y []byte) int {
	n := len(x) &^ 63
	if isa != AVX512 || !permutes || n == 0 {
		return 0
	}
	_ = y[n-1]
	t := bytesTile{X: unsafe.Pointer(&x[0]), Y: unsafe.Pointer(table), Out: unsafe.Pointer(&y[0]), N: n}
	mapbytes((*byte)(unsafe.Pointer(&t)))
	return n
}

func maxBytesVec(x, y, z []byte) int {
	n := len(z) &^ 31
	if isa == Generic || n == 0 {
		return 0
	}
	_, _ = x[n-1], y[n-1]
	t := bytesTile{X: unsafe.Pointer(&x[0]), Y: unsafe.Pointer(&y[0]), Out: unsafe.Pointer(&z[0]), N: n}
	maxbytes((*byte)(unsafe.Pointer(&t)))
	return n
}

func sumBytesVec(x []byte) (int, int32) {
	n := len(x) &^ 31
	if isa == Generic || n == 0 {
		return 0, 0
	}
	var s int64
	t := bytesTile{X: unsafe.Pointer(&x[0]), Out: unsafe.Pointer(&s), N: n}
	sumbytes((*byte)(unsafe.Pointer(&t)))
	return n, int32(s)
}
