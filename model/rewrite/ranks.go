package rewrite

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"pare/catalog"
	"pare/model"
	"pare/prune"
	"pare/prune/lowrank"
	"pare/prune/structure"
)

// Ranks are the settings of methods that put two thin layers in the place of one.
type Ranks struct {
	model.Counts
	Keep   float64 `flag:"keep-energy" target:"yes" range:"[0,1]" doc:"share of the squares of a weight's singular values that its rank keeps, at least (0: not asked)"`
	Value  float64 `flag:"value" target:"yes" range:"[0,)" doc:"singular values below this are dropped (0: not asked)"`
	Rank   float64 `flag:"rank" target:"yes" range:"[0,1]" doc:"largest rank of every weight, as a share of the full one (0: not asked)"`
	Scheme string  `flag:"scheme" choice:"auto,channel,spatial,decouple" doc:"how a convolution becomes two: channel (the kernel to few channels, then 1 by 1), spatial (the first axis of the kernel, then the others), decouple (1 by 1, then the kernel on every channel by itself), or auto: channel or spatial, by layer; whatever has no kernel has one way"`
}

// asked returns an error where nothing says what ranks there are to be.
func (s Ranks) asked() error {
	if s.MACs == 0 && s.Params == 0 && s.Keep == 0 && s.Value == 0 && s.Rank == 0 {
		return catalog.Errorf("nothing says how low ranks are to be: give {MACs} or {Params}, or {Keep}, {Value} or {Rank}")
	}
	return s.Counts.Check()
}

// ways lays a layer out as the scheme says. What has no such way has that of channels. auto
// leaves decouple out: its grouped convolutions multiply little and take long.
func (s Ranks) ways(l *lowrank.Layer) []*lowrank.Unfolding {
	var out []*lowrank.Unfolding
	for _, name := range []lowrank.Scheme{lowrank.Channel, lowrank.Spatial, lowrank.Decouple} {
		if s.Scheme == "auto" && name != lowrank.Decouple || s.Scheme == string(name) {
			if u := l.Unfold(name); u != nil {
				out = append(out, u)
			}
		}
	}
	if out == nil {
		out = append(out, l.Unfold(lowrank.Channel))
	}
	return out
}

// cap is the highest rank that a weight may have by itself, whatever the targets of the
// network; capped says whether anything lowers it.
func (s Ranks) cap(d *lowrank.Spectrum) (rank int, capped bool) {
	rank = d.Full()
	if s.Keep > 0 {
		rank, capped = min(rank, d.Rank(s.Keep)), true
	}
	if s.Value > 0 {
		rank, capped = min(rank, d.Above(s.Value)), true
	}
	if s.Rank > 0 {
		rank, capped = min(rank, max(1, int(s.Rank*float64(d.Full())+1e-9))), true
	}
	return rank, capped
}

// FactorFacts say what became of every weight that could be written as a product.
type FactorFacts struct {
	Layers []FactoredLayer `json:"layers"`
	MACs   float64         `json:"macs"`   // share that is left of the whole network's
	Params float64         `json:"params"` // likewise
}

// FactoredLayer is one weight.
type FactoredLayer struct {
	Name   string  `json:"name"`
	Scheme string  `json:"scheme,omitempty"` // "": the layer stays as it was
	Rank   int     `json:"rank,omitempty"`
	Full   int     `json:"full"`           // the rank that nothing is cut from
	Lost   float64 `json:"lost,omitempty"` // share of the squares of its singular values
	MACs   float64 `json:"macs"`           // share that is left of the layer's
	Params float64 `json:"params"`
}

// factor writes the layers as products, each laid out in one of its ways, and says what
// came of it.
func (s Ranks) factor(ctx context.Context, j *model.Job, layers []*lowrank.Layer, ways func(*lowrank.Layer) []*lowrank.Unfolding) (*model.Result, error) {
	whole := structure.CostOf(j.Graph)
	b := &budget{Ranks: s, whole: lowrank.Cost{MACs: whole.MACs, Params: whole.Params}}
	var broken []string
	for i, l := range layers {
		c := &choice{layer: l}
		for _, u := range ways(l) {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			if d := u.Decompose(l.Data()); d != nil {
				c.ways = append(c.ways, d)
			}
		}
		if c.ways == nil {
			broken = append(broken, l.Name)
			continue
		}
		c.begin(s)
		b.of = append(b.of, c)
		j.Logf("singular values of %s, %d of %d", l.Name, i+1, len(layers))
	}
	if err := b.meet(); err != nil {
		return nil, err
	}
	g, err := lowrank.Factor(j.Graph, b.picks())
	if err != nil {
		return nil, err
	}
	res := &model.Result{Graph: g}
	res.Facts = b.facts(structure.CostOf(g))
	b.say(res, broken)
	return res, nil
}

// picks are the layers that become two.
func (b *budget) picks() (out []lowrank.Pick) {
	for _, c := range b.of {
		if c.at.way != nil {
			out = append(out, lowrank.Pick{Layer: c.layer, Of: c.at.way, Rank: c.at.rank})
		}
	}
	return out
}

func (b *budget) facts(left structure.Cost) *FactorFacts {
	share := func(a, b int64) float64 { return float64(a) / float64(max(1, b)) }
	f := &FactorFacts{MACs: share(left.MACs, b.whole.MACs), Params: share(left.Params, b.whole.Params)}
	for _, c := range b.of {
		was := c.ways[0].Whole
		is := c.at.cost(was)
		l := FactoredLayer{Name: c.layer.Name, Full: c.ways[0].Full(), MACs: share(is.MACs, was.MACs), Params: share(is.Params, was.Params)}
		if d := c.at.way; d != nil {
			l.Scheme, l.Rank, l.Full, l.Lost = string(d.Scheme), c.at.rank, d.Full(), c.at.lost
		}
		f.Layers = append(f.Layers, l)
	}
	return f
}

// say notes how many layers became two, and which stayed, and why.
func (b *budget) say(res *model.Result, broken []string) {
	f := res.Facts.(*FactorFacts)
	var dense []string
	for _, l := range f.Layers {
		if l.Scheme == "" {
			dense = append(dense, l.Name)
		}
	}
	res.Note("%d of %d weights are products of two thinner ones; %.1f %% of the multiply-accumulates and %.1f %% of the parameters are left", len(f.Layers)-len(dense), len(f.Layers), 100*f.MACs, 100*f.Params)
	if dense != nil {
		res.Note("%d weights stay as they are, for at their ranks two layers would take no less, or the targets are met without them: %s", len(dense), short(dense))
	}
	if broken != nil {
		res.Note("the singular values of %d weights could not be computed, so they stay as they are: %s", len(broken), short(broken))
	}
}

// short lists the first names.
func short(names []string) string {
	if len(names) > 5 {
		names = append(slices.Clone(names[:5]), fmt.Sprintf("and %d more", len(names)-5))
	}
	return strings.Join(names, ", ")
}

// noteSkips notes the weights that are no product, and why.
func noteSkips(res *model.Result, skips []prune.Skip) {
	for _, k := range skips {
		res.Note("%s stays whole: it %s", k.Name, k.Why)
	}
}

// nothing is the error where no weight may be a product.
func nothing(skips []prune.Skip) error {
	text := "no weight can be written as a product of two: those of convolutions, Gemm and MatMul can"
	for i, k := range skips {
		if i == 3 {
			text += fmt.Sprintf("; and %d more", len(skips)-i)
			break
		}
		text += "; " + k.String()
	}
	return errors.New(text)
}
