package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// functions are the elementwise functions of one and of two values.
func functions(v vec, isa string) {
	one := func(name string, f func(x, a, b VecVirtual) VecVirtual) {
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
	simple := func(f func(x VecVirtual) VecVirtual) func(x, a, b VecVirtual) VecVirtual {
		return func(x, a, b VecVirtual) VecVirtual { return f(x) }
	}
	clamp01 := func(x VecVirtual) VecVirtual { return v.clamp(x, 0, 1) }
	one("fexp", simple(v.exp))
	one("flog", simple(v.log))
	one("fsigmoid", simple(v.sigmoid))
	one("ftanh", simple(v.tanh))
	one("ferf", simple(v.erf))
	one("fgelu", simple(func(x VecVirtual) VecVirtual {
		u, h := v.reg(), v.reg()
		VMULPS(c(1/math.Sqrt2), x, u)
		VMULPS(c(.5), x, h)
		e := v.erf(u)
		VFMADD213PS(h, h, e)
		return e
	}))
	const arg, cubic = 1.5957691216057307, 1.5957691216057307 * 0.044715
	geluArg := func(x VecVirtual, three float64) VecVirtual {
		u := v.reg()
		VMULPS(x, x, u)
		m := v.set(c(cubic * three))
		VFMADD213PS(c(arg), m, u)
		return u
	}
	one("fgelutanh", simple(func(x VecVirtual) VecVirtual {
		u := geluArg(x, 1)
		VMULPS(x, u, u)
		s := v.sigmoid(u)
		VMULPS(x, s, s)
		return s
	}))
	one("fsilu", simple(func(x VecVirtual) VecVirtual {
		s := v.sigmoid(x)
		VMULPS(x, s, s)
		return s
	}))
	one("fsqrt", simple(func(x VecVirtual) VecVirtual { VSQRTPS(x, x); return x }))
	one("freciprocal", simple(func(x VecVirtual) VecVirtual { o := v.set(c(1)); VDIVPS(x, o, x); return x }))
	one("fabs", simple(func(x VecVirtual) VecVirtual { VANDPS(bits(1<<31-1), x, x); return x }))
	one("fscale", func(x, a, b VecVirtual) VecVirtual { VMULPS(a, x, x); return x })
	one("faffine", func(x, a, b VecVirtual) VecVirtual { VFMADD213PS(b, a, x); return x })
	one("fclip", func(x, a, b VecVirtual) VecVirtual {
		VMAXPS(x, a, x)
		VMINPS(x, b, x)
		return x
	})
	one("fhardsigmoid", func(x, a, b VecVirtual) VecVirtual { VFMADD213PS(b, a, x); return clamp01(x) })
	one("fhardswish", func(x, a, b VecVirtual) VecVirtual {
		u := v.copy(x)
		VFMADD213PS(b, a, u)
		u = clamp01(u)
		VMULPS(x, u, u)
		return u
	})

	two := func(name string, f func(x, y, a, b VecVirtual) VecVirtual) {
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
	// x where x is NaN, else r
	keepNaN := func(x, r VecVirtual) {
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
	two("fdiv", func(x, y, a, b VecVirtual) VecVirtual { VDIVPS(y, x, x); return x })
	two("fmax", func(x, y, a, b VecVirtual) VecVirtual {
		r := v.reg()
		VMAXPS(y, x, r)
		keepNaN(x, r)
		return r
	})
	two("fmin", func(x, y, a, b VecVirtual) VecVirtual {
		r := v.reg()
		VMINPS(y, x, r)
		keepNaN(x, r)
		return r
	})
	two("fsigmoidgrad", func(d, y, a, b VecVirtual) VecVirtual {
		s := v.set(c(1))
		VSUBPS(y, s, s)
		VMULPS(y, d, d)
		VMULPS(s, d, d)
		return d
	})
	two("ftanhgrad", func(d, y, a, b VecVirtual) VecVirtual {
		s := v.set(c(1))
		VFNMADD231PS(y, y, s)
		VMULPS(s, d, d)
		return d
	})
	two("ferfgrad", func(d, x, a, b VecVirtual) VecVirtual {
		VMULPS(x, x, x)
		VXORPS(bits(1<<31), x, x)
		e := v.exp(x)
		VMULPS(c(2/math.SqrtPi), e, e)
		VMULPS(e, d, d)
		return d
	})
	two("fgelugrad", func(d, x, a, b VecVirtual) VecVirtual {
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
	// s + x*s*(1-s)*u
	logistic := func(d, x, s, u VecVirtual) VecVirtual {
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
	two("fgelutanhgrad", func(d, x, a, b VecVirtual) VecVirtual {
		u := geluArg(x, 1)
		VMULPS(x, u, u)
		s := v.sigmoid(u)
		return logistic(d, x, s, geluArg(x, 3))
	})
	two("fsilugrad", func(d, x, a, b VecVirtual) VecVirtual { return logistic(d, x, v.sigmoid(x), nil) })
	// d where x lies strictly (or not) between a and b
	between := func(imm uint64, d, x, a, b VecVirtual) VecVirtual {
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
	two("fclipgrad", func(d, x, a, b VecVirtual) VecVirtual { return between(17, d, x, a, b) })
	two("fhardsigmoidgrad", func(d, x, a, b VecVirtual) VecVirtual {
		VFMADD213PS(b, a, x)
		VMULPS(a, d, d)
		z := v.reg()
		v.zero(z)
		return between(17, d, x, z, v.set(c(1)))
	})
	two("fhardswishgrad", func(d, x, a, b VecVirtual) VecVirtual {
		u, m := v.copy(x), v.copy(x)
		VFMADD213PS(b, a, u)
		VFMADD213PS(u, a, m) // inside: u + a*x
		one, zero := v.set(c(1)), v.reg()
		v.zero(zero)
		r := v.where(u, one, m, one)
		r = v.where(zero, u, r, zero)
		keepNaN(u, r)
		VMULPS(r, d, d)
		return d
	})
}
