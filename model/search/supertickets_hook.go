package search

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"pare/graph"
	"pare/prune"
	"pare/prune/structure"
	"pare/train"
)

// drawing shrinks a supernet and prunes its weights while it is trained. The loss gets
//
//	ρ(t) Σ_u π_u |γ_u|
//
// with the scales γ of units and their prices π. At every event units whose scales have come
// to zero die: what they send goes into the layers that read it, and their scale and shift
// are held at zero, so that all others are trained as in the network without them. Then the
// weights of the smallest size are masked, as many as the ladder says.
type drawing struct {
	train.Base
	graph  *graph.Graph
	units  *units
	ws     []*prune.Weight
	masked string // what becomes of masked weights: frozen, reactivated or released
	rho    float64
	free   int // steps without the penalty
	warm   int // and until it is whole
	tau    float64
	every  int
	total  int
	target float64
	keep   float64 // of the moving average
	least  float64 // share of the multiply-accumulates that is worth a cut

	masks   *prune.Masks // nil: dense
	theta   [][]float32  // stored values of weights, where masks are on
	gone    []*prune.Mask
	average [][]float32 // of scales, by scale
	scale   []*scaled
	prices  []float64
	params  []*train.Param
	deaths  int // events at which units died
}

// scaled is a vector of scales with its shifts.
type scaled struct {
	name         string
	group, axis  int
	scale, shift *train.Param // shift nil: there is none
}

// Start finds the parameters.
func (h *drawing) Start(r *train.Run) error {
	h.params, h.scale = nil, nil
	for _, w := range h.ws {
		p := r.Param(w.Name)
		if p == nil || len(p.W) != w.Len() {
			return fmt.Errorf("weight %q is pruned but not trained: exclude it", w.Name)
		}
		h.params = append(h.params, p)
	}
	for i, grp := range h.units.groups {
		for _, k := range h.units.scales[i] {
			s := &scaled{name: grp.Axes[k].Value.Name, group: i, axis: k, scale: r.Param(grp.Axes[k].Value.Name)}
			if s.scale == nil {
				return fmt.Errorf("scale %q is not trained", s.name)
			}
			if n := reader(h.graph, grp.Axes[k].Value); n != nil && n.In(2) != nil {
				s.shift = r.Param(n.In(2).Name)
			}
			s.scale.Decay = s.scale.Decay && h.rho == 0 // one force that makes it small is enough
			h.scale = append(h.scale, s)
		}
	}
	if h.average == nil {
		for _, s := range h.scale {
			h.average = append(h.average, slices.Clone(s.scale.W))
		}
	}
	h.bury()
	h.product()
	return nil
}

// reader is the node that reads a constant.
func reader(g *graph.Graph, v *graph.Value) *graph.Node {
	for _, n := range g.Nodes {
		if slices.Contains(n.Inputs, v) {
			return n
		}
	}
	return nil
}

// bury works out what follows from which units are alive.
func (h *drawing) bury() {
	h.prices, h.gone = h.units.prices(), nil
	for _, w := range h.ws {
		h.gone = append(h.gone, prune.NewMask(w.Len(), true))
	}
	for i, grp := range h.units.groups {
		for c := range grp.Channels {
			if h.units.alive[i].Kept(c) {
				continue
			}
			for k, a := range grp.Axes {
				l := slices.IndexFunc(h.ws, func(w *prune.Weight) bool { return w.Value == a.Value })
				if l < 0 {
					continue
				}
				for _, e := range grp.Entries(k, c) {
					h.gone[l].Set(e, false)
				}
			}
		}
	}
}

// each gives the entries of scales by unit.
func (h *drawing) each(f func(k int, s *scaled, unit, entry int)) {
	for k, s := range h.scale {
		grp := h.units.groups[s.group]
		for c, ch := range grp.Channels {
			for _, e := range ch.At[s.axis] {
				f(k, s, c, e)
			}
		}
	}
}

// AfterGrad adds the penalty, holds what is dead, and hands the stored values with their
// masked gradient to the optimiser.
func (h *drawing) AfterGrad(r *train.Run) error {
	rho := pressure(h.rho, r.Step, h.free, h.warm)
	h.each(func(_ int, s *scaled, unit, e int) {
		if !h.units.alive[s.group].Kept(unit) {
			s.still(e)
			return
		}
		switch x := s.scale.W[e]; {
		case x > 0:
			s.scale.G[e] += float32(rho * h.prices[s.group])
		case x < 0:
			s.scale.G[e] -= float32(rho * h.prices[s.group])
		}
	})
	if h.masks != nil {
		for l, p := range h.params {
			h.masks.Mask[l].Apply(p.G)
			for _, x := range p.State { // what was learned of a masked weight before must not move it
				h.masks.Mask[l].Apply(x)
			}
			copy(p.W, h.theta[l])
		}
	}
	return nil
}

