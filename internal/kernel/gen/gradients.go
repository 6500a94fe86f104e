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
	v.two("fclipgrad", isa, func(d, x, a, b VecVirtual) VecVirtual { return v.between(17, d, x, a, b) })
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
