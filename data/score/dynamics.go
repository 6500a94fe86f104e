// Package score holds the methods that give each sample of a training set a number: how
// hard it is, by what a training made of it, by what a network gives, or by where it lies
// among the others.
package score

import (
	"context"
	_ "embed"
	"math"

	"pare/catalog"
	"pare/data"
	"pare/train/dynamics"
)

// AUM scores samples by the area under the margin.
type AUM struct{}

//go:embed aum.md
var aumDoc string

// NewAUM is the method; it has no settings.
func NewAUM() *AUM { return &AUM{} }

// Card describes the method.
func (*AUM) Card() *catalog.Card {
	return &catalog.Card{Name: "aum", Title: "Area under the margin of a sample's label, over a training", Noun: "data", Doc: aumDoc, Cuts: "nothing: it scores samples", Needs: catalog.Trains,
		Paper: "Pleiss, Zhang, Elenberg, Weinberger: Identifying Mislabeled Data using the Area Under the Margin Ranking (NeurIPS 2020), arXiv 2001.10528"}
}

// Run scores.
func (*AUM) Run(_ context.Context, j *data.Job) (*data.Result, error) {
	return overLogs(j, data.Low, (*dynamics.Log).AUM)
}

// overLogs is the mean of a score over the logs of a job.
func overLogs(j *data.Job, hard data.End, f func(l *dynamics.Log) ([]float64, error)) (*data.Result, error) {
	if err := j.NeedsDynamics(); err != nil {
		return nil, err
	}
	s := &data.Score{Hard: hard, Numbers: j.Dynamics[0].Numbers, Values: make([]float64, j.Dynamics[0].Samples)}
	for _, l := range j.Dynamics {
		for i, k := range l.Numbers {
			if s.Numbers[i] != k {
				return nil, catalog.Errorf("{Dynamics}: the logs are of different samples")
			}
		}
		x, err := f(l)
		if err != nil {
			return nil, err
		}
		for i, v := range x {
			s.Values[i] += v / float64(len(j.Dynamics))
		}
	}
	res := &data.Result{Score: s}
	if n := len(j.Dynamics[0].Epochs); n < j.Dynamics[0].About.Epochs {
		res.Note("the log of training has %d of %d epochs", n, j.Dynamics[0].About.Epochs)
	}
	return res, nil
}

// EL2N scores samples by the length of the error early in training.
type EL2N struct {
	Window int `flag:"window" range:"[1,)" doc:"first epochs, over which the mean is taken"`
}

//go:embed el2n.md
var el2nDoc string

// NewEL2N is the method over 10 epochs.
func NewEL2N() *EL2N { return &EL2N{Window: 10} }

// Card describes the method.
func (*EL2N) Card() *catalog.Card {
	return &catalog.Card{Name: "el2n", Title: "Length of the error vector early in training", Noun: "data", Doc: el2nDoc, Cuts: "nothing: it scores samples", Needs: catalog.Trains,
		Paper: "Paul, Ganguli, Dziugaite: Deep Learning on a Data Diet: Finding Important Examples Early in Training (NeurIPS 2021), arXiv 2107.07075"}
}

// Run scores.
func (s *EL2N) Run(_ context.Context, j *data.Job) (*data.Result, error) {
	for _, l := range j.Dynamics {
		if len(l.Epochs) < s.Window {
			return nil, catalog.Errorf("{Window} %d: the log of training has %d epochs", s.Window, len(l.Epochs))
		}
	}
	return overLogs(j, data.High, func(l *dynamics.Log) ([]float64, error) { return l.EL2N(s.Window) })
}

// Forgetting scores samples by how often they are forgotten.
type Forgetting struct{}

//go:embed forgetting.md
var forgettingDoc string

// NewForgetting is the method; it has no settings.
func NewForgetting() *Forgetting { return &Forgetting{} }

// Card describes the method.
func (*Forgetting) Card() *catalog.Card {
	return &catalog.Card{Name: "forgetting", Title: "Times that a sample was right and then wrong again", Noun: "data", Doc: forgettingDoc, Cuts: "nothing: it scores samples", Needs: catalog.Trains,
		Paper: "Toneva, Sordoni, Combes, Trischler, Bengio, Gordon: An Empirical Study of Example Forgetting during Deep Neural Network Learning (ICLR 2019), arXiv 1812.05159"}
}

// Run scores.
func (*Forgetting) Run(_ context.Context, j *data.Job) (*data.Result, error) {
	learnt := map[int]bool{} // in some training
	res, err := overLogs(j, data.High, func(l *dynamics.Log) ([]float64, error) {
		x, err := l.Forgetting()
		for i, v := range x {
			if math.IsInf(v, 1) {
				x[i] = float64(len(l.Epochs)) // more than any other can have
			} else {
				learnt[i] = true
			}
		}
		return x, err
	})
	if err != nil {
		return nil, err
	}
	s := res.Score
	if len(learnt) == len(s.Values) {
		return res, nil
	}
	s.Never = make([]bool, len(s.Values))
	for i := range s.Values {
		if !learnt[i] {
			s.Never[i], s.Values[i] = true, math.Inf(1)
		}
	}
	res.Note("%d samples were never learnt: they are the hardest, and flagged", len(s.Values)-len(learnt))
	return res, nil
}
