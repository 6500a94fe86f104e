package kernel

import "unsafe"

func runStats(r *rows, n int) {
	switch isa {
	case AVX512:
		bnstats_avx512((*byte)(unsafe.Pointer(r)))
	case AVX2:
		bnstats_avx2((*byte)(unsafe.Pointer(r)))
	default:
		goStats(r, n)
	}
}

func runApply(r *rows, n int) {
	switch isa {
	case AVX512:
		bnapply_avx512((*byte)(unsafe.Pointer(r)))
	case AVX2:
		bnapply_avx2((*byte)(unsafe.Pointer(r)))
	default:
		goApply(r, n)
	}
}

func runSums(r *rows, n int) {
	switch isa {
	case AVX512:
		bnsums_avx512((*byte)(unsafe.Pointer(r)))
	case AVX2:
		bnsums_avx2((*byte)(unsafe.Pointer(r)))
	default:
		goSums(r, n)
	}
}

func runGrad(r *rows, n int) {
	switch isa {
	case AVX512:
		bngrad_avx512((*byte)(unsafe.Pointer(r)))
	case AVX2:
		bngrad_avx2((*byte)(unsafe.Pointer(r)))
	default:
		goGrad(r, n)
	}
}
