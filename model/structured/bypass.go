package structured

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sort"

	"pare/graph"
	"pare/graph/op"
	"pare/model"
	"pare/prune"
	"pare/prune/hook"
	"pare/prune/structure"
	"pare/tensor"
)

// besides are convolutions with a light branch beside each, whose filters may then be cut
// one by one: the width of what they give stays, for the branch feeds every channel.
type besides struct {
	convs        []*beside
	dense        structure.Cost // of the network without branches
	whole        structure.Cost // with them
	target       model.ChannelTarget
	share        [2]float64 // of its multiply-accumulates and parameters that may stay; 0: not asked
	macs, params []float64  // that go with one filter
}

// beside is one of them.
type beside struct {
	conv *graph.Node
	norm *graph.Node    // the batch normalisation that alone reads it; nil: none
	sum  *graph.Node    // adds the branch
	of   []*graph.Value // what has an entry, or a row, for each filter
	n    int
}

// mostBypass is the largest share of a convolution's multiply-accumulates that its branch may take.
const mostBypass = .25

// putBeside adds branches to a network: a convolution of 3x3 in as many groups as the
// numbers of inputs and outputs have in common, with the stride of the one that it stands
// beside, and batch normalisation of scale 0, so that the network computes what it did. The
// sum stands behind the normalisation that alone reads the convolution, where there is one.
func putBeside(g *graph.Graph, scope prune.Scope, target model.ChannelTarget, seed uint64) (*besides, error) {
	b := &besides{dense: structure.CostOf(g), target: target}
	b.share[0], b.share[1] = target.Shares(g)
	uses := g.Uses()
	for _, n := range slices.Clone(g.Nodes) {
		c := besideOf(g, n, uses)
		if c == nil || !scope.Match(n.In(1).Name) {
			continue
		}
		if err := c.branch(g, rand.New(rand.NewPCG(seed, 0xb4<<32|uint64(len(b.convs))))); err != nil {
			return nil, err
		}
		b.convs = append(b.convs, c)
	}
	if err := g.Sort(); err != nil {
		return nil, err
	}
	if err := op.InferAll(g); err != nil {
		return nil, err
	}
	b.whole = structure.CostOf(g)
	for _, c := range b.convs {
		one, _ := op.OneSample(g)
		macs, _ := op.MACs(one.Nodes[slices.Index(g.Nodes, c.conv)])
		params := 0
		for _, v := range c.of {
			if v.Role == graph.Param {
				params += v.Const.Len() / c.n
			}
		}
		b.macs, b.params = append(b.macs, float64(macs)/float64(c.n)), append(b.params, float64(params))
	}
	return b, nil
}

