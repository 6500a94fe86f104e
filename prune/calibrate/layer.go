package calibrate

import (
	"context"
	"fmt"
	"slices"

	"pare/graph"
	"pare/graph/op"
	"pare/prune"
)

// Layer is a weight with the nodes that multiply by it, in their order.
type Layer struct {
	Weight *prune.Weight
	Sites  []*Site
}

// Layers lists the weights that can be calibrated: factors of a Conv, a Gemm, a MatMul or
// an Einsum, in the order in which the network reaches them. What is left out, and why,
// goes with them.
func Layers(g *graph.Graph, ws []*prune.Weight) ([]*Layer, []prune.Skip) {
	sites := map[*graph.Value][]op.Site{}
	for _, s := range op.Sites(g) {
		if s.Part.Prunable() {
			sites[s.Value] = append(sites[s.Value], s)
		}
	}
	var out []*Layer
	var skips []prune.Skip
next:
	for _, w := range ws {
		l := &Layer{Weight: w}
		for _, at := range sites[w.Value] {
			s, why := siteOf(at)
			if why != "" {
				skips = append(skips, prune.Skip{Name: w.Name, Len: w.Len(), Why: why})
				continue next
			}
			l.Sites = append(l.Sites, s)
		}
		if len(l.Sites) == 0 {
			skips = append(skips, prune.Skip{Name: w.Name, Len: w.Len(), Why: "is no factor of a product that is reached"})
			continue
		}
		out = append(out, l)
	}
	place := make(map[*graph.Node]int, len(g.Nodes))
	for i, n := range g.Nodes {
		place[n] = i
	}
	slices.SortStableFunc(out, func(a, b *Layer) int { return place[a.Sites[0].Node] - place[b.Sites[0].Node] })
	return out, skips
}

// TooLarge says why the second moments of a layer's inputs are not summed up; "" where
// they are.
func (o Options) TooLarge(l *Layer) string {
	cols := l.Weight.FanIn()
	if bytes := 8 * cols * cols; bytes > float64(o.moments()) {
		return fmt.Sprintf("has %.0f inputs, whose second moments take %.3g bytes, more than the %d that are allowed", cols, bytes, o.moments())
	}
	return ""
}

// Inputs sums up what goes into a layer over all samples, by the layer's groups, and
// leaves the walk before the layer's first node. whole: all second moments; else those of
// each column alone.
func (l *Layer) Inputs(ctx context.Context, w *Walk, whole bool) ([]*Moments, error) {
	var want []*graph.Value
	for _, s := range l.Sites {
		want = append(want, s.X())
	}
	v := w.View(want, l.Sites[0].Node)
	defer v.Close()
	sum := &sums{opt: w.opt, whole: whole}
	defer sum.close()
	for b := range w.Batches() {
		values, err := v.Run(ctx, b)
		if err != nil {
			return nil, err
		}
		for i, s := range l.Sites {
			x := values[i]
			y, err := s.out(x.Shape)
			if err != nil {
				return nil, err
			}
			p, err := s.product(x.Shape, y)
			if err != nil {
				return nil, err
			}
			if err := sum.add(p, x.F32(), nil); err != nil {
				return nil, fmt.Errorf("%s: %w", l.Weight.Name, err)
			}
		}
	}
	return sum.of, sum.check(l.Weight.Name)
}

// Place gives where the entries of a group's matrix [outs, cols] are in the weight.
func (l *Layer) Place(x, y []int) (groups, outs, cols int, at func(g, o, k int) int, err error) {
	p, err := l.Sites[0].product(x, y)
	if err != nil {
		return 0, 0, 0, nil, err
	}
	return p.groups, p.outs, p.cols, p.at, nil
}
