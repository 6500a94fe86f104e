package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// Offsets of the fields of kernel.rows.
const (
	rN = 8 * iota
	rC
	rX
	rY
	rR
	rD
	rS
	rQ
	rB
	rM
	rLo
	rHi = rLo + 4
)

// norms are passes over a matrix [N, C] in the order of memory: batch
// normalisation forward and backward. Rows of a few vectors keep what belongs to
// the columns in registers.
func norms(v vec, isa string) {
	v.bnStats(isa)
	v.bnApply(isa)
	v.bnSums(isa)
	v.bnGrad(isa)
}

// normWriter holds what the parts of a pass share.
type normWriter struct {
	vec
	name   string
	t      GPVirtual // *kernel.rows
	last   *tail     // where a row is not made of whole vectors
	lo, hi VecVirtual
}

func (v vec) newNorm(name, isa string) *normWriter {
	g := &normWriter{vec: v, name: name + "_" + isa}
	v.begin(name, isa, "func(r *byte)")
	g.t = gp("r")
	left := GP64()
	MOVQ(g.field(rC), left)
	ANDQ(Imm(uint64(v.n-1)), left)
	g.last = v.tailOf(left)
	return g
}

func (g *normWriter) field(off int) Mem { return Mem{Base: g.t, Disp: off} }

func (g *normWriter) pointer(off int) GPVirtual { r := GP64(); MOVQ(g.field(off), r); return r }

// bounds loads the bounds of the results.
func (g *normWriter) bounds() {
	g.lo, g.hi = g.reg(), g.reg()
	VBROADCASTSS(g.field(rLo), g.lo)
	VBROADCASTSS(g.field(rHi), g.hi)
}

// at is the vector at an offset from a pointer.
func at(base, offset GPVirtual) Mem { return Mem{Base: base, Index: offset, Scale: 1} }

func (g *normWriter) get(t *tail, m Mem) VecVirtual { r := g.reg(); g.load(t, m, r); return r }

// columns are what belongs to the columns of a pass, read from the bases; the
// first sums of them are written back.
type columns struct {
	bases []GPVirtual
	sums  int
}

func (g *normWriter) fetch(c columns, t *tail, col GPVirtual) (regs []VecVirtual) {
	for _, b := range c.bases {
		regs = append(regs, g.get(t, at(b, col)))
	}
	return regs
}

func (g *normWriter) put(c columns, t *tail, regs []VecVirtual, col GPVirtual) {
	for i, r := range regs[:c.sums] {
		g.store(t, r, at(c.bases[i], col))
	}
}

// passBody works on the vector of a row at an offset, and what belongs to its
// columns.
type passBody func(t *tail, offset GPVirtual, cols []VecVirtual)

// rows writes the loops over the rows, by the length of a row, and the returns.
func (g *normWriter) rows(name string, c columns, body passBody) {
	n, offset, col, j := GP64(), GP64(), GP64(), GP64()
	MOVQ(g.field(rN), n)
	XORQ(offset, offset)
	for _, k := range g.resident() {
		g.residentRows(fmt.Sprintf("%s_not%d", name, k), k, c, n, offset, col, body)
	}
	vector := uint64(4 * g.n)
	Label(name + "_row")
	XORQ(col, col)
	MOVQ(g.field(rC), j)
	SUBQ(Imm(uint64(g.n)), j)
	JLT(LabelRef(name + "_rest"))
	Label(name)
	regs := g.fetch(c, nil, col)
	body(nil, offset, regs)
	g.put(c, nil, regs, col)
	ADDQ(Imm(vector), col)
	ADDQ(Imm(vector), offset)
	SUBQ(Imm(uint64(g.n)), j)
	JGE(LabelRef(name))
	Label(name + "_rest")
	ADDQ(Imm(uint64(g.n)), j)
	JZ(LabelRef(name + "_end"))
	regs = g.fetch(c, g.last, col)
	body(g.last, offset, regs)
	g.put(c, g.last, regs, col)
	LEAQ(Mem{Base: offset, Index: j, Scale: 4}, offset)
	Label(name + "_end")
	DECQ(n)
	JNZ(LabelRef(name + "_row"))
	end()
}

// residentRows writes the loop over rows of exactly k whole vectors, whose
// columns stay in registers; others go on at label next.
func (g *normWriter) residentRows(next string, k int, c columns, n, offset, col GPVirtual, body passBody) {
	vector := uint64(4 * g.n)
	CMPQ(g.field(rC), Imm(uint64(k*g.n)))
	JNE(LabelRef(next))
	XORQ(col, col)
	var regs [][]VecVirtual
	for range k {
		regs = append(regs, g.fetch(c, nil, col))
		ADDQ(Imm(vector), col)
	}
	Label(next + "_row")
	for i := range k {
		body(nil, offset, regs[i])
		ADDQ(Imm(vector), offset)
	}
	DECQ(n)
	JNZ(LabelRef(next + "_row"))
	XORQ(col, col)
	for i := range k {
		g.put(c, nil, regs[i], col)
		ADDQ(Imm(vector), col)
	}
	end()
	Label(next)
}