// besideOf says whether a convolution can have a branch that is light beside it.
func besideOf(g *graph.Graph, n *graph.Node, uses map[*graph.Value][]graph.Use) *beside {
	if !n.Is("Conv") || n.Int("group", 1) != 1 || n.Str("auto_pad", "NOTSET") != "NOTSET" {
		return nil
	}
	w, y := n.In(1), n.Out(0)
	if !w.IsConst() || w.Role != graph.Param || w.DType != tensor.Float32 || len(w.Const.Shape) != 4 || len(uses[w]) != 1 || g.IsOutput(y) {
		return nil
	}
	out, in := w.Const.Shape[0], w.Const.Shape[1]
	kernel := w.Const.Shape[2] * w.Const.Shape[3]
	if out < 2 || kernel < 2 || 9/float64(gcd(in, out)*kernel) > mostBypass || pads(n) == nil {
		return nil
	}
	c := &beside{conv: n, of: []*graph.Value{w}, n: out}
	if b := n.In(2); b != nil {
		if !b.IsConst() || b.Role != graph.Param || len(uses[b]) != 1 {
			return nil
		}
		c.of = append(c.of, b)
	}
	if u := uses[y]; len(u) == 1 && u[0].Index == 0 && u[0].Node.Is("BatchNormalization") && !g.IsOutput(u[0].Node.Out(0)) {
		for _, v := range u[0].Node.Inputs[1:] {
			if !v.IsConst() || len(uses[v]) != 1 || v.Const.Len() != out {
				return nil
			}
		}
		c.norm = u[0].Node
		c.of = append(c.of, c.norm.Inputs[1:]...)
	}
	return c
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// pads are those with which a convolution of 3x3 gives what a convolution gives; nil: there
// are none.
func pads(n *graph.Node) []int {
	was, dilations, k := n.Ints("pads"), n.Ints("dilations"), n.In(1).Const.Shape[2:]
	if was == nil {
		was = []int{0, 0, 0, 0}
	}
	out := make([]int, 4)
	for i := range out {
		reach := k[i%2] - 1
		if dilations != nil {
			reach *= dilations[i%2]
		}
		if out[i] = was[i] + 1 - reach/2; reach%2 != 0 || out[i] < 0 {
			return nil
		}
	}
	return out
}

// branch puts the branch beside the convolution.
func (c *beside) branch(g *graph.Graph, r *rand.Rand) error {
	w := c.conv.In(1).Const
	groups := gcd(w.Shape[0], w.Shape[1])
	k := tensor.New(tensor.Float32, c.n, w.Shape[1]/groups, 3, 3)
	std := math.Sqrt(2 / float64(k.Len()/c.n))
	for i := range k.F32() {
		k.F32()[i] = float32(std * r.NormFloat64())
	}
	name := c.conv.In(1).Name + "/bypass"
	strides := c.conv.Ints("strides")
	if strides == nil {
		strides = []int{1, 1}
	}
	vector := func(what string, x float32, role graph.Role) *graph.Value {
		return g.Const(name+"."+what, tensor.From(slices.Repeat([]float32{x}, c.n), c.n), role)
	}
	conv := g.Add("Conv", "", []*graph.Value{c.conv.In(0), g.Const(name, k, graph.Param)}, []string{name + "/out"},
		graph.MakeAttr("group", groups), graph.MakeAttr("kernel_shape", []int{3, 3}), graph.MakeAttr("pads", pads(c.conv)), graph.MakeAttr("strides", strides))
	norm := g.Add("BatchNormalization", "", []*graph.Value{conv.Outputs[0], vector("scale", 0, graph.Param), vector("shift", 0, graph.Param), vector("mean", 0, graph.Stat), vector("var", 1, graph.Stat)},
		[]string{name + "/norm"}, graph.MakeAttr("epsilon", float32(1e-5)), graph.MakeAttr("momentum", float32(.9)))
	y := c.last()
	c.sum = g.Add("Add", "", []*graph.Value{nil, norm.Outputs[0]}, []string{name + "/sum"})
	c.sum.Outputs[0].DType, c.sum.Outputs[0].Shape = y.DType, y.Shape
	for _, o := range []*graph.Node{conv, norm} {
		o.Outputs[0].DType = y.DType
	}
	g.ReplaceUses(y, c.sum.Outputs[0])
	c.sum.Inputs[0] = y
	return nil
}

// last is what the convolution gives, behind its normalisation.
func (c *beside) last() *graph.Value {
	if c.norm != nil {
		return c.norm.Out(0)
	}
	return c.conv.Out(0)
}

// gated are what is multiplied to mask a filter: scale and shift of its normalisation, else
// the filter and its bias.
func (c *beside) gated() []*graph.Value {
	if c.norm != nil {
		return []*graph.Value{c.norm.In(1), c.norm.In(2)}
	}
	return c.of
}

// rows says of each entry of a value which filter it belongs to, counted on from first.
func (c *beside) rows(v *graph.Value, first int) []int32 {
	out := make([]int32, v.Const.Len())
	per := len(out) / c.n
	for i := range out {
		out[i] = int32(first + i/per)
	}
	return out
}

// Groups is the number of convolutions.
func (b *besides) Groups() int { return len(b.convs) }

// Shares are those of the dense network's multiply-accumulates and parameters that are left
// where some filters of each convolution are gone.
func (b *besides) Shares(gone []float64) [2]float64 {
	macs, params := float64(b.whole.MACs), float64(b.whole.Params)
	for l, x := range gone {
		macs -= x * b.macs[l]
		params -= x * b.params[l]
	}
	return [2]float64{macs / float64(max(1, b.dense.MACs)), params / float64(max(1, b.dense.Params))}
}

// Slopes writes their derivative, weighted, by what is gone.
func (b *besides) Slopes(_ []float64, weight [2]float64, d []float64) {
	for l := range d {
		d[l] = -weight[0]*b.macs[l]/float64(max(1, b.dense.MACs)) - weight[1]*b.params[l]/float64(max(1, b.dense.Params))
	}
}

// thresholds gives every convolution a threshold of 0.
func (b *besides) thresholds(h *thresholds, scales bool) {
	for l, c := range b.convs {
		of := layerOf{Group: l, First: len(h.M), N: c.n}
		for _, v := range c.gated() {
			h.On = append(h.On, hook.Gated{Name: v.Name, Factor: c.rows(v, of.First)})
		}
		v, largest := c.conv.In(1), false
		if scales && c.norm != nil {
			v, largest = c.norm.In(1), true
		}
		of.Parts = []importance{{v, c.rows(v, of.First), largest}}
		h.Layers, h.T = append(h.Layers, of), append(h.T, 0)
		for range of.N {
			h.M = append(h.M, 1)
		}
	}
}

// choose cuts filters of the lowest rates until the target is met, and says which stay of
// each convolution.
func (b *besides) choose(rates [][]float64) ([]*prune.Mask, error) {
	type filter struct {
		l, c int
		rate float64
	}
	var all []filter
	for l, of := range rates {
		order := make([]int, len(of))
		for c := range order {
			order[c] = c
		}
		sort.SliceStable(order, func(x, y int) bool { return of[order[x]] < of[order[y]] })
		free := len(of) - max(1, int(math.Ceil(b.target.Least*float64(len(of))-1e-9)))
		for k, c := range order[:free] {
			f := filter{l, c, of[c]}
			if b.target.Even {
				f.rate = float64(k+1) / float64(len(of))
			}
			all = append(all, f)
		}
	}
	sort.SliceStable(all, func(x, y int) bool { return all[x].rate < all[y].rate })
	gone := func(n int) []float64 {
		out := make([]float64, len(rates))
		for _, f := range all[:n] {
			out[f.l]++
		}
		for l, of := range rates {
			r := b.target.Multiple(len(of))
			kept := min(len(of), (len(of)-int(out[l])+r-1)/r*r)
			out[l] = float64(len(of) - kept)
		}
		return out
	}
	met := func(share [2]float64) bool {
		return (b.share[0] == 0 || share[0] <= b.share[0]) && (b.share[1] == 0 || share[1] <= b.share[1])
	}
	n := sort.Search(len(all)+1, func(n int) bool { return n > len(all) || met(b.Shares(gone(n))) })
	if n > len(all) {
		least := b.Shares(gone(len(all)))
		return nil, fmt.Errorf("no cut of filters beside branches reaches the target: the least is %.3g of the MACs and %.3g of the parameters", least[0], least[1])
	}
	left := gone(n)
	for _, f := range slices.Backward(all[:n]) { // the last may have gone further than was needed
		if r := float64(b.target.Multiple(len(rates[f.l]))); left[f.l] >= r {
			if left[f.l] -= r; !met(b.Shares(left)) {
				left[f.l] += r
			}
		}
	}
	masks := make([]*prune.Mask, len(rates))
	for l, of := range rates {
		masks[l] = prune.NewMask(len(of), true)
	}
	for _, f := range all[:n] {
		if left[f.l] > 0 {
			masks[f.l].Set(f.c, false)
			left[f.l]--
		}
	}
	return masks, nil
}

// cut removes filters from the network. What they gave is zeros, beside which the branch
// stands alone: the channels that are left are put into their places.
func (b *besides) cut(g *graph.Graph, masks []*prune.Mask) (structure.Kept, error) {
	kept := structure.Kept{}
	for l, c := range b.convs {
		m := masks[l]
		if m.Count() == m.Len {
			continue
		}
		y := c.last()
		for _, v := range append(slices.Clone(c.of), c.conv.Out(0), y) {
			dim := 0
			if !v.IsConst() {
				dim = 1
			}
			kept[v.Name] = make([]*prune.Mask, len(v.Shape))
			kept[v.Name][dim] = m
		}
		for _, v := range c.of {
			v.Const = kept.Take(v.Name, v.Const)
			v.Shape = graph.Dims(v.Const.Shape...)
		}
		at := make([]int64, m.Len)
		n := int64(0)
		for i := range at {
			if at[i] = int64(m.Count()); m.Kept(i) {
				at[i] = n
				n++
			}
		}
		name := c.conv.In(1).Name + "/places"
		widths := tensor.Vector[int64](0, 0, 0, 0, 0, 1, 0, 0)
		pad := g.Add("Pad", "", []*graph.Value{y, g.Const(name+".pads", widths, graph.Frozen)}, []string{name + "/zero"})
		place := g.Add("Gather", "", []*graph.Value{pad.Outputs[0], g.Const(name, tensor.Vector(at...), graph.Frozen)}, []string{name + "/out"}, graph.MakeAttr("axis", 1))
		c.sum.Inputs[0] = place.Outputs[0]
	}
	for _, n := range g.Nodes {
		for _, o := range n.Outputs {
			if o != nil {
				o.Shape = nil
			}
		}
	}
	if err := g.Sort(); err != nil {
		return nil, err
	}
	return kept, op.InferAll(g)
}
