// Command gen writes the assembly of package kernel with avo. It is a module
// of its own, so that avo is no dependency of Pare.
package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// Offsets of the fields of kernel.tile; all are eight bytes wide.
const (
	tRows = 8 * iota
	tK
	tA
	tArs
	tAis
	tAks
	tB
	tLdb
	tC
	tLdc
	tBias
	tRes
	tLdr
	tFlags
	tMask
	tRowBias
	tBrs
	tVecs
	tOff
	tLo
)

const tHi = tLo + 4

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

// tile: C[i*ldc+j] = sum over rows r and k<kc of A[r*ars+i*ais+k*aks]*B[(r*kc+k)*ldb+j],
// plus bias[j], row bias[i], C (flag 1) and residual; then held in bounds (flag 2). MR rows i, NV
// vectors of columns j, the last masked. Strides in bytes.
//
// With byChannel, NV is 1 and A has a vector of channels in place of a number:
// C[i*ldc+j] = sum of A[r*ars+i*ais+k*aks+j]*B[(r*kc+k)*ldb+r*brs+j], for vecs
// vectors j, of which the last is masked. Whole vectors of A are read, also
// where the mask is not full.
func tile(v vec, MR, NV int, byChannel bool) {
	isa := "avx2"
	if v.z512 {
		isa = "avx512"
	}
	name := fmt.Sprintf("tile%s_%dx%d", isa, MR, NV)
	if byChannel {
		name = fmt.Sprintf("channels%s_%d", isa, MR)
	}
	TEXT(name, NOSPLIT, "func(t *byte)")
	Pragma("noescape")
	t := Load(Param("t"), GP64())
	f := func(off int) Mem { return Mem{Base: t, Disp: off} }
	ld := func(off int) GPVirtual { r := GP64(); MOVQ(f(off), r); return r }
	ais, aks, ldb := ld(tAis), ld(tAks), ld(tLdb)
	bytes := v.n * 4

	// the mask of the last vector
	var km OpmaskVirtual
	var vm VecVirtual
	setMask := func() {
		if v.z512 {
			m := GP32()
			MOVL(f(tMask), m)
			KMOVW(m, km)
		} else {
			m := GP64()
			MOVQ(f(tMask), m)
			VMOVDQU(Mem{Base: m}, vm)
		}
	}
	if v.z512 {
		km = K()
	} else {
		vm = YMM()
	}
	if byChannel {
		if v.z512 {
			KXNORW(km, km, km)
		} else {
			VPCMPEQD(vm, vm, vm)
		}
		Label(name + "_vec")
		CMPQ(f(tVecs), Imm(1))
		JNE(LabelRef(name + "_whole"))
	}
	setMask()
	Label(name + "_whole")
	b, a, rows := ld(tB), ld(tA), ld(tRows)
	move := func(p GPVirtual) { // to the vector of channels at hand
		if byChannel {
			ADDQ(f(tOff), p)
		}
	}
	move(a)
	move(b)
	last := NV - 1
	loadLast := func(src Mem, dst VecVirtual) {
		if v.z512 {
			VMOVUPS_Z(src, km, dst)
		} else {
			VMASKMOVPS(src, vm, dst)
		}
	}
	load := func(j int, src Mem, dst VecVirtual) {
		if j == last {
			loadLast(src, dst)
		} else {
			VMOVUPS(src, dst)
		}
	}

	acc := make([]VecVirtual, MR*NV)
	for i := range acc {
		acc[i] = v.reg()
		v.zero(acc[i])
	}
	bias := ld(tBias)
	TESTQ(bias, bias)
	JZ(LabelRef(name + "_nobias"))
	move(bias)
	for j := 0; j < NV; j++ {
		load(j, Mem{Base: bias, Disp: bytes * j}, acc[j])
		for i := 1; i < MR; i++ {
			VMOVAPS(acc[j], acc[i*NV+j])
		}
	}
	Label(name + "_nobias")

	var s3, s5, s7 GPVirtual
	if MR > 3 {
		s3 = GP64()
		LEAQ(Mem{Base: ais, Index: ais, Scale: 2}, s3)
	}
	if MR > 5 {
		s5 = GP64()
		LEAQ(Mem{Base: ais, Index: ais, Scale: 4}, s5)
	}
	if MR > 7 {
		s7 = GP64()
		LEAQ(Mem{Base: s3, Index: ais, Scale: 4}, s7)
	}
	p, q, k := GP64(), GP64(), GP64()
	at := func(i int) Mem {
		base := p
		if i >= 8 {
			base, i = q, i-8
		}
		switch i {
		case 0:
			return Mem{Base: base}
		case 1:
			return Mem{Base: base, Index: ais, Scale: 1}
		case 2:
			return Mem{Base: base, Index: ais, Scale: 2}
		case 3:
			return Mem{Base: base, Index: s3, Scale: 1}
		case 4:
			return Mem{Base: base, Index: ais, Scale: 4}
		case 5:
			return Mem{Base: base, Index: s5, Scale: 1}
		case 6:
			return Mem{Base: base, Index: s3, Scale: 2}
		}
		return Mem{Base: base, Index: s7, Scale: 1}
	}
	bv := make([]VecVirtual, NV)
	for j := range bv {
		bv[j] = v.reg()
	}
	x := v.reg()
	sum := func(mark string, masked bool) {
		Label(name + mark + "_row")
		MOVQ(a, p)
		if MR > 8 {
			LEAQ(Mem{Base: a, Index: ais, Scale: 8}, q)
		}
		MOVQ(f(tK), k)
		Label(name + mark + "_k")
		for j := range bv {
			if MR > 1 || j == last || byChannel {
				from := Mem{Base: b, Disp: bytes * j}
				if masked {
					load(j, from, bv[j])
				} else {
					VMOVUPS(from, bv[j])
				}
			}
		}
		for i := 0; i < MR; i++ {
			if byChannel {
				VFMADD231PS(at(i), bv[0], acc[i])
				continue
			}
			if v.z512 && NV == 1 {
				VFMADD231PS_BCST(at(i), bv[0], acc[i])
				continue
			}
			if MR == 1 { // B is read once
				VBROADCASTSS(at(i), x)
				for j := 0; j < last; j++ {
					VFMADD231PS(Mem{Base: b, Disp: bytes * j}, x, acc[j])
				}
				VFMADD231PS(bv[last], x, acc[last])
				continue
			}
			VBROADCASTSS(at(i), x)
			for j := 0; j < NV; j++ {
				VFMADD231PS(bv[j], x, acc[i*NV+j])
			}
		}
		ADDQ(aks, p)
		if MR > 8 {
			ADDQ(aks, q)
		}
		ADDQ(ldb, b)
		DECQ(k)
		JNZ(LabelRef(name + mark + "_k"))
		ADDQ(f(tArs), a)
		if byChannel {
			ADDQ(f(tBrs), b)
		}
		DECQ(rows)
		JNZ(LabelRef(name + mark + "_row"))

	}
	if v.z512 {
		sum("", true)
	} else { // masked loads and stores take longer
		whole := GP32()
		VMOVMSKPS(vm, whole)
		CMPL(whole, Imm(0xff))
		JNE(LabelRef(name + "_part"))
		sum("", false)
		JMP(LabelRef(name + "_summed"))
		Label(name + "_part")
		sum("_part", true)
		Label(name + "_summed")
	}

	c, ldc, flags := ld(tC), ld(tLdc), ld(tFlags)
	move(c)
	rowwise := func(base, stride GPVirtual) {
		cc := GP64()
		MOVQ(base, cc)
		for i := 0; i < MR; i++ {
			for j := 0; j < NV; j++ {
				load(j, Mem{Base: cc, Disp: bytes * j}, x)
				VADDPS(x, acc[i*NV+j], acc[i*NV+j])
			}
			if i < MR-1 {
				ADDQ(stride, cc)
			}
		}
	}
	rb := ld(tRowBias)
	TESTQ(rb, rb)
	JZ(LabelRef(name + "_norow"))
	for i := 0; i < MR; i++ {
		VBROADCASTSS(Mem{Base: rb, Disp: 4 * i}, x)
		for j := 0; j < NV; j++ {
			VADDPS(x, acc[i*NV+j], acc[i*NV+j])
		}
	}
	Label(name + "_norow")
	BTQ(Imm(0), flags)
	JCC(LabelRef(name + "_noacc"))
	rowwise(c, ldc)
	Label(name + "_noacc")
	res := ld(tRes)
	TESTQ(res, res)
	JZ(LabelRef(name + "_nores"))
	move(res)
	rowwise(res, ld(tLdr))
	Label(name + "_nores")
	BTQ(Imm(1), flags)
	JCC(LabelRef(name + "_norelu"))
	hi := bv[last]
	VBROADCASTSS(f(tLo), x)
	VBROADCASTSS(f(tHi), hi)
	for i := range acc {
		VMAXPS(acc[i], x, acc[i]) // the second operand wins for NaN, so NaN stays
		VMINPS(acc[i], hi, acc[i])
	}
	Label(name + "_norelu")
	store := func(masked bool) {
		cc := GP64()
		MOVQ(c, cc)
		for i := 0; i < MR; i++ {
			for j := 0; j < NV; j++ {
				d := Mem{Base: cc, Disp: bytes * j}
				switch {
				case j != last || !masked:
					VMOVUPS(acc[i*NV+j], d)
				case v.z512:
					VMOVUPS(acc[i*NV+j], km, d)
				default:
					VMASKMOVPS(acc[i*NV+j], vm, d)
				}
			}
			if i < MR-1 {
				ADDQ(ldc, cc)
			}
		}
	}
	if v.z512 {
		store(true)
	} else {
		whole := GP32()
		VMOVMSKPS(vm, whole)
		CMPL(whole, Imm(0xff))
		JNE(LabelRef(name + "_masked"))
		store(false)
		JMP(LabelRef(name + "_stored"))
		Label(name + "_masked")
		store(true)
		Label(name + "_stored")
	}
	if byChannel {
		ADDQ(Imm(uint64(bytes)), f(tOff))
		DECQ(f(tVecs))
		JNZ(LabelRef(name + "_vec"))
	}
	VZEROUPPER()
	RET()
}

