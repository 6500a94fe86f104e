package main

import (
	"fmt"
	"math"
)

// Encodings are those of the Arm Architecture Reference Manual for A-profile (DDI 0487),
// section C7.2.

// word writes an instruction as a word; each %d in text is a register.
func word(base uint32, text string, def, use []*reg, args ...arg) {
	emit(ins{text: text, word: base, args: args, def: def, use: use, falls: true})
}

func products(n int) { f.code[len(f.code)-1].fma = n }

// three is an instruction d = a op b.
func three(name, arr string, base uint32) func(d, a, b *reg) {
	text := fmt.Sprintf("%s v%%d.%s, v%%d.%s, v%%d.%s", name, arr, arr, arr)
	return func(d, a, b *reg) {
		word(base, text, []*reg{d}, []*reg{a, b}, arg{d, 0}, arg{a, 5}, arg{b, 16})
	}
}

// onto is an instruction that reads d too.
func onto(name, arr string, base uint32) func(d, a, b *reg) {
	text := fmt.Sprintf("%s v%%d.%s, v%%d.%s, v%%d.%s", name, arr, arr, arr)
	return func(d, a, b *reg) {
		word(base, text, []*reg{d}, []*reg{d, a, b}, arg{d, 0}, arg{a, 5}, arg{b, 16})
	}
}

// two is an instruction d = op a.
func two(text string, base uint32) func(d, a *reg) {
	return func(d, a *reg) { word(base, text, []*reg{d}, []*reg{a}, arg{d, 0}, arg{a, 5}) }
}

// twoOnto is one that reads d too.
func twoOnto(text string, base uint32) func(d, a *reg) {
	return func(d, a *reg) { word(base, text, []*reg{d}, []*reg{d, a}, arg{d, 0}, arg{a, 5}) }
}

var (
	fadd  = three("fadd", "4s", 0x4E20D400)
	fsub  = three("fsub", "4s", 0x4EA0D400)
	fmul  = three("fmul", "4s", 0x6E20DC00)
	fdiv  = three("fdiv", "4s", 0x6E20FC00)
	fmax  = three("fmax", "4s", 0x4E20F400)
	fmin  = three("fmin", "4s", 0x4EA0F400)
	faddp = three("faddp", "4s", 0x6E20D400)
	fcmgt = three("fcmgt", "4s", 0x6EA0E400)

	fadd2 = three("fadd", "2d", 0x4E60D400)
	fsub2 = three("fsub", "2d", 0x4EE0D400)

	and   = three("and", "16b", 0x4E201C00)
	orr   = three("orr", "16b", 0x4EA01C00)
	bsl   = onto("bsl", "16b", 0x6E601C00) // d chooses: a where it is 1, else b
	bit   = onto("bit", "16b", 0x6EA01C00) // d becomes a where b is 1
	iadd  = three("add", "4s", 0x4EA08400)
	isub  = three("sub", "4s", 0x6EA08400)
	addp  = three("addp", "4s", 0x4EA0BC00)
	umax  = three("umax", "4s", 0x6EA06400)
	cmtst = three("cmtst", "4s", 0x4EA08C00)

	zip1  = three("zip1", "4s", 0x4E803800)
	zip2  = three("zip2", "4s", 0x4E807800)
	zip1d = three("zip1", "2d", 0x4EC03800)

	fneg   = two("fneg v%d.4s, v%d.4s", 0x6EA0F800)
	fabs   = two("fabs v%d.4s, v%d.4s", 0x4EA0F800)
	fsqrt  = two("fsqrt v%d.4s, v%d.4s", 0x6EA1F800)
	frintn = two("frintn v%d.4s, v%d.4s", 0x4E218800)
	fcvtns = two("fcvtns v%d.4s, v%d.4s", 0x4E21A800)
	scvtf  = two("scvtf v%d.4s, v%d.4s", 0x4E21D800)

	fcvtl  = two("fcvtl v%d.2d, v%d.2s", 0x0E617800)
	fcvtl2 = two("fcvtl2 v%d.2d, v%d.4s", 0x4E617800)
	hcvtl  = two("fcvtl v%d.4s, v%d.4h", 0x0E217800)
	hcvtl2 = two("fcvtl2 v%d.4s, v%d.8h", 0x4E217800)
	hcvtn  = two("fcvtn v%d.4h, v%d.4s", 0x0E216800)
	hcvtn2 = twoOnto("fcvtn2 v%d.8h, v%d.4s", 0x4E216800)

	sxtlb  = two("sxtl v%d.8h, v%d.8b", 0x0F08A400)
	sxtlh  = two("sxtl v%d.4s, v%d.4h", 0x0F10A400)
	sxtlh2 = two("sxtl2 v%d.4s, v%d.8h", 0x4F10A400)

	fmaxv   = two("fmaxv s%d, v%d.4s", 0x6E30F800)
	faddps  = two("faddp s%d, v%d.2s", 0x7E30D800)
	faddpd  = two("faddp d%d, v%d.2d", 0x7E70D800)
	umaxv   = two("umaxv s%d, v%d.4s", 0x6EB0A800)
	addv    = two("addv s%d, v%d.4s", 0x4EB1B800)
	fmovs   = two("fmov s%d, s%d", 0x1E204000) // clears the other lanes
	fmovd   = two("fmov d%d, d%d", 0x1E604000)
	fcvtds  = two("fcvt d%d, s%d", 0x1E22C000)
	sqxtn   = two("sqxtn v%d.4h, v%d.4s", 0x0E614800)
	sqxtn2  = twoOnto("sqxtn2 v%d.8h, v%d.4s", 0x4E614800)
	sqxtnb  = two("sqxtn v%d.8b, v%d.8h", 0x0E214800)
	sqxtnb2 = twoOnto("sqxtn2 v%d.16b, v%d.8h", 0x4E214800)
	sadalp  = twoOnto("sadalp v%d.4s, v%d.8h", 0x4E606800)
)

