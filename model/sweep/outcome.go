package sweep

import (
	"pare/measure"
	"pare/model"
	"pare/run"
	"pare/train"
)

// Facts are what decides an outcome: of two runs with the same facts only one
// is made. They are those of a checkpoint, and what accuracy is measured on.
type Facts struct {
	model.Facts
	Measured string `json:"measured_on"` // digest of the samples
}

// key identifies facts.
func (f *Facts) key() string { return run.Short(f) }

// Outcome is what one run came to: a line of the file.
type Outcome struct {
	Key string `json:"key"`
	Cell
	Facts Facts `json:"facts"`

	Error    string          `json:"error,omitempty"` // why it failed; nothing below is known then
	Score    train.Score     `json:"score"`           // by the metric that decides
	Loss     float64         `json:"loss"`
	Size     measure.Size    `json:"size"`
	Epochs   int             `json:"epochs"`  // passes over the training set
	Seconds  float64         `json:"seconds"` // that it took, with others running at the same time
	Notes    []string        `json:"notes,omitempty"`
	Course   *measure.Course `json:"training,omitempty"` // what it decided by itself
	Warnings []string        `json:"warnings,omitempty"`
	File     string          `json:"file,omitempty"` // the network, in the sweep's folder
	Time     *measure.Spread `json:"time,omitempty"` // of one inference, to that of the network before

	ByCommand *model.CommandTime `json:"time_by_command,omitempty"` // the same as Sweep.LatencyCmd says
}

// Runs are what a comparison of any kind tells of outcomes.
func Runs(outs []*Outcome) (runs []*measure.SeedRun) {
	for _, o := range outs {
		runs = append(runs, &measure.SeedRun{Label: o.Label, At: o.Target, Seed: o.Seed, Error: o.Error, Notes: o.Notes, Warnings: o.Warnings})
	}
	return runs
}
