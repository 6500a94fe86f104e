package model

import (
	"context"
	"fmt"

	"pare/graph"
	"pare/graph/op"
	"pare/report"
)

// Front is networks that a method has found, none of which is better than another in both
// what it takes and what it is worth, the largest first.
type Front struct {
	Loss    string // what they were judged by, which is to be small
	Members []FrontMember
	// Make makes one of the networks, as it was judged: it was not fine-tuned.
	Make func(ctx context.Context, i int) (*graph.Graph, error)
}

// FrontMember is a network of a front.
type FrontMember struct {
	MACs   float64 `json:"macs"`   // share that is left
	Params float64 `json:"params"` // likewise
	Loss   float64 `json:"loss"`
	File   string  `json:"file,omitempty"`   // in a folder, where it was written
	Chosen bool    `json:"chosen,omitempty"` // it is the one that became the result
}

// Fronted is a Method whose results have a front.
type Fronted interface{ Fronts() }

// folded is the front with networks in which normalisation that was put back for the
// training is folded again.
func (f *Front) folded(fold func(*graph.Graph) error) *Front {
	if f == nil {
		return nil
	}
	c := *f
	c.Make = func(ctx context.Context, i int) (*graph.Graph, error) {
		g, err := f.Make(ctx, i)
		if err != nil {
			return nil, err
		}
		if err := fold(g); err != nil {
			return nil, err
		}
		return g, op.InferAll(g)
	}
	return &c
}

// FrontFile is what is called a network of a front in a folder, the largest first.
func FrontFile(i int) string { return fmt.Sprintf("front-%02d.onnx", i+1) }

// Plot draws the front.
func (f *Front) Plot() *report.Plot {
	s, chosen := report.Series{Name: "front", Line: true}, report.Series{Name: "chosen"}
	for i, m := range f.Members {
		p := report.Point{X: m.MACs, Y: m.Loss, Label: fmt.Sprint(i + 1)}
		s.Points = append(s.Points, p)
		if m.Chosen {
			chosen.Points = append(chosen.Points, report.Point{X: m.MACs, Y: m.Loss})
		}
	}
	return &report.Plot{Title: "What networks take, and what they are worth", X: report.Axis{Name: "multiply-accumulates left", Format: report.Share}, Y: report.Axis{Name: f.Loss},
		Series: []report.Series{s, chosen}, Note: "Numbers are those of the front's networks, the largest first."}
}

// Section is the front as a table with its plot.
func (f *Front) Section() report.Section {
	t := &report.Table{Columns: []string{"network", "MACs left", "parameters left", f.Loss, "chosen"}}
	for i, m := range f.Members {
		star := ""
		if m.Chosen {
			star = "★"
		}
		t.Rows = append(t.Rows, []report.Cell{report.Number(float64(i + 1)), report.Percent(m.MACs), report.Percent(m.Params), report.Number(m.Loss), report.Text(star)})
	}
	return report.Section{Heading: "The front that was found", Table: t, Plots: []*report.Plot{f.Plot()},
		Text: "None of these networks is better than another in both what it takes and what it is worth. They were judged as they were cut, on the samples that judge, before any fine-tuning."}
}
