package kernel

import "unsafe"

func runStats(r *rows) {
	switch isa {
	case AVX512:
		bnstats_avx512((*byte)(unsafe.Pointer(r)))
	case AVX2:
		bnstats_avx2((*byte)(unsafe.Pointer(r)))
	default:
		goStats(r)
	}
}

func runApply(r *rows) {
	switch isa {
	case AVX512:
		bnapply_avx512((*byte)(unsafe.Pointer(r)))
	case AVX2:
		bnapply_avx2((*byte)(unsafe.Pointer(r)))
	default:
		goApply(r)
	}
}

func runSums(r *rows) {
	switch isa {
	case AVX512:
		bnsums_avx512((*byte)(unsafe.Pointer(r)))
	case AVX2:
		bnsums_avx2((*byte)(unsafe.Pointer(r)))
	default:
		goSums(r)
	}
}

func runGrad(r *rows) {
	switch isa {
	case AVX512:
		bngrad_avx512((*byte)(unsafe.Pointer(r)))
	case AVX2:
		bngrad_avx2((*byte)(unsafe.Pointer(r)))
	default:
		goGrad(r)
	}
}
