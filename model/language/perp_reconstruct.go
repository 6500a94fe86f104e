package language

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"pare/catalog"
	"pare/dataset"
	"pare/graph"
	"pare/graph/op"
	"pare/model"
	"pare/prune"
	"pare/prune/block"
	"pare/tensor"
)

// part is a block of a network: what it makes of one value is another.
type part struct {
	from, to string // values
}

// Names of a block's output and of what it is to be, in a network of its own.
const (
	made   = "pare.block"
	wanted = "pare.block.before"
)

// blocks are those that hold a masked weight, in order: the blocks of a transformer, or
// else what lies between places where a network has one value alone.
func (s *PERP) blocks(j *model.Job, masks *prune.Masks, res *model.Result) ([]*part, error) {
	g := j.Graph
	places, err := places(g)
	if err != nil {
		return nil, err
	}
	masked := map[string]bool{}
	for _, w := range masks.Weights {
		masked[w.Name] = true
	}
	var out []*part
	inside := map[string]bool{}
	var again []string
	for i := 1; i < len(places); i++ {
		p := &part{places[i-1], places[i]}
		c, err := block.Between(g, []*graph.Value{g.Value(p.from)}, []*graph.Value{g.Value(p.to)})
		if err != nil {
			return nil, err
		}
		holds := false
		for _, v := range c.Params() {
			switch {
			case !masked[v.Name]:
			case !inside[v.Name]:
				holds, inside[v.Name] = true, true
			case !slices.Contains(again, v.Name):
				again = append(again, v.Name)
			}
		}
		if holds {
			out = append(out, p)
		}
	}
	if len(out) == 0 {
		return nil, catalog.Errorf("{Way} %s: no two places were found between which a network of numbers, sample by sample, could be reconstructed: give {Way} retrain", s.Way)
	}
	if len(again) > 0 {
		res.Note("%s are read by several blocks, and are trained for the first of them alone", strings.Join(again, ", "))
	}
	for _, w := range masks.Weights {
		if !inside[w.Name] {
			res.Note("%s is in no block: it is cut and not reconstructed", w.Name)
		}
	}
	return out, nil
}

// places are the names of values between which a network is divided, in order: the ends of
// a transformer's blocks, or else every value through which all goes.
func places(g *graph.Graph) ([]string, error) {
	found, _ := block.Find(g, block.Options{})
	var out []string
	add := func(v *graph.Value) {
		if !slices.Contains(out, v.Name) {
			out = append(out, v.Name)
		}
	}
	for _, b := range found {
		if b.Kind == block.Transformer && bySample(g, b.In) && bySample(g, b.Out) {
			add(b.In)
			add(b.Out)
		}
	}
	if len(out) > 1 {
		return out, nil
	}
	out = nil
	for _, v := range waists(g) {
		add(v)
	}
	return out, nil
}

// waists are the values through which all goes that depends on a parameter and on the
// inputs, or on the only input where that is numbers: nothing else that does is read behind
// them.
func waists(g *graph.Graph) (out []*graph.Value) {
	last, learned := map[*graph.Value]int{}, map[*graph.Value]bool{}
	varies := map[*graph.Value]bool{}
	live := map[*graph.Value]bool{}
	for _, v := range g.Inputs {
		varies[v] = true
		if len(g.Inputs) == 1 && bySample(g, v) {
			learned[v], live[v] = true, true
			out = append(out, v)
		}
	}
	for i, n := range g.Nodes {
		from, by := false, false
		for _, v := range append(slices.Clone(n.Inputs), n.Captures()...) {
			if v == nil {
				continue
			}
			last[v] = i
			from = from || varies[v]
			by = by || learned[v] || v.IsConst() && v.Role == graph.Param
		}
		for _, v := range n.Outputs {
			if v != nil {
				varies[v], learned[v] = from, from && by
			}
		}
	}
	for _, v := range g.Outputs {
		last[v] = len(g.Nodes)
	}
	for i, n := range g.Nodes {
		for _, v := range n.Outputs {
			if v != nil && learned[v] && last[v] > i {
				live[v] = true
			}
		}
		for v := range live {
			if last[v] <= i {
				delete(live, v)
			}
		}
		if len(live) != 1 {
			continue
		}
		for v := range live {
			if bySample(g, v) && (len(out) == 0 || out[len(out)-1] != v) {
				out = append(out, v)
			}
		}
	}
	return out
}

