package op

import (
	"fmt"
	"slices"

	"pare/graph"
	"pare/tensor"
)

// RotaryEmbedding turns pairs of elements of each head by the angle of their
// position (Su et al. 2021). X is [B heads T d], or [B T heads*d].

type rotaryCase struct {
	b, heads, t, d int
	turned         int // elements of each head that turn
	packed         bool
	near           bool // pairs are neighbours, not halves apart
}

func rotaryOf(n *graph.Node, x []int) (*rotaryCase, error) {
	r := &rotaryCase{packed: len(x) == 3, near: n.Int("interleaved", 0) != 0}
	var err error
	if r.b, r.heads, r.t, r.d, err = attnDims(x, n.Int("num_heads", 0)); err != nil {
		return nil, err
	}
	if r.packed { // [B T heads*d]
		r.t = x[1]
	}
	if r.turned = n.Int("rotary_embedding_dim", 0); r.turned == 0 {
		r.turned = r.d
	}
	if r.turned < 0 || r.turned > r.d || r.turned%2 != 0 {
		return nil, fmt.Errorf("%d of the %d elements of a head are to turn", r.turned, r.d)
	}
	return r, nil
}

// pair is where the two elements of pair j are in a head.
func (r *rotaryCase) pair(j int) (int, int) {
	if r.near {
		return 2 * j, 2*j + 1
	}
	return j, j + r.turned/2
}

// row is the offset of a head in X.
func (r *rotaryCase) row(b, h, t int) int {
	if r.packed {
		return ((b*r.t+t)*r.heads + h) * r.d
	}
	return ((b*r.heads+h)*r.t + t) * r.d
}

// fits returns an error where caches, or positions, which may be nil, are not those of the
// samples.
func (r *rotaryCase) fits(cos, sin, ids []int) error {
	half := r.turned / 2
	switch {
	case !slices.Equal(cos, sin) || len(cos) == 0 || cos[len(cos)-1] != half:
		return fmt.Errorf("caches %v and %v, whose rows must have %d elements", cos, sin, half)
	case ids == nil && !slices.Equal(cos, []int{r.b, r.t, half}):
		return fmt.Errorf("cache %v, [%d %d %d] is needed where no positions are given", cos, r.b, r.t, half)
	case ids != nil && (len(cos) != 2 || !slices.Equal(ids, []int{r.b, r.t})):
		return fmt.Errorf("positions %v do not fit %d samples of %d steps", ids, r.b, r.t)
	}
	return nil
}

// angles gives the row of the caches for each sample and position.
func (r *rotaryCase) angles(cos, sin []int, ids *tensor.Tensor) ([]int, error) {
	var at []int
	if ids != nil {
		at = append([]int{}, ids.Shape...)
	}
	if err := r.fits(cos, sin, at); err != nil {
		return nil, err
	}
	out := make([]int, r.b*r.t)
	if ids == nil {
		for i := range out {
			out[i] = i
		}
		return out, nil
	}
	p, err := intsOf(ids)
	if err != nil {
		return nil, err
	}
	return p, wrapIndices(p, cos[0])
}

var _ = register(Def{Name: "RotaryEmbedding",
	Infer: func(c *Infer) error {
		for i := 1; i < 3; i++ {
			if _, err := c.In(i); err != nil {
				return err
			}
		}
		if s := c.Shape(0); s != nil && len(s) != 3 && len(s) != 4 {
			return fmt.Errorf("input %v must be of rank 3 or 4", s)
		}
		return sameAs(c)
	},
	Fits: func(n *graph.Node, in [][]int) error {
		r, err := rotaryOf(n, in[0])
		if err != nil {
			return err
		}
		var ids []int
		if len(in) > 3 {
			ids = in[3]
		}
		return r.fits(in[1], in[2], ids)
	},
	Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
		r, err := rotaryOf(n, in[0].Shape)
		if err != nil {
			return nil, err
		}
		rows, err := r.angles(in[1].Shape, in[2].Shape, arg(in, 3))
		if err != nil {
			return nil, err
		}
		var f [3][]float64
		for i := range f {
			if f[i], err = in[i].Float64s(); err != nil {
				return nil, err
			}
		}
		x, half := f[0], r.turned/2
		for i, row := range rows {
			for h := range r.heads {
				v := x[r.row(i/r.t, h, i%r.t):]
				for j := range half {
					p, q := r.pair(j)
					c, s := f[1][row*half+j], f[2][row*half+j]
					v[p], v[q] = c*v[p]-s*v[q], s*v[p]+c*v[q]
				}
			}
		}
		return single(ofFloats(in[0].DType, in[0].Shape, x))
	},
	Decompose: func(b *Builder, n *graph.Node) ([]*graph.Value, error) {
		shape, ok := n.In(0).Shape.Ints()
		if !ok {
			return nil, fmt.Errorf("the shape %v is not known", n.In(0).Shape)
		}
		r, err := rotaryOf(n, shape)
		if err != nil {
			return nil, err
		}
		x := n.In(0)
		swap := []graph.Attr{graph.MakeAttr("perm", []int{0, 2, 1, 3})}
		if r.packed {
			x = b.Op("Reshape", x, b.Ints(r.b, r.t, r.heads, r.d))
		} else {
			x = b.Attr("Transpose", swap, x)
		}
		cache := func(i int) *graph.Value {
			v := n.In(i)
			if ids := n.In(3); ids != nil {
				v = b.Op("Gather", v, ids)
			}
			return b.Unsqueeze(v, 2)
		}
		cos, sin := cache(1), cache(2)
		y := r.write(b, x, cos, sin)
		if r.packed {
			return []*graph.Value{b.Op("Reshape", y, b.Ints(shape...))}, nil
		}
		return []*graph.Value{b.Attr("Transpose", swap, y)}, nil
	}})

// write turns x [batch length heads size] by cos and sin, [batch length 1 pairs].
func (r *rotaryCase) write(b *Builder, x, cos, sin *graph.Value) *graph.Value {
	at := make([][]int, 3) // first and second of each pair, and the rest
	for j := range r.turned / 2 {
		p, q := r.pair(j)
		at[0], at[1] = append(at[0], p), append(at[1], q)
	}
	for k := r.turned; k < r.d; k++ {
		at[2] = append(at[2], k)
	}
	last := []graph.Attr{graph.MakeAttr("axis", 3)}
	pick := func(k []int) *graph.Value { return b.Attr("Gather", last, x, b.Ints(k...)) }
	u, v := pick(at[0]), pick(at[1])
	parts := []*graph.Value{b.Op("Sub", b.Op("Mul", cos, u), b.Op("Mul", sin, v)), b.Op("Add", b.Op("Mul", sin, u), b.Op("Mul", cos, v))}
	if at[2] != nil {
		parts = append(parts, pick(at[2]))
	}
	// back into the order of the elements
	back := make([]int, r.d)
	for k, p := range append(append(append([]int{}, at[0]...), at[1]...), at[2]...) {
		back[p] = k
	}
	return b.Attr("Gather", last, b.Attr("Concat", last, parts...), b.Ints(back...))
}
