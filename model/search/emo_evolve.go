package search

import (
	"cmp"
	"fmt"
	"slices"

	"pare/dataset"
	"pare/graph"
	"pare/model"
	"pare/prune/block"
	"pare/prune/evolve"
	"pare/prune/structure"
	"pare/run"
	"pare/train"
	"pare/train/objective"
)

// solution is widths of all groups, and what they were found to be worth.
type solution struct {
	widths []int
	error  float64 // of features, or the loss of the whole network
	cost   float64 // as a share of the target
	worse  float64 // of a sub-network's: by how much the whole network's loss rises
}

// search finds a front for every sub-network. What was found is remembered beside the
// job's checkpoint.
func (e *emo) search(f *EMOFacts) error {
	if err := e.observe(); err != nil {
		return err
	}
	for i, p := range e.parts {
		key := fmt.Sprintf("sub-network %d of %v", i+1, e.job.Facts(e.EMO, e.net).Key())
		var d remembered
		if !e.job.Resume || !run.Recall(e.job.Save, key, &d) || !e.sound(d.Front) || len(d.Whole) > 0 && !e.sound(d.Whole) {
			var err error
			if d, err = e.evolve(i, p); err != nil {
				return e.job.Interrupted(e.ctx, err)
			}
			if err := run.Remember(e.job.Save, key, d); err != nil {
				return err
			}
		}
		e.work += d.Work
		for _, x := range d.Whole {
			e.know(&solution{widths: x.Widths, error: x.Error, cost: x.Cost})
		}
		names := []string{}
		for _, g := range p.groups {
			names = append(names, e.groups[g].Name)
		}
		for _, x := range d.Front {
			p.front = append(p.front, &solution{widths: x.Widths, error: x.Error, cost: x.Cost})
		}
		f.Subnetworks = append(f.Subnetworks, EMOSubnetwork{First: p.first, Last: p.last, Groups: names, Evaluated: d.Evaluated})
		e.job.Logf("sub-network %d of %d, %s to %s: %d solutions were tried, %d are left", i+1, len(e.parts), p.first, p.last, d.Evaluated, len(d.Front))
	}
	return nil
}

// remembered is what the search of a sub-network came to. Widths are those of all groups.
type remembered struct {
	Front     []EMOPoint
	Whole     []EMOPoint // networks that were evaluated: of one that is not divided, all
	Evaluated int
	Work      float64
}

// points are solutions as they are remembered.
func points(xs []*solution) (out []EMOPoint) {
	for _, x := range xs {
		out = append(out, EMOPoint{Widths: x.widths, Error: x.error, Cost: x.cost})
	}
	return out
}

// sound says whether points that were remembered are of this network.
func (e *emo) sound(points []EMOPoint) bool {
	return len(points) > 0 && !slices.ContainsFunc(points, func(x EMOPoint) bool {
		if len(x.Widths) != len(e.groups) {
			return true
		}
		for i, w := range x.Widths {
			if !slices.Contains(e.widths[i], w) {
				return true
			}
		}
		return false
	})
}

// observe runs networks on the samples, for the features between sub-networks: those of
// the dense one, and where the loss judges, of the one that is cut.
func (e *emo) observe() error {
	var all []*graph.Value
	for _, p := range e.parts {
		for _, v := range append(slices.Clone(p.from), p.to...) {
			if !slices.Contains(all, v) {
				all = append(all, v)
			}
		}
	}
	if len(e.parts) > 1 {
		few, err := e.within(all, e.judged)
		if err != nil {
			return err
		}
		if few.Len() < e.judged.Len() {
			e.note("solutions are judged on %d samples, not on %d: features of more are too many to be kept", few.Len(), e.judged.Len())
		}
		e.judged = few
		if e.tuning, err = e.within(all, e.tuning); err != nil {
			return err
		}
	}
	if !e.labelled {
		outs := slices.DeleteFunc(slices.Clone(e.dense.Outputs), func(v *graph.Value) bool { return !block.BySample(e.dense, v) })
		var err error
		if e.outputs, err = e.features(e.dense, outs, e.judged); err != nil {
			return err
		}
	}
	if len(e.parts) == 1 {
		return nil
	}
	g := e.dense
	if e.Judge == "loss" {
		for i, v := range all {
			all[i] = e.net.Value(v.Name)
		}
		g = e.net
	}
	judged, err := e.features(g, all, e.judged)
	if err != nil {
		return err
	}
	tuning, err := e.features(g, all, e.tuning)
	if err != nil {
		return err
	}
	for _, p := range e.parts {
		p.reads, p.tuning, p.makes = judged.Only(p.from), tuning.Only(p.from), judged.Only(p.to)
	}
	if e.Judge == "loss" && e.labelled {
		e.targets, err = e.answers()
	}
	return err
}

