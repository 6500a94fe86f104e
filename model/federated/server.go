package federated

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"

	"pare/prune"
	"pare/prune/hook"
	"pare/prune/schedule"
	"pare/train"
)

// Link carries a message to a client, from 0, and brings back its answer. It returns an
// error where the client is gone or does not understand; the server goes on without it.
type Link interface {
	Ask(ctx context.Context, client int, message []byte) (answer []byte, err error)
}

// Server holds the masks and the numbers of all, and asks clients.
type Server struct {
	set   *FedTiny
	net   *network
	link  Link
	rate  schedule.Exchange // of rounds
	seed  uint64
	costs *costs
	log   func(format string, a ...any)

	masks   []*prune.Mask
	model   *Model // under the masks
	version int    // of the masks, from 1
	held    []int  // version of the masks that a client has; 0: none
	facts   *Facts
}

// errDropped is the answer of a client that does not answer, where that is simulated.
var errDropped = errors.New("it dropped out")

// share puts masks, and numbers under them, in force.
func (s *Server) share(masks []*prune.Mask, m *Model) {
	s.masks, s.model = masks, m
	s.version++
}

// ask sends a client a message with the numbers in force, and the masks where it has
// others, and counts the bytes. Who does not answer is sent the masks again.
func (s *Server) ask(ctx context.Context, k int, b *Broadcast) ([]byte, error) {
	if b.Model.Values != nil && s.held[k] != s.version {
		m := *b.Model
		m.Masks = s.masks
		b.Model = &m
	}
	message := Marshal(b)
	of := &s.facts.Of[k]
	of.Down += int64(len(message))
	s.held[k] = 0
	if b.Round > 0 && s.drops(b.Round, k) {
		return nil, errDropped
	}
	answer, err := s.link.Ask(ctx, k, message)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	of.Up += int64(len(answer))
	if err == nil {
		s.held[k] = s.version
	}
	return answer, err
}

// drops draws whether a client drops out of a round, where that is simulated.
func (s *Server) drops(round, k int) bool {
	r := rand.New(rand.NewPCG(s.seed, 0xd809<<40|uint64(round)<<16|uint64(k)))
	return r.Float64() < s.set.DropOuts
}

// sample draws the clients of a round.
func (s *Server) sample(round int) []int {
	n := len(s.held)
	if s.set.PerRound == 0 || s.set.PerRound == n {
		who := make([]int, n)
		for k := range who {
			who[k] = k
		}
		return who
	}
	who := rand.New(rand.NewPCG(s.seed, 0x5a3b<<40|uint64(round))).Perm(n)[:s.set.PerRound]
	slices.Sort(who)
	return who
}

// quotas are the layers that are adjusted after a round, and how many weights of each:
// one block at a time, from the output backwards. Round 0 stands for none.
func (s *Server) quotas(round int) (out []Quota) {
	if !s.rate.Event(round) {
		return nil
	}
	blocks := min(s.set.Blocks, len(s.masks))
	block := blocks - 1 - (round/s.rate.Every-1)%blocks
	for l := block * len(s.masks) / blocks; l < (block+1)*len(s.masks)/blocks; l++ {
		kept := s.masks[l].Count()
		a := int(s.rate.At(round)*float64(kept) + 1e-9)
		if a = min(a, s.masks[l].Len-kept); a > 0 {
			out = append(out, Quota{l, a})
		}
	}
	return out
}

// round lets the clients of a round train, and makes one network of theirs.
func (s *Server) round(ctx context.Context, t int) error {
	f := Round{Round: t}
	grow := s.quotas(t)
	var updates []*Update
	var samples []int
	who := s.sample(t)
	answers, errs := make([]*Update, len(who)), make([]error, len(who))
	s.each(who, func(i, k int) { answers[i], errs[i] = s.update(ctx, k, t, grow) })
	if ctx.Err() != nil {
		return ctx.Err()
	}
	for i, k := range who {
		u := answers[i]
		if errs[i] != nil {
			f.Out = append(f.Out, s.leave(t, k, errs[i]))
			continue
		}
		if s.set.Clip > 0 && clip(u.Model, s.model, s.set.Clip) {
			f.Clipped++
		}
		s.facts.Of[k].Rounds++
		updates, samples = append(updates, u), append(samples, s.facts.Of[k].Samples)
	}
	if f.Clients = len(updates); f.Clients > 0 {
		c := newCombiner(s.set.Aggregate, samples)
		models, losses, pairs := make([]*Model, len(updates)), make([]float64, len(updates)), make([][]Gradients, len(updates))
		for i, u := range updates {
			models[i], losses[i], pairs[i] = u.Model, u.Loss, u.Grow
		}
		s.model = c.model(models)
		f.Loss = c.one(losses)
		if len(grow) > 0 {
			f.Adjusted = s.adjust(grow, c, pairs)
		}
		s.net.write(s.model, s.masks)
	}
	s.facts.Rounds = append(s.facts.Rounds, f)
	return nil
}

