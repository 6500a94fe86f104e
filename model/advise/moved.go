package advise

import (
	"context"
	"fmt"
	"math"

	"pare/engine"
	"pare/graph"
	"pare/graph/op"
	"pare/measure"
	"pare/train"
)

// samples are how many random ones are looked at.
const samples = 8

// moved judges networks by how far their outputs move from those of the network before
// on random inputs: the L2 norm of the difference over that of the outputs.
func moved(ctx context.Context, g *graph.Graph, o engine.Options) (func(context.Context, *graph.Graph) (train.Score, error), error) {
	before, err := outputs(ctx, g, o)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, g *graph.Graph) (train.Score, error) {
		after, err := outputs(ctx, g, o)
		if err != nil {
			return train.Score{}, err
		}
		var d, n float64
		for i, x := range before {
			if i >= len(after) || len(after[i]) != len(x) {
				return train.Score{}, fmt.Errorf("output %d has another size after the cut", i)
			}
			for k := range x {
				d += (x[k] - after[i][k]) * (x[k] - after[i][k])
				n += x[k] * x[k]
			}
		}
		if d == 0 {
			return train.Score{Metric: "movement of the outputs"}, nil
		}
		return train.Score{Metric: "movement of the outputs", Value: math.Sqrt(d / max(n, math.SmallestNonzeroFloat64))}, nil
	}, nil
}

// outputs runs a network on random samples by seed.
func outputs(ctx context.Context, g *graph.Graph, o engine.Options) ([][]float64, error) {
	o.Freeze = true
	p, err := engine.Compile(g, op.Sizes(g, samples), o)
	if err != nil {
		return nil, err
	}
	defer p.Close()
	if err := measure.Feed(p, nil, 1); err != nil {
		return nil, err
	}
	if err := p.RunContext(ctx); err != nil {
		return nil, err
	}
	var out [][]float64
	for _, name := range p.OutputNames() {
		x, err := p.Output(name).Float64s()
		if err != nil {
			return nil, fmt.Errorf("output %q: %w", name, err)
		}
		out = append(out, append([]float64{}, x...))
	}
	return out, nil
}
