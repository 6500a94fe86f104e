package train

import (
	"fmt"

	"pare/catalog"
	"pare/train/objective"
)

// Binding is how a network and samples go together.
type Binding struct {
	Inputs []Bound        `json:"inputs"`
	Terms  []Suggestion   `json:"loss"` // of the loss; none: there is nothing to learn from but a teacher
	Notes  []catalog.Text `json:"notes"`
}

// Bound is what an input is given.
type Bound struct {
	Input string   `json:"input"`
	Type  string   `json:"type"`
	Shape string   `json:"shape"`
	Field string   `json:"field,omitempty"`
	Value *float64 `json:"value,omitempty"` // that all its entries have
}

// Suggestion is a term of a loss.
type Suggestion struct {
	Loss    string   `json:"term"`
	Output  string   `json:"output"`
	Targets []string `json:"targets"`
}

// Describe says how the network takes the samples, and what it is compared by.
func (v *View) Describe() Binding {
	b := Binding{Inputs: []Bound{}, Terms: []Suggestion{}, Notes: append([]catalog.Text{}, v.Notes...)}
	for _, f := range v.Feeds {
		x := Bound{Input: f.Input.Name, Type: fmt.Sprint(f.Input.DType), Shape: fmt.Sprint(f.Input.Shape)}
		if f.Field >= 0 {
			x.Field = v.samples.Fields[f.Field].Name
		} else {
			x.Value = &f.Value
		}
		b.Inputs = append(b.Inputs, x)
	}
	for _, t := range v.Terms {
		s := Suggestion{Loss: objective.Objective{t.Term}.String(), Output: t.Output, Targets: []string{}}
		for _, k := range t.Target {
			s.Targets = append(s.Targets, v.samples.Fields[k].Name)
		}
		b.Terms = append(b.Terms, s)
	}
	return b
}
