package op

import (
	"fmt"
	"strings"

	"pare/graph"
	"pare/tensor"
)

// Einsum multiplies its inputs and adds up over the indices that the equation
// names but its result lacks (Einstein's convention).

// equation is an Einsum with every index, those of ellipses too, by a letter.
type equation struct {
	in  [][]rune
	out []rune
}

func (e equation) String() string {
	var in []string
	for _, t := range e.in {
		in = append(in, string(t))
	}
	return strings.Join(in, ",") + "->" + string(e.out)
}

const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// parseEquation reads an equation for inputs of the given ranks.
func parseEquation(s string, ranks []int) (equation, error) {
	p := &equationParser{text: strings.ReplaceAll(s, " ", ""), used: map[rune]int{}}
	left, right, explicit := strings.Cut(p.text, "->")
	terms := strings.Split(left, ",")
	if len(terms) != len(ranks) {
		return p.e, fmt.Errorf("equation %q has %d terms for %d inputs", p.text, len(terms), len(ranks))
	}
	for _, r := range left + right {
		if strings.ContainsRune(letters, r) {
			p.used[r] = 0
		} else if r != ',' && r != '.' {
			return p.e, fmt.Errorf("equation %q has the character %q", p.text, r)
		}
	}
	if err := p.nameDots(terms, ranks); err != nil {
		return p.e, err
	}
	for i, t := range terms {
		k, err := p.term(t, ranks[i])
		if err != nil {
			return p.e, err
		}
		for _, r := range k {
			p.used[r]++
		}
		p.e.in = append(p.e.in, k)
	}
	if !explicit {
		p.e.out = p.implicit()
	} else if out, err := p.term(right, -1); err != nil {
		return p.e, err
	} else {
		p.e.out = out
	}
	seen := map[rune]bool{}
	for _, r := range p.e.out {
		if seen[r] || p.used[r] == 0 {
			return p.e, fmt.Errorf("the result of equation %q has index %q twice, or no input has it", p.text, r)
		}
		seen[r] = true
	}
	return p.e, nil
}

// equationParser is an equation while it is read.
type equationParser struct {
	text string
	e    equation
	used map[rune]int // how often the inputs have each letter of the equation
	dots []rune       // the letters of the ellipsis, that of the last axis last
}

// nameDots chooses letters for the axes of the widest ellipsis.
func (p *equationParser) nameDots(terms []string, ranks []int) error {
	wide := 0
	for i, t := range terms {
		if strings.Contains(t, "...") {
			wide = max(wide, ranks[i]-(len(t)-3))
		}
	}
	for _, r := range letters {
		if _, ok := p.used[r]; !ok && len(p.dots) < wide {
			p.dots = append(p.dots, r)
		}
	}
	if len(p.dots) < wide {
		return fmt.Errorf("equation %q needs more indices than there are letters", p.text)
	}
	return nil
}

// term reads the indices of an input, or those of the result (rank -1).
func (p *equationParser) term(t string, rank int) ([]rune, error) {
	before, after, has := strings.Cut(t, "...")
	if strings.Contains(before+after, ".") {
		return nil, fmt.Errorf("equation %q has a dot of its own", p.text)
	}
	out := []rune(before)
	if has {
		k := rank - len(before) - len(after)
		if rank < 0 {
			k = len(p.dots)
		}
		if k < 0 || k > len(p.dots) {
			return nil, fmt.Errorf("term %q of equation %q does not fit a rank of %d", t, p.text, rank)
		}
		out = append(out, p.dots[len(p.dots)-k:]...)
	}
	out = append(out, []rune(after)...)
	if rank >= 0 && len(out) != rank {
		return nil, fmt.Errorf("term %q of equation %q does not fit a rank of %d", t, p.text, rank)
	}
	return out, nil
}

