package main

import (
	"fmt"

	"gen/fields"

	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/ir"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// packedForms are the forms of kernel.Packed: a letter for what a value is, and
// whether a mask says which are kept.
var packedForms = []struct {
	name   string
	value  byte // h: float16, b: int8 with a scale, f: float32
	sparse bool
}{{"half", 'h', false}, {"int8", 'b', false}, {"sparsehalf", 'h', true}, {"sparseint8", 'b', true}, {"sparsefloat", 'f', true}}

// packedMatrices writes for each form the inner products of rows of the matrix with
// R rows of x, and the rows themselves as floats (R = 0). A row is of groups of 32.
func packedMatrices(v vec, isa string) {
	for _, f := range packedForms {
		for _, R := range []int{0, 1, 2, 4, 8} {
			if R > 4 && !v.z512 {
				continue
			}
			g := &packedWriter{vec: v, value: f.value, sparse: f.sparse, R: R}
			g.write(fmt.Sprintf("packed%s%d", f.name, R), isa)
		}
	}
}

// packedWriter holds what the parts of a kernel of packed matrices share.
type packedWriter struct {
	vec
	value                              byte
	sparse                             bool
	R                                  int
	t, values, masks, scales, x, table GPVirtual
	mask, count                        GPVirtual
	scale                              VecVirtual // of the group
	expanded                           VecVirtual // the group's values in their places (AVX-512)
}

func (g *packedWriter) field(off int) Mem { return Mem{Base: g.t, Disp: off} }

func (g *packedWriter) get(off int) GPVirtual { r := GP64(); MOVQ(g.field(off), r); return r }

func (g *packedWriter) write(name, isa string) {
	g.begin(name, isa, "func(t *byte)")
	g.t = gp("t")
	frame := AllocLocal(16)
	rows, y := frame.Offset(0), frame.Offset(8) // out of sight of the garbage collector
	MOVQ(g.get(fields.PRows), rows)
	MOVQ(g.get(fields.PY), y)
	g.values = g.get(fields.PValues)
	g.mask, g.count = GP64(), GP64()
	if g.sparse {
		g.masks = g.get(fields.PMasks)
		if !g.z512 {
			g.table = g.get(fields.PTable)
		}
	}
	if g.value == 'b' {
		g.scales = g.get(fields.PScales)
	}
	stride, left, q := GP64(), GP64(), GP64()
	if g.R > 1 {
		MOVQ(g.field(fields.PXRow), stride)
	}
	at := rowsOf(g.R, stride)
	parts := 32 / g.n                         // vectors of a group
	sums := min(parts, max(4/max(g.R, 1), 1)) // for each row of x, so that none waits for the last
	if g.z512 && g.R < 8 {
		sums = parts
	}
	turns := 1 // groups that have sums of their own take turns
	if g.R == 1 || g.z512 && g.R == 2 {
		turns = 2
	}
	Label(name + "_row")
	var acc [2][]VecVirtual
	for turn := range turns {
		acc[turn] = g.zeros(g.R * sums)
	}
	MOVQ(g.field(fields.PGroups), left)
	if g.R > 0 {
		g.x = g.get(fields.PX)
	} else {
		MOVQ(y, q)
	}
	Label(name + "_group")
	for turn := range turns {
		g.group()
		for i := range parts {
			w := g.part(i)
			if g.R == 0 {
				VMOVUPS(w, Mem{Base: q, Disp: 4 * g.n * i})
			}
			for r := range g.R {
				VFMADD231PS(at(g.x, r, 4*g.n*i), w, acc[turn][r*sums+i%sums])
			}
		}
		g.next()
		if g.R > 0 {
			ADDQ(Imm(128), g.x)
		} else {
			ADDQ(Imm(128), q)
		}
		DECQ(left)
		if turn < turns-1 {
			JZ(LabelRef(name + "_sum"))
		}
	}
	JNZ(LabelRef(name + "_group"))
	if turns > 1 {
		Label(name + "_sum")
		for i, a := range acc[1] {
			VADDPS(a, acc[0][i], acc[0][i])
		}
	}
	MOVQ(y, q)
	if g.R == 0 {
		ADDQ(g.field(fields.PYRow), q)
		MOVQ(q, y)
	}
	for r := range g.R {
		a := acc[0][r*sums : (r+1)*sums]
		for n := len(a); n > 1; n /= 2 {
			for i := range n / 2 {
				VADDPS(a[i+n/2], a[i], a[i])
			}
		}
		VMOVSS(g.foldf(a[0], add), Mem{Base: q})
		if r < g.R-1 {
			ADDQ(g.field(fields.PYRow), q)
		}
	}
	if g.R > 0 {
		ADDQ(Imm(4), y)
	}
	DECQ(rows)
	JNZ(LabelRef(name + "_row"))
	end()
}

// expand puts values at the places of a mask and zeros elsewhere.
func expand(opcode string, x VecVirtual, k OpmaskVirtual, y VecVirtual) {
	Instruction(&ir.Instruction{Opcode: opcode, Suffixes: []string{"Z"}, Operands: []Op{x, k, y}, Inputs: []Op{x, k}, Outputs: []Op{y}})
}

// group reads what the vectors of a group share.
func (g *packedWriter) group() {
	if g.value == 'b' {
		g.scale = g.reg()
		half := XMM().(Op)
		if g.z512 {
			half = YMM()
		}
		VPBROADCASTW(Mem{Base: g.scales}, half)
		VCVTPH2PS(half, g.scale)
	}
	if !g.sparse || !g.z512 {
		return
	}
	MOVL(Mem{Base: g.masks}, g.mask.As32())
	k := K()
	switch g.value {
	case 'h':
		KMOVD(g.mask.As32(), k)
		g.expanded = ZMM()
		VMOVDQU64(Mem{Base: g.values}, g.expanded)
		expand("VPEXPANDW", g.expanded, k, g.expanded)
		POPCNTL(g.mask.As32(), g.count.As32())
		LEAQ(Mem{Base: g.values, Index: g.count, Scale: 2}, g.values)
	case 'b':
		KMOVD(g.mask.As32(), k)
		g.expanded = YMM()
		VMOVDQU(Mem{Base: g.values}, g.expanded)
		expand("VPEXPANDB", g.expanded, k, g.expanded)
		POPCNTL(g.mask.As32(), g.count.As32())
		ADDQ(g.count, g.values)
	}
}

// part is vector i of the group as floats.
func (g *packedWriter) part(i int) VecVirtual {
	w := g.reg()
	switch {
	case g.sparse && g.z512:
		g.wide(i, w)
	case g.sparse:
		g.narrow(i, w)
	case g.value == 'h':
		VCVTPH2PS(Mem{Base: g.values, Disp: 2 * g.n * i}, w)
	default:
		VPMOVSXBD(Mem{Base: g.values, Disp: g.n * i}, w)
	}
	if g.value == 'b' {
		VCVTDQ2PS(w, w)
		VMULPS(g.scale, w, w)
	}
	return w
}

// wide takes one half of the group's expanded values.
func (g *packedWriter) wide(i int, w VecVirtual) {
	switch {
	case g.value == 'f':
		k := K()
		VMOVUPS(Mem{Base: g.values}, w)
		KMOVW(g.mask.As32(), k)
		VPEXPANDD_Z(w, k, w)
		MOVWLZX(g.mask.As16(), g.count.As32())
		POPCNTL(g.count.As32(), g.count.As32())
		LEAQ(Mem{Base: g.values, Index: g.count, Scale: 4}, g.values)
		if i == 0 {
			SHRL(Imm(16), g.mask.As32())
		}
	case g.value == 'h' && i == 0:
		VCVTPH2PS(g.expanded.AsY(), w)
	case g.value == 'h':
		h := YMM()
		VEXTRACTI64X4(Imm(1), g.expanded, h)
		VCVTPH2PS(h, w)
	case i == 0:
		VPMOVSXBD(g.expanded.AsX(), w)
	default:
		h := XMM()
		VEXTRACTI128(Imm(1), g.expanded, h)
		VPMOVSXBD(h, w)
	}
}

// narrow puts the values of a byte of the mask in their places by a table of shuffles,
// eight bytes for each byte: kernel.places for bytes and floats, kernel.placesOfWords.
func (g *packedWriter) narrow(i int, w VecVirtual) {
	MOVBLZX(Mem{Base: g.masks, Disp: i}, g.mask.As32())
	POPCNTL(g.mask.As32(), g.count.As32())
	switch g.value {
	case 'h':
		x := XMM()
		SHLL(Imm(4), g.mask.As32())
		VMOVDQU(Mem{Base: g.values}, x)
		VPSHUFB(Mem{Base: g.table, Index: g.mask, Scale: 1}, x, x)
		VCVTPH2PS(x, w)
		LEAQ(Mem{Base: g.values, Index: g.count, Scale: 2}, g.values)
	case 'b':
		x, to := XMM(), XMM()
		VMOVQ(Mem{Base: g.values}, x)
		VMOVQ(Mem{Base: g.table, Index: g.mask, Scale: 8}, to)
		VPSHUFB(to, x, x)
		VPMOVSXBD(x, w)
		ADDQ(g.count, g.values)
	case 'f':
		to := YMM()
		VPMOVSXBD(Mem{Base: g.table, Index: g.mask, Scale: 8}, to)
		VPERMPS(Mem{Base: g.values}, to, w)
		VPSRAD(Imm(31), to, to) // all ones where nothing is kept
		VPANDN(w, to, w)
		LEAQ(Mem{Base: g.values, Index: g.count, Scale: 4}, g.values)
	}
}

// next moves on to the next group.
func (g *packedWriter) next() {
	if g.sparse {
		ADDQ(Imm(4), g.masks)
	} else {
		ADDQ(Imm(map[byte]uint64{'h': 64, 'b': 32}[g.value]), g.values)
	}
	if g.value == 'b' {
		ADDQ(Imm(2), g.scales)
	}
}
