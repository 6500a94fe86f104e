package federated

import (
	"context"

	"pare/catalog"
	"pare/dataset"
	"pare/model"
	"pare/prune"
	"pare/prune/schedule"
	"pare/run"
	"pare/train"
)

// Run divides the training set among clients and lets them train.
func (s *FedTiny) Run(ctx context.Context, j *model.Job) (*model.Result, error) {
	f, err := s.prepare(j)
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return f.run(ctx)
}

// prepare checks everything and makes server and clients.
func (s *FedTiny) prepare(j *model.Job) (*federation, error) {
	if err := s.check(j); err != nil {
		return nil, err
	}
	key := j.Facts(s, j.Graph).Key()
	net, end, total, err := s.network(j)
	if err != nil {
		return nil, err
	}
	own, shards, err := s.divide(j)
	if err != nil {
		return nil, err
	}
	clients, err := s.clients(j, shards)
	if err != nil {
		return nil, err
	}
	f := &federation{FedTiny: s, job: j, clients: clients, key: key, own: own, shards: shards, server: s.server(j, net, clients, end, total)}
	for k, c := range clients {
		f.server.facts.Of[k].Samples = shards[k].Len()
		f.loads = append(f.loads, load{c.steps(), c.job.Recipe.Batch})
	}
	return f, nil
}

// network is what is pruned of a job, until which round, and how many weights stay.
func (s *FedTiny) network(j *model.Job) (net *network, end, total int, err error) {
	if end, err = s.until(); err != nil {
		return nil, 0, 0, err
	}
	ws, err := s.Weights(j.Graph)
	if err != nil {
		return nil, 0, 0, err
	}
	net = newNetwork(j.Graph, ws)
	total, err = s.kept(net)
	return net, end, total, err
}

// server is one whose clients have not been asked yet.
func (s *FedTiny) server(j *model.Job, net *network, link Link, end, total int) *Server {
	return &Server{set: s, net: net, link: link, seed: j.Seed, costs: costsOf(j.Graph, net.ws), log: j.Logf, held: make([]int, s.Clients),
		rate:  schedule.Exchange{Rate: s.Rate, Over: end, End: end, Every: s.Every},
		facts: &Facts{Params: net.Params(), Dense: count(net.Dense), Kept: total, Rounds: []Round{}, Of: make([]ClientFacts, s.Clients)}}
}

// divide gives the server its samples, nil where it has none, and the clients theirs.
func (s *FedTiny) divide(j *model.Job) (own *dataset.Set, shards []*dataset.Set, err error) {
	rest := j.Data.Train
	if s.Proxy > 0 {
		if rest, own, err = rest.Split(s.Proxy, j.OtherSeed(s.Clients+1)); err != nil {
			return nil, nil, catalog.Errorf("{Proxy}: %v", err)
		}
		if own.Len() < 2 {
			return nil, nil, catalog.Errorf("{Proxy} %v: that is %d of %d samples, and the server needs 2 at least", s.Proxy, own.Len(), j.Data.Train.Len())
		}
	}
	shards, err = Split(rest, s.Clients, s.Dirichlet, j.Seed)
	return own, shards, err
}

// clients are those of the shards. They answer one after the other, on one network.
func (s *FedTiny) clients(j *model.Job, shards []*dataset.Set) (inProcess, error) {
	g, _ := j.Graph.Clone(true)
	ws, err := s.Weights(g)
	if err != nil {
		return nil, err
	}
	net := newNetwork(g, ws)
	var out inProcess
	for k, shard := range shards {
		c, err := newClient(j, net, shard, k, s)
		if err != nil {
			return nil, err
		}
		if n := c.batch(); n > c.develop.Len() {
			return nil, catalog.Errorf("the network's batch is fixed to %d, and client %d has %d samples: give fewer {Clients}, or more {Data}", n, k+1, c.develop.Len())
		}
		out = append(out, c)
	}
	return out, nil
}

// load is what a round takes a client: optimiser steps, of so many samples each.
type load struct{ steps, batch int }

// federation is a run: the server, and its clients where they are in the same process.
type federation struct {
	*FedTiny
	job     *model.Job
	server  *Server
	clients inProcess // nil: elsewhere
	loads   []load
	key     run.Key
	own     *dataset.Set // the server's samples; nil: it has none
	shards  []*dataset.Set
}

