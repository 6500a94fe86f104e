package calibrate

import (
	"context"
	"fmt"
	"math"

	"pare/engine"
	"pare/graph"
	"pare/graph/op"
	"pare/tensor"
)

// Matched is samples that were moved until what they give inside a network looks as its
// batch normalisation says that the training set did.
type Matched struct {
	Batches       Batches
	Samples       int
	Layers        int     // normalisations whose statistics are matched
	Before, After float64 // how far away they are, see Match; the means over batches
}

// Adam's settings (Kingma, Ba 2015, arXiv 1412.6980) for samples: the rate is a share of
// the scale of the noise, and falls to 0 along half a cosine.
const (
	matchRate  = .1
	matchFirst = .9
	matchNext  = .999
)

// Match moves batches of noise by steps of gradient descent, a batch by itself, so that
// mean m and standard deviation s of what goes into the channels of batch normalisation,
// over a batch, come near the running ones, M and S: the distilled data of Cai, Yao, Dong,
// Gholami, Mahoney, Keutzer: ZeroQ (2020), arXiv 2001.00281, section 3.1. What is made
// small is (m-M)²/S² + (s/S-1)², the mean over channels and then over normalisations; the
// paper has (m-M)² + (s-S)². Before that the noise is multiplied by the power of 4 with
// which it is nearest. It returns an error where there is no batch normalisation with
// statistics of its own, or no gradient can be taken.
func Match(ctx context.Context, g *graph.Graph, noise Batches, steps int, opt Options) (*Matched, error) {
	var batches []map[string]*tensor.Tensor
	err := noise(func(in map[string]*tensor.Tensor) error {
		batch := map[string]*tensor.Tensor{}
		for name, t := range in {
			batch[name] = t.Clone()
		}
		batches = append(batches, batch)
		return nil
	})
	if err == nil && len(batches) == 0 {
		err = fmt.Errorf("there is no batch of noise to match")
	}
	if err != nil {
		return nil, err
	}
	m, err := newMatcher(g, batches[0], opt.Engine)
	if err != nil {
		return nil, err
	}
	defer m.prog.Close()
	out := &Matched{Layers: m.layers}
	scale, err := m.scale(ctx, batches[0])
	if err != nil {
		return nil, err
	}
	for _, b := range batches {
		before, after, err := m.descend(ctx, b, scale, steps)
		if err != nil {
			return nil, err
		}
		out.Before, out.After = out.Before+before/float64(len(batches)), out.After+after/float64(len(batches))
		out.Samples += batchOf(g, b)
	}
	out.Batches = func(yield func(map[string]*tensor.Tensor) error) error {
		for _, b := range batches {
			if err := yield(b); err != nil {
				return err
			}
		}
		return nil
	}
	return out, nil
}

// batchOf is the number of samples of a batch.
func batchOf(g *graph.Graph, batch map[string]*tensor.Tensor) int {
	if t := batch[g.Inputs[0].Name]; len(t.Shape) > 0 {
		return t.Shape[0]
	}
	return 1
}

// matcher computes how far away a batch is, and the gradient of that by the batch.
type matcher struct {
	prog   *engine.Program
	names  []string // of the inputs
	loss   *graph.Value
	grads  []*graph.Value // by the inputs
	layers int
}

// normals are the nodes of batch normalisation that have statistics of their own, of
// channels along axis 1.
func normals(g *graph.Graph) (out []*graph.Node) {
	for _, n := range g.Nodes {
		x, mean, vari := n.In(0), n.In(3), n.In(4)
		if n.Is("BatchNormalization") && !x.IsConst() && len(x.Shape) > 1 && mean.IsConst() && vari.IsConst() && mean.Const.F32() != nil && vari.Const.F32() != nil {
			out = append(out, n)
		}
	}
	return out
}

// HasStatistics says whether there is what Match goes by.
func HasStatistics(g *graph.Graph) bool { return len(normals(g)) > 0 }

func newMatcher(g *graph.Graph, batch map[string]*tensor.Tensor, opt engine.Options) (*matcher, error) {
	c, _ := g.Clone(false)
	for _, in := range c.Inputs {
		t := batch[in.Name]
		if t == nil || t.F32() == nil {
			return nil, fmt.Errorf("the samples have no numbers for input %q", in.Name)
		}
		in.Shape = graph.Dims(t.Shape...)
	}
	c.Outputs = nil
	if err := op.InferAll(c); err != nil {
		return nil, err
	}
	m := &matcher{}
	b := op.NewBuilder(c, "match")
	var sum *graph.Value
	for _, n := range normals(c) {
		d := distance(b, n)
		if m.layers++; sum == nil {
			sum = d
		} else {
			sum = b.Op("Add", sum, d)
		}
	}
	if sum == nil {
		return nil, fmt.Errorf("there is no batch normalisation with statistics of its own to match")
	}
	m.loss = b.Op("Mul", sum, b.Scalar(1/float64(m.layers), sum))
	if b.Err() != nil {
		return nil, b.Err()
	}
	grads, err := op.Gradient(c, m.loss, nil, c.Inputs)
	if err != nil {
		return nil, err
	}
	c.Outputs = append(c.Outputs, m.loss)
	for i, d := range grads {
		if d != nil {
			m.names, m.grads = append(m.names, c.Inputs[i].Name), append(m.grads, d)
		}
	}
	m.prog, err = engine.Compile(c, nil, opt, append([]*graph.Value{m.loss}, m.grads...)...)
	return m, err
}

