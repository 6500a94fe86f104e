package main

import "fmt"

// Instructions of the general registers, in Go's notation: the destination comes first here.

func move(d, s *reg) { code("MOVD R%d, R%d", []*reg{d}, []*reg{s}, s, d) }

func set(d *reg, v int) { code(fmt.Sprintf("MOVD $%d, R%%d", v), []*reg{d}, nil, d) }

func plus(d, a, b *reg) { code("ADD R%d, R%d, R%d", []*reg{d}, []*reg{a, b}, b, a, d) }

func minus(d, a, b *reg) { code("SUB R%d, R%d, R%d", []*reg{d}, []*reg{a, b}, b, a, d) }

func plusConst(d, a *reg, v int) {
	code(fmt.Sprintf("ADD $%d, R%%d, R%%d", v), []*reg{d}, []*reg{a}, a, d)
}

// plusWord adds the lower 32 bits of b, shifted left.
func plusWord(d, a, b *reg, shift int) {
	text := "ADD R%d.UXTW, R%d, R%d"
	if shift > 0 {
		text = fmt.Sprintf("ADD R%%d.UXTW<<%d, R%%d, R%%d", shift)
	}
	code(text, []*reg{d}, []*reg{a, b}, b, a, d)
}

// plusShifted adds b shifted left.
func plusShifted(d, a, b *reg, shift int) {
	code(fmt.Sprintf("ADD R%%d<<%d, R%%d, R%%d", shift), []*reg{d}, []*reg{a, b}, b, a, d)
}

func andConst(d, a *reg, v int) {
	code(fmt.Sprintf("AND $%d, R%%d, R%%d", v), []*reg{d}, []*reg{a}, a, d)
}

func shiftRight(d, a *reg, n int) {
	code(fmt.Sprintf("LSR $%d, R%%d, R%%d", n), []*reg{d}, []*reg{a}, a, d)
}

func shiftLeft(d, a *reg, n int) {
	code(fmt.Sprintf("LSL $%d, R%%d, R%%d", n), []*reg{d}, []*reg{a}, a, d)
}

// less subtracts a number and sets the flags.
func less(d *reg, v int) {
	code(fmt.Sprintf("SUBS $%d, R%%d, R%%d", v), []*reg{d}, []*reg{d}, d, d)
}

func compare(a *reg, v int) { code(fmt.Sprintf("CMP $%d, R%%d", v), nil, []*reg{a}, a) }

func branch(op, to string) {
	emit(ins{text: op + " ", to: to, falls: op != "B"})
}

// branchOn is CBZ or CBNZ, or with a bit TBZ or TBNZ.
func branchOn(op string, r *reg, to string) {
	emit(ins{text: op + " R%d, ", args: []arg{{r: r}}, use: []*reg{r}, to: to, falls: true})
}

func branchBit(op string, bit int, r *reg, to string) {
	emit(ins{text: fmt.Sprintf("%s $%d, R%%d, ", op, bit), args: []arg{{r: r}}, use: []*reg{r}, to: to, falls: true})
}

// read loads eight bytes; readWord four without sign, readByte one.
func read(d, base *reg, off int) {
	code(fmt.Sprintf("MOVD %d(R%%d), R%%d", off), []*reg{d}, []*reg{base}, base, d)
}

func readWord(d, base *reg, off int) {
	code(fmt.Sprintf("MOVWU %d(R%%d), R%%d", off), []*reg{d}, []*reg{base}, base, d)
}

func readByte(d, base *reg, off int) {
	code(fmt.Sprintf("MOVBU %d(R%%d), R%%d", off), []*reg{d}, []*reg{base}, base, d)
}

// readByteAt loads the byte base+index.
func readByteAt(d, base, index *reg) {
	code("MOVBU (R%d)(R%d), R%d", []*reg{d}, []*reg{base, index}, base, index, d)
}

// field is a field of the argument of a kernel.
func field(t *reg, off int) *reg {
	d := general()
	read(d, t, off)
	return d
}

// readWords loads two words of four bytes that follow each other.
func readWords(a, b, base *reg, off int) {
	code(fmt.Sprintf("LDPW %d(R%%d), (R%%d, R%%d)", off), []*reg{a, b}, []*reg{base}, base, a, b)
}
