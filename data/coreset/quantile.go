package coreset

import (
	"context"
	_ "embed"

	"pare/catalog"
	"pare/data"
)

// Quantile keeps the samples of one part of a score's order.
type Quantile struct {
	data.Amount
	Part string `flag:"part" choice:"low,middle,high" doc:"which values of the score stay: the lowest, those around the median, or the highest"`
}

//go:embed quantile.md
var quantileDoc string

// NewQuantile is the method at half of the samples, around the median.
func NewQuantile() *Quantile { return &Quantile{Amount: data.Amount{Keep: .5}, Part: "middle"} }

// Card describes the method.
func (*Quantile) Card() *catalog.Card {
	return &catalog.Card{Name: "quantile", Title: "The low, middle or high part of a score, such as of perplexity", Noun: "data", Doc: quantileDoc, Cuts: "samples", Needs: catalog.Samples,
		Paper: "Marion, Üstün, Pozzobon, Wang, Fadaee, Hooker: When Less is More: Investigating Data Pruning for Pretraining LLMs at Scale (2023), arXiv 2309.04564"}
}

// QuantileFacts say between which values the samples lie that stay.
type QuantileFacts struct {
	Least float64 `json:"least"`
	Most  float64 `json:"most"`
}

// Run chooses.
func (s *Quantile) Run(_ context.Context, j *data.Job) (*data.Result, error) {
	n := j.Set.Len()
	m, err := s.Count(n)
	if err != nil {
		return nil, err
	}
	if _, err := j.NeedsScore(); err != nil {
		return nil, err
	}
	values, err := j.Score.On(j.Set)
	if err != nil {
		return nil, err
	}
	low := make([]float64, n)
	for i, v := range values {
		low[i] = -v
	}
	order := data.Order(low) // from the lowest on
	from := map[string]int{"middle": (n - m) / 2, "high": n - m}[s.Part]
	kept := order[from : from+m]
	res := &data.Result{Subset: data.Keep(j.Set, kept), Facts: &QuantileFacts{values[kept[0]], values[kept[m-1]]}}
	return res, nil
}
