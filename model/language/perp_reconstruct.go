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
	"pare/train"
	"pare/train/objective"
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
		if b.Kind == block.Transformer && block.BySample(g, b.In) && block.BySample(g, b.Out) {
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
		if len(g.Inputs) == 1 && block.BySample(g, v) {
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
			if block.BySample(g, v) && (len(out) == 0 || out[len(out)-1] != v) {
				out = append(out, v)
			}
		}
	}
	return out
}

// reconstruct trains one block after the other to give what it gave before it was cut, on
// what the blocks before it give now.
func (s *PERP) reconstruct(ctx context.Context, j *model.Job, runs *model.Series, dense *graph.Graph, masks *prune.Masks, blocks []*part, res *model.Result) (left []string, err error) {
	if len(blocks) == 0 {
		return nil, nil
	}
	f := res.Facts.(*PERPFacts)
	set := j.Data.Train.Draw(s.Samples, j.Seed)
	if err := s.holds(j.Graph, blocks, set.Len()); err != nil {
		return nil, err
	}
	also, err := readAsides(ctx, j.Graph, set)
	if err != nil {
		return nil, err
	}
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
			if x, err = s.advance(ctx, j, j.Graph, also, x, here, b.from); err != nil {
				return nil, err
			}
			if s.Dense {
				if own, err = s.advance(ctx, j, dense, also, own, here, b.from); err != nil {
					return nil, err
				}
			}
		}
		if !s.Dense {
			own = x
		}
		y, err := s.advance(ctx, j, dense, also, own, b.from, b.to)
		if err != nil {
			return nil, err
		}
		facts, err := s.fit(ctx, j, runs, b, masks, done, also, x, y)
		if err != nil {
			return nil, err
		}
		j.Logf("block %d of %d, %s to %s: relative error %.3g before, %.3g after", i+1, len(blocks), b.from, b.to, facts.Before, facts.After)
		f.Blocks = append(f.Blocks, facts.PERPBlock)
		f.Trained += facts.trained
		left = append(left, facts.left...)
		if x, err = s.advance(ctx, j, j.Graph, also, x, b.from, b.to); err != nil {
			return nil, err
		}
		own, here = y, b.to
	}
	return left, nil
}

// mostNumbers bounds what a value is on all samples, which takes four bytes each.
var mostNumbers = 1 << 28

// holds refuses more samples than what is between the blocks can be kept of.
func (s *PERP) holds(g *graph.Graph, blocks []*part, n int) error {
	_, at := op.OneSample(g)
	for _, b := range blocks {
		for _, name := range []string{b.from, b.to} {
			v := at[g.Value(name)]
			if size := v.Shape.Size(1, len(v.Shape)).Mul; size > mostNumbers/n {
				return catalog.Errorf("%q has %d numbers for each sample, too many to be kept of %d: %d {Samples} at most", name, size, n, mostNumbers/size)
			}
		}
	}
	return nil
}

// advance computes what part of a network makes of features.
func (s *PERP) advance(ctx context.Context, j *model.Job, g *graph.Graph, also *asides, x *model.Features, from, to string) (*model.Features, error) {
	c, err := block.Between(g, []*graph.Value{g.Value(from)}, []*graph.Value{g.Value(to)})
	if err != nil {
		return nil, err
	}
	in, err := also.with(c, x)
	if err != nil {
		return nil, err
	}
	return j.Features(ctx, c, c.Outputs, in, dataset.Raw)
}

// asides is what the inputs of a network are given on samples.
type asides struct {
	fields map[string]*dataset.Field // of whole numbers, by input
	same   map[string]string         // numbers that are the same for all samples, by input
}

// readAsides gives the inputs of whole numbers what a set has for them.
func readAsides(ctx context.Context, g *graph.Graph, set *dataset.Set) (*asides, error) {
	v, err := train.NewView(g, set, 1, objective.Objective{})
	if err != nil {
		return nil, err
	}
	a := &asides{map[string]*dataset.Field{}, map[string]string{}}
	for _, f := range v.Feeds {
		if f.Field < 0 {
			a.same[f.Input.Name] = fmt.Sprint(f.Value)
			continue
		}
		if set.Fields[f.Field].Ints == nil {
			continue
		}
		x, err := model.SamplesOf(ctx, set, f.Field)
		if err != nil {
			return nil, err
		}
		a.fields[f.Input.Name] = &dataset.Field{Name: f.Input.Name, Shape: x.Shape, Aside: true, Ints: x.Ints}
	}
	return a, nil
}

// with are features, and what else a part of the network reads of its inputs.
func (a *asides) with(c *graph.Graph, x *model.Features, also ...*dataset.Field) (*dataset.Set, error) {
	bind := map[string]string{}
	for _, in := range c.Inputs {
		if slices.Contains(x.Names, in.Name) {
			continue
		}
		f, same := a.fields[in.Name], a.same[in.Name]
		switch {
		case f != nil:
			also = append(also, f)
		case same != "":
			bind[in.Name] = same
		default:
			return nil, catalog.Errorf("a block reads input %q of the network, which takes no whole numbers: {Way} retrain asks for no blocks", in.Name)
		}
	}
	set := x.Set(also)
	set.Bind = bind
	return set, nil
}

// fitted is what one block came to.
type fitted struct {
	PERPBlock
	trained int
	left    []string // masked weights without an adapter
}

// fit trains one block. Where that does not bring it nearer it stays as it was cut.
func (s *PERP) fit(ctx context.Context, j *model.Job, runs *model.Series, b *part, masks *prune.Masks, done map[string]bool, also *asides, x, y *model.Features) (*fitted, error) {
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
	samples, err := also.with(c, x, to)
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
