package rewrite

import (
	"bytes"
	"context"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"pare/graph"
	"pare/internal/modeltest"
	"pare/model"
	"pare/prune/lowrank"
	"pare/prune/structure"
	"pare/zoo"
)

// The shares of targets are met, and nothing can be given back: no layer's rank could be
// higher.
func TestTargets(t *testing.T) {
	for name, of := range map[string][]Ranks{
		"resnet8":     {{Counts: model.Counts{MACs: .5}, Scheme: "auto"}, {Counts: model.Counts{Params: .4}, Scheme: "spatial"}, {Counts: model.Counts{MACs: .7, Params: .6}, Scheme: "channel"}, {Counts: model.Counts{MACs: .8}, Rank: .6, Scheme: "auto"}},
		"unet-8":      {{Counts: model.Counts{MACs: .5}, Scheme: "auto"}},
		"vit-tiny":    {{Counts: model.Counts{MACs: .5}, Scheme: "channel"}},
		"mobilenetv2": {{Counts: model.Counts{MACs: .8}, Scheme: "spatial"}},
	} {
		for _, c := range of {
			g, err := zoo.New(name, zoo.Options{Seed: 1, Width: .5})
			if err != nil {
				t.Fatal(err)
			}
			was := structure.CostOf(g)
			s := NewLowRank()
			s.Ranks = c
			r, err := model.Run(context.Background(), s, &model.Job{Graph: g, Seed: 1})
			if err != nil {
				t.Fatal(name, err)
			}
			is := structure.CostOf(r.Graph)
			macs, params := float64(is.MACs)/float64(was.MACs), float64(is.Params)/float64(was.Params)
			f := r.Facts.(*FactorFacts)
			if f.MACs != macs || f.Params != params {
				t.Errorf("%s: facts say %v and %v, and %v and %v are left", name, f.MACs, f.Params, macs, params)
			}
			near := math.Max(macs/float64(c.MACs), params/float64(c.Params))
			if c.MACs > 0 && macs > float64(c.MACs) || c.Params > 0 && params > float64(c.Params) || near < .97 {
				t.Errorf("%s, %+v: %.4f of the multiply-accumulates and %.4f of the parameters are left", name, c, macs, params)
			}
			for _, l := range f.Layers {
				if l.Scheme != "" && (l.MACs >= 1 || l.Params >= 1 || l.Rank < 1 || l.Rank > l.Full || c.Rank > 0 && float64(l.Rank) > c.Rank*float64(l.Full)) {
					t.Errorf("%s: %+v", name, l)
				}
			}
		}
	}
}

// On three small layers the ranks lose at most a little more than the best of all.
func TestBest(t *testing.T) {
	for seed := range uint64(6) {
		g, err := zoo.New("mlp:12-14-10-6", zoo.Options{Seed: seed})
		if err != nil {
			t.Fatal(err)
		}
		r := rand.New(rand.NewPCG(seed, 1))
		ws, err := model.Layers{}.Weights(g)
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range ws { // columns of falling size
			for i := range w.Data() {
				w.Data()[i] = float32(r.NormFloat64() * math.Pow(.5+.4*r.Float64(), float64(i%w.Const.Shape[1])))
			}
		}
		layers, _ := lowrank.Layers(g, ws)
		s := Ranks{Counts: model.Counts{MACs: .5}, Scheme: "auto"}
		is := structure.CostOf(g)
		whole := lowrank.Cost{MACs: is.MACs, Params: is.Params}
		b := &budget{Ranks: s, whole: whole}
		for _, l := range layers {
			c := &choice{layer: l, ways: []*lowrank.Spectrum{l.Unfold(lowrank.Channel).Decompose(l.Data())}}
			c.begin(s)
			b.of = append(b.of, c)
		}
		if err := b.meet(); err != nil {
			t.Fatal(err)
		}
		got := 0.
		for _, c := range b.of {
			got += c.at.lost
			if was := c.at; was.way != nil && was.rank < c.most[0] { // what is left over is given back
				if c.at.rank++; b.met(b.cost()) {
					t.Errorf("seed %d: %s could have rank %d", seed, c.layer.Name, c.at.rank)
				}
				c.at = was
			}
		}
		best := math.Inf(1)
		var each func(i int, lost float64)
		each = func(i int, lost float64) {
			if i == len(b.of) {
				if b.met(b.cost()) {
					best = math.Min(best, lost)
				}
				return
			}
			c := b.of[i]
			for e := range c.most[0] + 1 {
				if c.at = (factors{}); e > 0 {
					c.at = factors{c.ways[0], e, c.ways[0].Lost(e)}
				}
				each(i+1, lost+c.at.lost)
			}
		}
		each(0, 0)
		if got < best-1e-12 || got > 1.25*best+1e-3 {
			t.Errorf("seed %d: %v is lost, the best is %v", seed, got, best)
		}
	}
}

