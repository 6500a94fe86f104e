package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// Offsets of the fields of kernel.depthwiseTile; all are eight bytes wide, the last two hold
// pairs of four bytes.
const (
	dwX = 8 * iota
	dwPixels
	dwStep
	dwTaps
	dwGroups
	dwWeights
	dwBias
	dwScale
	dwOut
	dwOutStep
	dwMask
	dwLo
	dwZero
)

// depthwiseBytes writes a row of a depthwise convolution of 64 channels: four taps at a time
// are woven into each other, so that a channel's four bytes lie side by side. Bias and scale
// are in the order that this makes: in each 16 bytes the first four channels, then the next.
// Packing the results undoes it.
func depthwiseBytes() {
	name := "depthwisebytes"
	TEXT(name, NOSPLIT, "func(t *byte)")
	Pragma("noescape")
	t := gp("t")
	get := func(off int) GPVirtual { r := GP64(); MOVQ(Mem{Base: t, Disp: off}, r); return r }
	x, pixels, out, bias, scale := get(dwX), get(dwPixels), get(dwOut), get(dwBias), get(dwScale)
	m := get(dwMask)
	k := K()
	KMOVQ(m, k)
	lo, hi, zero := ZMM(), ZMM(), ZMM()
	VBROADCASTSS(Mem{Base: t, Disp: dwLo}, lo)
	VBROADCASTSS(Mem{Base: t, Disp: dwLo + 4}, hi)
	VPBROADCASTD(Mem{Base: t, Disp: dwZero}, zero)
	Label(name + "_pixel")
	acc := []VecVirtual{ZMM(), ZMM(), ZMM(), ZMM()}
	for i := range acc {
		VMOVDQU64(Mem{Base: bias, Disp: 64 * i}, acc[i])
	}
	taps, groups, w := get(dwTaps), get(dwGroups), get(dwWeights)
	Label(name + "_group")
	r := []VecVirtual{ZMM(), ZMM(), ZMM(), ZMM()}
	for i := range r {
		off := GP64()
		MOVQ(Mem{Base: taps, Disp: 8 * i}, off)
		VMOVDQU64(Mem{Base: x, Index: off, Scale: 1}, r[i])
	}
	a, b, c, d := ZMM(), ZMM(), ZMM(), ZMM()
	VPUNPCKLBW(r[1], r[0], a)
	VPUNPCKHBW(r[1], r[0], b)
	VPUNPCKLBW(r[3], r[2], c)
	VPUNPCKHBW(r[3], r[2], d)
	VPUNPCKLWD(c, a, r[0])
	VPUNPCKHWD(c, a, r[1])
	VPUNPCKLWD(d, b, r[2])
	VPUNPCKHWD(d, b, r[3])
	for i := range r {
		dpbusd(Mem{Base: w, Disp: 64 * i}, r[i], acc[i])
	}
	ADDQ(Imm(32), taps)
	ADDQ(U32(256), w)
	DECQ(groups)
	JNZ(LabelRef(name + "_group"))
	for i, s := range acc {
		VCVTDQ2PS(s, s)
		VMULPS(Mem{Base: scale, Disp: 64 * i}, s, s)
		VMAXPS(lo, s, s)
		VMINPS(hi, s, s)
		VCVTPS2DQ(s, s)
		VPADDD(zero, s, s)
	}
	VPACKSSDW(acc[1], acc[0], acc[0])
	VPACKSSDW(acc[3], acc[2], acc[2])
	VPACKUSWB(acc[2], acc[0], acc[0])
	VMOVDQU8(acc[0], k, Mem{Base: out})
	ADDQ(Mem{Base: t, Disp: dwStep}, x)
	ADDQ(Mem{Base: t, Disp: dwOutStep}, out)
	DECQ(pixels)
	JNZ(LabelRef(name + "_pixel"))
	end()
}

