package search

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"pare/graph"
	"pare/model"
	"pare/prune/block"
	"pare/prune/evolve"
	"pare/prune/structure"
	"pare/run"
	"pare/train"
)

// joined is what sub-networks were joined to.
type joined struct {
	chosen *solution
	all    []*solution // the front of whole networks, the largest first
	dense  float64     // loss of the network before
}

// join combines the solutions of sub-networks, and chooses the best network within the
// target.
func (e *emo) join(f *EMOFacts) (*joined, error) {
	key := fmt.Sprintf("join of %v", e.job.Facts(e.EMO, e.net).Key())
	var d recalled
	n := 0
	for _, p := range e.parts {
		n += len(p.front)
	}
	if !e.job.Resume || !run.Recall(e.job.Save, key, &d) || !e.sound(d.All) || len(d.Worse) != n {
		d = recalled{}
		if err := e.combine(); err != nil {
			return nil, e.job.Interrupted(e.ctx, err)
		}
		d.All = points(e.order)
		for _, p := range e.parts {
			for _, x := range p.front {
				d.Worse = append(d.Worse, x.worse)
			}
		}
		d.Work = e.work
		if err := run.Remember(e.job.Save, key, d); err != nil {
			return nil, err
		}
	}
	e.work, e.order = d.Work, nil
	for _, x := range d.All {
		e.order = append(e.order, &solution{widths: x.Widths, error: x.Error, cost: x.Cost})
	}
	f.Evaluated, f.Work = len(d.All), d.Work
	for i, p := range e.parts {
		for _, x := range p.front {
			point := EMOPoint{Widths: []int{}, Error: x.error, Cost: x.cost, Impairment: d.Worse[0]}
			for _, g := range p.groups {
				point.Widths = append(point.Widths, x.widths[g])
			}
			f.Subnetworks[i].Front = append(f.Subnetworks[i].Front, point)
			d.Worse = d.Worse[1:]
		}
	}
	return e.choose()
}

// recalled is what the join came to: every whole network that was evaluated.
type recalled struct {
	All   []EMOPoint
	Worse []float64 // of the sub-networks' solutions, in their order
	Work  float64
}

// choose takes the best network within the target, and the front.
func (e *emo) choose() (*joined, error) {
	out := &joined{}
	var costs [][]float64
	for _, x := range e.order {
		costs = append(costs, []float64{x.error, x.cost})
		if x.cost <= 1 && (out.chosen == nil || x.error < out.chosen.error || x.error == out.chosen.error && x.cost < out.chosen.cost) {
			out.chosen = x
		}
		if slices.Equal(x.widths, e.full()) {
			out.dense = x.error
		}
	}
	if out.chosen == nil {
		return nil, fmt.Errorf("no combination of the sub-networks' solutions reaches the target: raise {Population} or {Generations}")
	}
	for _, i := range evolve.Sort(costs)[0] {
		out.all = append(out.all, e.order[i])
	}
	falling(out.all)
	same := func(a, b *solution) bool { return a.cost == b.cost && a.error == b.error }
	out.all = slices.CompactFunc(out.all, same)
	out.chosen = out.all[slices.IndexFunc(out.all, func(x *solution) bool { return same(x, out.chosen) })]
	return out, nil
}

// combine evaluates whole networks: each solution in the place of its sub-network alone,
// then along the ranking, then, where that is asked for, by evolution; and fills up what
// the target leaves.
func (e *emo) combine() error {
	dense, err := e.evaluate(e.full())
	if err != nil {
		return err
	}
	for _, p := range e.parts {
		for _, x := range p.front {
			if e.Judge == "loss" { // the largest is the whole network
				x.worse = x.error - p.front[0].error
				continue
			}
			y, err := e.evaluate(x.widths)
			if err != nil {
				return err
			}
			x.worse = y.error - dense.error
		}
	}
	path := e.ranking()
	for _, at := range path {
		if _, err := e.evaluate(e.together(at)); err != nil {
			return err
		}
	}
	if _, err := e.evaluate(e.least()); err != nil {
		return err
	}
	if e.Join == "evolution" && len(e.parts) > 1 {
		if err := e.combinations(path); err != nil {
			return err
		}
	}
	return e.fill()
}

// together are the widths of a combination: of each sub-network one of its front.
func (e *emo) together(at []int) []int {
	out := e.full()
	for k, p := range e.parts {
		for _, g := range p.groups {
			out[g] = p.front[at[k]].widths[g]
		}
	}
	return out
}

// ranking is the order in which sub-networks are replaced: from none on, always that one
// whose next solution raises the loss least for what it saves, as far as each has been
// found to do so alone. It lists the combinations on the way, with what each has of the
// fronts.
func (e *emo) ranking() (path [][]int) {
	at := make([]int, len(e.parts))
	draw := rand.New(rand.NewPCG(e.job.Seed, 0x6a01))
	for {
		next, least := -1, math.Inf(1)
		for k, p := range e.parts {
			if at[k]+1 == len(p.front) {
				continue
			}
			was, is := p.front[at[k]], p.front[at[k]+1]
			price := (is.worse - was.worse) / math.Max(was.cost-is.cost, 1e-12)
			if e.Shuffle {
				price = draw.Float64()
			}
			if next < 0 || price < least {
				next, least = k, price
			}
		}
		if next < 0 {
			return path
		}
		at[next]++
		path = append(path, slices.Clone(at))
	}
}

