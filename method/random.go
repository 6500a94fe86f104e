package method

import (
	"context"
	"fmt"
	"math"

	"pare/prune"
	"pare/prune/allocate"
	"pare/prune/score"
)

// Random are the settings of random pruning at initialisation.
type Random struct {
	Sparsity  float64 `flag:"sparsity" doc:"share of the prunable weights that is cut, in [0,1)"`
	Allocate  string  `flag:"allocate" doc:"how much of each layer: uniform, uniform+, er, erk, erk+, igq, or what snip, grasp or global magnitude keep of it"`
	FCDensity float64 `flag:"fc-density" doc:"erk+: share of the last linear layer that stays"`
	Scale     string  `flag:"scale" doc:"initial weights for the smaller fan-in: none, overall (divided by the root of the network's density) or layer (of the layer's)"`
	Sampled
	Fresh
	Layers
}

var random = &Method{
	ID: "33", Name: "random", Title: "Random pruning at initialisation",
	Paper: "Liu, Chen, Chen, Shen, Mocanu, Wang, Pechenizkiy: The Unreasonable Effectiveness of Random Pruning: Return of the Most Naive Baseline for Sparse Training (2022). arXiv 2202.02643",
	Cuts:  "weights", Needs: Trains,
	Doc: `Draws the places of the weights that stay before training and trains them with the mask held. What counts is how much
stays of each layer, and how wide the network is. uniform: the same share of all; uniform+: the first convolution
whole, a fifth of the last layer at densities below a fifth; er: a share proportional to (outputs + inputs)/(outputs *
inputs); erk: with the kernel's sizes in the sum; erk+: erk with the last layer's density fixed; igq: 1/(F*n + 1) of a
layer of n weights; snip, grasp, magnitude: as much as that score keeps of the layer, at other places. What does not
fit, such as a last layer kept whole that is more than may stay, is refused.

Read in the authors' code: every weight stays with its layer's probability, so that counts vary; here they are exact,
and rounded so that the total is exact too. Their uniform+ divides by all weights instead of those that share, so
that its density is off. They take SNIP's shares from a copy whose weights are drawn with Xavier's variance; here they
are those of the initial weights. igq is Vysogorets and Kempe's (2021, arXiv 2107.02306). With --epochs 0 it only cuts.`,
	Settings: func() any { return randomDefaults() },
	Run:      runRandom, Claims: randomClaims,
}

func randomDefaults() *Random {
	return &Random{Sparsity: .95, Allocate: "erk", FCDensity: 1, Scale: "none", Sampled: Sampled{PerClass: 10}}
}

func runRandom(ctx context.Context, j *Job) (*Result, error) {
	s := j.Settings.(*Random)
	if s.Scale != "none" && s.Scale != "overall" && s.Scale != "layer" {
		return nil, fmt.Errorf("there is no --scale %q: use none, overall or layer", s.Scale)
	}
	if err := s.begin(j); err != nil {
		return nil, err
	}
	ws, err := s.weights(j.Graph)
	if err != nil {
		return nil, err
	}
	keep, err := s.keep(j, ws)
	if err != nil {
		return nil, err
	}
	m := allocate.Select(ws, score.Random(ws, j.Seed), keep, prune.CutFirst)
	s.rescale(m)
	res, err := j.sparse(ctx, m)
	if res != nil {
		res.Notes = append(res.Notes, cutOff(m)...)
	}
	return res, err
}

// keep is how many weights of each layer stay.
func (s *Random) keep(j *Job, ws []*prune.Weight) ([]int, error) {
	var m *prune.Masks
	var err error
	switch s.Allocate {
	case "uniform":
		return allocate.UniformExact(ws, s.Sparsity)
	case "uniform+":
		return allocate.UniformPlus(ws, s.Sparsity)
	case "er", "erk":
		return allocate.ErdosRenyi(ws, s.Sparsity, s.Allocate == "erk")
	case "erk+":
		return allocate.ErdosRenyiPlus(ws, s.Sparsity, s.FCDensity)
	case "igq":
		return allocate.IGQ(ws, s.Sparsity)
	case "snip":
		m, err = s.snip(j, ws, s.Sparsity)
	case "grasp":
		m, err = s.grasp(j, ws, s.Sparsity, graspTemperature)
	case "magnitude":
		m, err = allocate.Global(ws, score.Magnitude(ws), s.Sparsity, nil)
	default:
		err = fmt.Errorf("there is no allocation %q: use uniform, uniform+, er, erk, erk+, igq, snip, grasp or magnitude", s.Allocate)
	}
	if err != nil {
		return nil, err
	}
	return allocate.Counts(m), nil
}

// rescale gives initial weights the variance for the inputs that are left:
// 2/(fan-in * density) in place of 2/fan-in.
func (s *Random) rescale(m *prune.Masks) {
	for l, w := range m.Weights {
		d := 1.
		switch s.Scale {
		case "overall":
			d = 1 - m.Sparsity()
		case "layer":
			d = float64(m.Mask[l].Count()) / float64(w.Len())
		}
		if d == 0 || d == 1 {
			continue
		}
		by := float32(1 / math.Sqrt(d))
		for i := range w.Data() {
			w.Data()[i] *= by
		}
	}
}

// cutOff says how many outputs of layers have no weight left: their values do
// not depend on the input.
func cutOff(m *prune.Masks) []string {
	var out []string
	for l, w := range m.Weights {
		rows, cols, at := w.Matrix()
		n := 0
		for r := range rows {
			c := 0
			for c < cols && !m.Mask[l].Kept(at(r, c)) {
				c++
			}
			if c == cols {
				n++
			}
		}
		if n > 0 && m.Mask[l].Count() > 0 {
			out = append(out, fmt.Sprintf("%d of %d outputs of %s have no weight left", n, rows, w.Name))
		}
	}
	return out
}
