package structured

import (
	"context"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/mat"

	"pare/catalog"
	"pare/graph"
	"pare/model"
	"pare/prune"
	"pare/prune/block"
	"pare/prune/score"
	"pare/tensor"
	"pare/train"
)

// rates says what every block is worth: the lowest go first.
func (l *layers) rates(ctx context.Context) ([]float64, error) {
	if l.set.Rate != nil {
		return l.set.Rate(l.blocks), nil
	}
	switch l.set.Score {
	case "grasp":
		return l.weights(ctx, l.set.Sampled.GradientFlow(l.set.Temperature))
	case "snip":
		return l.weights(ctx, l.set.Sampled.Sensitivity)
	case "l1":
		return l.weights(ctx, func(_ context.Context, _ *model.Job, ws []*prune.Weight) ([][]float32, error) {
			return score.Magnitude(ws), nil
		})
	case "kl":
		return l.divergence(ctx)
	case "pls":
		return l.projection(ctx)
	case "hrank":
		return l.features(ctx, rankOf)
	case "expectabs":
		return l.features(ctx, activeOf)
	case "influence":
		return l.influence(ctx)
	}
	r := rand.New(rand.NewPCG(l.Seed, 0xb10c))
	out := make([]float64, len(l.blocks))
	for i := range out {
		out[i] = r.Float64()
	}
	return out, nil
}

// weights sums the scores of the weights that go with a block, or takes their mean.
func (l *layers) weights(ctx context.Context, rate model.Score) ([]float64, error) {
	ws, err := prune.Weights(l.Graph, prune.Scope{})
	if err != nil {
		return nil, err
	}
	sc, err := rate(ctx, l.Job, ws)
	if err != nil {
		return nil, err
	}
	out := make([]float64, len(l.blocks))
	for i, b := range l.blocks {
		n := 0
		for k, w := range ws {
			if slices.Contains(b.Weights, w.Value) {
				for _, x := range sc[k] {
					out[i] += float64(x)
				}
				n += w.Len()
			}
		}
		if l.set.Mean && n > 0 {
			out[i] /= float64(n)
		}
	}
	return out, nil
}

// divergence is the mean over samples of the divergence of the outputs without a block
// from those with it (Luo, Wu 2020, arXiv 1911.08114).
func (l *layers) divergence(ctx context.Context) ([]float64, error) {
	if l.Data == nil || l.Data.Train == nil {
		return nil, catalog.Errorf("{Score} kl compares outputs on samples: give {Data}")
	}
	e := train.NewEval(l.Data.Train.Draw(l.set.Samples, l.Seed), l.Data.Norm, 64, l.Engine)
	e.Judge = l.Judge()
	if !e.Classified(l.Graph) {
		return nil, catalog.Errorf("{Score} kl compares probabilities of classes, which the network does not give, or {Data} not have: choose another {Score}")
	}
	outputs := func(g *graph.Graph) (out []float32, width int, err error) {
		_, err = e.Scores(ctx, g, func(s []float32, _ []int64, w int) error {
			out, width = append(out, s...), w
			return nil
		})
		return out, width, err
	}
	with, width, err := outputs(l.Graph)
	if err != nil {
		return nil, err
	}
	rates := make([]float64, len(l.blocks))
	for i, b := range l.blocks {
		c, err := block.Remove(l.Graph, []*block.Block{b})
		if err != nil {
			return nil, err
		}
		without, _, err := outputs(c)
		if err != nil {
			return nil, err
		}
		n := len(with) / width
		for k := range n {
			rates[i] += score.Divergence(without[k*width:(k+1)*width], with[k*width:(k+1)*width]) / float64(n)
		}
	}
	return rates, nil
}

