package measure

import (
	"context"
	"math"
	"math/rand/v2"
	"runtime"
	"sort"
	"time"

	"pare/engine"
	"pare/graph"
	"pare/graph/op"
)

// Spread is a median with the half-width of the middle half of the samples.
type Spread struct {
	Median float64 `json:"median"`
	Half   float64 `json:"half"` // (upper quartile - lower quartile)/2
}

// SpreadOf summarises samples.
func SpreadOf(x []float64) Spread {
	if len(x) == 0 {
		return Spread{}
	}
	s := append([]float64{}, x...)
	sort.Float64s(s)
	q := func(p float64) float64 {
		k := p * float64(len(s)-1)
		i := int(math.Floor(k))
		if i+1 >= len(s) {
			return s[len(s)-1]
		}
		return s[i] + (k-float64(i))*(s[i+1]-s[i])
	}
	return Spread{q(.5), (q(.75) - q(.25)) / 2}
}

// Slower says of the ratio of a network's time to another's whether it takes longer,
// beyond the spread and what a machine's times differ by anyway.
func (s Spread) Slower() bool { return s.Median-s.Half > 1.05 }

// Speed is how fast a network runs, beside the one that it is compared with.
type Speed struct {
	Batch   int     `json:"batch"`
	Seconds Spread  `json:"seconds"` // of one run
	Rate    float64 `json:"rate"`    // samples a second, at the median
	Ratio   Spread  `json:"ratio"`   // of its time to that of the first network, run by run
	Memory  int     `json:"memory"`  // bytes of activations
	Peak    int     `json:"peak"`    // bytes that it holds while it runs: activations, weights as the kernels want them, scratch
}

// Latency runs networks in turn, one after the other in every round, so that
// what disturbs the machine disturbs all of them; times are compared within a
// round. Each round runs every network for about `per`.
func Latency(ctx context.Context, gs []*graph.Graph, batch, rounds int, per time.Duration, opt engine.Options) ([]Speed, error) {
	progs := make([]*engine.Program, len(gs))
	peak := make([]int, len(gs))
	for i, g := range gs {
		before := live()
		p, err := prepare(g, batch, opt)
		if err != nil {
			return nil, err
		}
		defer p.Close()
		if err := p.RunContext(ctx); err != nil {
			return nil, err
		}
		progs[i], peak[i] = p, max(p.Bytes(), live()-before)
	}
	loops := make([]int, len(gs))
	for i, p := range progs { // see how often one round runs it
		t := time.Now()
		if err := p.RunContext(ctx); err != nil {
			return nil, err
		}
		loops[i] = max(1, int(per/max(time.Microsecond, time.Since(t))))
	}
	times := make([][]float64, len(gs))
	ratios := make([][]float64, len(gs))
	for range rounds {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		for i, p := range progs {
			t := time.Now()
			for range loops[i] {
				if err := p.RunContext(ctx); err != nil {
					return nil, err
				}
			}
			times[i] = append(times[i], time.Since(t).Seconds()/float64(loops[i]))
		}
		for i := range progs {
			k := len(times[i]) - 1
			ratios[i] = append(ratios[i], times[i][k]/times[0][k])
		}
	}
	out := make([]Speed, len(gs))
	for i, p := range progs {
		s := SpreadOf(times[i])
		_, ran := gs[i].Batch(batch) // the file may fix it
		out[i] = Speed{Batch: ran, Seconds: s, Rate: float64(ran) / s.Median, Ratio: SpreadOf(ratios[i]), Memory: p.Bytes(), Peak: peak[i]}
	}
	return out, nil
}

// live is the memory in use, without what is only waiting to be freed. A run
// allocates nothing, so what a plan holds after its first is what it ever holds.
func live() int {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// prepare plans a network for inference and fills its inputs with noise.
func prepare(g *graph.Graph, batch int, opt engine.Options) (*engine.Program, error) {
	opt.Freeze = true
	p, err := engine.Compile(g, op.Sizes(g, batch), opt)
	if err != nil {
		return nil, err
	}
	r := rand.New(rand.NewPCG(1, 2))
	for _, name := range p.InputNames() {
		for k := range p.Input(name).F32() {
			p.Input(name).F32()[k] = float32(r.NormFloat64())
		}
	}
	return p, nil
}

// Pareto gives the indices of the points that no other beats in both: more of
// good, less of cost.
func Pareto(cost, good []float64) []int {
	var out []int
	for i := range cost {
		beaten := false
		for j := range cost {
			if (cost[j] < cost[i] && good[j] >= good[i]) || (cost[j] <= cost[i] && good[j] > good[i]) {
				beaten = true
			}
		}
		if !beaten {
			out = append(out, i)
		}
	}
	sort.Slice(out, func(a, b int) bool { return cost[out[a]] < cost[out[b]] })
	return out
}
