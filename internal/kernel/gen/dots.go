package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/ir"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// Offsets of the fields of kernel.dotTile; all are eight bytes wide.
const (
	dA = 8 * iota
	dLda
	dK
	dB
	dBNext
	dC
	dBlocks
	dConfig
)

// dotPitch is how many bytes the rows of sums lie apart: two panels of 16 columns.
const dotPitch = 128

// dots writes the products of bytes: C[i][j] = sum over k of A[i*lda+k]*B[k][j], int32 sums of
// unsigned bytes times signed ones. B lies in panels of 16 columns, four values of k of a
// column side by side.
func dots() {
	for mr := 1; mr <= 12; mr++ {
		for panels := 1; panels <= 2; panels++ {
			dotVNNI(mr, panels)
		}
	}
	for mr := 1; mr <= 4; mr++ {
		dotAVX2(mr, true)
		dotAVX2(mr, false)
	}
	for mr := 1; mr <= 6; mr++ {
		dotAVXVNNI(mr)
	}
	for rows := 1; rows <= 2; rows++ {
		for panels := 1; panels <= 2; panels++ {
			dotAMX(rows, panels)
		}
	}
	depthwiseBytes()
	mapBytes()
}

// dpbusd adds four products of unsigned bytes x and signed bytes w to each sum.
func dpbusd(w Op, x, acc VecVirtual) {
	Instruction(&ir.Instruction{Opcode: "VPDPBUSD", Operands: []Op{w, x, acc}, Inputs: []Op{w, x, acc}, Outputs: []Op{acc}})
}

// dotVNNI is mr rows by 16 or 32 columns over dK times four values of k.
func dotVNNI(mr, panels int) {
	name := fmt.Sprintf("dotvnni_%dx%d", mr, panels)
	TEXT(name, NOSPLIT, "func(t *byte)")
	Pragma("noescape")
	t := gp("t")
	get := func(off int) GPVirtual { r := GP64(); MOVQ(Mem{Base: t, Disp: off}, r); return r }
	a, lda, k, b := get(dA), get(dLda), get(dK), get(dB)
	at := rowsOf(min(mr, 8), lda)
	q := GP64()
	if mr > 8 {
		LEAQ(Mem{Base: a, Index: lda, Scale: 8}, q)
	}
	var next GPVirtual
	if panels == 2 {
		next = get(dBNext)
	}
	acc := make([]VecVirtual, mr*panels)
	for i := range acc {
		acc[i] = ZMM()
		VPXORQ(acc[i], acc[i], acc[i])
	}
	w := []VecVirtual{ZMM(), ZMM()}[:panels]
	x := []VecVirtual{ZMM(), ZMM()}
	Label(name + "_k")
	VMOVDQU64(Mem{Base: b}, w[0])
	if panels == 2 {
		VMOVDQU64(Mem{Base: b, Index: next, Scale: 1}, w[1])
	}
	for i := range mr {
		base := a
		if i >= 8 {
			base = q
		}
		v := x[i%2]
		VPBROADCASTD(at(base, i%8, 0), v)
		for p := range panels {
			dpbusd(w[p], v, acc[i*panels+p])
		}
	}
	ADDQ(Imm(4), a)
	if mr > 8 {
		ADDQ(Imm(4), q)
	}
	ADDQ(Imm(64), b)
	DECQ(k)
	JNZ(LabelRef(name + "_k"))
	c := get(dC)
	for i := range mr {
		for p := range panels {
			VMOVDQU64(acc[i*panels+p], Mem{Base: c, Disp: dotPitch*i + 64*p})
		}
	}
	end()
}

