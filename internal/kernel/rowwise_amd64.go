package kernel

import (
	"math"
	"unsafe"
)

func sumVec(x []float32) float64 {
	switch {
	case len(x) == 0:
		return 0
	case isa == AVX512:
		return rsum_avx512(len(x), &x[0])
	case isa == AVX2:
		return rsum_avx2(len(x), &x[0])
	}
	return goSum(x)
}

func dotVec(x, y []float32) float64 {
	switch {
	case len(x) == 0:
		return 0
	case isa == AVX512:
		return rdot_avx512(len(x), &x[0], &y[0])
	case isa == AVX2:
		return rdot_avx2(len(x), &x[0], &y[0])
	}
	return goDot(x, y)
}

func sqdevVec(x []float32, m float32) float64 {
	switch {
	case len(x) == 0:
		return 0
	case isa == AVX512:
		return rsqdev_avx512(len(x), &x[0], m)
	case isa == AVX2:
		return rsqdev_avx2(len(x), &x[0], m)
	}
	return goSqdev(x, m)
}

func maxVec(x []float32) float32 {
	var m float32
	var nan uint32
	switch {
	case len(x) == 0 || isa == Generic:
		return goMax(x)
	case isa == AVX512:
		m, nan = rmax_avx512(len(x), &x[0])
	default:
		m, nan = rmax_avx2(len(x), &x[0])
	}
	if nan != 0 {
		return float32(math.NaN())
	}
	return m
}

func expSumVec(x, dst []float32, m float32) float32 {
	if len(dst) < len(x) {
		panic("kernel: operands of unequal length")
	}
	switch {
	case len(x) == 0:
		return 0
	case isa == AVX512:
		return rexpsum_avx512(len(x), &x[0], &dst[0], m)
	case isa == AVX2:
		return rexpsum_avx2(len(x), &x[0], &dst[0], m)
	}
	return goExpSum(x, dst, m)
}

func layerVec(x, w, b, y []float32, m, is float32) {
	checkStep(len(x), w, b, y)
	switch {
	case len(x) == 0:
	case isa == AVX512:
		rlayer_avx512(len(x), &x[0], &w[0], &b[0], &y[0], m, is)
	case isa == AVX2:
		rlayer_avx2(len(x), &x[0], &w[0], &b[0], &y[0], m, is)
	default:
		goLayer(x, w, b, y, m, is)
	}
}

func layerSumsVec(x, d, w, ds, db []float32, m, is float32) (s, q float32) {
	checkStep(len(x), d, w, ds, db)
	switch {
	case len(x) == 0:
		return 0, 0
	case isa == AVX512:
		return rlayersums_avx512(len(x), &x[0], &d[0], &w[0], &ds[0], &db[0], m, is)
	case isa == AVX2:
		return rlayersums_avx2(len(x), &x[0], &d[0], &w[0], &ds[0], &db[0], m, is)
	}
	return goLayerSums(x, d, w, ds, db, m, is)
}

func layerGradVec(x, d, w, dx []float32, m, is, s, q float32) {
	checkStep(len(x), d, w, dx)
	switch {
	case len(x) == 0:
	case isa == AVX512:
		rlayergrad_avx512(len(x), &x[0], &d[0], &w[0], &dx[0], m, is, s, q)
	case isa == AVX2:
		rlayergrad_avx2(len(x), &x[0], &d[0], &w[0], &dx[0], m, is, s, q)
	default:
		goLayerGrad(x, d, w, dx, m, is, s, q)
	}
}

func sgdStepVec(w, d, m, mask []float32, a *sgdArgs) {
	if len(w) == 0 {
		return
	}
	pm, pk, pa := (*float32)(first(m, 0)), (*float32)(first(mask, 0)), (*byte)(unsafe.Pointer(a))
	switch isa {
	case AVX512:
		osgd_avx512(len(w), &w[0], &d[0], pm, pk, pa)
	case AVX2:
		osgd_avx2(len(w), &w[0], &d[0], pm, pk, pa)
	default:
		goSGD(w, d, m, mask, a)
	}
}

func adamVec(w, d, m, v, mask []float32, a *adamArgs) {
	if len(w) == 0 {
		return
	}
	pk, pa := (*float32)(first(mask, 0)), (*byte)(unsafe.Pointer(a))
	switch isa {
	case AVX512:
		oadam_avx512(len(w), &w[0], &d[0], &m[0], &v[0], pk, pa)
	case AVX2:
		oadam_avx2(len(w), &w[0], &d[0], &m[0], &v[0], pk, pa)
	default:
		goAdam(w, d, m, v, mask, a)
	}
}

// dotQuarters is dotsVec but for what four do not divide.
func dotQuarters(x, y []float32, ldy int, dst []float32) {
	q := len(dst) / 4
	var four [4]float32
	for i := range q {
		if isa == AVX512 {
			rdots_avx512(len(x), &x[0], &y[i*ldy], 4*ldy*q, &four[0])
		} else {
			rdots_avx2(len(x), &x[0], &y[i*ldy], 4*ldy*q, &four[0])
		}
		dst[i], dst[i+q], dst[i+2*q], dst[i+3*q] = four[0], four[1], four[2], four[3]
	}
}

func trans8(blocks int, x *float32, ldx int, y *float32, ldy int) {
	trans8_avx2(blocks, x, ldx, y, ldy)
}

func panels(k, n int, x *float32, ldx int, y *float32, step int) {
	if isa == AVX512 {
		panels_avx512(k, n, x, ldx, y, step)
		return
	}
	panels_avx2(k, n, x, ldx, y, step)
}
