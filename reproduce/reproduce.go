package reproduce

import (
	"fmt"
	"strings"

	"pare/evidence"
)

// List gives every experiment in the order of the papers' numbers.
func List() []*evidence.Experiment {
	return []*evidence.Experiment{share, sap, globalMP, lottery, bip, scratch, granet, rewind, jackpot, rd, regimes, random, gmp,
		magnitude, lamp, wanda, sparseGPT, snip, grasp, synflow, hydra, movement, rigl, set, channels}
}

// Find gives the experiment of a paper's number or method's name; nil: there is
// none.
func Find(name string) *evidence.Experiment {
	for _, e := range List() {
		if e.ID == name || e.Name == name {
			return e
		}
	}
	return nil
}

// Names are the numbers and names of all experiments, for an error.
func Names() string {
	var out []string
	for _, e := range List() {
		out = append(out, fmt.Sprintf("%s (%s)", e.Name, e.ID))
	}
	return strings.Join(out, ", ")
}
