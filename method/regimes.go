package method

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"

	"pare/train"
)

// Regimes are the settings of the three-regime diagnosis.
type Regimes struct {
	Sparsity  float64  `flag:"sparsity" doc:"wanted sparsity of every layer, in [0,1): the result has it, and the advice is for it"`
	Densities []string `flag:"densities" doc:"other densities of the map, such as 0.05,0.1,0.5"`
	Knob      string   `flag:"knob" doc:"what makes dense training hotter or colder: epochs (of one training, stopped early), batch (as many steps), lr, or rho (sharpness-aware)"`
	Grid      []string `flag:"grid" doc:"values of the knob (empty: four about the recipe's, the last for epochs)"`
	Rho       float64  `flag:"rho" doc:"radius of sharpness-aware minimisation in the dense training (0: plain)"`
	Epochs    int      `flag:"retrain" doc:"epochs of retraining (0: those of --epochs)"`
	LR        float64  `flag:"retrain-lr" doc:"peak rate of retraining (0: that of --lr); a gentle one hides barriers"`
	Seeds     int      `flag:"retrain-seeds" doc:"retrainings of each pruned network, by other orders of the samples"`
	Points    int      `flag:"points" doc:"points on the line between two retrained networks"`
	Samples   int      `flag:"samples" doc:"training samples on which outputs are compared"`
	Barrier   float64  `flag:"tau-lmc" doc:"error by which a line may rise before its ends count as poorly connected"`
	Similar   float64  `flag:"tau-cka" doc:"similarity from which connected networks count as alike (0: the median of the connected ones)"`
	Take      string   `flag:"take" doc:"which retrained network is the result: rule (the paper's, by regime and similarity) or error (the least on held-out samples)"`
	Fresh
	Layers
}

var regimes = &Method{
	ID: "30", Name: "regimes", Title: "Three-regime diagnosis of pruning",
	Paper: "Zhou, Yang, Chang, Mahoney: A Three-regime Model of Network Pruning. ICML 2023, arXiv 2305.18383",
	Cuts:  "weights", Needs: Trains,
	Doc: `A diagnosis more than a way to prune: should the dense network be trained hotter (fewer epochs, smaller batches, a
higher rate, a larger rho) or colder, to be best after pruning and retraining at the wanted sparsity? It trains dense
networks over a grid of one knob, cuts each by magnitude to the same density in every layer, retrains each several times
in other orders, and measures between the retrained ones linear mode connectivity, LMC, on the training set, and the
similarity of their outputs, CKA. Regime I, poorly connected (LMC below -tau-lmc): the load is high for so cold a
training; II-A, connected but unlike: hot; II-B, connected and alike: best. The notes are the map with the advice; the
result is the retrained network that the rule of the paper picks at the wanted sparsity: regime II before I, then CKA,
then LMC, and not the most accurate dense network. Similarity is cheap for networks that have learnt little: where another
cell has less error, a note says so, and --take error takes it. It costs grid x (1 + densities x retrain-seeds) trainings.

Checked in the authors' code: LMC on training error with the statistics of batch normalisation estimated anew at each
of 11 points, CKA of softmax outputs on training samples, the SAM step. Departures: all prunable weights count, not only
convolutions; thresholds are this program's own (the paper reads them off its maps); a line that falls below its ends
(LMC above tau-lmc: the ends are undertrained) counts as connected; accuracies are those of the last epoch.`,
	Settings: func() any { return regimesDefaults() },
	Run:      runRegimes, Claims: regimesClaims,
}

func regimesDefaults() *Regimes {
	return &Regimes{Sparsity: .9, Knob: "epochs", Seeds: 2, Points: 11, Samples: 6400, Barrier: .01, Take: "rule"}
}

