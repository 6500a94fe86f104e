package tickets

import (
	_ "embed"

	"context"
	"math"

	"pare/catalog"
	"pare/measure"
	"pare/model"
	"pare/prune"
	"pare/prune/hook"
	"pare/prune/score"
	"pare/train"
)

// SAP is sparsity-informed adaptive pruning.
type SAP struct {
	P      float64 `flag:"p" range:"(0,)" doc:"smaller norm of the PQ index, above 0"`
	Q      float64 `flag:"q" range:"(0,)" doc:"larger norm of the PQ index, above p"`
	Eta    float64 `flag:"eta" range:"[-1,)" doc:"tolerance: how much mass may go with what is cut, relative to what stays (at least -1); more cuts more"`
	Gamma  float64 `flag:"gamma" range:"[0,)" doc:"how much of what the index allows is cut in a round (at least 0)"`
	Beta   float64 `flag:"beta" range:"(0,1]" doc:"largest share of a scope that is cut in a round, in (0,1]"`
	Rounds int     `flag:"rounds" range:"[1,)" doc:"number of rounds of cutting, each followed by the whole recipe of training from the initial weights"`
	Scope  string  `flag:"scope" choice:"neuron,layer,global" doc:"what is measured and cut together: neuron (the weights of one output), layer or global"`
	model.Fresh
	model.Layers

	Index func(x []float32) float64 // of the weights that are left of a scope, to compare with; nil: the PQ index
}

// index is the PQ index of what is left of a scope.
func (s *SAP) index(x []float32) float64 {
	if s.Index != nil {
		return s.Index(x)
	}
	return measure.PQ(x, s.P, s.Q)
}

//go:embed sap.md
var sapDoc string

var sapCard = &catalog.Card{
	ID: "05", Name: "sap", Noun: "model", Title: "Sparsity-informed adaptive pruning by the PQ index",
	Paper: "Diao, Wang, Zhan, Yang, Ding, Tarokh: Pruning Deep Neural Networks from a Sparsity Perspective. ICLR 2023, arXiv 2302.05601",
	Cuts:  "weights", Needs: catalog.Trains, Doc: sapDoc,
	Axes: catalog.Axes{SpeedUp: "specific", When: "after", How: "magnitude iterative rewind", Supervision: "labels", Fusion: "none"},
}

// NewSAP gives the method with its defaults.
func NewSAP() *SAP {
	return &SAP{P: .5, Q: 1, Gamma: 1, Beta: .9, Rounds: 15, Scope: "layer"}
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

// Card describes the method.
func (*SAP) Card() *catalog.Card { return sapCard }

// Drives says that the trainings are the method's own.
func (*SAP) Drives() bool { return true }

// Run trains, measures, cuts and resets in rounds.
func (s *SAP) Run(ctx context.Context, j *model.Job) (*model.Result, error) {
	if s.P >= s.Q {
		return nil, catalog.Errorf("norms {P} %v and {Q} %v: the PQ index needs p < q", s.P, s.Q)
	}
	if err := j.NeedsTraining("the PQ index of a trained network decides"); err != nil {
		return nil, err
	}
	ws, err := model.Candidates(j, s.Fresh, s.Layers)
	if err != nil {
		return nil, err
	}
	trace := &SAPTrace{}
	res, err := Rewound(ctx, j, ws, s.Rounds, func(t int, m *prune.Masks) (*prune.Masks, error) {
		trace.add(m, s)
		if t == s.Rounds {
			return m, nil
		}
		next, err := s.Pick(m)
		if err != nil {
			return nil, err
		}
		j.Logf("round %d of %d: PQ index %.4f, Gini index %.4f; %d of %d weights stay", t+1, s.Rounds, trace.Index[t], trace.Gini[t], next.Count(), prune.Total(ws))
		trace.Pruned = append(trace.Pruned, measure.PQ(next.Kept(), s.P, s.Q))
		return next, nil
	})
	if err != nil {
		return nil, err
	}
	res.Facts = trace
	trace.note(res)
	res.WarnCollapse()
	return res, nil
}

// Rewound trains rounds+1 times from the same initial weights: after each
// training but the last, pick chooses masks within the present ones by the trained
// weights, and everything else is reset. It is shown the last ones too.
func Rewound(ctx context.Context, j *model.Job, ws []*prune.Weight, rounds int, pick func(t int, m *prune.Masks) (*prune.Masks, error)) (*model.Result, error) {
	initial, _ := j.Graph.Clone(true)
	res := &model.Result{Graph: j.Graph, Masks: prune.Dense(ws)}
	runs := j.NewSeries(rounds + 1)
	for t := 0; ; t++ {
		epochs, err := runs.Fit(ctx, j, j.Graph, &hook.Hold{Masks: res.Masks})
		if err != nil {
			return nil, err
		}
		res.Add(epochs)
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

// Pick cuts in every scope the smallest of the weights that are left.
func (s *SAP) Pick(m *prune.Masks) (*prune.Masks, error) {
	out := &prune.Masks{Weights: m.Weights}
	sc := score.Within(m, score.Magnitude(m.Weights))
	switch s.Scope {
	case "global":
		x := m.Kept()
		masks, err := prune.Global(sc, len(x)-s.cut(len(x), s.index(x)), nil)
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

// fewer keeps what the index of one scope allows; what is cut scores below 0.
func (s *SAP) fewer(score []float32) *prune.Mask {
	var x []float32
	for _, v := range score {
		if v >= 0 {
			x = append(x, v)
		}
	}
	return prune.TopK(score, len(x)-s.cut(len(x), s.index(x)), prune.CutFirst)
}
