package main

import (
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

// reductions are sums and other numbers made of many, and what is built on them:
// layer normalisation, the steps of the optimisers and the change of precision.
func reductions(v vec, isa string) {
	v.doubleSums(isa)
	v.dots(isa)
	v.largest(isa)
	v.expSum(isa)
	v.layer(isa)
	v.layerGradients(isa)
	v.sgd(isa)
	v.adam(isa)
}

// zeros are n registers of zeros.
func (v vec) zeros(n int) []VecVirtual {
	r := make([]VecVirtual, n)
	for i := range r {
		r[i] = v.reg()
		v.zero(r[i])
	}
	return r
}

func add(a, b, d Op) { VADDPS(a, b, d) }

// doubleSum writes the loop of a sum in doubles, kept in two registers, and
// returns it.
func (v vec) doubleSum(n GPVirtual, ptrs []GPVirtual, body func(t *tail, s []VecVirtual)) {
	s := v.zeros(2)
	v.pass(n, ptrs, func(t *tail) { body(t, s) })
	VADDPD(s[1], s[0], s[0])
	give(v.fold(s[0]), ReturnIndex(0), double)
	end()
}

// doubleSums are the sum, the inner product, and the sum of squared distances
// from m, in doubles.
func (v vec) doubleSums(isa string) {
	v.begin("rsum", isa, "func(n int, x *float32) float64")
	n, x := gp("n"), gp("x")
	v.doubleSum(n, []GPVirtual{x}, func(t *tail, s []VecVirtual) {
		r := v.reg()
		v.load(t, Mem{Base: x}, r)
		lo, hi := v.doubles(r)
		VADDPD(lo, s[0], s[0])
		VADDPD(hi, s[1], s[1])
	})

	v.begin("rdot", isa, "func(n int, x, y *float32) float64")
	n, x = gp("n"), gp("x")
	y := gp("y")
	v.doubleSum(n, []GPVirtual{x, y}, func(t *tail, s []VecVirtual) {
		r, q := v.reg(), v.reg()
		v.load(t, Mem{Base: x}, r)
		v.load(t, Mem{Base: y}, q)
		a, b := v.doubles(r)
		c, d := v.doubles(q)
		VFMADD231PD(a, c, s[0])
		VFMADD231PD(b, d, s[1])
	})

	v.begin("rsqdev", isa, "func(n int, x *float32, m float32) float64")
	n, x = gp("n"), gp("x")
	m := v.scalar("m")
	md := v.reg()
	if v.z512 {
		VCVTPS2PD(m.AsY(), md)
	} else {
		VCVTPS2PD(m.AsX(), md)
	}
	v.doubleSum(n, []GPVirtual{x}, func(t *tail, s []VecVirtual) {
		r := v.reg()
		v.load(t, Mem{Base: x}, r)
		v.fill(t, r, m)
		a, b := v.doubles(r)
		VSUBPD(md, a, a)
		VSUBPD(md, b, b)
		VFMADD231PD(a, a, s[0])
		VFMADD231PD(b, b, s[1])
	})
}

// dots are the inner products of x with four rows of y.
func (v vec) dots(isa string) {
	v.begin("rdots", isa, "func(n int, x, y *float32, ldy int, z *float32)")
	n, x := gp("n"), gp("x")
	y, ld := gp("y"), gp("ldy")
	z := gp("z")
	s := v.zeros(4)
	row := rowsOf(4, ld)
	v.pass(n, []GPVirtual{x, y}, func(t *tail) {
		r := v.reg()
		v.load(t, Mem{Base: x}, r)
		for i := range s {
			if t == nil {
				VFMADD231PS(row(y, i, 0), r, s[i])
				continue
			}
			q := v.reg()
			v.load(t, row(y, i, 0), q)
			VFMADD231PS(q, r, s[i])
		}
	})
	for i := range s {
		VMOVSS(v.foldf(s[i], add), Mem{Base: z, Disp: 4 * i})
	}
	end()
}

// largest is the largest value, and whether there was NaN (not 0).
func (v vec) largest(isa string) {
	v.begin("rmax", isa, "func(n int, x *float32) (m float32, nan uint32)")
	n, x := gp("n"), gp("x")
	top := v.set(bits(0xff800000))
	bad := v.zeros(1)[0]
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
	give(v.foldf(top, func(a, b, d Op) { VMAXPS(a, b, d) }), Return("m"), single)
	or := v.foldf(bad, func(a, b, d Op) { VORPS(a, b, d) })
	g := GP32()
	VMOVD(or, g)
	Store(g, Return("nan"))
	end()
}

// expSum is the sum of e^(x-m), whose terms are kept.
func (v vec) expSum(isa string) {
	v.begin("rexpsum", isa, "func(n int, x, z *float32, m float32) float32")
	n, x, z := gp("n"), gp("x"), gp("z")
	m := v.scalar("m")
	s := v.zeros(1)
	v.pass(n, []GPVirtual{x, z}, func(t *tail) {
		r := v.reg()
		v.load(t, Mem{Base: x}, r)
		VSUBPS(m, r, r)
		e := v.exp(r)
		v.only(t, e)
		VADDPS(e, s[0], s[0])
		v.store(t, e, Mem{Base: z})
	})
	give(v.foldf(s[0], add), ReturnIndex(0), single)
	end()
}

// layer is layer normalisation of one row.
func (v vec) layer(isa string) {
	v.begin("rlayer", isa, "func(n int, x, w, b, z *float32, m, is float32)")
	n, x := gp("n"), gp("x")
	w, b, z := gp("w"), gp("b"), gp("z")
	m, is := v.scalar("m"), v.scalar("is")
	v.pass(n, []GPVirtual{x, w, b, z}, func(t *tail) {
		r, q, u := v.reg(), v.reg(), v.reg()
		v.load(t, Mem{Base: x}, r)
		v.load(t, Mem{Base: w}, q)
		v.load(t, Mem{Base: b}, u)
		VSUBPS(m, r, r)
		VMULPS(is, r, r)
		VFMADD213PS(u, q, r)
		v.store(t, r, Mem{Base: z})
	})
	end()
}

// layerGradients are the sums over a row that the gradient of layer
// normalisation needs, with what the row adds to the gradients of scale and
// bias, and the gradient by the row.
func (v vec) layerGradients(isa string) {
	v.begin("rlayersums", isa, "func(n int, x, d, w, ds, db *float32, m, is float32) (s, q float32)")
	n, x := gp("n"), gp("x")
	d, w := gp("d"), gp("w")
	ds, db := gp("ds"), gp("db")
	m, is := v.scalar("m"), v.scalar("is")
	s := v.zeros(2)
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
	give(v.foldf(s[0], add), Return("s"), single)
	give(v.foldf(s[1], add), Return("q"), single)
	end()

	v.begin("rlayergrad", isa, "func(n int, x, d, w, z *float32, m, is, s, q float32)")
	n, x = gp("n"), gp("x")
	d, w, z := gp("d"), gp("w"), gp("z")
	m, is = v.scalar("m"), v.scalar("is")
	sv, qv := v.scalar("s"), v.scalar("q")
	v.pass(n, []GPVirtual{x, d, w, z}, func(t *tail) {
		r, g, u := v.reg(), v.reg(), v.reg()
		v.load(t, Mem{Base: x}, r)
		v.load(t, Mem{Base: d}, g)
		v.load(t, Mem{Base: w}, u)
		VSUBPS(m, r, r)
		VMULPS(is, r, r)
		VFMSUB213PS(sv, u, g) // d*w - s
		VFNMADD231PS(r, qv, g)
		VMULPS(is, g, g)
		v.store(t, g, Mem{Base: z})
	})
	end()
}
