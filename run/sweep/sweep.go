// Package sweep searches over many runs: a file says which methods, budgets, settings and
// recipes there are, a search (every combination, some drawn at random, successive halving)
// says which of them are made and how far, and what comes out is kept as it comes, so that
// a sweep that was stopped or killed goes on with what is missing.
//
// It makes jobs through a job.Maker and knows no method: what words mean it is told by a
// Vocabulary.
package sweep

import (
	"pare/catalog"
)

// Sweep is what a file asks for.
type Sweep struct {
	Models  []string  // files, or architectures that are built anew for each seed
	Data    string    // as commands name it
	Methods []*Method // one or more
	Recipe  []*Factor // how networks are trained
	Seeds   []uint64
	Search  Search
	Apart   bool    // methods are ranked apart, too: each among its own
	Stop    *Median // nil: no run is stopped before its end
	Hours   float64 // of all its sittings together, after which no run begins; 0: any time
	Metric  string  // which decides; "": what suits the data
	Epochs  int     // the longest training of the recipe
}

// Method is a method with values for its settings.
type Method struct {
	Text     string               // as the file names it
	Name     string               // in the catalogue, or Dense
	Fixed    []catalog.Assignment // what its text sets, and settings with one value
	Settings []*Factor            // settings with several values
	Budgets  []*Factor            // one after the other, not combined: how strongly it cuts
	Target   string               // what its fixed settings say about that, such as "macs=0.5"; "": nothing

	each []catalog.Assignment // see budgets
}

// Dense is the method of the control: the network trained by the recipe and not cut.
const Dense = "dense"

// Kinds of searches.
const (
	Grid    = "grid"    // every combination
	Random  = "random"  // some, drawn at random
	Halving = "halving" // successive halving of some that are drawn, or of all
)

// Search says which combinations are made, and how far.
type Search struct {
	Kind      string
	Draws     int    // combinations that are drawn; 0, of halving: all
	Seed      uint64 // of the draws
	Eta       int    // of halving: one of so many is promoted, to so many times the epochs
	MinEpochs int    // of halving: after which the first are chosen
}

// Vocabulary is what the words of a file mean.
type Vocabulary struct {
	// Method gives the name of a method in the catalogue, and a new pointer to the struct of
	// its settings with their defaults.
	Method func(name string) (canonical string, settings any, err error)
	// Recipe gives a pointer to the struct of a recipe with its defaults.
	Recipe func() any
	// Metric gives a metric by its name.
	Metric func(name string) (Metric, error)
}

// Metric is what decides.
type Metric struct {
	Name    string `json:"name"`
	Higher  bool   `json:"higher"` // is better
	Percent bool   `json:"percent,omitempty"`
}

// bounds of what a file may ask for.
const (
	mostRuns   = 20000 // of a sweep
	mostValues = 1000  // of a setting
	mostEpochs = 1 << 20
)
