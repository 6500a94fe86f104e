package kernel

// The kernels by how many rows they take less one: of float32, and of float16.
var (
	keys512 = [2][4]func(*byte){{keysfloat1_avx512, keysfloat2_avx512, keysfloat3_avx512, keysfloat4_avx512}, {keyshalf1_avx512, keyshalf2_avx512, keyshalf3_avx512, keyshalf4_avx512}}
	keys256 = [2][4]func(*byte){{keysfloat1_avx2, keysfloat2_avx2, keysfloat3_avx2, keysfloat4_avx2}, {keyshalf1_avx2, keyshalf2_avx2, keyshalf3_avx2, keyshalf4_avx2}}

	values512x64 = [2][4]func(*byte){{valuesfloat64x1_avx512, valuesfloat64x2_avx512, valuesfloat64x3_avx512, valuesfloat64x4_avx512}, {valueshalf64x1_avx512, valueshalf64x2_avx512, valueshalf64x3_avx512, valueshalf64x4_avx512}}
	values512    = [2][4]func(*byte){{valuesfloat16x1_avx512, valuesfloat16x2_avx512, valuesfloat16x3_avx512, valuesfloat16x4_avx512}, {valueshalf16x1_avx512, valueshalf16x2_avx512, valueshalf16x3_avx512, valueshalf16x4_avx512}}
	values256    = [2][4]func(*byte){{valuesfloat16x1_avx2, valuesfloat16x2_avx2, valuesfloat16x3_avx2, valuesfloat16x4_avx2}, {valueshalf16x1_avx2, valueshalf16x2_avx2, valueshalf16x3_avx2, valueshalf16x4_avx2}}
)

// keyKernels are those of Scores.
func keyKernels(kind int) *[4]func(*byte) {
	if isa == AVX512 {
		return &keys512[kind]
	}
	return &keys256[kind]
}

// valueKernels are those of Sums where so many columns are left, and how many they take at once.
func valueKernels(kind, left int) (kernels *[4]func(*byte), columns int) {
	switch {
	case isa == AVX512 && left >= 64:
		return &values512x64[kind], 64
	case isa == AVX512:
		return &values512[kind], 16
	}
	return &values256[kind], 16
}

// toHalfs rounds whole vectors of n numbers.
func toHalfs(n int, x *float32, y *uint16) (most float32) {
	if isa == AVX512 {
		return tohalf_avx512(n, x, y)
	}
	return tohalf_avx2(n, x, y)
}
