package model

import "pare/graph"

// Unsaid is a Method whose result may have what the files of language models, a config.json
// with weights or a GGUF file, have no place for.
type Unsaid interface {
	Method
	// Unsaid says of a network that family.Build made what of the result that is, and the way
	// on; nil: the files can hold it.
	Unsaid(g *graph.Graph) error
}
