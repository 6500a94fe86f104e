package train

import (
	"context"
	"fmt"
	"math"
	"slices"

	"pare/engine"
	"pare/graph"
	"pare/graph/op"
	"pare/tensor"
)

// Renorm is batch normalisation that was put back behind the convolutions of a
// network into which an exporter had folded it, until Fold.
type Renorm struct {
	Graph *graph.Graph
	Names []string // of the convolutions' weights

	// Unbalanced is why the filters were given one norm, in place of those that they had
	// in training; nil: they were not.
	Unbalanced error

	norms []*graph.Node
	bias  []string // names that their biases had
}

// renormEps is the epsilon of what is put back.
const renormEps = 1e-5

// Unnormalised lists the convolutions that seem to have lost their normalisation to an
// exporter: with a bias, followed by an activation, a sum or what else stands between
// the layers of a network, and weights that no other node reads. A network that has
// any normalisation of its own keeps what it has.
func Unnormalised(g *graph.Graph) []*graph.Node {
	uses := g.Uses()
	var out []*graph.Node
	for _, n := range g.Nodes {
		switch {
		case n.Is("BatchNormalization", "InstanceNormalization", "GroupNormalization", "LayerNormalization", "LRN", "RMSNormalization"):
			return nil // it trains with what it has
		case !n.Is("Conv"):
			continue
		}
		w, b, y := n.In(1), n.In(2), n.Out(0)
		if !w.IsConst() || w.Role != graph.Param || w.DType != tensor.Float32 || len(uses[w]) != 1 || g.IsOutput(y) ||
			!b.IsConst() || len(uses[b]) != 1 || b.Role != graph.Param || !followed(uses[y]) {
			continue
		}
		out = append(out, n)
	}
	return out
}

// followed says whether all that reads a convolution is what stands behind a
// normalisation inside a network, not what shapes an output.
func followed(uses []graph.Use) bool {
	for _, u := range uses {
		if !u.Node.Is("Relu", "Clip", "LeakyRelu", "PRelu", "Elu", "Selu", "Celu", "Sigmoid", "HardSigmoid", "HardSwish", "Mish", "Swish", "Gelu", "Softplus", "Tanh", "Erf",
			"Add", "Mul", "Div", "Sum", "Concat", "MaxPool", "AveragePool", "GlobalAveragePool", "Conv", "Pad", "Resize") {
			return false
		}
	}
	return len(uses) > 0
}

// Renormalise puts batch normalisation behind the convolutions that Unnormalised
// finds, so that the network can be trained as it once was. The statistics are those
// of at most a number of batches of the source's first epoch. The norm of a filter is
// lost with the normalisation: it gets the one at which the weight decay of a training
// and its gradients are in balance (see equilibrium), so that a channel that a training
// gave up has next to no filter again. Scale and shift undo that: in inference the
// function stays the same (to rounding). nil: there is nothing to do. The graph is
// changed in place; Fold takes the normalisation out again.
func Renormalise(ctx context.Context, g *graph.Graph, d Source, batches int, l Loss, opt engine.Options) (*Renorm, error) {
	convs := Unnormalised(g)
	if convs == nil {
		d.Close()
		return nil, nil
	}
	mean, vari, err := moments(ctx, g, convs, d, batches, l, opt)
	if err != nil {
		return nil, fmt.Errorf("statistics of the convolutions: %w", err)
	}
	r := &Renorm{Graph: g}
	for i, n := range convs {
		r.insert(n, mean[i], vari[i])
	}
	if err := op.InferAll(g); err != nil {
		return nil, err
	}
	norms, err := equilibrium(ctx, g, convs, d, balanceBatches, l, opt)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		r.Unbalanced = err
		return r, nil
	}
	sum, filters := 0.0, 0
	for _, of := range norms {
		for _, n := range of {
			sum, filters = sum+n*n, filters+1
		}
	}
	if sum == 0 {
		r.Unbalanced = fmt.Errorf("the outputs depend on none of the filters")
		return r, nil
	}
	one := math.Sqrt(filterSquare * float64(filters) / sum)
	for i, bn := range r.norms {
		for c, n := range norms[i] {
			rescale(bn, c, math.Max(one*n, leastNorm))
		}
	}
	return r, nil
}