// dotAVX2 is mr rows by 16 columns. Where no two products of a pair leave 16 bits (pairs),
// they are added at once; else bytes at even and odd places are widened first.
func dotAVX2(mr int, pairs bool) {
	name := fmt.Sprintf("dotwide_%d", mr)
	if pairs {
		name = fmt.Sprintf("dotpairs_%d", mr)
	}
	TEXT(name, NOSPLIT, "func(t *byte)")
	Pragma("noescape")
	t := gp("t")
	get := func(off int) GPVirtual { r := GP64(); MOVQ(Mem{Base: t, Disp: off}, r); return r }
	a, lda, k, b := get(dA), get(dLda), get(dK), get(dB)
	at := rowsOf(mr, lda)
	acc := make([]VecVirtual, 2*mr)
	for i := range acc {
		acc[i] = YMM()
		VPXOR(acc[i], acc[i], acc[i])
	}
	tmp, fixed := YMM(), YMM() // ones, or the mask of even bytes
	VPCMPEQD(fixed, fixed, fixed)
	if pairs {
		VPSRLW(Imm(15), fixed, fixed)
	} else {
		VPSRLW(Imm(8), fixed, fixed)
	}
	w := []VecVirtual{YMM(), YMM(), YMM(), YMM()} // of both vectors of columns: even, odd
	x, odd := YMM(), tmp
	Label(name + "_k")
	for p := range 2 {
		if pairs {
			VMOVDQU(Mem{Base: b, Disp: 32 * p}, w[p])
			continue
		}
		VMOVDQU(Mem{Base: b, Disp: 32 * p}, w[2*p+1])
		VPSLLW(Imm(8), w[2*p+1], w[2*p])
		VPSRAW(Imm(8), w[2*p], w[2*p])
		VPSRAW(Imm(8), w[2*p+1], w[2*p+1])
	}
	for i := range mr {
		VPBROADCASTD(at(a, i, 0), x)
		if pairs {
			for p := range 2 {
				VPMADDUBSW(w[p], x, tmp)
				VPMADDWD(fixed, tmp, tmp)
				VPADDD(tmp, acc[2*i+p], acc[2*i+p])
			}
			continue
		}
		for half := range 2 {
			for p := range 2 {
				if half == 0 {
					VPAND(fixed, x, odd)
				} else {
					VPSRLW(Imm(8), x, odd)
				}
				VPMADDWD(w[2*p+half], odd, odd)
				VPADDD(odd, acc[2*i+p], acc[2*i+p])
			}
		}
	}
	ADDQ(Imm(4), a)
	ADDQ(Imm(64), b)
	DECQ(k)
	JNZ(LabelRef(name + "_k"))
	c := get(dC)
	for i := range mr {
		for p := range 2 {
			VMOVDQU(acc[2*i+p], Mem{Base: c, Disp: dotPitch*i + 32*p})
		}
	}
	end()
}

// raw writes the bytes of an instruction that the assembler does not know.
func raw(bs ...byte) {
	for _, b := range bs {
		Instruction(&ir.Instruction{Opcode: "BYTE", Operands: []Op{U8(b)}})
	}
}

// dotAVXVNNI is mr rows by 16 columns for CPUs that have the instruction without AVX-512,
// in the encoding of AVX: acc in Y0 to Y11, w in Y12 and Y13, x in Y14.
func dotAVXVNNI(mr int) {
	name := fmt.Sprintf("dotavxvnni_%d", mr)
	TEXT(name, NOSPLIT, "func(t *byte)")
	Pragma("noescape")
	Load(Param("t"), RDI)
	MOVQ(Mem{Base: RDI, Disp: dA}, RAX)
	MOVQ(Mem{Base: RDI, Disp: dLda}, RCX)
	MOVQ(Mem{Base: RDI, Disp: dK}, RDX)
	MOVQ(Mem{Base: RDI, Disp: dB}, RBX)
	MOVQ(Mem{Base: RDI, Disp: dC}, RDI)
	LEAQ(Mem{Base: RCX, Index: RCX, Scale: 2}, RSI)
	LEAQ(Mem{Base: RCX, Index: RCX, Scale: 4}, R8)
	y := []VecPhysical{Y0, Y1, Y2, Y3, Y4, Y5, Y6, Y7, Y8, Y9, Y10, Y11, Y12, Y13, Y14}
	for i := range 2 * mr {
		VPXOR(y[i], y[i], y[i])
	}
	row := []Mem{{Base: RAX}, {Base: RAX, Index: RCX, Scale: 1}, {Base: RAX, Index: RCX, Scale: 2}, {Base: RAX, Index: RSI, Scale: 1}, {Base: RAX, Index: RCX, Scale: 4}, {Base: RAX, Index: R8, Scale: 1}}
	Label(name + "_k")
	VMOVDQU(Mem{Base: RBX}, Y12)
	VMOVDQU(Mem{Base: RBX, Disp: 32}, Y13)
	for i := range mr {
		VPBROADCASTD(row[i], Y14)
		for p := range 2 {
			d, w, x := byte(2*i+p), byte(12+p), byte(14)
			// VEX.256.66.0F38.W0 50 /r
			raw(0xc4, 0x02|^(d>>3)<<7&0x80|0x40|^(w>>3)<<5&0x20, ^x&15<<3|0x05, 0x50, 0xc0|d&7<<3|w&7)
		}
	}
	ADDQ(Imm(4), RAX)
	ADDQ(Imm(64), RBX)
	DECQ(RDX)
	JNZ(LabelRef(name + "_k"))
	for i := range mr {
		for p := range 2 {
			VMOVDQU(y[2*i+p], Mem{Base: RDI, Disp: dotPitch*i + 32*p})
		}
	}
	end()
}

