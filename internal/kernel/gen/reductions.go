package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// doubles widens the lower and upper half of a vector.
func (v vec) doubles(x VecVirtual) (lo, hi VecVirtual) {
	lo, hi = v.reg(), v.reg()
	if v.z512 {
		h := YMM()
		VEXTRACTF64X4(Imm(1), x, h)
		VCVTPS2PD(x.AsY(), lo)
		VCVTPS2PD(h, hi)
		return lo, hi
	}
	h := XMM()
	VEXTRACTF128(Imm(1), x, h)
	VCVTPS2PD(x.AsX(), lo)
	VCVTPS2PD(h, hi)
	return lo, hi
}

// fold adds the parts of a register of doubles into its lowest.
func (v vec) fold(x VecVirtual) VecVirtual {
	y := x.AsY()
	if v.z512 {
		h := YMM()
		VEXTRACTF64X4(Imm(1), x, h)
		VADDPD(h, y, y)
	}
	h := XMM()
	VEXTRACTF128(Imm(1), y, h)
	r := XMM()
	VADDPD(h, x.AsX(), r)
	VPERMILPD(Imm(1), r, h)
	VADDSD(h, r, r)
	return r
}

// foldf is the same for floats, with the operation given.
func (v vec) foldf(x VecVirtual, op func(a, b, d Op)) VecVirtual {
	y := x.AsY()
	if v.z512 {
		h := YMM()
		VEXTRACTF64X4(Imm(1), x, h)
		op(h, y, y)
	}
	h, r := XMM(), XMM()
	VEXTRACTF128(Imm(1), y, h)
	op(h, x.AsX(), r)
	VPERMILPS(Imm(0x4e), r, h)
	op(h, r, r)
	VPERMILPS(Imm(0xb1), r, h)
	op(h, r, r)
	return r
}

