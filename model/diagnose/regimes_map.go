package diagnose

import (
	_ "embed"

	"fmt"
	"math"
	"slices"
	"strings"

	"pare/graph"
	"pare/model"
	"pare/prune"
)

// regime names the regime of a cell of the map from its connectivity and
// similarity; one that is not defined is NaN.
func regime(lmc, cka, barrier, similar float64) string {
	switch {
	case lmc < -barrier:
		return "I"
	case cka >= similar:
		return "II-B"
	}
	return "II-A"
}

// Map is what a diagnosis found: a cell for each value of the knob at each density.
type Map struct {
	Knob    string  `json:"knob"`
	Barrier float64 `json:"barrier"` // connected from -Barrier on
	Similar float64 `json:"similar"` // alike from this CKA on
	Cells   []*Cell `json:"cells"`
	Advice  Advice  `json:"advice"`
}

// Cell is one dense network, pruned to one density and retrained.
type Cell struct {
	Value   float64      `json:"value"` // of the knob
	Density float64      `json:"density"`
	Regime  string       `json:"regime"`
	Error   float64      `json:"error"`       // of what is held out, mean over retrainings
	Dense   float64      `json:"dense_error"` // that of the dense network
	Ends    float64      `json:"ends_error"`  // of the lines on the training set: mean error of the ends,
	Top     float64      `json:"top_error"`   // that of the point where it differs most,
	At      float64      `json:"top_at"`      // and that point, in [0,1]
	LMC     float64      `json:"lmc"`         // mean over pairs
	CKA     *float64     `json:"cka"`         // mean over pairs; null: undefined, for outputs are constant
	Net     *graph.Graph `json:"-"`           // of the first retraining
	Masks   *prune.Masks `json:"-"`
}

// Advice is what the rules of the paper say at the wanted density.
type Advice struct {
	Density  float64 `json:"density"`
	Value    float64 `json:"value"`      // of the knob, nearest to the recipe's own
	Regime   string  `json:"regime"`     // in which it is
	Hotter   bool    `json:"hotter"`     // train hotter, else colder
	Taken    float64 `json:"taken"`      // value of the knob of the network that is the result
	Sharpest float64 `json:"best_dense"` // value of the knob of the best dense network
}

// similarity writes the CKA.
func (c *Cell) similarity() string {
	if c.CKA == nil {
		return "undefined (outputs are constant)"
	}
	return fmt.Sprintf("%.3f", *c.CKA)
}

// cka is NaN where it is undefined.
func (c *Cell) cka() float64 {
	if c.CKA == nil {
		return math.NaN()
	}
	return *c.CKA
}

// label names the regimes by the similarity from which networks are alike (0: the
// median of the connected ones).
func (m *Map) label(similar float64) {
	if similar == 0 {
		var x []float64
		for _, c := range m.Cells {
			if c.LMC >= -m.Barrier && c.CKA != nil {
				x = append(x, *c.CKA)
			}
		}
		slices.Sort(x)
		if n := len(x); n > 0 {
			similar = (x[(n-1)/2] + x[n/2]) / 2
		}
	}
	m.Similar = similar
	for _, c := range m.Cells {
		c.Regime = regime(c.LMC, c.cka(), m.Barrier, similar)
	}
}

// choose takes the best dense network for a density by the paper's rule (regime
// II before I, then the higher CKA, then the higher LMC), or the least error.
func (m *Map) choose(density float64, take string) *Cell {
	var best *Cell
	for _, c := range m.Cells {
		if c.Density != density {
			continue
		}
		if best == nil || take == "rule" && c.before(best) || take == "error" && c.Error < best.Error {
			best = c
		}
	}
	return best
}

// before says whether the rule prefers c.
func (c *Cell) before(o *Cell) bool {
	if a, b := c.Regime == "I", o.Regime == "I"; a != b {
		return b
	}
	if a, b := c.CKA == nil, o.CKA == nil; a || b {
		return b && !a
	}
	if *c.CKA != *o.CKA {
		return *c.CKA > *o.CKA
	}
	return c.LMC > o.LMC
}

// colder and hotter say what the two directions mean for a knob.
var colder = map[string]string{"epochs": "more epochs", "batch": "larger batches", "lr": "a lower rate", "rho": "a smaller rho"}
var hotter = map[string]string{"epochs": "fewer epochs", "batch": "smaller batches", "lr": "a higher rate", "rho": "a larger rho"}

// note writes the map, a density a line.
func (v *Survey) note(res *model.Result, m *Map) {
	res.Note("regimes by density and %s; connected from LMC %.3g, alike from CKA %.3f; E is the training error of the ends of the lines and of the point that differs most", m.Knob, -m.Barrier, m.Similar)
	for _, d := range v.Densities {
		row, least := "", math.Inf(1)
		for _, c := range m.Cells {
			if c.Density == d {
				least = min(least, c.Error)
			}
		}
		for _, c := range m.Cells {
			if c.Density == d {
				row += fmt.Sprintf("; %s %v: %s, LMC %+.3f (E %.3f, %.3f at %.1f), CKA %s, error %.1f %% (%+.1f)",
					m.Knob, c.Value, c.Regime, c.LMC, c.Ends, c.Top, c.At, c.similarity(), 100*c.Error, 100*(c.Error-least))
			}
		}
		res.Note("density %.3g%s", d, strings.Replace(row, ";", ":", 1))
	}
}

// advise applies the paper's rules at the wanted density: the direction from
// where the recipe stands, and the network to take.
func (v *Survey) advise(res *model.Result, m *Map, best *Cell) {
	knob, d := m.Knob, v.Densities[0]
	own := map[string]float64{"epochs": float64(v.Recipe.Epochs), "batch": float64(v.Recipe.Batch), "lr": v.Recipe.LR, "rho": v.set.Rho}[knob]
	var now, sharp *Cell
	least := m.choose(d, "error")
	for _, c := range m.Cells {
		if c.Density != d {
			continue
		}
		if now == nil || math.Abs(c.Value-own) < math.Abs(now.Value-own) {
			now = c
		}
		if sharp == nil || c.Dense < sharp.Dense {
			sharp = c
		}
	}
	m.Advice = Advice{Density: d, Value: now.Value, Regime: now.Regime, Hotter: now.Regime == "I", Taken: best.Value, Sharpest: sharp.Value}
	way := "colder: " + colder[knob]
	if m.Advice.Hotter {
		way = "hotter: " + hotter[knob]
	}
	res.Note("at density %.3g, %s %v is in regime %s: train %s", d, knob, now.Value, now.Regime, way)
	taken := fmt.Sprintf("taken: %s %v; the best dense network has %s %v", knob, best.Value, knob, sharp.Value)
	if best.Error > least.Error+.01 {
		taken += fmt.Sprintf("; but after retraining %s %v has %.1f points less error than what the rule takes: {Take} error takes it", knob, least.Value, 100*(best.Error-least.Error))
	}
	res.Note("%s", taken)
}