// each does something for clients: at the same time where they are apart.
func (s *Server) each(who []int, do func(i, k int)) {
	if _, apart := s.link.(*Gate); !apart {
		for i, k := range who {
			do(i, k)
		}
		return
	}
	var wait sync.WaitGroup
	for i, k := range who {
		wait.Go(func() { do(i, k) })
	}
	wait.Wait()
}

// update asks one client for its training, and checks what it sends.
func (s *Server) update(ctx context.Context, k, t int, grow []Quota) (*Update, error) {
	b, err := s.ask(ctx, k, &Broadcast{Ask: AskTraining, Round: t, Model: s.model, Grow: grow})
	if err != nil {
		return nil, err
	}
	u, err := ReadUpdate(b, &s.net.Layout, s.masks)
	if err == nil {
		err = checkUpdate(&s.net.Layout, u, s.masks, grow)
	}
	return u, err
}

// leave notes a client that is left out.
func (s *Server) leave(round, k int, err error) Out {
	s.log("round %d: client %d is left out: %v", round, k+1, err)
	return Out{k + 1, err.Error()}
}

// adjust drops, in every layer of a block, the weights nearest to zero, and grows as many
// of those that were cut before, where the clients' derivatives together are largest.
// What no client sent counts as zero, and does not grow. What grows begins at zero.
func (s *Server) adjust(ask []Quota, c combiner, of [][]Gradients) []Moved {
	s.net.write(s.model, s.masks)
	masks := slices.Clone(s.masks)
	var out []Moved
	for i, q := range ask {
		name, old := s.net.Sparse[q.Layer].Name, s.masks[q.Layer]
		score, pairs := s.scores(i, old.Len, c, of)
		a := min(q.Count, pairs)
		if a == 0 {
			continue
		}
		w := s.net.ws[q.Layer].Data()
		mask := hook.Weakest(w, old, float64(a)/float64(old.Count()))
		mask.Or(prune.TopK(score, a, prune.KeepFirst))
		masks[q.Layer] = mask
		out = append(out, Moved{name, a, pairs})
	}
	m := s.net.read(masks)
	m.Masks = nil
	s.share(masks, m)
	return out
}

// scores are the magnitudes of what the clients' derivatives of a layer come to together:
// -1 where none was sent. pairs is how many were.
func (s *Server) scores(i, n int, c combiner, of [][]Gradients) (score []float32, pairs int) {
	score = make([]float32, n)
	sent := make([]map[int]float32, len(of))
	for k, gs := range of {
		sent[k] = map[int]float32{}
		for p, at := range gs[i].Index {
			sent[k][at] = gs[i].Value[p]
		}
	}
	x := make([]float64, len(of))
	for at := range score {
		any := false
		for k := range of {
			v, ok := sent[k][at]
			x[k], any = float64(v), any || ok
		}
		if score[at] = -1; any {
			score[at] = abs(float32(c.one(x)))
			pairs++
		}
	}
	return score, pairs
}

// inProcess is clients in this process, which answer one after the other.
type inProcess []*Client

// Ask lets a client answer.
func (p inProcess) Ask(ctx context.Context, client int, message []byte) ([]byte, error) {
	return p[client].Answer(ctx, message)
}

// norms of all, asked of every client for a candidate. Who fails is left out.
func (s *Server) norms(ctx context.Context, who []int, out *[]Out) ([]train.Moments, []int, error) {
	var of [][]train.Moments
	var stay, samples []int
	for _, k := range who {
		b, err := s.ask(ctx, k, &Broadcast{Ask: AskStatistics, Model: s.model})
		if ctx.Err() != nil {
			return nil, nil, ctx.Err()
		}
		var m *Statistics
		if err == nil {
			m, err = ReadStatistics(b, &s.net.Layout)
		}
		if err == nil {
			err = checkNorms(&s.net.Layout, m.Norms)
		}
		if err != nil {
			*out = append(*out, s.leave(0, k, err))
			continue
		}
		of, stay, samples = append(of, m.Norms), append(stay, k), append(samples, s.facts.Of[k].Samples)
	}
	if len(stay) == 0 {
		return nil, nil, fmt.Errorf("no client answered with statistics of its normalisations: %s", (*out)[len(*out)-1].Why)
	}
	return newCombiner(s.set.Aggregate, samples).allNorms(of), stay, nil
}
