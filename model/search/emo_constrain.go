package search

import (
	"math/rand/v2"
	"slices"
	"strings"

	"pare/dataset"
	"pare/graph"
	"pare/model"
	"pare/prune/block"
	"pare/prune/hook"
	"pare/train"
)

// phase is the training of a sub-network at widths by chance.
type phase struct {
	part int
	task bool // the whole network's loss takes part
	job  *model.Job
}

// phases lists the trainings, of the sub-networks in their order. The last ones, those of
// the second half, are trained by the loss of the whole network too.
func (e *emo) phases() (out []*phase) {
	if e.Constrain == 0 || e.job.Recipe.Epochs == 0 {
		return nil
	}
	genes := 0
	for i, p := range e.parts {
		if genes += len(p.groups); genes == 0 || len(e.trained(p)) == 0 {
			continue
		}
		k := *e.job
		k.Data = &dataset.Data{Train: e.job.Data.Train, Norm: e.job.Data.Norm}
		k.Recipe.Epochs, k.Recipe.Keep = e.Constrain, "last"
		k.Recipe.Recover = "auto"
		if strings.Contains(e.job.Recipe.Recover, "distil") {
			k.Recipe.Recover = "distil"
		}
		out = append(out, &phase{i, i == len(e.parts)-1 || 2*i >= len(e.parts), &k})
	}
	return out
}

// softness is the temperature that outputs are matched at.
const softness = 4

// constrain trains a sub-network, the others being held: what it makes of features, those
// of the network itself or of pruned predecessors, is to be what the dense one makes. With
// the task, what the rest of the network, which is the dense one's still, makes of that is
// half of the loss.
func (e *emo) constrain(runs *model.Series, p *phase) ([]train.Epoch, error) {
	at := e.parts[p.part]
	var inner []train.Inner
	student, teacher := e.net, e.dense
	p.job.Loss = train.Loss{Alpha: .5, T: softness}
	if p.task {
		for _, v := range at.to {
			if !e.dense.IsOutput(v) {
				inner = append(inner, train.Inner{Name: v.Name})
			}
		}
	} else {
		p.job.Recipe.Recover = "distil"
		student, teacher = block.UpTo(e.net, at.to), block.UpTo(e.dense, at.to)
	}
	p.job.Loss.Teacher, p.job.Loss.Inner = teacher, inner
	h := e.narrow(p.part, student)
	e.job.Logf("sub-network %d of %d, %s to %s, is trained at widths by chance for %d epochs", p.part+1, len(e.parts), at.first, at.last, e.Constrain)
	epochs, err := runs.Fit(e.ctx, p.job, student, h)
	if err != nil {
		return nil, err
	}
	h.Unmask()
	return epochs, e.job.Recalibrate(e.ctx, e.net, e.job.Recipe.Batch)
}

// trained are the names of a sub-network's parameters that no earlier one has.
func (e *emo) trained(p *part) map[string]bool {
	out := map[string]bool{}
	for i, n := range e.dense.Nodes[:p.hi] {
		for _, v := range append(slices.Clone(n.Inputs), n.Captures()...) {
			switch {
			case v == nil || !v.IsConst() || v.Role != graph.Param:
			case i < p.lo:
				out[v.Name] = false
			default:
				if _, before := out[v.Name]; !before {
					out[v.Name] = true
				}
			}
		}
	}
	for name, own := range out {
		if !own {
			delete(out, name)
		}
	}
	return out
}

// narrow draws widths for every step of a training, and trains one sub-network alone. A
// channel that is not kept is zero wherever it is read, as if it were cut. The sub-network
// has widths by chance in all steps; those before it in a share of them, else all their
// channels; those behind it have all.
type narrow struct {
	train.Base
	hook.Gates
	Groups []narrowed
	Trains map[string]bool // names of what is trained
	Mix    float64
	Seed   uint64

	frozen []*train.Param
}

// narrowed is a group whose width is drawn.
type narrowed struct {
	First  int   // of its gates
	Best   []int // its channels, the most important first
	Widths []int
	Before bool // it is of a sub-network before
}

// narrow makes the hook for the training of a sub-network as part of a network.
func (e *emo) narrow(at int, g *graph.Graph) *narrow {
	h := &narrow{Trains: e.trained(e.parts[at]), Mix: e.Mix, Seed: e.job.OtherSeed(at + 1)}
	there := map[string]bool{}
	for _, v := range g.Params() {
		there[v.Name] = true
	}
	for k, p := range e.parts[:at+1] {
		for _, i := range p.groups {
			grp, read := e.groups[i], false
			for _, a := range grp.Readers() {
				if name := grp.Axes[a].Value.Name; there[name] {
					h.On = append(h.On, hook.Gated{Name: name, Factor: grp.Members(a, int32(len(h.M)))})
					read = true
				}
			}
			if !read {
				continue
			}
			h.Groups = append(h.Groups, narrowed{len(h.M), e.best[i], e.widths[i], k < at})
			for range grp.Channels {
				h.M = append(h.M, 1)
			}
		}
	}
	return h
}

// Start holds what is not trained.
func (h *narrow) Start(r *train.Run) error {
	if err := h.Begin(r); err != nil {
		return err
	}
	h.Unmask()
	h.frozen = h.frozen[:0]
	for _, p := range r.Params {
		if !h.Trains[p.Value.Name] {
			p.Decay = false
			h.frozen = append(h.frozen, p)
		}
	}
	return nil
}

// BeforeStep draws the widths.
func (h *narrow) BeforeStep(r *train.Run) error {
	draw := rand.New(rand.NewPCG(h.Seed, 0xe30<<48|uint64(r.Step)))
	pruned := draw.Float64() < h.Mix
	for _, g := range h.Groups {
		w := g.Widths[draw.IntN(len(g.Widths))]
		if g.Before && !pruned {
			w = len(g.Best)
		}
		for k, c := range g.Best {
			h.M[g.First+c] = 0
			if k < w {
				h.M[g.First+c] = 1
			}
		}
	}
	h.Forward()
	return nil
}

// AfterGrad lets the sub-network's own weights be moved alone.
func (h *narrow) AfterGrad(*train.Run) error {
	h.Backward()
	for _, p := range h.frozen {
		clear(p.G)
	}
	return nil
}

// AfterStep takes the weights as they have moved.
func (h *narrow) AfterStep(*train.Run) error {
	h.Moved()
	return nil
}

// Name identifies the state in a checkpoint.
func (*narrow) Name() string { return "widths" }

// MarshalBinary writes the weights without gates.
func (h *narrow) MarshalBinary() ([]byte, error) { return h.State(), nil }

// UnmarshalBinary restores them.
func (h *narrow) UnmarshalBinary(b []byte) error {
	_, err := h.SetState(b)
	return err
}
