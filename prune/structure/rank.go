package structure

import (
	"fmt"
	"math"
	"slices"
	"sort"
	"strings"

	"pare/graph"
)

// Score rates every channel of every group from the scores of the weights'
// entries (such as w*w or |w*g|): the entries that belong to the channel are
// summed over all weights of the group (the "sum" aggregation of Structurally
// Prune Anything) and divided by the group's mean, so that groups compare.
// entry returns nil for weights that have no say; it is called once a weight.
func Score(groups []*Group, entry func(v *graph.Value) []float32) [][]float64 {
	out := make([][]float64, len(groups))
	cache := map[*graph.Value][]float32{}
	for i, g := range groups {
		out[i] = make([]float64, len(g.Channels))
		for k, a := range g.Axes {
			if !a.Value.IsConst() || a.Value.Role == graph.Stat {
				continue
			}
			e, ok := cache[a.Value]
			if !ok {
				e = entry(a.Value)
				cache[a.Value] = e
			}
			if e != nil {
				g.addTo(out[i], k, e)
			}
		}
		Relative(out[i])
	}
	return out
}

// addTo adds to every channel's score the entries that it has in axis k of the
// group, of those of the whole weight.
func (g *Group) addTo(score []float64, k int, entries []float32) {
	a := g.Axes[k]
	per := sums(entries, a.Value.Const.Shape, a.Dim)
	for c, ch := range g.Channels {
		for _, p := range ch.At[k] {
			score[c] += per[p]
		}
	}
}

// Sum adds to every channel's score f times the entries that it has in axis k of the
// group, of those of the axis' whole weight.
func (g *Group) Sum(score []float64, k int, entries []float32, f float64) {
	more := make([]float64, len(score))
	g.addTo(more, k, entries)
	for c, x := range more {
		score[c] += f * x
	}
}

// Relative divides the scores of a group's channels by their mean.
func Relative(s []float64) {
	mean := 0.0
	for _, x := range s {
		mean += x / float64(len(s))
	}
	if mean > 0 {
		for c := range s {
			s[c] /= mean
		}
	}
}

// sums adds the entries of a tensor up by the position on one axis.
func sums(e []float32, shape []int, dim int) []float64 {
	n := shape[dim]
	outer, inner := around(shape, dim)
	out := make([]float64, n)
	for o := range outer {
		for i := range n {
			s := 0.0
			for _, x := range e[(o*n+i)*inner : (o*n+i+1)*inner] {
				s += float64(x)
			}
			out[i] += s
		}
	}
	return out
}

// Squares is w*w for the entry scores of Score: with it a channel's score is
// the squared L2 norm of all that goes with it.
func Squares(v *graph.Value) []float32 {
	x := v.Const.F32()
	if x == nil || len(v.Shape) < 2 {
		return nil
	}
	out := make([]float32, len(x))
	for i, w := range x {
		out[i] = w * w
	}
	return out
}

// Target says when to stop cutting.
type Target struct {
	MACs   float64 // share of the MACs that may stay, in (0,1]; 0: not asked
	Params float64 // share of the parameters that may stay, in (0,1]; 0: not asked
	Round  int     // channels kept of a group are rounded up to a multiple; 0 or 1: any number; Auto: see Width
	Least  float64 // share of each group's channels that stays at least
	Even   bool    // cut the same share of every group instead of ranking all together
	// Costs says that a score is what every further channel of the group costs for each
	// multiply-accumulate that goes with it: then it is added up, and the cut whose sum is
	// least is looked for, by as many channels at once as are rounded to.
	Costs bool
	// Whole says of a weight's name that no channel that the weight makes is cut; nil:
	// of none. Of a prune.Scope it is what Match is false for.
	Whole func(name string) bool
	// Why are axes that cannot be cut (of Groups), for the reasons in errors.
	Why []Protected
}

// Auto as Target.Round asks for the width that suits each group: see Width.
const Auto = -1

// Width is the multiple in which the channels of a group of n are kept so that
// vector units are filled: 8 from 16 channels on, 4 from 8 on, else 1.
func Width(n int) int {
	switch {
	case n >= 16:
		return 8
	case n >= 8:
		return 4
	}
	return 1
}

// wide is Width for a group, of which one channel may be several positions: a head
// of 16 is as wide as vector units are.
func (g *Group) wide() int {
	most := 1
	for k, a := range g.Axes {
		if a.Value.IsConst() && len(a.Value.Shape) > 1 {
			most = max(most, len(g.Channels[0].At[k]))
		}
	}
	if most >= 8 {
		return 1
	}
	return Width(len(g.Channels))
}

// up rounds the number of channels of a group that are to be kept, and says to a
// multiple of what.
func (t Target) up(g *Group, keep int) (kept, multiple int) {
	r := max(t.Round, 1)
	if t.Round == Auto {
		r = g.wide()
	}
	return min(len(g.Channels), (keep+r-1)/r*r), r
}

// Rounded is a group of which more channels were kept than asked for, so that its
// width is a multiple.
type Rounded struct {
	Group       int
	Asked, Kept int
	Multiple    int
}

// left says whether a group stays whole because a weight that makes it is to.
func (t Target) left(g *Group) bool { return t.Whole != nil && slices.ContainsFunc(g.makers, t.Whole) }