// bnStats: S += X-B, Q += (X-B)^2.
func (v vec) bnStats(isa string) {
	g := v.newNorm("bnstats", isa)
	x, s, q, b := g.pointer(rX), g.pointer(rS), g.pointer(rQ), g.pointer(rB)
	g.rows(g.name, columns{[]GPVirtual{s, q, b}, 2}, func(t *tail, offset GPVirtual, c []VecVirtual) {
		w := g.get(t, at(x, offset))
		VSUBPS(c[2], w, w)
		VADDPS(w, c[0], c[0])
		VFMADD231PS(w, w, c[1])
	})
}

// bnApply: Y = X*S + B (+ R), held between Lo and Hi.
func (v vec) bnApply(isa string) {
	g := v.newNorm("bnapply", isa)
	x, y, r, s, b := g.pointer(rX), g.pointer(rY), g.pointer(rR), g.pointer(rS), g.pointer(rB)
	g.bounds()
	g.either(r, "_r", func(name string, residual bool) {
		g.rows(name, columns{[]GPVirtual{s, b}, 0}, func(t *tail, offset GPVirtual, c []VecVirtual) {
			w := g.get(t, at(x, offset))
			VFMADD213PS(c[1], c[0], w)
			if residual {
				VADDPS(g.get(t, at(r, offset)), w, w)
			}
			VMAXPS(w, g.lo, w)
			VMINPS(w, g.hi, w)
			v.store(t, w, at(y, offset))
		})
	})
}

// either writes the code with an optional matrix, and that without it.
func (g *normWriter) either(optional GPVirtual, with string, f func(name string, given bool)) {
	TESTQ(optional, optional)
	JZ(LabelRef(g.name + "_plain"))
	f(g.name+with, true)
	Label(g.name + "_plain")
	f(g.name+"_p", false)
}

// counted loads D, 0 where Y is given and not between the bounds.
func (g *normWriter) counted(t *tail, d, y, offset GPVirtual, clipped bool) VecVirtual {
	w := g.get(t, at(d, offset))
	if !clipped {
		return w
	}
	u := g.get(t, at(y, offset))
	if g.z512 {
		above, below := K(), K()
		VCMPPS(Imm(1), u, g.lo, above) // lo < y
		VCMPPS(Imm(1), g.hi, u, below) // y < hi
		KANDW(above, below, below)
		VMOVAPS_Z(w, below, w)
		return w
	}
	above := g.reg()
	VCMPPS(Imm(1), u, g.lo, above)
	VCMPPS(Imm(1), g.hi, u, u)
	VANDPS(above, u, u)
	VANDPS(u, w, w)
	return w
}

// bnSums: S += g, Q += g*(X-B); g is what counts of D.
func (v vec) bnSums(isa string) {
	g := v.newNorm("bnsums", isa)
	x, y := g.pointer(rX), g.pointer(rY)
	d, s, q, b := g.pointer(rD), g.pointer(rS), g.pointer(rQ), g.pointer(rB)
	g.bounds()
	g.either(y, "_c", func(name string, clipped bool) {
		g.rows(name, columns{[]GPVirtual{s, q, b}, 2}, func(t *tail, offset GPVirtual, c []VecVirtual) {
			w := g.counted(t, d, y, offset, clipped)
			u := g.get(t, at(x, offset))
			VSUBPS(c[2], u, u)
			VADDPS(w, c[0], c[0])
			VFMADD231PS(u, w, c[1])
		})
	})
}

// bnGrad: R = g*S + (X-M)*Q + B; g is what counts of D.
func (v vec) bnGrad(isa string) {
	g := v.newNorm("bngrad", isa)
	x, y, d, r := g.pointer(rX), g.pointer(rY), g.pointer(rD), g.pointer(rR)
	s, q, b := g.pointer(rS), g.pointer(rQ), g.pointer(rB)
	m := g.pointer(rM)
	g.bounds()
	g.either(y, "_c", func(name string, clipped bool) {
		g.rows(name, columns{[]GPVirtual{s, q, b, m}, 0}, func(t *tail, offset GPVirtual, c []VecVirtual) {
			w := g.counted(t, d, y, offset, clipped)
			u := g.get(t, at(x, offset))
			VSUBPS(c[3], u, u)
			VFMADD213PS(c[2], c[0], w)
			VFMADD231PS(u, c[1], w)
			v.store(t, w, at(r, offset))
		})
	})
}

// resident are the numbers of vectors in a row whose columns' numbers stay in
// registers.
func (v vec) resident() []int {
	if v.z512 {
		return []int{3, 4}
	}
	return []int{2}
}
