package federated

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"

	"pare/prune"
	"pare/prune/allocate"
	"pare/prune/hook"
	"pare/prune/score"
)

// candidate is masks with numbers under them.
type candidate struct {
	masks []*prune.Mask
	model *Model
}

// ofShares keeps total weights, the shares of the layers in proportion to raw, by
// magnitude or at random.
func (s *Server) ofShares(raw []float64, total int, random bool) ([]*prune.Mask, error) {
	keep, err := allocate.Proportional(s.net.ws, raw, total)
	if err != nil {
		return nil, err
	}
	of := score.Magnitude(s.net.ws)
	if random {
		of = score.Random(s.net.ws, s.seed)
	}
	return allocate.Select(s.net.ws, of, keep, prune.CutFirst).Mask, nil
}

// shares are what the layers' shares are in proportion to.
func (s *Server) shares() []float64 {
	if s.set.Allocate == "erk" {
		return allocate.ErdosRenyiShares(s.net.ws)
	}
	raw := make([]float64, len(s.net.ws))
	for l := range raw {
		raw[l] = 1
	}
	return raw
}

// candidates are the pool: the first has the shares of the allocation, the others these
// times random numbers about 1.
func (s *Server) candidates(ctx context.Context, total, n int, tune func(context.Context, *prune.Masks) error) ([]candidate, error) {
	base := s.shares()
	start := s.net.read(prune.Dense(s.net.ws).Mask)
	r := rand.New(rand.NewPCG(s.seed, 0xca4d))
	var out []candidate
	for c := range n {
		raw := make([]float64, len(base))
		for l, x := range base {
			if raw[l] = x; c > 0 {
				raw[l] *= 1 + s.set.Noise*(2*r.Float64()-1)
			}
		}
		s.net.write(start, start.Masks)
		masks, err := s.ofShares(raw, total, s.set.Mask == "random")
		if err != nil {
			return nil, err
		}
		if err := tune(ctx, &prune.Masks{Weights: s.net.ws, Mask: masks}); err != nil {
			return nil, err
		}
		m := s.net.read(masks)
		m.Masks = nil
		out = append(out, candidate{masks, m})
	}
	return out, nil
}

// choose tries every candidate at the clients: each estimates the statistics of the
// normalisations, and then says its loss with those of all. The candidate of the lowest
// loss comes into force, with the statistics of all.
func (s *Server) choose(ctx context.Context, pool []candidate) error {
	best := math.MaxFloat64
	for i := range pool {
		c := &pool[i]
		s.share(c.masks, c.model)
		f := Candidate{}
		for _, m := range c.masks {
			f.Kept = append(f.Kept, m.Count())
		}
		who := make([]int, len(s.held))
		for k := range who {
			who[k] = k
		}
		macs := int64(1)
		if len(s.net.Norms) > 0 {
			var err error
			if c.model.Norms, who, err = s.norms(ctx, who, &f.Out); err != nil {
				return err
			}
			macs++
		}
		if err := s.losses(ctx, who, c.model, &f); err != nil {
			return err
		}
		for k := range s.facts.Of {
			of := &s.facts.Of[k]
			of.MACs += macs * int64(min(s.set.Develop, of.Samples)) * s.costs.under(c.masks)
		}
		s.log("candidate %d of %d: loss %.4f at the clients", i+1, len(pool), f.Loss)
		s.facts.Pool = append(s.facts.Pool, f)
		if f.Loss < best {
			best, s.facts.Chosen = f.Loss, i
		}
	}
	if best == math.MaxFloat64 {
		return fmt.Errorf("no client could say how good a candidate is")
	}
	c := pool[s.facts.Chosen]
	if s.facts.Chosen != len(pool)-1 { // else it is the one in force
		s.share(c.masks, c.model)
	}
	s.net.write(s.model, s.masks)
	return nil
}

// losses asks for the loss of the candidate in force. Statistics alone are sent where
// clients have its numbers.
func (s *Server) losses(ctx context.Context, who []int, m *Model, f *Candidate) error {
	var losses []float64
	var samples []int
	for _, k := range who {
		send := &Model{Norms: m.Norms}
		if s.held[k] != s.version || len(m.Norms) == 0 {
			send = m
		}
		b, err := s.ask(ctx, k, &Broadcast{Ask: AskLoss, Model: send})
		if ctx.Err() != nil {
			return ctx.Err()
		}
		var l *Loss
		if err == nil {
			l, err = ReadLoss(b)
		}
		if err == nil && !(isFinite(l.Value) && l.Value >= 0) {
			err = fmt.Errorf("the loss is %v", l.Value)
		}
		if err != nil {
			f.Out = append(f.Out, s.leave(0, k, err))
			continue
		}
		losses, samples = append(losses, l.Value), append(samples, s.facts.Of[k].Samples)
	}
	if f.Loss = math.MaxFloat64; len(losses) > 0 {
		f.Loss = newCombiner(s.set.Aggregate, samples).one(losses)
	}
	return nil
}

// tune zeroes what the masks of a candidate cut, and trains it on the server's own
// samples, if that is asked for.
func (f *federation) tune(ctx context.Context, m *prune.Masks) error {
	m.Apply()
	if f.Tune == 0 {
		return nil
	}
	k := f.on(f.own, f.Tune)
	k.Save, k.OnStep, k.Epoch = "", nil, nil
	_, err := k.Fit(ctx, k.Graph, &hook.Hold{Masks: m})
	return err
}
