package advise

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"pare/catalog"
	"pare/dataset"
	"pare/graph"
	"pare/graph/op"
	"pare/measure"
	"pare/model"
	"pare/model/structured"
	"pare/prune"
	"pare/prune/structure"
	"pare/train"
)

// study is a Study under way.
type study struct {
	Study
	ask   *Ask
	size  measure.Size
	job   *model.Job
	judge func(context.Context, *graph.Graph) (train.Score, error)
	rates [][]float64
	costs bool
}

// Measure studies a network. Its time is that of an inference of one sample; networks
// are judged on at most Ask.Most samples, of the validation set, or else of the training
// set, never of the test set. Without data they are judged by how far the outputs move on
// random inputs.
func Measure(ctx context.Context, a *Ask) (*Study, error) {
	if a.Goal.Of == "drop" && a.Data == nil {
		return nil, catalog.Errorf("goal drop=%s cannot be measured without data: give {Data}, or another goal (latency, bytes, macs, energy)", a.Goal.Text)
	}
	s := &study{ask: a, Study: Study{File: a.File, Goal: a.Goal, Facts: Facts{}, Kind: kindOf(a.Graph), Notes: []string{}}}
	if err := s.setUp(ctx); err != nil {
		return nil, err
	}
	for _, step := range []func(context.Context) error{s.inspect, s.groups, s.budgets, s.goal, s.training} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	return &s.Study, nil
}

// setUp decides how networks are judged.
func (s *study) setUp(ctx context.Context) (err error) {
	s.job = &model.Job{Graph: s.ask.Graph, Recipe: model.Defaults(), Seed: 1, Engine: s.ask.Engine}
	s.job.Recipe.Epochs = 0
	s.fact("data", 0, "")
	if s.ask.Data == nil {
		s.judge, err = moved(ctx, s.ask.Graph, s.ask.Engine)
		s.Judged = "how far the outputs move on random inputs, over their own length (there is no data)"
	} else {
		d := s.ask.Data
		set := d.Val
		if set == nil {
			set = d.Train
		}
		if n := min(s.ask.Most, set.Len()); n < set.Len() {
			set = set.Draw(n, 1)
		}
		s.Data = d.Spec
		s.fact("data", 1, "")
		if d.Train.Class() != nil {
			s.fact("data", 2, "")
		}
		s.job.Data = &dataset.Data{Spec: d.Spec, Train: d.Train, Norm: d.Norm, NormName: d.NormName}
		judged := &dataset.Data{Spec: d.Spec, Test: set, Norm: d.Norm, NormName: d.NormName}
		by := s.ask.Judge
		by.Reference, _ = s.ask.Graph.Clone(true)
		s.judge = func(ctx context.Context, g *graph.Graph) (train.Score, error) {
			m, err := measure.Metrics(ctx, g, judged, by, s.ask.Engine)
			return m.Main(), err
		}
		s.Judged = fmt.Sprintf("the metric on %d samples that are not of the test set", set.Len())
	}
	if err == nil {
		s.Whole, err = s.judge(ctx, s.ask.Graph)
	}
	return err
}

func (s *study) fact(name string, x float64, unit string) { s.Facts[name] = Fact{x, unit} }

func (s *study) tell(what string, done, of int) {
	if s.ask.Told != nil {
		s.ask.Told(what, done, of)
	}
}

// kindOf says what a network is made of.
func kindOf(g *graph.Graph) string {
	n := count(g)
	switch {
	case n["attention"] > 0:
		return "transformer"
	case n["Conv"] > 0:
		return "convolutions"
	case n["LSTM"]+n["GRU"]+n["RNN"] > 0:
		return "recurrent"
	}
	return "fully connected"
}

// count counts operators; an attention that is written out counts as its softmax.
func count(g *graph.Graph) map[string]int {
	n := map[string]int{}
	groups, _ := structure.Groups(g)
	for _, k := range structure.Kinds(g, groups) {
		if k == structure.Heads || k == structure.GroupedHead || k == structure.HeadWidth {
			n["attention"]++
		}
	}
	op.Each(g, func(x *graph.Node) {
		n[x.Op]++
		if strings.HasSuffix(x.Op, "Attention") {
			n["attention"]++
		}
	})
	return n
}

