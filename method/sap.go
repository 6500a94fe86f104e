package method

import (
	"context"
	"fmt"
	"math"

	"pare/measure"
	"pare/prune"
	"pare/train"
)

// SAP are the settings of sparsity-informed adaptive pruning.
type SAP struct {
	P      float64 `flag:"p" doc:"smaller norm of the PQ index, above 0"`
	Q      float64 `flag:"q" doc:"larger norm of the PQ index, above p"`
	Eta    float64 `flag:"eta" doc:"tolerance: how much mass may go with what is cut, relative to what stays (at least -1); more cuts more"`
	Gamma  float64 `flag:"gamma" doc:"how much of what the index allows is cut in a round (at least 0)"`
	Beta   float64 `flag:"beta" doc:"largest share of a scope that is cut in a round, in (0,1]"`
	Rounds int     `flag:"rounds" doc:"rounds of cutting, each followed by the whole recipe of training from the initial weights"`
	Scope  string  `flag:"scope" doc:"what is measured and cut together: neuron (the weights of one output), layer or global"`
	Fresh
	Layers
}

var sap = &Method{
	ID: "05", Name: "sap", Title: "Sparsity-informed adaptive pruning by the PQ index",
	Paper: "Diao, Wang, Zhan, Yang, Ding, Tarokh: Pruning Deep Neural Networks from a Sparsity Perspective. ICLR 2023, arXiv 2302.05601",
	Cuts:  "weights", Needs: Trains,
	Doc: `Trains, and then in every round reads off the PQ index I of the weights that are left how many are needed,
r = d (1+eta)^(-q/(q-p)) (1-I)^(pq/(q-p)), cuts floor(d min(gamma (1-ceil(r)/d), beta)) of the d smallest, resets the
others to their initial values and trains again. No ratio is given: each neuron, layer or the whole network (--scope)
is cut as much as its own index allows. The index and the Gini index of every round are reported; the paper's
hypothesis is that the index falls while cutting regularises the network, and rises as the limit of compression nears.

Checked in the authors' code: index, bound, clamp to [0, beta], scopes, order (train, measure, cut, reset all
parameters, norms and biases too), and that there the one-shot baseline ranks by the first trained network and is
reset and trained again as well. Departures: exactly so many weights are cut, ties by index (the authors cut all below
a pivot); the weights of the last epoch are measured and cut, where the authors take those of the best one on
their test set; running statistics of normalisations are reset too.`,
	Settings: func() any { return sapDefaults() },
	Run:      runSAP, Claims: sapClaims,
}

func sapDefaults() *SAP {
	return &SAP{P: .5, Q: 1, Gamma: 1, Beta: .9, Rounds: 15, Scope: "layer"}
}

func (s *SAP) check() error {
	switch {
	case !(s.P > 0 && s.P < s.Q) || math.IsInf(s.Q, 0):
		return fmt.Errorf("norms p %v and q %v: the PQ index needs 0 < p < q", s.P, s.Q)
	case !(s.Eta >= -1) || math.IsInf(s.Eta, 0):
		return fmt.Errorf("the tolerance eta %v is not a number of at least -1", s.Eta)
	case !(s.Gamma >= 0) || math.IsInf(s.Gamma, 0):
		return fmt.Errorf("gamma %v is not a number of at least 0", s.Gamma)
	case !(s.Beta > 0 && s.Beta <= 1):
		return fmt.Errorf("beta %v is outside (0,1]", s.Beta)
	case s.Rounds < 1:
		return fmt.Errorf("%d rounds of pruning: at least 1 is needed", s.Rounds)
	case s.Scope != "neuron" && s.Scope != "layer" && s.Scope != "global":
		return fmt.Errorf("there is no scope %q: use neuron, layer or global", s.Scope)
	}
	return nil
}

// cut is how many of a scope's weights go: of d that are left, with PQ index i.
func (s *SAP) cut(d int, i float64) int {
	if d == 0 {
		return 0
	}
	n := float64(d)
	const eps = 1e-9 // what powers lose must not move a count
	r := n * math.Pow(1+s.Eta, -s.Q/(s.Q-s.P)) * math.Pow(1-i, s.P*s.Q/(s.Q-s.P))
	share := min(s.Gamma*(1-math.Ceil(r*(1-eps))/n), s.Beta)
	if s.Gamma == 0 || !(share > 0) {
		return 0
	}
	return int(math.Floor(n*share + eps))
}

