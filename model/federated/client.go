package federated

import (
	"context"
	"errors"
	"fmt"

	"pare/catalog"
	"pare/dataset"
	"pare/model"
	"pare/prune"
	"pare/prune/hook"
	"pare/train"
)

// Client answers a server. Between messages it keeps its samples, the masks and the
// numbers that it was sent last, and nothing else.
type Client struct {
	job     *model.Job // its data is the client's; its recipe has the epochs of all rounds
	local   int        // epochs a round
	batches int        // that give the gradient of an adjustment
	develop *dataset.Set
	net     *network // may be that of other clients, which answer at other times
	masks   []*prune.Mask
	last    *Model
}

// newClient works on a shard: g is its network, which its training changes.
func newClient(j *model.Job, net *network, shard *dataset.Set, number int, s *FedTiny) (*Client, error) {
	k := *j
	k.Graph = net.g
	k.Data = &dataset.Data{Spec: j.Data.Spec, Train: shard, Norm: j.Data.Norm}
	k.Recipe.Batch = min(j.Recipe.Batch, shard.Len())
	k.Recipe.Epochs = s.Rounds * j.Recipe.Epochs
	k.Seed = j.OtherSeed(number + 1)
	k.Order = k.Seed
	k.Save, k.Resume, k.Epoch, k.OnStep, k.Log = "", false, nil, nil, nil
	if err := k.Check(); err != nil {
		return nil, fmt.Errorf("client %d: %w", number+1, err)
	}
	return &Client{job: &k, local: j.Recipe.Epochs, batches: s.Batches, develop: shard.Draw(s.Develop, k.Seed), net: net}, nil
}

// steps is the number of optimiser steps of a round.
func (c *Client) steps() int { return c.job.Steps() / c.job.Recipe.Epochs * c.local }

// Answer answers a message. It returns an error for one that it does not understand.
func (c *Client) Answer(ctx context.Context, message []byte) ([]byte, error) {
	b, err := ReadBroadcast(message, &c.net.Layout, c.masks)
	if err != nil {
		return nil, err
	}
	if err := c.take(b.Model); err != nil {
		return nil, err
	}
	var out any
	switch b.Ask {
	case AskStatistics:
		out, err = c.statistics(ctx)
	case AskLoss:
		out, err = c.loss(ctx)
	default:
		out, err = c.train(ctx, b)
	}
	if err != nil {
		return nil, err
	}
	return Marshal(out), nil
}

// take puts what was sent into the network.
func (c *Client) take(m *Model) error {
	if m.Masks != nil {
		c.masks = m.Masks
	}
	if m.Values != nil {
		c.last = m
	}
	if c.last == nil {
		return errors.New("the server has sent no values yet")
	}
	c.last.Norms = m.Norms
	c.net.write(c.last, c.masks)
	return nil
}

// batch is the number of samples that are looked at together.
func (c *Client) batch() int {
	_, n := c.net.g.Batch(min(c.job.Recipe.Batch, c.develop.Len()))
	return n
}

// statistics looks at what goes into the normalisations.
func (c *Client) statistics(ctx context.Context) (*Statistics, error) {
	l := &dataset.Loader{Set: c.develop, Size: c.batch(), Norm: c.job.Data.Norm}
	m, err := train.BatchMoments(ctx, c.net.g, train.NewData(l), l.Steps(), c.job.Engine)
	return &Statistics{m}, err
}

// loss measures the network as it was sent.
func (c *Client) loss(ctx context.Context) (*Loss, error) {
	e := train.NewEval(c.develop, c.job.Data.Norm, c.batch(), c.job.Engine)
	e.Judge = c.job.Judge()
	m, err := e.Run(ctx, c.net.g)
	return &Loss{m.Loss}, err
}

// train makes the steps of a round with the masks held.
func (c *Client) train(ctx context.Context, b *Broadcast) (*Update, error) {
	rounds := c.job.Recipe.Epochs / c.local
	if b.Round < 1 || b.Round > rounds {
		return nil, fmt.Errorf("there is no round %d: there are %d", b.Round, rounds)
	}
	hold := &hook.Hold{Masks: &prune.Masks{Weights: c.net.ws, Mask: c.masks}}
	look := &probe{masks: hold.Masks, ask: b.Grow, batches: c.batches}
	k := *c.job
	k.From, k.Until = (b.Round-1)*c.steps(), b.Round*c.steps()
	epochs, err := k.Fit(ctx, c.net.g, hold, look)
	if err != nil {
		return nil, err
	}
	m := c.net.read(c.masks)
	m.Masks = nil
	return &Update{Loss: epochs[len(epochs)-1].Loss, Model: m, Grow: look.out}, nil
}

// tile is the number of derivatives that are looked at together.
const tile = 1024

// probe takes, after the last step, the gradient of the next batches by all weights of
// some layers, and keeps the largest of those that are cut.
type probe struct {
	train.Observer
	masks   *prune.Masks
	ask     []Quota
	batches int
	out     []Gradients
}

// AfterStep looks when the last step is made.
func (p *probe) AfterStep(r *train.Run) error {
	if r.Step != r.Until || len(p.ask) == 0 {
		return nil
	}
	params := make([]*train.Param, len(p.ask))
	sums := make([][]float32, len(p.ask)) // of several batches
	for i, q := range p.ask {
		w := p.masks.Weights[q.Layer]
		if params[i] = r.Param(w.Name); params[i] == nil {
			return catalog.Errorf("weight %q is masked but not trained: {Exclude} it", w.Name)
		}
		if err := r.Mask(params[i], nil); err != nil {
			return err
		}
	}
	for b := range p.batches {
		if _, err := r.Gradient(r.Epoch+1, b%r.Train.Steps()); err != nil {
			return err
		}
		for i, q := range params {
			if p.batches == 1 { // no second array as large as the layer
				sums[i] = q.G
				continue
			}
			if b == 0 {
				sums[i] = make([]float32, len(q.G))
			}
			for k, g := range q.G {
				sums[i][k] += g / float32(p.batches)
			}
		}
	}
	for i, q := range p.ask {
		mask := p.masks.Mask[q.Layer]
		top := NewTop(min(q.Count, mask.Len-mask.Count()))
		for at := 0; at < mask.Len; at += tile {
			top.Push(at, sums[i][at:min(at+tile, mask.Len)], mask)
		}
		g := Gradients{Layer: q.Layer}
		g.Index, g.Value = top.Pairs()
		p.out = append(p.out, g)
		if err := r.Mask(params[i], mask.Bits); err != nil {
			return err
		}
	}
	return nil
}