// copyTo is d = a.
func copyTo(d, a *reg) {
	word(0x4EA01C00, "mov v%d.16b, v%d.16b", []*reg{d}, []*reg{a}, arg{d, 0}, arg{a, 5}, arg{a, 16})
}

func copyOf(a *reg) *reg {
	d := vector()
	copyTo(d, a)
	return d
}

func zero(d *reg) { word(0x4F000400, "movi v%d.4s, #0x0", []*reg{d}, nil, arg{d, 0}) }

func zeros(n int) []*reg {
	r := vectorsOf(n)
	for _, d := range r {
		zero(d)
	}
	return r
}

// fmla adds a*b to d, fmls takes it away; fmla2 works on doubles.
func fmla(d, a, b *reg) {
	onto("fmla", "4s", 0x4E20CC00)(d, a, b)
	products(4)
}

func fmls(d, a, b *reg) {
	onto("fmls", "4s", 0x4EA0CC00)(d, a, b)
	products(4)
}

func fmla2(d, a, b *reg) {
	onto("fmla", "2d", 0x4E60CC00)(d, a, b)
	products(2)
}

// lane is the bits of an element of four words: H and L.
func lane(i int) uint32 { return uint32(i&1)<<21 | uint32(i>>1)<<11 }

// fmlaLane adds a times lane i of b to d.
func fmlaLane(d, a, b *reg, i int) {
	word(0x4F801000|lane(i), fmt.Sprintf("fmla v%%d.4s, v%%d.4s, v%%d.s[%d]", i), []*reg{d}, []*reg{d, a, b}, arg{d, 0}, arg{a, 5}, arg{b, 16})
	products(4)
}

// fmlaOne adds the first lane of a times lane i of b to the first of d.
func fmlaOne(d, a, b *reg, i int) {
	word(0x5F801000|lane(i), fmt.Sprintf("fmla s%%d, s%%d, v%%d.s[%d]", i), []*reg{d}, []*reg{d, a, b}, arg{d, 0}, arg{a, 5}, arg{b, 16})
	products(1)
}

// fmulLane is a times lane i of b.
func fmulLane(d, a, b *reg, i int) {
	word(0x4F809000|lane(i), fmt.Sprintf("fmul v%%d.4s, v%%d.4s, v%%d.s[%d]", i), []*reg{d}, []*reg{a, b}, arg{d, 0}, arg{a, 5}, arg{b, 16})
}