func reductions(v vec, isa string) {
	add := func(a, b, d Op) { VADDPS(a, b, d) }
	zeros := func(n int) []VecVirtual {
		r := make([]VecVirtual, n)
		for i := range r {
			r[i] = v.reg()
			v.zero(r[i])
		}
		return r
	}

	v.begin("rsum", isa, "func(n int, x *float32) float64")
	n, x := gp("n"), gp("x")
	s := zeros(2)
	v.pass(n, []GPVirtual{x}, func(t *tail) {
		r := v.reg()
		v.load(t, Mem{Base: x}, r)
		lo, hi := v.doubles(r)
		VADDPD(lo, s[0], s[0])
		VADDPD(hi, s[1], s[1])
	})
	VADDPD(s[1], s[0], s[0])
	Store(v.fold(s[0]), ReturnIndex(0))
	end()

	v.begin("rdot", isa, "func(n int, x, y *float32) float64")
	n, x = gp("n"), gp("x")
	y := gp("y")
	s = zeros(2)
	v.pass(n, []GPVirtual{x, y}, func(t *tail) {
		r, q := v.reg(), v.reg()
		v.load(t, Mem{Base: x}, r)
		v.load(t, Mem{Base: y}, q)
		a, b := v.doubles(r)
		c, d := v.doubles(q)
		VFMADD231PD(a, c, s[0])
		VFMADD231PD(b, d, s[1])
	})
	VADDPD(s[1], s[0], s[0])
	Store(v.fold(s[0]), ReturnIndex(0))
	end()

	v.begin("rsqdev", isa, "func(n int, x *float32, m float32) float64")
	n, x = gp("n"), gp("x")
	m := v.scalar("m")
	md := v.reg()
	if v.z512 {
		VCVTPS2PD(m.AsY(), md)
	} else {
		VCVTPS2PD(m.AsX(), md)
	}
	s = zeros(2)
	v.pass(n, []GPVirtual{x}, func(t *tail) {
		r := v.reg()
		v.load(t, Mem{Base: x}, r)
		v.fill(t, r, m)
		a, b := v.doubles(r)
		VSUBPD(md, a, a)
		VSUBPD(md, b, b)
		VFMADD231PD(a, a, s[0])
		VFMADD231PD(b, b, s[1])
	})
	VADDPD(s[1], s[0], s[0])
	Store(v.fold(s[0]), ReturnIndex(0))
	end()

	// inner products of x with four rows of y
	v.begin("rdots", isa, "func(n int, x, y *float32, ldy int, z *float32)")
	n, x = gp("n"), gp("x")
	y0, ld := gp("y"), gp("ldy")
	zp := gp("z")
	s = zeros(4)
	s3 := GP64()
	LEAQ(Mem{Base: ld, Index: ld, Scale: 2}, s3)
	v.pass(n, []GPVirtual{x, y0}, func(t *tail) {
		r := v.reg()
		v.load(t, Mem{Base: x}, r)
		for i, m := range []Mem{{Base: y0}, {Base: y0, Index: ld, Scale: 1}, {Base: y0, Index: ld, Scale: 2}, {Base: y0, Index: s3, Scale: 1}} {
			if t == nil {
				VFMADD231PS(m, r, s[i])
				continue
			}
			q := v.reg()
			v.load(t, m, q)
			VFMADD231PS(q, r, s[i])
		}
	})
	for i := range s {
		VMOVSS(v.foldf(s[i], add), Mem{Base: zp, Disp: 4 * i})
	}
	end()

	// the largest value, and whether there was NaN (not 0)
	v.begin("rmax", isa, "func(n int, x *float32) (m float32, nan uint32)")
	n, x = gp("n"), gp("x")
	top := v.set(bits(0xff800000))
	bad := zeros(1)[0]
	v.pass(n, []GPVirtual{x}, func(t *tail) {
		r, q := v.reg(), v.reg()
		v.load(t, Mem{Base: x}, r)
		v.fill(t, r, top)
		if v.z512 {
			k := K()
			VCMPPS(Imm(3), r, r, k)
			VMOVAPS_Z(v.set(c(1)), k, q)
		} else {
			VCMPPS(Imm(3), r, r, q)
		}
		VORPS(q, bad, bad)
		VMAXPS(top, r, top)
	})
	Store(v.foldf(top, func(a, b, d Op) { VMAXPS(a, b, d) }), Return("m"))
	or := v.foldf(bad, func(a, b, d Op) { VORPS(a, b, d) })
	g := GP32()
	VMOVD(or, g)
	Store(g, Return("nan"))
	end()

	v.begin("rexpsum", isa, "func(n int, x, z *float32, m float32) float32")
	n, x = gp("n"), gp("x")
	z := gp("z")
	m = v.scalar("m")
	s = zeros(1)
	v.pass(n, []GPVirtual{x, z}, func(t *tail) {
		r := v.reg()
		v.load(t, Mem{Base: x}, r)
		VSUBPS(m, r, r)
		e := v.exp(r)
		v.only(t, e)
		VADDPS(e, s[0], s[0])
		v.store(t, e, Mem{Base: z})
	})
	Store(v.foldf(s[0], add), ReturnIndex(0))
	end()

	// layer normalisation of one row
	v.begin("rlayer", isa, "func(n int, x, w, b, z *float32, m, is float32)")
	n, x = gp("n"), gp("x")
	w, b, zz := gp("w"), gp("b"), gp("z")
	m, is := v.scalar("m"), v.scalar("is")
	v.pass(n, []GPVirtual{x, w, b, zz}, func(t *tail) {
		r, q, u := v.reg(), v.reg(), v.reg()
		v.load(t, Mem{Base: x}, r)
		v.load(t, Mem{Base: w}, q)
		v.load(t, Mem{Base: b}, u)
		VSUBPS(m, r, r)
		VMULPS(is, r, r)
		VFMADD213PS(u, q, r)
		v.store(t, r, Mem{Base: zz})
	})
	end()

	v.begin("rlayersums", isa, "func(n int, x, d, w, ds, db *float32, m, is float32) (s, q float32)")
	n, x = gp("n"), gp("x")
	d, w := gp("d"), gp("w")
	ds, db := gp("ds"), gp("db")
	m, is = v.scalar("m"), v.scalar("is")
	s = zeros(2)
	v.pass(n, []GPVirtual{x, d, w, ds, db}, func(t *tail) {
		r, q, u := v.reg(), v.reg(), v.reg()
		v.load(t, Mem{Base: x}, r)
		v.load(t, Mem{Base: d}, q)
		VSUBPS(m, r, r)
		VMULPS(is, r, r)
		v.load(t, Mem{Base: ds}, u)
		VFMADD231PS(q, r, u)
		v.store(t, u, Mem{Base: ds})
		v.load(t, Mem{Base: db}, u)
		VADDPS(q, u, u)
		v.store(t, u, Mem{Base: db})
		v.load(t, Mem{Base: w}, u)
		VMULPS(u, q, q)
		VADDPS(q, s[0], s[0])
		VFMADD231PS(q, r, s[1])
	})
	Store(v.foldf(s[0], add), Return("s"))
	Store(v.foldf(s[1], add), Return("q"))
	end()

	v.begin("rlayergrad", isa, "func(n int, x, d, w, z *float32, m, is, s, q float32)")
	n, x = gp("n"), gp("x")
	d, w, zz = gp("d"), gp("w"), gp("z")
	m, is = v.scalar("m"), v.scalar("is")
	sv, qv := v.scalar("s"), v.scalar("q")
	v.pass(n, []GPVirtual{x, d, w, zz}, func(t *tail) {
		r, g, u := v.reg(), v.reg(), v.reg()
		v.load(t, Mem{Base: x}, r)
		v.load(t, Mem{Base: d}, g)
		v.load(t, Mem{Base: w}, u)
		VSUBPS(m, r, r)
		VMULPS(is, r, r)
		VFMSUB213PS(sv, u, g) // d*w - s
		VFNMADD231PS(r, qv, g)
		VMULPS(is, g, g)
		v.store(t, g, Mem{Base: zz})
	})
	end()

	optimizers(v, isa)
}

