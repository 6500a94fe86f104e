package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// Offsets of the fields of kernel.sparseTile; all are eight bytes wide.
const (
	sEntries = 8 * iota
	sCounts
	sRows
	sX
	sXRow
	sY
	sYRow
	sYPlane
	sBias
	sRes
	sFlags
	sMask
	sLo
)

// sparse: for each sparse row o of a matrix, R rows r of NV vectors of places p:
// y[o*yplane+r*yrow+p] = bias[o] + sum over the entries of o of
// value*x[offset+r*xrow+p], plus the residual, held in bounds (flag 2). With flag
// 1 the sum goes on from what y holds. The last vector is masked where it is
// stored. B rows o share their entries: an offset and a value for each. Where there
// are few accumulators, neighbouring entries have their own, so that none waits.
func sparse(v vec, B, R, NV int) {
	isa := "avx2"
	switch {
	case v.z512:
		isa = "avx512"
	case v.k:
		isa = "avx512y"
	case v.n == 4:
		isa = "avx2x"
	}
	name := fmt.Sprintf("sparse%s_%dx%d", isa, R, NV)
	if B > 1 {
		name = fmt.Sprintf("sparse%d%s_%dx%d", B, isa, R, NV)
	}
	TEXT(name, NOSPLIT, "func(t *byte)")
	Pragma("noescape")
	t := Load(Param("t"), GP64())
	f := func(off int) Mem { return Mem{Base: t, Disp: off} }
	ld := func(off int) GPVirtual { r := GP64(); MOVQ(f(off), r); return r }
	e, x, y := ld(sEntries), ld(sX), ld(sY)
	bytes := v.n * 4
	// what moves on from row to row, out of sight of the garbage collector
	frame := AllocLocal(32)
	local := func(i int) Mem { return frame.Offset(8 * i) }
	bias, counts, res, rows := local(0), local(1), local(2), local(3)
	for _, m := range []struct {
		off int
		to  Mem
	}{{sBias, bias}, {sCounts, counts}, {sRes, res}, {sRows, rows}} {
		MOVQ(ld(m.off), m.to)
	}
	get := func(m Mem) GPVirtual { r := GP64(); MOVQ(m, r); return r }
	last := mask(v, f(sMask))

	n := R * NV // accumulators of a row o
	regs := func(n int) []VecVirtual {
		r := make([]VecVirtual, n)
		for i := range r {
			r[i] = v.reg()
		}
		return r
	}
	acc := regs(B * n)
	sums := [4][]VecVirtual{acc, acc, acc, acc} // of the entries by their number modulo 4
	var parts [][]VecVirtual                    // those that are not acc
	if B == 1 && n <= 4 {
		parts = append(parts, regs(n))
		sums[1], sums[3] = parts[0], parts[0]
		if n <= 2 {
			parts = append(parts, regs(n), regs(n))
			sums[2], sums[3] = parts[1], parts[2]
		}
	}
	at := rowsOf(R, f(sXRow))
	w, tmp := v.reg(), v.reg()
	k, p := GP64(), GP64()
	load := func(j int, src Mem, dst VecVirtual) {
		if j != NV-1 {
			VMOVUPS(src, dst)
		} else {
			last.load(src, dst)
		}
	}
	q, plane := GP64(), GP64()
	// walk goes through the places of the accumulators in y or the residual
	walk := func(base Op, do func(i, j int, m Mem)) {
		MOVQ(base, q)
		if B > 1 {
			MOVQ(q, plane)
		}
		for o := range B {
			for r := range R {
				for j := range NV {
					do(o*n+r*NV+j, j, Mem{Base: q, Disp: bytes * j})
				}
				if r < R-1 {
					ADDQ(f(sYRow), q)
				}
			}
			if o < B-1 {
				ADDQ(f(sYPlane), plane)
				MOVQ(plane, q)
			}
		}
	}
	entry := func(acc []VecVirtual) {
		ADDQ(x, p)
		for i := range n {
			VFMADD231PS(at(p, i/NV, bytes*(i%NV)), w, acc[i])
		}
	}
	Label(name + "_o")
	flags := ld(sFlags)
	BTQ(Imm(0), flags)
	JCC(LabelRef(name + "_new"))
	walk(y, func(i, j int, m Mem) { load(j, m, acc[i]) })
	JMP(LabelRef(name + "_begin"))
	Label(name + "_new")
	b := get(bias)
	TESTQ(b, b)
	JZ(LabelRef(name + "_nobias"))
	for o := range B {
		VBROADCASTSS(Mem{Base: b, Disp: 4 * o}, acc[o*n])
		for i := 1; i < n; i++ {
			VMOVAPS(acc[o*n], acc[o*n+i])
		}
	}
	ADDQ(Imm(uint64(4*B)), bias)
	JMP(LabelRef(name + "_begin"))
	Label(name + "_nobias")
	for i := range acc {
		v.zero(acc[i])
	}
	Label(name + "_begin")
	MOVLQSX(Mem{Base: get(counts)}, k)
	ADDQ(Imm(4), counts)
	if B > 1 {
		xs := regs(n)
		TESTQ(k, k)
		JZ(LabelRef(name + "_sum"))
		Label(name + "_k")
		MOVLQSX(Mem{Base: e}, p)
		ADDQ(x, p)
		for i := range xs {
			VMOVUPS(at(p, i/NV, bytes*(i%NV)), xs[i])
		}
		for o := range B {
			VBROADCASTSS(Mem{Base: e, Disp: 4 + 4*o}, w)
			for i := range xs {
				VFMADD231PS(xs[i], w, acc[o*n+i])
			}
		}
		ADDQ(Imm(uint64(4+4*B)), e)
		DECQ(k)
		JNZ(LabelRef(name + "_k"))
	} else {
		for _, a := range parts {
			for i := range a {
				v.zero(a[i])
			}
		}
		SUBQ(Imm(4), k)
		JL(LabelRef(name + "_ones"))
		Label(name + "_k")
		pair, four := GP64(), v.reg()
		switch {
		case v.z512:
			VBROADCASTF32X4(Mem{Base: e, Disp: 16}, four)
		case v.n == 8:
			VBROADCASTF128(Mem{Base: e, Disp: 16}, four)
		default:
			VMOVUPS(Mem{Base: e, Disp: 16}, four)
		}
		for i := range 4 {
			switch i % 2 {
			case 0:
				MOVQ(Mem{Base: e, Disp: 4 * i}, pair)
				MOVL(pair.As32(), p.As32())
			case 1:
				SHRQ(Imm(32), pair)
				MOVQ(pair, p)
			}
			VPERMILPS(Imm(uint64(0x55*i)), four, w)
			entry(sums[i])
		}
		ADDQ(Imm(32), e)
		SUBQ(Imm(4), k)
		JGE(LabelRef(name + "_k"))
		Label(name + "_ones")
		ADDQ(Imm(4), k)
		JZ(LabelRef(name + "_sum"))
		Label(name + "_one")
		MOVL(Mem{Base: e}, p.As32())
		VBROADCASTSS(Mem{Base: e, Disp: 4}, w)
		entry(acc)
		ADDQ(Imm(8), e)
		DECQ(k)
		JNZ(LabelRef(name + "_one"))
	}
	Label(name + "_sum")
	for _, a := range parts {
		for i := range acc {
			VADDPS(a[i], acc[i], acc[i])
		}
	}
	rp := get(res)
	TESTQ(rp, rp)
	JZ(LabelRef(name + "_nores"))
	walk(res, func(i, j int, m Mem) {
		load(j, m, tmp)
		VADDPS(tmp, acc[i], acc[i])
	})
	step := ld(sYPlane)
	for range B {
		ADDQ(step, res)
	}
	Label(name + "_nores")
	flags = ld(sFlags)
	BTQ(Imm(1), flags)
	JCC(LabelRef(name + "_noclip"))
	VBROADCASTSS(f(sLo), tmp)
	VBROADCASTSS(f(sLo+4), w)
	for i := range acc {
		VMAXPS(acc[i], tmp, acc[i]) // the second operand wins for NaN, so NaN stays
		VMINPS(acc[i], w, acc[i])
	}
	Label(name + "_noclip")
	store := func(i, _ int, m Mem) { VMOVUPS(acc[i], m) }
	if !v.k { // stores by the masks of AVX2 take long on some processors
		VMOVMSKPS(last.m, flags.As32())
		CMPL(flags.As32(), Imm(1<<v.n-1))
		JNE(LabelRef(name + "_part"))
		walk(y, store)
		JMP(LabelRef(name + "_next"))
		Label(name + "_part")
	}
	walk(y, func(i, j int, m Mem) {
		if j != NV-1 {
			store(i, j, m)
		} else {
			last.store(acc[i], m)
		}
	})
	Label(name + "_next")
	step = ld(sYPlane)
	for range B {
		ADDQ(step, y)
	}
	DECQ(rows)
	JNZ(LabelRef(name + "_o"))
	VZEROUPPER()
	RET()
}

