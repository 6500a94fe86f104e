package kernel

func sampledVec(vec int, t *byte) {
	if vec == 16 {
		sampled_avx512(t)
		return
	}
	sampled_avx2(t)
}

func keepWords(n int, bits *uint64, x *float32) {
	if isa == AVX512 {
		keep_avx512(n, bits, x)
		return
	}
	keep_avx2(n, bits, x)
}
