package sweep

import (
	"pare/catalog"
	"pare/data"
	"pare/measure"
	"pare/model"
	"pare/run"
	"pare/train"
)

// Facts are what decides an outcome: of two runs with the same facts only one is made.
// Those of the training are as if it were on all samples.
type Facts struct {
	model.Facts
	Choice string            `json:"choice"` // the method that chose; All: none did
	Chosen map[string]string `json:"choice_settings,omitempty"`
	Score  string            `json:"score,omitempty"` // that it chose by
	Scored map[string]string `json:"score_settings,omitempty"`
	Equal  Equal             `json:"equal"`
}

// of notes what a cell chooses by.
func (f *Facts) of(c *Cell) {
	f.Choice, f.Chosen = named(c.Method)
	f.Score, f.Scored = named(c.Scorer)
	if c.Method == nil {
		f.Choice = All
	}
}

func named(m data.Method) (string, map[string]string) {
	if m == nil {
		return "", nil
	}
	return m.Card().Name, catalog.Values(m)
}

// key identifies facts.
func (f *Facts) key() string { return run.Short(f) }

// Outcome is what one run came to: a line of the file.
type Outcome struct {
	Key string `json:"key"`
	Cell
	Facts Facts `json:"facts"`

	Error     string      `json:"error,omitempty"` // why it failed; nothing below is known then
	Samples   int         `json:"samples"`         // of an epoch
	Epochs    int         `json:"epochs"`
	Score     train.Score `json:"score"`     // after the last epoch
	Course    []Point     `json:"course"`    // by epoch
	Rate      float64     `json:"rate"`      // peak learning rate
	Selection float64     `json:"selection"` // seconds of scoring and choosing
	Before    float64     `json:"before"`    // seconds of a training on all samples that the choice takes
	Notes     []string    `json:"notes,omitempty"`
	Warnings  []string    `json:"warnings,omitempty"`
	Network   string      `json:"network,omitempty"`  // of all samples, in the sweep's folder
	Dynamics  string      `json:"dynamics,omitempty"` // the log of its training
}

// Runs are what a comparison of any kind tells of outcomes.
func Runs(outs []*Outcome) (runs []*measure.SeedRun) {
	for _, o := range outs {
		runs = append(runs, &measure.SeedRun{Label: o.Label, At: o.Keep, Seed: o.Seed, Error: o.Error, Notes: o.Notes, Warnings: o.Warnings})
	}
	return runs
}

// last is where the training has ended.
func (o *Outcome) last() Point {
	if len(o.Course) == 0 {
		return Point{}
	}
	return o.Course[len(o.Course)-1]
}

// clock is when the training was at a point: with what was spent before its first step.
func (o *Outcome) clock(p Point) float64 { return o.Before + o.Selection + p.Seconds }

// reach is the first point at which the score is at least a value; false: there is none.
func (o *Outcome) reach(value float64) (Point, bool) {
	for _, p := range o.Course {
		if p.Score >= value {
			return p, true
		}
	}
	return Point{}, false
}
