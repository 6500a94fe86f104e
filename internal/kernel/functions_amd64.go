package kernel

func init() {
	uExp.v512, uExp.v256 = fexp_avx512, fexp_avx2
	uLog.v512, uLog.v256 = flog_avx512, flog_avx2
	uSigmoid.v512, uSigmoid.v256 = fsigmoid_avx512, fsigmoid_avx2
	uTanh.v512, uTanh.v256 = ftanh_avx512, ftanh_avx2
	uErf.v512, uErf.v256 = ferf_avx512, ferf_avx2
	uGelu.v512, uGelu.v256 = fgelu_avx512, fgelu_avx2
	uGeluTanh.v512, uGeluTanh.v256 = fgelutanh_avx512, fgelutanh_avx2
	uSqrt.v512, uSqrt.v256 = fsqrt_avx512, fsqrt_avx2
	uReciprocal.v512, uReciprocal.v256 = freciprocal_avx512, freciprocal_avx2
	uAbs.v512, uAbs.v256 = fabs_avx512, fabs_avx2
	uScale.v512, uScale.v256 = fscale_avx512, fscale_avx2
	uAffine.v512, uAffine.v256 = faffine_avx512, faffine_avx2
	uClip.v512, uClip.v256 = fclip_avx512, fclip_avx2
	uHardSwish.v512, uHardSwish.v256 = fhardswish_avx512, fhardswish_avx2
	uLeaky.v512, uLeaky.v256 = fleaky_avx512, fleaky_avx2
	uElu.v512, uElu.v256 = felu_avx512, felu_avx2
	uHardSigmoid.v512, uHardSigmoid.v256 = fhardsigmoid_avx512, fhardsigmoid_avx2
	uSwish.v512, uSwish.v256 = fswish_avx512, fswish_avx2
	uMish.v512, uMish.v256 = fmish_avx512, fmish_avx2
	bPRelu.v512, bPRelu.v256 = fprelu_avx512, fprelu_avx2
	bMin.v512, bMin.v256 = fmin_avx512, fmin_avx2
	choices[Above].v512, choices[Above].v256 = fchoosegt_avx512, fchoosegt_avx2
	choices[NotBelow].v512, choices[NotBelow].v256 = fchoosege_avx512, fchoosege_avx2
	choices[Below].v512, choices[Below].v256 = fchooselt_avx512, fchooselt_avx2
	choices[NotAbove].v512, choices[NotAbove].v256 = fchoosele_avx512, fchoosele_avx2
	bDiv.v512, bDiv.v256 = fdiv_avx512, fdiv_avx2
	bMax.v512, bMax.v256 = fmax_avx512, fmax_avx2
	bGeluGrad.v512, bGeluGrad.v256 = fgelugrad_avx512, fgelugrad_avx2
	bClipGrad.v512, bClipGrad.v256 = fclipgrad_avx512, fclipgrad_avx2
}
