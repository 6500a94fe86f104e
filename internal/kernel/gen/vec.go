package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/gotypes"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// vec hides the two register widths.
type vec struct {
	n    int // floats
	z512 bool
	k    bool // 256 bits with the masks of AVX-512
}

func (v vec) reg() VecVirtual {
	switch {
	case v.z512:
		return ZMM()
	case v.n == 4:
		return XMM()
	}
	return YMM()
}
func (v vec) zero(r VecVirtual) {
	if v.z512 {
		VPXORQ(r, r, r)
	} else {
		VXORPS(r, r, r)
	}
}

// tail is the mask of some lanes of a vector, in the form that the registers have.
type tail struct {
	k OpmaskVirtual // of AVX-512, or
	m VecVirtual
}

// tailOf makes the mask of n lanes, n < v.n (or, for AVX-512, up to 16).
func (v vec) tailOf(n GPVirtual) *tail {
	t := &tail{}
	if v.z512 {
		m := GP32()
		MOVL(U32(0xffffffff), m)
		BZHIL(n.As32(), m, m)
		t.k = K()
		KMOVW(m, t.k)
		return t
	}
	p, q := GP64(), GP64()
	LEAQ(ones().Offset(32), p)
	MOVQ(n, q)
	SHLQ(Imm(2), q)
	SUBQ(q, p)
	t.m = YMM()
	VMOVDQU(Mem{Base: p}, t.m)
	return t
}

// maskAt is the mask that a field gives.
func (v vec) maskAt(field Mem) *tail {
	t := &tail{}
	if v.z512 || v.k {
		t.k = K()
	} else {
		t.m = v.reg()
	}
	t.read(field)
	return t
}

// read sets a mask to what a field holds: its bits, or the address of the mask.
func (t *tail) read(field Mem) {
	if t.k != nil {
		m := GP32()
		MOVL(field, m)
		KMOVW(m, t.k)
		return
	}
	m := GP64()
	MOVQ(field, m)
	VMOVDQU(Mem{Base: m}, t.m)
}

// load and store work on all lanes where t is nil; other lanes load as 0.
func (v vec) load(t *tail, src Mem, dst VecVirtual) {
	switch {
	case t == nil:
		VMOVUPS(src, dst)
	case t.k != nil:
		VMOVUPS_Z(src, t.k, dst)
	default:
		VMASKMOVPS(src, t.m, dst)
	}
}

func (v vec) store(t *tail, src VecVirtual, dst Mem) {
	switch {
	case t == nil:
		VMOVUPS(src, dst)
	case t.k != nil:
		VMOVUPS(src, t.k, dst)
	default:
		VMASKMOVPS(src, t.m, dst)
	}
}

// only clears the lanes that do not count.
func (v vec) only(t *tail, x VecVirtual) {
	switch {
	case t == nil:
	case v.z512:
		VMOVAPS_Z(x, t.k, x)
	default:
		VANDPS(t.m, x, x)
	}
}

// fill puts y where the lanes do not count.
func (v vec) fill(t *tail, x, y VecVirtual) {
	switch {
	case t == nil:
	case v.z512:
		VBLENDMPS(x, y, t.k, x)
	default:
		VBLENDVPS(t.m, x, y, x)
	}
}

// hold keeps values between two bounds; lo and hi are registers for them.
func (v vec) hold(xs []VecVirtual, from, to Mem, lo, hi VecVirtual) {
	VBROADCASTSS(from, lo)
	VBROADCASTSS(to, hi)
	for _, x := range xs {
		VMAXPS(x, lo, x) // the second operand wins for NaN, so NaN stays
		VMINPS(x, hi, x)
	}
}

// rowsOf gives the places of up to 8 rows that are stride bytes apart.
func rowsOf(rows int, stride GPVirtual) func(base GPVirtual, r, disp int) Mem {
	s3, s5, s7 := GP64(), GP64(), GP64()
	if rows > 3 {
		LEAQ(Mem{Base: stride, Index: stride, Scale: 2}, s3)
	}
	if rows > 5 {
		LEAQ(Mem{Base: stride, Index: stride, Scale: 4}, s5)
	}
	if rows > 7 {
		LEAQ(Mem{Base: s3, Index: stride, Scale: 4}, s7)
	}
	return func(base GPVirtual, r, disp int) Mem {
		m := Mem{Base: base, Disp: disp}
		switch r {
		case 1, 2, 4:
			m.Index, m.Scale = stride, uint8(r)
		case 3, 6:
			m.Index, m.Scale = s3, uint8(r/3)
		case 5:
			m.Index, m.Scale = s5, 1
		case 7:
			m.Index, m.Scale = s7, 1
		}
		return m
	}
}

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

// scalar reads a number that is a parameter. It does so in one instruction of AVX: one of
// SSE (MOVSS) behind a wide one costs a hundred nanoseconds on processors that keep the
// upper halves of registers apart.
func (v vec) scalar(name string) VecVirtual {
	p, err := Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	d := v.reg()
	VBROADCASTSS(p.Addr, d)
	return d
}

// give stores a result, in an instruction of AVX (see scalar).
func give(x Register, to gotypes.Component, move func(from, to Op)) {
	p, err := to.Resolve()
	if err != nil {
		panic(err)
	}
	move(x, p.Addr)
}

func single(from, to Op) { VMOVSS(from, to) }
func double(from, to Op) { VMOVSD(from, to) }

func end() {
	VZEROUPPER()
	RET()
}
