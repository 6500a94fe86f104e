package measure

import (
	"pare/graph"
	"pare/prune/expert"
	"pare/report"
)

// InspectedMixture is a layer of experts that can go one by one.
type InspectedMixture struct {
	Name    string  `json:"name"`
	Experts int     `json:"experts"`
	Chosen  int     `json:"chosen"`           // experts that a token is given to: so many stay at least
	Soft    bool    `json:"soft"`             // every token is given to all
	Params  float64 `json:"parameters_share"` // that go with one expert, the mean over them
	MACs    float64 `json:"macs_share"`
}

// expertsOf lists the mixtures of a network of some size, and what of them stays whole.
func expertsOf(g *graph.Graph, s Size) (out []InspectedMixture, whole []LeftWhole) {
	ms, left := expert.Find(g)
	for _, m := range ms {
		x := InspectedMixture{Name: m.Name, Experts: m.Experts, Chosen: m.Least, Soft: m.Soft}
		for _, c := range m.Each {
			x.Params += float64(c.Params) / float64(len(m.Each)) / float64(max(1, s.Params))
			x.MACs += float64(c.MACs) / float64(len(m.Each)) / float64(max(1, s.MACs))
		}
		out = append(out, x)
	}
	for _, w := range left {
		whole = append(whole, LeftWhole{"experts of " + w.Name, 0, w.Why})
	}
	return out, whole
}

func (x *Inspection) expertTable() *report.Table {
	t := &report.Table{Columns: []string{"experts of", "experts", "a token", "parameters of one", "MACs of one"}}
	for _, m := range x.Experts {
		given := report.Count(int64(m.Chosen))
		if m.Soft {
			given = report.Text("all")
		}
		t.Rows = append(t.Rows, []report.Cell{report.Text(printable(m.Name)), report.Count(int64(m.Experts)), given, report.Percent(m.Params), report.Percent(m.MACs)})
	}
	return t
}