// implicit is the result of an equation without an arrow: the ellipsis, then
// what occurs once, in alphabetical order.
func (p *equationParser) implicit() []rune {
	out := append([]rune(nil), p.dots...)
	for _, r := range letters {
		if p.used[r] == 1 && !strings.ContainsRune(string(p.dots), r) {
			out = append(out, r)
		}
	}
	return out
}

// Indices names every axis of an Einsum's inputs and of its result by a letter, those
// under an ellipsis too. It returns an error where the equation does not fit the inputs.
func Indices(n *graph.Node) (in [][]rune, out []rune, err error) {
	e, err := equationOf(n)
	return e.in, e.out, err
}

func equationOf(n *graph.Node) (equation, error) {
	ranks := make([]int, len(n.Inputs))
	for i, v := range n.Inputs {
		if v == nil || v.Shape == nil {
			return equation{}, fmt.Errorf("the rank of input %d is not known", i)
		}
		ranks[i] = len(v.Shape)
	}
	return parseEquation(n.Str("equation", ""), ranks)
}

// sizes gives the size of every index; one of 1 repeats.
func (e equation) sizes(shapes [][]int) (map[rune]int, error) {
	size := map[rune]int{}
	for i, t := range e.in {
		for d, r := range t {
			k := shapes[i][d]
			if old, ok := size[r]; ok && old != k && old != 1 && k != 1 {
				return nil, fmt.Errorf("index %q is %d and %d long in %v", r, old, k, e)
			} else if !ok || old == 1 {
				size[r] = k
			}
		}
	}
	return size, nil
}

// strides are those of a term over the indices in order: repeated indices walk
// along the diagonal.
func (e equation) strides(t []rune, shape []int, order []rune) []int {
	st, out := tensor.Strides(shape), make([]int, len(order))
	for d, r := range t {
		for k, o := range order {
			if o == r && shape[d] != 1 {
				out[k] += st[d]
			}
		}
	}
	return out
}

var _ = register(Def{Name: "Einsum",
	Infer: func(c *Infer) error {
		x, err := c.In(0)
		if err != nil {
			return err
		}
		e, err := equationOf(c.Node)
		if err != nil {
			for _, v := range c.Node.Inputs {
				if v == nil || v.Shape == nil {
					c.Out(0, x.DType, nil)
					return nil
				}
			}
			return err
		}
		size := map[rune]graph.Dim{}
		for i, t := range e.in {
			for d, r := range t {
				k := c.Node.Inputs[i].Shape[d]
				old, ok := size[r]
				if ok && old.Known() && k.Known() && old != k && old.Mul != 1 && k.Mul != 1 {
					return fmt.Errorf("index %q is %v and %v long in %v", r, old, k, e)
				}
				if !ok || old == graph.N(1) || !old.Known() && k.Known() && k.Mul != 1 {
					size[r] = k
				}
			}
		}
		out := graph.Shape{}
		for _, r := range e.out {
			out = append(out, size[r])
		}
		c.Out(0, x.DType, out)
		return nil
	},
	Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
		shapes, ranks := make([][]int, len(in)), make([]int, len(in))
		for i, t := range in {
			shapes[i], ranks[i] = t.Shape, t.Rank()
		}
		e, err := parseEquation(n.Str("equation", ""), ranks)
		if err != nil {
			return nil, err
		}
		size, err := e.sizes(shapes)
		if err != nil {
			return nil, err
		}
		var shape, summed []int
		order := append([]rune{}, e.out...)
		for _, r := range e.out {
			shape = append(shape, size[r])
		}
		for _, r := range letters {
			if k, ok := size[r]; ok && !strings.ContainsRune(string(e.out), r) {
				order, summed = append(order, r), append(summed, k)
			}
		}
		if shape == nil {
			shape = []int{}
		}
		out, err := alloc(in[0].DType, shape...)
		if err != nil {
			return nil, err
		}
		f, st := make([][]float64, len(in)), make([][]int, len(in))
		for i, t := range in {
			if f[i], err = floats(t); err != nil {
				return nil, err
			}
			st[i] = e.strides(e.in[i], t.Shape, order)
		}
		y := make([]float64, out.Len())
		at, idx, inner := make([]int, len(in)), make([]int, len(shape)), make([]int, len(summed))
		terms := prod(summed)
		for o := range y {
			unflatten(o, shape, idx)
			for s := range terms {
				unflatten(s, summed, inner)
				p := 1.0
				for i := range in {
					at[i] = 0
					for k, v := range idx {
						at[i] += v * st[i][k]
					}
					for k, v := range inner {
						at[i] += v * st[i][len(idx)+k]
					}
					p *= f[i][at[i]]
				}
				y[o] += p
			}
		}
		return single(out, fill(out, y))
	},
	Grad:      einsumGrad,
	Decompose: expandEinsum,
	MACs: func(n *graph.Node) int64 {
		e, err := equationOf(n)
		if err != nil || len(n.Inputs) < 2 {
			return 0
		}
		size, p := map[rune]graph.Dim{}, graph.N(1)
		for i, t := range e.in {
			for d, r := range t {
				if k := n.Inputs[i].Shape[d]; size[r] == (graph.Dim{}) || size[r] == graph.N(1) {
					size[r] = k
				}
			}
		}
		for _, k := range size {
			p = p.Times(k)
		}
		return int64(p.Mul)
	}})