// look gives f some values of the network for one batch of samples after the other.
func (l *layers) look(ctx context.Context, want []*graph.Value, f func(vs []*tensor.Tensor) error) error {
	for _, v := range want {
		if v.DType != tensor.Float32 {
			return catalog.Errorf("{Score} %s looks at what goes through blocks, and %q is %v", l.set.Score, v.Name, v.DType)
		}
	}
	return l.Look(ctx, l.set.Samples, want, f)
}

// ends are the outputs of the blocks.
func (l *layers) ends() (out []*graph.Value) {
	for _, b := range l.blocks {
		out = append(out, b.Out)
	}
	return out
}

// features is the mean over batches of what f finds in the outputs of the blocks.
func (l *layers) features(ctx context.Context, f func(v *tensor.Tensor) (float64, error)) ([]float64, error) {
	out, n := make([]float64, len(l.blocks)), 0.
	err := l.look(ctx, l.ends(), func(vs []*tensor.Tensor) error {
		size := float64(vs[0].Shape[0])
		n += size
		for i, v := range vs {
			x, err := f(v)
			if err != nil {
				return catalog.Errorf("block %s: %v: choose another {Score}", l.blocks[i].Name, err)
			}
			out[i] += size * x
		}
		return nil
	})
	for i := range out {
		out[i] /= n
	}
	return out, err
}

// activeOf is the mean of a batch's values behind a ReLU.
func activeOf(v *tensor.Tensor) (float64, error) {
	sum := 0.
	for _, x := range v.F32() {
		sum += float64(max(0, x))
	}
	return sum / float64(max(1, v.Len())), nil
}

// rankOf is the mean rank of the feature maps of a batch, behind a ReLU, over the larger
// side.
func rankOf(v *tensor.Tensor) (float64, error) {
	d := len(v.Shape)
	if d < 3 {
		return 0, catalog.Errorf("a rank is that of feature maps, and its output has shape %v", v.Shape)
	}
	rows, cols := v.Shape[d-2], v.Shape[d-1]
	maps, sum := v.Len()/max(1, rows*cols), 0.
	x := make([]float32, rows*cols)
	for k := range maps {
		for i := range x {
			x[i] = max(0, v.F32()[k*len(x)+i])
		}
		sum += float64(score.Rank(x, rows, cols))
	}
	return sum / float64(max(1, maps)) / float64(max(rows, cols, 1)), nil
}

// components of the regression whose weights say what features are worth.
const components = 2

