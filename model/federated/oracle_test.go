package federated

import (
	"context"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"pare/dataset"
	"pare/internal/modeltest"
	"pare/internal/oracle"
	"pare/model"
	"pare/prune"
	"pare/prune/allocate"
	"pare/prune/score"
	"pare/train"
)

// plain is a federation once more, in float64 and loops: everything at one place, no
// messages.
type plain struct {
	t       *testing.T
	s       *FedTiny
	j       *model.Job
	net     *oracle.Net
	shards  []*dataset.Set
	part    []float64 // of the samples, by client
	streams []*oracle.Stream
	chosen  int
}

func newPlain(t *testing.T, s *FedTiny, j *model.Job) *plain {
	shards, err := Split(j.Data.Train, s.Clients, s.Dirichlet, j.Seed)
	if err != nil {
		t.Fatal(err)
	}
	p := &plain{t: t, s: s, j: j, net: oracle.Read(t, j.Graph), shards: shards}
	for k, c := range shards {
		if c.Len() < j.Recipe.Batch {
			t.Fatalf("client %d has %d samples: choose another seed", k, c.Len())
		}
		p.part = append(p.part, float64(c.Len())/float64(j.Data.Train.Len()))
		p.streams = append(p.streams, oracle.NewStream(t, c, j.Data.Norm, j.Recipe.Batch, true, j.OtherSeed(k+1)))
	}
	return p
}

// kept are the counts of the layers for shares in proportion to raw: the factor by
// bisection.
func (p *plain) kept(raw []float64) []int {
	all := 0
	for _, x := range p.net.Tensors() {
		all += len(x.X)
	}
	total := int((1-p.s.Sparsity)*float64(all)+1e-6) - (all - oracle.Total(p.net.Weights()))
	exact := make([]float64, len(raw))
	lo, hi := 0.0, 1e9
	for range 200 {
		f, sum := (lo+hi)/2, 0.0
		for l, w := range p.net.Weights() {
			exact[l] = math.Min(1, f*raw[l]) * float64(len(w.X))
			sum += exact[l]
		}
		if sum < float64(total) {
			lo = f
		} else {
			hi = f
		}
	}
	return oracle.Rounded(exact, total)
}

// pooled makes the moments of all of those of parts.
func pooled(weight []float64, mean, variance [][]float64) (m, v []float64) {
	m, v = make([]float64, len(mean[0])), make([]float64, len(mean[0]))
	for c := range m {
		for k, w := range weight {
			m[c] += w * mean[k][c]
		}
		for k, w := range weight {
			v[c] += w * (variance[k][c] + mean[k][c]*mean[k][c])
		}
		v[c] -= m[c] * m[c]
	}
	return m, v
}

// choose tries the pool and puts the best mask in force.
func (p *plain) choose() {
	r := rand.New(rand.NewPCG(p.j.Seed, 0xca4d))
	best, dense := math.Inf(1), p.net.Clone()
	for c := range p.s.Pool {
		raw := make([]float64, len(dense.Layers))
		for l, y := range dense.Layers {
			if raw[l] = float64(y.In+y.Out) / float64(y.In*y.Out); c > 0 {
				raw[l] *= 1 - p.s.Noise + 2*p.s.Noise*r.Float64()
			}
		}
		n := dense.Clone()
		for l, k := range p.kept(raw) {
			w := n.Layers[l].W
			w.Mask = oracle.Best(p.t, oracle.Sizes(w.X), k, oracle.CutFirst)
		}
		n.Apply()
		if loss := p.try(n); loss < best {
			best, p.net, p.chosen = loss, n, c
		}
	}
}