// einsumGrad: the gradient by an input is an Einsum of that of the result and
// the other inputs.
func einsumGrad(b *Builder, n *graph.Node, dy []*graph.Value) ([]*graph.Value, error) {
	e, err := equationOf(n)
	if err != nil {
		return nil, err
	}
	out := make([]*graph.Value, len(n.Inputs))
	for i, x := range n.Inputs {
		g := equation{in: [][]rune{e.out}}
		args := []*graph.Value{dy[0]}
		have := map[rune]bool{}
		for _, r := range e.out {
			have[r] = true
		}
		for j, t := range e.in {
			if j == i {
				continue
			}
			g.in, args = append(g.in, t), append(args, n.Inputs[j])
			for _, r := range t {
				have[r] = true
			}
		}
		var alone []int // axes that were only added up, or are those of a diagonal
		seen, eye := map[rune]int{}, []*graph.Value{}
		for d, r := range e.in[i] {
			first, again := seen[r]
			if again {
				m, err := diagonalMask(b, x, first, d)
				if err != nil {
					return nil, err
				}
				eye, alone = append(eye, m), append(alone, d)
				continue
			}
			if seen[r] = d; have[r] {
				g.out = append(g.out, r)
			} else {
				alone = append(alone, d)
			}
		}
		d := b.Attr("Einsum", []graph.Attr{graph.MakeAttr("equation", g.String())}, args...)
		if alone != nil {
			d = b.Unsqueeze(d, alone...)
			d = b.Pare("BroadcastTo", nil, d, x)
		}
		for _, m := range eye {
			d = b.Op("Mul", d, m)
		}
		out[i] = sumTo(b, d, x)
	}
	return out, nil
}

// diagonalMask is 1 where the positions along two axes of x are the same, and 0
// elsewhere.
func diagonalMask(b *Builder, x *graph.Value, p, q int) (*graph.Value, error) {
	if !x.Shape[p].Known() || x.Shape[p] != x.Shape[q] {
		return nil, fmt.Errorf("the size of a diagonal of %v is not known", x.Shape)
	}
	k := x.Shape[p].Mul
	shape := make([]int, len(x.Shape))
	for d := range shape {
		shape[d] = 1
	}
	shape[p], shape[q] = k, k
	one := make([]float64, k*k)
	for i := range k {
		one[i*k+i] = 1
	}
	t, err := ofFloats(x.DType, shape, one)
	if err != nil {
		return nil, err
	}
	return b.Const(t), nil
}
