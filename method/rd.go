package method

import (
	"context"
	"fmt"
	"math/rand/v2"

	"pare/dataset"
	"pare/prune"
	"pare/prune/allocate"
	"pare/prune/schedule"
	"pare/tensor"
)

// RD are the settings of rate-distortion pruning.
type RD struct {
	Sparsity float64 `flag:"sparsity" doc:"share of the prunable weights that is cut, in [0,1)"`
	Rounds   int     `flag:"rounds" doc:"iterative pruning: so many rounds with curves of their own, each followed by the whole recipe of fine-tuning"`
	Curves
	Layers
}

// Curves are the settings of rate-distortion curves.
type Curves struct {
	Points  int     `flag:"points" doc:"points of a layer's rate-distortion curve"`
	Samples int     `flag:"samples" doc:"samples of the training set that curves are measured on"`
	Noise   bool    `flag:"noise" doc:"no data: measure curves on normal noise"`
	Worst   bool    `flag:"worst" doc:"count the sample whose output moves most in place of the mean"`
	Least   float64 `flag:"least" doc:"share of its weights that every layer keeps at least (one an output it keeps anyway)"`
}

var rd = &Method{
	ID: "28", Name: "rd", Title: "Layer shares by rate-distortion curves",
	Paper: "Xu, Wang, Geng, Lin, Wu, Li, Lin: Efficient Joint Optimization of Layer-Adaptive Weight Pruning in Deep Neural Networks. ICCV 2023, arXiv 2308.10438",
	Cuts:  "weights", Needs: Weights,
	Doc: `Measures for every layer alone how far the network's output (before softmax) moves as more and more of the
layer's smallest weights are cut, and finds the shares of the layers whose distortions add up to the least at the wanted
sparsity: a knapsack, solved by dynamic programming. The premise, that distortions of several layers nearly add up,
holds for small changes. Curves are measured on the training set (--data), or on noise (--noise). With
--rounds the sparsity rises by the same share of what is left in each, curves are measured anew, and nothing comes back.
magnitude --allocate rd is the same choice of shares in that method's forms.

Checked in the authors' code: squared differences averaged over samples and outputs, or the largest mean of a sample
(worst case, which their commands use), noise of N(0,1), 100 points, layers by size, 20 % of the rest a round.
Departures: curves are made monotone, for dents of sampling are no gain; a layer keeps a weight for each of its outputs;
the sparsity is exact (theirs falls short by rounding); the shares are exact to a 10,000th of the network, theirs to a
weight at the cost of a table of all of them.`,
	Settings: func() any { return rdDefaults() },
	Run:      runRD, Claims: rdClaims,
}

func rdDefaults() *RD {
	return &RD{Sparsity: .9, Rounds: 1, Curves: Curves{Points: 100, Samples: 1024}}
}

// rdUnits is how fine shares are, of the network.
const rdUnits = 10000

func runRD(ctx context.Context, j *Job) (*Result, error) {
	s := j.Settings.(*RD)
	ws, err := s.weights(j.Graph)
	if err != nil {
		return nil, err
	}
	steps, err := schedule.Iterative(s.Sparsity, s.Rounds)
	if err != nil {
		return nil, err
	}
	if s.Rounds > 1 && j.Recipe.Epochs == 0 {
		return nil, fmt.Errorf("rounds of pruning have fine-tuning between them: give --data and --epochs")
	}
	res := &Result{Graph: j.Graph, Masks: prune.Dense(ws)}
	for i, x := range steps {
		var note string
		if res.Masks, note, err = s.pick(ctx, j, res.Masks, x); err != nil {
			return nil, err
		}
		res.Notes = []string{note}
		res.Masks.Apply()
		j.logf("round %d of %d: %d of %d weights stay", i+1, s.Rounds, res.Masks.Count(), prune.Total(ws))
		if err := j.untuned(ctx, j.Graph); err != nil {
			return nil, err
		}
		epochs, err := j.round(i, s.Rounds).Fit(ctx, j.Graph, &prune.Hold{Masks: res.Masks})
		if err != nil {
			return nil, err
		}
		for _, e := range epochs {
			e.Epoch += i * j.Recipe.Epochs
			res.Epochs = append(res.Epochs, e)
		}
	}
	return res, nil
}

