package op

import (
	"fmt"
	"math"

	"pare/graph"
	"pare/tensor"
)

// GridSample reads x [N C D1 …] at the places that grid [N O1 … rank] names,
// in numbers from -1 to 1, the last axis first (Jaderberg et al. 2015).

// GridTap is one place along one axis, or none (-1), its weight, and the
// derivative of the weight by the grid's number.
type GridTap struct {
	At   int
	W, D float64
}

// GridSampler is how a GridSample finds the places that it reads.

type GridSampler struct {
	mode, padding string
	corners       bool
}

// GridSamplerOf reads the attributes of a node.
func GridSamplerOf(n *graph.Node) (*GridSampler, error) {
	g := &GridSampler{mode: n.Str("mode", "linear"), padding: n.Str("padding_mode", "zeros"), corners: n.Int("align_corners", 0) != 0}
	switch g.mode {
	case "bilinear":
		g.mode = "linear"
	case "bicubic":
		g.mode = "cubic"
	case "linear", "cubic", "nearest":
	default:
		return nil, fmt.Errorf("unknown mode %q", g.mode)
	}
	if g.padding != "zeros" && g.padding != "border" && g.padding != "reflection" {
		return nil, fmt.Errorf("unknown padding_mode %q", g.padding)
	}
	return g, nil
}

// reflect folds x into [lo, hi]; sign is the derivative.
func reflect(x, lo, hi float64) (y, sign float64) {
	if hi <= lo {
		return lo, 0
	}
	p := math.Mod(x-lo, 2*(hi-lo))
	if p < 0 {
		p += 2 * (hi - lo)
	}
	if p > hi-lo {
		return hi - (p - (hi - lo)), -1
	}
	return lo + p, 1
}

// Taps adds to out the places along an axis of the given length for a number g of
// the grid.
func (s *GridSampler) Taps(g float64, length int, out []GridTap) []GridTap {
	l := float64(length)
	x, slope, lo, hi := ((g+1)*l-1)/2, l/2, -.5, l-.5
	if s.corners {
		x, slope, lo, hi = (g+1)/2*(l-1), (l-1)/2, 0, l-1
	}
	if s.mode == "nearest" {
		x = math.RoundToEven(x)
	}
	if !(x >= lo && x <= hi) {
		switch {
		case x != x:
			return out
		case s.padding == "border":
			x, slope = max(0, min(x, l-1)), 0
		case s.padding == "reflection":
			var sign float64
			x, sign = reflect(x, lo, hi)
			slope *= sign
		case x < -3 || x > l+2: // out of reach
			return out
		}
	}
	at := func(i float64) int {
		if i >= 0 && i <= l-1 {
			return int(i)
		}
		switch s.padding {
		case "border":
			return int(max(0, min(i, l-1)))
		case "reflection":
			y, _ := reflect(i, lo, hi)
			return int(max(0, min(y, l-1)))
		}
		return -1
	}
	i := math.Floor(x)
	f := x - i
	switch s.mode {
	case "nearest":
		return append(out, GridTap{at(i), 1, 0})
	case "linear":
		return append(out, GridTap{at(i), 1 - f, -slope}, GridTap{at(i + 1), f, slope})
	}
	k, d := keys(-.75), keysSlope(-.75)
	for j := -1; j <= 2; j++ {
		out = append(out, GridTap{at(i + float64(j)), k(f - float64(j)), d(f-float64(j)) * slope})
	}
	return out
}

// keysSlope is the derivative of keys.
func keysSlope(a float64) func(x float64) float64 {
	return func(x float64) float64 {
		sign := 1.0
		if x < 0 {
			x, sign = -x, -1
		}
		switch {
		case x <= 1:
			return sign * (3*(a+2)*x - 2*(a+3)) * x
		case x < 2:
			return sign * (3*a*x*x - 10*a*x + 8*a)
		}
		return 0
	}
}

// gridCase is the geometry of a GridSample.
type gridCase struct {
	*GridSampler
	n, c   int
	in     []int // spatial
	out    []int
	ni, no int
}

