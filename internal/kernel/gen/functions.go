package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// functions are the elementwise functions of one and of two values.
func functions(v vec, isa string) {
	v.unary(isa)
	v.linear(isa)
	v.binary(isa)
	v.gradients(isa)
	v.activations(isa)
}

// one writes a function z = f(x) of two settings.
func (v vec) one(name, isa string, f func(x, a, b VecVirtual) VecVirtual) {
	v.begin(name, isa, "func(n int, x, z *float32, a, b float32)")
	n, x, z := gp("n"), gp("x"), gp("z")
	a, b := v.scalar("a"), v.scalar("b")
	v.pass(n, []GPVirtual{x, z}, func(t *tail) {
		r := v.reg()
		v.load(t, Mem{Base: x}, r)
		v.store(t, f(r, a, b), Mem{Base: z})
	})
	end()
}

// two writes a function z = f(x, y) of two settings.
func (v vec) two(name, isa string, f func(x, y, a, b VecVirtual) VecVirtual) {
	v.begin(name, isa, "func(n int, x, y, z *float32, a, b float32)")
	n, x, y, z := gp("n"), gp("x"), gp("y"), gp("z")
	a, b := v.scalar("a"), v.scalar("b")
	v.pass(n, []GPVirtual{x, y, z}, func(t *tail) {
		r, s := v.reg(), v.reg()
		v.load(t, Mem{Base: x}, r)
		v.load(t, Mem{Base: y}, s)
		v.store(t, f(r, s, a, b), Mem{Base: z})
	})
	end()
}

// unary are the functions of one value without settings.
func (v vec) unary(isa string) {
	one := func(name string, f func(x VecVirtual) VecVirtual) {
		v.one(name, isa, func(x, a, b VecVirtual) VecVirtual { return f(x) })
	}
	one("fexp", v.exp)
	one("flog", v.log)
	one("fsigmoid", v.sigmoid)
	one("ftanh", v.tanh)
	one("ferf", v.erf)
	one("fgelu", func(x VecVirtual) VecVirtual {
		u, h := v.reg(), v.reg()
		VMULPS(c(1/math.Sqrt2), x, u)
		VMULPS(c(.5), x, h)
		e := v.erf(u)
		VFMADD213PS(h, h, e)
		return e
	})
	one("fgelutanh", func(x VecVirtual) VecVirtual {
		const arg, cubic = 1.5957691216057307, 1.5957691216057307 * 0.044715
		u := v.reg()
		VMULPS(x, x, u)
		m := v.set(c(cubic))
		VFMADD213PS(c(arg), m, u)
		VMULPS(x, u, u)
		s := v.sigmoid(u)
		VMULPS(x, s, s)
		return s
	})
	one("fsqrt", func(x VecVirtual) VecVirtual { VSQRTPS(x, x); return x })
	one("freciprocal", func(x VecVirtual) VecVirtual { o := v.set(c(1)); VDIVPS(x, o, x); return x })
	one("fabs", func(x VecVirtual) VecVirtual { VANDPS(bits(1<<31-1), x, x); return x })
}

// linear are the functions of one value that are straight lines, or pieces of
// them, by the settings a and b.
func (v vec) linear(isa string) {
	v.one("fscale", isa, func(x, a, b VecVirtual) VecVirtual { VMULPS(a, x, x); return x })
	v.one("faffine", isa, func(x, a, b VecVirtual) VecVirtual { VFMADD213PS(b, a, x); return x })
	v.one("fclip", isa, func(x, a, b VecVirtual) VecVirtual {
		VMAXPS(x, a, x)
		VMINPS(x, b, x)
		return x
	})
	v.one("fhardswish", isa, func(x, a, b VecVirtual) VecVirtual {
		u := v.copy(x)
		VFMADD213PS(b, a, u)
		u = v.clamp(u, 0, 1)
		VMULPS(x, u, u)
		return u
	})
}

// binary are the functions of two values that are no gradients.
func (v vec) binary(isa string) {
	v.two("fdiv", isa, func(x, y, a, b VecVirtual) VecVirtual { VDIVPS(y, x, x); return x })
	v.two("fmax", isa, func(x, y, a, b VecVirtual) VecVirtual {
		r := v.reg()
		VMAXPS(y, x, r)
		v.keepNaN(x, r)
		return r
	})
}

// keepNaN sets r to x where x is NaN.
func (v vec) keepNaN(x, r VecVirtual) {
	if v.z512 {
		k := K()
		VCMPPS(Imm(3), x, x, k)
		VMOVAPS(x, k, r)
		return
	}
	m := v.reg()
	VCMPPS(Imm(3), x, x, m)
	VBLENDVPS(m, x, r, r)
}
