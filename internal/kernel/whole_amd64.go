package kernel

import "github.com/klauspost/cpuid/v2"

// The kernels, for matrices with zeros and without, by the logarithm of the number of rows.
var whole512 = [2][]func(*byte){
	{whole1_avx512, whole2_avx512, whole4_avx512, whole8_avx512},
	{wholesparse1_avx512, wholesparse2_avx512, wholesparse4_avx512, wholesparse8_avx512},
}

var whole256 = [2][]func(*byte){{whole1_avx2, whole2_avx2}, {wholesparse1_avx2, wholesparse2_avx2}}

// addsBytes says whether the CPU adds products of bytes, and puts bytes in their places.
var addsBytes = cpuid.CPU.Supports(cpuid.AVX512VNNI, cpuid.AVX512VBMI2)

// wholeKernels are those in use.
func wholeKernels() *[2][]func(*byte) {
	if isa == AVX512 && addsBytes {
		return &whole512
	}
	return &whole256
}

// wholeRowVec is wholeRow of some groups, step bytes apart.
func wholeRowVec(groups int, x *float32, to *byte, step int) { wholerow_avx2(groups, x, to, step) }
