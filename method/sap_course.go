package method

import (
	"fmt"
	"strings"

	"pare/measure"
	"pare/prune"
)

// course is how the indices of all prunable weights went, a round an entry.
type course struct {
	left   []float64 // share of the weights
	index  []float64 // PQ of the trained weights
	gini   []float64
	pruned []float64 // PQ of what stays of them after the cut
}

func (c *course) add(m *prune.Masks, s *SAP) {
	x := alive(m)
	c.left = append(c.left, 1-m.Sparsity())
	c.index = append(c.index, measure.PQ(x, s.P, s.Q))
	c.gini = append(c.gini, measure.Gini(x))
}

// notes says how the indices went and what that means.
func (c *course) notes() []string {
	var b strings.Builder
	low := 0
	for t := range c.index {
		fmt.Fprintf(&b, "; %.1f %% left: %.3f (Gini %.3f)", 100*c.left[t], c.index[t], c.gini[t])
		if t < len(c.pruned) {
			fmt.Fprintf(&b, ", cut %.3f", c.pruned[t])
		}
		if c.index[t] < c.index[low] {
			low = t
		}
	}
	out := []string{"PQ index of the trained weights, and of what was then kept" + b.String()}
	if last := len(c.index) - 1; low < last {
		out = append(out, fmt.Sprintf("the PQ index was lowest with %.1f %% of the weights and has risen since: the limit of compression is near; fewer --rounds cut less", 100*c.left[low]))
	}
	return out
}