// pick cuts within masks to a sparsity: each layer's smallest weights, as many
// as the knapsack over the curves says. It says whether the premise held.
func (s *Curves) pick(ctx context.Context, j *Job, m *prune.Masks, sparsity float64) (*prune.Masks, string, error) {
	total := prune.Total(m.Weights)
	cut, err := allocate.Cut(total, sparsity)
	if err != nil {
		return nil, "", err
	}
	p, err := s.probe(j)
	if err != nil {
		return nil, "", err
	}
	sc := left(m)
	curves, err := p.Curves(ctx, m, sc)
	if err != nil {
		return nil, "", err
	}
	keep, err := allocate.Knapsack(curves, total-cut, rdUnits)
	if err != nil {
		return nil, "", err
	}
	sum := 0.0
	for l, w := range m.Weights {
		sum += curves[l].At(keep[l])
		j.logf("%s keeps %d of %d", w.Name, keep[l], w.Len())
	}
	out := allocate.Select(m.Weights, sc, keep, prune.CutFirst)
	all, err := p.Distortion(ctx, out)
	note := fmt.Sprintf("distortion of the output when all layers were cut: %.4g; those of single layers add up to %.4g", all, sum)
	if !s.Worst && (all > 2*sum || sum > 2*all) {
		note += ", which is far from it, though the choice of shares assumes it: a smaller sparsity, or more --rounds, makes smaller steps"
	}
	return out, note, err
}

// probe measures on the job's samples or on noise.
func (s *Curves) probe(j *Job) (*allocate.Probe, error) {
	if s.Samples < 1 {
		return nil, fmt.Errorf("%d calibration samples: at least 1 is needed", s.Samples)
	}
	if len(j.Graph.Inputs) != 1 {
		return nil, fmt.Errorf("rate-distortion curves need a network with one input; this has %d", len(j.Graph.Inputs))
	}
	p := &allocate.Probe{Graph: j.Graph, Points: s.Points, Worst: s.Worst, Least: s.Least, Batch: min(128, s.Samples), Engine: j.Engine}
	if x := j.Graph.Inputs[0]; len(x.Shape) > 0 && x.Shape[0].Known() {
		p.Batch = x.Shape[0].Mul
	}
	if s.Noise {
		if x := j.Graph.Inputs[0]; x.DType != tensor.Float32 {
			return nil, fmt.Errorf("the network's input %q is %v, which normal noise is not: give --data in place of --noise", x.Name, x.DType)
		}
		p.Fill = func(i int, x *tensor.Tensor) int {
			r := rand.New(rand.NewPCG(j.Seed, 0x4d<<32|uint64(i)))
			for k := range x.F32() {
				x.F32()[k] = float32(r.NormFloat64())
			}
			return max(0, min(p.Batch, s.Samples-i*p.Batch))
		}
		return p, nil
	}
	if j.Data == nil || j.Data.Train == nil {
		return nil, fmt.Errorf("rate-distortion curves are measured on calibration data: give --data, or --method rd --noise")
	}
	set := j.Data.Train
	l := &dataset.Loader{Set: set, Size: p.Batch, Norm: j.Data.Norm, Shuffle: true, Seed: j.Seed}
	n := min(s.Samples, set.Len())
	y := make([]int64, p.Batch*max(1, set.Size()))
	p.Fill = func(i int, x *tensor.Tensor) int {
		if i*p.Batch >= n {
			return 0
		}
		return min(l.Fill(0, i, x.F32(), tensor.Of[int64](x), y), n-i*p.Batch)
	}
	return p, nil
}