// run prepares the mask, and trains round after round.
func (f *federation) run(ctx context.Context) (*model.Result, error) {
	j := f.job
	alone := f.alone()
	runs := j.NewSeries(len(alone) + 1)
	runs.Steps = f.steps(1, f.Rounds)
	for _, a := range alone {
		runs.Steps += a.Steps()
	}
	for _, a := range alone {
		if _, err := runs.Fit(ctx, a, j.Graph); err != nil {
			return nil, err
		}
	}
	save, onStep := runs.Next(f.steps(1, f.Rounds))
	st := &state{Key: f.key, Epochs: []train.Epoch{}}
	if j.Resume && save != "" {
		old, err := f.server.load(save, f.key)
		if err != nil {
			return nil, err
		}
		if old != nil {
			st = old
			f.resumed()
		}
	}
	if f.server.version == 0 {
		if err := f.begin(ctx); err != nil {
			return nil, j.Interrupted(ctx, err)
		}
		if err := f.server.save(save, st); err != nil {
			return nil, err
		}
	}
	for _, c := range f.clients {
		c.job.OnStep = func(int, int, float64) {
			if st.Steps++; onStep != nil {
				onStep(st.Steps, 0, 0)
			}
		}
	}
	for st.Round < f.Rounds {
		if err := f.round(ctx, st); err != nil {
			return nil, j.Interrupted(ctx, err)
		}
		if err := f.server.save(save, st); err != nil {
			return nil, err
		}
		if f.clients == nil && onStep != nil {
			onStep(st.Steps, 0, 0)
		}
	}
	return f.result(st), nil
}

// resumed tells clients what they had of masks when the run was stopped; those that are
// elsewhere may have begun anew, and are sent them again.
func (f *federation) resumed() {
	s := f.server
	if f.clients == nil {
		clear(s.held)
	}
	for k, c := range f.clients {
		if s.held[k] == s.version {
			c.masks = s.masks
		}
	}
}

// on is the job of the server's, or a client's, training of the whole network.
func (f *federation) on(set *dataset.Set, epochs int) *model.Job {
	k := *f.job
	k.Data = &dataset.Data{Spec: f.job.Data.Spec, Train: set, Norm: f.job.Data.Norm}
	k.Recipe.Epochs, k.Recipe.Batch = epochs, min(f.job.Recipe.Batch, set.Len())
	return &k
}

// alone are the trainings of the whole network before the first round: the server's, on
// its own samples, and where the mask is local that of the largest client.
func (f *federation) alone() (out []*model.Job) {
	if f.own != nil {
		out = append(out, f.on(f.own, f.Pre))
	}
	if f.Mask == "local" {
		out = append(out, f.on(f.shards[f.largest()], f.Pre))
	}
	return out
}

// largest is the client of the most samples.
func (f *federation) largest() int {
	at := 0
	for k, c := range f.server.facts.Of {
		if c.Samples > f.server.facts.Of[at].Samples {
			at = k
		}
	}
	return at
}

// begin puts the first mask in force.
func (f *federation) begin(ctx context.Context) error {
	s := f.server
	if f.Mask == "local" { // the whole network goes to that client and comes back
		of := &s.facts.Of[f.largest()]
		bytes := int64(len(Marshal(&Update{Model: s.net.read(prune.Dense(s.net.ws).Mask)})))
		of.Down, of.Up = of.Down+bytes, of.Up+bytes
		of.MACs += 3 * int64(f.Pre) * int64(of.Samples) * s.costs.all
	}
	pool, err := s.candidates(ctx, s.facts.Kept, f.pool(), f.tune)
	if err != nil {
		return err
	}
	if f.Mask == "adaptive" {
		if err := s.choose(ctx, pool); err != nil {
			return err
		}
		return f.lookAt(ctx, pool)
	}
	s.share(pool[0].masks, pool[0].model)
	s.net.write(s.model, s.masks)
	return nil
}

// lookAt notes what candidates come to on what is held out. It changes nothing.
func (f *federation) lookAt(ctx context.Context, pool []candidate) error {
	held, s := f.job.Held(), f.server
	if held == nil {
		return nil
	}
	for i, c := range pool {
		s.net.write(c.model, c.masks)
		m, err := held.Run(ctx, f.job.Graph)
		if err != nil {
			return err
		}
		s.facts.Pool[i].Held = m.Loss
	}
	s.net.write(s.model, s.masks)
	return nil
}

