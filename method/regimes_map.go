package method

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"pare/graph"
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

// cell is one dense network, pruned to one density and retrained.
type cell struct {
	value, density float64
	net            *graph.Graph // of the first retraining
	masks          *prune.Masks
	error          float64 // of what is held out, mean over retrainings
	dense          float64 // that of the dense network
	ends, top, at  float64 // of the lines: mean error of the ends, that of the point where it differs most, that point
	lmc, cka       float64 // mean over pairs
	regime         string
}

// label names the regimes and gives the similarity from which nets are alike.
func (s *Regimes) label(cells []*cell) float64 {
	similar := s.Similar
	if similar == 0 {
		var x []float64
		for _, c := range cells {
			if c.lmc >= -s.Barrier && !math.IsNaN(c.cka) {
				x = append(x, c.cka)
			}
		}
		slices.Sort(x)
		if n := len(x); n > 0 {
			similar = (x[(n-1)/2] + x[n/2]) / 2
		}
	}
	for _, c := range cells {
		c.regime = regime(c.lmc, c.cka, s.Barrier, similar)
	}
	return similar
}

// choose takes the best dense network for a density by the paper's rule (regime
// II before I, then the higher CKA, then the higher LMC), or the least error.
func choose(cells []*cell, density float64, take string) *cell {
	var best *cell
	for _, c := range cells {
		if c.density != density {
			continue
		}
		if best == nil || take == "rule" && c.before(best) || take == "error" && c.error < best.error {
			best = c
		}
	}
	return best
}

// before says whether the rule prefers c.
func (c *cell) before(o *cell) bool {
	if a, b := c.regime == "I", o.regime == "I"; a != b {
		return b
	}
	if a, b := math.IsNaN(c.cka), math.IsNaN(o.cka); a || b {
		return b && !a
	}
	if c.cka != o.cka {
		return c.cka > o.cka
	}
	return c.lmc > o.lmc
}

// colder and hotter say what the two directions mean for a knob.
var colder = map[string]string{"epochs": "more epochs", "batch": "larger batches", "lr": "a lower rate", "rho": "a smaller rho"}
var hotter = map[string]string{"epochs": "fewer epochs", "batch": "smaller batches", "lr": "a higher rate", "rho": "a larger rho"}

// notes writes the map, a density a line, and the advice for the wanted one.
func (v *survey) notes(cells []*cell, best *cell, similar float64) []string {
	knob := v.set.Knob
	out := []string{fmt.Sprintf("regimes by density and %s; connected from LMC %.3g, alike from CKA %.3f; E is the training error of the ends of the lines and of the point that differs most", knob, -v.set.Barrier, similar)}
	for _, d := range v.densities {
		row, least := "", math.Inf(1)
		for _, c := range cells {
			if c.density == d {
				least = min(least, c.error)
			}
		}
		for _, c := range cells {
			if c.density == d {
				row += fmt.Sprintf("; %s %v: %s, LMC %+.3f (E %.3f, %.3f at %.1f), CKA %s, error %.1f %% (%+.1f)",
					knob, c.value, c.regime, c.lmc, c.ends, c.top, c.at, similarity(c.cka), 100*c.error, 100*(c.error-least))
			}
		}
		out = append(out, fmt.Sprintf("density %.3g%s", d, strings.Replace(row, ";", ":", 1)))
	}
	return append(out, v.advice(cells, best)...)
}

func similarity(cka float64) string {
	if math.IsNaN(cka) {
		return "undefined (outputs are constant)"
	}
	return fmt.Sprintf("%.3f", cka)
}

// advice applies the paper's rules at the wanted density: the direction from
// where the recipe stands, and the network to take.
func (v *survey) advice(cells []*cell, best *cell) []string {
	knob, d := v.set.Knob, v.densities[0]
	own := map[string]float64{"epochs": float64(v.Recipe.Epochs), "batch": float64(v.Recipe.Batch), "lr": v.Recipe.LR, "rho": v.set.Rho}[knob]
	var now, sharp *cell
	least := choose(cells, d, "error")
	for _, c := range cells {
		if c.density != d {
			continue
		}
		if now == nil || math.Abs(c.value-own) < math.Abs(now.value-own) {
			now = c
		}
		if sharp == nil || c.dense < sharp.dense {
			sharp = c
		}
	}
	way := "colder: " + colder[knob]
	if now.regime == "I" {
		way = "hotter: " + hotter[knob]
	}
	taken := fmt.Sprintf("taken: %s %v; the best dense network has %s %v", knob, best.value, knob, sharp.value)
	if best.error > least.error+.01 {
		taken += fmt.Sprintf("; but after retraining %s %v has %.1f points less error than what the rule takes: --take error takes it", knob, least.value, 100*(best.error-least.error))
	}
	return []string{fmt.Sprintf("at density %.3g, %s %v is in regime %s: train %s", d, knob, now.value, now.regime, way), taken}
}