func gridOf(n *graph.Node, x, grid []int) (*gridCase, error) {
	s, err := GridSamplerOf(n)
	if err != nil {
		return nil, err
	}
	if len(x) < 3 || len(grid) != len(x) || grid[0] != x[0] || grid[len(grid)-1] != len(x)-2 {
		return nil, fmt.Errorf("input %v and grid %v do not go together", x, grid)
	}
	c := &gridCase{GridSampler: s, n: x[0], c: x[1], in: x[2:], out: grid[1 : len(grid)-1]}
	c.ni, c.no = prod(c.in), prod(c.out)
	return c, nil
}

// each visits for every place of the output all places of the input that it
// reads: batch, output place, input place, weight, and the derivatives of the
// weight by the numbers of the grid, the first axis first.
func (c *gridCase) each(grid []float64, f func(n, o, i int, w float64, d []float64)) {
	rank := len(c.in)
	axis := make([][]GridTap, rank)
	idx, d := make([]int, rank), make([]float64, rank)
	for n := range c.n {
		for o := range c.no {
			count := 1
			for k := range rank {
				axis[k] = c.Taps(grid[((n*c.no)+o)*rank+rank-1-k], c.in[k], nil)
				count *= len(axis[k])
			}
		taps:
			for t := range count {
				pos, w := 0, 1.0
				for k := rank - 1; k >= 0; k-- {
					idx[k] = t % len(axis[k])
					t /= len(axis[k])
				}
				for k := range rank {
					p := axis[k][idx[k]]
					if p.At < 0 {
						continue taps
					}
					pos = pos*c.in[k] + p.At
					w *= p.W
				}
				for k := range rank {
					d[k] = axis[k][idx[k]].D
					for j := range rank {
						if j != k {
							d[k] *= axis[j][idx[j]].W
						}
					}
				}
				f(n, o, pos, w, d)
			}
		}
	}
}

