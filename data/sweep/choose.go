package sweep

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"pare/catalog"
	"pare/data"
	"pare/data/coreset"
	"pare/dataset"
	"pare/engine"
	"pare/graph"
	"pare/model"
	"pare/onnx"
	"pare/train/dynamics"
)

// known is what a seed's training on all samples gives others to choose by. Each part is
// made once, by who comes first; others are told what it took.
type known struct {
	cell    *Cell
	outcome *Outcome

	mu         sync.Mutex
	log        *dynamics.Log
	network    *graph.Graph
	embeddings *data.Embeddings
	embedded   float64 // seconds that it took
	scores     map[string]*scored
}

// scored is a score with the seconds that it took.
type scored struct {
	score   *data.Score
	seconds float64
}

// choose gives the samples that a cell is trained on, and notes what the choice took.
func (s *Sweep) choose(ctx context.Context, c *Cell, o *Outcome) (*dataset.Set, error) {
	all := s.Data.Train
	n, err := c.samples(all.Len())
	if o.Samples = n; err != nil {
		return nil, err
	}
	if _, epochs := c.Method.(*coreset.RS2); epochs || c.Method == nil {
		return all, nil
	}
	k := s.full[c.Seed]
	j := &data.Job{Set: all, Norm: s.Data.Norm, Seed: c.Seed, Engine: s.job(c, all).Engine}
	if !c.free() {
		if err := k.give(ctx, s, c, j, o); err != nil {
			return nil, err
		}
	}
	began := time.Now()
	res, err := data.Run(ctx, c.Method, j)
	if err != nil {
		return nil, err
	}
	o.Selection += time.Since(began).Seconds()
	o.told(res.Notes, c)
	o.Samples = len(res.Subset.Numbers)
	return res.Subset.Select(all)
}

// told notes what a method had to say.
func (o *Outcome) told(notes []catalog.Text, c *Cell) {
	for _, n := range notes {
		o.Notes = append(o.Notes, n.With(c.setting))
	}
}

// give gives a job what was learnt of all samples.
func (k *known) give(ctx context.Context, s *Sweep, c *Cell, j *data.Job, o *Outcome) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.outcome.Error != "" {
		return fmt.Errorf("the training on all samples, which the choice takes, failed: %s", k.outcome.Error)
	}
	if err := k.read(ctx, s); err != nil {
		return err
	}
	o.Before = k.outcome.last().Seconds
	j.Dynamics, j.Networks = []*dynamics.Log{k.log}, []*graph.Graph{k.network}
	if c.embeds() {
		if err := k.embed(ctx, j); err != nil {
			return err
		}
		j.Embeddings = k.embeddings
		o.Selection += k.embedded
	}
	if c.Scorer == nil {
		return nil
	}
	name := fmt.Sprint(c.Scorer.Card().Name, catalog.Values(c.Scorer))
	if k.scores[name] == nil {
		began := time.Now()
		res, err := data.Run(ctx, c.Scorer, j)
		if err != nil {
			return err
		}
		k.scores[name] = &scored{res.Score, time.Since(began).Seconds()}
	}
	j.Score = k.scores[name].score
	o.Selection += k.scores[name].seconds
	return nil
}

// read reads what the training on all samples has left.
func (k *known) read(ctx context.Context, s *Sweep) error {
	if k.log != nil {
		return nil
	}
	if k.outcome.Dynamics == "" {
		return errors.New("the training on all samples has no log")
	}
	l, err := dynamics.Read(filepath.Join(s.Dir, k.outcome.Dynamics))
	if err != nil {
		return err
	}
	g, err := onnx.LoadContext(ctx, filepath.Join(s.Dir, k.outcome.Network))
	if err == nil {
		g.Usage = s.Networks[k.cell.Seed].Usage
		_, err = model.Prepare(g)
	}
	k.log, k.network = l, g
	return err
}

// embed lets the network that was trained on all samples make embeddings of them.
func (k *known) embed(ctx context.Context, j *data.Job) (err error) {
	if k.embeddings != nil {
		return nil
	}
	began := time.Now()
	k.embeddings, _, err = data.Embed(ctx, k.network, "", j.Set, j.Norm, engine.Options{Threads: j.Engine.Threads})
	k.embedded = time.Since(began).Seconds()
	return err
}
