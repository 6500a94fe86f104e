package op

import (
	"fmt"
	"slices"

	"pare/graph"
)

// einsumTerm is an input of an Einsum, or a product of several, whose axes are named.
type einsumTerm struct {
	v    *graph.Value
	axes []rune
}

// einsumExpansion writes an Einsum as products of matrices. Its terms are joined from
// the left to the right: of each two, axes that both have and that are needed later
// are a batch, axes that both have and that nothing needs any more are what a product
// of matrices sums over, and axes that one alone has are rows or columns, or summed
// beforehand.
type einsumExpansion struct {
	b    *Builder
	size map[rune]int
}

// expandEinsum needs sizes that are known.
func expandEinsum(b *Builder, n *graph.Node) ([]*graph.Value, error) {
	e, err := equationOf(n)
	if err != nil {
		return nil, err
	}
	shapes := make([][]int, len(n.Inputs))
	for i, v := range n.Inputs {
		var ok bool
		if shapes[i], ok = v.Shape.Ints(); !ok {
			return nil, fmt.Errorf("the shape %v is not known", v.Shape)
		}
	}
	x := &einsumExpansion{b: b}
	if x.size, err = e.sizes(shapes); err != nil {
		return nil, err
	}
	var acc einsumTerm
	for i, v := range n.Inputs {
		t, err := x.diagonal(einsumTerm{v, e.in[i]})
		if err != nil {
			return nil, err
		}
		t = x.spread(t)
		need := slices.Clone(e.out)
		for _, later := range e.in[i+1:] {
			need = append(need, later...)
		}
		if i == 0 {
			acc = x.only(t, func(r rune) bool { return slices.Contains(need, r) })
			continue
		}
		acc = x.join(acc, t, need, e.out)
	}
	// an axis of the result that all inputs repeat is 1 long in each
	for _, r := range e.out {
		if !slices.Contains(acc.axes, r) {
			acc = einsumTerm{b.Unsqueeze(acc.v, len(acc.axes)), append(slices.Clone(acc.axes), r)}
		}
	}
	return []*graph.Value{x.order(acc, e.out).v}, b.Err()
}

// diagonal takes the diagonal of axes of the same name.
func (x *einsumExpansion) diagonal(t einsumTerm) (einsumTerm, error) {
	for d := 0; d < len(t.axes); d++ {
		first := slices.Index(t.axes, t.axes[d])
		if first == d {
			continue
		}
		m, err := diagonalMask(x.b, t.v, first, d)
		if err != nil {
			return t, err
		}
		t = einsumTerm{x.b.Sum(x.b.Op("Mul", t.v, m), false, d), slices.Delete(slices.Clone(t.axes), d, d+1)}
		d--
	}
	return t, x.b.Err()
}

// spread leaves out the axes of a term that are repeated, which are 1 long in it. All
// axes that are 1 long everywhere go as well.
func (x *einsumExpansion) spread(t einsumTerm) einsumTerm {
	shape, _ := t.v.Shape.Ints()
	var gone []int
	var axes []rune
	for d, r := range t.axes {
		if shape[d] == 1 {
			gone = append(gone, d)
		} else {
			axes = append(axes, r)
		}
	}
	if gone == nil {
		return t
	}
	return einsumTerm{x.shaped(t.v, axes), axes}
}

// shaped gives a value the shape of these axes.
func (x *einsumExpansion) shaped(v *graph.Value, axes []rune) *graph.Value {
	return x.reshape(v, x.sizes(axes)...)
}

func (x *einsumExpansion) reshape(v *graph.Value, shape ...int) *graph.Value {
	if s, ok := v.Shape.Ints(); ok && slices.Equal(s, shape) {
		return v
	}
	return x.b.Op("Reshape", v, x.b.Ints(shape...))
}

func (x *einsumExpansion) sizes(axes []rune) []int {
	s := make([]int, len(axes))
	for i, r := range axes {
		s[i] = x.size[r]
	}
	return s
}

