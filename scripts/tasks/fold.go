package main

import (
	"fmt"

	"pare/graph"
	"pare/graph/op"
	"pare/onnx"
)

var foldTask = task{"fold", "a network (-net FILE) with its batch normalisation folded into its convolutions", func(s settings) (*made, error) {
	if s.net == "" {
		return nil, fmt.Errorf("-net FILE says which network is to be folded")
	}
	g, err := onnx.Load(s.net)
	if err != nil {
		return nil, err
	}
	had := norms(g)
	if had == 0 {
		return nil, fmt.Errorf("%s has no BatchNormalization", s.net)
	}
	op.Classify(g)
	if err := op.FoldNorms(g); err != nil {
		return nil, err
	}
	return &made{
		nets:  []network{{"net.onnx", g}},
		about: fmt.Sprintf("%d of %d normalisations are folded, as exporters do: what is left computes the same.", had-norms(g), had),
	}, nil
}}

func norms(g *graph.Graph) int {
	n := 0
	for _, x := range g.Nodes {
		if x.Is("BatchNormalization") {
			n++
		}
	}
	return n
}
