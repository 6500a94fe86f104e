package op

import (
	"fmt"
	"math"

	"pare/graph"
	"pare/tensor"
)

// determinant is that of a matrix of n rows, which is overwritten, by
// elimination with row exchanges.
func determinant(a []float64, n int) float64 {
	d := 1.0
	for k := range n {
		p := k
		for i := k + 1; i < n; i++ {
			if math.Abs(a[i*n+k]) > math.Abs(a[p*n+k]) {
				p = i
			}
		}
		if a[p*n+k] == 0 {
			return 0
		}
		if p != k {
			for j := range n {
				a[k*n+j], a[p*n+j] = a[p*n+j], a[k*n+j]
			}
			d = -d
		}
		d *= a[k*n+k]
		for i := k + 1; i < n; i++ {
			f := a[i*n+k] / a[k*n+k]
			for j := k; j < n; j++ {
				a[i*n+j] -= f * a[k*n+j]
			}
		}
	}
	return d
}

// cofactors are the derivatives of the determinant by the elements.
func cofactors(out, a []float64, n int) {
	minor := make([]float64, (n-1)*(n-1))
	for r := range n {
		for c := range n {
			k := 0
			for i := range n {
				for j := range n {
					if i != r && j != c {
						minor[k] = a[i*n+j]
						k++
					}
				}
			}
			out[r*n+c] = determinant(minor, n-1)
			if (r+c)%2 == 1 {
				out[r*n+c] = -out[r*n+c]
			}
		}
	}
}

func squareOf(shape []int) (int, error) {
	r := len(shape)
	if r < 2 || shape[r-1] != shape[r-2] {
		return 0, fmt.Errorf("%v is not a square matrix, nor several", shape)
	}
	return shape[r-1], nil
}

var _ = register(
	Def{Name: "Det",
		Infer: func(c *Infer) error {
			x, err := c.ranked()
			if x == nil {
				return err
			}
			r := len(x.Shape)
			if r < 2 || x.Shape[r-1].Known() && x.Shape[r-2].Known() && x.Shape[r-1] != x.Shape[r-2] {
				return fmt.Errorf("%v is not a square matrix, nor several", x.Shape)
			}
			c.Out(0, x.DType, append(graph.Shape{}, x.Shape[:r-2]...))
			return nil
		},
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			k, err := squareOf(in[0].Shape)
			if err != nil {
				return nil, err
			}
			x, err := in[0].Float64s()
			if err != nil {
				return nil, err
			}
			y := make([]float64, prod(in[0].Shape[:in[0].Rank()-2]))
			for i := range y {
				y[i] = determinant(x[i*k*k:(i+1)*k*k], k)
			}
			return single(ofFloats(in[0].DType, in[0].Shape[:in[0].Rank()-2], y))
		},
		Grad: func(b *Builder, n *graph.Node, dy []*graph.Value) ([]*graph.Value, error) {
			return []*graph.Value{b.Op("Mul", b.Unsqueeze(dy[0], -2, -1), b.Pare("Cofactors", nil, n.In(0)))}, nil
		}},
	Def{Domain: graph.Pare, Name: "Cofactors", Infer: sameAs,
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			k, err := squareOf(in[0].Shape)
			if err != nil {
				return nil, err
			}
			x, err := floats(in[0])
			if err != nil {
				return nil, err
			}
			y := make([]float64, len(x))
			for i := 0; i < len(x); i += k * k {
				cofactors(y[i:i+k*k], x[i:i+k*k], k)
			}
			return single(ofFloats(in[0].DType, in[0].Shape, y))
		}},
)
