package search

import (
	"slices"

	"pare/graph"
	"pare/graph/op"
	"pare/prune/structure"
	"pare/tensor"
)

// mix puts mixtures of widths into a copy of the supernet. Where channels cannot be
// interpolated, they are multiplied, wherever they are read, by the shares of the widths
// that have them; where channels that are zero need not be zero any more when they are read,
// they are multiplied by 0 there. It gives scale and shift of the normalisation before
// each mixture.
func (h *shaping) mix(c *graph.Graph, batch int) (gamma, beta [][]float32, err error) {
	type site struct {
		width int
		y     *graph.Value
		norm  *graph.Node
	}
	groups, _ := structure.Groups(c)
	uses := c.Uses()
	var todo []site
	gates, columns := slices.Repeat([]int{-1}, len(groups)), 0
	h.masked, h.first = make([]bool, len(h.net.Widths)), slices.Repeat([]int{-1}, len(h.net.Widths))
	for w, of := range h.net.Widths {
		grp := groups[of.Group]
		at, norms, ok := mixable(c, grp, uses)
		h.masked[w] = !ok
		if !ok || leaks(c, grp, at) {
			h.first[w], gates[of.Group] = columns, columns
			columns += len(grp.Channels)
		}
		for k, y := range at {
			todo = append(todo, site{w, y, norms[k]})
		}
	}
	if columns > 0 {
		_, n := c.Batch(batch)
		if h.gates, err = structure.Gate(c, groups, gates, tensor.From(slices.Repeat([]float32{1}, n*(columns+1)), n, columns+1)); err != nil {
			return nil, nil, err
		}
	}
	for _, t := range todo {
		var scale, shift []float32
		if t.norm != nil {
			scale, shift = t.norm.In(1).Const.F32(), t.norm.In(2).Const.F32()
		}
		p, err := put(c, t.width, h.net.Widths[t.width].Choices[len(h.net.Widths[t.width].Choices)-1], t.y, t.norm)
		if err != nil {
			return nil, nil, err
		}
		h.mixes, gamma, beta = append(h.mixes, p), append(gamma, scale), append(beta, shift)
	}
	return gamma, beta, nil
}

// deepen lets what is behind a stage read the sum of what stands behind so many blocks, each
// times its share; m are the copy's values.
func (h *shaping) deepen(c *graph.Graph, m map[*graph.Value]*graph.Value) error {
	for _, st := range h.net.Stages {
		last := m[st.Points[len(st.Points)-1]]
		uses := c.Uses()[last]
		b := op.NewBuilder(c, last.Name+"/depth")
		var sum *graph.Value
		for _, d := range st.Choices {
			x := m[st.Points[d-1]]
			q := c.Const(last.Name+"/depth.share", tensor.New(tensor.Float32, 1), graph.Param)
			h.depths = append(h.depths, q)
			y := b.Op("Mul", x, q)
			if sum == nil {
				sum = y
			} else {
				sum = b.Op("Add", sum, y)
			}
		}
		if err := b.Err(); err != nil {
			return err
		}
		for _, u := range uses {
			u.Node.Inputs[u.Index] = sum
		}
	}
	return nil
}