const (
	// filterSquare is the mean square norm of the filters, of which folding leaves no trace.
	// The step that a filter takes behind a normalisation goes with the inverse square of its
	// norm. Norms that are too large cost little, as those of a lower rate would; norms that
	// are too small undo in the first steps after a cut what the network had learnt. Trained
	// networks have 1.3 to 3.4, He's initial weights 2 (He, Zhang, Ren, Sun 2015, arXiv
	// 1502.01852, equation 10): this is twice the largest.
	filterSquare = 7
	// leastNorm is that of a filter which the outputs hardly depend on: so small that it
	// is the first to be cut, and not so small that it could not be normalised.
	leastNorm = .02
	// balanceBatches is the largest number of batches that gradients are taken of.
	balanceBatches = 8
)

// rescale gives a filter in front of a normalisation another norm, and undoes that behind
// it: in inference the function stays the same.
func rescale(bn *graph.Node, c int, norm float64) {
	w := bn.In(0).From.In(1).Const
	f := w.F32()[c*w.Len()/w.Shape[0] : (c+1)*w.Len()/w.Shape[0]]
	was := math.Sqrt(square(f))
	if was == 0 {
		return
	}
	t := norm / was
	for i := range f {
		f[i] = float32(float64(f[i]) * t)
	}
	scale, mean, vari := &bn.In(1).Const.F32()[c], &bn.In(3).Const.F32()[c], &bn.In(4).Const.F32()[c]
	before := math.Sqrt(float64(*vari) + renormEps)
	*mean = float32(float64(*mean) * t)
	*vari = float32(float64(*vari) * t * t)
	*scale = float32(float64(*scale) * math.Sqrt(float64(*vari)+renormEps) / (t * before))
}

// moments are mean and variance, by channel, of what convolutions make.
func moments(ctx context.Context, g *graph.Graph, convs []*graph.Node, d Source, batches int, l Loss, opt engine.Options) (mean, vari [][]float64, err error) {
	defer d.Close()
	l.any = true
	var of []*graph.Value
	s, err := newStep(g, samplesOf(d), d.Batch(), l, opt, func(_ *graph.Graph, in, _ map[*graph.Value]*graph.Value) ([]*graph.Value, error) {
		for _, n := range convs {
			y := in[n.Out(0)]
			if y == nil {
				return nil, fmt.Errorf("what %q makes is not computed in training", n.Name)
			}
			of = append(of, y)
		}
		return of, nil
	})
	if err != nil {
		return nil, nil, err
	}
	defer s.Close()
	count := make([]float64, len(convs))
	for _, n := range convs {
		c := n.In(1).Const.Shape[0]
		mean, vari = append(mean, make([]float64, c)), append(vari, make([]float64, c))
	}
	for k := range min(batches, d.Steps()) {
		if err := ctx.Err(); err != nil {
			return nil, nil, err
		}
		if err := d.Fill(0, k, s); err != nil {
			return nil, nil, err
		}
		if _, err := s.RunContext(ctx); err != nil {
			return nil, nil, err
		}
		for i, v := range of {
			y := s.prog.Value(v)
			count[i] += add(y, mean[i], vari[i])
		}
	}
	for i := range convs {
		for c := range mean[i] {
			mean[i][c] /= count[i]
			vari[i][c] = math.Max(0, vari[i][c]/count[i]-mean[i][c]*mean[i][c])
		}
	}
	return mean, vari, nil
}

// add sums [N, C, …] and its squares by channel, and gives the number of values of a
// channel.
func add(y *tensor.Tensor, sum, square []float64) float64 {
	x, channels := y.F32(), len(sum)
	per := len(x) / (y.Shape[0] * channels)
	for n := range y.Shape[0] {
		for c := range channels {
			at := (n*channels + c) * per
			for _, v := range x[at : at+per] {
				sum[c] += float64(v)
				square[c] += float64(v) * float64(v)
			}
		}
	}
	return float64(y.Shape[0] * per)
}

