package model

import (
	"fmt"

	"pare/catalog"
	"pare/dataset"
	"pare/graph"
	"pare/run"
	"pare/train"
)

// Facts are all that decides the bytes of a run: of two runs with the same facts one
// goes on from the checkpoint of the other, and of a sweep only one is made. How many
// threads there are, where files are, and what data is measured on that decides
// nothing, is none of them.
type Facts struct {
	Format   int               `json:"format"`          // of checkpoints and of what they depend on
	Method   string            `json:"method"`          // its name; "none" for training alone
	Settings map[string]string `json:"settings"`        // all of the method's
	Recipe   map[string]string `json:"recipe"`          // all of it
	Seed     uint64            `json:"seed"`            // of all that is random
	Order    uint64            `json:"order"`           // of samples and augmentation
	From     int               `json:"from"`            // the step at which training begins
	Until    int               `json:"until,omitempty"` // the step at which it ends, where that is not the last
	Data     string            `json:"data"`            // digest of the training samples, and how they are shuffled where that is not as a whole
	Held     string            `json:"held_out"`        // digest of the samples that epochs, and methods that choose, are judged by
	Norm     string            `json:"norm"`            // how samples become the network's input
	Teacher  string            `json:"teacher"`         // digest of the network that is distilled from, and how
	Network  string            `json:"network"`         // digest of the network before
	Output   string            `json:"output"`          // the output that answers, where one is asked for
}

// none stands where a run has no such thing.
const none = "none"

// Facts are those of training a network by the job for a method, which may be nil.
func (j *Job) Facts(m Method, g *graph.Graph) *Facts {
	f := &Facts{Format: train.CheckpointFormat, Recipe: catalog.Values(&j.Recipe), Seed: j.Seed, Order: j.order(), From: j.From, Until: j.Until,
		Data: none, Held: none, Norm: none, Teacher: none, Network: run.Digest(g), Output: none}
	if o := g.Usage.OutputOf; o != "" {
		f.Output = o
	}
	f.of(m)
	if j.Data != nil {
		f.Data, f.Held = digest(j.Data.Train), digest(j.held())
		if s := j.Data.Train; s != nil && s.Shuffling() != "" {
			f.Data += ", shuffled by " + s.Shuffling()
		}
		f.Norm = fmt.Sprintf("%+v", j.Data.Norm)
	}
	if s, err := dataset.ParseSampler(j.Recipe.Sampler); err == nil {
		f.Recipe["sampler"] = s.String()
	}
	if o, err := j.Recipe.objective(); err == nil {
		for _, t := range o {
			if t.Graph != nil {
				f.Recipe["loss"] += " " + run.Digest(t.Graph) // a file is what it holds
			}
		}
	}
	if t := j.Loss.Teacher; t != nil {
		f.Teacher = fmt.Sprintf("%s alpha=%v temperature=%v match=%v", run.Digest(t), j.Loss.Alpha, j.Loss.T, j.Loss.Match)
	}
	return f
}

func (f *Facts) of(m Method) {
	if f.Method, f.Settings = none, map[string]string{}; m != nil {
		f.Method, f.Settings = m.Card().Name, catalog.Values(m)
	}
}

// For are the facts of a run alike, by another method, seed and network, whose digest
// is given.
func (f *Facts) For(m Method, seed uint64, network string) *Facts {
	k := *f
	k.of(m)
	k.Seed, k.Order, k.Network = seed, seed, network
	return &k
}

func digest(s *dataset.Set) string {
	if s == nil {
		return none
	}
	return s.Digest()[:16]
}

// Key is the facts as a checkpoint has them.
func (f *Facts) Key() run.Key {
	var k run.Key
	k.Add("format", f.Format)
	k.Add("method", f.Method)
	k.AddAll(f.Settings)
	k.AddAll(f.Recipe)
	k.Add("seed", f.Seed)
	k.Add("order", f.Order)
	k.Add("from step", f.From)
	if f.Until > 0 {
		k.Add("until step", f.Until)
	}
	k.Add("training data", f.Data)
	k.Add("held-out data", f.Held)
	k.Add("normalisation", f.Norm)
	k.Add("teacher", f.Teacher)
	k.Add("network", f.Network)
	k.Add("output", f.Output)
	return k
}
