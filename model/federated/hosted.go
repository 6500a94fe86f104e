package federated

import (
	"context"

	"pare/catalog"
	"pare/model"
)

// Hosted is FedTiny whose clients are other processes, which call at a Gate. The job's
// training set is the server's own: it trains on it where Proxy is above 0, and never
// gives a sample away.
type Hosted struct {
	FedTiny
	Gate *Gate
}

// Run waits until all clients have joined, and then does what FedTiny does.
func (h *Hosted) Run(ctx context.Context, j *model.Job) (*model.Result, error) {
	s := &h.FedTiny
	if err := s.check(j); err != nil {
		return nil, err
	}
	switch {
	case s.Mask == "local":
		return nil, catalog.Errorf("{Mask} local: the server does not see what a client alone makes of the network")
	case j.Recipe.Sampler != "" && j.Recipe.Sampler != "all":
		return nil, catalog.Errorf("{Recipe.Sampler} %s: clients elsewhere train on all of their samples", j.Recipe.Sampler)
	}
	key := j.Facts(h, j.Graph).Key()
	net, end, total, err := s.network(j)
	if err != nil {
		return nil, err
	}
	all := newNetwork(j.Graph, nil)
	j.Logf("waiting for %d clients", s.Clients)
	samples, err := h.Gate.open(ctx, &all.Layout, s.Clients, Welcome{Seed: j.Seed, Settings: catalog.Values(s), Recipe: catalog.Values(&j.Recipe)})
	if err != nil {
		return nil, err
	}
	defer h.Gate.Close()
	f := &federation{FedTiny: s, job: j, key: key, server: s.server(j, net, h.Gate, end, total)}
	if s.Proxy > 0 {
		f.own = j.Data.Train
	}
	for k, n := range samples {
		f.server.facts.Of[k].Samples = n
		batch := min(j.Recipe.Batch, n)
		f.loads = append(f.loads, load{n / batch * j.Recipe.Epochs, batch})
	}
	return f.run(ctx)
}
