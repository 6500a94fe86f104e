package kernel

func init() {
	uExp.neon = fexpneon
	uLog.neon = flogneon
	uSigmoid.neon = fsigmoidneon
	uTanh.neon = ftanhneon
	uErf.neon = ferfneon
	uGelu.neon = fgeluneon
	uGeluTanh.neon = fgelutanhneon
	uSqrt.neon = fsqrtneon
	uReciprocal.neon = freciprocalneon
	uAbs.neon = fabsneon
	uScale.neon = fscaleneon
	uAffine.neon = faffineneon
	uClip.neon = fclipneon
	uHardSwish.neon = fhardswishneon
	bDiv.neon = fdivneon
	bMax.neon = fmaxneon
	bGeluGrad.neon = fgelugradneon
	bClipGrad.neon = fclipgradneon
}