var _ = register(
	Def{Name: "GridSample",
		Infer: func(c *Infer) error {
			x, g, err := c.rankedPair()
			if x == nil {
				return err
			}
			if len(x.Shape) < 3 || len(g.Shape) != len(x.Shape) {
				return fmt.Errorf("input %v and grid %v do not go together", x.Shape, g.Shape)
			}
			c.Out(0, x.DType, append(append(graph.Shape{}, x.Shape[:2]...), g.Shape[1:len(g.Shape)-1]...))
			return nil
		},
		Fits: func(n *graph.Node, in [][]int) error {
			_, err := gridOf(n, in[0], in[1])
			return err
		},
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			c, err := gridOf(n, in[0].Shape, in[1].Shape)
			if err != nil {
				return nil, err
			}
			x, g, err := bothFloats(in[0], in[1])
			if err != nil {
				return nil, err
			}
			y := make([]float64, c.n*c.c*c.no)
			c.each(g, func(n, o, i int, w float64, _ []float64) {
				for k := range c.c {
					y[(n*c.c+k)*c.no+o] += w * x[(n*c.c+k)*c.ni+i]
				}
			})
			return single(ofFloats(in[0].DType, append([]int{c.n, c.c}, c.out...), y))
		},
		Grad: func(b *Builder, n *graph.Node, dy []*graph.Value) ([]*graph.Value, error) {
			return b.Node(graph.Pare, "GridSampleGrad", 2, []*graph.Value{dy[0], n.In(0), n.In(1)}, n.Attrs...).Outputs, nil
		}},

	// GridSampleGrad(dy, x, grid) gives dx and dgrid.
	Def{Domain: graph.Pare, Name: "GridSampleGrad",
		Infer: func(c *Infer) error {
			c.Out(0, c.DType(1), c.Shape(1))
			c.Out(1, c.DType(2), c.Shape(2))
			return nil
		},
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			c, err := gridOf(n, in[1].Shape, in[2].Shape)
			if err != nil {
				return nil, err
			}
			var f [3][]float64
			for i := range f {
				if f[i], err = floats(in[i]); err != nil {
					return nil, err
				}
			}
			if len(f[0]) != c.n*c.c*c.no {
				return nil, fmt.Errorf("gradient %v does not fit an output of %d elements", in[0].Shape, c.n*c.c*c.no)
			}
			dx, dg, rank := make([]float64, len(f[1])), make([]float64, len(f[2])), len(c.in)
			c.each(f[2], func(n, o, i int, w float64, d []float64) {
				for k := range c.c {
					u := f[0][(n*c.c+k)*c.no+o]
					at := (n*c.c+k)*c.ni + i
					dx[at] += w * u
					for a, v := range d {
						dg[(n*c.no+o)*rank+rank-1-a] += v * u * f[1][at]
					}
				}
			})
			a, err := ofFloats(in[1].DType, in[1].Shape, dx)
			if err != nil {
				return nil, err
			}
			b, err := ofFloats(in[2].DType, in[2].Shape, dg)
			return []*tensor.Tensor{a, b}, err
		}},

	// AffineGrid(theta [N r r+1], size) is the grid that GridSample reads for an
	// affine map of the places of an image of that size.
	Def{Name: "AffineGrid",
		Infer: func(c *Infer) error {
			th, err := c.In(0)
			if err != nil {
				return err
			}
			if d, ok := c.Contents(1); ok && len(d) > 2 {
				s := append(graph.Shape{d[0]}, d[2:]...)
				c.Out(0, th.DType, append(s, graph.N(len(d)-2)))
				return nil
			}
			c.Out(0, th.DType, nil)
			return nil
		},
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			size, err := intsOf(in[1])
			if err != nil {
				return nil, err
			}
			g, err := homogeneous(n, size)
			if err != nil {
				return nil, err
			}
			th, err := floats(in[0])
			if err != nil {
				return nil, err
			}
			r := len(size) - 2
			if in[0].Rank() != 3 || in[0].Shape[0] != size[0] || in[0].Shape[1] != r || in[0].Shape[2] != r+1 {
				return nil, fmt.Errorf("theta %v does not fit the size %v", in[0].Shape, size)
			}
			places := len(g) / (r + 1)
			y := make([]float64, size[0]*places*r)
			for b := range size[0] {
				matmul(y[b*places*r:(b+1)*places*r], g, th[b*r*(r+1):(b+1)*r*(r+1)], places, r+1, r, false, true)
			}
			return single(ofFloats(in[0].DType, append(append([]int{size[0]}, size[2:]...), r), y))
		},
		Decompose: func(b *Builder, n *graph.Node) ([]*graph.Value, error) {
			if !n.In(1).IsConst() {
				return nil, fmt.Errorf("the size is not known")
			}
			size, err := intsOf(n.In(1).Const)
			if err != nil {
				return nil, err
			}
			g, err := homogeneous(n, size)
			if err != nil {
				return nil, err
			}
			r := len(size) - 2
			t, err := ofFloats(n.In(0).DType, []int{1, len(g) / (r + 1), r + 1}, g)
			if err != nil {
				return nil, err
			}
			y := b.Op("MatMul", b.Const(t), transpose2(b, n.In(0)))
			return []*graph.Value{b.Op("Reshape", y, b.Ints(append(append([]int{size[0]}, size[2:]...), r)...))}, nil
		}},
)

// homogeneous lists the places of an image, each as its coordinates from -1
// to 1, the last axis first, and a one.
func homogeneous(n *graph.Node, size []int) ([]float64, error) {
	if len(size) < 3 {
		return nil, fmt.Errorf("size %v is not [N C H W] or [N C D H W]", size)
	}
	spatial, r := size[2:], len(size)-2
	places, ok := tensor.Size(spatial)
	if !ok || places > maxBytes/8/(r+1) {
		return nil, fmt.Errorf("a grid of %v is too large", spatial)
	}
	out, idx := make([]float64, places*(r+1)), make([]int, r)
	for p := range places {
		unflatten(p, spatial, idx)
		for a, i := range idx {
			l := float64(spatial[a])
			v := (2*float64(i)+1)/l - 1
			if n.Int("align_corners", 0) != 0 {
				v = 2*float64(i)/(l-1) - 1
			}
			out[p*(r+1)+r-1-a] = v
		}
		out[p*(r+1)+r] = 1
	}
	return out, nil
}