// bySample says whether a value are numbers of which every sample has its own.
func bySample(g *graph.Graph, v *graph.Value) bool {
	return len(g.Inputs) > 0 && len(g.Inputs[0].Shape) > 0 && v.DType == tensor.Float32 && len(v.Shape) > 0 && v.Shape[0] == g.Inputs[0].Shape[0]
}

// reconstruct trains one block after the other to give what it gave before it was cut, on
// what the blocks before it give now.
func (s *PERP) reconstruct(ctx context.Context, j *model.Job, runs *model.Series, dense *graph.Graph, masks *prune.Masks, blocks []*part, res *model.Result) (left []string, err error) {
	if len(blocks) == 0 {
		return nil, nil
	}
	f := res.Facts.(*PERPFacts)
	set := j.Data.Train.Draw(s.Samples, j.Seed)
	at := func(g *graph.Graph, name string) []*graph.Value { return []*graph.Value{g.Value(name)} }
	x, err := j.Features(ctx, j.Graph, at(j.Graph, blocks[0].from), set, j.Data.Norm)
	if err != nil {
		return nil, err
	}
	done := map[string]bool{} // parameters of the blocks before
	own := x                  // with Dense: what blocks read in the network before
	here := blocks[0].from
	for i, b := range blocks {
		if b.from != here {
			if x, err = s.advance(ctx, j, j.Graph, set, x, here, b.from); err != nil {
				return nil, err
			}
			if s.Dense {
				if own, err = s.advance(ctx, j, dense, set, own, here, b.from); err != nil {
					return nil, err
				}
			}
		}
		if !s.Dense {
			own = x
		}
		y, err := s.advance(ctx, j, dense, set, own, b.from, b.to)
		if err != nil {
			return nil, err
		}
		facts, err := s.fit(ctx, j, runs, b, masks, done, set, x, y)
		if err != nil {
			return nil, err
		}
		j.Logf("block %d of %d, %s to %s: relative error %.3g before, %.3g after", i+1, len(blocks), b.from, b.to, facts.Before, facts.After)
		f.Blocks = append(f.Blocks, facts.PERPBlock)
		f.Trained += facts.trained
		left = append(left, facts.left...)
		if x, err = s.advance(ctx, j, j.Graph, set, x, b.from, b.to); err != nil {
			return nil, err
		}
		own, here = y, b.to
	}
	return left, nil
}

// advance computes what part of a network makes of features.
func (s *PERP) advance(ctx context.Context, j *model.Job, g *graph.Graph, set *dataset.Set, x *model.Features, from, to string) (*model.Features, error) {
	c, err := block.Between(g, []*graph.Value{g.Value(from)}, []*graph.Value{g.Value(to)})
	if err != nil {
		return nil, err
	}
	in, err := inputs(c, set, x)
	if err != nil {
		return nil, err
	}
	return j.Features(ctx, c, c.Outputs, in, dataset.Raw)
}

// inputs are features, with what else a part of the network reads of its inputs.
func inputs(c *graph.Graph, set *dataset.Set, x *model.Features, also ...*dataset.Field) (*dataset.Set, error) {
	for _, in := range c.Inputs {
		if slices.Contains(x.Names, in.Name) {
			continue
		}
		f := set.Field(in.Name)
		if f == nil || f.Ints == nil {
			return nil, catalog.Errorf("a block reads input %q of the network, which no field of whole numbers of that name gives: {Way} retrain asks for no blocks", in.Name)
		}
		also = append(also, &dataset.Field{Name: f.Name, Shape: f.Shape, Aside: true, Ints: taken(set, f)})
	}
	return x.Set(also), nil
}

