package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// Offsets of the fields of kernel.rows.
const (
	rN = 8 * iota
	rX
	rLdx
	rY
	rLdy
	rR
	rLdr
	rD
	rLdd
	rS
	rQ
	rB
	rFlags
	rMask
)

// norms are passes over N rows of one vector of channels: batch normalisation
// of [rows, channels] forward and backward.
func norms(v vec, isa string) {
	type ctx struct {
		f    func(off int) Mem
		ld   func(off int) GPVirtual
		load func(src Mem, dst VecVirtual)
		stor func(src VecVirtual, dst Mem)
	}
	begin := func(name string) ctx {
		TEXT(name, NOSPLIT, "func(r *byte)")
		Pragma("noescape")
		t := Load(Param("r"), GP64())
		c := ctx{}
		c.f = func(off int) Mem { return Mem{Base: t, Disp: off} }
		c.ld = func(off int) GPVirtual { r := GP64(); MOVQ(c.f(off), r); return r }
		if v.z512 {
			km, m := K(), GP32()
			MOVL(c.f(rMask), m)
			KMOVW(m, km)
			c.load = func(s Mem, d VecVirtual) { VMOVUPS_Z(s, km, d) }
			c.stor = func(s VecVirtual, d Mem) { VMOVUPS(s, km, d) }
		} else {
			m, vm := c.ld(rMask), YMM()
			VMOVDQU(Mem{Base: m}, vm)
			c.load = func(s Mem, d VecVirtual) { VMASKMOVPS(s, vm, d) }
			c.stor = func(s VecVirtual, d Mem) { VMASKMOVPS(s, vm, d) }
		}
		return c
	}

	// stats: S[j] += sum (x-B[j]), Q[j] += sum (x-B[j])^2
	name := "bnstats_" + isa
	c := begin(name)
	n, x, ldx, sp, qp := c.ld(rN), c.ld(rX), c.ld(rLdx), c.ld(rS), c.ld(rQ)
	s, q, b, w := v.reg(), v.reg(), v.reg(), v.reg()
	c.load(Mem{Base: sp}, s)
	c.load(Mem{Base: qp}, q)
	c.load(Mem{Base: c.ld(rB)}, b)
	Label(name + "_l")
	c.load(Mem{Base: x}, w)
	VSUBPS(b, w, w)
	VADDPS(w, s, s)
	VFMADD231PS(w, w, q)
	ADDQ(ldx, x)
	DECQ(n)
	JNZ(LabelRef(name + "_l"))
	c.stor(s, Mem{Base: sp})
	c.stor(q, Mem{Base: qp})
	VZEROUPPER()
	RET()

	// apply: Y = X*S + B (+ R), ReLU where flag 2
	name = "bnapply_" + isa
	c = begin(name)
	n, x, ldx = c.ld(rN), c.ld(rX), c.ld(rLdx)
	y, ldy, r, ldr, flags := c.ld(rY), c.ld(rLdy), c.ld(rR), c.ld(rLdr), c.ld(rFlags)
	s, b, w = v.reg(), v.reg(), v.reg()
	z, u := v.reg(), v.reg()
	v.zero(z)
	c.load(Mem{Base: c.ld(rS)}, s)
	c.load(Mem{Base: c.ld(rB)}, b)
	Label(name + "_l")
	c.load(Mem{Base: x}, w)
	VFMADD213PS(b, s, w)
	TESTQ(r, r)
	JZ(LabelRef(name + "_nores"))
	c.load(Mem{Base: r}, u)
	VADDPS(u, w, w)
	ADDQ(ldr, r)
	Label(name + "_nores")
	BTQ(Imm(1), flags)
	JCC(LabelRef(name + "_norelu"))
	VMAXPS(w, z, w)
	Label(name + "_norelu")
	c.stor(w, Mem{Base: y})
	ADDQ(ldx, x)
	ADDQ(ldy, y)
	DECQ(n)
	JNZ(LabelRef(name + "_l"))
	VZEROUPPER()
	RET()

	// masked loads dY into w, zero where Y <= 0 (if Y is given)
	masked := func(name string, c ctx, d, y GPVirtual, w, z VecVirtual) {
		c.load(Mem{Base: d}, w)
		TESTQ(y, y)
		JZ(LabelRef(name + "_nomask"))
		u := v.reg()
		c.load(Mem{Base: y}, u)
		if v.z512 {
			k := K()
			VCMPPS(Imm(1), u, z, k) // 0 < y
			VMOVAPS_Z(w, k, w)
		} else {
			VCMPPS(Imm(1), u, z, u)
			VANDPS(u, w, w)
		}
		Label(name + "_nomask")
	}

	// sums: S[j] += sum g, Q[j] += sum g*(x-B[j]); g = dY where Y > 0
	name = "bnsums_" + isa
	c = begin(name)
	n, x, ldx = c.ld(rN), c.ld(rX), c.ld(rLdx)
	y, ldy, d, ldd := c.ld(rY), c.ld(rLdy), c.ld(rD), c.ld(rLdd)
	sp, qp = c.ld(rS), c.ld(rQ)
	s, q, b, w, z, u = v.reg(), v.reg(), v.reg(), v.reg(), v.reg(), v.reg()
	v.zero(z)
	c.load(Mem{Base: sp}, s)
	c.load(Mem{Base: qp}, q)
	c.load(Mem{Base: c.ld(rB)}, b)
	Label(name + "_l")
	masked(name, c, d, y, w, z)
	c.load(Mem{Base: x}, u)
	VSUBPS(b, u, u)
	VADDPS(w, s, s)
	VFMADD231PS(u, w, q)
	ADDQ(ldx, x)
	ADDQ(ldy, y)
	ADDQ(ldd, d)
	DECQ(n)
	JNZ(LabelRef(name + "_l"))
	c.stor(s, Mem{Base: sp})
	c.stor(q, Mem{Base: qp})
	VZEROUPPER()
	RET()

	// grad: R = g*S[j] + X*Q[j] + B[j]; g = dY where Y > 0
	name = "bngrad_" + isa
	c = begin(name)
	n, x, ldx = c.ld(rN), c.ld(rX), c.ld(rLdx)
	y, ldy, d, ldd = c.ld(rY), c.ld(rLdy), c.ld(rD), c.ld(rLdd)
	r, ldr = c.ld(rR), c.ld(rLdr)
	s, q, b, w, z, u = v.reg(), v.reg(), v.reg(), v.reg(), v.reg(), v.reg()
	v.zero(z)
	c.load(Mem{Base: c.ld(rS)}, s)
	c.load(Mem{Base: c.ld(rQ)}, q)
	c.load(Mem{Base: c.ld(rB)}, b)
	Label(name + "_l")
	masked(name, c, d, y, w, z)
	c.load(Mem{Base: x}, u)
	VFMADD213PS(b, s, w)
	VFMADD231PS(u, q, w)
	c.stor(w, Mem{Base: r})
	ADDQ(ldx, x)
	ADDQ(ldy, y)
	ADDQ(ldd, d)
	ADDQ(ldr, r)
	DECQ(n)
	JNZ(LabelRef(name + "_l"))
	VZEROUPPER()
	RET()
}