// Registers of dotAMX by their numbers.
const (
	rax = iota
	rcx
	rdx
	rbx
	_
	_
	rsi
	rdi
	r8
	r9
)

// tileMemory writes a load (0x7b) or a store (0x7a) of a tile at base+index.
func tileMemory(way, t, base, index byte) {
	raw(0xc4, 0x02|0x80|^(index>>3)<<6&0x40|^(base>>3)<<5&0x20, way, 0x4b, 0x04|t<<3, index&7<<3|base&7)
}

// dotAMX is dBlocks times 16 or 32 rows by 16 or 32 columns over dK times 64 values of k, in
// tiles: sums in 0 to 3, A in 4 and 5, B in 6 and 7. dConfig is the shape of the tiles.
func dotAMX(rows, panels int) {
	name := fmt.Sprintf("dotamx_%dx%d", rows, panels)
	TEXT(name, NOSPLIT, "func(t *byte)")
	Pragma("noescape")
	Load(Param("t"), R10)
	MOVQ(Mem{Base: R10, Disp: dConfig}, RAX)
	raw(0xc4, 0xe2, 0x78, 0x49, 0x00) // LDTILECFG (AX)
	MOVQ(Mem{Base: R10, Disp: dA}, RAX)
	MOVQ(Mem{Base: R10, Disp: dLda}, RCX)
	MOVQ(Mem{Base: R10, Disp: dC}, RDI)
	MOVQ(Mem{Base: R10, Disp: dBlocks}, R11)
	MOVQ(RCX, RBX)
	SHLQ(Imm(4), RBX) // 16 rows
	MOVQ(U32(64), R8)
	MOVQ(U32(dotPitch), R9)
	Label(name + "_block")
	MOVQ(RAX, R12)
	MOVQ(Mem{Base: R10, Disp: dB}, RDX)
	MOVQ(Mem{Base: R10, Disp: dK}, R13)
	LEAQ(Mem{Base: RAX, Index: RBX, Scale: 1}, RSI)
	for i := range rows {
		for p := range panels {
			raw(0xc4, 0xe2, 0x7b, 0x49, 0xc0|byte(2*i+p)<<3) // TILEZERO
		}
	}
	if panels == 2 {
		MOVQ(Mem{Base: R10, Disp: dBNext}, R14)
		ADDQ(RDX, R14)
	}
	Label(name + "_k")
	tileMemory(0x7b, 6, rdx, r8)
	tileMemory(0x7b, 4, rax, rcx)
	product := func(i, p int) { // TDPBUSD
		raw(0xc4, 0xe2, ^byte(6+p)&15<<3|1, 0x5e, 0xc0|byte(2*i+p)<<3|byte(4+i))
	}
	if panels == 2 {
		tileMemory(0x7b, 7, 14, r8)
	}
	product(0, 0)
	if rows == 2 {
		tileMemory(0x7b, 5, rsi, rcx)
	}
	for i := range rows {
		for p := range panels {
			if i+p > 0 {
				product(i, p)
			}
		}
	}
	ADDQ(Imm(64), RAX)
	ADDQ(Imm(64), RSI)
	ADDQ(U32(1024), RDX)
	if panels == 2 {
		ADDQ(U32(1024), R14)
	}
	DECQ(R13)
	JNZ(LabelRef(name + "_k"))
	for i := range rows {
		for p := range panels {
			LEAQ(Mem{Base: RDI, Disp: 16*dotPitch*i + 64*p}, RDX)
			tileMemory(0x7a, byte(2*i+p), rdx, r9)
		}
	}
	ADDQ(U32(uint32(16*dotPitch*rows)), RDI)
	LEAQ(Mem{Base: R12, Index: RBX, Scale: uint8(rows)}, RAX)
	DECQ(R11)
	JNZ(LabelRef(name + "_block"))
	raw(0xc4, 0xe2, 0x78, 0x49, 0xc0) // TILERELEASE
	end()
}