// sdot adds products of four bytes each: those of a with the four bytes of lane i of b.
func sdot(d, a, b *reg, i int) {
	word(0x4F80E000|lane(i), fmt.Sprintf("sdot v%%d.4s, v%%d.16b, v%%d.4b[%d]", i), []*reg{d}, []*reg{d, a, b}, arg{d, 0}, arg{a, 5}, arg{b, 16})
	products(16)
}

// smull are the products of the lower eight bytes, smull2 those of the upper.
func smull(d, a, b *reg) {
	word(0x0E20C000, "smull v%d.8h, v%d.8b, v%d.8b", []*reg{d}, []*reg{a, b}, arg{d, 0}, arg{a, 5}, arg{b, 16})
	products(8)
}

func smull2(d, a, b *reg) {
	word(0x4E20C000, "smull2 v%d.8h, v%d.16b, v%d.16b", []*reg{d}, []*reg{a, b}, arg{d, 0}, arg{a, 5}, arg{b, 16})
	products(8)
}

// dup puts lane i of a in all lanes.
func dup(d, a *reg, i int) {
	word(0x4E040400|uint32(i)<<19, fmt.Sprintf("dup v%%d.4s, v%%d.s[%d]", i), []*reg{d}, []*reg{a}, arg{d, 0}, arg{a, 5})
}

// dupWord puts a general register in all lanes.
func dupWord(d, a *reg) {
	word(0x4E040C00, "dup v%d.4s, w%d", []*reg{d}, []*reg{a}, arg{d, 0}, arg{a, 5})
}

func shl(d, a *reg, n int) {
	word(0x4F005400|uint32(32+n)<<16, fmt.Sprintf("shl v%%d.4s, v%%d.4s, #%d", n), []*reg{d}, []*reg{a}, arg{d, 0}, arg{a, 5})
}

func sshr(d, a *reg, n int) {
	word(0x4F000400|uint32(64-n)<<16, fmt.Sprintf("sshr v%%d.4s, v%%d.4s, #%d", n), []*reg{d}, []*reg{a}, arg{d, 0}, arg{a, 5})
}

// ext takes bytes n to n+15 of a followed by b.
func ext(d, a, b *reg, n int) {
	word(0x6E000000|uint32(n)<<11, fmt.Sprintf("ext v%%d.16b, v%%d.16b, v%%d.16b, #%d", n), []*reg{d}, []*reg{a, b}, arg{d, 0}, arg{a, 5}, arg{b, 16})
}

// tbl takes the bytes of a at the places in at, 0 for places beyond it; of eight or sixteen.
func tbl(d, a, at *reg) {
	word(0x4E000000, "tbl v%d.16b, {v%d.16b}, v%d.16b", []*reg{d}, []*reg{a, at}, arg{d, 0}, arg{a, 5}, arg{at, 16})
}

func tbl8(d, a, at *reg) {
	word(0x0E000000, "tbl v%d.8b, {v%d.16b}, v%d.8b", []*reg{d}, []*reg{a, at}, arg{d, 0}, arg{a, 5}, arg{at, 16})
}

// memory writes a load or a store of one register: size in bytes, off a multiple of it.
func memory(store bool, name byte, size int, base uint32, r, at *reg, off int) {
	op, def, use := "ldr", []*reg{r}, []*reg{at}
	if store {
		op, def, use = "str", nil, []*reg{r, at}
	}
	if off < 0 || off%size != 0 || off/size > 4095 {
		panic("a place that no load has")
	}
	text := fmt.Sprintf("%s %c%%d, [x%%d, #%d]", op, name, off)
	if off == 0 {
		text = fmt.Sprintf("%s %c%%d, [x%%d]", op, name)
	}
	word(base|uint32(off/size)<<10, text, def, use, arg{r, 0}, arg{at, 5})
}

func loadq(r, at *reg, off int)  { memory(false, 'q', 16, 0x3DC00000, r, at, off) }
func loadd(r, at *reg, off int)  { memory(false, 'd', 8, 0xFD400000, r, at, off) }
func loads(r, at *reg, off int)  { memory(false, 's', 4, 0xBD400000, r, at, off) }
func storeq(r, at *reg, off int) { memory(true, 'q', 16, 0x3D800000, r, at, off) }
func stored(r, at *reg, off int) { memory(true, 'd', 8, 0xFD000000, r, at, off) }
func stores(r, at *reg, off int) { memory(true, 's', 4, 0xBD000000, r, at, off) }

