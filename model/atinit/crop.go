package atinit

import (
	"fmt"

	"pare/graph"
	"pare/model"
	"pare/prune/structure"
)

// crop is what widths are chosen in: the network, as wide as they may become.
type crop struct {
	widths
	wide  *graph.Graph
	count []int     // channels of each group before
	share []float64 // that the widths keep, by group
	rigid []string  // what cannot grow, and why
	costs struct{ is, wide structure.Cost }
}

// wider makes the network as wide as its layers may become.
func (s *PreCrop) wider(g *graph.Graph) (*crop, error) {
	groups, _ := structure.Groups(g)
	c := &crop{widths: widths{groups: groups, least: s.Least, balance: s.Balance}, wide: g}
	c.whole = func(g *structure.Group) bool { return !g.In(s.Scope()) }
	width := make([]int, len(groups))
	why := structure.Rigid(g, groups)
	for i, grp := range groups {
		n, most := len(grp.Channels), 1.
		switch {
		case s.Grow == 1 || c.whole(grp):
		case why[i] != "":
			c.rigid = append(c.rigid, fmt.Sprintf("%s does not grow: %s", grp.Name, why[i]))
		default:
			most = s.Grow
		}
		width[i] = int(most * float64(n))
		c.count, c.most = append(c.count, n), append(c.most, float64(width[i])/float64(n))
	}
	if s.Grow > 1 {
		var err error
		if c.wide, err = structure.Widen(g, groups, width); err != nil {
			return nil, err
		}
	}
	c.costs.is, c.costs.wide = structure.CostOf(g), structure.CostOf(c.wide)
	return c, nil
}

// scale makes shares of the network those of the wider one.
func (c *crop) scale(t *model.ChannelTarget) {
	if t.MACs <= 1 {
		t.MACs *= model.Count(float64(c.costs.is.MACs) / float64(max(1, c.costs.wide.MACs)))
	}
	if t.Params <= 1 {
		t.Params *= model.Count(float64(c.costs.is.Params) / float64(max(1, c.costs.wide.Params)))
	}
}

// rates gives each channel of the wider network the factor, as a loss, by which all widths
// would have to grow for it to be among them: the first of a group stay longest.
func (c *crop) rates(_ *graph.Graph, groups []*structure.Group) ([][]float64, bool, error) {
	if len(groups) != len(c.groups) {
		return nil, false, fmt.Errorf("%d groups of channels became %d in the wider network", len(c.groups), len(groups))
	}
	c.share = c.solve()
	out := make([][]float64, len(groups))
	for i, g := range groups {
		if g.Name != c.groups[i].Name {
			return nil, false, fmt.Errorf("the channels of %q became those of %q in the wider network", c.groups[i].Name, g.Name)
		}
		out[i] = make([]float64, len(g.Channels))
		for k := range out[i] {
			out[i][k] = -float64(k+1) / (c.share[i] * float64(c.count[i]))
		}
	}
	return out, false, nil
}

// facts are what came of the widths.
func (c *crop) facts(cut *graph.Graph, kept structure.Kept) *PreCropFacts {
	is := structure.CostOf(cut)
	f := &PreCropFacts{MACs: float64(is.MACs) / float64(max(1, c.costs.is.MACs)), Params: float64(is.Params) / float64(max(1, c.costs.is.Params))}
	for _, l := range c.layers {
		left := 1.
		for d, n := range cut.Value(l.Name).Const.Shape {
			left *= float64(n) / float64(l.Const.Shape[d])
		}
		f.Layers = append(f.Layers, CroppedLayer{Name: l.Name, Wanted: l.density, Is: left})
	}
	again, _ := structure.Groups(c.wide)
	for i, grp := range again {
		n := len(grp.Channels)
		for k, a := range grp.Axes {
			if masks := kept[a.Value.Name]; masks != nil && masks[a.Dim] != nil {
				n = 0
				for _, ch := range grp.Channels {
					if masks[a.Dim].Kept(ch.At[k][0]) {
						n++
					}
				}
				break
			}
		}
		f.Groups = append(f.Groups, CroppedGroup{Name: grp.Name, Width: c.count[i], Wanted: c.share[i] * float64(c.count[i]), Is: n})
	}
	return f
}
