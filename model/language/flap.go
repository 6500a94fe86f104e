package language

import (
	_ "embed"

	"context"
	"math"

	"pare/catalog"
	"pare/graph"
	"pare/graph/op"
	"pare/lm/family"
	"pare/model"
	"pare/prune/calibrate"
	"pare/prune/structure"
	"pare/tensor"
)

// FLAP removes heads and neurons whose values hardly vary, and puts their means into biases.
type FLAP struct {
	model.ChannelTarget
	Bias    bool `flag:"bias" doc:"what the heads and neurons that go give on average becomes a bias behind the layer that read them; without, they are missed"`
	Samples int  `flag:"samples" range:"[1,)" doc:"samples of the training set whose values are looked at, without their labels"`
	model.Layers
}

//go:embed flap.md
var flapDoc string

var flapCard = &catalog.Card{
	Name: "flap", Noun: "model", Title: "Heads and neurons that hardly vary become biases (FLAP)",
	Paper: "An, Zhao, Yu, Tang, Wang: Fluctuation-based Adaptive Structured Pruning for Large Language Models (AAAI 2024). arXiv 2312.11983",
	Cuts:  "heads, feed-forward neurons", Needs: catalog.Samples, Doc: flapDoc,
	Axes: catalog.Axes{SpeedUp: "universal", When: "after", How: "activation norm one-shot retrain reconstruct", Supervision: "labels unlabelled", Fusion: "none"},
}

// NewFLAP gives the method with its defaults.
func NewFLAP() *FLAP {
	return &FLAP{ChannelTarget: model.ChannelTarget{Params: .7, Round: 1}, Bias: true, Samples: 1024}
}

// Card describes the method.
func (*FLAP) Card() *catalog.Card { return flapCard }

// Unsaid says why biases cannot be written as a folder of a model whose layers have none.
func (s *FLAP) Unsaid(g *graph.Graph) error {
	if has, ok := family.Biases(g); !s.Bias || ok && has.Out && has.MLP {
		return nil
	}
	return catalog.Errorf("method flap gives layers biases, for which the config.json of this model, whose layers have none, has no place: give {Bias}=false, or OUT.onnx")
}

// FLAPFacts are what the layers lost.
type FLAPFacts struct {
	Before Size       `json:"before"`
	After  Size       `json:"after"`
	Roots  []RootFact `json:"roots"`
	Biases int        `json:"biases"` // layers whose bias makes good what goes
}

// Run rates, cuts at once, makes good by biases, and trains what is left by the recipe.
func (s *FLAP) Run(ctx context.Context, j *model.Job) (*model.Result, error) {
	if err := s.Check(); err != nil {
		return nil, err
	}
	if err := s.Scope().Check(j.Graph); err != nil {
		return nil, err
	}
	d, err := findDecoder(j.Graph, s.Scope())
	if err != nil {
		return nil, err
	}
	var seen []*calibrate.Fluctuation
	groups, sel, err := s.Choose(ctx, j, func(g *graph.Graph, groups []*structure.Group) (rates [][]float64, costs bool, err error) {
		seen, rates, err = s.rates(ctx, j, d, groups)
		return rates, false, err
	}, d.scope())
	if err != nil {
		return nil, err
	}
	f := &FLAPFacts{Before: sizeOf(structure.CostOf(j.Graph))}
	res := &model.Result{Facts: f, Kept: structure.KeptBy(groups, sel), Notes: d.notes}
	if res.Graph, err = structure.Cut(j.Graph, groups, sel); err != nil {
		return nil, err
	}
	if s.Bias {
		for _, x := range seen {
			if stay := sel[x.Group]; stay.Count() < stay.Len {
				if err := addBias(res.Graph, x.Out.Name, x.Lost(stay.Kept)); err != nil {
					return nil, err
				}
				f.Biases++
			}
		}
		if err := res.Graph.Sort(); err != nil {
			return nil, err
		}
		if err := op.InferAll(res.Graph); err != nil {
			return nil, err
		}
	}
	f.After = sizeOf(structure.CostOf(res.Graph))
	for _, r := range d.roots {
		for i, g := range groups {
			if g.Name == r.name {
				f.Roots = append(f.Roots, RootFact{Layer: d.layers[r.layer].name, Name: r.name, Kind: r.kind, Before: r.first, After: sel[i].Count()})
			}
		}
	}
	res.Note("%d of %d parameters stay; biases behind %d layers give what the heads and neurons that went gave on average", f.After.Params, f.Before.Params, f.Biases)
	return res, j.Tune(ctx, res)
}

