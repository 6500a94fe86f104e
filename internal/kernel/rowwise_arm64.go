package kernel

import "unsafe"

func sumVec(x []float32) float64 {
	if len(x) == 0 || isa == Generic {
		return goSum(x)
	}
	return rsumneon(len(x), &x[0])
}

func dotVec(x, y []float32) float64 {
	if len(x) == 0 || isa == Generic {
		return goDot(x, y)
	}
	return rdotneon(len(x), &x[0], &y[0])
}

func sqdevVec(x []float32, m float32) float64 {
	if len(x) == 0 || isa == Generic {
		return goSqdev(x, m)
	}
	return rsqdevneon(len(x), &x[0], m)
}

func maxVec(x []float32) float32 {
	if len(x) == 0 || isa == Generic {
		return goMax(x)
	}
	return rmaxneon(len(x), &x[0])
}

func expSumVec(x, dst []float32, m float32) float32 {
	if len(dst) < len(x) {
		panic("kernel: operands of unequal length")
	}
	if len(x) == 0 || isa == Generic {
		return goExpSum(x, dst, m)
	}
	return rexpsumneon(len(x), &x[0], &dst[0], m)
}

func layerVec(x, w, b, y []float32, m, is float32) {
	checkStep(len(x), w, b, y)
	if len(x) == 0 || isa == Generic {
		goLayer(x, w, b, y, m, is)
		return
	}
	rlayerneon(len(x), &x[0], &w[0], &b[0], &y[0], m, is)
}

func layerSumsVec(x, d, w, ds, db []float32, m, is float32) (s, q float32) {
	checkStep(len(x), d, w, ds, db)
	if len(x) == 0 || isa == Generic {
		return goLayerSums(x, d, w, ds, db, m, is)
	}
	return rlayersumsneon(len(x), &x[0], &d[0], &w[0], &ds[0], &db[0], m, is)
}

func layerGradVec(x, d, w, dx []float32, m, is, s, q float32) {
	checkStep(len(x), d, w, dx)
	if len(x) == 0 || isa == Generic {
		goLayerGrad(x, d, w, dx, m, is, s, q)
		return
	}
	rlayergradneon(len(x), &x[0], &d[0], &w[0], &dx[0], m, is, s, q)
}

func sgdStepVec(w, d, m, mask []float32, a *sgdArgs) {
	if len(w) == 0 || isa == Generic {
		goSGD(w, d, m, mask, a)
		return
	}
	osgdneon(len(w), &w[0], &d[0], (*float32)(first(m, 0)), (*float32)(first(mask, 0)), (*byte)(unsafe.Pointer(a)))
}

func adamVec(w, d, m, v, mask []float32, a *adamArgs) {
	if len(w) == 0 || isa == Generic {
		goAdam(w, d, m, v, mask, a)
		return
	}
	oadamneon(len(w), &w[0], &d[0], &m[0], &v[0], (*float32)(first(mask, 0)), (*byte)(unsafe.Pointer(a)))
}

// dotQuarters is dotsVec but for what four do not divide.
func dotQuarters(x, y []float32, ldy int, dst []float32) {
	q := len(dst) / 4
	var four [4]float32
	for i := range q {
		rdotsneon(len(x), &x[0], &y[i*ldy], 4*ldy*q, &four[0])
		dst[i], dst[i+q], dst[i+2*q], dst[i+3*q] = four[0], four[1], four[2], four[3]
	}
}

func trans8(blocks int, x *float32, ldx int, y *float32, ldy int) { trans8neon(blocks, x, ldx, y, ldy) }

func panels(k, n int, x *float32, ldx int, y *float32, step int) { panelsneon(k, n, x, ldx, y, step) }