// mapBytes writes what takes bytes through a table of 256, for whole vectors of 64, and the
// greatest of two bytes.
func mapBytes() {
	TEXT("mapbytes", NOSPLIT, "func(t *byte)")
	Pragma("noescape")
	t := gp("t")
	get := func(off int) GPVirtual { r := GP64(); MOVQ(Mem{Base: t, Disp: off}, r); return r }
	x, table, out, n := get(bX), get(bY), get(bOut), get(bN)
	q := []VecVirtual{ZMM(), ZMM(), ZMM(), ZMM()}
	for i := range q {
		VMOVDQU64(Mem{Base: table, Disp: 64 * i}, q[i])
	}
	k := K()
	Label("mapbytes_loop")
	v, u := ZMM(), ZMM()
	VMOVDQU64(Mem{Base: x}, v)
	VMOVDQA64(v, u)
	VPMOVB2M(v, k)
	VPERMI2B(q[1], q[0], v)
	VPERMI2B(q[3], q[2], u)
	VPBLENDMB(u, v, k, v)
	VMOVDQU64(v, Mem{Base: out})
	ADDQ(Imm(64), x)
	ADDQ(Imm(64), out)
	SUBQ(Imm(64), n)
	JG(LabelRef("mapbytes_loop"))
	end()

	TEXT("maxbytes", NOSPLIT, "func(t *byte)")
	Pragma("noescape")
	t = gp("t")
	x, y, out, n := get(bX), get(bY), get(bOut), get(bN)
	Label("maxbytes_loop")
	r := YMM()
	VMOVDQU(Mem{Base: x}, r)
	VPMAXUB(Mem{Base: y}, r, r)
	VMOVDQU(r, Mem{Base: out})
	ADDQ(Imm(32), x)
	ADDQ(Imm(32), y)
	ADDQ(Imm(32), out)
	SUBQ(Imm(32), n)
	JG(LabelRef("maxbytes_loop"))
	end()

	// rowsum: the sum of n bytes, a multiple of 32
	TEXT("sumbytes", NOSPLIT, "func(t *byte)")
	Pragma("noescape")
	t = gp("t")
	x, out, n = get(bX), get(bOut), get(bN)
	acc, none, s := YMM(), YMM(), YMM()
	VPXOR(acc, acc, acc)
	VPXOR(none, none, none)
	Label("sumbytes_loop")
	VPSADBW(Mem{Base: x}, none, s)
	VPADDQ(s, acc, acc)
	ADDQ(Imm(32), x)
	SUBQ(Imm(32), n)
	JG(LabelRef("sumbytes_loop"))
	h := XMM()
	VEXTRACTI128(Imm(1), acc, h)
	VPADDQ(h, acc.AsX(), acc.AsX())
	VPSHUFD(Imm(0x4e), acc.AsX(), h)
	VPADDQ(h, acc.AsX(), acc.AsX())
	VMOVQ(acc.AsX(), Mem{Base: out})
	end()

	// weave: n times four rows of 16 bytes become 16 columns of four, and 128 is added to each:
	// what is unsigned becomes signed. The sums of the columns go to bY.
	TEXT("weavebytes", NOSPLIT, "func(t *byte)")
	Pragma("noescape")
	t = gp("t")
	x, ld, out, n := get(bX), get(bFloats), get(bOut), get(bN)
	l3 := GP64()
	LEAQ(Mem{Base: ld, Index: ld, Scale: 2}, l3)
	flip := XMM()
	VPCMPEQB(flip, flip, flip)
	VPSLLW(Imm(7), flip, flip)
	VPACKSSWB(flip, flip, flip) // words 0xff80 become bytes 0x80
	one, two := XMM(), XMM()    // ones as bytes and as words
	VPCMPEQB(one, one, one)
	VPSRLW(Imm(15), one, two)
	VPACKUSWB(two, two, one)
	sums := []VecVirtual{XMM(), XMM(), XMM(), XMM()}
	for _, s := range sums {
		VPXOR(s, s, s)
	}
	Label("weavebytes_loop")
	var r4 []VecVirtual
	for _, m := range []Mem{{Base: x}, {Base: x, Index: ld, Scale: 1}, {Base: x, Index: ld, Scale: 2}, {Base: x, Index: l3, Scale: 1}} {
		v := XMM()
		VMOVDQU(m, v)
		VPXOR(flip, v, v)
		r4 = append(r4, v)
	}
	a, b, c, d := XMM(), XMM(), XMM(), XMM()
	VPUNPCKLBW(r4[1], r4[0], a)
	VPUNPCKHBW(r4[1], r4[0], b)
	VPUNPCKLBW(r4[3], r4[2], c)
	VPUNPCKHBW(r4[3], r4[2], d)
	VPUNPCKLWD(c, a, r4[0])
	VPUNPCKHWD(c, a, r4[1])
	VPUNPCKLWD(d, b, r4[2])
	VPUNPCKHWD(d, b, r4[3])
	for i := range r4 {
		VMOVDQU(r4[i], Mem{Base: out, Disp: 16 * i})
		VPMADDUBSW(r4[i], one, r4[i])
		VPMADDWD(two, r4[i], r4[i])
		VPADDD(r4[i], sums[i], sums[i])
	}
	LEAQ(Mem{Base: x, Index: ld, Scale: 4}, x)
	ADDQ(Imm(64), out)
	DECQ(n)
	JNZ(LabelRef("weavebytes_loop"))
	to := get(bY)
	for i, s := range sums {
		VMOVDQU(s, Mem{Base: to, Disp: 16 * i})
	}
	end()
}
