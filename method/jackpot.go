package method

import (
	"context"
	"fmt"
	"math"
	"slices"

	"pare/graph"
	"pare/prune"
	"pare/prune/allocate"
	"pare/prune/score"
	"pare/train"
)

// Jackpot are the settings of the search for lottery jackpots.
type Jackpot struct {
	Sparsity   float64 `flag:"sparsity" doc:"share of the searched weights that is cut, in [0,1)"`
	Allocate   string  `flag:"allocate" doc:"sparsity of the layers: global (by one magnitude cut) or uniform"`
	Classifier bool    `flag:"classifier" doc:"search the last layer too; the paper leaves it whole"`
	MaskStart  string  `flag:"mask-start" doc:"where the search starts: magnitude or random"`
	Restrict   float64 `flag:"restrict" doc:"short restriction: only ceil((1-e/E)^P Q) of Q swaps are made at epoch e of E; 0: all are"`
	Scored
	Tune   int     `flag:"tune" doc:"epochs of training the weights that stay, after the search (0: the weights stay those of the file)"`
	TuneLR float64 `flag:"tune-lr" doc:"peak learning rate of that training"`
	Layers
}

var jackpot = &Method{
	ID: "20", Name: "jackpot", Title: "Lottery jackpots: masks searched in frozen pretrained weights",
	Paper: "Zhang, Lin, Zhong, Chao, Ji: Lottery Jackpots Exist in Pre-trained Models (TPAMI 2023). arXiv 2104.08700",
	Cuts:  "weights", Needs: Trains,
	Doc: `Searches a sparse subnetwork of a pretrained network and changes no weight: a score for each weight learns by
dL/dq = dL/d(w*b) * w (straight-through, for cut weights too), and after every step each layer's mask b moves towards
its highest scores at constant count. The sparsities of the layers come from one magnitude cut over all of them, the
classifier left out; the start is the magnitude mask, with scores 1 and 0.99. Short restriction makes only the best
ceil((1-e/E)^4 Q) of the Q swaps. --epochs and --batch are those of the search; --lr and its like are not used, for
weights, biases and normalisation are frozen (which is verified at the end), and only running statistics move.
--tune trains the surviving weights afterwards (the paper: 10 epochs at 0.01 without decay).

Read in the authors' code: scores, initial masks, the swaps and their power 4. Their rate is ceil((1-e/E)^4), which is 1
at every epoch, and the ImageNet script returns 1, so their restriction never acts; here the number of
swaps is rounded, not the rate, and --restrict 0 is what their code does. With scores of rate 0.1 the start is soon
forgotten (a random one does as well); take --score-lr 0.01 where it should matter.

Departures: rates follow the step, not the epoch; counts are exact, and ties are resolved by index where the code skips
a layer; a layer keeps at least one weight; the mask with the best accuracy on the validation set is taken where there is
one (val=0.1 in --data), the last one otherwise: the test set is not looked at. Statistics of batch normalisation are
estimated anew at the end.`,
	Settings: func() any { return jackpotDefaults() },
	Run:      runJackpot, Claims: jackpotClaims,
}

func jackpotDefaults() *Jackpot {
	return &Jackpot{Sparsity: .9, Allocate: "global", MaskStart: "magnitude", Restrict: 4,
		Scored: Scored{ScoreLR: .1, ScoreSchedule: "cosine", ScoreMomentum: .9, ScoreDecay: 5e-4}, TuneLR: .01}
}

func runJackpot(ctx context.Context, j *Job) (*Result, error) {
	s := j.Settings.(*Jackpot)
	if err := canTune(s.Tune, s.TuneLR); err != nil {
		return nil, err
	}
	switch {
	case !(s.Restrict >= 0) || math.IsInf(s.Restrict, 0):
		return nil, fmt.Errorf("the restriction's power %v is not a number from 0 up", s.Restrict)
	case s.MaskStart != "magnitude" && s.MaskStart != "random":
		return nil, fmt.Errorf("there is no start %q of the search: use magnitude or random", s.MaskStart)
	}
	if err := j.learns(); err != nil {
		return nil, err
	}
	ws, err := s.weights(j.Graph)
	if err != nil {
		return nil, err
	}
	if !s.Classifier && len(ws) > 1 {
		ws = ws[:len(ws)-1]
	}
	magnitude, err := s.magnitude(ws)
	if err != nil {
		return nil, err
	}
	res := &Result{Graph: j.Graph}
	if res.Notes, err = j.pretrained(ctx); err != nil {
		return nil, err
	}
	if err := s.alone(ctx, j, magnitude); err != nil {
		return nil, err
	}

	masks := magnitude.Clone()
	if s.MaskStart == "random" {
		masks = shuffled(magnitude, ws, j.Seed)
	}
	h := &prune.Latent{Masks: masks, Frozen: true}
	if h.Scores, err = s.scores(firstScores(masks), j.Steps()); err != nil {
		return nil, err
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
	best := &prune.Best{Of: h.Masks}
	hooks := []train.Hook{h}
	if j.Data.Val != nil {
		hooks = append(hooks, best)
	}
	if res.Epochs, err = j.search(s.Tune).Fit(ctx, j.Graph, hooks...); err != nil {
		return nil, err
	}
	res.Masks = best.Take()
	if err := frozen(before, j.Graph, h); err != nil {
		return nil, err
	}
	for l, w := range ws {
		copy(w.Data(), h.Latent(l))
	}
	res.Masks.Apply()
	if err := j.recalibrate(j.Graph); err != nil {
		return nil, err
	}
	if n := magnitude.Count(); n > 0 {
		res.Notes = append(res.Notes, fmt.Sprintf("the searched mask and the magnitude mask share %.3f of the %d weights that stay", overlap(res.Masks, magnitude), n))
	}
	if s.Tune == 0 {
		res.Notes = append(res.Notes, "the weights that stay are those of the file, bit for bit")
		return res, nil
	}
	tuned, err := j.tune(ctx, res.Masks, s.Tune, s.TuneLR, 0)
	res.Epochs = append(res.Epochs, tuned...)
	return res, err
}

// magnitude is the mask of the largest weights at the layers' sparsities.
func (s *Jackpot) magnitude(ws []*prune.Weight) (*prune.Masks, error) {
	switch s.Allocate {
	case "global":
		one := make([]int, len(ws))
		for l := range one {
			one[l] = 1
		}
		return allocate.Global(ws, score.Magnitude(ws), s.Sparsity, one)
	case "uniform":
		keep, err := allocate.Uniform(ws, s.Sparsity)
		if err != nil {
			return nil, err
		}
		return allocate.Select(ws, score.Magnitude(ws), keep, prune.CutFirst), nil
	}
	return nil, fmt.Errorf("there is no allocation %q: use global or uniform", s.Allocate)
}

// alone says what a mask comes to without a search, its statistics of batch
// normalisation estimated anew.
func (s *Jackpot) alone(ctx context.Context, j *Job, m *prune.Masks) error {
	if j.Log == nil || j.held() == nil {
		return nil
	}
	c, _ := j.Graph.Clone(true)
	for l, w := range m.Weights {
		m.Mask[l].Apply(c.Value(w.Name).Const.F32())
	}
	if err := j.recalibrate(c); err != nil {
		return err
	}
	e, err := j.held().Run(ctx, c)
	if err == nil {
		j.logf("magnitude mask without search: loss %.4f, accuracy %.2f %%", e.Loss, 100*e.Accuracy)
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
func frozen(before, after *graph.Graph, h *prune.Latent) error {
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
