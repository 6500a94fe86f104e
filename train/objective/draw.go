package objective

import (
	"fmt"
	"math"
	"math/rand/v2"

	"pare/graph"
	"pare/graph/op"
)

// Draw is a loss whose gradient by the output stands for the curvature of a term that
// matches a teacher, at the teacher's own output, where the term has no gradient: the
// mean of the gradient times its transpose over noise is the Hessian of the term by the
// output, and so, by the parameters, the Gauss-Newton matrix. It is the sum of out times
// what the teacher gives the noise for. For a softmax or a sigmoid that is what it says
// less a class, or a yes or no, that is drawn from what it says: the gradient of the
// cross-entropy with the drawn one (the Fisher information; Martens 2020, arXiv
// 1412.1193, section 9.2). For squares it is the noise alone (Hutchinson 1990). noise has
// the shape of out, and holds what Noise makes.
func (t Term) Draw(b *op.Builder, out, teacher, noise *graph.Value) (*graph.Value, error) {
	p := t.Settings()
	n, ok := out.Shape.Size(0, len(out.Shape)), true
	if !n.Known() || n.Mul == 0 {
		return nil, fmt.Errorf("loss %s: output %q has shape %v, whose size is not known", t.Loss.Name, out.Name, out.Shape)
	}
	var c *graph.Value
	by, last := 0., len(out.Shape)-1
	switch t.Loss {
	case MatchKL:
		classes := out.Shape[1]
		if ok = classes.Known(); !ok {
			break
		}
		soft := times(b, teacher, 1/p.Num("temperature"))
		said := b.Attr("Softmax", []graph.Attr{graph.MakeAttr("axis", 1)}, soft)
		class := b.Attr("ArgMax", []graph.Attr{graph.MakeAttr("axis", 1), graph.MakeAttr("keepdims", 0)}, b.Op("Add", soft, noise))
		c, by = b.Op("Sub", said, oneHot(b, class, classes.Mul)), float64(classes.Mul)/float64(n.Mul)
	case MatchBCE:
		soft := times(b, teacher, 1/p.Num("temperature"))
		drawn := b.Op("Add", soft, noise)
		c, by = b.Op("Sub", b.Op("Sigmoid", soft), float(b, b.Op("Greater", drawn, b.Scalar(0, drawn)))), 1/float64(n.Mul)
	case MatchMSE:
		c, by = b.Op("Div", noise, b.Op("Sqrt", relativeTo(b, teacher))), 2/float64(n.Mul)
	case MatchCosine:
		if ok = out.Shape[last].Known(); !ok {
			break
		}
		u := b.Op("Div", teacher, norm(b, teacher, true))
		along := b.Op("Mul", u, b.Sum(b.Op("Mul", u, noise), true, last))
		c, by = b.Op("Div", b.Op("Sub", noise, along), norm(b, teacher, true)), float64(out.Shape[last].Mul)/float64(n.Mul)
	default:
		return nil, fmt.Errorf("loss %s matches no teacher: there is nothing to draw", t.Loss.Name)
	}
	if !ok {
		return nil, fmt.Errorf("loss %s: the classes of output %q, %v, must be known", t.Loss.Name, out.Name, out.Shape)
	}
	return times(b, total(b, b.Op("Mul", out, c)), math.Sqrt(t.Weight*by)), b.Err()
}

// Noise fills x with what Draw takes for noise: Gumbel's for a softmax, so that the
// largest sum is a class by its chance; the logistic's for a sigmoid; else the normal
// one.
func (t Term) Noise(r *rand.Rand, x []float32) {
	open := func() float64 { return (float64(r.Uint64()>>12) + .5) / (1 << 52) } // in (0,1)
	for i := range x {
		switch t.Loss {
		case MatchKL:
			x[i] = float32(-math.Log(-math.Log(open())))
		case MatchBCE:
			u := open()
			x[i] = float32(math.Log(u / (1 - u)))
		default:
			x[i] = float32(r.NormFloat64())
		}
	}
}
