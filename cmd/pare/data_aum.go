package main

import (
	"slices"

	"pare/data"
	"pare/data/score"
	"pare/dataset"
	"pare/graph"

	"github.com/spf13/cobra"
)

// resisting is what flags say of the trainings that find labels by their margins.
type resisting struct {
	network string
	*score.AUMThreshold
	seed uint64
}

func (q *resisting) flags(cmd *cobra.Command) {
	q.AUMThreshold = score.NewAUMThreshold()
	f := cmd.Flags()
	f.StringVar(&q.network, "aum", "", "an architecture, or a network with an output more than there are classes: it is trained twice from new weights, and labels in doubt are found by the area under the margin (see pare methods aum-threshold)")
	f.IntVar(&q.Epochs, "aum-epochs", q.Epochs, "with --aum: passes of each training")
	f.Float64Var(&q.Percentile, "aum-percentile", q.Percentile, "with --aum: of the areas of samples of a class that there is not, at which a label is likely wrong")
	f.Uint64Var(&q.seed, "seed", 1, "with --aum: of the samples that are drawn, the weights and the order")
}

// margins are those of the labels of the training samples, in their order, less the threshold.
func (q *resisting) margins(c *cli, d *dataset.Data) ([]float64, error) {
	if d.Train == nil {
		return nil, usage("--aum %s: there is no training set", q.network)
	}
	g, err := c.network(q.network, "", outputsFor(q.AUMThreshold, d.Train), q.seed)
	if err != nil {
		return nil, err
	}
	o, err := c.engine()
	if err != nil {
		return nil, err
	}
	c.pares = q.AUMThreshold
	j := &data.Job{Set: d.Train, Norm: d.Norm, Seed: q.seed, Engine: o, Log: c.log(), Networks: []*graph.Graph{g}}
	res, err := data.Run(c.ctx, q.AUMThreshold, j)
	if err != nil {
		return nil, err
	}
	return res.Score.On(d.Train)
}

// outputsFor is a set as a method shows it to a network: with as many classes as it wants outputs.
func outputsFor(m any, s *dataset.Set) *dataset.Set {
	of, ok := m.(interface{ Outputs(classes int) int })
	y := s.Class()
	if !ok || y == nil {
		return s
	}
	z, t := *y, *s
	z.Classes = of.Outputs(y.Classes)
	t.Fields = slices.Clone(s.Fields)
	t.Fields[slices.Index(s.Fields, y)] = &z
	return &t
}