// only sums over the axes that are not kept.
func (x *einsumExpansion) only(t einsumTerm, keep func(r rune) bool) einsumTerm {
	var gone []int
	var axes []rune
	for d, r := range t.axes {
		if keep(r) {
			axes = append(axes, r)
		} else {
			gone = append(gone, d)
		}
	}
	if gone == nil {
		return t
	}
	return einsumTerm{x.b.Sum(t.v, false, gone...), axes}
}

// order turns a term's axes into an order.
func (x *einsumExpansion) order(t einsumTerm, axes []rune) einsumTerm {
	if slices.Equal(t.axes, axes) {
		return t
	}
	perm := make([]int, len(axes))
	for i, r := range axes {
		perm[i] = slices.Index(t.axes, r)
	}
	return einsumTerm{permuted(x.b, t.v, perm...), axes}
}

// join multiplies two terms and sums over what is not needed.
func (x *einsumExpansion) join(l, r einsumTerm, need, out []rune) einsumTerm {
	kept := func(of, other einsumTerm) einsumTerm {
		return x.only(of, func(k rune) bool { return slices.Contains(need, k) || slices.Contains(other.axes, k) })
	}
	l, r = kept(l, r), kept(r, l)
	if first := slices.IndexFunc(out, func(k rune) bool { return slices.Contains(l.axes, k) != slices.Contains(r.axes, k) }); first >= 0 &&
		slices.Contains(r.axes, out[first]) && !l.v.IsConst() && !r.v.IsConst() || l.v.IsConst() && !r.v.IsConst() {
		l, r = r, l // the result then has the order of axes that is wanted, and a weight is on the right
	}
	var batch, inner, rows, cols []rune
	for _, k := range inOrderOf(out, l.axes) {
		switch {
		case !slices.Contains(r.axes, k):
			rows = append(rows, k)
		case slices.Contains(need, k):
			batch = append(batch, k)
		}
	}
	for _, k := range r.axes { // in the order of the right, so that a weight stays as it is
		if slices.Contains(l.axes, k) && !slices.Contains(need, k) {
			inner = append(inner, k)
		}
	}
	for _, k := range inOrderOf(out, r.axes) {
		if !slices.Contains(l.axes, k) {
			cols = append(cols, k)
		}
	}
	l, r = x.order(l, join(batch, rows, inner)), x.order(r, join(batch, inner, cols))
	if len(inner) == 0 && (len(rows) == 0 || len(cols) == 0) { // nothing but products of numbers
		axes := join(batch, rows, cols)
		ones := func(t einsumTerm) *graph.Value { // as many axes, 1 long where it has none
			s := x.sizes(axes)
			for i, k := range axes {
				if !slices.Contains(t.axes, k) {
					s[i] = 1
				}
			}
			return x.reshape(t.v, s...)
		}
		return einsumTerm{x.b.Op("Mul", ones(l), ones(r)), axes}
	}
	m, k, n := prod(x.sizes(rows)), prod(x.sizes(inner)), prod(x.sizes(cols))
	var lead []int
	if len(batch) > 0 {
		lead = []int{prod(x.sizes(batch))}
	}
	y := x.b.Op("MatMul", x.reshape(l.v, join(lead, []int{m, k})...), x.reshape(r.v, join(lead, []int{k, n})...))
	axes := join(batch, rows, cols)
	return einsumTerm{x.shaped(y, axes), axes}
}

// inOrderOf gives the axes in the order of others, then those that others lack.
func inOrderOf(others, axes []rune) []rune {
	var out []rune
	for _, k := range others {
		if slices.Contains(axes, k) {
			out = append(out, k)
		}
	}
	for _, k := range axes {
		if !slices.Contains(others, k) {
			out = append(out, k)
		}
	}
	return out
}

func join[T any](xs ...[]T) []T { return slices.Concat(xs...) }
