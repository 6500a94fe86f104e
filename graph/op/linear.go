package op

import (
	"fmt"

	"pare/graph"
	"pare/tensor"
)

func transpose2(b *Builder, x *graph.Value) *graph.Value {
	r := len(x.Shape)
	p := make([]int, r)
	for i := range p {
		p[i] = i
	}
	p[r-1], p[r-2] = r-2, r-1
	return b.Attr("Transpose", []graph.Attr{graph.MakeAttr("perm", p)}, x)
}

// gemm adds op(a)*op(b).
func gemm(b *Builder, x, y *graph.Value, tx, ty int) *graph.Value {
	return b.Attr("Gemm", []graph.Attr{graph.MakeAttr("transA", tx), graph.MakeAttr("transB", ty)}, x, y)
}

func scaled(b *Builder, x *graph.Value, f float32) *graph.Value {
	if f == 1 {
		return x
	}
	return b.Op("Mul", x, b.Scalar(float64(f), x))
}

var _ = register(
	// Gemm: y = alpha*op(A)*op(B) + beta*C.
	Def{Name: "Gemm",
		Infer: func(c *Infer) error {
			a, w, err := c.rankedPair()
			if a == nil {
				return err
			}
			if len(a.Shape) != 2 || len(w.Shape) != 2 {
				return fmt.Errorf("factors %v and %v are not matrices", a.Shape, w.Shape)
			}
			ta, tb := c.Node.Int("transA", 0), c.Node.Int("transB", 0)
			k, l := a.Shape[1-ta], w.Shape[tb]
			if k.Known() && l.Known() && k != l {
				return fmt.Errorf("factors %v and %v do not agree (transA %d, transB %d)", a.Shape, w.Shape, ta, tb)
			}
			out := graph.Shape{a.Shape[ta], w.Shape[1-tb]}
			if s := c.Shape(2); s != nil {
				if m, err := broadcast(out, s); err != nil || len(m) != 2 {
					return fmt.Errorf("the addend %v does not broadcast to %v", s, out)
				}
			}
			c.Out(0, a.DType, out)
			return nil
		},
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			if in[0].Rank() != 2 || in[1].Rank() != 2 {
				return nil, fmt.Errorf("factors %v and %v are not matrices", in[0].Shape, in[1].Shape)
			}
			a, w, err := bothFloats(in[0], in[1])
			if err != nil {
				return nil, err
			}
			ta, tb := n.Int("transA", 0), n.Int("transB", 0)
			m, k, l := in[0].Shape[ta], in[0].Shape[1-ta], in[1].Shape[1-tb]
			if in[1].Shape[tb] != k {
				return nil, fmt.Errorf("factors %v and %v do not agree", in[0].Shape, in[1].Shape)
			}
			y := make([]float64, m*l)
			matmul(y, a, w, m, k, l, ta != 0, tb != 0)
			alpha, beta := float64(n.Float("alpha", 1)), float64(n.Float("beta", 1))
			for i := range y {
				y[i] *= alpha
			}
			if c := arg(in, 2); c != nil {
				cf, err := floats(c)
				if err != nil {
					return nil, err
				}
				if s, err := broadcastInts([]int{m, l}, c.Shape); err != nil || len(s) != 2 || s[0] != m || s[1] != l {
					return nil, fmt.Errorf("the addend %v does not broadcast to [%d %d]", c.Shape, m, l)
				}
				odometer([]int{m, l}, broadcastStrides(c.Shape, []int{m, l}), func(i, off int) { y[i] += beta * cf[off] })
			}
			return single(ofFloats(in[0].DType, []int{m, l}, y))
		},
		Grad: func(b *Builder, n *graph.Node, dy []*graph.Value) ([]*graph.Value, error) {
			a, w, d := n.In(0), n.In(1), scaled(b, dy[0], n.Float("alpha", 1))
			ta, tb := n.Int("transA", 0), n.Int("transB", 0)
			var da, dw, dc *graph.Value
			if ta == 0 {
				da = gemm(b, d, w, 0, 1-tb)
			} else {
				da = gemm(b, w, d, tb, 1)
			}
			if tb == 0 {
				dw = gemm(b, a, d, 1-ta, 0)
			} else {
				dw = gemm(b, d, a, 1, ta)
			}
			if c := n.In(2); c != nil {
				dc = sumTo(b, scaled(b, dy[0], n.Float("beta", 1)), c)
			}
			return []*graph.Value{da, dw, dc}, nil
		},
		MACs: func(n *graph.Node) int64 {
			a, ta := n.In(0).Shape, n.Int("transA", 0)
			y := n.Out(0).Shape
			return int64(y.Size(0, len(y)).Times(a[1-ta]).Mul)
		}},

	// MatMul: matrices in the last two axes, the others broadcast.
	Def{Name: "MatMul",
		Infer: func(c *Infer) error {
			a, w, err := c.rankedPair()
			if a == nil {
				return err
			}
			out, err := matmulShape(a.Shape, w.Shape)
			if err != nil {
				return err
			}
			c.Out(0, a.DType, out)
			return nil
		},
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			s, err := matmulShape(graph.Dims(in[0].Shape...), graph.Dims(in[1].Shape...))
			if err != nil {
				return nil, err
			}
			shape, _ := s.Ints()
			a, w, err := bothFloats(in[0], in[1])
			if err != nil {
				return nil, err
			}
			as, ws := in[0].Shape, in[1].Shape
			if len(as) == 1 {
				as = []int{1, as[0]}
			}
			if len(ws) == 1 {
				ws = []int{ws[0], 1}
			}
			m, k, l := as[len(as)-2], as[len(as)-1], ws[len(ws)-1]
			ba, bw := as[:len(as)-2], ws[:len(ws)-2]
			batch, err := broadcastInts(ba, bw)
			if err != nil {
				return nil, err
			}
			y := make([]float64, prod(shape))
			sa, sw := broadcastStrides(ba, batch), broadcastStrides(bw, batch)
			offW := make([]int, prod(batch))
			odometer(batch, sw, func(i, off int) { offW[i] = off })
			odometer(batch, sa, func(i, off int) {
				matmul(y[i*m*l:(i+1)*m*l], a[off*m*k:(off+1)*m*k], w[offW[i]*k*l:(offW[i]+1)*k*l], m, k, l, false, false)
			})
			return single(ofFloats(in[0].DType, shape, y))
		},
		Grad: func(b *Builder, n *graph.Node, dy []*graph.Value) ([]*graph.Value, error) {
			a, w, d := n.In(0), n.In(1), dy[0]
			if len(a.Shape) < 2 || len(w.Shape) < 2 {
				return vectorProductGrad(b, a, w, d)
			}
			if len(w.Shape) == 2 && len(a.Shape) > 2 {
				// one weight for all: a single product over the joined rows
				k, l := w.Shape[0], w.Shape[1]
				if !k.Known() || !l.Known() {
					return nil, fmt.Errorf("the weight's shape %v is not known", w.Shape)
				}
				rows := b.Op("Reshape", a, b.Ints(-1, k.Mul))
				drows := b.Op("Reshape", d, b.Ints(-1, l.Mul))
				da := b.Pare("ReshapeLike", nil, gemm(b, drows, w, 0, 1), a)
				return []*graph.Value{da, gemm(b, rows, drows, 1, 0)}, nil
			}
			return []*graph.Value{sumTo(b, b.Op("MatMul", d, transpose2(b, w)), a),
				sumTo(b, b.Op("MatMul", transpose2(b, a), d), w)}, nil
		},
		MACs: func(n *graph.Node) int64 {
			a, y := n.In(0).Shape, n.Out(0).Shape
			return int64(y.Size(0, len(y)).Times(a[len(a)-1]).Mul)
		}},
)

