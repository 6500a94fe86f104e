package main

import (
	"errors"
	"fmt"
	"strings"
)

// reg is a register before it has a number: one of the processor's general registers, or one
// of NEON's.
type reg struct {
	vec bool
	num int
}

// ins is an instruction, or a label.
type ins struct {
	label    string
	text     string // of general registers: Go's notation; else GNU's
	word     uint32 // what text is; 0: Go's assembler knows it
	args     []arg
	def, use []*reg
	to       string // where it may go on
	falls    bool   // whether it may go on with the next
	fma      int    // products that it adds
}

// arg is a register in the text of an instruction, and in its word from bit at.
type arg struct {
	r  *reg
	at uint
}

// function is a kernel.
type function struct {
	name      string
	params    []param
	size      int // of arguments and results
	code      []ins
	start     int // where constants are loaded
	constants map[quad]*reg
	table     *reg
	most      int // constants that are held in registers
	labels    int
}

type param struct {
	name, typ string
	at        int
	result    bool
}

var (
	f         *function // that is being written
	finished  []*function
	constants []quad // each is a vector of the table
)

// quad is a constant vector.
type quad [4]uint32

var errRegisters = errors.New("too few registers")

// kernel writes a function. signature is Go's: parameters, then results after an arrow. Where
// registers are too few, fewer constants are held in them.
func kernel(name, signature string, write func()) {
	for most := 24; ; most -= 2 {
		f = &function{name: name, most: most, constants: map[quad]*reg{}}
		f.parse(signature)
		write()
		f.loadConstants()
		err := f.allocate()
		if err == nil {
			break
		}
		if most == 0 {
			panic(fmt.Sprintf("%s: %v", name, err))
		}
	}
	finished = append(finished, f)
}

// parse reads the parameters and places them as Go's assembly has them.
func (f *function) parse(signature string) {
	in, out, _ := strings.Cut(signature, " -> ")
	at := 0
	for i, list := range []string{in, out} {
		if list == "" {
			continue
		}
		ps := strings.Split(list, ", ")
		typ := ""
		var all []param
		for j := len(ps) - 1; j >= 0; j-- {
			name, t, ok := strings.Cut(ps[j], " ")
			if ok {
				typ = t
			}
			all = append([]param{{name: name, typ: typ, result: i == 1}}, all...)
		}
		at = (at + 7) &^ 7
		for _, p := range all {
			size := map[string]int{"float32": 4, "uint32": 4}[p.typ]
			if size == 0 {
				size = 8
			}
			p.at = (at + size - 1) &^ (size - 1)
			at = p.at + size
			f.params = append(f.params, p)
		}
	}
	f.size = at
}

func (f *function) param(name string) param {
	for _, p := range f.params {
		if p.name == name {
			return p
		}
	}
	panic(f.name + ": no parameter " + name)
}

func general() *reg { return &reg{num: -1} }
func vector() *reg  { return &reg{vec: true, num: -1} }

func vectorsOf(n int) []*reg {
	r := make([]*reg, n)
	for i := range r {
		r[i] = vector()
	}
	return r
}

func emit(i ins) { f.code = append(f.code, i) }

// code writes an instruction in Go's notation; each %d is a register.
func code(text string, def, use []*reg, args ...*reg) {
	i := ins{text: text, def: def, use: use, falls: true}
	for _, r := range args {
		i.args = append(i.args, arg{r: r})
	}
	emit(i)
}

func label(name string) { emit(ins{label: name, falls: true}) }

// mark gives a name to a place that is unlike others of the function.
func mark(name string) string {
	f.labels++
	return fmt.Sprintf("%s%d", name, f.labels)
}

// in is a parameter.
func in(name string) *reg {
	r := general()
	code(fmt.Sprintf("MOVD %s+%d(FP), R%%d", name, f.param(name).at), []*reg{r}, nil, r)
	return r
}

// inAll is a float32 parameter in all lanes.
func inAll(name string) *reg {
	r := vector()
	code(fmt.Sprintf("FMOVS %s+%d(FP), F%%d", name, f.param(name).at), []*reg{r}, nil, r)
	d := vector()
	dup(d, r, 0)
	return d
}

// outSingle and outDouble give results that are floats.
func outSingle(name string, r *reg) {
	code(fmt.Sprintf("FMOVS F%%d, %s+%d(FP)", name, f.param(name).at), nil, []*reg{r}, r)
}

func outDouble(name string, r *reg) {
	code(fmt.Sprintf("FMOVD F%%d, %s+%d(FP)", name, f.param(name).at), nil, []*reg{r}, r)
}

func ret() { emit(ins{text: "RET"}) }

// constant is a vector of four times the same bits.
func constant(b uint32) *reg { return lanesOf(b, b, b, b) }

// lanesOf is a constant vector.
func lanesOf(a, b, c, d uint32) *reg {
	bits := quad{a, b, c, d}
	if r, ok := f.constants[bits]; ok {
		return r
	}
	if f.table == nil {
		f.table = general()
	}
	r, at := vector(), constantAt(bits)
	if len(f.constants) < f.most {
		f.constants[bits] = r
		return r
	}
	loadq(r, f.table, 16*at)
	return r
}

func constantAt(bits quad) int {
	for i, b := range constants {
		if b == bits {
			return i
		}
	}
	constants = append(constants, bits)
	return len(constants) - 1
}

// held are a function's constants in the order of the table, so that the file is the same
// each time.
func (f *function) held() (bits []quad) {
	for _, b := range constants {
		if f.constants[b] != nil {
			bits = append(bits, b)
		}
	}
	return bits
}

// address is where a table of the file lies.
func address(table string) *reg {
	d := general()
	code("MOVD $"+table+"<>(SB), R%d", []*reg{d}, nil, d)
	return d
}

// loadConstants puts what loads the constants at the beginning.
func (f *function) loadConstants() {
	if f.table == nil {
		return
	}
	rest := append([]ins(nil), f.code[f.start:]...)
	f.code = f.code[:f.start]
	code("MOVD $constants<>(SB), R%d", []*reg{f.table}, nil, f.table)
	for _, b := range f.held() {
		loadq(f.constants[b], f.table, 16*constantAt(b))
	}
	f.code = append(f.code, rest...)
}