// try sets the statistics of a candidate by all clients and gives its loss there.
func (p *plain) try(n *oracle.Net) (loss float64) {
	size := p.j.Recipe.Batch
	means, variances := make([][][]float64, len(n.Layers)), make([][][]float64, len(n.Layers))
	var develop []*dataset.Set
	for k, shard := range p.shards {
		d := shard.Draw(p.s.Develop, p.j.OtherSeed(k+1))
		develop = append(develop, d)
		st := oracle.NewStream(p.t, d, p.j.Data.Norm, size, false, 0)
		own := n.Clone()
		m, v := make([][][]float64, len(n.Layers)), make([][][]float64, len(n.Layers))
		var alike []float64
		for i := range st.Steps() {
			own.Gradient(st.Batch(0, i))
			own.MoveStatistics(size, 0)
			alike = append(alike, 1/float64(st.Steps()))
			for l, y := range own.Layers {
				if y.Norm == nil {
					continue
				}
				biased := make([]float64, len(y.Norm.Variance))
				for c, x := range y.Norm.Variance {
					biased[c] = x * float64(size-1) / float64(size)
				}
				m[l], v[l] = append(m[l], append([]float64{}, y.Norm.Mean...)), append(v[l], biased)
			}
		}
		for l, y := range n.Layers {
			if y.Norm != nil {
				mean, variance := pooled(alike, m[l], v[l])
				means[l], variances[l] = append(means[l], mean), append(variances[l], variance)
			}
		}
	}
	for l, y := range n.Layers {
		if y.Norm != nil {
			y.Norm.Mean, y.Norm.Variance = pooled(p.part, means[l], variances[l])
		}
	}
	for k, d := range develop {
		loss += p.part[k] * n.Loss(oracle.Whole(p.t, d, p.j.Data.Norm))
	}
	return loss
}

// round trains at every client, averages, and adjusts a block.
func (p *plain) round(t, until int) {
	steps := func(k int) int { return p.streams[k].Steps() * p.j.Recipe.Epochs }
	layers, adjusts := len(p.net.Layers), t%p.s.Every == 0 && t < until
	first, last := 0, 0
	if adjusts {
		block := p.s.Blocks - 1 - (t/p.s.Every-1)%p.s.Blocks
		first, last = block*layers/p.s.Blocks, (block+1)*layers/p.s.Blocks
	}
	moved := make([]int, layers)
	sum := make([][]float64, layers) // of gradients that were sent; nil: none
	sent := make([][]bool, layers)
	var ends []*oracle.Net
	for k := range p.shards {
		n, whole := p.net.Clone(), steps(k)*p.s.Rounds
		n.Begin()
		run := &oracle.Training{Net: n, Stream: p.streams[k], Recipe: p.j.Recipe, From: (t - 1) * steps(k), Steps: t * steps(k),
			Falls: func(step int) float64 {
				return p.j.Recipe.LR * (1 + math.Cos(math.Pi*float64(step)/float64(whole))) / 2
			}}
		run.Run()
		ends = append(ends, n)
		if !adjusts {
			continue
		}
		g := n.Clone()
		slope := make([][]float64, layers)
		for b := range p.s.Batches {
			g.Gradient(p.streams[k].Batch(t*p.j.Recipe.Epochs, b))
			for l, w := range g.Weights() {
				if slope[l] == nil {
					slope[l] = make([]float64, len(w.X))
				}
				for i, x := range w.G {
					slope[l][i] += x / float64(p.s.Batches)
				}
			}
		}
		for l := first; l < last; l++ {
			w := g.Layers[l].W
			w.G = slope[l]
			if sum[l] == nil {
				sum[l], sent[l] = make([]float64, len(w.X)), make([]bool, len(w.X))
			}
			kept := oracle.Count(w.Mask)
			moved[l] = min(int(p.s.Rate/2*(1+math.Cos(math.Pi*float64(t)/float64(until)))*float64(kept)), len(w.X)-kept)
			open := oracle.Sizes(w.G)
			for i := range open {
				if w.Mask[i] {
					open[i] = -1
				}
			}
			for i, in := range oracle.Best(p.t, open, moved[l], oracle.KeepFirst) {
				if in {
					sum[l][i] += p.part[k] * w.G[i]
					sent[l][i] = true
				}
			}
		}
	}
	p.average(ends)
	for l := first; l < last; l++ {
		w, grow := p.net.Layers[l].W, oracle.Sizes(sum[l])
		for i := range grow {
			if !sent[l][i] {
				grow[i] = -1
			}
		}
		stay := oracle.Best(p.t, oracle.Among(w.Mask, oracle.Sizes(w.X)), oracle.Count(w.Mask)-moved[l], oracle.CutFirst)
		for i, in := range oracle.Best(p.t, grow, moved[l], oracle.KeepFirst) {
			stay[i] = stay[i] || in
		}
		w.Mask = stay
	}
	p.net.Apply()
}

