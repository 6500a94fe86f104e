package main

import (
	"fmt"
	"math"

	"gen/fields"
)

// A record of kernel.WholeRows: 32 bytes, their scale, and -128 times their sum.
const (
	recordScale = 32
	recordSum   = 36
	recordSize  = 40
)

// wholeMatrices writes the products of panels of 16 rows of whole numbers with R rows of whole
// numbers, by the dot product of bytes and without it, and what makes such rows of floats.
func wholeMatrices() {
	for _, dot := range []bool{true, false} {
		for _, sparse := range []bool{false, true} {
			for _, R := range []int{1, 2} {
				name := map[bool]string{true: "dot", false: ""}[dot]
				if sparse {
					name = "sparse" + name
				}
				kernel(fmt.Sprintf("whole%s%dneon", name, R), "t *byte", func() {
					g := &wholeWriter{dot: dot, sparse: sparse, R: R}
					g.write()
				})
			}
		}
	}
	wholeRow()
}

// wholeWriter holds what the parts of a kernel share. A panel's vectors of 64 bytes are four
// columns of each of its rows.
type wholeWriter struct {
	dot, sparse                           bool
	R                                     int
	t, values, masks, scales, table, ones *reg
	x                                     *reg
}

func (g *wholeWriter) write() {
	g.t = in("t")
	t := g.t
	g.values, g.scales = field(t, fields.WValues), field(t, fields.WScales)
	if g.sparse {
		g.masks, g.table, g.ones = field(t, fields.WMasks), field(t, fields.WTable), address("bitcounts")
	}
	panels, y, stride, groups, left := field(t, fields.WPanels), field(t, fields.WY), field(t, fields.WYRow), field(t, fields.WGroups), general()
	g.x = general()
	label("panel")
	sums := zeros(4 * g.R)
	move(left, groups)
	read(g.x, t, fields.WX)
	label("group")
	var acc []*reg
	if g.dot {
		acc = g.dots()
	} else {
		acc = g.pairs()
	}
	g.scaled(acc, sums)
	if g.sparse {
		plusConst(g.masks, g.masks, 64)
	} else {
		plusConst(g.values, g.values, 512)
	}
	plusConst(g.x, g.x, recordSize*g.R)
	less(left, 1)
	branch("BNE", "group")
	q := general()
	move(q, y)
	plusConst(y, y, 64)
	for r := range g.R {
		storeColumns(sums[4*r:4*r+4], q, 0)
		if r < g.R-1 {
			plus(q, q, stride)
		}
	}
	less(panels, 1)
	branch("BNE", "panel")
	ret()
}

// records are the bytes of a group of each row of x.
func (g *wholeWriter) records() (x [][2]*reg) {
	for r := range g.R {
		x = append(x, [2]*reg{vector(), vector()})
		p := general()
		plusConst(p, g.x, r*recordSize)
		loadq2(x[r][0], x[r][1], p, 0)
	}
	return x
}

// rows are four columns of rows 4h to 4h+3, of those of vector j.
func (g *wholeWriter) rows(j, h int) *reg {
	w := vector()
	if !g.sparse {
		loadq(w, g.values, 64*j+16*h)
		return w
	}
	high := vector()
	for i, to := range []*reg{w, high} {
		mask, index, count, v, at := general(), general(), general(), vector(), vector()
		readByte(mask, g.masks, 8*j+2*h+i)
		shiftLeft(index, mask, 3)
		loadAt('d', at, g.table, index)
		readByteAt(count, g.ones, mask)
		loadd(v, g.values, 0)
		tbl8(to, v, at)
		plus(g.values, g.values, count)
	}
	zip1d(w, w, high)
	return w
}

// dots adds the products of a group by the dot product of bytes.
func (g *wholeWriter) dots() []*reg {
	x, acc := g.records(), zeros(4*g.R)
	for j := range 8 {
		for h := range 4 {
			w := g.rows(j, h)
			for r := range x {
				sdot(acc[4*r+h], w, x[r][j/4], j%4)
			}
		}
	}
	return acc
}

// pairs does the same by products of bytes, whose pairs are added up: of the two vectors that
// hold the sums of four rows, the lanes of each row lie side by side.
func (g *wholeWriter) pairs() []*reg {
	acc := zeros(8 * g.R)
	for j := range 8 {
		b := vectorsOf(g.R)
		for r := range b {
			p := general()
			plusConst(p, g.x, r*recordSize+4*j)
			loadAll(b[r], p)
		}
		for h := range 4 {
			w := g.rows(j, h)
			for r := range b {
				p := vector()
				smull(p, w, b[r])
				sadalp(acc[8*r+2*h], p)
				smull2(p, w, b[r])
				sadalp(acc[8*r+2*h+1], p)
			}
		}
	}
	for i := range 4 * g.R {
		addp(acc[i], acc[2*i], acc[2*i+1])
	}
	return acc[:4*g.R]
}

// scaled adds the sums of a group, times their scales, to those of the panel.
func (g *wholeWriter) scaled(acc, sums []*reg) {
	by := vectorsOf(g.R)
	for r := range by {
		p := general()
		plusConst(p, g.x, r*recordSize+recordScale)
		loadAll(by[r], p)
	}
	for half := range 2 {
		h, lo, hi := vector(), vector(), vector()
		loadqAfter(h, g.scales)
		hcvtl(lo, h)
		hcvtl2(hi, h)
		for i, s := range []*reg{lo, hi} {
			for r := range by {
				a := acc[4*r+2*half+i]
				scvtf(a, a)
				fmul(a, a, s)
				fmla(sums[4*r+2*half+i], a, by[r])
				products(0)
			}
		}
	}
}

// wholeRow writes the records of a row of floats, step bytes apart: the scale is the largest of
// the group, by size, over 127; what is not a number is the largest.
func wholeRow() {
	kernel("wholerowneon", "groups int, x *float32, to *byte, step int", func() {
		groups, x, to, step := in("groups"), in("x"), in("to"), in("step")
		label("group")
		w := vectorsOf(8)
		for i := 0; i < 8; i += 2 {
			loadq2After(w[i], w[i+1], x)
		}
		var most []*reg
		for _, v := range w {
			a := vector()
			fabs(a, v)
			most = append(most, a)
		}
		for n := 4; n > 0; n /= 2 {
			for i := range n {
				umax(most[i], most[i], most[i+n])
			}
		}
		m, by := vector(), vector()
		umaxv(m, most[0])
		fmul(by, m, c(1./127))
		stores(by, to, recordScale)
		fdiv(by, c(127), m)
		fmin(by, by, c(math.MaxFloat32))
		for _, v := range w {
			fmulLane(v, v, by, 0)
			fcvtns(v, v)
		}
		s := vector()
		iadd(s, w[0], w[1])
		for _, v := range w[2:] {
			iadd(s, s, v)
		}
		addv(s, s)
		shl(s, s, 7)
		nought := vector()
		zero(nought)
		isub(s, nought, s)
		stores(s, to, recordSum)
		for i := 0; i < 8; i += 2 {
			h := vector()
			sqxtn(h, w[i])
			sqxtn2(h, w[i+1])
			w[i/2] = h
		}
		for i := range 2 {
			b := vector()
			sqxtnb(b, w[2*i])
			sqxtnb2(b, w[2*i+1])
			storeq(b, to, 16*i)
		}
		plus(to, to, step)
		less(groups, 1)
		branch("BNE", "group")
		ret()
	})
}
