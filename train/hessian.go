package train

import (
	"fmt"

	"pare/dataset"
	"pare/engine"
	"pare/graph"
	"pare/graph/op"
	"pare/tensor"
)

// Hessian is a Step that multiplies, beside loss and gradients, the Hessian of
// the batch's loss by a vector: Run puts H*Vector into Product. The product is the
// gradient of the gradient's inner product with the vector (Pearlmutter 1994),
// not a difference. Both have an entry for each parameter that the Hessian is
// taken by; the other parameters are held.
type Hessian struct {
	*Step
	Vector, Product [][]float32
}

// NewHessian plans the products by the parameters of.
func NewHessian(g *graph.Graph, batch int, l Loss, of []*graph.Value, opt engine.Options) (*Hessian, error) {
	return newHessian(g, nil, batch, l, of, opt)
}

func newHessian(g *graph.Graph, set *dataset.Set, batch int, l Loss, of []*graph.Value, opt engine.Options) (*Hessian, error) {
	var vectors, products []*graph.Value
	s, err := newStep(g, set, batch, l, opt, func(c *graph.Graph, in, grad map[*graph.Value]*graph.Value) ([]*graph.Value, error) {
		b := op.NewBuilder(c, "hessian")
		var dot *graph.Value
		var by, want []*graph.Value
		for i, p := range of {
			v := &graph.Value{Name: c.Fresh(fmt.Sprintf("vector/%d", i)), DType: tensor.Float32, Shape: p.Shape}
			vectors, by = append(vectors, v), append(by, in[p])
			c.Inputs = append(c.Inputs, v)
			if grad[p] == nil {
				continue
			}
			axes := make([]int, len(p.Shape))
			for k := range axes {
				axes[k] = k
			}
			d := b.Sum(b.Op("Mul", grad[p], v), false, axes...)
			if dot != nil {
				d = b.Op("Add", dot, d)
			}
			dot = d
		}
		if dot == nil {
			return nil, fmt.Errorf("the loss depends on none of the %d parameters that its Hessian is taken by", len(of))
		}
		if err := b.Err(); err != nil {
			return nil, err
		}
		var err error
		if products, err = op.Gradient(c, dot, nil, by); err != nil {
			return nil, fmt.Errorf("second derivatives: %w", err)
		}
		for _, v := range products {
			if v != nil {
				want = append(want, v)
			}
		}
		return want, nil
	})
	if err != nil {
		return nil, err
	}
	h := &Hessian{Step: s}
	for i, v := range vectors {
		h.Vector = append(h.Vector, s.prog.Input(v.Name).F32())
		if p := products[i]; p != nil {
			h.Product = append(h.Product, s.prog.Value(p).F32())
		} else {
			h.Product = append(h.Product, make([]float32, of[i].Const.Len()))
		}
	}
	return h, nil
}
