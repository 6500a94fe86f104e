package main

import "math"

// The formulas are those of the kernels of amd64, and so are their errors.

// horner is ((c[n]*z + c[n-1])*z + ...) + c[0].
func horner(z floats, cs ...float64) floats {
	p := one(c(cs[len(cs)-1]))
	for i := len(cs) - 2; i >= 0; i-- {
		p = addProduct(filled(z, c(cs[i])), p, z)
	}
	return p
}

// where gives a where the mask is 1, else b.
func where(mask, a, b floats) floats {
	for i := range mask.r {
		bsl(mask.r[i], a.r[i%len(a.r)], b.r[i%len(b.r)])
	}
	return mask
}

// below is the mask of x < y.
func below(x floats, y *reg) floats {
	return each(func(d, x, y *reg) { fcmgt(d, y, x) }, x, one(y))
}

// clamp holds x between two constants; NaN stays NaN.
func clamp(x floats, lo, hi float64) floats {
	return each(fmin, each(fmax, x, one(c(lo))), one(c(hi)))
}

// exp is e^x: x = n*ln2 + r with |r| <= ln2/2; a polynomial of degree 6 whose error is 3e-9,
// then 2^n in two halves, so that neither overflows.
func exp(x floats) floats {
	x = clamp(x, -104.5, 89)
	n := each1(frintn, each(fmul, x, one(c(1/math.Ln2))))
	x = takeProduct(x, n, one(c(0.693359375)))
	x = takeProduct(x, n, one(c(math.Ln2-0.693359375)))
	p := horner(x, .5, .16666516661643982, .04166620224714279, .008369077928364277, .001395076047629118)
	x2 := each(fmul, x, x)
	p = addProduct(x, p, x2)
	p = each(fadd, p, one(c(1)))
	i := each1(fcvtns, n)
	j := each1(func(d, a *reg) { sshr(d, a, 1) }, i)
	i = each(isub, i, j)
	for _, e := range []floats{i, j} {
		e = each(iadd, e, one(constant(127)))
		p = each(fmul, p, each1(func(d, a *reg) { shl(d, a, 23) }, e))
	}
	return p
}

// sigmoid is 1/(1+e^-x).
func sigmoid(x floats) floats {
	y := each(fadd, exp(each1(fneg, x)), one(c(1)))
	return each(fdiv, filled(x, c(1)), y)
}

// signed gives |y| the sign of x.
func signed(y, x floats) floats {
	return each(orr, y, each(and, x, one(constant(1<<31))))
}

// tanh is x + x^3*P(x^2) below 0.625, 1 - 2/(e^2x + 1) above.
func tanh(x floats) floats {
	a := each1(fabs, x)
	e := each(fadd, exp(each(fadd, a, a)), one(c(1)))
	e = each(fdiv, filled(x, c(2)), e)
	e = each(fsub, filled(x, c(1)), e)
	e = signed(e, x)
	z := each(fmul, x, x)
	p := horner(z, -.3333328366279602, .13331501185894012, -.0537443645298481, .020653609186410904, -.005720619577914476)
	p = addProduct(twice(x), x, each(fmul, p, z))
	return where(below(a, c(.625)), p, e)
}

// erf is x + x*P(x^2) below 0.96; above, 1 - e^-Q(x), where Q is fitted to -log(erfc) up to 4,
// beyond which erf rounds to 1.
func erf(x floats) floats {
	a := each1(fabs, x)
	q := horner(each(fmin, a, one(c(4))), -.00018247723346576095, 1.1295521259307861, .6332722306251526, .10836175829172134,
		-.025171948596835136, .0041909110732376575, -.00043854195973835886, 2.1446654500323348e-05)
	e := each(fsub, filled(x, c(1)), exp(each1(fneg, q)))
	e = signed(e, x)
	z := each(fmul, x, x)
	p := horner(z, .12837916612625122, -.3761262595653534, .11283599585294724, -.026854433119297028, .005189513321965933,
		-.0008020643726922572, 7.888460822869092e-05)
	p = addProduct(twice(x), x, p)
	return where(below(a, c(.96)), p, e)
}

// log: x = 2^e*m with 0.75 <= m < 1.5, log m = f - f^2/2 + f^3*P(f), f = m-1.
func log(x floats) floats {
	tiny := below(x, c(0x1p-126)) // denormal numbers
	shift := each(and, tiny, one(c(-23)))
	y := where(tiny, each(fmul, x, one(c(1<<23))), x)
	e := each1(func(d, a *reg) { sshr(d, a, 23) }, each(isub, y, one(constant(0x3f400000))))
	m := each(isub, y, each1(func(d, a *reg) { shl(d, a, 23) }, e))
	e = each(fadd, each1(scvtf, e), shift)
	f := each(fsub, m, one(c(1)))
	p := horner(f, .33333340287208557, -.2500016689300537, .19999603927135468, -.16655272245407104, .14276207983493805,
		-.12728047370910645, .11701366305351257, -.09116380661725998, .03766811266541481)
	z := each(fmul, f, f)
	p = each(fsub, each(fmul, p, f), one(c(.5)))
	p = each(fmul, p, z)
	p = addProduct(p, e, one(c(math.Ln2-0.693359375)))
	p = each(fadd, p, f)
	p = addProduct(p, e, one(c(0.693359375)))
	// 0 gives -Inf, less gives NaN, NaN and +Inf stay
	nought := vector()
	zero(nought)
	neg := where(below(x, nought), one(constant(0x7fc00000)), one(constant(0xff800000)))
	r := where(each(fcmgt, x, one(nought)), p, neg)
	finite := below(x, constant(0x7f800000)) // NaN is not
	return where(finite, r, x)
}
