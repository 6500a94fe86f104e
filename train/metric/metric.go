// Package metric holds the ways to judge what a network gives: values that describe
// themselves, the language in which they are named, and accumulators that take batch
// after batch.
//
// [Metrics] lists them, [Parse] reads "top-k(logits,labels,k=5)+log-loss", and [Use.New]
// begins a measurement:
//
//	uses, err := metric.Parse("accuracy")
//	a, err := uses[0].New()
//	err = a.Add(n, []*tensor.Tensor{scores}, []*tensor.Tensor{labels}) // for each batch
//	v, err := a.Value()
//
// Metrics of fidelity need no labels: in the place of targets they take the outputs of
// another network, the one that was there before.
package metric

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"pare/catalog"
	"pare/tensor"
)

// Metric is a way to judge outputs.
type Metric struct {
	Name string `json:"name"`
	Doc  string `json:"doc"`            // one sentence, and the source of the formula
	Unit string `json:"unit,omitempty"` // "%": a share from 0 to 1 that is shown as per cent; "dB"; "": a number

	Higher bool `json:"higher"` // more is better

	// Outputs and Targets are the roles of the arguments, in order: first outputs of the
	// network, then targets. A role that ends in "?" may be left out.
	Outputs []string `json:"outputs"`
	Targets []string `json:"targets"`
	Target  Want     `json:"target"`

	// Inputs are, of an ONNX graph, its inputs, in the place of Outputs and Targets: each
	// has the name of an output of the network or of a target. Add takes them all in this
	// order, as outputs.
	Inputs []string `json:"inputs,omitempty"`

	Params []Param `json:"params,omitempty"`

	// New begins a measurement; p holds a value for every parameter (see Use.New).
	New func(p Params) Accumulator `json:"-"`
}

// Want is what a metric's targets are.
type Want int

// Targets.
const (
	None    Want = iota // the outputs of another network
	Classes             // whole numbers from 0; where the target has the shape of the output, 0 or 1 for each of its scores
	Numbers             // numbers, as many as the output has
	Boxes               // boxes [N M 4] and their classes [N M], -1 where there is no box, and what may be known of each
	Tokens              // sequences of whole numbers [N L], negative behind their ends
)

// String says what the targets are.
func (w Want) String() string {
	return [...]string{"another network's outputs", "classes", "numbers", "boxes and their classes", "sequences"}[w]
}

// MarshalText writes what the targets are.
func (w Want) MarshalText() ([]byte, error) { return []byte(w.String()), nil }

// Param is a parameter of a metric.
type Param struct {
	Name    string `json:"name"`
	Default string `json:"default"`
	Doc     string `json:"doc"`

	Range   string   `json:"range,omitempty"`   // of a number, as catalog.ParseInterval reads it; "": it is a word
	Whole   bool     `json:"whole,omitempty"`   // the number is whole
	Choices []string `json:"choices,omitempty"` // the words that it may be, beside numbers in Range

	// Bound says that whoever binds the metric to a network and its data knows the value
	// (which axis the classes lie on, whether scores are probabilities) and should set it
	// where the user has not.
	Bound bool `json:"-"`
}

// Check is an error where a value is not one that the parameter takes.
func (p *Param) Check(value string) error {
	if slices.Contains(p.Choices, value) {
		return nil
	}
	x, err := strconv.ParseFloat(value, 64)
	if p.Range != "" && err == nil {
		in, err := catalog.ParseInterval(p.Range)
		if err != nil {
			return err
		}
		if in.Has(x) && (!p.Whole || x == math.Trunc(x) && math.Abs(x) < 1<<53) {
			return nil
		}
	}
	near := ""
	if n := catalog.Nearest(value, p.Choices); n != "" {
		near = fmt.Sprintf("; did you mean %s?", n)
	}
	return fmt.Errorf("%s=%s: %s is needed%s", p.Name, value, p.allowed(), near)
}

// allowed says in words what the parameter takes.
func (p *Param) allowed() string {
	words := slices.Clone(p.Choices)
	if p.Range != "" {
		if in, err := catalog.ParseInterval(p.Range); err == nil {
			text := in.String()
			if p.Whole {
				text = strings.Replace(text, "a number", "a whole number", 1)
				text = strings.Replace(text, "a finite number", "a whole number", 1)
			}
			words = append(words, text)
		}
	}
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
}

// Params are values of parameters, as text.
type Params map[string]string

// Number is the value of a parameter that holds a number; NaN where it is a word.
func (p Params) Number(name string) float64 {
	x, err := strconv.ParseFloat(p[name], 64)
	if err != nil {
		return math.NaN()
	}
	return x
}

// Whole is the value of a parameter that holds a whole number; otherwise where it is a word.
func (p Params) Whole(name string, otherwise int) int {
	x := p.Number(name)
	if math.IsNaN(x) {
		return otherwise
	}
	return int(x)
}

// Accumulator takes batch after batch. It is not safe for concurrent use.
type Accumulator interface {
	// Add takes the first n samples of a batch. The first axis of every tensor is the
	// samples; it may be a multiple of theirs where an output has its rows on it ([N*T C]
	// with targets [N T]). Outputs stand in the order of Metric.Outputs, then targets in
	// that of Metric.Targets; a target that may be left out, and is, is nil. Nothing is kept of the tensors themselves. It is an error,
	// which names the output and the sample, where a number is NaN or infinite or a label
	// is outside its range.
	Add(n int, outputs, targets []*tensor.Tensor) error

	// Value is the metric over all that was added. It is an error where nothing was, or
	// where the metric is undefined for what was.
	Value() (float64, error)
}

// Metrics lists all that have a name, by kind of task.
func Metrics() []*Metric { return slices.Clone(all) }

// Find is the metric of a name, or nil.
func Find(name string) *Metric {
	if i := slices.IndexFunc(all, func(m *Metric) bool { return m.Name == name }); i >= 0 {
		return all[i]
	}
	return nil
}

// Param is a parameter by its name, or nil.
func (m *Metric) Param(name string) *Param {
	if i := slices.IndexFunc(m.Params, func(p Param) bool { return p.Name == name }); i >= 0 {
		return &m.Params[i]
	}
	return nil
}

// Units is a value in the metric's own units: points of per cent for a share.
func (m *Metric) Units(v float64) float64 {
	if m.Unit == "%" {
		return 100 * v
	}
	return v
}

// Worse is by how much after is worse than before, in the metric's own units; negative
// where it is better.
func (m *Metric) Worse(before, after float64) float64 {
	if m.Higher {
		return m.Units(before - after)
	}
	return m.Units(after - before)
}

// Show writes a value with its unit.
func (m *Metric) Show(v float64) string {
	switch m.Unit {
	case "%":
		return strconv.FormatFloat(100*v, 'f', 2, 64) + " %"
	case "":
		return strconv.FormatFloat(v, 'g', 5, 64)
	}
	return strconv.FormatFloat(v, 'f', 2, 64) + " " + m.Unit
}
