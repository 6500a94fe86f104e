package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// vectors are elementwise loops over n floats, n a positive multiple of the
// vector's length.
func vectors(v vec, isa string) {
	bytes := uint64(4 * v.n)
	shift := uint64(4)
	if !v.z512 {
		shift = 3
	}
	start := func(name, sig string) GPVirtual {
		TEXT(name+"_"+isa, NOSPLIT, sig)
		Pragma("noescape")
		n := GP64()
		Load(Param("n"), n)
		SHRQ(Imm(shift), n)
		return n
	}
	loop := func(name string, n GPVirtual, ptrs []GPVirtual, body func()) {
		Label(name + isa + "_l")
		body()
		for _, p := range ptrs {
			ADDQ(Imm(bytes), p)
		}
		DECQ(n)
		JNZ(LabelRef(name + isa + "_l"))
		VZEROUPPER()
		RET()
	}
	ptr := func(name string) GPVirtual { r := GP64(); Load(Param(name), r); return r }
	broadcast := func(name string) VecVirtual {
		s := Load(Param(name), XMM())
		d := v.reg()
		VBROADCASTSS(s, d)
		return d
	}
	two := func(name string, op func(a, b, dst Op)) {
		n := start(name, "func(n int, x, y, z *float32)")
		x, y, z := ptr("x"), ptr("y"), ptr("z")
		a, b := v.reg(), v.reg()
		loop(name, n, []GPVirtual{x, y, z}, func() {
			VMOVUPS(Mem{Base: x}, a)
			VMOVUPS(Mem{Base: y}, b)
			op(b, a, a)
			VMOVUPS(a, Mem{Base: z})
		})
	}
	two("vadd", func(a, b, d Op) { VADDPS(a, b, d) })
	two("vsub", func(a, b, d Op) { VSUBPS(a, b, d) })
	two("vmul", func(a, b, d Op) { VMULPS(a, b, d) })

	n := start("vrelu", "func(n int, x, z *float32)")
	x, z := ptr("x"), ptr("z")
	a, zero := v.reg(), v.reg()
	v.zero(zero)
	loop("vrelu", n, []GPVirtual{x, z}, func() {
		VMOVUPS(Mem{Base: x}, a)
		VMAXPS(a, zero, a)
		VMOVUPS(a, Mem{Base: z})
	})

	// z = d where y > 0
	n = start("vrelugrad", "func(n int, d, y, z *float32)")
	d, y := ptr("d"), ptr("y")
	z = ptr("z")
	a, b := v.reg(), v.reg()
	zero = v.reg()
	v.zero(zero)
	loop("vrelugrad", n, []GPVirtual{d, y, z}, func() {
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

	// z = s*x + t*y
	n = start("vaxpby", "func(n int, s float32, x *float32, t float32, y, z *float32)")
	sv, tv := broadcast("s"), broadcast("t")
	x, y, z = ptr("x"), ptr("y"), ptr("z")
	a = v.reg()
	loop("vaxpby", n, []GPVirtual{x, y, z}, func() {
		VMULPS(Mem{Base: x}, sv, a)
		VFMADD231PS(Mem{Base: y}, tv, a)
		VMOVUPS(a, Mem{Base: z})
	})
}
