package measure

import (
	"pare/graph"
	"pare/prune/block"
	"pare/report"
)

// InspectedBlock is a block that can go as a whole.
type InspectedBlock struct {
	Name   string     `json:"name"`
	Kind   block.Kind `json:"kind"`
	Stage  int        `json:"stage"` // blocks of one stage follow each other
	Params float64    `json:"parameters_share"`
	MACs   float64    `json:"macs_share"`
}

// blocksOf lists the blocks of a network of some size.
func blocksOf(g *graph.Graph, s Size) (out []InspectedBlock) {
	blocks, _ := block.Find(g, block.Options{})
	for _, b := range blocks {
		out = append(out, InspectedBlock{b.Name, b.Kind, b.Stage, float64(b.Cost.Params) / float64(max(1, s.Params)), float64(b.Cost.MACs) / float64(max(1, s.MACs))})
	}
	return out
}

func (x *Inspection) blockTable() *report.Table {
	t := &report.Table{Columns: []string{"block", "kind", "stage", "parameters", "MACs"}}
	for _, b := range x.Blocks {
		t.Rows = append(t.Rows, []report.Cell{report.Text(printable(b.Name)), report.Text(b.Kind.String()), report.Count(int64(b.Stage + 1)), report.Percent(b.Params), report.Percent(b.MACs)})
	}
	return t
}
