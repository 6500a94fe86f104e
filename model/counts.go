package model

import (
	"pare/catalog"
	"pare/graph"
	"pare/prune/structure"
)

// Counts are the budgets of methods that cut something else than channels.
type Counts struct {
	MACs   Count `flag:"macs" target:"yes" alias:"flops" kind:"amount" range:"[0,)" doc:"multiply-accumulates for one sample that may stay: a share such as 0.5, or a number such as 20M (0: not asked; also --flops)"`
	Params Count `flag:"params" target:"yes" kind:"amount" range:"[0,)" doc:"parameters that may stay: a share such as 0.4, or a number such as 100k (0: not asked)"`
}

// Check says what is wrong with them, before any work.
func (c Counts) Check() error {
	if err := amount(float64(c.MACs), "0.5 or 20M"); err != nil {
		return catalog.Errorf("{MACs} %v: %v", float64(c.MACs), err)
	}
	if err := amount(float64(c.Params), "0.4 or 100k"); err != nil {
		return catalog.Errorf("{Params} %v: %v", float64(c.Params), err)
	}
	return nil
}

// Shares are what may stay of a network's multiply-accumulates and of its parameters, as
// shares of them, at most 1 (0: not asked).
func (c Counts) Shares(g *graph.Graph) (macs, params float64) {
	whole := structure.CostOf(g)
	return c.MACs.Share(whole.MACs), c.Params.Share(whole.Params)
}
