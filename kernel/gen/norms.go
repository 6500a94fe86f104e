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
	rM
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

	// mean loads what is subtracted
	mean := func(name string, c ctx) VecVirtual {
		m, p := v.reg(), c.ld(rM)
		v.zero(m)
		TESTQ(p, p)
		JZ(LabelRef(name + "_nomean"))
		c.load(Mem{Base: p}, m)
		Label(name + "_nomean")
		return m
	}

	// stats: S[j] += sum (x-B[j]), Q[j] += sum (x-B[j])^2; four rows at a time,
	// each with sums of its own
	name := "bnstats_" + isa
	c := begin(name)
	n, x, ldx, sp, qp := c.ld(rN), c.ld(rX), c.ld(rLdx), c.ld(rS), c.ld(rQ)
	s, q, b, w := v.reg(), v.reg(), v.reg(), v.reg()
	c.load(Mem{Base: sp}, s)
	c.load(Mem{Base: qp}, q)
	c.load(Mem{Base: c.ld(rB)}, b)
	ss, qs := []VecVirtual{s}, []VecVirtual{q}
	for range 3 {
		a, e := v.reg(), v.reg()
		v.zero(a)
		v.zero(e)
		ss, qs = append(ss, a), append(qs, e)
	}
	stat := func(i int) {
		w := v.reg()
		c.load(Mem{Base: x}, w)
		VSUBPS(b, w, w)
		VADDPS(w, ss[i], ss[i])
		VFMADD231PS(w, w, qs[i])
		ADDQ(ldx, x)
	}
	SUBQ(Imm(4), n)
	JLT(LabelRef(name + "_r"))
	Label(name + "_l4")
	for i := range 4 {
		stat(i)
	}
	SUBQ(Imm(4), n)
	JGE(LabelRef(name + "_l4"))
	Label(name + "_r")
	ADDQ(Imm(4), n)
	JZ(LabelRef(name + "_end"))
	Label(name + "_l")
	stat(0)
	DECQ(n)
	JNZ(LabelRef(name + "_l"))
	Label(name + "_end")
	for _, p := range [][2]int{{1, 0}, {3, 2}, {2, 0}} {
		VADDPS(ss[p[0]], ss[p[1]], ss[p[1]])
		VADDPS(qs[p[0]], qs[p[1]], qs[p[1]])
	}
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

	// sums: S[j] += sum g, Q[j] += sum g*(x-B[j]); g = dY where Y > 0. Two rows
	// at a time, each with sums of its own
	name = "bnsums_" + isa
	c = begin(name)
	n, x, ldx = c.ld(rN), c.ld(rX), c.ld(rLdx)
	y, ldy, d, ldd := c.ld(rY), c.ld(rLdy), c.ld(rD), c.ld(rLdd)
	sp, qp = c.ld(rS), c.ld(rQ)
	s, q, b, z = v.reg(), v.reg(), v.reg(), v.reg()
	s2, q2 := v.reg(), v.reg()
	v.zero(z)
	v.zero(s2)
	v.zero(q2)
	c.load(Mem{Base: sp}, s)
	c.load(Mem{Base: qp}, q)
	c.load(Mem{Base: c.ld(rB)}, b)
	sum := func(label string, s, q VecVirtual) {
		w, u := v.reg(), v.reg()
		masked(label, c, d, y, w, z)
		c.load(Mem{Base: x}, u)
		VSUBPS(b, u, u)
		VADDPS(w, s, s)
		VFMADD231PS(u, w, q)
		ADDQ(ldx, x)
		ADDQ(ldy, y)
		ADDQ(ldd, d)
	}
	SUBQ(Imm(2), n)
	JLT(LabelRef(name + "_r"))
	Label(name + "_l2")
	sum(name+"_a", s, q)
	sum(name+"_b", s2, q2)
	SUBQ(Imm(2), n)
	JGE(LabelRef(name + "_l2"))
	Label(name + "_r")
	ADDQ(Imm(2), n)
	JZ(LabelRef(name + "_end"))
	sum(name+"_c", s, q)
	Label(name + "_end")
	VADDPS(s2, s, s)
	VADDPS(q2, q, q)
	c.stor(s, Mem{Base: sp})
	c.stor(q, Mem{Base: qp})
	VZEROUPPER()
	RET()

	// grad: R = g*S[j] + (X-M[j])*Q[j] + B[j]; g = dY where Y > 0
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
	m := mean(name, c)
	Label(name + "_l")
	masked(name, c, d, y, w, z)
	c.load(Mem{Base: x}, u)
	VSUBPS(m, u, u)
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
