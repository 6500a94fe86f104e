package structured

import (
	_ "embed"

	"context"
	"math"
	"slices"

	"pare/catalog"
	"pare/graph"
	"pare/model"
	"pare/prune/hook"
	"pare/prune/structure"
	"pare/train"
)

// LAPP is layer-adaptive progressive pruning.
type LAPP struct {
	model.ChannelTarget
	Until       train.At `flag:"until" doc:"when the channels are decided and cut, in whole epochs: before, thresholds are learned, and what may stay falls from all to the target"`
	Constraint  float64  `flag:"constraint" range:"[0,)" doc:"weight of the target in the loss of the thresholds"`
	ThresholdLR float64  `flag:"threshold-lr" range:"[0,)" doc:"learning rate of the thresholds, as a share of that of the weights"`
	Sharpness   float64  `flag:"sharpness" range:"[2,)" doc:"of the soft masks at the end, from 2"`
	Importance  string   `flag:"importance" choice:"filters,scales" doc:"of a channel: filters (L1 norm of those that make it) or scales (of batch normalisation)"`
	Bypass      string   `flag:"bypass" choice:"beside,none" doc:"beside: each convolution gets a light branch before the training, and only its own filters are cut, so that the network stays as wide (where no convolution can have one, as none); none: coupled channels are cut"`
	model.Fresh
	model.Layers
}

//go:embed lapp.md
var lappDoc string

var lappCard = &catalog.Card{
	ID: "03", Name: "lapp", Noun: "model", Title: "Layer-adaptive progressive pruning",
	Paper: "Zhai, Guo, Liu, Xing, Xu: LAPP: Layer Adaptive Progressive Pruning for Compressing CNNs from Scratch (2023). arXiv 2309.14157",
	Cuts:  "channels", Needs: catalog.Trains, Doc: lappDoc,
	Axes: catalog.Axes{SpeedUp: "universal", When: "during", How: "thresholds regularisation iterative retrain", Supervision: "labels", Fusion: "none"},
}

// NewLAPP gives the method with its defaults.
func NewLAPP() *LAPP {
	return &LAPP{ChannelTarget: model.ChannelTarget{MACs: .5, Least: .05}, Until: train.Share(.3), Constraint: 10, ThresholdLR: .1, Sharpness: 20, Importance: "filters", Bypass: "none"}
}

// Card describes the method.
func (*LAPP) Card() *catalog.Card { return lappCard }

// Drives says that the trainings are the method's own.
func (*LAPP) Drives() bool { return true }

// LAPPFacts are what the thresholds came to.
type LAPPFacts struct {
	Layers  []LAPPLayer `json:"layers"`
	Reached float64     `json:"reached"` // share of the multiply-accumulates that the masks left before the cut
	Spread  float64     `json:"spread"`  // standard deviation of the thresholds
}

// LAPPLayer is one of them.
type LAPPLayer struct {
	Name      string  `json:"name"`
	Threshold float64 `json:"threshold"`
	Channels  int     `json:"channels"`
	Kept      int     `json:"kept"`
}

