package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// vectors are elementwise loops over n floats, n a positive multiple of the
// vector's length.
func vectors(v vec, isa string) {
	v.arithmetic(isa)
	v.rectifiers(isa)
	v.updates(isa)
}

// start opens a loop and gives the number of its vectors.
func (v vec) start(name, isa, sig string) GPVirtual {
	v.begin(name, isa, sig)
	n := gp("n")
	if v.z512 {
		SHRQ(Imm(4), n)
	} else {
		SHRQ(Imm(3), n)
	}
	return n
}

// whole writes the loop over n vectors and the return; pointers move on by a
// vector.
func (v vec) whole(name, isa string, n GPVirtual, ptrs []GPVirtual, body func()) {
	Label(name + isa + "_l")
	body()
	for _, p := range ptrs {
		ADDQ(Imm(uint64(4*v.n)), p)
	}
	DECQ(n)
	JNZ(LabelRef(name + isa + "_l"))
	end()
}

// arithmetic are sums, differences and products of two values.
func (v vec) arithmetic(isa string) {
	for _, f := range []struct {
		name string
		op   func(a, b, d Op)
	}{
		{"vadd", func(a, b, d Op) { VADDPS(a, b, d) }},
		{"vsub", func(a, b, d Op) { VSUBPS(a, b, d) }},
		{"vmul", func(a, b, d Op) { VMULPS(a, b, d) }},
	} {
		n := v.start(f.name, isa, "func(n int, x, y, z *float32)")
		x, y, z := gp("x"), gp("y"), gp("z")
		a, b := v.reg(), v.reg()
		v.whole(f.name, isa, n, []GPVirtual{x, y, z}, func() {
			VMOVUPS(Mem{Base: x}, a)
			VMOVUPS(Mem{Base: y}, b)
			f.op(b, a, a)
			VMOVUPS(a, Mem{Base: z})
		})
	}
}

// rectifiers are Relu and its gradient.
func (v vec) rectifiers(isa string) {
	n := v.start("vrelu", isa, "func(n int, x, z *float32)")
	x, z := gp("x"), gp("z")
	a, zero := v.reg(), v.reg()
	v.zero(zero)
	v.whole("vrelu", isa, n, []GPVirtual{x, z}, func() {
		VMOVUPS(Mem{Base: x}, a)
		VMAXPS(a, zero, a)
		VMOVUPS(a, Mem{Base: z})
	})

	// z = d where y > 0
	n = v.start("vrelugrad", isa, "func(n int, d, y, z *float32)")
	d, y := gp("d"), gp("y")
	z = gp("z")
	a, b := v.reg(), v.reg()
	zero = v.reg()
	v.zero(zero)
	v.whole("vrelugrad", isa, n, []GPVirtual{d, y, z}, func() {
		VMOVUPS(Mem{Base: d}, a)
		VMOVUPS(Mem{Base: y}, b)
		if v.z512 {
			k := K()
			VCMPPS(Imm(1), b, zero, k)
			VMOVAPS_Z(a, k, a)
		} else {
			VCMPPS(Imm(1), b, zero, b)
			VANDPS(b, a, a)
		}
		VMOVUPS(a, Mem{Base: z})
	})
}

// updates are the loops that add products to what is there.
func (v vec) updates(isa string) {
	// z = s*x + t*y
	n := v.start("vaxpby", isa, "func(n int, s float32, x *float32, t float32, y, z *float32)")
	sv, tv := v.scalar("s"), v.scalar("t")
	x, y, z := gp("x"), gp("y"), gp("z")
	a := v.reg()
	v.whole("vaxpby", isa, n, []GPVirtual{x, y, z}, func() {
		VMULPS(Mem{Base: x}, sv, a)
		VFMADD231PS(Mem{Base: y}, tv, a)
		VMOVUPS(a, Mem{Base: z})
	})
}
