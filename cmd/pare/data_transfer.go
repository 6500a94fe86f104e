package main

import (
	"fmt"

	"pare/data"
	"pare/data/transfer"
	"pare/dataset"

	"github.com/spf13/pflag"
)

// transferring is what flags say of the tasks that a source is pruned for.
type transferring struct {
	source     string
	targets    []string
	embeddings []string // of each target
	surrogate  string
}

// flags are those of methods that prune a source for a target.
func (q *transferring) flags(f *pflag.FlagSet) {
	f.StringVar(&q.source, "source", "", "the same as --data, of label-mapping and feature-mapping")
	f.StringArrayVar(&q.targets, "target", nil, "data of the task that a network is to be fine-tuned for, whose training samples vote (label-mapping, feature-mapping); again for several")
	f.StringArrayVar(&q.embeddings, "target-embeddings", nil, "embeddings of a target's training samples, by what made --embeddings (feature-mapping); again for each --target")
	f.StringVar(&q.surrogate, "surrogate", "", "small network trained on the source, which is shown the samples (label-mapping), or makes their features (feature-mapping)")
}

// inputs are the files that are read.
func (q *transferring) inputs() (in []input) {
	for _, spec := range q.targets {
		in = append(in, dataFiles(spec)...)
	}
	for _, path := range q.embeddings {
		in = append(in, input{what: "embeddings of a target", path: path})
	}
	return append(in, input{what: "surrogate", path: q.surrogate})
}

// sourced checks the flags of a source and its targets against the method.
func (q *fromFiles) sourced() error {
	t := &q.transfer
	if t.source != "" {
		if q.spec != "" {
			return usage("--source and --data are the same: give one")
		}
		q.spec = t.source
	}
	given := t.source != "" || t.targets != nil || t.surrogate != "" || t.embeddings != nil
	switch q.method.(type) {
	case *transfer.LabelMapping:
		if q.embeddings != "" || q.encoder != "" || t.embeddings != nil {
			return usage("label-mapping looks at what the surrogate gives, not at embeddings: feature-mapping does")
		}
	case *transfer.FeatureMapping:
		switch {
		case t.surrogate != "" && (q.encoder != "" || q.embeddings != ""):
			return usage("--surrogate makes the embeddings of feature-mapping: leave --encoder and --embeddings out")
		case t.surrogate != "":
			q.encoder = t.surrogate
		case q.embeddings != "" && len(t.embeddings) != len(t.targets):
			return usage("--embeddings are of the source: give --target-embeddings for each of the %d --target, and there are %d", len(t.targets), len(t.embeddings))
		}
		if q.encoder != "" && t.embeddings != nil {
			return usage("--target-embeddings go with --embeddings; a network makes those of the targets too")
		}
	default:
		if given {
			return usage("--source, --target, --target-embeddings and --surrogate are for --method label-mapping and feature-mapping; %s has no target", q.method.Card().Name)
		}
	}
	return nil
}

// targets reads the targets, and what a network makes of them.
func (q *fromFiles) targets(c *cli, j *data.Job, source *dataset.Data) error {
	t := &q.transfer
	for i, spec := range t.targets {
		d, err := c.open(spec)
		if err != nil {
			return err
		}
		if d.Train == nil {
			return fmt.Errorf("target %q has no training set: samples that are for testing do not vote", spec)
		}
		x := &data.Target{Name: spec, Set: d.Train}
		switch {
		case q.encoder != "":
			g, err := c.load(q.encoder)
			if err != nil {
				return err
			}
			if x.Embeddings, _, err = data.Embed(c.ctx, g, q.layer, x.Set, source.Norm, j.Engine); err != nil {
				return fmt.Errorf("target %s, shown to %s: %w", spec, q.encoder, err)
			}
		case t.embeddings != nil:
			if x.Embeddings, err = data.ReadEmbeddings(t.embeddings[i], x.Set); err != nil {
				return err
			}
		}
		j.Targets = append(j.Targets, x)
	}
	if _, label := q.method.(*transfer.LabelMapping); label && t.surrogate != "" {
		g, err := c.load(t.surrogate)
		if err != nil {
			return err
		}
		j.Surrogate = g
	}
	return nil
}