// Run learns thresholds beside the weights, cuts, and goes on with what is left.
func (s *LAPP) Run(ctx context.Context, j *model.Job) (*model.Result, error) {
	search, err := s.search(j)
	if err != nil {
		return nil, err
	}
	if err := s.Scope().Check(j.Graph); err != nil {
		return nil, err
	}
	h := &thresholds{Lambda: s.Constraint, Rate: s.ThresholdLR, Sharp: s.Sharpness, Steps: search.Steps()}
	h.Targets[0], h.Targets[1] = s.Shares(j.Graph)
	cut, err := s.begin(ctx, j, h)
	if err != nil {
		return nil, err
	}
	runs := j.NewSeries(2)
	runs.Steps = search.Steps() + j.Steps()
	epochs, err := runs.Fit(ctx, search, j.Graph, h)
	if err != nil {
		return nil, err
	}
	h.Unmask()
	reached := h.cost(h.M)
	facts := &LAPPFacts{Reached: reached[0]}
	res, err := cut(facts)
	if err != nil {
		return nil, err
	}
	res.Epochs, res.Facts = epochs, facts
	for k, what := range []string{"multiply-accumulates", "parameters"} {
		if asked := h.Targets[k]; asked > 0 && reached[k] > 1.1*asked {
			res.Note("the thresholds left %.2f of the %s, not the %.2f that are asked for: the rest went by a common shift of all thresholds; a larger {Constraint} or {ThresholdLR}, or a later {Until}, lets them come nearer", reached[k], what, asked)
		}
	}
	if err := j.LogUntuned(ctx, res.Graph); err != nil {
		return nil, err
	}
	rest := *j
	rest.From = search.Steps()
	more, err := runs.Fit(ctx, &rest, res.Graph)
	res.Epochs = append(res.Epochs, more...)
	return res, err
}

// begin prepares the network and its thresholds, and gives what cuts it in the end. It
// returns an error where the target cannot be reached.
func (s *LAPP) begin(ctx context.Context, j *model.Job, h *thresholds) (func(*LAPPFacts) (*model.Result, error), error) {
	if s.MACs == 0 && s.Params == 0 {
		return nil, catalog.Errorf("no target: give {MACs} or {Params}, which the thresholds steer towards")
	}
	if err := s.Check(); err != nil {
		return nil, err
	}
	if err := s.Redraw(j); err != nil {
		return nil, err
	}
	if s.Bypass == "beside" {
		if err := s.CountsAlone("{Bypass} beside"); err != nil {
			return nil, err
		}
		b, err := putBeside(j.Graph, s.Scope(), s.ChannelTarget, j.Seed)
		if err != nil {
			return nil, err
		}
		if len(b.convs) > 0 {
			return s.beginBeside(j, h, b)
		}
		j.Logf("no convolution can have a light branch beside it: coupled channels are cut")
	}
	if err := s.Reach(ctx, j, s.Scope()); err != nil {
		return nil, err
	}
	groups, _ := structure.Groups(j.Graph)
	if err := s.thresholds(h, j.Graph, groups); err != nil {
		return nil, err
	}
	return func(f *LAPPFacts) (*model.Result, error) {
		g, kept, err := s.Cut(ctx, j, h.rates, s.Scope())
		if err != nil {
			return nil, err
		}
		sel := kept.Selection(groups)
		f.of(h, func(i int) (string, int) { return groups[i].Name, sel[i].Count() })
		return &model.Result{Graph: g, Kept: kept}, nil
	}, nil
}

// beginBeside is begin for a network with branches.
func (s *LAPP) beginBeside(j *model.Job, h *thresholds, b *besides) (func(*LAPPFacts) (*model.Result, error), error) {
	if s.Importance == "scales" && !slices.ContainsFunc(b.convs, func(c *beside) bool { return c.norm != nil }) {
		return nil, errUnscaled
	}
	h.Costs = b
	b.thresholds(h, s.Importance == "scales")
	if _, err := b.choose(h.margins()); err != nil {
		return nil, err
	}
	j.Logf("branches beside %d convolutions take %.3g of the multiply-accumulates", len(b.convs), float64(b.whole.MACs-b.dense.MACs)/float64(max(1, b.dense.MACs)))
	return func(f *LAPPFacts) (*model.Result, error) {
		masks, err := b.choose(h.margins())
		if err != nil {
			return nil, err
		}
		f.of(h, func(i int) (string, int) { return b.convs[i].conv.In(1).Name, masks[i].Count() })
		kept, err := b.cut(j.Graph, masks)
		return &model.Result{Graph: j.Graph, Kept: kept}, err
	}, nil
}

