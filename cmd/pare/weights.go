package main

import (
	"fmt"
	"os"

	"pare/dataset"
	"pare/graph"
	"pare/graph/op"
	"pare/safetensors"
	"pare/zoo"
)

// weightsHelp explains --weights where a network is built or read.
const weightsHelp = "put the weights of this .safetensors file into the network"

// network reads a file, or builds a network of the zoo for samples like those
// of s (nil: of the family's own size). Weights, a .safetensors file, are put
// into either.
func (c *cli) network(name, weights string, s *dataset.Set, seed uint64) (*graph.Graph, error) {
	g, err := c.withoutWeights(name, s, seed)
	if err != nil || weights == "" {
		return g, err
	}
	f, err := await(c.ctx, func() (*safetensors.File, error) { return safetensors.Read(weights) })
	if err != nil {
		return nil, err
	}
	if err := zoo.SetWeights(g, f); err != nil {
		return nil, fmt.Errorf("%s: %w", weights, err)
	}
	return g, nil
}

func (c *cli) withoutWeights(name string, s *dataset.Set, seed uint64) (*graph.Graph, error) {
	if _, err := os.Stat(name); err == nil {
		return c.load(name)
	}
	o := zoo.Options{Seed: seed}
	if s != nil {
		o.In = s.X().Shape
		if y := s.Class(); y != nil {
			o.Classes = y.Classes
		}
	}
	o.Most = c.most()
	g, err := await(c.ctx, func() (*graph.Graph, error) { return zoo.New(name, o) })
	if err != nil {
		return nil, fmt.Errorf("%s is neither a file nor a network for this data: %w", name, err)
	}
	return g, c.use.apply(g, false)
}

// raw reads a file as it is, or builds a network of the zoo, with weights where
// they are given.
func (c *cli) raw(name, weights string) (*graph.Graph, error) {
	if _, err := os.Stat(name); err == nil && weights == "" {
		return c.file(name)
	}
	return c.network(name, weights, nil, 1)
}

// saveWeights writes the weights of a network alone.
func saveWeights(path string, g *graph.Graph) error {
	if err := op.Check(g); err != nil {
		return err
	}
	op.Classify(g)
	f := zoo.Weights(g)
	if len(f.Names) == 0 {
		return fmt.Errorf("the network has no weights to write")
	}
	return safetensors.Write(path, f)
}