// skip leaves out code where a pointer is nil.
func skip(p GPVirtual, code func()) {
	labels++
	l := fmt.Sprintf("s%d", labels)
	TESTQ(p, p)
	JZ(LabelRef(l))
	code()
	Label(l)
}

func optimizers(v vec, isa string) {
	arg := func(a GPVirtual, i int) VecVirtual {
		r := v.reg()
		VBROADCASTSS(Mem{Base: a, Disp: 4 * i}, r)
		return r
	}
	// fields: lr, mu, wd, fromG, fromM; m and mask may be nil
	v.begin("osgd", isa, "func(n int, w, d, m, mask *float32, a *byte)")
	n, w, d, m, mask, a := gp("n"), gp("w"), gp("d"), gp("m"), gp("mask"), gp("a")
	lr, mu, wd, fg, fm := arg(a, 0), arg(a, 1), arg(a, 2), arg(a, 3), arg(a, 4)
	off := GP64()
	XORQ(off, off)
	at := func(p GPVirtual) Mem { return Mem{Base: p, Index: off, Scale: 1} }
	v.pass(n, []GPVirtual{off}, func(t *tail) {
		W, g, s, q := v.reg(), v.reg(), v.reg(), v.reg()
		one := v.set(c(1))
		v.load(t, at(w), W)
		v.load(t, at(d), g)
		VFMADD231PS(W, wd, g)
		skip(mask, func() { v.load(t, at(mask), one) })
		VMULPS(one, g, g)
		VMULPS(fg, g, s)
		skip(m, func() {
			v.load(t, at(m), q)
			VFMADD213PS(g, mu, q)
			VMULPS(one, q, q)
			v.store(t, q, at(m))
			VFMADD231PS(q, fm, s)
		})
		VFNMADD231PS(s, lr, W)
		VMULPS(one, W, W)
		v.store(t, W, at(w))
	})
	end()

	// fields: b1, c1, b2, c2, lr, isv, eps, wd, keep; mask may be nil
	v.begin("oadam", isa, "func(n int, w, d, m, v, mask *float32, a *byte)")
	n, w, d, m, mask, a = gp("n"), gp("w"), gp("d"), gp("m"), gp("mask"), gp("a")
	vp := gp("v")
	off = GP64()
	XORQ(off, off)
	f := make([]VecVirtual, 9)
	for i := range f {
		if v.z512 {
			f[i] = arg(a, i)
		}
	}
	// AVX2 has too few registers to keep the settings in
	k := func(i int) VecVirtual {
		if v.z512 {
			return f[i]
		}
		return arg(a, i)
	}
	v.pass(n, []GPVirtual{off}, func(t *tail) {
		W, g, M, V, u := v.reg(), v.reg(), v.reg(), v.reg(), v.reg()
		one := v.set(c(1))
		v.load(t, at(w), W)
		v.load(t, at(d), g)
		VFMADD231PS(W, k(7), g)
		skip(mask, func() { v.load(t, at(mask), one) })
		VMULPS(one, g, g)
		v.load(t, at(m), M)
		VMULPS(k(0), M, M)
		VFMADD231PS(g, k(1), M)
		v.store(t, M, at(m))
		v.load(t, at(vp), V)
		VMULPS(k(2), V, V)
		VMULPS(g, g, u)
		VFMADD231PS(u, k(3), V)
		v.store(t, V, at(vp))
		VSQRTPS(V, V)
		VFMADD213PS(k(6), k(5), V)
		VMULPS(k(4), M, M)
		VDIVPS(V, M, M)
		VFMSUB132PS(k(8), M, W) // keep*w - step: dst*src3 - src2
		VMULPS(one, W, W)
		v.store(t, W, at(w))
	})
	end()
}