// search is the training in which thresholds are learned: the first epochs of the recipe,
// at its peak rate.
func (s *LAPP) search(j *model.Job) (*model.Job, error) {
	if err := j.NeedsTraining("thresholds are learned by training"); err != nil {
		return nil, err
	}
	step, err := j.StepAt("Until", s.Until)
	if err != nil {
		return nil, err
	}
	each := j.Steps() / j.Recipe.Epochs
	k := *j
	k.Recipe.Epochs = (step + each - 1) / each
	k.Recipe.Schedule = "constant"
	if k.Recipe.Epochs < 1 || k.Recipe.Epochs >= j.Recipe.Epochs {
		return nil, catalog.Errorf("{Until} %s: thresholds are learned in %d of %d epochs: at least one, and fewer than {Recipe.Epochs}, are needed", s.Until, k.Recipe.Epochs, j.Recipe.Epochs)
	}
	return &k, nil
}

var errUnscaled = catalog.Errorf("{Importance} scales: no batch normalisation scales a channel that could be cut; use filters")

// thresholds gives every group in scope that weights read a threshold of 0.
func (s *LAPP) thresholds(h *thresholds, g *graph.Graph, groups []*structure.Group) error {
	h.Costs = structure.NewCosts(g, groups)
	scales := structure.Scales(g, groups)
	for i, grp := range groups {
		readers := grp.Readers()
		if len(readers) == 0 || !grp.In(s.Scope()) {
			continue
		}
		of := layerOf{Group: i, First: len(h.M), N: len(grp.Channels)}
		for _, k := range readers {
			h.On = append(h.On, hook.Gated{Name: grp.Axes[k].Value.Name, Factor: grp.Members(k, int32(of.First))})
		}
		axes, largest := grp.Makes(), false
		if s.Importance == "scales" && len(scales[i]) > 0 {
			axes, largest = scales[i], true
		}
		for _, k := range axes {
			if v := grp.Axes[k].Value; v.Const.F32() != nil {
				of.Parts = append(of.Parts, importance{v, grp.Members(k, int32(of.First)), largest})
			}
		}
		h.Layers, h.T = append(h.Layers, of), append(h.T, 0)
		for range of.N {
			h.M = append(h.M, 1)
		}
	}
	if s.Importance == "scales" && !slices.ContainsFunc(scales, func(of []int) bool { return len(of) > 0 }) {
		return errUnscaled
	}
	if len(h.Layers) == 0 {
		return catalog.Errorf("no channel that could be cut is read by trained weights, which is where it is masked")
	}
	return nil
}

// margins are importances above the thresholds, by layer: to cut the lowest until the target
// is met is to shift all thresholds alike.
func (h *thresholds) margins() [][]float64 {
	out := make([][]float64, len(h.Layers))
	for l, of := range h.Layers {
		out[l] = make([]float64, of.N)
		for c := range out[l] {
			if h.importance != nil {
				out[l][c] = h.importance[of.First+c] - h.T[l]
			}
		}
	}
	return out
}

// rates are the margins of groups; those without a threshold go last.
func (h *thresholds) rates(_ *graph.Graph, groups []*structure.Group) ([][]float64, bool, error) {
	out := make([][]float64, len(groups))
	for i, g := range groups {
		out[i] = slices.Repeat([]float64{math.Inf(1)}, len(g.Channels))
	}
	for l, m := range h.margins() {
		out[h.Layers[l].Group] = m
	}
	return out, false, nil
}

// of tells what each layer came to.
func (f *LAPPFacts) of(h *thresholds, group func(i int) (name string, kept int)) {
	mean := 0.0
	for l, of := range h.Layers {
		name, kept := group(of.Group)
		f.Layers = append(f.Layers, LAPPLayer{name, h.T[l], of.N, kept})
		mean += h.T[l] / float64(len(h.T))
	}
	for _, t := range h.T {
		f.Spread += (t - mean) * (t - mean) / float64(len(h.T))
	}
	f.Spread = math.Sqrt(f.Spread)
}
