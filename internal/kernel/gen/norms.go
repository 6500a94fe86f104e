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
	var name string
	var f func(off int) Mem
	var last *tail // where a row is not made of whole vectors
	begin := func(n string) (load func(off int) GPVirtual) {
		name = n + "_" + isa
		TEXT(name, NOSPLIT, "func(r *byte)")
		Pragma("noescape")
		t := Load(Param("r"), GP64())
		f = func(off int) Mem { return Mem{Base: t, Disp: off} }
		left := GP64()
		MOVQ(f(rC), left)
		ANDQ(Imm(uint64(v.n-1)), left)
		last = v.tailOf(left)
		return func(off int) GPVirtual { r := GP64(); MOVQ(f(off), r); return r }
	}
	bounds := func() (lo, hi VecVirtual) {
		lo, hi = v.reg(), v.reg()
		VBROADCASTSS(f(rLo), lo)
		VBROADCASTSS(f(rHi), hi)
		return lo, hi
	}
	in := func(base, at GPVirtual) Mem { return Mem{Base: base, Index: at, Scale: 1} }
	get := func(t *tail, m Mem) VecVirtual { r := v.reg(); v.load(t, m, r); return r }

	// pass loops over the rows: at is the place of a vector, cols what belongs to
	// its columns, read from the bases, of which the first sums are written back.
	pass := func(name string, bases []GPVirtual, sums int, body func(t *tail, at GPVirtual, cols []VecVirtual)) {
		n, at, col, j := GP64(), GP64(), GP64(), GP64()
		fetch := func(t *tail, col GPVirtual) (regs []VecVirtual) {
			for _, b := range bases {
				regs = append(regs, get(t, in(b, col)))
			}
			return regs
		}
		put := func(t *tail, regs []VecVirtual, col GPVirtual) {
			for i, r := range regs[:sums] {
				v.store(t, r, in(bases[i], col))
			}
		}
		MOVQ(f(rN), n)
		XORQ(at, at)

		// rows of exactly k whole vectors
		for _, k := range v.resident() {
			next := fmt.Sprintf("%s_not%d", name, k)
			CMPQ(f(rC), Imm(uint64(k*v.n)))
			JNE(LabelRef(next))
			XORQ(col, col)
			var regs [][]VecVirtual
			for range k {
				regs = append(regs, fetch(nil, col))
				ADDQ(Imm(uint64(4*v.n)), col)
			}
			Label(next + "_row")
			for i := range k {
				body(nil, at, regs[i])
				ADDQ(Imm(uint64(4*v.n)), at)
			}
			DECQ(n)
			JNZ(LabelRef(next + "_row"))
			XORQ(col, col)
			for i := range k {
				put(nil, regs[i], col)
				ADDQ(Imm(uint64(4*v.n)), col)
			}
			VZEROUPPER()
			RET()
			Label(next)
		}

		Label(name + "_row")
		XORQ(col, col)
		MOVQ(f(rC), j)
		SUBQ(Imm(uint64(v.n)), j)
		JLT(LabelRef(name + "_rest"))
		Label(name)
		regs := fetch(nil, col)
		body(nil, at, regs)
		put(nil, regs, col)
		ADDQ(Imm(uint64(4*v.n)), col)
		ADDQ(Imm(uint64(4*v.n)), at)
		SUBQ(Imm(uint64(v.n)), j)
		JGE(LabelRef(name))
		Label(name + "_rest")
		ADDQ(Imm(uint64(v.n)), j)
		JZ(LabelRef(name + "_end"))
		regs = fetch(last, col)
		body(last, at, regs)
		put(last, regs, col)
		LEAQ(Mem{Base: at, Index: j, Scale: 4}, at)
		Label(name + "_end")
		DECQ(n)
		JNZ(LabelRef(name + "_row"))
		VZEROUPPER()
		RET()
	}

	// stats: S += X-B, Q += (X-B)^2
	load := begin("bnstats")
	x, s, q, b := load(rX), load(rS), load(rQ), load(rB)
	pass(name, []GPVirtual{s, q, b}, 2, func(t *tail, at GPVirtual, c []VecVirtual) {
		w := get(t, in(x, at))
		VSUBPS(c[2], w, w)
		VADDPS(w, c[0], c[0])
		VFMADD231PS(w, w, c[1])
	})

	// apply: Y = X*S + B (+ R), held between Lo and Hi
	load = begin("bnapply")
	x, y, r, s, b := load(rX), load(rY), load(rR), load(rS), load(rB)
	lo, hi := bounds()
	apply := func(name string, res bool) {
		pass(name, []GPVirtual{s, b}, 0, func(t *tail, at GPVirtual, c []VecVirtual) {
			w := get(t, in(x, at))
			VFMADD213PS(c[1], c[0], w)
			if res {
				VADDPS(get(t, in(r, at)), w, w)
			}
			VMAXPS(w, lo, w)
			VMINPS(w, hi, w)
			v.store(t, w, in(y, at))
		})
	}
	TESTQ(r, r)
	JZ(LabelRef(name + "_plain"))
	apply(name+"_r", true)
	Label(name + "_plain")
	apply(name+"_p", false)

	// counted loads D, 0 where Y is given and not between the bounds
	counted := func(t *tail, d, y, at GPVirtual, clipped bool) VecVirtual {
		w := get(t, in(d, at))
		if !clipped {
			return w
		}
		u := get(t, in(y, at))
		if v.z512 {
			above, below := K(), K()
			VCMPPS(Imm(1), u, lo, above) // lo < y
			VCMPPS(Imm(1), hi, u, below) // y < hi
			KANDW(above, below, below)
			VMOVAPS_Z(w, below, w)
			return w
		}
		above := v.reg()
		VCMPPS(Imm(1), u, lo, above)
		VCMPPS(Imm(1), hi, u, u)
		VANDPS(above, u, u)
		VANDPS(u, w, w)
		return w
	}
	either := func(y GPVirtual, f func(name string, clipped bool)) {
		TESTQ(y, y)
		JZ(LabelRef(name + "_plain"))
		f(name+"_c", true)
		Label(name + "_plain")
		f(name+"_p", false)
	}

	// sums: S += g, Q += g*(X-B); g is what counts of D
	load = begin("bnsums")
	x, y = load(rX), load(rY)
	d, s, q, b := load(rD), load(rS), load(rQ), load(rB)
	lo, hi = bounds()
	either(y, func(name string, clipped bool) {
		pass(name, []GPVirtual{s, q, b}, 2, func(t *tail, at GPVirtual, c []VecVirtual) {
			w := counted(t, d, y, at, clipped)
			u := get(t, in(x, at))
			VSUBPS(c[2], u, u)
			VADDPS(w, c[0], c[0])
			VFMADD231PS(u, w, c[1])
		})
	})

	// grad: R = g*S + (X-M)*Q + B; g is what counts of D
	load = begin("bngrad")
	x, y, d, r = load(rX), load(rY), load(rD), load(rR)
	s, q, b = load(rS), load(rQ), load(rB)
	m := load(rM)
	lo, hi = bounds()
	either(y, func(name string, clipped bool) {
		pass(name, []GPVirtual{s, q, b, m}, 0, func(t *tail, at GPVirtual, c []VecVirtual) {
			w := counted(t, d, y, at, clipped)
			u := get(t, in(x, at))
			VSUBPS(c[3], u, u)
			VFMADD213PS(c[2], c[0], w)
			VFMADD231PS(u, c[1], w)
			v.store(t, w, in(r, at))
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
