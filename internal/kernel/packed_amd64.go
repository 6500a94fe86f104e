package kernel

import "github.com/klauspost/cpuid/v2"

// packed512 and packed256 are the kernels by form and by the logarithm of the number of
// vectors; the first of a form writes the rows as floats.
var packed512 = [5][5]func(*byte){
	Half:        {packedhalf0_avx512, packedhalf1_avx512, packedhalf2_avx512, packedhalf4_avx512, packedhalf8_avx512},
	Int8:        {packedint80_avx512, packedint81_avx512, packedint82_avx512, packedint84_avx512, packedint88_avx512},
	SparseHalf:  {packedsparsehalf0_avx512, packedsparsehalf1_avx512, packedsparsehalf2_avx512, packedsparsehalf4_avx512, packedsparsehalf8_avx512},
	SparseInt8:  {packedsparseint80_avx512, packedsparseint81_avx512, packedsparseint82_avx512, packedsparseint84_avx512, packedsparseint88_avx512},
	SparseFloat: {packedsparsefloat0_avx512, packedsparsefloat1_avx512, packedsparsefloat2_avx512, packedsparsefloat4_avx512, packedsparsefloat8_avx512},
}

var packed256 = [5][5]func(*byte){
	Half:        {packedhalf0_avx2, packedhalf1_avx2, packedhalf2_avx2, packedhalf4_avx2},
	Int8:        {packedint80_avx2, packedint81_avx2, packedint82_avx2, packedint84_avx2},
	SparseHalf:  {packedsparsehalf0_avx2, packedsparsehalf1_avx2, packedsparsehalf2_avx2, packedsparsehalf4_avx2},
	SparseInt8:  {packedsparseint80_avx2, packedsparseint81_avx2, packedsparseint82_avx2, packedsparseint84_avx2},
	SparseFloat: {packedsparsefloat0_avx2, packedsparsefloat1_avx2, packedsparsefloat2_avx2, packedsparsefloat4_avx2},
}

// expands says whether the CPU puts bytes and words in their places by a mask.
var expands = cpuid.CPU.Supports(cpuid.AVX512VBMI2)

// kernels are those of the form, and the most vectors they take at once.
func (p *Packed) kernels() ([]func(*byte), int) {
	if isa == AVX512 && (expands || p.Form != SparseHalf && p.Form != SparseInt8) {
		return packed512[p.Form][:], 8
	}
	return packed256[p.Form][:], 4
}
