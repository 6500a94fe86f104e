package model

import (
	"context"

	"pare/graph"
	"pare/graph/op"
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
