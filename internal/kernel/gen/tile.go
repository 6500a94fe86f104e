package main

import (
	"fmt"

	"gen/fields"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// tiles writes the micro-kernels of dense products.
func tiles(avx2, avx512 vec) {
	for mr := 1; mr <= 14; mr++ {
		tile(avx512, mr, 2, false)
	}
	for mr := 1; mr <= 16; mr++ {
		tile(avx512, mr, 1, false)
	}
	for mr := 1; mr <= 6; mr++ {
		tile(avx2, mr, 2, false)
	}
	for mr := 1; mr <= 8; mr++ {
		tile(avx2, mr, 1, false)
	}
	for mr := 3; mr <= 6; mr++ {
		tile(avx512, mr, 4, false)
	}
	tile(avx512, 1, 8, false)
	tile(avx512, 2, 8, false)
	tile(avx2, 2, 4, false)
	tile(avx2, 1, 8, false)
	for mr := 1; mr <= 8; mr++ {
		tile(avx512, mr, 1, true)
		tile(avx2, mr, 1, true)
	}
}

// tileWriter holds what the parts of a tile share.
type tileWriter struct {
	vec
	MR, NV        int
	byChannel     bool
	name          string
	t             GPVirtual // *kernel.tile
	last          *tail     // the mask of the last vector of columns
	a, b, rows    GPVirtual
	ais, aks, ldb GPVirtual
	acc           []VecVirtual // MR*NV
	bv            []VecVirtual // NV, a row of B
	x             VecVirtual
}

func (g *tileWriter) field(off int) Mem { return Mem{Base: g.t, Disp: off} }

func (g *tileWriter) get(off int) GPVirtual { r := GP64(); MOVQ(g.field(off), r); return r }

func (g *tileWriter) label(s string) LabelRef { return LabelRef(g.name + s) }

// column is vector j of a row.
func (g *tileWriter) column(base GPVirtual, j int) Mem { return Mem{Base: base, Disp: 4 * g.n * j} }

// read loads vector j of a row; the last is masked.
func (g *tileWriter) read(j int, src Mem, dst VecVirtual) {
	if j == g.NV-1 {
		g.load(g.last, src, dst)
	} else {
		g.load(nil, src, dst)
	}
}

// move takes a pointer to the vector of channels at hand.
func (g *tileWriter) move(p GPVirtual) {
	if g.byChannel {
		ADDQ(g.field(fields.TOff), p)
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
	g := &tileWriter{vec: v, MR: MR, NV: NV, byChannel: byChannel}
	g.begin()
	g.startFromBias()
	g.products()
	c, ldc, flags := g.get(fields.TC), g.get(fields.TLdc), g.get(fields.TFlags)
	g.move(c)
	g.finish(c, ldc, flags)
	g.wholeOrMasked("_masked", "_stored", func(_ string, masked bool) { g.write(c, ldc, masked) })
	if byChannel {
		ADDQ(Imm(uint64(4*v.n)), g.field(fields.TOff))
		DECQ(g.field(fields.TVecs))
		JNZ(g.label("_vec"))
	}
	end()
}

// begin opens the function and loads the strides, the mask and the pointers.
func (g *tileWriter) begin() {
	isa := "avx2"
	if g.z512 {
		isa = "avx512"
	}
	g.name = fmt.Sprintf("tile%s_%dx%d", isa, g.MR, g.NV)
	if g.byChannel {
		g.name = fmt.Sprintf("channels%s_%d", isa, g.MR)
	}
	TEXT(g.name, NOSPLIT, "func(t *byte)")
	Pragma("noescape")
	g.t = Load(Param("t"), GP64()).(GPVirtual)
	g.ais, g.aks, g.ldb = g.get(fields.TAis), g.get(fields.TAks), g.get(fields.TLdb)
	if g.z512 {
		g.last = &tail{k: K()}
	} else {
		g.last = &tail{m: YMM()}
	}
	if g.byChannel { // vectors before the last are whole
		if g.z512 {
			KXNORW(g.last.k, g.last.k, g.last.k)
		} else {
			VPCMPEQD(g.last.m, g.last.m, g.last.m)
		}
		Label(g.name + "_vec")
		CMPQ(g.field(fields.TVecs), Imm(1))
		JNE(g.label("_whole"))
	}
	g.last.read(g.field(fields.TMask))
	Label(g.name + "_whole")
	g.b, g.a, g.rows = g.get(fields.TB), g.get(fields.TA), g.get(fields.TRows)
	g.move(g.a)
	g.move(g.b)
}

// startFromBias sets the sums to the bias of their columns, or to 0.
func (g *tileWriter) startFromBias() {
	g.acc = make([]VecVirtual, g.MR*g.NV)
	for i := range g.acc {
		g.acc[i] = g.reg()
		g.zero(g.acc[i])
	}
	bias := g.get(fields.TBias)
	TESTQ(bias, bias)
	JZ(g.label("_nobias"))
	g.move(bias)
	for j := range g.NV {
		g.read(j, g.column(bias, j), g.acc[j])
		for i := 1; i < g.MR; i++ {
			VMOVAPS(g.acc[j], g.acc[i*g.NV+j])
		}
	}
	Label(g.name + "_nobias")
}

// products adds up all products.
func (g *tileWriter) products() {
	at := rowsOf(min(g.MR, 8), g.ais)
	p, q, k := GP64(), GP64(), GP64()
	g.bv = make([]VecVirtual, g.NV)
	for j := range g.bv {
		g.bv[j] = g.reg()
	}
	g.x = g.reg()
	g.wholeOrMasked("_part", "_summed", func(mark string, masked bool) {
		Label(g.name + mark + "_row")
		MOVQ(g.a, p)
		if g.MR > 8 {
			LEAQ(Mem{Base: g.a, Index: g.ais, Scale: 8}, q)
		}
		MOVQ(g.field(fields.TK), k)
		Label(g.name + mark + "_k")
		g.readB(masked)
		for i := range g.MR {
			base := p
			if i >= 8 {
				base = q
			}
			g.multiply(i, at(base, i%8, 0))
		}
		ADDQ(g.aks, p)
		if g.MR > 8 {
			ADDQ(g.aks, q)
		}
		ADDQ(g.ldb, g.b)
		DECQ(k)
		JNZ(g.label(mark + "_k"))
		ADDQ(g.field(fields.TArs), g.a)
		if g.byChannel {
			ADDQ(g.field(fields.TBrs), g.b)
		}
		DECQ(g.rows)
		JNZ(g.label(mark + "_row"))
	})
}

// readB loads a row of B. For one row of A only its last vector is loaded: the
// others are read once, as they are multiplied.
func (g *tileWriter) readB(masked bool) {
	for j := range g.bv {
		switch {
		case g.MR == 1 && j != g.NV-1 && !g.byChannel:
		case masked:
			g.read(j, g.column(g.b, j), g.bv[j])
		default:
			g.load(nil, g.column(g.b, j), g.bv[j])
		}
	}
}

// multiply adds the products of one value of A (byChannel: one vector) and a row
// of B to the sums of row i.
func (g *tileWriter) multiply(i int, a Mem) {
	last := g.NV - 1
	switch {
	case g.byChannel:
		VFMADD231PS(a, g.bv[0], g.acc[i])
	case g.z512 && g.NV == 1:
		VFMADD231PS_BCST(a, g.bv[0], g.acc[i])
	case g.MR == 1:
		VBROADCASTSS(a, g.x)
		for j := range last {
			VFMADD231PS(g.column(g.b, j), g.x, g.acc[j])
		}
		VFMADD231PS(g.bv[last], g.x, g.acc[last])
	default:
		VBROADCASTSS(a, g.x)
		for j := range g.NV {
			VFMADD231PS(g.bv[j], g.x, g.acc[i*g.NV+j])
		}
	}
}

// wholeOrMasked writes the code for a mask, and for AVX2, whose masked loads and
// stores take longer, also that for a mask that is full.
func (g *tileWriter) wholeOrMasked(part, done string, code func(mark string, masked bool)) {
	if g.z512 {
		code("", true)
		return
	}
	whole := GP32()
	VMOVMSKPS(g.last.m, whole)
	CMPL(whole, Imm(0xff))
	JNE(g.label(part))
	code("", false)
	JMP(g.label(done))
	Label(g.name + part)
	code(part, true)
	Label(g.name + done)
}

// finish adds to the sums what the product is added to, and holds them in bounds.
func (g *tileWriter) finish(c, ldc, flags GPVirtual) {
	rb := g.get(fields.TRowBias)
	TESTQ(rb, rb)
	JZ(g.label("_norow"))
	for i := range g.MR {
		VBROADCASTSS(Mem{Base: rb, Disp: 4 * i}, g.x)
		for j := range g.NV {
			VADDPS(g.x, g.acc[i*g.NV+j], g.acc[i*g.NV+j])
		}
	}
	Label(g.name + "_norow")
	BTQ(Imm(0), flags)
	JCC(g.label("_noacc"))
	g.add(c, ldc)
	Label(g.name + "_noacc")
	res := g.get(fields.TRes)
	TESTQ(res, res)
	JZ(g.label("_nores"))
	g.move(res)
	g.add(res, g.get(fields.TLdr))
	Label(g.name + "_nores")
	BTQ(Imm(1), flags)
	JCC(g.label("_norelu"))
	g.hold(g.acc, g.field(fields.TLo), g.field(fields.THi), g.x, g.bv[g.NV-1])
	Label(g.name + "_norelu")
}

// each visits the vectors of a matrix in the order of the sums.
func (g *tileWriter) each(base, stride GPVirtual, do func(j int, m Mem, acc VecVirtual)) {
	row := GP64()
	MOVQ(base, row)
	for i := range g.MR {
		for j := range g.NV {
			do(j, g.column(row, j), g.acc[i*g.NV+j])
		}
		if i < g.MR-1 {
			ADDQ(stride, row)
		}
	}
}

// add adds a matrix to the sums.
func (g *tileWriter) add(base, stride GPVirtual) {
	g.each(base, stride, func(j int, m Mem, acc VecVirtual) {
		g.read(j, m, g.x)
		VADDPS(g.x, acc, acc)
	})
}

// write stores the sums.
func (g *tileWriter) write(c, ldc GPVirtual, masked bool) {
	g.each(c, ldc, func(j int, m Mem, acc VecVirtual) {
		if masked && j == g.NV-1 {
			g.store(g.last, acc, m)
		} else {
			g.store(nil, acc, m)
		}
	})
}
