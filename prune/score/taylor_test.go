package score_test

import (
	"context"
	"math"
	"testing"

	"pare/dataset"
	"pare/engine"
	"pare/graph"
	"pare/prune"
	"pare/prune/score"
	"pare/prune/structure"
	"pare/train"
	"pare/train/objective"
	"pare/zoo"
)

var alone = engine.Options{Threads: 1}

// glyphs is a network, its groups, samples, and what rates channels on batches of them.
type glyphs struct {
	g      *graph.Graph
	groups []*structure.Group
	ws     []*prune.Weight
	loader *dataset.Loader
}

func newGlyphs(t *testing.T, name string, samples, batch int) *glyphs {
	t.Helper()
	x := &glyphs{}
	var err error
	if x.g, err = zoo.New(name, zoo.Options{In: []int{1, 8, 8}, Seed: 2, Width: .25}); err != nil {
		t.Fatal(err)
	}
	if x.ws, err = prune.Weights(x.g, prune.Scope{}); err != nil {
		t.Fatal(err)
	}
	x.groups, _ = structure.Groups(x.g)
	set, _ := dataset.Glyph(2, .4, samples, 10, 1)
	x.loader = &dataset.Loader{Set: set, Size: batch, Norm: dataset.Raw}
	return x
}

// again is the first batch of a source, many times.
type again struct {
	*train.Data
	times int
}

func (a again) Steps() int                         { return a.times }
func (a again) Fill(_, _ int, s *train.Step) error { return a.Data.Fill(0, 0, s) }

// rates are those of the first batch, as many times as something is drawn for it.
func (x *glyphs) rates(t *testing.T, l train.Loss, times int) [][]float64 {
	t.Helper()
	r := score.NewTaylor(x.groups, x.ws)
	d := again{train.NewData(x.loader), times}
	if err := train.EachGradient(context.Background(), x.g, r.Weights, d, l, 1, alone, r.Add); err != nil {
		t.Fatal(err)
	}
	return r.Rates()
}

// gate gives the network in which a channel is multiplied by f where weights read it.
func (x *glyphs) gate(k, c int, f float32) *graph.Graph {
	g, m := x.g.Clone(true)
	grp := x.groups[k]
	for _, w := range x.ws {
		a := grp.Reads(w.Value)
		if a < 0 {
			continue
		}
		dim, shape, v := grp.Axes[a].Dim, w.Value.Const.Shape, m[w.Value].Const.F32()
		inner := 1
		for _, n := range shape[dim+1:] {
			inner *= n
		}
		for _, p := range grp.Channels[c].At[a] {
			for i := range v {
				if i/inner%shape[dim] == p {
					v[i] *= f
				}
			}
		}
	}
	return g
}

func (x *glyphs) loss(t *testing.T, g *graph.Graph) float64 {
	t.Helper()
	m, err := (&train.Eval{Loader: x.loader, Engine: alone}).Run(context.Background(), g)
	if err != nil {
		t.Fatal(err)
	}
	return m.Loss
}

// The rate of a channel on one batch is the square of the derivative of the loss by a
// factor of what its readers read, behind normalisation and through residual sums; and
// what is lost without a channel that brings little.
func TestTaylorDerivative(t *testing.T) {
	for _, name := range []string{"mlp:64-20-10", "resnet8"} {
		x := newGlyphs(t, name, 40, 40)
		rates := x.rates(t, train.Loss{}, 1)
		for k, grp := range x.groups {
			largest := 0.0
			for _, r := range rates[k] {
				largest = math.Max(largest, math.Sqrt(r))
			}
			for c := range grp.Channels {
				const h = .02
				want := math.Abs(x.loss(t, x.gate(k, c, 1+h))-x.loss(t, x.gate(k, c, 1-h))) / (2 * h)
				if got := math.Sqrt(rates[k][c]); !(math.Abs(got-want) <= .02*largest+1e-5) {
					t.Errorf("%s: channel %d of %s: %.5g, a difference gives %.5g", name, c, grp.Name, got, want)
				}
			}
		}
		faint := &glyphs{g: x.gate(0, 1, .01), ws: x.ws, groups: x.groups, loader: x.loader}
		faint.ws, _ = prune.Weights(faint.g, prune.Scope{})
		faint.groups, _ = structure.Groups(faint.g)
		got := math.Sqrt(faint.rates(t, train.Loss{}, 1)[0][1])
		want := math.Abs(x.loss(t, x.gate(0, 1, 0)) - x.loss(t, faint.g))
		if !(math.Abs(got-want) <= math.Max(.1*want, 1e-5)) {
			t.Errorf("%s: a faint channel is rated %.5g, and its loss costs %.5g", name, got, want)
		}
	}
}

// Without labels the rate is twice what the outputs come to differ when the channel goes:
// of squares exactly so, where the output is linear in the channel.
func TestTaylorDrawn(t *testing.T) {
	x := newGlyphs(t, "mlp:64-8-10", 40, 40)
	match := objective.Objective{{Weight: 1, Loss: objective.MatchMSE}}
	l := train.Loss{Objective: objective.Objective{}, Teacher: x.g, Match: match, Alpha: 1, T: 4, Drawn: true}
	rates := x.rates(t, l, 4000)
	if len(x.groups) != 1 {
		t.Fatal("one group is expected")
	}
	of := func(g *graph.Graph) [][]float32 { return outputs(t, g, x.loader) }
	was := of(x.g)
	spread, n := 0.0, float64(len(was)*len(was[0]))
	for o := range was[0] {
		mean := 0.0
		for _, y := range was {
			mean += float64(y[o]) / float64(len(was))
		}
		for _, y := range was {
			spread += (float64(y[o]) - mean) * (float64(y[o]) - mean) / n
		}
	}
	for c := range x.groups[0].Channels {
		want := 0.0
		for i, y := range of(x.gate(0, c, 0)) {
			for o := range y {
				d := float64(y[o] - was[i][o])
				want += 2 * d * d / n / spread
			}
		}
		if got := rates[0][c]; !(math.Abs(got-want) <= .15*want) {
			t.Errorf("channel %d is rated %.4g, twice what is lost is %.4g", c, got, want)
		}
	}
}

// outputs are those of a network on the first batch.
func outputs(t *testing.T, g *graph.Graph, l *dataset.Loader) [][]float32 {
	t.Helper()
	v, err := train.NewView(g, l.Set, l.Size, objective.Objective{})
	if err != nil {
		t.Fatal(err)
	}
	p, err := engine.Compile(v.Graph, nil, alone)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if _, err := l.Fill(0, 0, v.Buffers(v.Inputs(p))); err != nil {
		t.Fatal(err)
	}
	if err := p.Run(); err != nil {
		t.Fatal(err)
	}
	y := p.Output(v.Graph.Outputs[0].Name)
	var out [][]float32
	for i := range l.Size {
		w := len(y.F32()) / l.Size
		out = append(out, append([]float32{}, y.F32()[i*w:(i+1)*w]...))
	}
	return out
}

// A gradient that is not finite is an error.
func TestTaylorNotFinite(t *testing.T) {
	x := newGlyphs(t, "mlp:64-8-10", 20, 20)
	r := score.NewTaylor(x.groups, x.ws)
	grads := [][]float32{make([]float32, r.Weights[0].Const.Len())}
	grads[0][0] = float32(math.NaN())
	if r.Weights[0].Const.F32()[0] = 1; r.Add(grads) == nil {
		t.Error("a NaN was taken")
	}
}
