package tickets

import (
	"fmt"
	"strings"

	"pare/measure"
	"pare/model"
	"pare/prune"
)

// SAPTrace is how the indices of all prunable weights went, a round an entry.
type SAPTrace struct {
	Left   []float64 `json:"left"`   // share of the weights
	Index  []float64 `json:"pq"`     // PQ index of the trained weights
	Gini   []float64 `json:"gini"`   // their Gini index
	Pruned []float64 `json:"pruned"` // PQ index of what stays of them after the cut
}

func (c *SAPTrace) add(m *prune.Masks, s *SAP) {
	x := m.Kept()
	c.Left = append(c.Left, 1-m.Sparsity())
	c.Index = append(c.Index, measure.PQ(x, s.P, s.Q))
	c.Gini = append(c.Gini, measure.Gini(x))
}

// note says how the indices went and what that means.
func (c *SAPTrace) note(res *model.Result) {
	var b strings.Builder
	low := 0
	for t := range c.Index {
		fmt.Fprintf(&b, "; %.1f %% left: %.3f (Gini %.3f)", 100*c.Left[t], c.Index[t], c.Gini[t])
		if t < len(c.Pruned) {
			fmt.Fprintf(&b, ", cut %.3f", c.Pruned[t])
		}
		if c.Index[t] < c.Index[low] {
			low = t
		}
	}
	res.Note("PQ index of the trained weights, and of what was then kept%s", b.String())
	if last := len(c.Index) - 1; low < last {
		res.Note("the PQ index was lowest with %.1f %% of the weights and has risen since: the limit of compression is near; fewer {Rounds} cut less", 100*c.Left[low])
	}
}
