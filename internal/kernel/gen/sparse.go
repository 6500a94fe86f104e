package main

import (
	"fmt"

	"gen/fields"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// sparse: for each sparse row o of a matrix, R rows r of NV vectors of places p:
// y[o*yplane+r*yrow+p] = bias[o] + sum over the entries of o of
// value*x[offset+r*xrow+p], plus the residual, held in bounds (flag 2). With flag
// 1 the sum starts from what y holds. The last vector is masked where it is
// stored. B rows o share their entries: an offset and a value for each. Where there
// are few accumulators, neighbouring entries have their own, so that none waits.
func sparse(v vec, B, R, NV int) {
	g := newSparse(v, B, R, NV)
	Label(g.name + "_o")
	g.start()
	if B > 1 {
		g.sharedEntries()
	} else {
		g.entries()
	}
	g.finish()
	g.write()
	g.down(g.y)
	DECQ(g.rows)
	JNZ(g.label("_o"))
	end()
}

// sparseWriter holds what the parts of a sparse micro-kernel share.
type sparseWriter struct {
	vec
	B, R, NV int
	per      int // accumulators of a row o: R*NV
	name     string
	t        GPVirtual // *kernel.sparseTile
	last     *tail     // the mask of the last vector
	e, x, y  GPVirtual
	// what moves on from row to row, out of sight of the garbage collector
	bias, counts, res, rows Mem
	acc                     []VecVirtual
	sums                    [4][]VecVirtual // where entries are added, by their number modulo 4
	parts                   [][]VecVirtual  // those of sums that are not acc
	at                      func(base GPVirtual, r, disp int) Mem
	w, tmp                  VecVirtual
	left, p, q, plane       GPVirtual
}

func (g *sparseWriter) field(off int) Mem { return Mem{Base: g.t, Disp: off} }

func (g *sparseWriter) get(m Mem) GPVirtual { r := GP64(); MOVQ(m, r); return r }

func (g *sparseWriter) label(s string) LabelRef { return LabelRef(g.name + s) }

func (g *sparseWriter) regs(n int) []VecVirtual {
	r := make([]VecVirtual, n)
	for i := range r {
		r[i] = g.reg()
	}
	return r
}

// newSparse opens the function and shares the registers out.
func newSparse(v vec, B, R, NV int) *sparseWriter {
	isa := "avx2"
	switch {
	case v.z512:
		isa = "avx512"
	case v.k:
		isa = "avx512y"
	case v.n == 4:
		isa = "avx2x"
	}
	g := &sparseWriter{vec: v, B: B, R: R, NV: NV, per: R * NV, name: fmt.Sprintf("sparse%s_%dx%d", isa, R, NV)}
	if B > 1 {
		g.name = fmt.Sprintf("sparse%d%s_%dx%d", B, isa, R, NV)
	}
	TEXT(g.name, NOSPLIT, "func(t *byte)")
	Pragma("noescape")
	g.t = Load(Param("t"), GP64()).(GPVirtual)
	g.e, g.x, g.y = g.get(g.field(fields.SEntries)), g.get(g.field(fields.SX)), g.get(g.field(fields.SY))
	frame := AllocLocal(32)
	for i, m := range []struct {
		off int
		to  *Mem
	}{{fields.SBias, &g.bias}, {fields.SCounts, &g.counts}, {fields.SRes, &g.res}, {fields.SRows, &g.rows}} {
		*m.to = frame.Offset(8 * i)
		MOVQ(g.get(g.field(m.off)), *m.to)
	}
	g.last = v.maskAt(g.field(fields.SMask))
	g.acc = g.regs(B * g.per)
	g.sums = [4][]VecVirtual{g.acc, g.acc, g.acc, g.acc}
	if B == 1 && g.per <= 4 {
		g.parts = append(g.parts, g.regs(g.per))
		g.sums[1], g.sums[3] = g.parts[0], g.parts[0]
		if g.per <= 2 {
			g.parts = append(g.parts, g.regs(g.per), g.regs(g.per))
			g.sums[2], g.sums[3] = g.parts[1], g.parts[2]
		}
	}
	stride := GP64()
	if R > 1 {
		MOVQ(g.field(fields.SXRow), stride)
	}
	g.at = rowsOf(R, stride)
	g.w, g.tmp = v.reg(), v.reg()
	g.left, g.p = GP64(), GP64()
	g.q, g.plane = GP64(), GP64()
	return g
}

// read loads vector j of a row; the last is masked.
func (g *sparseWriter) read(j int, src Mem, dst VecVirtual) {
	if j != g.NV-1 {
		g.load(nil, src, dst)
	} else {
		g.load(g.last, src, dst)
	}
}

// walk visits the places of the accumulators in y or the residual.
func (g *sparseWriter) walk(base Op, do func(i, j int, m Mem)) {
	MOVQ(base, g.q)
	if g.B > 1 {
		MOVQ(g.q, g.plane)
	}
	for o := range g.B {
		for r := range g.R {
			for j := range g.NV {
				do(o*g.per+r*g.NV+j, j, Mem{Base: g.q, Disp: 4 * g.n * j})
			}
			if r < g.R-1 {
				ADDQ(g.field(fields.SYRow), g.q)
			}
		}
		if o < g.B-1 {
			ADDQ(g.field(fields.SYPlane), g.plane)
			MOVQ(g.plane, g.q)
		}
	}
}

// down moves a pointer on by B rows o.
func (g *sparseWriter) down(p Op) {
	step := g.get(g.field(fields.SYPlane))
	for range g.B {
		ADDQ(step, p)
	}
}

// place is where accumulator i of a row o reads x.
func (g *sparseWriter) place(i int) Mem { return g.at(g.p, i/g.NV, 4*g.n*(i%g.NV)) }

// start sets the accumulators to what y holds, the bias or 0, and left to the
// number of entries.
func (g *sparseWriter) start() {
	flags := g.get(g.field(fields.SFlags))
	BTQ(Imm(0), flags)
	JCC(g.label("_new"))
	g.walk(g.y, func(i, j int, m Mem) { g.read(j, m, g.acc[i]) })
	JMP(g.label("_begin"))
	Label(g.name + "_new")
	b := g.get(g.bias)
	TESTQ(b, b)
	JZ(g.label("_nobias"))
	for o := range g.B {
		VBROADCASTSS(Mem{Base: b, Disp: 4 * o}, g.acc[o*g.per])
		for i := 1; i < g.per; i++ {
			VMOVAPS(g.acc[o*g.per], g.acc[o*g.per+i])
		}
	}
	ADDQ(Imm(uint64(4*g.B)), g.bias)
	JMP(g.label("_begin"))
	Label(g.name + "_nobias")
	for i := range g.acc {
		g.zero(g.acc[i])
	}
	Label(g.name + "_begin")
	MOVLQSX(Mem{Base: g.get(g.counts)}, g.left)
	ADDQ(Imm(4), g.counts)
}

// sharedEntries adds up the entries that B rows share.
func (g *sparseWriter) sharedEntries() {
	xs := g.regs(g.per)
	TESTQ(g.left, g.left)
	JZ(g.label("_sum"))
	Label(g.name + "_k")
	MOVLQSX(Mem{Base: g.e}, g.p)
	ADDQ(g.x, g.p)
	for i := range xs {
		VMOVUPS(g.place(i), xs[i])
	}
	for o := range g.B {
		VBROADCASTSS(Mem{Base: g.e, Disp: 4 + 4*o}, g.w)
		for i := range xs {
			VFMADD231PS(xs[i], g.w, g.acc[o*g.per+i])
		}
	}
	ADDQ(Imm(uint64(4+4*g.B)), g.e)
	DECQ(g.left)
	JNZ(g.label("_k"))
}

// entries adds up the entries of one row, four at a time, then those left.
func (g *sparseWriter) entries() {
	for _, a := range g.parts {
		for i := range a {
			g.zero(a[i])
		}
	}
	SUBQ(Imm(4), g.left)
	JL(g.label("_ones"))
	Label(g.name + "_k")
	g.fourEntries()
	SUBQ(Imm(4), g.left)
	JGE(g.label("_k"))
	Label(g.name + "_ones")
	ADDQ(Imm(4), g.left)
	JZ(g.label("_sum"))
	Label(g.name + "_one")
	MOVL(Mem{Base: g.e}, g.p.As32())
	VBROADCASTSS(Mem{Base: g.e, Disp: 4}, g.w)
	g.entry(g.acc)
	ADDQ(Imm(8), g.e)
	DECQ(g.left)
	JNZ(g.label("_one"))
}

// fourEntries adds up a block: four offsets, then four values.
func (g *sparseWriter) fourEntries() {
	pair, four := GP64(), g.reg()
	values := Mem{Base: g.e, Disp: 16}
	switch {
	case g.z512:
		VBROADCASTF32X4(values, four)
	case g.n == 8:
		VBROADCASTF128(values, four)
	default:
		VMOVUPS(values, four)
	}
	for i := range 4 {
		switch i % 2 {
		case 0:
			MOVQ(Mem{Base: g.e, Disp: 4 * i}, pair)
			MOVL(pair.As32(), g.p.As32())
		case 1:
			SHRQ(Imm(32), pair)
			MOVQ(pair, g.p)
		}
		VPERMILPS(Imm(uint64(0x55*i)), four, g.w)
		g.entry(g.sums[i])
	}
	ADDQ(Imm(32), g.e)
}

// entry adds w times the places at offset p of x.
func (g *sparseWriter) entry(acc []VecVirtual) {
	ADDQ(g.x, g.p)
	for i := range g.per {
		VFMADD231PS(g.place(i), g.w, acc[i])
	}
}

// finish adds the partial sums and the residual.
func (g *sparseWriter) finish() {
	Label(g.name + "_sum")
	for _, a := range g.parts {
		for i := range g.acc {
			VADDPS(a[i], g.acc[i], g.acc[i])
		}
	}
	rp := g.get(g.res)
	TESTQ(rp, rp)
	JZ(g.label("_nores"))
	g.walk(g.res, func(i, j int, m Mem) {
		g.read(j, m, g.tmp)
		VADDPS(g.tmp, g.acc[i], g.acc[i])
	})
	g.down(g.res)
	Label(g.name + "_nores")
}

// write holds the sums in bounds and stores them.
func (g *sparseWriter) write() {
	flags := g.get(g.field(fields.SFlags))
	BTQ(Imm(1), flags)
	JCC(g.label("_noclip"))
	g.hold(g.acc, g.field(fields.SLo), g.field(fields.SLo+4), g.tmp, g.w)
	Label(g.name + "_noclip")
	whole := func(i, _ int, m Mem) { g.store(nil, g.acc[i], m) }
	if !g.k { // stores by the masks of AVX2 take long on some processors
		VMOVMSKPS(g.last.m, flags.As32())
		CMPL(flags.As32(), Imm(1<<g.n-1))
		JNE(g.label("_part"))
		g.walk(g.y, whole)
		JMP(g.label("_next"))
		Label(g.name + "_part")
	}
	g.walk(g.y, func(i, j int, m Mem) {
		if j != g.NV-1 {
			whole(i, j, m)
		} else {
			g.store(g.last, g.acc[i], m)
		}
	})
	Label(g.name + "_next")
}

// sparses writes the sparse micro-kernels: eight accumulators, or with four rows
// that share their entries, as many as the registers hold. For one place,
// narrow vectors seldom straddle lines of the cache.
func sparses() {
	sparse(vec{4, false, false}, 1, 1, 1)
	for _, v := range []vec{{16, true, true}, {8, false, true}, {8, false, false}} {
		most := 4
		if !v.k {
			most = 2
		}
		for r := 1; r <= 8; r++ {
			for nv := 1; r*nv <= 8; nv++ {
				sparse(v, 1, r, nv)
				if r*nv <= most {
					sparse(v, 4, r, nv)
				}
			}
		}
	}
}
