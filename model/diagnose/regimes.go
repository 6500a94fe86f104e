package diagnose

import (
	_ "embed"
	"pare/catalog"
	"pare/model"

	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
)

// Regimes is the three-regime diagnosis.
type Regimes struct {
	Sparsity  float64  `flag:"sparsity" range:"[0,1)" doc:"wanted sparsity of every layer, in [0,1): the result has it, and the advice is for it"`
	Densities []string `flag:"densities" doc:"other densities of the map, such as 0.05,0.1,0.5"`
	Knob      string   `flag:"knob" choice:"epochs,batch,lr,rho" doc:"what makes dense training hotter or colder: epochs (of one training, stopped early), batch (as many steps), lr, or rho (sharpness-aware)"`
	Grid      []string `flag:"grid" doc:"values of the knob (empty: four about the recipe's, the last for epochs)"`
	Rho       float64  `flag:"rho" range:"[0,)" doc:"radius of sharpness-aware minimisation in the dense training (0: plain)"`
	Epochs    int      `flag:"retrain" range:"[0,)" doc:"epochs of retraining (0: those of --epochs)"`
	LR        float64  `flag:"retrain-lr" range:"[0,)" doc:"peak rate of retraining (0: that of --lr); a gentle one hides barriers"`
	Seeds     int      `flag:"retrain-seeds" range:"[2,)" doc:"retrainings of each pruned network, by other orders of the samples"`
	Points    int      `flag:"points" range:"[3,)" doc:"points on the line between two retrained networks"`
	Samples   int      `flag:"samples" range:"[4,)" doc:"training samples on which outputs are compared"`
	Barrier   float64  `flag:"tau-lmc" range:"[0,)" doc:"error by which a line may rise before its ends count as poorly connected"`
	Similar   float64  `flag:"tau-cka" range:"[0,1]" doc:"similarity from which connected networks count as alike (0: the median of the connected ones)"`
	Take      string   `flag:"take" choice:"rule,error" doc:"which retrained network is the result: rule (the paper's, by regime and similarity) or error (the least on held-out samples)"`
	model.Fresh
	model.Layers

	OneOrder bool // retrainings have the same order of samples, to compare with
	AsIs     bool // statistics of batch normalisation are interpolated on lines, not estimated anew, to compare with
}

//go:embed regimes.md
var regimesDoc string

var regimesCard = &catalog.Card{
	ID: "30", Name: "regimes", Noun: "model", Title: "Three-regime diagnosis of pruning",
	Paper: "Zhou, Yang, Chang, Mahoney: A Three-regime Model of Network Pruning. ICML 2023, arXiv 2305.18383",
	Cuts:  "weights", Needs: catalog.Trains, Doc: regimesDoc,
	Axes: catalog.Axes{SpeedUp: "specific", When: "after", How: "magnitude one-shot retrain", Supervision: "labels", Fusion: "none"},
}

// NewRegimes gives the method with its defaults.
func NewRegimes() *Regimes {
	return &Regimes{Sparsity: .9, Knob: "epochs", Seeds: 2, Points: 11, Samples: 6400, Barrier: .01, Take: "rule"}
}

// Card describes the method.
func (*Regimes) Card() *catalog.Card { return regimesCard }

// Drives says that the trainings are the method's own.
func (*Regimes) Drives() bool { return true }

// Run fills the map and takes a network from it.
func (s *Regimes) Run(ctx context.Context, j *model.Job) (*model.Result, error) {
	v, err := NewSurvey(j, s)
	if err != nil {
		return nil, err
	}
	if _, err := s.Weights(j.Graph); err != nil {
		return nil, err
	}
	if err := j.NeedsLabels("the diagnosis maps what networks get wrong"); err != nil {
		return nil, err
	}
	if err := s.Redraw(j); err != nil {
		return nil, err
	}
	res, err := v.diagnose(ctx)
	return res, j.Interrupted(ctx, err) // while measuring: the trainings that are done are saved
}

// diagnose fills the map and takes a network from it.
func (v *Survey) diagnose(ctx context.Context) (*model.Result, error) {
	dense, err := v.Dense(ctx)
	if err != nil {
		return nil, err
	}
	m := &Map{Knob: v.set.Knob, Barrier: v.set.Barrier}
	for i, g := range dense {
		for _, d := range v.Densities {
			c, err := v.Cell(ctx, g, v.Values[i], d)
			if err != nil {
				return nil, fmt.Errorf("%s %v, density %.3g: %w", v.set.Knob, v.Values[i], d, err)
			}
			v.Logf("%s %v, density %.3g: error %.2f %%, LMC %.3f, CKA %s", v.set.Knob, c.Value, d, 100*c.Error, c.LMC, c.similarity())
			m.Cells = append(m.Cells, c)
		}
	}
	m.label(v.set.Similar)
	best := m.choose(v.Densities[0], v.set.Take)
	res := &model.Result{Graph: best.Net, Masks: best.Masks, Facts: m}
	v.note(res, m)
	v.advise(res, m, best)
	return res, nil
}

// grid is the values of the knob in increasing order.
func (s *Regimes) grid(r model.Recipe) ([]float64, error) {
	at := map[string]float64{"epochs": float64(r.Epochs), "batch": float64(r.Batch), "lr": r.LR, "rho": .2}[s.Knob]
	var out []float64
	for _, g := range s.Grid {
		x, err := strconv.ParseFloat(g, 64)
		whole := s.Knob == "epochs" || s.Knob == "batch"
		if err != nil || !(x > 0 || x == 0 && s.Knob == "rho") || math.IsInf(x, 0) || whole && x != math.Trunc(x) {
			return nil, catalog.Errorf("{Grid} %s is no value of %s", g, s.Knob)
		}
		if s.Knob == "epochs" && x > at {
			return nil, catalog.Errorf("{Grid} %s: the training has %v epochs", g, at)
		}
		out = append(out, x)
	}
	if s.Grid == nil {
		switch s.Knob {
		case "epochs":
			for _, f := range []float64{1. / 8, 1. / 4, 1. / 2, 1} {
				out = append(out, max(1, math.Round(f*at)))
			}
		case "batch":
			out = []float64{max(1, math.Round(at/4)), max(1, math.Round(at/2)), at, 2 * at}
		case "lr":
			out = []float64{at / 4, at / 2, at, 2 * at}
		case "rho":
			out = []float64{0, at / 4, at / 2, at}
		}
	}
	slices.Sort(out)
	if out = slices.Compact(out); len(out) < 2 {
		return nil, catalog.Errorf("{Grid} %v says nothing: give two values of %s at least", out, s.Knob)
	}
	return out, nil
}