// insert puts a normalisation behind a convolution. With z = W x, y = z + b of mean m
// and variance v, and filters divided by s: z/s is normalised by (m-b)/s and v/s^2,
// scaled by the root of v + eps s^2, and shifted by m. s makes all filters of one norm.
func (r *Renorm) insert(n *graph.Node, mean, vari []float64) {
	g := r.Graph
	w, b, y := n.In(1), n.In(2), n.Out(0)
	filter := w.Const.Len() / len(mean)
	scale, shift := make([]float32, len(mean)), make([]float32, len(mean))
	at, spread := make([]float32, len(mean)), make([]float32, len(mean))
	for c := range mean {
		f := w.Const.F32()[c*filter : (c+1)*filter]
		s := math.Sqrt(square(f) / filterSquare)
		if s < 1e-6 { // a filter of zeros stays one
			s = 1
		}
		for i := range f {
			f[i] = float32(float64(f[i]) / s)
		}
		at[c] = float32((mean[c] - float64(b.Const.F32()[c])) / s)
		spread[c] = float32(vari[c] / (s * s))
		scale[c] = float32(s * math.Sqrt(float64(spread[c])+renormEps))
		shift[c] = float32(mean[c])
	}
	z := &graph.Value{Name: g.Fresh(y.Name + "/folded"), DType: y.DType, Shape: y.Shape, From: n}
	n.Inputs = n.Inputs[:2]
	n.Outputs = []*graph.Value{z}
	value := func(what string, x []float32, role graph.Role) *graph.Value {
		return &graph.Value{Name: g.Fresh(w.Name + "/" + what), DType: tensor.Float32, Shape: graph.Dims(len(x)), Const: tensor.From(x, len(x)), Role: role}
	}
	bn := &graph.Node{Op: "BatchNormalization", Name: g.Fresh(n.Name + "/norm"), Outputs: []*graph.Value{y},
		Inputs: []*graph.Value{z, value("scale", scale, graph.Param), value("shift", shift, graph.Param), value("mean", at, graph.Stat), value("var", spread, graph.Stat)}}
	bn.Set("epsilon", float64(renormEps))
	bn.Set("momentum", .9)
	y.From = bn
	g.Nodes = slices.Insert(g.Nodes, slices.Index(g.Nodes, n)+1, bn)
	r.norms = append(r.norms, bn)
	r.Names, r.bias = append(r.Names, w.Name), append(r.bias, b.Name)
}

// square is a vector's inner product with itself.
func square(x []float32) float64 {
	sum := 0.0
	for _, v := range x {
		sum += float64(v) * float64(v)
	}
	return sum
}

// Fold takes the normalisation that was put back out of a network again: of the one
// that it was put into, or of a copy, pruned or not. Filters and biases are as an
// exporter would fold them; weights at zero stay at zero.
func (r *Renorm) Fold(g *graph.Graph) error {
	for k, old := range r.norms {
		i := slices.IndexFunc(g.Nodes, func(n *graph.Node) bool { return n.Name == old.Name && n.Is("BatchNormalization") })
		if i < 0 {
			continue // cut away
		}
		if err := fold(g, g.Nodes[i], r.bias[k]); err != nil {
			return err
		}
	}
	return nil
}

// fold takes one normalisation into the convolution before it, whose bias gets a name
// ("": one of its own).
func fold(g *graph.Graph, bn *graph.Node, name string) error {
	conv := bn.In(0).From
	if !conv.Is("Conv") || conv.In(2) != nil || !conv.In(1).IsConst() {
		return fmt.Errorf("the normalisation %q does not stand behind a convolution any more", bn.Name)
	}
	w := conv.In(1)
	scale, shift, mean, vari := bn.In(1).Const.F32(), bn.In(2).Const.F32(), bn.In(3).Const.F32(), bn.In(4).Const.F32()
	eps := bn.Float("epsilon", 1e-5)
	filter := w.Const.Len() / len(scale)
	bias := make([]float32, len(scale))
	for c := range scale {
		f := float64(scale[c]) / math.Sqrt(float64(vari[c])+float64(eps))
		x := w.Const.F32()[c*filter : (c+1)*filter]
		for i := range x {
			x[i] = float32(float64(x[i]) * f)
		}
		bias[c] = float32(float64(shift[c]) - f*float64(mean[c]))
	}
	if name == "" {
		name = g.Fresh(w.Name + "/bias")
	}
	b := &graph.Value{Name: name, DType: tensor.Float32, Shape: graph.Dims(len(bias)), Const: tensor.From(bias, len(bias)), Role: graph.Param}
	y := bn.Out(0)
	conv.Inputs = append(conv.Inputs[:2:2], b)
	conv.Outputs = []*graph.Value{y}
	y.From = conv
	g.Nodes = slices.DeleteFunc(g.Nodes, func(n *graph.Node) bool { return n == bn })
	return nil
}
