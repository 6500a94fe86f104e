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
// of at most a number of batches of the source's first epoch; the filters are brought to
// one norm, and scale and shift of the normalisation undo that, so that in inference the
// function stays the same (to rounding). nil: there is nothing to do. The graph is
// changed in place; Fold takes the normalisation out again.
func Renormalise(ctx context.Context, g *graph.Graph, d Source, batches int, opt engine.Options) (*Renorm, error) {
	convs := Unnormalised(g)
	if convs == nil {
		d.Close()
		return nil, nil
	}
	mean, vari, err := moments(ctx, g, convs, d, batches, opt)
	if err != nil {
		return nil, fmt.Errorf("statistics of the convolutions: %w", err)
	}
	r := &Renorm{Graph: g}
	for i, n := range convs {
		r.insert(n, mean[i], vari[i])
	}
	return r, op.InferAll(g)
}

// moments are mean and variance, by channel, of what convolutions make.
func moments(ctx context.Context, g *graph.Graph, convs []*graph.Node, d Source, batches int, opt engine.Options) (mean, vari [][]float64, err error) {
	defer d.Close()
	var of []*graph.Value
	s, err := newStep(g, samplesOf(d), d.Batch(), Loss{any: true}, opt, func(_ *graph.Graph, in, _ map[*graph.Value]*graph.Value) ([]*graph.Value, error) {
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
// scaled by the root of v + eps s^2, and shifted by m. s makes the norm of every filter
// the root of 2, which is that of He's initial weights: the step that a filter takes
// behind a normalisation goes with the inverse square of its norm.
func (r *Renorm) insert(n *graph.Node, mean, vari []float64) {
	g := r.Graph
	w, b, y := n.In(1), n.In(2), n.Out(0)
	filter := w.Const.Len() / len(mean)
	scale, shift := make([]float32, len(mean)), make([]float32, len(mean))
	at, spread := make([]float32, len(mean)), make([]float32, len(mean))
	for c := range mean {
		f := w.Const.F32()[c*filter : (c+1)*filter]
		s := norm2(f) / math.Sqrt2
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

func norm2(x []float32) float64 {
	sum := 0.0
	for _, v := range x {
		sum += float64(v) * float64(v)
	}
	return math.Sqrt(sum)
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
