package op

import (
	"math"

	"pare/graph"
	"pare/tensor"
)

// FoldNorms multiplies the scale of a BatchNormalization into the convolution
// that alone feeds it, as exporters do: w' = w*s, b' = (b-mean)*s + bias with
// s = scale/sqrt(var+eps). What it cannot fold stays as it is.
func FoldNorms(g *graph.Graph) error {
	uses := g.Uses()
	for _, n := range g.Nodes {
		if !n.Is("BatchNormalization") || n.Int("training_mode", 0) != 0 {
			continue
		}
		x := n.In(0)
		c := x.From
		if c == nil || !c.Is("Conv") || len(uses[x]) != 1 || g.IsOutput(x) || !c.In(1).IsConst() || c.In(2) != nil && !c.In(2).IsConst() {
			continue
		}
		var p [4][]float32
		ok := c.In(1).DType == tensor.Float32
		for i := range p {
			if v := n.In(i + 1); v.IsConst() && v.DType == tensor.Float32 {
				p[i] = v.Const.F32()
			} else {
				ok = false
			}
		}
		w := c.In(1).Const
		co := w.Shape[0]
		if !ok || len(p[0]) != co {
			continue
		}
		nw, nb := tensor.New(tensor.Float32, w.Shape...), tensor.New(tensor.Float32, co)
		per := w.Len() / max(co, 1)
		for o := range co {
			s := float64(p[0][o]) / math.Sqrt(float64(p[3][o])+float64(n.Float("epsilon", 1e-5)))
			row := nw.F32()[o*per:]
			for i, v := range w.F32()[o*per : (o+1)*per] {
				row[i] = float32(float64(v) * s)
			}
			b := 0.0
			if c.In(2) != nil {
				b = float64(c.In(2).Const.F32()[o])
			}
			nb.F32()[o] = float32((b-float64(p[2][o]))*s + float64(p[1][o]))
		}
		nv := g.Const(c.In(1).Name, nw, c.In(1).Role)
		if len(uses[c.In(1)]) == 1 { // patterns mean it by its name
			nv.Name, c.In(1).Name = c.In(1).Name, nv.Name
		}
		c.Inputs = []*graph.Value{x.From.In(0), nv, g.Const(n.In(2).Name, nb, n.In(2).Role)}
		y := n.Out(0)
		if g.IsOutput(y) {
			n.Op, n.Inputs, n.Attrs = "Identity", []*graph.Value{x}, nil
			n.Outputs = n.Outputs[:1]
			continue
		}
		g.ReplaceUses(y, x)
		uses[x] = uses[y]
	}
	g.Prune()
	return nil
}
