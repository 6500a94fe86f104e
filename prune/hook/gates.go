package hook

import (
	"fmt"
	"slices"

	"pare/train"
)

// Gates multiply parts of a network by factors while it trains: every entry θ of some
// weights has one, or more, of the factors m, and forward and backward see θ Π m, as does
// whoever reads the network between steps. The optimiser moves θ by the gradient that goes
// through the factors,
//
//	dL/dθ = Π m × dL/d(θ Π m),  dL/dm = Σ θ × (the other factors) × dL/d(θ Π m)
//
// On the weights that read a channel that is a gate on the channel: at 0 it could be cut. A
// hook that learns the factors calls Begin in Start, Backward in AfterGrad, and Moved and
// Forward in AfterStep.
type Gates struct {
	On []Gated
	M  []float64 // the factors
	D  []float64 // their gradient, after Backward

	theta [][]float32 // by parameter
	of    []gatedParam
}

// Gated is a weight, and which factor each of its entries has; -1: none.
type Gated struct {
	Name   string
	Factor []int32
}

// gatedParam is a parameter with the factors of its entries: of each Gated that names it.
type gatedParam struct {
	*train.Param
	by [][]int32
}

// Begin finds the weights and multiplies them. It returns an error where one is not trained.
func (g *Gates) Begin(r *train.Run) error {
	if err := g.find(r); err != nil {
		return err
	}
	g.D = make([]float64, len(g.M))
	if g.theta == nil {
		for _, p := range g.of {
			g.theta = append(g.theta, slices.Clone(p.W))
		}
	}
	g.Forward()
	return nil
}

func (g *Gates) find(r *train.Run) error {
	g.of = g.of[:0]
	for _, on := range g.On {
		p := r.Param(on.Name)
		if p == nil || len(p.W) != len(on.Factor) {
			return fmt.Errorf("weight %q is gated but not trained", on.Name)
		}
		if k := slices.IndexFunc(g.of, func(o gatedParam) bool { return o.Param == p }); k >= 0 {
			g.of[k].by = append(g.of[k].by, on.Factor)
		} else {
			g.of = append(g.of, gatedParam{p, [][]int32{on.Factor}})
		}
	}
	return nil
}

// Forward writes θ Π m, by the factors as they are now, where the network reads it.
func (g *Gates) Forward() {
	for k, p := range g.of {
		copy(p.W, g.theta[k])
		for _, by := range p.by {
			for i, f := range by {
				if f >= 0 {
					p.W[i] *= float32(g.M[f])
				}
			}
		}
	}
}

// Backward writes the gradient of the factors to D, and hands θ with its own gradient to
// the optimiser.
func (g *Gates) Backward() {
	clear(g.D)
	for k, p := range g.of {
		theta := g.theta[k]
		for n, by := range p.by {
			for i, f := range by {
				if f < 0 {
					continue
				}
				d := float64(p.G[i]) * float64(theta[i])
				for o, other := range p.by {
					if o != n && other[i] >= 0 {
						d *= g.M[other[i]]
					}
				}
				g.D[f] += d
			}
		}
	}
	for _, p := range g.of {
		for _, by := range p.by {
			for i, f := range by {
				if f >= 0 {
					p.G[i] *= float32(g.M[f])
				}
			}
		}
	}
	g.Unmask()
}

// Unmask writes the weights without factors where the network reads them.
func (g *Gates) Unmask() {
	for k, p := range g.of {
		copy(p.W, g.theta[k])
	}
}

// Moved takes the weights as the optimiser has moved them. What is read of the network
// between Moved and Forward has no factors.
func (g *Gates) Moved() {
	for k, p := range g.of {
		copy(g.theta[k], p.W)
	}
}

// State are the latent weights as bytes, for a checkpoint.
func (g *Gates) State() []byte {
	var out []byte
	for _, t := range g.theta {
		out = appendFloats(out, t)
	}
	return out
}

// SetState takes them back, and gives the bytes that follow.
func (g *Gates) SetState(b []byte) ([]byte, error) {
	g.theta = nil
	seen := map[string]bool{}
	for _, on := range g.On {
		if seen[on.Name] {
			continue
		}
		seen[on.Name] = true
		t := make([]float32, len(on.Factor))
		if len(b) < 4*len(t) {
			return nil, fmt.Errorf("the saved state of gated weights is cut short")
		}
		b = takeFloats(t, b)
		g.theta = append(g.theta, t)
	}
	return b, nil
}
