package measure

import (
	"context"
	"fmt"
	"math"

	"pare/dataset"
	"pare/engine"
	"pare/graph"
	"pare/train"
)

// Interpolate writes (1-a)*x + a*y into the weights and running statistics of
// dst. The three are of one architecture; it returns an error where they are not.
func Interpolate(dst, x, y *graph.Graph, a float64) error {
	xs, ys := byName(x), byName(y)
	for _, v := range dst.Consts() {
		if v.Role == graph.Frozen || v.Role == graph.Packed {
			continue
		}
		p, q := xs[v.Name], ys[v.Name]
		if p == nil || q == nil || !p.Shape.Equal(v.Shape) || !q.Shape.Equal(v.Shape) || p.Const.F32() == nil || q.Const.F32() == nil || v.Const.F32() == nil {
			return fmt.Errorf("weight %q has no counterpart of its shape %v: only networks of one architecture can be joined", v.Name, v.Shape)
		}
		w, q32 := v.Const.F32(), q.Const.F32()
		for i, b := range p.Const.F32() {
			w[i] = float32((1-a)*float64(b) + a*float64(q32[i]))
		}
	}
	return nil
}

func byName(g *graph.Graph) map[string]*graph.Value {
	out := map[string]*graph.Value{}
	for _, v := range g.Consts() {
		out[v.Name] = v
	}
	return out
}

// Line is the share of a labelled set that networks on the straight line from x
// to y get wrong, at a number of evenly spaced points. The statistics of batch
// normalisation are estimated anew at each, from the set in its own order: those of
// the ends belong to none of them. It returns an error for fewer than 3 points, or
// less than one batch of samples.
func Line(ctx context.Context, x, y *graph.Graph, points int, set *dataset.Set, norm dataset.Norm, batch int, opt engine.Options) ([]float64, error) {
	return line(ctx, x, y, points, set, norm, batch, opt, true)
}

// LineAsIs is Line with the statistics of batch normalisation on the line too: what it
// makes of them is told by the difference.
func LineAsIs(ctx context.Context, x, y *graph.Graph, points int, set *dataset.Set, norm dataset.Norm, batch int, opt engine.Options) ([]float64, error) {
	return line(ctx, x, y, points, set, norm, batch, opt, false)
}

func line(ctx context.Context, x, y *graph.Graph, points int, set *dataset.Set, norm dataset.Norm, batch int, opt engine.Options, anew bool) ([]float64, error) {
	if points < 3 {
		return nil, fmt.Errorf("%d points on a line between networks: at least 3 are needed", points)
	}
	if set == nil || set.Len() < batch {
		return nil, fmt.Errorf("a line between networks is measured on training data, at least one batch of %d samples", batch)
	}
	g, _ := x.Clone(true)
	normed := false
	for _, n := range g.Nodes {
		normed = normed || anew && n.Is("BatchNormalization")
	}
	var out []float64
	for i := range points {
		if err := Interpolate(g, x, y, float64(i)/float64(points-1)); err != nil {
			return nil, err
		}
		if normed {
			l := &dataset.Loader{Set: set, Size: batch, Norm: norm}
			if err := train.Recalibrate(ctx, g, train.NewData(l), l.Steps(), opt); err != nil {
				return nil, err
			}
		}
		m, err := train.NewEval(set, norm, batch, opt).Run(ctx, g)
		if err != nil {
			return nil, err
		}
		out = append(out, m.Wrong())
	}
	return out, nil
}

// Connectivity is the linear mode connectivity of two networks whose errors
// along the line between them are e (Zhou et al. 2023, arXiv 2305.18383):
//
//	LMC = Ebar - E(a*), Ebar = (E(0)+E(1))/2, a* = argmax |Ebar - E(a)|
//
// and the number of the point a*. Near 0 the two are connected; below, there is a
// barrier between them; above, a better network. At an end it is half the
// difference of the ends: noise, no barrier.
func Connectivity(e []float64) (lmc float64, at int) {
	mean := (e[0] + e[len(e)-1]) / 2
	for i, x := range e {
		if math.Abs(mean-x) > math.Abs(mean-e[at]) {
			at = i
		}
	}
	return mean - e[at], at
}