// average makes the network of all of those of the clients.
func (p *plain) average(ends []*oracle.Net) {
	for i, x := range p.net.Tensors() {
		for e := range x.X {
			x.X[e] = 0
			for k, n := range ends {
				x.X[e] += p.part[k] * n.Tensors()[i].X[e]
			}
		}
	}
	for l, y := range p.net.Layers {
		if y.Norm == nil {
			continue
		}
		var m, v [][]float64
		for _, n := range ends {
			m, v = append(m, n.Layers[l].Norm.Mean), append(v, n.Layers[l].Norm.Variance)
		}
		y.Norm.Mean, y.Norm.Variance = pooled(p.part, m, v)
	}
}

// What Run does to a small network with normalisations is what comes of the same in plain
// loops: the mask that is chosen, every weight, every statistic.
func TestOracle(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(s *FedTiny)
	}{
		{"adaptive", func(*FedTiny) {}},
		{"one block", func(s *FedTiny) { s.Blocks, s.Every = 1, 2 }},
		{"half of the rounds", func(s *FedTiny) { s.Until = train.Share(.5) }},
		{"mask stays", func(s *FedTiny) { s.Rate = 0 }},
		{"two batches", func(s *FedTiny) { s.Batches = 2 }},
		{"one client", func(s *FedTiny) { s.Clients, s.Dirichlet = 1, 0 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			j := oracle.Job(t, "mlp:10-12-8-4", 150, 10, 2, 5)
			oracle.Normalise(t, j)
			s := NewFedTiny()
			s.Sparsity, s.Clients, s.Rounds, s.Dirichlet, s.Pool, s.Develop, s.Rate, s.Every, s.Until, s.Blocks = .5, 3, 6, .7, 4, 30, .6, 1, train.Share(1), 2
			c.change(s)
			p := newPlain(t, s, j)
			p.choose()
			until, err := s.Until.Step(s.Rounds, s.Rounds)
			if err != nil {
				t.Fatal(err)
			}
			for round := 1; round <= s.Rounds; round++ {
				p.round(round, until)
			}
			res := modeltest.Run(t, s, j)
			p.net.Compare(t, "the end", res)
			p.net.Numbers(t, "the end", res.Graph)
			if f := res.Facts.(*Facts); f.Chosen != p.chosen {
				t.Errorf("candidate %d was chosen, want %d", f.Chosen, p.chosen)
			}
		})
	}
}

// The allocation's shares are those of ERK where no candidate is changed.
func TestBaseIsERK(t *testing.T) {
	j := oracle.Job(t, "mlp:10-12-8-4", 150, 10, 1, 5)
	s := NewFedTiny()
	s.Sparsity, s.Clients, s.Rounds, s.Mask, s.Rate = .5, 2, 1, "magnitude", 0
	res := modeltest.Run(t, s, j)
	n := res.Facts.(*Facts)
	want, err := allocate.ERK(res.Masks.Weights, 1-float64(n.Kept)/float64(n.Params-n.Dense))
	if err != nil {
		t.Fatal(err)
	}
	for l, m := range res.Masks.Mask {
		if m.Count() != want[l] {
			t.Errorf("layer %d keeps %d, want %d", l, m.Count(), want[l])
		}
	}
}