func main() {
	ConstraintExpr("amd64")
	for mr := 1; mr <= 14; mr++ {
		tile(vec{n: 16, z512: true}, mr, 2, false)
	}
	for mr := 1; mr <= 16; mr++ {
		tile(vec{n: 16, z512: true}, mr, 1, false)
	}
	for mr := 1; mr <= 6; mr++ {
		tile(vec{n: 8}, mr, 2, false)
	}
	for mr := 1; mr <= 8; mr++ {
		tile(vec{n: 8}, mr, 1, false)
	}
	for mr := 3; mr <= 6; mr++ {
		tile(vec{n: 16, z512: true}, mr, 4, false)
	}
	tile(vec{n: 16, z512: true}, 1, 8, false)
	tile(vec{n: 16, z512: true}, 2, 8, false)
	tile(vec{n: 8}, 2, 4, false)
	tile(vec{n: 8}, 1, 8, false)
	for mr := 1; mr <= 8; mr++ {
		tile(vec{n: 16, z512: true}, mr, 1, true)
		tile(vec{n: 8}, mr, 1, true)
	}
	sparses()
	packRows(vec{n: 16, z512: true}, "avx512")
	packRows(vec{n: 8}, "avx2")
	packEvens(vec{n: 16, z512: true}, "avx512")
	packEvens(vec{n: 8}, "avx2")
	norms(vec{n: 16, z512: true}, "avx512")
	norms(vec{n: 8}, "avx2")
	vectors(vec{n: 16, z512: true}, "avx512")
	vectors(vec{n: 8}, "avx2")
	functions(vec{n: 16, z512: true}, "avx512")
	functions(vec{n: 8}, "avx2")
	reductions(vec{n: 16, z512: true}, "avx512")
	reductions(vec{n: 8}, "avx2")
	panels(vec{n: 16, z512: true}, "avx512")
	panels(vec{n: 8}, "avx2")
	sampled(vec{n: 16, z512: true}, "avx512")
	sampled(vec{n: 8}, "avx2")
	keep(vec{n: 16, z512: true}, "avx512")
	keep(vec{n: 8}, "avx2")
	transpose8()
	Generate()
}