// taken are a field's numbers of the samples of a set.
func taken(set *dataset.Set, f *dataset.Field) []int32 {
	if set.Index == nil {
		return f.Ints
	}
	n := f.Size()
	var out []int32
	for _, i := range set.Index {
		out = append(out, f.Ints[int(i)*n:(int(i)+1)*n]...)
	}
	return out
}

// fitted is what one block came to.
type fitted struct {
	PERPBlock
	trained int
	left    []string // masked weights without an adapter
}

// fit trains one block. Where that does not bring it nearer it stays as it was cut.
func (s *PERP) fit(ctx context.Context, j *model.Job, runs *model.Series, b *part, masks *prune.Masks, done map[string]bool, set *dataset.Set, x, y *model.Features) (*fitted, error) {
	c, err := block.Between(j.Graph, []*graph.Value{j.Graph.Value(b.from)}, []*graph.Value{j.Graph.Value(b.to)})
	if err != nil {
		return nil, err
	}
	if c.Value(made) != nil || c.Value(wanted) != nil {
		return nil, fmt.Errorf("the network has values named %s, which blocks are called", made)
	}
	c.Outputs[0].Name = made
	if err := op.InferAll(c); err != nil {
		return nil, err
	}
	to := &dataset.Field{Name: wanted, Shape: y.Shapes[0], Floats: y.X[0]}
	samples, err := inputs(c, set, x, to)
	if err != nil {
		return nil, err
	}
	t, err := s.trained(c, masks, j.Seed+uint64(len(b.to)), done, false)
	if err != nil {
		return nil, err
	}
	for _, v := range c.Params() {
		done[v.Name] = true
	}
	out := &fitted{PERPBlock: PERPBlock{From: b.from, To: b.to}, trained: t.count, left: t.left}
	if out.Before, err = s.error(ctx, j, c, samples, y); err != nil {
		return nil, err
	}
	if out.After = out.Before; t.count == 0 {
		return out, nil
	}
	_, was := c.Clone(true)
	k := s.recipe(j, s.Passes)
	k.Graph, k.Dense, k.Log = c, nil, nil
	k.Data = &dataset.Data{Train: samples, Norm: dataset.Raw}
	k.Recipe.Loss, k.Recipe.Recover, k.Recipe.Crop, k.Recipe.Flip = "mse("+made+","+wanted+")", "train", 0, false
	k.Recipe.Batch = min(k.Recipe.Batch, samples.Len())
	k = s.recipe(k, s.Passes)
	if _, err := runs.Fit(ctx, k, c, t.hooks...); err != nil {
		return nil, fmt.Errorf("block %s to %s: %w", b.from, b.to, err)
	}
	held(c, masks)
	if out.After, err = s.error(ctx, j, c, samples, y); err != nil {
		return nil, err
	}
	if !(out.After <= out.Before) {
		for _, v := range c.Consts() { // running statistics too
			copy(v.Const.F32(), was[v].Const.F32())
		}
		out.After = out.Before
	}
	return out, nil
}

// held zeroes what masks cut of a part of the network.
func held(c *graph.Graph, masks *prune.Masks) {
	for i, w := range masks.Weights {
		if v := c.Value(w.Name); v != nil {
			masks.Mask[i].Apply(v.Const.F32())
		}
	}
}

// error is the mean squared error of what a block makes, over the mean square of what it is
// to make.
func (s *PERP) error(ctx context.Context, j *model.Job, c *graph.Graph, samples *dataset.Set, y *model.Features) (float64, error) {
	f, err := j.Features(ctx, c, c.Outputs, samples, dataset.Raw)
	if err != nil {
		return 0, err
	}
	sum := 0.0
	for i, v := range y.X[0] {
		d := float64(v) - float64(f.X[0][i])
		sum += d * d
	}
	return sum / max(y.Energy[0], 1e-30), nil
}
