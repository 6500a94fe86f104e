package reproduce

import (
	"strings"

	"pare/evidence"
)

// List gives every experiment in the order of the papers' numbers,
// those of baselines last.
func List() []*evidence.Experiment {
	return []*evidence.Experiment{share, layerLottery, lapp, consensus, sap, spa, emo, globalMP, lottery, bip, scratch, survey, rs2, granet, rewind, tas, trp, pagcp, jackpot, adaptPruner, precrop, fedtiny, perp, rd, regimes, ccs, prototypes, random, compresso, labelMapping, maskSparsity, adapters, superTickets, gmp, pretraining,
		magnitude, lamp, wanda, sparseGPT, ria, dsnot, snip, grasp, synflow, hydra, movement, rigl, set, channels, obspa, slimming, heads, experts, flap, sliceGPT, lowRank}
}

// Find gives the experiment of a paper's number or method's name; nil: there is
// none.
func Find(name string) *evidence.Experiment {
	for _, e := range List() {
		if e.Name == name || e.ID != "" && e.ID == name {
			return e
		}
	}
	return nil
}

// Names are the numbers and names of all experiments, for an error.
func Names() string {
	var out []string
	for _, e := range List() {
		name := e.Name
		if e.ID != "" {
			name += " (" + e.ID + ")"
		}
		out = append(out, name)
	}
	return strings.Join(out, ", ")
}
