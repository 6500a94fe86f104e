package sweep

import (
	"encoding/json"
	"fmt"
	"math"
	"path/filepath"

	"pare/run"
)

// Files in a sweep's folder.
const (
	ResultsFile = "results.jsonl" // an Outcome a line, as they come; the last of an ID counts
	ReportFile  = "report.html"
	TableFile   = "table.md"
	CopyFile    = "sweep.yaml" // the file as it was read last
	RunsFolder  = "runs"       // a store of runs
	WorkFolder  = "work"       // the networks, in a folder for each run
)

// Status is how a run of a sweep stands.
type Status string

const (
	Missing Status = "missing" // it has not begun, or was interrupted: it is made next time
	Paused  Status = "paused"  // it has come to a rung of successive halving
	Dropped Status = "dropped" // others were promoted there
	Stopped Status = "stopped" // by the median rule
	Failed  Status = "failed"
	Done    Status = "done"
)

// Outcome is what a run has come to.
type Outcome struct {
	ID     string            `json:"id"` // of its job
	Label  string            `json:"label"`
	Config                   //
	Values map[string]string `json:"values"` // of what is varied, by name
	Cell   string            `json:"cell"`   // it is ranked among the runs of the same
	Seed   uint64            `json:"seed"`

	Status Status `json:"status"`
	Why    string `json:"why,omitempty"` // it failed, was stopped or dropped
	Epochs int    `json:"epochs"`        // that it has trained
	Curve  Curve  `json:"curve,omitempty"`

	Metric     string             `json:"metric,omitempty"`
	Validation Number             `json:"validation"` // of the network that came out, or else of the last epoch
	Test       Number             `json:"test"`       // of a run that is done, where there is a test set
	Numbers    map[string]float64 `json:"numbers,omitempty"`

	Run     string  `json:"run,omitempty"`  // in the store of runs
	File    string  `json:"file,omitempty"` // the network, in the sweep's folder
	Seconds float64 `json:"seconds"`
	Tries   int     `json:"tries,omitempty"`
	Worker  string  `json:"worker,omitempty"`

	Elapsed float64 `json:"elapsed"` // seconds that the sweep had been at work, all sittings together
}

// Number is one that may be NaN: null in JSON.
type Number float64

// None is no number.
var None = Number(math.NaN())

// MarshalJSON writes null for what is no finite number.
func (n Number) MarshalJSON() ([]byte, error) {
	if x := float64(n); !math.IsNaN(x) && !math.IsInf(x, 0) {
		return json.Marshal(x)
	}
	return []byte("null"), nil
}

// UnmarshalJSON reads null as NaN.
func (n *Number) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*n = None
		return nil
	}
	return json.Unmarshal(b, (*float64)(n))
}

// Curve is the metric on the validation set after each epoch.
type Curve []float64

// MarshalJSON writes null for epochs without a number.
func (c Curve) MarshalJSON() ([]byte, error) {
	out := make([]Number, len(c))
	for i, x := range c {
		out[i] = Number(x)
	}
	return json.Marshal(out)
}

// UnmarshalJSON reads null as NaN.
func (c *Curve) UnmarshalJSON(b []byte) error {
	var ns []Number
	if err := json.Unmarshal(b, &ns); err != nil {
		return err
	}
	*c = make(Curve, len(ns))
	for i, n := range ns {
		(*c)[i] = float64(n)
	}
	return nil
}

// at is what a run had come to after so many epochs, or at its end before.
func (o *Outcome) at(epochs int) float64 {
	switch n := min(epochs, len(o.Curve)); {
	case o.Status == Failed:
		return math.NaN()
	case n == 0 || o.Status == Done && epochs > len(o.Curve):
		return float64(o.Validation)
	default:
		return o.Curve[n-1]
	}
}

// reaches says whether a run has come as far as it would in so many epochs; 0: to its end.
func (o *Outcome) reaches(until int) bool {
	switch {
	case o == nil:
		return false
	case o.Status == Done || o.Status == Failed:
		return true
	}
	return until > 0 && len(o.Curve) >= until
}

// openLedger reads what has come out.
func openLedger(dir string) (*run.Ledger[Outcome], error) {
	return run.OpenLedger(filepath.Join(dir, ResultsFile), func(o *Outcome) string { return o.ID })
}

// epochs keeps the values at the ends of epochs of a run, which may be told of again.
type epochs struct {
	metric string
	at     map[[2]int]int
	curve  Curve
}

// note takes a point, and says whether an epoch has ended that was not known.
func (e *epochs) note(p *run.Point) bool {
	if _, ends := p.Get(run.EpochLoss); !ends {
		return false
	}
	k := [2]int{p.Training, p.Epoch}
	name := e.metric
	if name == run.Loss {
		name = run.HeldLoss
	}
	x, ok := p.Get(name)
	if !ok {
		x = math.NaN()
	}
	if i, known := e.at[k]; known { // it was made again
		e.curve[i] = x
		return false
	}
	if e.at == nil {
		e.at = map[[2]int]int{}
	}
	e.at[k] = len(e.curve)
	e.curve = append(e.curve, x)
	return true
}

// curveOf reads the curve of a run from its metrics.
func curveOf(dir, metric string) (*epochs, error) {
	ps, err := run.ReadMetrics(filepath.Join(dir, run.MetricsFile))
	if err != nil {
		return nil, fmt.Errorf("its metrics: %w", err)
	}
	e := &epochs{metric: metric}
	for _, p := range ps {
		e.note(p)
	}
	return e, nil
}
