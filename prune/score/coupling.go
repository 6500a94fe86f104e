package score

import (
	"fmt"
	"math"

	"pare/graph"
	"pare/prune/structure"
)

// Coupling turns scores of the entries of parameters into one of every coupled channel
// (Wang, Rachwan, Günnemann, Charpentier 2024, arXiv 2403.18955): with S_j the scores of
// the entries of parameter j that belong to channel c,
//
//	NORM over the group's channels of AGG over j of Σ S_j
//
// Magnitudes |w| make the L1 norm of what goes with the channel, squares w² its squared
// L2 norm. The zero value sums up and divides by the group's mean.
type Coupling struct {
	Aggregate string // over the parameters: sum, mean, max or prod; "": sum
	Normalise string // by the group's mean, sum or max, or none; "": mean. Signs do not cancel out there
}

// Rates gives a score to every channel of every group. entries are those of the
// parameters that have a say, in the order of their numbers. It returns an error where a
// group has none.
func (c Coupling) Rates(groups []*structure.Group, entries map[*graph.Value][]float32) ([][]float64, error) {
	out := make([][]float64, len(groups))
	for i, g := range groups {
		var members [][]float64
		for k, a := range g.Axes {
			e := entries[a.Value]
			if e == nil {
				continue
			}
			m := make([]float64, len(g.Channels))
			g.Sum(m, k, e, 1)
			members = append(members, m)
		}
		if members == nil {
			return nil, fmt.Errorf("no parameter that goes with the channels of %q has a score", g.Name)
		}
		out[i] = c.Join(members)
	}
	return out, nil
}

// Join makes one score of each channel from those that it has in single parameters,
// [parameter][channel].
func (c Coupling) Join(members [][]float64) []float64 {
	out := make([]float64, len(members[0]))
	for i := range out {
		x := members[0][i]
		for _, m := range members[1:] {
			switch c.Aggregate {
			case "max":
				x = math.Max(x, m[i])
			case "prod":
				x *= m[i]
			default:
				x += m[i]
			}
		}
		if c.Aggregate == "mean" {
			x /= float64(len(members))
		}
		out[i] = x
	}
	by := 0.0
	for _, x := range out {
		switch x = math.Abs(x); c.Normalise {
		case "none":
			by = 1
		case "max":
			by = math.Max(by, x)
		case "sum":
			by += x
		default:
			by += x / float64(len(out))
		}
	}
	if by > 0 {
		for i := range out {
			out[i] /= by
		}
	}
	return out
}
