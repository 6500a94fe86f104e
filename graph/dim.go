package graph

import (
	"fmt"
	"math"
	"sort"
	"strconv"
	"strings"
)

// Dim is one dimension of a shape: a number, or a number times a symbol. The
// symbol stands for a size known only when the graph runs, such as the batch;
// a product of symbols is written with its factors sorted ("N*T").
type Dim struct {
	Mul int    // the number; the factor of Sym where Sym is set
	Sym string // "" for a known size
}

// N is a known dimension.
func N(n int) Dim { return Dim{Mul: n} }

// Sym is a symbolic dimension.
func Sym(s string) Dim { return Dim{Mul: 1, Sym: s} }

// Known says whether the size is a number.
func (d Dim) Known() bool { return d.Sym == "" }

// String writes "32", "N" or "64*N".
func (d Dim) String() string {
	switch {
	case d.Sym == "":
		return strconv.Itoa(d.Mul)
	case d.Mul == 1:
		return d.Sym
	}
	return strconv.Itoa(d.Mul) + "*" + d.Sym
}

// Times is the product of two dimensions.
func (d Dim) Times(e Dim) Dim {
	m := d.Mul * e.Mul
	if d.Mul != 0 && (m/d.Mul != e.Mul || m < 0) {
		m = math.MaxInt // absurd, and refused by every check of a size
	}
	if m == 0 {
		return N(0)
	}
	if d.Sym == "" || e.Sym == "" {
		return Dim{m, d.Sym + e.Sym}
	}
	f := append(strings.Split(d.Sym, "*"), strings.Split(e.Sym, "*")...)
	sort.Strings(f)
	return Dim{m, strings.Join(f, "*")}
}

// Over is the exact quotient of two dimensions; false where it is not known to
// be one.
func (d Dim) Over(e Dim) (Dim, bool) {
	if e.Mul == 0 || d.Mul%e.Mul != 0 {
		return Dim{}, false
	}
	q := Dim{Mul: d.Mul / e.Mul}
	if e.Sym == "" {
		q.Sym = d.Sym
		return q, true
	}
	f := strings.Split(d.Sym, "*")
next:
	for _, s := range strings.Split(e.Sym, "*") {
		for i, t := range f {
			if t == s {
				f = append(f[:i:i], f[i+1:]...)
				continue next
			}
		}
		return Dim{}, false
	}
	q.Sym = strings.Join(f, "*")
	return q, true
}

// Plus is the sum. A sum of unlike terms is a new symbol with a readable name.
func (d Dim) Plus(e Dim) Dim {
	if d.Sym == e.Sym {
		return dimOf(d.Mul+e.Mul, d.Sym)
	}
	if d == N(0) {
		return e
	}
	if e == N(0) {
		return d
	}
	return Sym(opaque(fmt.Sprintf("(%v+%v)", d, e)))
}

// Minus is the difference, in the manner of Plus.
func (d Dim) Minus(e Dim) Dim {
	if d.Sym == e.Sym {
		return dimOf(d.Mul-e.Mul, d.Sym)
	}
	if e == N(0) {
		return d
	}
	return Sym(opaque(fmt.Sprintf("(%v-%v)", d, e)))
}

func dimOf(m int, s string) Dim {
	if m == 0 {
		return N(0)
	}
	return Dim{m, s}
}

// opaque makes an expression into one factor: its stars no longer split.
func opaque(s string) string { return strings.ReplaceAll(s, "*", "·") }

// Derived is a symbol for a size computed from d by a rule that has no closed
// form here, such as a strided window; equal rules over equal sizes are equal.
func Derived(rule string, d Dim) Dim { return Sym(opaque(fmt.Sprintf("%s(%v)", rule, d))) }

// Shape is a list of dimensions. A nil Shape is of unknown rank; a scalar's is empty.
type Shape []Dim

// Dims makes a shape of known sizes.
func Dims(n ...int) Shape {
	s := make(Shape, len(n))
	for i, v := range n {
		s[i] = N(v)
	}
	return s
}

// Ints gives the sizes where all are known.
func (s Shape) Ints() ([]int, bool) {
	if s == nil {
		return nil, false
	}
	o := make([]int, len(s))
	for i, d := range s {
		if !d.Known() {
			return nil, false
		}
		o[i] = d.Mul
	}
	return o, true
}

// Equal compares two shapes, symbols by name.
func (s Shape) Equal(t Shape) bool {
	if len(s) != len(t) || (s == nil) != (t == nil) {
		return false
	}
	for i := range s {
		if s[i] != t[i] {
			return false
		}
	}
	return true
}

// Size is the product of the dimensions from lo up to hi.
func (s Shape) Size(lo, hi int) Dim {
	p := N(1)
	for _, d := range s[lo:hi] {
		p = p.Times(d)
	}
	return p
}

// String writes "[N 3 32 32]", or "[?]" for an unknown rank.
func (s Shape) String() string {
	if s == nil {
		return "[?]"
	}
	w := make([]string, len(s))
	for i, d := range s {
		w[i] = d.String()
	}
	return "[" + strings.Join(w, " ") + "]"
}

// Bind replaces symbols by sizes; it leaves symbols that are not given.
func (s Shape) Bind(size map[string]int) Shape {
	if s == nil {
		return nil
	}
	o := make(Shape, len(s))
	for i, d := range s {
		o[i] = d.Bind(size)
	}
	return o
}

// Bind replaces the symbols of a dimension by sizes.
func (d Dim) Bind(size map[string]int) Dim {
	if d.Sym == "" {
		return d
	}
	o := N(d.Mul)
	for _, f := range strings.Split(d.Sym, "*") {
		if v, ok := size[f]; ok {
			o = o.Times(N(v))
		} else {
			o = o.Times(Sym(f))
		}
	}
	return o
}