// steps are the optimiser steps of the clients from one round to another, drop-outs and all.
func (f *federation) steps(from, to int) (n int) {
	for t := from; t <= to; t++ {
		for _, k := range f.server.sample(t) {
			n += f.loads[k].steps
		}
	}
	return n
}

// round is the next round, judged on what is held out.
func (f *federation) round(ctx context.Context, st *state) error {
	s, t := f.server, st.Round+1
	masks, grow := s.masks, s.quotas(t)
	before := st.Steps
	if err := s.round(ctx, t); err != nil {
		st.Steps = before
		return err
	}
	st.Steps = before + f.steps(t, t)
	for _, k := range s.sample(t) {
		of, batch := &s.facts.Of[k], int64(f.loads[k].batch)
		if s.drops(t, k) {
			continue
		}
		n := int64(f.loads[k].steps) * batch
		of.MACs += 3 * n * s.costs.under(masks)
		of.Whole += 3 * n * s.costs.all
		if len(grow) > 0 {
			of.MACs += int64(f.Batches) * batch * (3*s.costs.under(masks) + s.costs.whole(grow, masks))
		}
	}
	e := train.Epoch{Epoch: t, Step: st.Steps, Loss: s.facts.Rounds[t-1].Loss}
	if held := f.job.Held(); held != nil {
		m, err := held.Run(ctx, f.job.Graph)
		if err != nil {
			return err
		}
		e.Score, e.ValLoss = m.Main(), m.Loss
	}
	st.Round, st.Epochs = t, append(st.Epochs, e)
	if f.job.Epoch != nil {
		f.job.Epoch(e)
	}
	return nil
}

// result says what it came to.
func (f *federation) result(st *state) *model.Result {
	s := f.server
	s.net.write(s.model, s.masks)
	r := &model.Result{Graph: f.job.Graph, Masks: &prune.Masks{Weights: s.net.ws, Mask: s.masks}, Epochs: st.Epochs, Facts: s.facts}
	s.measure()
	d := &s.facts.Device
	r.Note("%d of %d parameters stay, %d of them of biases, normalisations and others that are not cut; at a client they take %d bytes of the %d of the whole network, and a sample %d multiply-accumulates of %d",
		s.facts.Kept+s.facts.Dense, s.facts.Params, s.facts.Dense, d.Bytes, d.DenseBytes, d.MACs, d.DenseMACs)
	if f.Mask == "adaptive" && len(s.net.Norms) == 0 {
		r.Note("the network has no batch normalisation: candidates were compared by their losses alone")
	}
	if f.Mask == "local" {
		r.Note("one client held and trained the whole network, to choose the mask")
	}
	if f.Rate > 0 && s.rate.Count() == 0 {
		r.Note("the mask was never adjusted: the adjustments, every {Every} %d rounds, end at round %d", f.Every, s.rate.End)
	}
	out := 0
	for _, x := range s.facts.Rounds {
		out += len(x.Out)
	}
	if out > 0 {
		r.Note("%d answers of clients were left out, see the facts", out)
	}
	return r
}

// measure says what the network takes at a client.
func (s *Server) measure() {
	d := &s.facts.Device
	whole := prune.Dense(s.net.ws)
	d.DenseBytes, d.MACs, d.DenseMACs = int64(4*s.net.Params()), s.costs.under(s.masks), s.costs.all
	d.Whole = int64(len(Marshal(&Broadcast{Ask: AskTraining, Round: 1, Model: s.net.read(whole.Mask)})))
	w := &writer{}
	for _, m := range s.masks {
		w.mask(m)
	}
	d.Bytes = int64(4*(s.facts.Kept+s.facts.Dense) + len(w.b))
	m := *s.model
	m.Masks = s.masks
	d.Message = int64(len(Marshal(&Broadcast{Ask: AskTraining, Round: 1, Model: &m})))
	if s.rate.Count() > 0 {
		for t := s.rate.Every; t < s.rate.End; t += s.rate.Every {
			buffer := int64(4 * tile)
			for _, q := range s.quotas(t) {
				buffer += 8 * int64(q.Count)
			}
			d.Buffer = max(d.Buffer, buffer)
		}
	}
}