func runSAP(ctx context.Context, j *Job) (*Result, error) {
	s := j.Settings.(*SAP)
	if err := s.check(); err != nil {
		return nil, err
	}
	if j.Recipe.Epochs == 0 {
		return nil, fmt.Errorf("the PQ index of a trained network decides: give --data and --epochs")
	}
	ws, err := s.weights(j.Graph)
	if err != nil {
		return nil, err
	}
	if err := s.begin(j); err != nil {
		return nil, err
	}
	c := course{}
	res, err := rewound(ctx, j, ws, s.Rounds, func(t int, m *prune.Masks) (*prune.Masks, error) {
		c.add(m, s)
		if t == s.Rounds {
			return m, nil
		}
		next, err := s.pick(m)
		if err != nil {
			return nil, err
		}
		j.logf("round %d of %d: PQ index %.4f, Gini index %.4f; %d of %d weights stay", t+1, s.Rounds, c.index[t], c.gini[t], next.Count(), prune.Total(ws))
		c.pruned = append(c.pruned, measure.PQ(alive(next), s.P, s.Q))
		return next, nil
	})
	if err != nil {
		return nil, err
	}
	res.Notes = append(c.notes(), collapse(res.Masks)...)
	return res, nil
}

// rewound trains rounds+1 times from the same initial weights: after each
// training but the last, pick chooses masks within the present ones by the trained
// weights, and everything else is reset. It is shown the last ones too.
func rewound(ctx context.Context, j *Job, ws []*prune.Weight, rounds int, pick func(t int, m *prune.Masks) (*prune.Masks, error)) (*Result, error) {
	initial, _ := j.Graph.Clone(true)
	res := &Result{Graph: j.Graph, Masks: prune.Dense(ws)}
	for t := 0; ; t++ {
		epochs, err := j.round(t, rounds+1).Fit(ctx, j.Graph, &prune.Hold{Masks: res.Masks})
		if err != nil {
			return nil, err
		}
		for _, e := range epochs {
			e.Epoch += t * j.Recipe.Epochs
			res.Epochs = append(res.Epochs, e)
		}
		next, err := pick(t, res.Masks)
		if err != nil || t == rounds {
			return res, err
		}
		if err := train.CopyWeights(j.Graph, initial); err != nil {
			return nil, err
		}
		res.Masks = next
		next.Apply()
	}
}

// pick cuts in every scope the smallest of the weights that are left.
func (s *SAP) pick(m *prune.Masks) (*prune.Masks, error) {
	out := &prune.Masks{Weights: m.Weights}
	sc := left(m)
	switch s.Scope {
	case "global":
		x := alive(m)
		masks, err := prune.Global(sc, len(x)-s.cut(len(x), measure.PQ(x, s.P, s.Q)), nil)
		if err != nil {
			return nil, err
		}
		out.Mask = masks
	case "layer":
		for l := range m.Weights {
			out.Mask = append(out.Mask, s.fewer(sc[l]))
		}
	case "neuron":
		for l, w := range m.Weights {
			rows, cols, at := w.Matrix()
			k := prune.NewMask(w.Len(), false)
			row := make([]float32, cols)
			for r := range rows {
				for c := range cols {
					row[c] = sc[l][at(r, c)]
				}
				f := s.fewer(row)
				for c := range cols {
					k.Set(at(r, c), f.Kept(c))
				}
			}
			out.Mask = append(out.Mask, k)
		}
	}
	return out, nil
}

// fewer keeps what the index of one scope allows; score is as of left.
func (s *SAP) fewer(score []float32) *prune.Mask {
	var x []float32
	for _, v := range score {
		if v >= 0 {
			x = append(x, v)
		}
	}
	return prune.TopK(score, len(x)-s.cut(len(x), measure.PQ(x, s.P, s.Q)), prune.CutFirst)
}

// left is the magnitude of every weight that the masks keep, -1 for the others:
// they rank below every one that is left.
func left(m *prune.Masks) [][]float32 {
	out := make([][]float32, len(m.Weights))
	for l, w := range m.Weights {
		out[l] = make([]float32, w.Len())
		for i, x := range w.Data() {
			out[l][i] = -1
			if m.Mask[l].Kept(i) {
				out[l][i] = float32(math.Abs(float64(x)))
			}
		}
	}
	return out
}

// alive lists the weights that the masks keep.
func alive(m *prune.Masks) []float32 {
	var out []float32
	for l, w := range m.Weights {
		for i, x := range w.Data() {
			if m.Mask[l].Kept(i) {
				out = append(out, x)
			}
		}
	}
	return out
}
