package learned

import (
	_ "embed"

	"context"
	"fmt"
	"math"
	"slices"

	"pare/catalog"
	"pare/graph"
	"pare/model"
	"pare/prune"
	"pare/prune/allocate"
	"pare/prune/hook"
	"pare/prune/score"
	"pare/train"
)

// Jackpot is the search for lottery jackpots.
type Jackpot struct {
	Sparsity   float64       `flag:"sparsity" range:"[0,1)" doc:"share of the searched weights that is cut"`
	Allocate   allocate.Name `flag:"allocate" choice:"global,uniform" doc:"sparsity of the layers: global (by one magnitude cut) or uniform"`
	Classifier bool          `flag:"classifier" doc:"search the last layer, or layers, too; the paper leaves it whole"`
	MaskStart  string        `flag:"mask-start" choice:"magnitude,random" doc:"where the search starts: magnitude or random"`
	Restrict   float64       `flag:"restrict" range:"[0,)" doc:"short restriction: only ceil((1-e/E)^P Q) of Q swaps are made at epoch e of E; 0: all are"`
	Scored
	model.Tuned
	model.Layers
}

//go:embed jackpot.md
var jackpotDoc string

var jackpotCard = &catalog.Card{
	ID: "20", Name: "jackpot", Noun: "model", Title: "Lottery jackpots: masks searched in frozen pretrained weights",
	Paper: "Zhang, Lin, Zhong, Chao, Ji: Lottery Jackpots Exist in Pre-trained Models (TPAMI 2023). arXiv 2104.08700",
	Cuts:  "weights", Needs: catalog.Trains, Doc: jackpotDoc,
	Axes: catalog.Axes{SpeedUp: "specific", When: "after", How: "scores iterative regrow none retrain", Supervision: "labels", Fusion: "none"},
}

// NewJackpot gives the method with its defaults.
func NewJackpot() *Jackpot {
	return &Jackpot{Sparsity: .9, Allocate: "global", MaskStart: "magnitude", Restrict: 4,
		Scored: Scored{ScoreLR: .1, ScoreSchedule: "cosine", ScoreMomentum: .9, ScoreDecay: 5e-4}, Tuned: model.Tuned{TuneLR: .01}}
}

// Card describes the method.
func (*Jackpot) Card() *catalog.Card { return jackpotCard }

// Drives says that the trainings are the method's own.
func (*Jackpot) Drives() bool { return true }

// AsIs says whether the weights stay those of the file.
func (s *Jackpot) AsIs() bool { return s.Tune == 0 }

// JackpotFacts are what a search found.
type JackpotFacts struct {
	Overlap float64 `json:"overlap"` // share of what stays that the magnitude mask keeps too
	Kept    int     `json:"kept"`    // number of searched weights that stay
}

// Run searches masks in the frozen weights, and trains what stays where that is asked
// for.
func (s *Jackpot) Run(ctx context.Context, j *model.Job) (*model.Result, error) {
	if err := learns(j); err != nil {
		return nil, err
	}
	ws, err := s.Weights(j.Graph)
	if err != nil {
		return nil, err
	}
	if !s.Classifier {
		all, err := prune.Weights(j.Graph, prune.Scope{})
		if err != nil {
			return nil, err
		}
		last := prune.Last(j.Graph, all)
		inner := slices.DeleteFunc(slices.Clone(ws), func(w *prune.Weight) bool { return last[w.Value] })
		if len(inner) > 0 {
			ws = inner
		}
	}
	magnitude, err := s.Allocate.Masks(ws, score.Magnitude(ws), s.Sparsity, allocate.One(ws))
	if err != nil {
		return nil, err
	}
	res := &model.Result{Graph: j.Graph}
	if err := warnUntrained(ctx, j, res); err != nil {
		return nil, err
	}
	if err := logMasked(ctx, j, magnitude); err != nil {
		return nil, err
	}
	tune, runs := s.Jobs(j, 0)
	if err := s.search(ctx, j, runs, magnitude, res); err != nil {
		return nil, err
	}
	if n := magnitude.Count(); n > 0 {
		facts := &JackpotFacts{Overlap: overlap(res.Masks, magnitude), Kept: n}
		res.Facts = facts
		res.Note("the searched mask and the magnitude mask share %.3f of the %d weights that stay", facts.Overlap, n)
	}
	if s.Tune == 0 {
		res.Note("the weights that stay are those of the file, bit for bit")
		return res, nil
	}
	tuned, err := runs.Fit(ctx, tune, j.Graph, &hook.Hold{Masks: res.Masks})
	res.Add(tuned)
	return res, err
}

