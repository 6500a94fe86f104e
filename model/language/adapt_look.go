package language

import (
	"context"
	"math"
	"strings"

	"pare/catalog"
	"pare/graph"
	"pare/model"
	"pare/prune/score"
	"pare/tensor"
)

// importances are those of the layers: minus the mean over tokens of the cosine between what
// enters and what leaves a layer, or the mean distance between the two. Tokens of padding do
// not count, where the network has a mask that tells them.
func (a *adapting) importances(ctx context.Context, j *model.Job) ([]float64, error) {
	var want []*graph.Value
	for _, l := range a.layers {
		for _, name := range []string{l.in, l.out} {
			v := j.Graph.Value(name)
			if v.DType != tensor.Float32 {
				return nil, catalog.Errorf("what goes through layer %s is %v: its importance is measured on float32", l.name, v.DType)
			}
			want = append(want, v)
		}
	}
	mask := paddingMask(j.Graph)
	if mask != nil {
		want = append(want, mask)
	}
	sum, count := make([]float64, len(a.layers)), make([]float64, len(a.layers))
	err := j.Look(ctx, a.Samples, want, func(vs []*tensor.Tensor) error {
		var counts []int64
		if mask != nil {
			counts = tensor.Of[int64](vs[len(vs)-1])
		}
		for i := range a.layers {
			in, out := vs[2*i], vs[2*i+1]
			width := in.Shape[len(in.Shape)-1]
			for t := 0; (t+1)*width <= in.Len(); t++ {
				if len(counts)*width == in.Len() && counts[t] == 0 {
					continue
				}
				sum[i] += a.distance(in.F32()[t*width:(t+1)*width], out.F32()[t*width:(t+1)*width])
				count[i]++
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for i := range sum {
		if sum[i] /= count[i]; sum[i]-sum[i] != 0 {
			return nil, catalog.Errorf("what layer %s makes of the samples is not finite: the network is broken, or {Data} are not what it was made for", a.layers[i].name)
		}
	}
	return sum, nil
}

// distance says how far a token is moved, in a measure that is larger where it is moved
// farther.
func (a *adapting) distance(in, out []float32) float64 {
	sum := 0.
	switch a.Distance {
	case "euclidean":
		for i, x := range in {
			d := float64(out[i]) - float64(x)
			sum += d * d
		}
		return math.Sqrt(sum)
	case "manhattan":
		for i, x := range in {
			sum += math.Abs(float64(out[i]) - float64(x))
		}
		return sum
	}
	return -score.Cosine(in, out)
}

// paddingMask is the input that is 1 for tokens and 0 for padding; nil: there is none.
func paddingMask(g *graph.Graph) *graph.Value {
	for _, v := range g.Inputs {
		if strings.Contains(v.Name, "attention_mask") && v.DType == tensor.Int64 && len(v.Shape) == 2 {
			return v
		}
	}
	return nil
}