// still keeps a dead unit's scale and shift at zero, and what the optimiser knows of them.
func (s *scaled) still(e int) {
	for _, p := range []*train.Param{s.scale, s.shift} {
		if p == nil {
			continue
		}
		p.W[e], p.G[e] = 0, 0
		for _, x := range p.State {
			x[e] = 0
		}
	}
}

// AfterStep takes the moved values, and shrinks and prunes where it is time.
func (h *drawing) AfterStep(r *train.Run) error {
	if h.masks != nil {
		for l, p := range h.params {
			copy(h.theta[l], p.W)
		}
	}
	keep := float32(math.Min(h.keep, float64(1+r.Step)/float64(10+r.Step)))
	for k, s := range h.scale {
		for e, x := range s.scale.W {
			h.average[k][e] = keep*h.average[k][e] + (1-keep)*x
		}
	}
	if k := h.event(r.Step); k > 0 {
		last := r.Step == h.total
		h.product() // what the dead send goes through the weights that are not masked
		if err := h.shrink(last); err != nil {
			return err
		}
		if err := h.prune(k, last); err != nil {
			return err
		}
	}
	h.product()
	return nil
}

// event is the number of the event at a step, from 1; 0: there is none.
func (h *drawing) event(step int) int {
	if step%h.every != 0 && step != h.total {
		return 0
	}
	return (step + h.every - 1) / h.every
}

// shrink lets units die whose scales, and their moving averages, have come to zero; at the
// end the averages alone decide.
func (h *drawing) shrink(last bool) error {
	next, size := slices.Clone(h.units.alive), make([][]float32, len(h.units.groups))
	for i, m := range next {
		next[i] = m.Clone()
		size[i] = make([]float32, m.Len)
	}
	h.each(func(k int, s *scaled, unit, e int) {
		x := abs(h.average[k][e])
		if !last {
			x = max(x, abs(s.scale.W[e]))
		}
		size[s.group][unit] = max(size[s.group][unit], x)
	})
	any := false
	for i, m := range next {
		if len(h.units.scales[i]) == 0 {
			continue
		}
		var small []int // the smallest first; of equal ones the first is the last to go
		for c := m.Len - 1; c >= 0; c-- {
			if m.Kept(c) && float64(size[i][c]) <= h.tau {
				small = append(small, c)
			}
		}
		slices.SortStableFunc(small, func(a, b int) int { return cmp.Compare(size[i][a], size[i][b]) })
		for _, c := range small[:min(len(small), max(0, m.Count()-h.units.floors[i]))] {
			m.Set(c, false)
			any = true
		}
	}
	if !any {
		return nil
	}
	macs, _ := h.units.costs.At(h.units.gone())
	was := h.units.alive
	h.units.alive = next
	less, _ := h.units.costs.At(h.units.gone())
	if !last && macs-less < h.least*float64(h.units.costs.Whole.MACs) {
		h.units.alive = was
		return nil
	}
	h.deaths++
	return h.fold()
}

// fold puts what dead units send into the layers that read it, and their scales and shifts
// to zero.
func (h *drawing) fold() error {
	g, _, err := structure.FoldConstants(h.graph, h.units.groups, h.units.alive)
	if err != nil {
		return err
	}
	for _, v := range h.graph.Consts() {
		if w := g.Value(v.Name); len(v.Shape) == 1 && w != nil && w.IsConst() && v.Const.F32() != nil {
			copy(v.Const.F32(), w.Const.F32())
		}
	}
	h.bury()
	h.each(func(_ int, s *scaled, unit, e int) {
		if !h.units.alive[s.group].Kept(unit) {
			s.still(e)
		}
	})
	return nil
}

// prune masks the weights of the smallest size. Frozen ones keep their values, without a
// gradient; reactivated ones are zero and trained on; released ones are trained on with their
// values, as if nothing had been pruned.
func (h *drawing) prune(k int, last bool) error {
	share := ladder(k, h.target)
	if last {
		share = h.target
	}
	if h.masked == "released" && !last || share == 0 {
		return nil
	}
	values := h.theta // what is stored of masked weights counts too
	if h.masks == nil {
		values = nil
		for _, p := range h.params {
			values = append(values, p.W)
		}
	}
	m, err := lowest(h.ws, values, h.gone, share)
	if err != nil {
		return err
	}
	if h.masked == "frozen" || last {
		if h.masks == nil {
			h.theta = nil
			for _, p := range h.params {
				h.theta = append(h.theta, slices.Clone(p.W))
			}
		}
		h.masks = m
		return nil
	}
	for l, p := range h.params {
		m.Mask[l].Apply(p.W)
	}
	return nil
}

// product writes the masked values where the network reads them.
func (h *drawing) product() {
	if h.masks == nil {
		return
	}
	for l, p := range h.params {
		copy(p.W, h.theta[l])
		h.masks.Mask[l].Apply(p.W)
	}
}