// distance is that of one normalisation, see Match.
func distance(b *op.Builder, n *graph.Node) *graph.Value {
	x, mean, vari := n.In(0), n.In(3).Const.F32(), n.In(4).Const.F32()
	axes := []int{0}
	shape := []int{1, len(mean)}
	for k := 2; k < len(x.Shape); k++ {
		axes, shape = append(axes, k), append(shape, 1)
	}
	eps := float64(n.Float("epsilon", 1e-5))
	by := make([]float32, len(mean))
	for i, v := range vari {
		by[i] = float32(1 / math.Sqrt(math.Max(0, float64(v))+eps))
	}
	inverse := b.Const(tensor.From(by, shape...))
	at := b.Reduce("ReduceMean", x, true, axes...)
	off := b.Op("Sub", x, at)
	spread := b.Op("Sqrt", b.Op("Add", b.Reduce("ReduceMean", b.Op("Mul", off, off), true, axes...), b.Scalar(eps, x)))
	first := b.Op("Mul", b.Op("Sub", at, b.Const(tensor.From(append([]float32{}, mean...), shape...))), inverse)
	second := b.Op("Sub", b.Op("Mul", spread, inverse), b.Scalar(1, x))
	all := make([]int, len(shape))
	for k := range all {
		all[k] = k
	}
	return b.Reduce("ReduceMean", b.Op("Add", b.Op("Mul", first, first), b.Op("Mul", second, second)), false, all...)
}

// run computes the distance of a batch, times a scale, and its gradient.
func (m *matcher) run(ctx context.Context, batch map[string]*tensor.Tensor, scale float64) (float64, error) {
	if ctx.Err() != nil {
		return 0, ctx.Err()
	}
	for name, t := range batch {
		to := m.prog.Input(name)
		if to == nil { // nothing that is matched depends on it
			continue
		}
		x := to.F32()
		for i, v := range t.F32() {
			x[i] = float32(scale * float64(v))
		}
	}
	if err := m.prog.RunContext(ctx); err != nil {
		return 0, err
	}
	return float64(m.prog.Value(m.loss).F32()[0]), nil
}

// scale is the power of 4 at which noise is nearest.
func (m *matcher) scale(ctx context.Context, batch map[string]*tensor.Tensor) (float64, error) {
	best, least := 1., math.Inf(1)
	for k := -4; k <= 6; k++ {
		s := math.Pow(4, float64(k))
		d, err := m.run(ctx, batch, s)
		if err != nil {
			return 0, err
		}
		if d < least {
			best, least = s, d
		}
	}
	if math.IsInf(least, 1) {
		return 0, fmt.Errorf("what noise gives inside the network is not finite")
	}
	return best, nil
}

// descend moves a batch, in place.
func (m *matcher) descend(ctx context.Context, batch map[string]*tensor.Tensor, scale float64, steps int) (before, after float64, err error) {
	var x, first, next [][]float64
	for _, t := range batch {
		v := t.F32()
		for i := range v {
			v[i] = float32(scale * float64(v[i]))
		}
	}
	for _, name := range m.names {
		n := batch[name].Len()
		x, first, next = append(x, make([]float64, n)), append(first, make([]float64, n)), append(next, make([]float64, n))
		for i, v := range batch[name].F32() {
			x[len(x)-1][i] = float64(v)
		}
	}
	for k := range steps {
		d, err := m.run(ctx, batch, 1)
		if err != nil {
			return 0, 0, err
		}
		if k == 0 {
			before = d
		}
		rate := matchRate * scale * (1 + math.Cos(math.Pi*float64(k)/float64(steps))) / 2
		a, b := 1-math.Pow(matchFirst, float64(k+1)), 1-math.Pow(matchNext, float64(k+1))
		for j, name := range m.names {
			to, g := batch[name].F32(), m.prog.Value(m.grads[j]).F32()
			for i, v := range g {
				y := float64(v)
				if y-y != 0 {
					return 0, 0, fmt.Errorf("the gradient by input %q is not finite", name)
				}
				first[j][i] = matchFirst*first[j][i] + (1-matchFirst)*y
				next[j][i] = matchNext*next[j][i] + (1-matchNext)*y*y
				if s := math.Sqrt(next[j][i] / b); s > 0 {
					x[j][i] -= rate * first[j][i] / a / s
					to[i] = float32(x[j][i])
				}
			}
		}
	}
	after, err = m.run(ctx, batch, 1)
	return before, after, err
}
