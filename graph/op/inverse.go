package op

import (
	"fmt"
	"math"

	"pare/graph"
	"pare/tensor"
)

// inverted is the inverse of a matrix of n rows, by elimination with partial pivoting.
func inverted(a []float64, n int) ([]float64, error) {
	a = append([]float64{}, a...)
	y := make([]float64, n*n)
	for i := range n {
		y[i*n+i] = 1
	}
	for c := range n {
		p := c
		for r := c + 1; r < n; r++ {
			if math.Abs(a[r*n+c]) > math.Abs(a[p*n+c]) {
				p = r
			}
		}
		if a[p*n+c] == 0 {
			return nil, fmt.Errorf("a matrix has no inverse")
		}
		for k := range n {
			a[c*n+k], a[p*n+k] = a[p*n+k], a[c*n+k]
			y[c*n+k], y[p*n+k] = y[p*n+k], y[c*n+k]
		}
		d := a[c*n+c]
		for k := range n {
			a[c*n+k], y[c*n+k] = a[c*n+k]/d, y[c*n+k]/d
		}
		for r := range n {
			if f := a[r*n+c]; r != c && f != 0 {
				for k := range n {
					a[r*n+k] -= f * a[c*n+k]
					y[r*n+k] -= f * y[c*n+k]
				}
			}
		}
	}
	return y, nil
}

// Inverse is that of each matrix of a stack. With Y = X^-1, dX = -Y' dY Y'.
var _ = register(Def{Domain: ContribDomain, Name: "Inverse",
	Infer: func(c *Infer) error {
		if s := c.Shape(0); s != nil && (len(s) < 2 || s[len(s)-1] != s[len(s)-2] && s[len(s)-1].Known() && s[len(s)-2].Known()) {
			return fmt.Errorf("%v are not square matrices", s)
		}
		return sameAs(c)
	},
	Eval: func(_ *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
		x, err := floats(in[0])
		if err != nil {
			return nil, err
		}
		n := in[0].Shape[in[0].Rank()-1]
		y := make([]float64, 0, len(x))
		for i := 0; i < len(x); i += n * n {
			one, err := inverted(x[i:i+n*n], n)
			if err != nil {
				return nil, err
			}
			y = append(y, one...)
		}
		return single(ofFloats(in[0].DType, in[0].Shape, y))
	},
	Grad: func(b *Builder, n *graph.Node, dy []*graph.Value) ([]*graph.Value, error) {
		t := transpose2(b, n.Out(0))
		return one(b.Op("Neg", b.Op("MatMul", b.Op("MatMul", t, dy[0]), t)))
	}})