// inspect looks at every layer: its share of the weights and of the time, how uneven its
// weights are, and what it costs when the smaller half of them alone goes.
func (s *study) inspect(ctx context.Context) error {
	size, layers, err := measure.OfContext(ctx, s.ask.Graph)
	if err != nil {
		return err
	}
	s.size = size
	steps, err := measure.Profile(ctx, s.ask.Graph, 1, 100*time.Millisecond, s.ask.Engine)
	if err != nil {
		return err
	}
	spent, all := map[string]time.Duration{}, time.Duration(0)
	for _, x := range steps {
		if x.Within == "" {
			spent[x.Node] += x.Time
			all += x.Time
		}
	}
	ws, err := prune.Weights(s.ask.Graph, prune.Scope{})
	if err != nil {
		return err
	}
	n := count(s.ask.Graph)
	s.fact("params", float64(size.Params), "")
	s.fact("bytes", float64(size.Bytes), "bytes")
	s.fact("macs", float64(size.MACs), "")
	s.fact("zeros", size.Sparsity(), "%")
	s.fact("batch-norms", float64(n["BatchNormalization"]), "")
	s.fact("layer-norms", float64(n["LayerNormalization"]+n["RMSNormalization"]+n["SimplifiedLayerNormalization"]), "")
	floats := 1.0
	for _, in := range s.ask.Graph.Inputs {
		if !in.DType.IsFloat() {
			floats = 0
		}
	}
	s.fact("takes-numbers", floats, "")
	s.fact("attentions", float64(n["attention"]), "")
	s.fact("layers", float64(len(ws)), "")
	s.fact("latency", all.Seconds()*1000, "ms")
	var pq, params, inLayers, most float64
	byName := map[string]*measure.Layer{}
	for i := range layers {
		byName[layers[i].Name] = &layers[i]
	}
	for i, w := range ws {
		l := byName[w.Name]
		if l == nil {
			continue
		}
		x := Layer{Name: l.Name, Op: l.Op, Params: float64(l.Params) / float64(max(1, size.Params)), Time: float64(spent[l.Node]) / float64(max(1, all))}
		if l.Label != "" {
			x.Name = l.Label
		}
		kept := slices.DeleteFunc(slices.Clone(w.Const.F32()), func(x float32) bool { return x == 0 })
		x.PQ = measure.PQ(kept, .5, 1)
		if x.Worse, err = s.halved(ctx, w.Value); err != nil {
			return err
		}
		pq, params, inLayers, most = pq+x.PQ*float64(l.Params), params+float64(l.Params), inLayers+x.Time, max(most, x.Params)
		s.Layers = append(s.Layers, x)
		s.tell("layers halved alone", i+1, len(ws))
	}
	s.fact("pq", pq/max(1, params), "")
	s.fact("layer-time", inLayers, "%")
	s.fact("largest-layer", most, "%")
	worst, worse := "", []float64{}
	for _, l := range s.Layers {
		if worse = append(worse, l.Worse); l.Worse == slices.Max(worse) {
			worst = l.Name
		}
	}
	if worse != nil {
		s.fact("most-sensitive", slices.Max(worse), s.unit())
		slices.Sort(worse)
		s.fact("median-sensitive", worse[len(worse)/2], s.unit())
		s.Notes = append(s.Notes, fmt.Sprintf("the layer that suffers most when half of it alone goes is %s", worst))
	}
	return nil
}

// unit is that of what is worse.
func (s *Study) unit() string {
	if s.Whole.Unit == "%" {
		return "points"
	}
	return s.Whole.Unit
}

// halved judges the network without the smaller half of one weight's entries.
func (s *study) halved(ctx context.Context, v *graph.Value) (float64, error) {
	g, m := s.ask.Graph.Clone(true)
	x := m[v].Const.F32()
	order := make([]int, len(x))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		p, q := math.Abs(float64(x[a])), math.Abs(float64(x[b]))
		switch {
		case p < q:
			return -1
		case p > q:
			return 1
		}
		return 0
	})
	for _, i := range order[:len(order)/2] {
		x[i] = 0
	}
	score, err := s.judge(ctx, g)
	return s.Whole.Worse(score.Value), err
}

// groups measures what half of each group of channels costs.
func (s *study) groups(ctx context.Context) error {
	groups, _ := structure.Groups(s.ask.Graph)
	s.fact("groups", float64(len(groups)), "")
	if len(groups) == 0 {
		return nil
	}
	rates, how, err := structured.NewChannels().Rates(ctx, s.job, groups)
	if err != nil {
		return err
	}
	s.rates, s.costs = rates, how == "reconstruction"
	s.Groups, err = measure.Sensitive(ctx, s.ask.Graph, groups, rates, []float64{.5}, s.judge, func(done, of int) { s.tell("groups halved alone", done, of) })
	if err == nil {
		s.Groups.By, s.Groups.Set = how, s.Judged
	}
	return err
}