// vectorProductGrad is the gradient of MatMul where a is a row or w a column.
func vectorProductGrad(b *Builder, a, w, d *graph.Value) ([]*graph.Value, error) {
	if a.Shape == nil || w.Shape == nil {
		return nil, fmt.Errorf("the ranks of the factors are not known")
	}
	x, y := a, w
	if len(w.Shape) == 1 {
		y, d = b.Unsqueeze(w, 1), b.Unsqueeze(d, len(d.Shape))
	}
	if len(a.Shape) == 1 {
		x, d = b.Unsqueeze(a, 0), b.Unsqueeze(d, len(d.Shape)-1)
	}
	if b.Err() != nil {
		return nil, b.Err()
	}
	dx, dy := sumTo(b, b.Op("MatMul", d, transpose2(b, y)), x), sumTo(b, b.Op("MatMul", transpose2(b, x), d), y)
	if x != a {
		dx = b.Squeeze(dx, 0)
	}
	if y != w {
		dy = b.Squeeze(dy, 1)
	}
	return []*graph.Value{dx, dy}, nil
}

func matmulShape(a, w graph.Shape) (graph.Shape, error) {
	if len(a) == 0 || len(w) == 0 {
		return nil, fmt.Errorf("factors %v and %v: a factor must not be a scalar", a, w)
	}
	x, y := a, w
	if len(a) == 1 {
		x = graph.Shape{graph.N(1), a[0]}
	}
	if len(w) == 1 {
		y = graph.Shape{w[0], graph.N(1)}
	}
	k, l := x[len(x)-1], y[len(y)-2]
	if k.Known() && l.Known() && k != l {
		return nil, fmt.Errorf("factors %v and %v do not agree", a, w)
	}
	out, err := broadcast(x[:len(x)-2], y[:len(y)-2])
	if err != nil {
		return nil, fmt.Errorf("factors %v and %v: %w", a, w, err)
	}
	out = append(graph.Shape{}, out...)
	if len(a) > 1 {
		out = append(out, x[len(x)-2])
	}
	if len(w) > 1 {
		out = append(out, y[len(y)-1])
	}
	return out, nil
}

// matmul adds op(a)*op(b) to y[m,l], row-major.
func matmul(y, a, b []float64, m, k, l int, ta, tb bool) {
	for i := range m {
		row := y[i*l : (i+1)*l]
		for p := range k {
			x := 0.0
			if ta {
				x = a[p*m+i]
			} else {
				x = a[i*k+p]
			}
			if tb {
				for j := range row {
					row[j] += x * b[j*k+p]
				}
				continue
			}
			for j, v := range b[p*l : (p+1)*l] {
				row[j] += x * v
			}
		}
	}
}