// sparses writes the sparse micro-kernels: eight accumulators, or with four rows
// that share their entries, as many as there are registers for. For one place,
// narrow vectors seldom lie across lines of the cache.
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

// partial is the mask of a vector, in the form that the registers have.
type partial struct {
	k OpmaskVirtual
	m VecVirtual
}

func mask(v vec, at Mem) (p partial) {
	if v.k {
		m := GP32()
		MOVL(at, m)
		p.k = K()
		KMOVW(m, p.k)
		return p
	}
	m := GP64()
	MOVQ(at, m)
	p.m = v.reg()
	VMOVDQU(Mem{Base: m}, p.m)
	return p
}

func (p partial) load(src Mem, dst VecVirtual) {
	if p.k != nil {
		VMOVUPS_Z(src, p.k, dst)
	} else {
		VMASKMOVPS(src, p.m, dst)
	}
}

func (p partial) store(src VecVirtual, dst Mem) {
	if p.k != nil {
		VMOVUPS(src, p.k, dst)
	} else {
		VMASKMOVPS(src, p.m, dst)
	}
}

// rowsOf gives the places of up to 8 rows that are xrow bytes apart.
func rowsOf(R int, xrow Mem) func(base GPVirtual, r, disp int) Mem {
	xr := GP64()
	if R > 1 {
		MOVQ(xrow, xr)
	}
	s3, s5, s7 := GP64(), GP64(), GP64()
	if R > 3 {
		LEAQ(Mem{Base: xr, Index: xr, Scale: 2}, s3)
	}
	if R > 5 {
		LEAQ(Mem{Base: xr, Index: xr, Scale: 4}, s5)
	}
	if R > 7 {
		LEAQ(Mem{Base: s3, Index: xr, Scale: 4}, s7)
	}
	return func(base GPVirtual, r, disp int) Mem {
		m := Mem{Base: base, Disp: disp}
		switch r {
		case 1, 2, 4:
			m.Index, m.Scale = xr, uint8(r)
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