// search moves the masks towards the scores, which learn; the weights stay.
func (s *Jackpot) search(ctx context.Context, j *model.Job, runs *model.Series, magnitude *prune.Masks, res *model.Result) error {
	ws := magnitude.Weights
	masks := magnitude.Clone()
	if s.MaskStart == "random" {
		masks = allocate.Shuffle(magnitude, j.Seed)
	}
	h := &hook.Latent{Masks: masks, Frozen: true}
	var err error
	if h.Scores, err = s.scores(firstScores(masks), j.Steps()); err != nil {
		return err
	}
	h.Grad = func(_ int, w, g, d []float32) { straightThrough(w, g, d) }
	h.Project = func(r *train.Run) error {
		rate := restriction((r.Step-1)/r.Train.Steps(), r.Epochs, s.Restrict)
		for l := range ws {
			prune.Swap(h.Mask[l], h.Score[l], rate)
		}
		return nil
	}
	before, _ := j.Graph.Clone(true)
	best := &hook.Best{Of: h.Masks}
	hooks := []train.Hook{h}
	if j.Data.Val != nil {
		hooks = append(hooks, best)
	}
	if res.Epochs, err = runs.Fit(ctx, j, j.Graph, hooks...); err != nil {
		return err
	}
	res.Masks = best.Take()
	if err := frozen(before, j.Graph, h); err != nil {
		return err
	}
	for l, w := range ws {
		copy(w.Data(), h.Latent(l))
	}
	res.Masks.Apply()
	return j.Recalibrate(ctx, j.Graph, j.Recipe.Batch)
}

// logMasked says what a mask comes to without a search, its statistics of batch
// normalisation estimated anew.
func logMasked(ctx context.Context, j *model.Job, m *prune.Masks) error {
	if j.Log == nil || j.Held() == nil {
		return nil
	}
	c, _ := j.Graph.Clone(true)
	for l, w := range m.Weights {
		m.Mask[l].Apply(c.Value(w.Name).Const.F32())
	}
	if err := j.Recalibrate(ctx, c, j.Recipe.Batch); err != nil {
		return err
	}
	e, err := j.Held().Run(ctx, c)
	if err == nil {
		j.Logf("magnitude mask without search: loss %.4f, %s %s", e.Loss, e.Main().Metric, e.Main().Show())
	}
	return err
}

// firstScores are 1 for what is kept and 0.99 for what is cut.
func firstScores(m *prune.Masks) [][]float32 {
	out := make([][]float32, len(m.Mask))
	for l, k := range m.Mask {
		out[l] = make([]float32, k.Len)
		for i := range out[l] {
			if out[l][i] = .99; k.Kept(i) {
				out[l][i] = 1
			}
		}
	}
	return out
}

// restriction is the share of swaps made at epoch e of n: (1-e/n)^power.
func restriction(e, n int, power float64) float64 { return math.Pow(1-float64(e)/float64(n), power) }

// overlap is the share of what a keeps that b keeps too.
func overlap(a, b *prune.Masks) float64 {
	both := 0
	for l := range a.Mask {
		both += a.Mask[l].Overlap(b.Mask[l])
	}
	return float64(both) / float64(a.Count())
}

// frozen returns an error where a parameter is not that of the file: behind
// the masks h holds the weights.
func frozen(before, after *graph.Graph, h *hook.Latent) error {
	latent := map[string][]float32{}
	for l, w := range h.Weights {
		latent[w.Name] = h.Latent(l)
	}
	for _, p := range after.Params() {
		now := latent[p.Name]
		if now == nil {
			now = p.Const.F32()
		}
		same := func(a, b float32) bool { return math.Float32bits(a) == math.Float32bits(b) }
		if !slices.EqualFunc(now, before.Value(p.Name).Const.F32(), same) {
			return fmt.Errorf("parameter %q has moved although it is frozen", p.Name)
		}
	}
	return nil
}
