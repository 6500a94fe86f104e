package main

import (
	"fmt"

	"gen/fields"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// attention writes what attention reads of a kernel.KVCache: the products of keys with 1 to 4
// queries, and the sums of values by 1 to 4 rows of weights, both for float32 and float16.
func attention(v vec, isa string) {
	v.toHalf(isa)
	for _, half := range []bool{false, true} {
		g := attentionWriter{vec: v, half: half}
		name := map[bool]string{false: "float", true: "half"}[half]
		for g.R = 1; g.R <= 4; g.R++ {
			g.keys(fmt.Sprintf("keys%s%d", name, g.R), isa)
			for _, vectors := range []int{1, 4} {
				if vectors*16 > 2*v.n && !v.z512 { // more sums than registers
					continue
				}
				g.values(fmt.Sprintf("values%s%dx%d", name, vectors*16, g.R), isa, vectors*16/v.n)
			}
		}
	}
}

// attentionWriter holds what the parts of a kernel share: R rows of x are multiplied.
type attentionWriter struct {
	vec
	half bool
	R    int
	t    GPVirtual
}

func (g *attentionWriter) get(off int) GPVirtual {
	r := GP64()
	MOVQ(Mem{Base: g.t, Disp: off}, r)
	return r
}

// size is how many bytes a number of the cache takes.
func (g *attentionWriter) size() int {
	if g.half {
		return 2
	}
	return 4
}

// read gives a vector of the cache as floats.
func (g *attentionWriter) read(m Mem) VecVirtual {
	w := g.reg()
	if g.half {
		VCVTPH2PS(m, w)
	} else {
		VMOVUPS(m, w)
	}
	return w
}

// keys are, for each of Rows panels of 16 positions and of R rows of x, the inner products
// y[16*panel+i] = sum over Dim of data[panel][e][i]*x[e].
func (g *attentionWriter) keys(name, isa string) {
	g.begin(name, isa, "func(t *byte)")
	g.t = gp("t")
	data, panels, stride := g.get(fields.AData), g.get(fields.ARows), g.get(fields.AXRow)
	y, ldy := g.get(fields.AY), g.get(fields.AYRow)
	x, left, q := GP64(), GP64(), GP64()
	at := rowsOf(g.R, stride)
	halves := 16 / g.n
	turns := 1 // sums that take turns, so that none waits for the last
	for turns*g.R*halves < 8 && turns < 4 {
		turns *= 2
	}
	Label(name + "_panel")
	sums := make([][]VecVirtual, turns)
	for i := range sums {
		sums[i] = g.zeros(g.R * halves)
	}
	MOVQ(Mem{Base: g.t, Disp: fields.AX}, x)
	MOVQ(Mem{Base: g.t, Disp: fields.ADim}, left)
	step := func(turn int) {
		w := make([]VecVirtual, halves)
		for h := range w {
			w[h] = g.read(Mem{Base: data, Disp: g.size() * (16*turn + g.n*h)})
		}
		for r := range g.R {
			m := at(x, r, 4*turn)
			if g.z512 {
				VFMADD231PS_BCST(m, w[0], sums[turn][r])
				continue
			}
			b := g.reg()
			VBROADCASTSS(m, b)
			for h := range w {
				VFMADD231PS(b, w[h], sums[turn][r*halves+h])
			}
		}
	}
	move := func(n int) {
		ADDQ(I32(int32(16*g.size()*n)), data)
		ADDQ(Imm(uint64(4*n)), x)
	}
	SUBQ(Imm(uint64(turns)), left)
	JLT(LabelRef(name + "_rest"))
	Label(name + "_column")
	for turn := range turns {
		step(turn)
	}
	move(turns)
	SUBQ(Imm(uint64(turns)), left)
	JGE(LabelRef(name + "_column"))
	Label(name + "_rest")
	ADDQ(Imm(uint64(turns)), left)
	JZ(LabelRef(name + "_sum"))
	Label(name + "_one")
	step(0)
	move(1)
	DECQ(left)
	JNZ(LabelRef(name + "_one"))
	Label(name + "_sum")
	MOVQ(y, q)
	for r := range g.R {
		for h := range halves {
			i := r*halves + h
			for n := turns / 2; n > 0; n /= 2 {
				for k := range n {
					VADDPS(sums[k+n][i], sums[k][i], sums[k][i])
				}
			}
			VMOVUPS(sums[0][i], Mem{Base: q, Disp: 4 * g.n * h})
		}
		if r < g.R-1 {
			ADDQ(ldy, q)
		}
	}
	ADDQ(Imm(64), y)
	DECQ(panels)
	JNZ(LabelRef(name + "_panel"))
	end()
}

// values are, for R rows of x, the sums y[e] = sum over Rows rows of x[row]*data[row][e], for
// the columns of so many vectors. Rows of data are Step bytes apart.
func (g *attentionWriter) values(name, isa string, vectors int) {
	g.begin(name, isa, "func(t *byte)")
	g.t = gp("t")
	data, step, left := g.get(fields.AData), g.get(fields.AStep), g.get(fields.ARows)
	x, stride, y, ldy := g.get(fields.AX), g.get(fields.AXRow), g.get(fields.AY), g.get(fields.AYRow)
	at := rowsOf(g.R, stride)
	turns := 1
	if g.R*vectors < 8 {
		turns = 2
	}
	sums := make([][]VecVirtual, turns)
	for i := range sums {
		sums[i] = g.zeros(g.R * vectors)
	}
	Label(name + "_row")
	for turn := range turns {
		w := make([]VecVirtual, vectors)
		for c := range w {
			w[c] = g.read(Mem{Base: data, Disp: g.size() * g.n * c})
		}
		for r := range g.R {
			b := g.reg()
			VBROADCASTSS(at(x, r, 0), b)
			for c := range w {
				VFMADD231PS(w[c], b, sums[turn][r*vectors+c])
			}
		}
		ADDQ(step, data)
		ADDQ(Imm(4), x)
		DECQ(left)
		if turn < turns-1 {
			JZ(LabelRef(name + "_sum"))
		}
	}
	JNZ(LabelRef(name + "_row"))
	Label(name + "_sum")
	for r := range g.R {
		for c := range vectors {
			s := sums[0][r*vectors+c]
			if turns > 1 {
				VADDPS(sums[1][r*vectors+c], s, s)
			}
			VMOVUPS(s, Mem{Base: y, Disp: 4 * g.n * c})
		}
		if r < g.R-1 {
			ADDQ(ldy, y)
		}
	}
	end()
}

// toHalf rounds to float16, n a multiple of the vector; it gives the largest by size.
func (v vec) toHalf(isa string) {
	v.begin("tohalf", isa, "func(n int, x *float32, y *uint16) float32")
	n, x, y := gp("n"), gp("x"), gp("y")
	sign, most := v.set(bits(0x7fffffff)), v.zeros(1)[0]
	Label("tohalf_" + isa)
	r, a := v.reg(), v.reg()
	VMOVUPS(Mem{Base: x}, r)
	VANDPS(sign, r, a)
	VMAXPS(most, a, most)
	VCVTPS2PH(Imm(0), r, Mem{Base: y})
	ADDQ(Imm(uint64(4*v.n)), x)
	ADDQ(Imm(uint64(2*v.n)), y)
	SUBQ(Imm(uint64(v.n)), n)
	JNZ(LabelRef("tohalf_" + isa))
	give(v.foldf(most, func(a, b, d Op) { VMAXPS(a, b, d) }), ReturnIndex(0), single)
	end()
}