// reasons lists why what stays whole does, each with the first weights, behind a
// colon or a semicolon.
func (t Target) reasons(sep string) string {
	var order []string
	by := map[string][]string{}
	for _, p := range t.Why {
		if by[p.Why] == nil {
			order = append(order, p.Why)
		}
		by[p.Why] = append(by[p.Why], p.Value.Name)
	}
	out := ""
	for i, why := range order {
		if i == 5 {
			return out + fmt.Sprintf("; and %d more reasons", len(order)-i)
		}
		names := by[why]
		more := ""
		if len(names) > 3 {
			more = fmt.Sprintf(" and %d more", len(names)-3)
			names = names[:3]
		}
		if i > 0 {
			sep = "; "
		}
		out += sep + fmt.Sprintf("%s stays whole (%s)", strings.Join(names, ", ")+more, why)
	}
	return out
}

// Select keeps the best channels so that the target is just met. Channels of
// all groups are ranked together by score (or by their rank within the group
// where Even is set). It returns an error that states the least reachable cost
// where no cut meets the target.
func Select(g *graph.Graph, groups []*Group, score [][]float64, t Target) (Selection, error) {
	sel, _, err := SelectRounded(g, groups, score, t)
	return sel, err
}

// SelectRounded is Select that tells what was rounded.
func SelectRounded(g *graph.Graph, groups []*Group, score [][]float64, t Target) (Selection, []Rounded, error) {
	for _, s := range []float64{t.MACs, t.Params} {
		if math.IsNaN(s) || s < 0 || s > 1 {
			return nil, nil, fmt.Errorf("target %v is outside (0,1]", s)
		}
	}
	open := slices.ContainsFunc(groups, func(g *Group) bool { return !t.left(g) })
	switch {
	case len(groups) == 0:
		return nil, nil, fmt.Errorf("no channels can be cut from this network%s", t.reasons(": "))
	case !open:
		return nil, nil, fmt.Errorf("no channels may be cut: weights that are to stay whole make all of them%s", t.reasons("; "))
	}
	m := newMeter(g)
	near := func(s Selection) float64 { return t.near(m, m.cost(s.removed(groups))) }
	all := t.ranked(groups, score)
	if t.Costs {
		if s := t.cheapest(g, groups, score, func(s Selection) bool { return near(s) <= 1 }); s != nil {
			return s, nil, nil
		}
	}
	k := t.reach(groups, all, near)
	if k > len(all) {
		s, _ := t.choose(groups, all)
		c := m.cost(s.removed(groups))
		return nil, nil, fmt.Errorf("no cut of channels reaches the target: the least is %.3g of the MACs and %.3g of the parameters%s",
			float64(c.MACs)/float64(m.whole.MACs), float64(c.Params)/float64(m.whole.Params), t.reasons("; "))
	}
	s, rounded := t.choose(groups, all[:k])
	best := near(s)
	for range steps {
		if k == 0 || best >= 1-slack {
			break
		}
		step := all[k-1].g // its channels stay from here on
		all = append(slices.Clone(all[:k-1]), slices.DeleteFunc(slices.Clone(all[k-1:]), func(x channel) bool { return x.g == step })...)
		if k = t.reach(groups, all, near); k > len(all) {
			break
		}
		other, of := t.choose(groups, all[:k])
		if n := near(other); n > best {
			s, rounded, best = other, of, n
		}
	}
	return s, rounded, nil
}

// slack is the share of a target by which a cut may go further than was asked. Widths go
// in multiples, and where many layers share a group one step of it can take the network
// far below the target: then the group is left as it was before the step, and others are
// cut in its place, if that comes nearer to the target.
const slack = .05

// steps is how many such groups are left at most.
const steps = 16

// near is what a cut leaves, as a share of the target: of the one that it is nearest to.
func (t Target) near(m *meter, c Cost) float64 {
	share := func(left, whole int64, target float64) float64 {
		if target == 0 || whole == 0 {
			return 0
		}
		return float64(left) / (target * float64(whole))
	}
	return max(share(c.MACs, m.whole.MACs, t.MACs), share(c.Params, m.whole.Params, t.Params))
}

// reach is how many of the channels must be cut, from the front, to meet the target;
// more than there are where all do not.
func (t Target) reach(groups []*Group, all []channel, near func(Selection) float64) int {
	return sort.Search(len(all)+1, func(k int) bool { s, _ := t.choose(groups, all[:k]); return near(s) <= 1 })
}

// channel is one that may be cut: of a group, with what it is worth.
type channel struct {
	g, c int
	s    float64
}

// ranked lists the channels that may be cut, those worth least in front.
func (t Target) ranked(groups []*Group, score [][]float64) []channel {
	var all []channel
	for i, s := range score {
		if t.left(groups[i]) {
			continue
		}
		order := make([]int, len(s))
		for c := range order {
			order[c] = c
		}
		sort.SliceStable(order, func(a, b int) bool { return s[order[a]] < s[order[b]] })
		free := len(s) - max(1, int(math.Ceil(t.Least*float64(len(s))-1e-9)))
		for k, c := range order[:free] {
			x := channel{i, c, s[c]}
			if t.Even {
				x.s = float64(k+1) / float64(len(s))
			}
			all = append(all, x)
		}
	}
	sort.SliceStable(all, func(a, b int) bool { return all[a].s < all[b].s })
	return all
}

// choose cuts channels, rounded.
func (t Target) choose(groups []*Group, worst []channel) (Selection, []Rounded) {
	gone := make([]int, len(groups))
	for _, x := range worst {
		gone[x.g]++
	}
	var rounded []Rounded
	for i, grp := range groups {
		n := len(grp.Channels)
		asked := n - gone[i]
		if kept, r := t.up(grp, asked); kept > asked {
			rounded = append(rounded, Rounded{i, asked, kept, r})
			gone[i] = n - kept
		}
	}
	sel := All(groups)
	for _, x := range worst {
		if gone[x.g] > 0 {
			sel[x.g].Set(x.c, false)
			gone[x.g]--
		}
	}
	return sel, rounded
}