// combinations searches which solutions go together, beginning with those on the way of
// the ranking.
func (e *emo) combinations(path [][]int) error {
	n := e.nsga(uint64(len(e.parts)))
	for _, p := range e.parts {
		n.Genes = append(n.Genes, evolve.Gene{Hi: float64(len(p.front) - 1), Step: 1})
	}
	begin := min(len(path), max(1, n.Population/2))
	for k := range begin {
		var genes []float64
		for _, i := range path[k*len(path)/begin] {
			genes = append(genes, float64(i))
		}
		n.First = append(n.First, genes)
	}
	n.Evaluate = func(genes []float64) ([]float64, error) {
		at := make([]int, len(genes))
		for k, x := range genes {
			at[k] = int(x)
		}
		y, err := e.evaluate(e.together(at))
		if err != nil {
			return nil, err
		}
		return []float64{y.error, y.cost}, nil
	}
	_, err := n.Run(e.ctx)
	return err
}

// mostFilled bounds the steps in which the best network within the target is widened.
const mostFilled = 8

// fill widens the best network within the target by a step of one group at a time, for as
// long as it stays within and grows better: always that group with which it is best.
func (e *emo) fill() error {
	var x *solution
	for _, y := range e.order {
		if y.cost <= 1 && (x == nil || y.error < x.error) {
			x = y
		}
	}
	for range mostFilled {
		if x == nil {
			return nil
		}
		best := x
		for i, ws := range e.widths {
			k := slices.Index(ws, x.widths[i])
			if k+1 >= len(ws) {
				continue
			}
			wider := slices.Clone(x.widths)
			if wider[i] = ws[k+1]; e.cost(wider) > 1 {
				continue
			}
			y, err := e.evaluate(wider)
			if err != nil {
				return err
			}
			if y.error < best.error {
				best = y
			}
		}
		if best == x {
			return nil
		}
		x = best
	}
	return nil
}

// build makes the network of some widths: the channels are cut, and the statistics of
// normalisation estimated. Where nothing is cut it is the network as it is.
func (e *emo) build(widths []int) (*graph.Graph, error) {
	if slices.Equal(widths, e.full()) {
		g, _ := e.net.Clone(true)
		return g, nil
	}
	g, err := structure.Cut(e.net, e.groups, e.selection(widths))
	if err != nil {
		return nil, err
	}
	return g, e.calibrate(g, e.tuning, e.job.Data.Norm, true)
}

// evaluate judges a whole network, once.
func (e *emo) evaluate(widths []int) (*solution, error) {
	if err := e.ctx.Err(); err != nil {
		return nil, err
	}
	if x := e.known[fmt.Sprint(widths)]; x != nil {
		return x, nil
	}
	g, err := e.build(widths)
	if err != nil {
		return nil, err
	}
	e.spend(g)
	x := &solution{widths: slices.Clone(widths), cost: e.cost(widths)}
	if x.error, err = e.loss(train.NewEval(e.judged, e.job.Data.Norm, evalBatch, e.job.Engine), g); err != nil {
		return nil, err
	}
	x.error = finite(x.error)
	e.know(x)
	return x, nil
}

// finite is an error that can be compared and written: of a network that gives no numbers it
// is the largest, for it is of no use, whatever it costs.
func finite(x float64) float64 {
	if x-x != 0 {
		return math.MaxFloat64
	}
	return x
}

// know takes a whole network that was evaluated.
func (e *emo) know(x *solution) {
	key := fmt.Sprint(x.widths)
	if e.known[key] == nil {
		e.known[key], e.order = x, append(e.order, x)
	}
}

// loss is what a network is judged by on samples: that of the labels, or how far its
// outputs are from the dense network's.
func (e *emo) loss(ev *train.Eval, g *graph.Graph) (float64, error) {
	if e.labelled {
		ev.Objective = e.job.Judge().Objective
		m, err := ev.Run(e.ctx, g)
		return m.Loss, err
	}
	d := against(e.outputs, nil)
	err := ev.Outputs(e.ctx, block.UpTo(g, named(e.dense, e.outputs.Names)), func(out []float32, _ int) error { return d.add(out) })
	return d.value(), err
}

// named are values of a network.
func named(g *graph.Graph, names []string) (out []*graph.Value) {
	for _, n := range names {
		out = append(out, g.Value(n))
	}
	return out
}

// front is the front as others have it.
func (j *joined) front(e *emo, f *EMOFacts) *model.Front {
	out := &model.Front{Loss: e.lossName()}
	for i, x := range j.all {
		m := model.FrontMember{Loss: x.error, Chosen: x == j.chosen}
		m.MACs, m.Params = e.shares(x.widths)
		if m.Chosen {
			f.Chosen = i
		}
		out.Members = append(out.Members, m)
	}
	f.Front = out.Members
	out.Make = func(ctx context.Context, i int) (*graph.Graph, error) {
		k := *e
		k.ctx = ctx
		return k.build(j.all[i].widths)
	}
	return out
}