func runRegimes(ctx context.Context, j *Job) (*Result, error) {
	v, err := newSurvey(j)
	if err != nil {
		return nil, err
	}
	if _, err := v.set.weights(j.Graph); err != nil {
		return nil, err
	}
	if err := v.set.begin(j); err != nil {
		return nil, err
	}
	res, err := v.diagnose(ctx)
	if ctx.Err() != nil && j.Save != "" { // while measuring: the trainings that are done are saved
		return nil, fmt.Errorf("%w in %s", train.ErrInterrupted, j.Save)
	}
	return res, err
}

// diagnose fills the map and takes a network from it.
func (v *survey) diagnose(ctx context.Context) (*Result, error) {
	dense, err := v.dense(ctx)
	if err != nil {
		return nil, err
	}
	var cells []*cell
	for i, g := range dense {
		for _, d := range v.densities {
			c, err := v.cell(ctx, g, v.values[i], d)
			if err != nil {
				return nil, fmt.Errorf("%s %v, density %.3g: %w", v.set.Knob, v.values[i], d, err)
			}
			v.logf("%s %v, density %.3g: error %.2f %%, LMC %.3f, CKA %.3f", v.set.Knob, c.value, d, 100*c.error, c.lmc, c.cka)
			cells = append(cells, c)
		}
	}
	similar := v.set.label(cells)
	best := choose(cells, v.densities[0], v.set.Take)
	return &Result{Graph: best.net, Masks: best.masks, Notes: v.notes(cells, best, similar)}, nil
}

func (s *Regimes) check(j *Job) error {
	switch {
	case j.Steps() == 0:
		return fmt.Errorf("the diagnosis trains dense and pruned networks: give --data and --epochs")
	case !(s.Sparsity >= 0 && s.Sparsity < 1):
		return fmt.Errorf("sparsity %v is outside [0,1)", s.Sparsity)
	case s.Seeds < 2:
		return fmt.Errorf("%d retrainings of a network: two are compared at least", s.Seeds)
	case s.Points < 3:
		return fmt.Errorf("%d points on the line between two networks: at least 3 are needed", s.Points)
	case s.Samples < 4:
		return fmt.Errorf("%d samples to compare outputs on: at least 4 are needed", s.Samples)
	case s.Epochs < 0 || s.LR < 0 || math.IsNaN(s.LR):
		return fmt.Errorf("retraining of %d epochs at rate %v: neither may be negative", s.Epochs, s.LR)
	case s.Take != "rule" && s.Take != "error":
		return fmt.Errorf("there is no way %q to take a network: use rule or error", s.Take)
	case !(s.Rho >= 0):
		return fmt.Errorf("rho %v is not a number of at least 0", s.Rho)
	case !(s.Barrier >= 0) || !(s.Similar >= 0 && s.Similar <= 1):
		return fmt.Errorf("thresholds tau-lmc %v and tau-cka %v: the first is an error of at least 0, the second in [0,1]", s.Barrier, s.Similar)
	}
	return nil
}

// grid is the values of the knob in increasing order.
func (s *Regimes) grid(r Recipe) ([]float64, error) {
	at, ok := map[string]float64{"epochs": float64(r.Epochs), "batch": float64(r.Batch), "lr": r.LR, "rho": .2}[s.Knob]
	if !ok {
		return nil, fmt.Errorf("there is no knob %q: use epochs, batch, lr or rho", s.Knob)
	}
	var out []float64
	for _, g := range s.Grid {
		x, err := strconv.ParseFloat(g, 64)
		whole := s.Knob == "epochs" || s.Knob == "batch"
		if err != nil || !(x > 0 || x == 0 && s.Knob == "rho") || math.IsInf(x, 0) || whole && x != math.Trunc(x) {
			return nil, fmt.Errorf("--grid %s is no value of %s", g, s.Knob)
		}
		if s.Knob == "epochs" && x > at {
			return nil, fmt.Errorf("--grid %s: the training has %v epochs", g, at)
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
		return nil, fmt.Errorf("a grid of %v says nothing: give two values of %s at least", out, s.Knob)
	}
	return out, nil
}