// Each bound lowers the ranks by itself.
func TestBounds(t *testing.T) {
	g, err := zoo.New("mlp:12-14-10-6", zoo.Options{Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	w := g.Value("fc1.weight").Const.F32() // [14, 12]: a diagonal of known singular values
	clear(w)
	for i, x := range []float32{8, 4, 2, 1, .04} {
		w[i*12+i] = x
	}
	for _, c := range []struct {
		s    Ranks
		want int
	}{{Ranks{Value: .05}, 4}, {Ranks{Value: .039}, 5}, {Ranks{Value: 2}, 3}, {Ranks{Keep: 64. / 85.1}, 1}, {Ranks{Keep: .95}, 3}, {Ranks{Rank: .17}, 2}, {Ranks{Keep: .95, Rank: .17}, 2}, {Ranks{Value: 100}, 1}} {
		c.s.Scheme = "auto"
		k, _ := g.Clone(true)
		s := NewLowRank()
		s.Ranks, s.Include = c.s, []string{"fc1.weight"}
		r := modeltest.Run(t, s, &model.Job{Graph: k})
		if l := r.Facts.(*FactorFacts).Layers[0]; l.Rank != c.want {
			t.Errorf("%+v: rank %d, want %d", c.s, l.Rank, c.want)
		}
	}
}

// Auto takes the scheme that a kernel is made for: an outer product of a column and a row is
// of rank 1 as spatial and not as channel.
func TestSchemes(t *testing.T) {
	g, err := zoo.New("resnet8", zoo.Options{Seed: 1, Width: .5})
	if err != nil {
		t.Fatal(err)
	}
	name := "layer1.0.conv1.weight"
	w := g.Value(name)
	if w == nil {
		for _, p := range g.Params() {
			t.Log(p.Name, p.Shape)
		}
		t.Fatal("no such weight")
	}
	r := rand.New(rand.NewPCG(1, 1))
	n, c := w.Const.Shape[0], w.Const.Shape[1]
	col, row := make([]float64, 3*c), make([]float64, 3*n)
	for i := range col {
		col[i] = r.NormFloat64()
	}
	for i := range row {
		row[i] = r.NormFloat64()
	}
	for i := range w.Const.F32() {
		o, k, h, x := i/(9*c), i/9%c, i/3%3, i%3
		w.Const.F32()[i] = float32(col[3*k+h] * row[3*o+x])
	}
	for _, scheme := range []string{"auto", "spatial", "channel"} {
		k, _ := g.Clone(true)
		s := NewLowRank()
		s.Ranks, s.Include = Ranks{Keep: .999, Scheme: scheme}, []string{name}
		l := modeltest.Run(t, s, &model.Job{Graph: k}).Facts.(*FactorFacts).Layers[0]
		if scheme != "channel" && (l.Scheme != "spatial" || l.Rank != 1) || scheme == "channel" && l.Scheme == "spatial" {
			t.Errorf("%s: %+v", scheme, l)
		}
	}
}

// With nothing to truncate and no weight on the norm TRP is plain training, bit for bit.
func TestTRPPlain(t *testing.T) {
	s := NewTRP()
	s.Energy, s.Nuclear, s.Value, s.Rank = 1, 0, 0, 1
	a, b := modeltest.Job(t, 1), modeltest.Job(t, 1)
	r := modeltest.Run(t, s, a)
	if _, err := b.Fit(context.Background(), b.Graph); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(modeltest.Bits(r.Graph), modeltest.Bits(b.Graph)) {
		t.Error("it is another training")
	}
}

// What is truncated: kernels of stride 1 behind the first convolution, linear layers where
// there are none, or what is asked for.
func TestTRPLayers(t *testing.T) {
	for _, c := range []struct {
		net, of string
		want    int
	}{{"resnet8", "auto", 4}, {"resnet8", "kernels", 4}, {"resnet8", "linear", 1}, {"resnet8", "all", 8}, {"mlp:64-20-10", "auto", 2}, {"mlp:64-20-10", "linear", 2}} {
		j := modeltest.ConvJob(t, c.net)
		s := NewTRP()
		s.Of = c.of
		ws, err := s.Weights(j.Graph)
		if err != nil {
			t.Fatal(err)
		}
		ls, _, err := s.layers(j, ws)
		if err != nil || len(ls) != c.want {
			t.Errorf("%s of %s: %d layers, want %d (%v)", c.of, c.net, len(ls), c.want, err)
		}
	}
}

// A training with truncations ends nearer to a low rank than one without, on a network of
// convolutions too, and the factored network is that of the truncated weights.
func TestTRPLowers(t *testing.T) {
	lost := func(f func(*TRP)) float64 {
		s := NewTRP()
		s.Value, s.MACs, s.Period, s.Scheme = 0, .75, 2, "spatial"
		f(s)
		j := modeltest.ConvJob(t, "resnet8")
		r := modeltest.Run(t, s, j)
		sum := 0.
		for _, l := range r.Facts.(*FactorFacts).Layers {
			sum += l.Lost
		}
		return sum
	}
	trp, norm, plain := lost(func(s *TRP) {}), lost(func(s *TRP) { s.Energy, s.Nuclear = 1, .5 }), lost(func(s *TRP) { s.Energy, s.Nuclear = 1, 0 })
	if trp > .8*plain || norm > .9*plain {
		t.Errorf("lost at three quarters of the computation: %.3f with truncations, %.3f with the norm, %.3f with neither", trp, norm, plain)
	}
}

func TestTRPResume(t *testing.T) {
	for _, period := range []int{1, 4, 7} {
		modeltest.Resumes(t, "trp", func() (model.Method, *model.Job) {
			s := NewTRP()
			s.Period, s.Nuclear = period, .01
			return s, modeltest.Job(t, 2)
		}, 40, 6, 23)
	}
}

func TestRanksBad(t *testing.T) {
	for want, f := range map[string]func(j *model.Job, s *TRP){
		"Energy 0: a number in (0,1]":                   func(_ *model.Job, s *TRP) { s.Energy = 0 },
		"Energy 1.1: a number in (0,1]":                 func(_ *model.Job, s *TRP) { s.Energy = 1.1 },
		"Period 0: a number of at least 1":              func(_ *model.Job, s *TRP) { s.Period = 0 },
		"Nuclear -1: a number of at least 0":            func(_ *model.Job, s *TRP) { s.Nuclear = -1 },
		"Nuclear NaN":                                   func(_ *model.Job, s *TRP) { s.Nuclear = math.NaN() },
		"Of kernels: the network has no such weight":    func(_ *model.Job, s *TRP) { s.Of = "kernels" },
		"nothing says how low ranks":                    func(_ *model.Job, s *TRP) { s.Value = 0 },
		"no ranks meet the target: with rank 1":         func(_ *model.Job, s *TRP) { s.MACs = .001 },
		"of low rank while they are trained: give Data": func(j *model.Job, _ *TRP) { j.Recipe.Epochs = 0 },
	} {
		s := NewTRP()
		j := modeltest.Job(t, 1)
		j.OnStep = func(int, int, float64) { t.Fatalf("%s: a step was made", want) }
		f(j, s)
		modeltest.Refused(t, s, j, want)
	}
	lstm, err := zoo.New("lstm-1-8", zoo.Options{})
	if err != nil {
		t.Fatal(err)
	}
	low := NewLowRank()
	low.Include = []string{"lstm*"}
	if _, err := model.Run(context.Background(), low, &model.Job{Graph: lstm}); err == nil || !strings.Contains(err.Error(), "no weight can be written as a product") {
		t.Errorf("a recurrence alone: %v", err)
	}
	g, err := zoo.New("resnet8", zoo.Options{Width: .25})
	if err != nil {
		t.Fatal(err)
	}
	low = NewLowRank()
	low.MACs = .001
	modeltest.Refused(t, low, &model.Job{Graph: g}, "no ranks meet the target: with rank 1")
}

// The names of an exporter's nodes and values stay, so that what else reads them does.
func TestNamesStay(t *testing.T) {
	g, err := zoo.New("resnet8", zoo.Options{Seed: 1, Width: .5})
	if err != nil {
		t.Fatal(err)
	}
	names := func(g *graph.Graph) map[string]bool {
		out := map[string]bool{}
		for _, n := range g.Nodes {
			out[n.Name] = true
			for _, v := range n.Outputs {
				if out[v.Name] = true; v.Name == "" {
					t.Error("a value without a name")
				}
			}
		}
		return out
	}
	was := names(g)
	is := names(modeltest.Run(t, NewLowRank(), &model.Job{Graph: g}).Graph)
	for n := range was {
		if !is[n] {
			t.Errorf("%q is gone", n)
		}
	}
}
