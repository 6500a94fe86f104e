package main

import (
	"fmt"
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// Constants are stored sixteen times over, so that they can be memory operands
// of either width.
var constants = map[uint32]Mem{}

func bits(b uint32) Mem {
	if m, ok := constants[b]; ok {
		return m
	}
	m := GLOBL(fmt.Sprintf("c%08x", b), RODATA|NOPTR)
	for i := range 16 {
		DATA(4*i, U32(b))
	}
	constants[b] = m
	return m
}

func c(x float64) Mem { return bits(math.Float32bits(float32(x))) }

// ones is a table of eight words of ones, then eight of zeros.
var onesTable *Mem

func ones() Mem {
	if onesTable == nil {
		m := GLOBL("ones", RODATA|NOPTR)
		for i := range 16 {
			DATA(4*i, U32(uint32(0xffffffff)*uint32(1-i/8)))
		}
		onesTable = &m
	}
	return *onesTable
}

func (v vec) set(m Mem) VecVirtual {
	r := v.reg()
	VMOVUPS(m, r)
	return r
}

func (v vec) copy(x VecVirtual) VecVirtual {
	r := v.reg()
	VMOVAPS(x, r)
	return r
}

// horner is ((c[n]*z + c[n-1])*z + ...) + c[0].
func (v vec) horner(z VecVirtual, cs ...float64) VecVirtual {
	p := v.set(c(cs[len(cs)-1]))
	for i := len(cs) - 2; i >= 0; i-- {
		VFMADD213PS(c(cs[i]), z, p)
	}
	return p
}

// where gives a where x < y (ordered), else b.
func (v vec) where(x VecVirtual, y Op, a, b VecVirtual) VecVirtual {
	r := v.reg()
	if v.z512 {
		k := K()
		VCMPPS(Imm(17), y, x, k)
		VBLENDMPS(a, b, k, r)
		return r
	}
	VCMPPS(Imm(17), y, x, r)
	VBLENDVPS(r, a, b, r)
	return r
}

// clamp holds x between two constants; NaN stays NaN.
func (v vec) clamp(x VecVirtual, lo, hi float64) VecVirtual {
	r := v.reg()
	l, h := v.set(c(lo)), v.set(c(hi))
	VMAXPS(x, l, r)
	VMINPS(r, h, r)
	return r
}

// exp is e^x: x = n*ln2 + r with |r| <= ln2/2; a polynomial of degree 6 whose
// error is 3e-9 (fitted with Lawson's weights), then 2^n.
func (v vec) exp(x VecVirtual) VecVirtual {
	n, p := v.reduced(v.clamp(x, -104.5, 89))
	VADDPS(c(1), p, p)
	if v.z512 {
		VSCALEFPS(n, p, p)
		return p
	}
	i, j := YMM(), YMM() // 2^n in two halves, so that neither overflows
	VCVTPS2DQ(n, i)
	VPSRAD(Imm(1), i, j)
	VPSUBD(j, i, i)
	for _, e := range []VecVirtual{i, j} {
		VPADDD(bits(127), e, e)
		VPSLLD(Imm(23), e, e)
		VMULPS(e, p, p)
	}
	return p
}

// reduced gives n and e^r - 1 of x = n*ln2 + r, which it writes over.
func (v vec) reduced(x VecVirtual) (n, p VecVirtual) {
	n = v.reg()
	VMULPS(c(1/math.Ln2), x, n)
	if v.z512 {
		VRNDSCALEPS(Imm(0), n, n)
	} else {
		VROUNDPS(Imm(0), n, n)
	}
	VFNMADD231PS(c(0.693359375), n, x)
	VFNMADD231PS(c(math.Ln2-0.693359375), n, x)
	p = v.horner(x, .5, .16666516661643982, .04166620224714279, .008369077928364277, .001395076047629118)
	x2 := v.reg()
	VMULPS(x, x, x2)
	VFMADD213PS(x, x2, p)
	return n, p
}

// sigmoid is 1/(1+e^-x).
func (v vec) sigmoid(x VecVirtual) VecVirtual {
	y := v.reg()
	VXORPS(bits(1<<31), x, y)
	y = v.exp(y)
	VADDPS(c(1), y, y)
	one := v.set(c(1))
	VDIVPS(y, one, y)
	return y
}

// signed gives |y| the sign of x.
func (v vec) signed(y, x VecVirtual) {
	s := v.reg()
	VANDPS(bits(1<<31), x, s)
	VORPS(s, y, y)
}

// tanh is x + x^3*P(x^2) below 0.625, 1 - 2/(e^2x + 1) above.
func (v vec) tanh(x VecVirtual) VecVirtual {
	a, z := v.reg(), v.reg()
	VANDPS(bits(1<<31-1), x, a)
	e := v.reg()
	VADDPS(a, a, e)
	e = v.exp(e)
	VADDPS(c(1), e, e)
	two := v.set(c(2))
	VDIVPS(e, two, e)
	one := v.set(c(1))
	VSUBPS(e, one, e)
	v.signed(e, x)
	VMULPS(x, x, z)
	p := v.horner(z, -.3333328366279602, .13331501185894012, -.0537443645298481, .020653609186410904, -.005720619577914476)
	VMULPS(z, p, p)
	VFMADD213PS(x, x, p)
	return v.where(a, c(.625), p, e)
}

// erf is x + x*P(x^2) below 0.96; above, 1 - e^-Q(x), where Q is fitted to
// -log(erfc) up to 4, beyond which erf rounds to 1.
func (v vec) erf(x VecVirtual) VecVirtual {
	a, z := v.reg(), v.reg()
	VANDPS(bits(1<<31-1), x, a)
	b, four := v.reg(), v.set(c(4))
	VMINPS(a, four, b)
	q := v.horner(b, -.00018247723346576095, 1.1295521259307861, .6332722306251526, .10836175829172134, -.025171948596835136,
		.0041909110732376575, -.00043854195973835886, 2.1446654500323348e-05)
	VXORPS(bits(1<<31), q, q)
	e := v.exp(q)
	one := v.set(c(1))
	VSUBPS(e, one, e)
	v.signed(e, x)
	VMULPS(x, x, z)
	p := v.horner(z, .12837916612625122, -.3761262595653534, .11283599585294724, -.026854433119297028, .005189513321965933,
		-.0008020643726922572, 7.888460822869092e-05)
	VFMADD213PS(x, x, p)
	return v.where(a, c(.96), p, e)
}

// log: x = 2^e*m with 0.75 <= m < 1.5, log m = f - f^2/2 + f^3*P(f), f = m-1.
func (v vec) log(x VecVirtual) VecVirtual {
	e, m := v.reg(), v.reg()
	if v.z512 {
		VGETEXPPS(x, e)
		VGETMANTPS(Imm(11), x, m)
		d := v.reg()
		VGETEXPPS(m, d)
		VSUBPS(d, e, e)
	} else {
		big := v.reg()
		VMULPS(c(1<<23), x, big) // denormal numbers
		y := v.where(x, c(0x1p-126), big, x)
		shift := v.where(x, c(0x1p-126), v.set(c(-23)), v.set(c(0)))
		VPSUBD(bits(0x3f400000), y, e)
		VPSRAD(Imm(23), e, e)
		VPSLLD(Imm(23), e, m)
		VPSUBD(m, y, m)
		VCVTDQ2PS(e, e)
		VADDPS(shift, e, e)
	}
	f := v.reg()
	VSUBPS(c(1), m, f)
	p := v.horner(f, .33333340287208557, -.2500016689300537, .19999603927135468, -.16655272245407104, .14276207983493805,
		-.12728047370910645, .11701366305351257, -.09116380661725998, .03766811266541481)
	z := v.reg()
	VMULPS(f, f, z)
	VMULPS(f, p, p)
	VSUBPS(c(.5), p, p)
	VMULPS(z, p, p)
	VFMADD231PS(c(math.Ln2-0.693359375), e, p)
	VADDPS(f, p, p)
	VFMADD231PS(c(0.693359375), e, p)
	// 0 gives -Inf, less gives NaN, NaN and +Inf stay
	neg := v.where(x, c(0), v.set(bits(0x7fc00000)), v.set(bits(0xff800000)))
	zero := v.reg()
	v.zero(zero)
	r := v.where(zero, x, p, neg)
	inf := v.set(bits(0x7f800000))
	if v.z512 {
		k := K()
		VCMPPS(Imm(5), inf, x, k) // not less than infinity, or NaN
		VMOVAPS(x, k, r)
		return r
	}
	bad := v.reg()
	VCMPPS(Imm(5), inf, x, bad)
	VBLENDVPS(bad, x, r, r)
	return r
}
