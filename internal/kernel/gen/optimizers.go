package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// skip leaves out code where a pointer is nil.
func skip(p GPVirtual, code func()) {
	labels++
	l := fmt.Sprintf("s%d", labels)
	TESTQ(p, p)
	JZ(LabelRef(l))
	code()
	Label(l)
}

// setting is field i of the optimiser's settings in all lanes.
func (v vec) setting(a GPVirtual, i int) VecVirtual {
	r := v.reg()
	VBROADCASTSS(Mem{Base: a, Disp: 4 * i}, r)
	return r
}

// sgd is a step of gradient descent with momentum; the settings are lr, mu, wd,
// fromG, fromM; m and mask may be nil.
func (v vec) sgd(isa string) {
	v.begin("osgd", isa, "func(n int, w, d, m, mask *float32, a *byte)")
	n, w, d, m, mask, a := gp("n"), gp("w"), gp("d"), gp("m"), gp("mask"), gp("a")
	lr, mu, wd, fg, fm := v.setting(a, 0), v.setting(a, 1), v.setting(a, 2), v.setting(a, 3), v.setting(a, 4)
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
}

// adam is a step of Adam; the settings are b1, c1, b2, c2, lr, isv, eps, wd,
// keep; mask may be nil.
func (v vec) adam(isa string) {
	v.begin("oadam", isa, "func(n int, w, d, m, v, mask *float32, a *byte)")
	n, w, d, m, mask, a := gp("n"), gp("w"), gp("d"), gp("m"), gp("mask"), gp("a")
	vp := gp("v")
	off := GP64()
	XORQ(off, off)
	at := func(p GPVirtual) Mem { return Mem{Base: p, Index: off, Scale: 1} }
	f := make([]VecVirtual, 9)
	for i := range f {
		if v.z512 {
			f[i] = v.setting(a, i)
		}
	}
	// AVX2 has too few registers to keep the settings in
	k := func(i int) VecVirtual {
		if v.z512 {
			return f[i]
		}
		return v.setting(a, i)
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
