package advise

import (
	"fmt"
	"time"

	"pare/dataset"
	"pare/engine"
	"pare/graph"
	"pare/measure"
	"pare/train"
)

// Ask is what advice is asked on.
type Ask struct {
	File   string         // of the network, as commands are to name it
	Graph  *graph.Graph   // prepared and settled
	Data   *dataset.Data  // nil: none
	Judge  train.Judge    // of data
	Goal   Goal           // what is to be reached
	Budget time.Duration  // for training; 0: not said
	Most   int            // samples that networks are judged on
	Engine engine.Options // that time is measured on
	Told   func(what string, done, of int)
}

// Study is what was measured of a network.
type Study struct {
	File     string               `json:"file"`
	Data     string               `json:"data,omitempty"`
	Goal     Goal                 `json:"goal"`
	Kind     string               `json:"kind"`   // convolutions, transformer, recurrent or fully connected
	Judged   string               `json:"judged"` // how networks are judged, and on what
	Whole    train.Score          `json:"whole"`
	Layers   []Layer              `json:"layers"`
	Groups   *measure.Sensitivity `json:"groups"`
	Budgets  []Budget             `json:"budgets"`
	Facts    Facts                `json:"facts"`
	Sparsity float64              `json:"sparsity"`      // of single weights that commands ask for
	MACs     float64              `json:"macs"`          // share that channels are cut to for a goal of energy
	Epochs   int                  `json:"epochs"`        // that commands ask for
	Step     float64              `json:"step_seconds"`  // a step of training; 0: not measured
	Epoch    float64              `json:"epoch_seconds"` // an epoch
	Notes    []string             `json:"notes"`
}

// Layer is a layer with what it takes and what half of it costs.
type Layer struct {
	Name   string  `json:"name"`
	Op     string  `json:"op"`
	Params float64 `json:"params"` // share
	Time   float64 `json:"time"`   // share, of one sample
	PQ     float64 `json:"pq"`     // see measure.PQ, p 0.5 and q 1
	Worse  float64 `json:"worse"`  // the network without the smaller half of this layer's weights, in the metric's units
}

// Budget is what a cut comes to with nothing trained.
type Budget struct {
	Cut    string  `json:"cut"`   // channels or weights
	Asked  float64 `json:"asked"` // share of the multiply-accumulates that stays, or of the weights that goes
	MACs   float64 `json:"macs"`  // shares of the network's
	Params float64 `json:"params"`
	Bytes  float64 `json:"bytes"` // of the ONNX file, of single weights of the sparse form, to the ONNX file
	Energy float64 `json:"energy"`
	Time   float64 `json:"time"`
	Worse  float64 `json:"worse"` // in the metric's units
}

// Fact is a number of this network with its unit.
type Fact struct {
	Value float64 `json:"value"`
	Unit  string  `json:"unit,omitempty"` // %, bytes, ms, s, points
}

// Facts are the numbers that rules ask for, by name.
type Facts map[string]Fact

func (f Fact) String() string {
	switch f.Unit {
	case "%":
		return fmt.Sprintf("%.1f %%", 100*f.Value)
	case "bytes":
		return fmt.Sprintf("%.4g kB", f.Value/1000)
	case "":
		return fmt.Sprintf("%.4g", f.Value)
	}
	return fmt.Sprintf("%.3g %s", f.Value, f.Unit)
}
