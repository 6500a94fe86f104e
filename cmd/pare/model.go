package main

import "github.com/spf13/cobra"

func (c *cli) model() *cobra.Command {
	m := &cobra.Command{Use: "model", Short: "Inspect, prune, train, evaluate, measure and convert networks", RunE: noCommand}
	m.AddCommand(c.inspect(), c.prune(), c.train(), c.eval(), c.runModel(), c.bench(), c.compare(), c.advise(), c.convert(), c.quantize(), c.continual(), c.stream(), c.generate(), c.perplexity(), c.vocabulary(), c.chat(), c.scaling())
	return m
}