// answers are the fields of the samples that judge which no input takes, such as labels.
func (e *emo) answers() (out []*dataset.Field, err error) {
	v, err := train.NewView(e.dense, e.judged, evalBatch, objective.Objective{})
	if err != nil {
		return nil, err
	}
	for k := range e.judged.Fields {
		if slices.ContainsFunc(v.Feeds, func(x train.Feed) bool { return x.Field == k }) {
			continue
		}
		c, err := model.SamplesOf(e.ctx, e.judged, k)
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, nil
}

// evolve searches the widths of a sub-network. It begins with all channels, as few as may
// be, and the same share of every group.
func (e *emo) evolve(i int, p *part) (d remembered, err error) {
	before := e.work
	var front []*solution
	if len(p.groups) > 0 {
		n := e.nsga(uint64(i))
		for _, g := range p.groups {
			n.Genes = append(n.Genes, evolve.Gene{Hi: float64(len(e.widths[g]) - 1), Step: 1})
		}
		for k := range min(tenths, n.Population/2) + 1 {
			share := 1 - float64(k)/float64(min(tenths, n.Population/2))
			n.First = append(n.First, e.genes(p, e.at(share)))
		}
		n.Evaluate = func(genes []float64) ([]float64, error) {
			x := &solution{widths: e.decode(p, genes)}
			err := e.judge(p, x)
			return []float64{x.error, x.cost}, err
		}
		all, err := n.Run(e.ctx)
		if err != nil {
			return d, err
		}
		for _, x := range all {
			if x.Rank == 0 {
				front = append(front, &solution{widths: e.decode(p, x.Genes), error: x.Costs[0], cost: x.Costs[1]})
			}
		}
		d.Evaluated = n.Evaluations()
	}
	if !slices.ContainsFunc(front, func(x *solution) bool { return slices.Equal(x.widths, e.full()) }) {
		x := &solution{widths: e.full()}
		if err := e.judge(p, x); err != nil {
			return d, err
		}
		front = append(front, x)
	}
	falling(front)
	d.Front = points(front)
	if len(e.parts) == 1 {
		d.Whole = points(e.order)
	}
	d.Work = e.work - before
	e.work = before
	return d, nil
}

// tenths is how many solutions of one share for every group a population begins with.
const tenths = 10

// nsga is a search with the settings.
func (e *emo) nsga(of uint64) *evolve.NSGA2 {
	return &evolve.NSGA2{Population: e.Population, Generations: e.Generations, Crossover: e.Crossover, Mutation: e.Mutation, Seed: e.job.Seed<<8 | of}
}

// falling sorts solutions by their cost, the largest first.
func falling(xs []*solution) {
	slices.SortStableFunc(xs, func(a, b *solution) int { return cmp.Or(cmp.Compare(b.cost, a.cost), cmp.Compare(a.error, b.error)) })
}

// decode gives the widths of all groups, those of the other sub-networks being whole.
func (e *emo) decode(p *part, genes []float64) []int {
	out := e.full()
	for k, g := range p.groups {
		out[g] = e.widths[g][int(genes[k])]
	}
	return out
}

// genes are the widths of a sub-network's groups, as places in what they may be.
func (e *emo) genes(p *part, widths []int) []float64 {
	var out []float64
	for _, g := range p.groups {
		out = append(out, float64(slices.Index(e.widths[g], widths[g])))
	}
	return out
}

// judge says what widths of a sub-network are worth: how far what it makes of the dense
// network's features is from what the dense one makes of them. A network that is not
// divided is judged as a whole.
func (e *emo) judge(p *part, x *solution) error {
	if len(e.parts) == 1 {
		y, err := e.evaluate(x.widths)
		if err == nil {
			x.error, x.cost = y.error, y.cost
		}
		return err
	}
	x.cost = e.cost(x.widths)
	sel, whole := e.selection(x.widths), slices.Equal(x.widths, e.full())
	g := e.net
	if !whole {
		var err error
		if g, err = structure.Cut(e.net, e.groups, sel); err != nil {
			return err
		}
	}
	ends := p.to
	if e.Judge == "loss" {
		ends = e.dense.Outputs
	}
	c, err := block.Between(g, p.from, ends)
	if err != nil {
		return err
	}
	judged, tuning, norm := e.judged, e.tuning, e.job.Data.Norm
	if p.from != nil {
		judged, tuning, norm = p.reads.Set(e.targets), p.tuning.Set(nil), dataset.Raw
	}
	if err := e.calibrate(c, tuning, norm, !whole); err != nil {
		return err
	}
	e.spend(c)
	ev := train.NewEval(judged, norm, evalBatch, e.job.Engine)
	if e.Judge == "loss" {
		x.error, err = e.loss(ev, c)
		x.error = finite(x.error)
		return err
	}
	d := against(p.makes, structure.KeptBy(e.groups, sel))
	err = ev.Outputs(e.ctx, c, func(out []float32, _ int) error { return d.add(out) })
	x.error = finite(d.value())
	return err
}

// calibrate estimates statistics of batch normalisation anew where channels are cut.
func (e *emo) calibrate(g *graph.Graph, set *dataset.Set, norm dataset.Norm, cut bool) error {
	if !cut || !slices.ContainsFunc(g.Nodes, func(n *graph.Node) bool { return n.Is("BatchNormalization") }) {
		return nil
	}
	_, batch := g.Batch(min(evalBatch, set.Len()))
	l := &dataset.Loader{Set: set, Size: batch, Norm: norm, Shuffle: true, Seed: e.job.Seed, Threads: e.job.Engine.Threads}
	return train.Recalibrate(e.ctx, g, train.NewData(l), max(1, set.Len()/batch), e.job.Engine)
}

// spend counts what an evaluation takes.
func (e *emo) spend(g *graph.Graph) {
	e.work += float64(structure.CostOf(g).MACs) * float64(e.judged.Len()+e.tuning.Len())
}
