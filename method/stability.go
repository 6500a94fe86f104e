package method

import (
	"context"
	"fmt"

	"pare/graph"
	"pare/measure"
	"pare/prune"
)

// distance is how far trained weights are apart: L2 norm and angle in radians.
type distance struct{ l2, angle float64 }

// stability is that of training under a mask, from the weights of a step on
// (Frankle, Dziugaite, Roy, Carbin 2019, section 3).
type stability struct {
	order  distance     // D_O: between orders of the samples, mean over pairs
	prune  distance     // D_P: to the dense network, in the job's order
	result *graph.Graph // trained in the job's order
}

// stabilities are those of the ticket and of a random mask of its layer counts, over
// so many orders. The job's network is the trained ticket.
func (h *hunt) stabilities(ctx context.Context, orders int) (ticket, random *stability, err error) {
	dense, _ := h.Graph.Clone(true)
	if err := h.start.Restore(dense); err != nil {
		return nil, nil, err
	}
	all, err := h.on(dense, prune.Dense(h.ws))
	if err != nil {
		return nil, nil, err
	}
	if _, err := h.fit(ctx, dense, all, h.at, 0); err != nil {
		return nil, nil, err
	}
	if ticket, err = h.stability(ctx, dense, h.Graph, h.masks, orders); err != nil {
		return nil, nil, err
	}
	g, m, err := h.spoil("random")
	if err != nil {
		return nil, nil, err
	}
	for l := range m.Mask {
		if a, b := h.masks.Mask[l].Count(), m.Mask[l].Count(); a != b {
			return nil, nil, fmt.Errorf("%s: masks of %d and %d weights have no comparable distances", h.ws[l].Name, a, b)
		}
	}
	if _, err := h.fit(ctx, g, m, h.at, 0); err != nil {
		return nil, nil, err
	}
	random, err = h.stability(ctx, dense, g, m, orders)
	return ticket, random, err
}

// stability trains under a mask in other orders than the job's, in which g was
// trained.
func (h *hunt) stability(ctx context.Context, dense, g *graph.Graph, m *prune.Masks, orders int) (*stability, error) {
	s := &stability{result: g}
	var runs [][][]float32
	for i := range orders {
		c := g
		if i > 0 {
			c, _ = g.Clone(true)
			if err := h.start.Restore(c); err != nil {
				return nil, err
			}
			on, err := h.on(c, m)
			if err != nil {
				return nil, err
			}
			if _, err := h.fit(ctx, c, on, h.at, h.Seed+uint64(i)*otherSeed); err != nil {
				return nil, err
			}
		}
		w, err := h.kept(c, m)
		if err != nil {
			return nil, err
		}
		for _, v := range runs {
			d, a, err := measure.Distance(v, w)
			if err != nil {
				return nil, err
			}
			pairs := float64(orders * (orders - 1) / 2)
			s.order.l2, s.order.angle = s.order.l2+d/pairs, s.order.angle+a/pairs
		}
		runs = append(runs, w)
	}
	w, err := h.kept(dense, m)
	if err == nil {
		s.prune.l2, s.prune.angle, err = measure.Distance(runs[0], w)
	}
	return s, err
}

// kept are the weights of a network under a mask.
func (h *hunt) kept(g *graph.Graph, m *prune.Masks) ([][]float32, error) {
	ws, err := h.set.weights(g)
	if err != nil {
		return nil, err
	}
	var out [][]float32
	for l, w := range ws {
		x := append([]float32{}, w.Data()...)
		m.Mask[l].Apply(x)
		out = append(out, x)
	}
	return out, nil
}

func (s *stability) String() string {
	return fmt.Sprintf("D_O %.4g (%.3f rad), D_P %.4g (%.3f rad)", s.order.l2, s.order.angle, s.prune.l2, s.prune.angle)
}
