package main

import (
	"fmt"

	"gen/fields"
)

// packedMatrices writes for each form of kernel.Packed the inner products of rows of the matrix
// with R rows of x, and the rows themselves as floats (R = 0). A row is of groups of 32.
func packedMatrices() {
	for _, form := range []struct {
		name   string
		value  byte // h: float16, b: int8 with a scale, f: float32
		sparse bool
	}{{"half", 'h', false}, {"int8", 'b', false}, {"sparsehalf", 'h', true}, {"sparseint8", 'b', true}, {"sparsefloat", 'f', true}} {
		for _, R := range []int{0, 1, 2, 4} {
			kernel(fmt.Sprintf("packed%s%dneon", form.name, R), "t *byte", func() {
				g := &packedWriter{value: form.value, sparse: form.sparse, R: R}
				g.write()
			})
		}
	}
}

// packedWriter holds what the parts of a kernel of packed matrices share.
type packedWriter struct {
	value                                 byte
	sparse                                bool
	R                                     int
	t, values, masks, scales, table, ones *reg
	x                                     []*reg
	scale                                 *reg
}

func (g *packedWriter) write() {
	g.t = in("t")
	t := g.t
	g.values = field(t, fields.PValues)
	rows, y, groups := field(t, fields.PRows), field(t, fields.PY), field(t, fields.PGroups)
	if g.sparse {
		g.masks, g.ones = field(t, fields.PMasks), address("bitcounts")
		if g.table = field(t, fields.PTable); g.value == 'f' {
			g.table = address("placesoffloats")
		}
	}
	if g.value == 'b' {
		g.scales = field(t, fields.PScales)
	}
	stride, left := general(), general()
	if g.R > 1 {
		read(stride, t, fields.PXRow)
	}
	for range g.R {
		g.x = append(g.x, general())
	}
	sums := 8 / max(1, g.R) // for each row of x, so that none waits for the last
	if g.R == 4 {
		sums = 2
	}
	label("row")
	acc := zeros(g.R * sums)
	move(left, groups)
	for r, p := range g.x {
		if r == 0 {
			read(p, t, fields.PX)
		} else {
			plus(p, g.x[r-1], stride)
		}
	}
	q := general()
	if g.R == 0 {
		move(q, y)
	}
	label("group")
	g.group(acc, sums, q)
	less(left, 1)
	branch("BNE", "group")
	if g.R == 0 {
		plus(y, y, field(t, fields.PYRow))
	} else {
		move(q, y)
		plusConst(y, y, 4)
	}
	for r := range g.R {
		stores(sumOf(acc[r*sums:(r+1)*sums]), q, 0)
		if r < g.R-1 {
			plus(q, q, field(t, fields.PYRow))
		}
	}
	less(rows, 1)
	branch("BNE", "row")
	ret()
}

// group adds the products of a group, or writes it to q. A group of bytes is added up before it
// is multiplied by its scale.
func (g *packedWriter) group(acc []*reg, sums int, q *reg) {
	to, first := acc, false
	if g.value == 'b' {
		h := vector()
		g.scale = vector()
		loadAllHalf(h, g.scales)
		hcvtl(g.scale, h)
		plusConst(g.scales, g.scales, 2)
		to, first = vectorsOf(len(acc)), true
	}
	for u := range 4 {
		lo, hi := g.eight(u)
		if g.R == 0 {
			storeq2After(lo, hi, q)
		}
		for r, p := range g.x {
			a, b := vector(), vector()
			loadq2After(a, b, p)
			for i, v := range [][2]*reg{{lo, a}, {hi, b}} {
				if s := to[r*sums+(2*u+i)%sums]; first && 2*u+i < sums {
					fmul(s, v[0], v[1])
					products(4)
				} else {
					fmla(s, v[0], v[1])
				}
			}
		}
	}
	if first {
		for i, s := range acc {
			fmla(s, to[i], g.scale)
			products(0)
		}
	}
	switch {
	case g.sparse:
		plusConst(g.masks, g.masks, 4)
	case g.value == 'h':
		plusConst(g.values, g.values, 64)
	default:
		plusConst(g.values, g.values, 32)
	}
}

// eight are values 8u to 8u+7 of the group as floats; bytes without their scale where they are
// multiplied.
func (g *packedWriter) eight(u int) (lo, hi *reg) {
	lo, hi = vector(), vector()
	if g.value == 'f' {
		mask, low := general(), general()
		readByte(mask, g.masks, u)
		andConst(low, mask, 15)
		shiftRight(mask, mask, 4)
		for _, v := range []struct{ to, mask *reg }{{lo, low}, {hi, mask}} {
			g.place('q', v.to, v.mask, 4, 2)
		}
		return lo, hi
	}
	v := vector()
	switch {
	case g.sparse:
		mask := general()
		readByte(mask, g.masks, u)
		if g.value == 'h' {
			g.place('q', v, mask, 4, 1)
		} else {
			g.place('d', v, mask, 3, 0)
		}
	case g.value == 'h':
		loadq(v, g.values, 16*u)
	default:
		loadd(v, g.values, 8*u)
	}
	if g.value == 'h' {
		hcvtl(lo, v)
		hcvtl2(hi, v)
		return lo, hi
	}
	sxtlb(v, v)
	sxtlh(lo, v)
	sxtlh2(hi, v)
	scvtf(lo, lo)
	scvtf(hi, hi)
	if g.R == 0 {
		fmul(lo, lo, g.scale)
		fmul(hi, hi, g.scale)
	}
	return lo, hi
}

// place puts values, of 1<<size bytes, in their places by a row of the table, of 1<<row bytes,
// that the mask chooses.
func (g *packedWriter) place(load byte, to, mask *reg, row, size int) {
	v, at, index, count := vector(), vector(), general(), general()
	shiftLeft(index, mask, row)
	loadAt(load, at, g.table, index)
	readByteAt(count, g.ones, mask)
	if load == 'q' {
		loadq(v, g.values, 0)
		tbl(to, v, at)
	} else {
		loadd(v, g.values, 0)
		tbl8(to, v, at)
	}
	plusShifted(g.values, g.values, count, size)
}