// rates are the fluctuations of heads and neurons, beside those of their own layer: the scores
// of a layer's columns less their mean, over their standard deviation, and of a head the mean
// of its columns. Those of attentions are squared first, as in the authors' code. What is no
// head and no neuron of a layer is not cut.
func (s *FLAP) rates(ctx context.Context, j *model.Job, d *decoder, groups []*structure.Group) ([]*calibrate.Fluctuation, [][]float64, error) {
	batches, err := j.Calibration(s.Samples)
	if err != nil {
		return nil, nil, err
	}
	kind := map[string]*root{}
	for _, r := range d.roots {
		kind[r.name] = r
	}
	seen, err := calibrate.Fluctuations(ctx, j.Graph, groups, batches, calibrate.Options{Engine: j.Engine})
	if err != nil {
		return nil, nil, err
	}
	rates := make([][]float64, len(groups))
	for i, g := range groups {
		rates[i] = make([]float64, len(g.Channels))
		for c := range rates[i] {
			rates[i][c] = math.Inf(1)
		}
	}
	var of []*calibrate.Fluctuation
	for _, x := range seen {
		r := kind[groups[x.Group].Name]
		if r == nil {
			continue
		}
		of = append(of, x)
		z := x.Score
		if r.heads() {
			z = make([]float64, len(x.Score))
			for k, a := range x.Score {
				z[k] = a * a
			}
		}
		z = standardised(z)
		for c, cols := range x.Of {
			sum := 0.
			for _, k := range cols {
				sum += z[k] / float64(len(cols))
			}
			if rates[x.Group][c] = sum; sum-sum != 0 {
				return nil, nil, catalog.Errorf("what %s is given by the samples is not finite: the network is broken, or {Data} are not what it was made for", groups[x.Group].Name)
			}
		}
	}
	return of, rates, nil
}

// standardised are numbers less their mean, over their standard deviation; 0 where they are
// alike.
func standardised(x []float64) []float64 {
	mean, square := 0., 0.
	for _, a := range x {
		mean += a / float64(len(x))
	}
	for _, a := range x {
		square += (a - mean) * (a - mean) / float64(max(1, len(x)-1))
	}
	out := make([]float64, len(x))
	if square > 0 {
		for i, a := range x {
			out[i] = (a - mean) / math.Sqrt(square)
		}
	}
	return out
}

// addBias adds numbers to a product of a network, by its name: to the bias that is added to
// it, or as a new one, behind which the nodes are to be sorted and inferred.
func addBias(g *graph.Graph, product string, b []float32) error {
	y := g.Value(product)
	uses := g.Uses()
	own := func(v *graph.Value) bool {
		return v.IsConst() && v.Role == graph.Param && v.Const.F32() != nil && v.Const.Len() == len(b) && len(uses[v]) == 1
	}
	add := func(v *graph.Value) {
		v.Const = v.Const.Clone() // other networks may share it
		for i, x := range b {
			v.Const.F32()[i] += x
		}
	}
	if n := y.From; n.Is("Gemm") && n.In(2) != nil && own(n.In(2)) && n.Float("beta", 1) == 1 {
		add(n.In(2))
		return nil
	}
	if us := uses[y]; len(us) == 1 && us[0].Index >= 0 && us[0].Node.Is("Add") {
		if v := us[0].Node.In(1 - us[0].Index); v != nil && own(v) {
			add(v)
			return nil
		}
	}
	builder := op.NewBuilder(g, product+"/mean")
	z := builder.Op("Add", y, g.Const(product+"/bias", tensor.From(b, len(b)), graph.Param))
	if err := builder.Err(); err != nil {
		return err
	}
	for _, u := range uses[y] {
		if u.Index < 0 {
			continue
		}
		u.Node.Inputs[u.Index] = z
	}
	for i, o := range g.Outputs {
		if o == y {
			g.Outputs[i] = z
		}
	}
	return nil
}
