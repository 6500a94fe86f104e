package kernel

// vecs gives the count for the vector loop after checking lengths.
func vecs(dst []float32, a, b int) int {
	n := len(dst)
	if a < n || b < n {
		panic("kernel: operands of unequal length")
	}
	if isa == Generic {
		return 0
	}
	return n &^ (lanes() - 1)
}

func addVec(x, y, dst []float32) int {
	n := vecs(dst, len(x), len(y))
	if n == 0 {
		return 0
	}
	if isa == AVX512 {
		vadd_avx512(n, &x[0], &y[0], &dst[0])
	} else {
		vadd_avx2(n, &x[0], &y[0], &dst[0])
	}
	return n
}

func subVec(x, y, dst []float32) int {
	n := vecs(dst, len(x), len(y))
	if n == 0 {
		return 0
	}
	if isa == AVX512 {
		vsub_avx512(n, &x[0], &y[0], &dst[0])
	} else {
		vsub_avx2(n, &x[0], &y[0], &dst[0])
	}
	return n
}

func mulVec(x, y, dst []float32) int {
	n := vecs(dst, len(x), len(y))
	if n == 0 {
		return 0
	}
	if isa == AVX512 {
		vmul_avx512(n, &x[0], &y[0], &dst[0])
	} else {
		vmul_avx2(n, &x[0], &y[0], &dst[0])
	}
	return n
}

func axpbyVec(s float32, x []float32, t float32, y, dst []float32) int {
	n := vecs(dst, len(x), len(y))
	if n == 0 {
		return 0
	}
	if isa == AVX512 {
		vaxpby_avx512(n, s, &x[0], t, &y[0], &dst[0])
	} else {
		vaxpby_avx2(n, s, &x[0], t, &y[0], &dst[0])
	}
	return n
}

func reluVec(x, dst []float32) int {
	n := vecs(dst, len(x), len(x))
	if n == 0 {
		return 0
	}
	if isa == AVX512 {
		vrelu_avx512(n, &x[0], &dst[0])
	} else {
		vrelu_avx2(n, &x[0], &dst[0])
	}
	return n
}

func reluGradVec(d, y, dst []float32) int {
	n := vecs(dst, len(d), len(y))
	if n == 0 {
		return 0
	}
	if isa == AVX512 {
		vrelugrad_avx512(n, &d[0], &y[0], &dst[0])
	} else {
		vrelugrad_avx2(n, &d[0], &y[0], &dst[0])
	}
	return n
}