// The masks to begin with: at random, by magnitude, by magnitude of what the server or the
// largest client has trained.
func TestBeginnings(t *testing.T) {
	for _, mask := range []string{"random", "magnitude", "proxy", "local"} {
		s, j := small(t)
		s.Mask, s.Rate, s.Pre = mask, 0, 2
		start, _ := j.Graph.Clone(true)
		if mask == "proxy" {
			s.Mask, s.Proxy = "magnitude", .3
		}
		f, err := s.prepare(j)
		if err != nil {
			t.Fatal(err)
		}
		by := f.own
		if mask == "local" {
			by = f.shards[0]
			for _, c := range f.shards {
				if c.Len() > by.Len() {
					by = c
				}
			}
		}
		if by != nil {
			k := *j
			k.Data, k.Recipe.Epochs = &dataset.Data{Train: by, Norm: j.Data.Norm}, 2
			if _, err := k.Fit(context.Background(), start); err != nil {
				t.Fatal(err)
			}
		}
		ws, err := prune.Weights(start, prune.Scope{})
		if err != nil {
			t.Fatal(err)
		}
		of := score.Magnitude(ws)
		if mask == "random" {
			of = score.Random(ws, j.Seed)
		}
		p := &plain{t: t, s: s, j: j, net: oracle.Read(t, start)}
		var raw []float64
		for _, y := range p.net.Layers {
			raw = append(raw, float64(y.In+y.Out)/float64(y.In*y.Out))
		}
		res, err := f.run(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		for l, keep := range p.kept(raw) {
			for i, in := range oracle.Best(t, oracle.Wide(of[l]), keep, oracle.CutFirst) {
				if in != res.Masks.Mask[l].Kept(i) {
					t.Fatalf("%s: layer %d, entry %d: kept %v, want %v", mask, l, i, !in, in)
				}
			}
		}
	}
}

// Settings that the plain computation does not have change what comes out, each in its
// own way: none is without effect.
func TestSettings(t *testing.T) {
	run := func(change func(s *FedTiny)) string {
		s, j := small(t)
		change(s)
		return string(modeltest.Bits(modeltest.Run(t, s, j).Graph))
	}
	seen := map[string]string{}
	for name, change := range map[string]func(s *FedTiny){
		"default": func(*FedTiny) {}, "per round": func(s *FedTiny) { s.PerRound = 2 }, "uniform": func(s *FedTiny) { s.Allocate = "uniform" },
		"clipped": func(s *FedTiny) { s.Clip = .01 }, "trimmed": func(s *FedTiny) { s.Aggregate = "trimmed:0.3" }, "iid": func(s *FedTiny) { s.Dirichlet = 0 },
		"proxy": func(s *FedTiny) { s.Proxy = .2 }, "tuned": func(s *FedTiny) { s.Proxy, s.Tune = .2, 1 }, "left out": func(s *FedTiny) { s.DropOuts = .4 },
	} {
		b := run(change)
		if seen[b] != "" {
			t.Errorf("%s comes to the same as %s", name, seen[b])
		}
		seen[b] = name
	}
	s, j := small(t)
	s.Clip = .01
	for _, r := range modeltest.Run(t, s, j).Facts.(*Facts).Rounds {
		if r.Clipped < 2 || r.Round == 1 && r.Clipped != 3 {
			t.Errorf("round %d: %d updates are clipped", r.Round, r.Clipped)
		}
	}
}

// What cannot be is refused before any work, by the names of the fields.
func TestRefused(t *testing.T) {
	for want, change := range map[string]func(s *FedTiny, j *model.Job){
		"{Sparsity} 0.95: of 312 parameters 15": func(s *FedTiny, _ *model.Job) { s.Sparsity = .95 },
		"{PerRound} 4":                          func(s *FedTiny, _ *model.Job) { s.PerRound = 4 },
		"{Until}":                               func(s *FedTiny, _ *model.Job) { s.Until = train.At{X: 7, Unit: train.Epochs} },
		"{Aggregate}":                           func(s *FedTiny, _ *model.Job) { s.Aggregate = "median" },
		"{Tune} 1":                              func(s *FedTiny, _ *model.Job) { s.Tune = 1 },
		"{Clients} 90":                          func(s *FedTiny, _ *model.Job) { s.Clients = 90 },
		"{Proxy} 0.001":                         func(s *FedTiny, _ *model.Job) { s.Proxy = .001 },
		"{Recipe.Keep}":                         func(_ *FedTiny, j *model.Job) { j.Recipe.Keep = "best" },
		"{Recipe.Recover}":                      func(_ *FedTiny, j *model.Job) { j.Recipe.Recover = "distil" },
		"{Data}":                                func(_ *FedTiny, j *model.Job) { j.Recipe.Epochs = 0 },
	} {
		s, j := small(t)
		change(s, j)
		want = strings.NewReplacer("{", "", "}", "").Replace(want)
		if _, err := s.prepare(j); err == nil || !strings.Contains(strings.NewReplacer("{", "", "}", "").Replace(err.Error()), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	_, j := small(t)
	j.Data.Train.Fields = j.Data.Train.Fields[:1]
	if _, err := Split(j.Data.Train, 3, .7, 1); err == nil || !strings.Contains(err.Error(), "Dirichlet") {
		t.Errorf("shards by class of samples without one: %v", err)
	}
	if _, err := Split(j.Data.Train, 3, 0, 1); err != nil {
		t.Error(err)
	}
}
