package tickets

import (
	_ "embed"

	"context"
	"fmt"

	"pare/graph"
	"pare/measure"
	"pare/prune"
)

// Distance is how far trained weights are apart: L2 norm and angle in radians.
type Distance struct {
	L2    float64 `json:"l2"`
	Angle float64 `json:"angle"`
}

// StabilityOutcome is how stable training under a mask is, from the weights of a step
// on (Frankle, Dziugaite, Roy, Carbin 2019, section 3).
type StabilityOutcome struct {
	Order Distance `json:"order"` // D_O: between orders of the samples, mean over pairs
	Prune Distance `json:"prune"` // D_P: to the dense network, in the job's order
}

// Stability is such an outcome with a network that it was measured on.
type Stability struct {
	StabilityOutcome
	Result *graph.Graph // trained in the job's order
}

// Stabilities are those of the ticket and of a random mask of its layer counts, over
// a number of orders. The job's network is the trained ticket.
func (p *IMP) Stabilities(ctx context.Context, orders int) (ticket, random *Stability, err error) {
	dense, _ := p.Graph.Clone(true)
	if err := p.start.Restore(dense); err != nil {
		return nil, nil, err
	}
	all, err := p.on(dense, prune.Dense(p.ws))
	if err != nil {
		return nil, nil, err
	}
	if _, err := p.fit(ctx, dense, all, p.at, 0); err != nil {
		return nil, nil, err
	}
	if ticket, err = p.stability(ctx, dense, p.Graph, p.Masks, orders); err != nil {
		return nil, nil, err
	}
	g, m, err := p.replaced("random")
	if err != nil {
		return nil, nil, err
	}
	for l := range m.Mask {
		if a, b := p.Masks.Mask[l].Count(), m.Mask[l].Count(); a != b {
			return nil, nil, fmt.Errorf("%s: masks of %d and %d weights have no comparable distances", p.ws[l].Name, a, b)
		}
	}
	if _, err := p.fit(ctx, g, m, p.at, 0); err != nil {
		return nil, nil, err
	}
	random, err = p.stability(ctx, dense, g, m, orders)
	return ticket, random, err
}

// stability trains under a mask in other orders than the job's, in which g was
// trained.
func (p *IMP) stability(ctx context.Context, dense, g *graph.Graph, m *prune.Masks, orders int) (*Stability, error) {
	s := &Stability{Result: g}
	var runs [][][]float32
	for i := range orders {
		c := g
		if i > 0 {
			c, _ = g.Clone(true)
			if err := p.start.Restore(c); err != nil {
				return nil, err
			}
			on, err := p.on(c, m)
			if err != nil {
				return nil, err
			}
			if _, err := p.fit(ctx, c, on, p.at, p.OtherSeed(i)); err != nil {
				return nil, err
			}
		}
		w, err := p.kept(c, m)
		if err != nil {
			return nil, err
		}
		for _, v := range runs {
			d, a, err := measure.Distance(v, w)
			if err != nil {
				return nil, err
			}
			pairs := float64(orders * (orders - 1) / 2)
			s.Order.L2, s.Order.Angle = s.Order.L2+d/pairs, s.Order.Angle+a/pairs
		}
		runs = append(runs, w)
	}
	w, err := p.kept(dense, m)
	if err == nil {
		s.Prune.L2, s.Prune.Angle, err = measure.Distance(runs[0], w)
	}
	return s, err
}

// kept are the weights of a network under a mask.
func (p *IMP) kept(g *graph.Graph, m *prune.Masks) ([][]float32, error) {
	ws, err := p.set.Weights(g)
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

func (s *Stability) String() string {
	return fmt.Sprintf("D_O %.4g (%.3f rad), D_P %.4g (%.3f rad)", s.Order.L2, s.Order.Angle, s.Prune.L2, s.Prune.Angle)
}
