package lowbit

import (
	"slices"

	"pare/catalog"
	"pare/model"
	"pare/prune"
	"pare/prune/quantise"
)

// Settings say how integers are made.
type Settings struct {
	Mode        string `flag:"mode" choice:"static,dynamic,weights" doc:"static: activations are integers by ranges found on samples; dynamic: matrix products' inputs by their own range each time; weights: the weights alone are stored in few bits"`
	Ranges      string `flag:"ranges" doc:"how the range of an activation is chosen (static): min-max, percentile[:PERCENT], entropy, mse"`
	WeightRange string `flag:"weight-ranges" choice:"min-max,mse" doc:"how the range of each output channel of a weight is chosen"`
	Samples     int    `flag:"samples" range:"[16,)" doc:"samples of the training set that ranges are found on"`
	Activations string `flag:"activations" choice:"uint8,int8" doc:"integers of activations (static)"`
	Correct     bool   `flag:"correct-bias" doc:"move biases so that the mean of each channel is that of the float network on the samples (static)"`
	Equalise    bool   `flag:"equalise" doc:"make the ranges of weights of layers behind one another alike, channel by channel, before (static)"`
	Bits        int    `flag:"bits" choice:"4,8" doc:"bits of a weight, with mode weights"`
	Group       int    `flag:"group" range:"[16,)" doc:"inputs that share a step, a power of two, with mode weights"`
	Embeddings  bool   `flag:"embeddings" doc:"tables of embeddings become integers too, a step a column; rows are looked up as such"`
	QAT         bool   `flag:"qat" doc:"train on with rounding in the network, by the recipe (static); zeros of weights stay zero"`
	model.Layers
}

// Defaults are settings that suit most networks.
func Defaults() *Settings {
	return &Settings{Mode: "static", Ranges: "min-max", WeightRange: "min-max", Samples: 512, Activations: "uint8", Correct: true, Bits: 8, Group: 32}
}

// Check says what is wrong with settings, for a job.
func (s *Settings) Check(j *model.Job) error {
	if err := catalog.Validate(s); err != nil {
		return err
	}
	if _, err := quantise.ParseRule(s.Ranges); err != nil {
		return catalog.Errorf("{Ranges} %v", err)
	}
	if s.Bits != 4 && s.Bits != 8 {
		return catalog.Bad("Bits", s.Bits, "4 or 8")
	}
	if err := (quantise.Groups{Bits: s.Bits, Size: s.Group}).Check(); err != nil {
		return catalog.Errorf("{Group}: %v", err)
	}
	if err := s.belongs(); err != nil {
		return err
	}
	switch {
	case s.QAT && s.Mode != "static":
		return catalog.Errorf("{QAT} trains with the rounding of mode static, not of %s", s.Mode)
	case s.QAT && j.Recipe.Epochs == 0:
		return catalog.Errorf("{QAT} trains: give {Recipe.Epochs} above 0")
	case !s.static():
		return nil
	case j.Data == nil && j.Samples == nil:
		return catalog.Errorf("the ranges of activations are found on samples, which need no labels: give {Data}, or {Mode} dynamic or weights, which need none")
	case j.Samples == nil && j.Data.Train.Len() < leastSamples:
		return catalog.Errorf("the training set has %d samples: ranges of activations are found on at least %d; give more {Data}, or {Mode} dynamic", j.Data.Train.Len(), leastSamples)
	}
	return nil
}

// belongs returns an error where a setting of another mode is changed: it would be without
// effect.
func (s *Settings) belongs() error {
	d := Defaults()
	for _, x := range []struct {
		field   string
		changed bool
		mode    string
	}{
		{"Bits", s.Bits != d.Bits, "weights"}, {"Group", s.Group != d.Group, "weights"},
		{"Ranges", s.Ranges != d.Ranges, "static"}, {"Samples", s.Samples != d.Samples, "static"}, {"Activations", s.Activations != d.Activations, "static"},
		{"Correct", s.Correct != d.Correct, "static"}, {"Equalise", s.Equalise != d.Equalise, "static"},
	} {
		if x.changed && s.Mode != x.mode {
			return catalog.Errorf("{%s} is of {Mode} %s, and does nothing with %s", x.field, x.mode, s.Mode)
		}
	}
	return nil
}

// leastSamples are those that ranges are found on, at least.
const leastSamples = 16

func (s *Settings) static() bool { return s.Mode == "static" }

// options are the settings as package quantise has them.
func (s *Settings) options() quantise.Options {
	scope := prune.Scope{Include: s.Include, Exclude: slices.Clone(s.Exclude), Embeddings: s.Embeddings}
	o := quantise.Options{Scope: scope, Activations: quantise.Unsigned}
	if s.Activations == "int8" {
		o.Activations = quantise.Signed
	}
	return o
}

// weightRule is that of the ranges of weights.
func (s *Settings) weightRule() quantise.Rule {
	if s.WeightRange == "mse" {
		return quantise.MSE
	}
	return quantise.MinMax
}
