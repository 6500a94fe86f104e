package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// activations are functions that go another way below 0 than above, and those made of
// sigmoids.
func (v vec) activations(isa string) {
	v.one("fleaky", isa, func(x, a, b VecVirtual) VecVirtual {
		low, high := v.reg(), v.reg()
		VMULPS(a, x, low)
		VMULPS(b, x, high)
		return v.where(x, c(0), low, high)
	})
	v.one("felu", isa, func(x, a, b VecVirtual) VecVirtual {
		high := v.reg()
		VMULPS(b, x, high)
		low := v.expm1(x)
		VMULPS(a, low, low)
		return v.where(x, c(0), low, high)
	})
	v.one("fhardsigmoid", isa, func(x, a, b VecVirtual) VecVirtual {
		VFMADD213PS(b, a, x)
		return v.clamp(x, 0, 1)
	})
	v.one("fswish", isa, func(x, a, b VecVirtual) VecVirtual {
		u := v.reg()
		VMULPS(a, x, u)
		s := v.sigmoid(u)
		VMULPS(x, s, s)
		return s
	})
	// x*tanh(log(1+e)) = x*u/(u+2) with e = e^x and u = e*(e+2); 1 beyond 20
	v.one("fmish", isa, func(x, a, b VecVirtual) VecVirtual {
		m := v.reg()
		most := v.set(c(20))
		VMINPS(x, most, m)
		e := v.exp(m)
		u, d := v.reg(), v.reg()
		VADDPS(c(2), e, u)
		VMULPS(e, u, u)
		VADDPS(c(2), u, d)
		VDIVPS(d, u, u)
		VMULPS(x, u, u)
		return u
	})
	v.two("fprelu", isa, func(x, y, a, b VecVirtual) VecVirtual {
		low := v.reg()
		VMULPS(y, x, low)
		return v.where(x, c(0), low, x)
	})
	v.two("fmin", isa, func(x, y, a, b VecVirtual) VecVirtual {
		r := v.reg()
		VMINPS(y, x, r)
		v.keepNaN(x, r)
		return r
	})
	for _, k := range []struct {
		name string
		imm  uint64
	}{{"fchoosegt", 30}, {"fchoosege", 29}, {"fchooselt", 17}, {"fchoosele", 18}} {
		v.choose(k.name, isa, k.imm)
	}
}

// expm1 is e^x - 1 for x <= 0: with e^x = 2^n*(1+q) it is 2^n*q + (2^n - 1), which
// loses nothing near 0. Below -30 it is -1.
func (v vec) expm1(x VecVirtual) VecVirtual {
	n, q := v.reduced(v.clamp(x, -30, 0))
	s, t := v.reg(), v.reg()
	if v.z512 {
		one := v.set(c(1))
		VSCALEFPS(n, one, s)
	} else {
		i := YMM()
		VCVTPS2DQ(n, i)
		VPADDD(bits(127), i, i)
		VPSLLD(Imm(23), i, s)
	}
	one := v.set(c(1))
	VSUBPS(one, s, t)
	VFMADD213PS(t, s, q)
	return q
}

// choose writes z = a where x compares with s, b elsewhere.
func (v vec) choose(name, isa string, imm uint64) {
	v.begin(name, isa, "func(n int, x, y, w, z *float32, s float32)")
	n, x, y, w, z := gp("n"), gp("x"), gp("y"), gp("w"), gp("z")
	s := v.scalar("s")
	v.pass(n, []GPVirtual{x, y, w, z}, func(t *tail) {
		r, p, q := v.reg(), v.reg(), v.reg()
		v.load(t, Mem{Base: x}, r)
		v.load(t, Mem{Base: y}, p)
		v.load(t, Mem{Base: w}, q)
		if v.z512 {
			k := K()
			VCMPPS(Imm(imm), s, r, k)
			VBLENDMPS(p, q, k, r)
		} else {
			m := v.reg()
			VCMPPS(Imm(imm), s, r, m)
			VBLENDVPS(m, p, q, r)
		}
		v.store(t, r, Mem{Base: z})
	})
	end()
}