// after writes a load or store that moves its pointer on.
func after(store bool, name byte, base uint32, r, at *reg, by int) {
	op, def, use := "ldr", []*reg{r, at}, []*reg{at}
	if store {
		op, def, use = "str", []*reg{at}, []*reg{r, at}
	}
	word(base|uint32(by)<<12, fmt.Sprintf("%s %c%%d, [x%%d], #%d", op, name, by), def, use, arg{r, 0}, arg{at, 5})
}

func loadqAfter(r, at *reg)  { after(false, 'q', 0x3CC00400, r, at, 16) }
func loadsAfter(r, at *reg)  { after(false, 's', 0xBC400400, r, at, 4) }
func storeqAfter(r, at *reg) { after(true, 'q', 0x3C800400, r, at, 16) }
func storedAfter(r, at *reg) { after(true, 'd', 0xFC000400, r, at, 8) }
func storesAfter(r, at *reg) { after(true, 's', 0xBC000400, r, at, 4) }

// loadAt loads from base+index.
func loadAt(name byte, r, base, index *reg) {
	op := map[byte]uint32{'q': 0x3CE06800, 'd': 0xFC606800, 's': 0xBC606800}[name]
	word(op, fmt.Sprintf("ldr %c%%d, [x%%d, x%%d]", name), []*reg{r}, []*reg{base, index}, arg{r, 0}, arg{base, 5}, arg{index, 16})
}

// loadq2 and storeq2 are pairs of vectors that follow each other.
func loadq2(r, s, at *reg, off int) {
	text := fmt.Sprintf("ldp q%%d, q%%d, [x%%d, #%d]", off)
	if off == 0 {
		text = "ldp q%d, q%d, [x%d]"
	}
	word(0xAD400000|uint32(off/16)<<15, text, []*reg{r, s}, []*reg{at}, arg{r, 0}, arg{s, 10}, arg{at, 5})
}

func storeq2(r, s, at *reg, off int) {
	text := fmt.Sprintf("stp q%%d, q%%d, [x%%d, #%d]", off)
	if off == 0 {
		text = "stp q%d, q%d, [x%d]"
	}
	word(0xAD000000|uint32(off/16)<<15, text, nil, []*reg{r, s, at}, arg{r, 0}, arg{s, 10}, arg{at, 5})
}

func loadq2After(r, s, at *reg) {
	word(0xACC00000|2<<15, "ldp q%d, q%d, [x%d], #32", []*reg{r, s, at}, []*reg{at}, arg{r, 0}, arg{s, 10}, arg{at, 5})
}

func storeq2After(r, s, at *reg) {
	word(0xAC800000|2<<15, "stp q%d, q%d, [x%d], #32", []*reg{at}, []*reg{r, s, at}, arg{r, 0}, arg{s, 10}, arg{at, 5})
}

// loadAll loads a word in all lanes; loadAllHalf two bytes.
func loadAll(r, at *reg) {
	word(0x4D40C800, "ld1r {v%d.4s}, [x%d]", []*reg{r}, []*reg{at}, arg{r, 0}, arg{at, 5})
}

func loadAllHalf(r, at *reg) {
	word(0x4D40C400, "ld1r {v%d.8h}, [x%d]", []*reg{r}, []*reg{at}, arg{r, 0}, arg{at, 5})
}

// loadLane loads a word in lane i, storeLane stores it.
func loadLane(r *reg, i int, at *reg) {
	word(0x0D408000|uint32(i>>1)<<30|uint32(i&1)<<12, fmt.Sprintf("ld1 {v%%d.s}[%d], [x%%d]", i), []*reg{r}, []*reg{r, at}, arg{r, 0}, arg{at, 5})
}

func storeLane(r *reg, i int, at *reg) {
	word(0x0D008000|uint32(i>>1)<<30|uint32(i&1)<<12, fmt.Sprintf("st1 {v%%d.s}[%d], [x%%d]", i), nil, []*reg{r, at}, arg{r, 0}, arg{at, 5})
}

// c is a constant in all lanes.
func c(x float64) *reg { return constant(math.Float32bits(float32(x))) }