// projection is the mean importance of a block's features, the channels of its output, in
// a partial least squares regression of all blocks' features on the classes.
func (l *layers) projection(ctx context.Context) ([]float64, error) {
	classes, most, err := l.CalibrationClasses(l.set.Samples)
	if err != nil {
		return nil, err
	}
	var rows [][]float64
	width := make([]int, len(l.blocks))
	err = l.look(ctx, l.ends(), func(vs []*tensor.Tensor) error {
		first := len(rows)
		rows = append(rows, make([][]float64, vs[0].Shape[0])...)
		for i, v := range vs {
			f := pooled(v)
			width[i] = len(f[0])
			for s, x := range f {
				rows[first+s] = append(rows[first+s], x...)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(rows) < 2 || len(rows) > len(classes) {
		return nil, catalog.Errorf("{Score} pls needs two samples at least: give more {Data}")
	}
	x, y := mat.NewDense(len(rows), len(rows[0]), nil), mat.NewDense(len(rows), max(most, 1+int(slices.Max(classes))), nil)
	for s, r := range rows {
		x.SetRow(s, r)
		y.Set(s, int(classes[s]), 1)
	}
	vip := score.VIP(x, y, components)
	out := make([]float64, len(l.blocks))
	for i, w := range width {
		for _, v := range vip[:w] {
			out[i] += v / float64(w)
		}
		vip = vip[w:]
	}
	return out, nil
}

// pooled are the features of each sample of a batch: the mean over the places of every
// channel of an image, or of a text.
func pooled(v *tensor.Tensor) [][]float64 {
	n := v.Shape[0]
	per := v.Len() / n
	out := make([][]float64, n)
	for s := range out {
		x := v.F32()[s*per : (s+1)*per]
		switch {
		case len(v.Shape) > 3: // [channels places...]
			c := v.Shape[1]
			out[s] = make([]float64, c)
			for i, a := range x {
				out[s][i/(per/c)] += float64(a) / float64(per/c)
			}
		default: // [tokens features], or features alone
			c := v.Shape[len(v.Shape)-1]
			out[s] = make([]float64, c)
			for i, a := range x {
				out[s][i%c] += float64(a) / float64(per/c)
			}
		}
	}
	return out
}

// between are the values at the beginnings and ends of the blocks, each once, and the place
// of each.
func (l *layers) between() (want []*graph.Value, at map[*graph.Value]int) {
	at = map[*graph.Value]int{}
	for _, b := range l.blocks {
		for _, v := range []*graph.Value{b.In, b.Out} {
			if _, ok := at[v]; !ok {
				at[v] = len(want)
				want = append(want, v)
			}
		}
	}
	return want, at
}

// influence is 1 less the mean over all places of the cosine between what goes into a block
// and what comes out (Men et al. 2024, arXiv 2403.03853, equation 1).
func (l *layers) influence(ctx context.Context) ([]float64, error) {
	want, at := l.between()
	out, count := make([]float64, len(l.blocks)), make([]float64, len(l.blocks))
	err := l.look(ctx, want, func(vs []*tensor.Tensor) error {
		for i, b := range l.blocks {
			from, to := vectorsAt(vs[at[b.In]], false), vectorsAt(vs[at[b.Out]], false)
			for p := range from {
				out[i] += 1 - score.Cosine(from[p], to[p])
			}
			count[i] += float64(len(from))
		}
		return nil
	})
	for i := range out {
		out[i] /= count[i]
	}
	return out, err
}

// angles gives a function that says by how much values turn between the beginning of one
// block and the end of another: the mean angle over samples and places, over pi.
func (l *layers) angles(ctx context.Context) (func(from, to int) float64, error) {
	want, at := l.between()
	n := len(l.blocks)
	sum, count := make([]float64, n*n), make([]float64, n*n)
	err := l.look(ctx, want, func(vs []*tensor.Tensor) error {
		rows := make([][][]float32, len(vs))
		for i, v := range vs {
			rows[i] = l.places(v)
		}
		for i := range n {
			for k := i; k < n && (k == i || l.blocks[k].In == l.blocks[k-1].Out); k++ {
				a, b := rows[at[l.blocks[i].In]], rows[at[l.blocks[k].Out]]
				for p := range a {
					sum[i*n+k] += score.Angle(a[p], b[p])
				}
				count[i*n+k] += float64(len(a))
			}
		}
		return nil
	})
	return func(from, to int) float64 { return sum[from*n+to] / count[from*n+to] }, err
}

// places are the vectors of a batch whose angles count: of each sample, of its last token
// or of all, and of all places of an image.
func (l *layers) places(v *tensor.Tensor) [][]float32 { return vectorsAt(v, l.set.Token == "last") }

// vectorsAt are the vectors at all places of a batch, or of texts at the last one.
func vectorsAt(v *tensor.Tensor, last bool) (out [][]float32) {
	x := v.F32()
	switch d := v.Shape; {
	case len(d) == 3 && last:
		for s := range d[0] {
			out = append(out, x[((s+1)*d[1]-1)*d[2]:(s+1)*d[1]*d[2]])
		}
	case len(d) > 3: // [channels places...]
		places := v.Len() / max(1, d[0]*d[1])
		for s := range d[0] {
			for p := range places {
				row := make([]float32, d[1])
				for c := range row {
					row[c] = x[(s*d[1]+c)*places+p]
				}
				out = append(out, row)
			}
		}
	default:
		w := d[len(d)-1]
		for i := 0; i < len(x); i += w {
			out = append(out, x[i:i+w])
		}
	}
	return out
}
