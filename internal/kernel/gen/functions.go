package main

import (
	"fmt"
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

var labels int

// pass writes the loop over n: body for whole vectors, then body for what is
// left under a mask. Pointers move on by a vector.
func (v vec) pass(n GPVirtual, ptrs []GPVirtual, body func(t *tail)) {
	labels++
	loop, rest, done := fmt.Sprintf("l%d", labels), fmt.Sprintf("r%d", labels), fmt.Sprintf("d%d", labels)
	SUBQ(Imm(uint64(v.n)), n)
	JLT(LabelRef(rest))
	Label(loop)
	body(nil)
	for _, p := range ptrs {
		ADDQ(Imm(uint64(4*v.n)), p)
	}
	SUBQ(Imm(uint64(v.n)), n)
	JGE(LabelRef(loop))
	Label(rest)
	ADDQ(Imm(uint64(v.n)), n)
	JZ(LabelRef(done))
	body(v.tailOf(n))
	Label(done)
}

func (v vec) begin(name, isa, sig string) {
	TEXT(name+"_"+isa, NOSPLIT, sig)
	Pragma("noescape")
}

func gp(name string) GPVirtual { return Load(Param(name), GP64()).(GPVirtual) }

func (v vec) scalar(name string) VecVirtual {
	s := Load(Param(name), XMM())
	d := v.reg()
	VBROADCASTSS(s, d)
	return d
}

func end() {
	VZEROUPPER()
	RET()
}

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
	one("fgelutanh", simple(func(x VecVirtual) VecVirtual {
		u := v.reg()
		VMULPS(x, x, u)
		m := v.set(c(cubic))
		VFMADD213PS(c(arg), m, u)
		VMULPS(x, u, u)
		s := v.sigmoid(u)
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
	one("fhardswish", func(x, a, b VecVirtual) VecVirtual {
		u := v.copy(x)
		VFMADD213PS(b, a, u)
		u = v.clamp(u, 0, 1)
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
	two("fclipgrad", func(d, x, a, b VecVirtual) VecVirtual { // d where a < x < b
		if v.z512 {
			k, l := K(), K()
			VCMPPS(Imm(17), x, a, k)
			VCMPPS(Imm(17), b, x, l)
			KANDW(k, l, k)
			VMOVAPS_Z(d, k, d)
			return d
		}
		m := v.reg()
		VCMPPS(Imm(17), x, a, m)
		VANDPS(m, d, d)
		VCMPPS(Imm(17), b, x, m)
		VANDPS(m, d, d)
		return d
	})
}
