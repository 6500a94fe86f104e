package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// gradients are the derivatives of elementwise functions, times the gradient of
// what follows.
func (v vec) gradients(isa string) {
	v.smoothGradients(isa)
	v.piecewiseGradients(isa)
}

// smoothGradients are those of functions made of exponentials.
func (v vec) smoothGradients(isa string) {
	v.two("fsigmoidgrad", isa, func(d, y, a, b VecVirtual) VecVirtual {
		s := v.set(c(1))
		VSUBPS(y, s, s)
		VMULPS(y, d, d)
		VMULPS(s, d, d)
		return d
	})
	v.two("ftanhgrad", isa, func(d, y, a, b VecVirtual) VecVirtual {
		s := v.set(c(1))
		VFNMADD231PS(y, y, s)
		VMULPS(s, d, d)
		return d
	})
	v.two("ferfgrad", isa, func(d, x, a, b VecVirtual) VecVirtual {
		VMULPS(x, x, x)
		VXORPS(bits(1<<31), x, x)
		e := v.exp(x)
		VMULPS(c(2/math.SqrtPi), e, e)
		VMULPS(e, d, d)
		return d
	})
	v.two("fgelugrad", isa, func(d, x, a, b VecVirtual) VecVirtual {
		u := v.reg()
		VMULPS(c(1/math.Sqrt2), x, u)
		e := v.erf(u)
		VADDPS(c(1), e, e)
		VMULPS(c(.5), e, e)
		VMULPS(u, u, u)
		VXORPS(bits(1<<31), u, u)
		p := v.exp(u)
		VMULPS(c(1/math.Sqrt(2*math.Pi)), p, p)
		VFMADD231PS(p, x, e)
		VMULPS(e, d, d)
		return d
	})
	v.two("fgelutanhgrad", isa, func(d, x, a, b VecVirtual) VecVirtual {
		u := v.geluArg(x, 1)
		VMULPS(x, u, u)
		s := v.sigmoid(u)
		return v.logistic(d, x, s, v.geluArg(x, 3))
	})
	v.two("fsilugrad", isa, func(d, x, a, b VecVirtual) VecVirtual { return v.logistic(d, x, v.sigmoid(x), nil) })
}

// piecewiseGradients are those of functions made of straight lines.
func (v vec) piecewiseGradients(isa string) {
	v.two("fclipgrad", isa, func(d, x, a, b VecVirtual) VecVirtual { return v.between(17, d, x, a, b) })
	v.two("fhardsigmoidgrad", isa, func(d, x, a, b VecVirtual) VecVirtual {
		VFMADD213PS(b, a, x)
		VMULPS(a, d, d)
		z := v.reg()
		v.zero(z)
		return v.between(17, d, x, z, v.set(c(1)))
	})
	v.two("fhardswishgrad", isa, func(d, x, a, b VecVirtual) VecVirtual {
		u, m := v.copy(x), v.copy(x)
		VFMADD213PS(b, a, u)
		VFMADD213PS(u, a, m) // inside: u + a*x
		one, zero := v.set(c(1)), v.reg()
		v.zero(zero)
		r := v.where(u, one, m, one)
		r = v.where(zero, u, r, zero)
		v.keepNaN(u, r)
		VMULPS(r, d, d)
		return d
	})
}

// logistic is d*(s + x*s*(1-s)*u), the gradient of x*sigmoid; u nil is 1.
func (v vec) logistic(d, x, s, u VecVirtual) VecVirtual {
	q := v.set(c(1))
	VSUBPS(s, q, q)
	VMULPS(x, q, q)
	if u != nil {
		VMULPS(u, q, q)
	}
	VFMADD213PS(s, s, q)
	VMULPS(q, d, d)
	return d
}

// between is d where x is between a and b, 0 elsewhere; imm is the comparison.
func (v vec) between(imm uint64, d, x, a, b VecVirtual) VecVirtual {
	if v.z512 {
		k, l := K(), K()
		VCMPPS(Imm(imm), x, a, k)
		VCMPPS(Imm(imm), b, x, l)
		KANDW(k, l, k)
		VMOVAPS_Z(d, k, d)
		return d
	}
	m := v.reg()
	VCMPPS(Imm(imm), x, a, m)
	VANDPS(m, d, d)
	VCMPPS(Imm(imm), b, x, m)
	VANDPS(m, d, d)
	return d
}
