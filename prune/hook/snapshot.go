package hook

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"pare/graph"
	"pare/prune"
	"pare/tensor"
	"pare/train"
)

// Snapshot keeps the weights and running statistics that a network has after a
// number of steps of its training, to go back to (Frankle, Dziugaite, Roy, Carbin
// 2019: W_k). It is part of checkpoints: a run that is killed after that step
// still has them when it resumes.
type Snapshot struct {
	train.Observer
	At int // optimiser steps done; 0 keeps the weights that training begins with

	values []*graph.Value
	kept   [][]float32 // parallel to values; nil before the step
}

// NewSnapshot keeps the weights of a network that is about to be trained.
func NewSnapshot(g *graph.Graph, at int) *Snapshot {
	s := &Snapshot{At: at}
	for _, v := range g.Consts() {
		if (v.Role == graph.Param || v.Role == graph.Stat) && v.DType == tensor.Float32 {
			s.values = append(s.values, v)
		}
	}
	return s
}

// Start takes the weights where the step is the first.
func (s *Snapshot) Start(r *train.Run) error { return s.AfterStep(r) }

// AfterStep takes the weights where the step is reached.
func (s *Snapshot) AfterStep(r *train.Run) error {
	if r.Step != s.At || s.kept != nil {
		return nil
	}
	s.kept = make([][]float32, len(s.values))
	for i, v := range s.values {
		s.kept[i] = append([]float32{}, v.Const.F32()...)
	}
	return nil
}

// Restore writes what was kept into a network of the same names. It returns an
// error where training has not reached the step.
func (s *Snapshot) Restore(g *graph.Graph) error {
	if s.kept == nil {
		return fmt.Errorf("the weights of step %d are not kept: training did not reach it", s.At)
	}
	for i, v := range s.values {
		w := g.Value(v.Name)
		if w == nil || !w.IsConst() || len(w.Const.F32()) != len(s.kept[i]) {
			return fmt.Errorf("weight %q of step %d has no counterpart in the network", v.Name, s.At)
		}
		copy(w.Const.F32(), s.kept[i])
	}
	return nil
}

// Of gives what was kept of the masked weights, entries cut or not.
func (s *Snapshot) Of(w *prune.Weight) []float32 {
	for i, v := range s.values {
		if v.Name == w.Name && s.kept != nil {
			return s.kept[i]
		}
	}
	return nil
}

// Name identifies it among the states of a checkpoint.
func (s *Snapshot) Name() string { return "snapshot" }

// MarshalBinary writes the kept numbers, nothing before the step.
func (s *Snapshot) MarshalBinary() ([]byte, error) {
	var out []byte
	for _, k := range s.kept {
		for _, x := range k {
			out = binary.LittleEndian.AppendUint32(out, math.Float32bits(x))
		}
	}
	return out, nil
}

// UnmarshalBinary restores them.
func (s *Snapshot) UnmarshalBinary(b []byte) error {
	s.kept = nil
	if len(b) == 0 {
		return nil
	}
	n := 0
	for _, v := range s.values {
		n += v.Const.Len()
	}
	if len(b) != 4*n {
		return errors.New("the saved weights to rewind to are of another network")
	}
	for _, v := range s.values {
		x := make([]float32, v.Const.Len())
		for i := range x {
			x[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
		}
		s.kept, b = append(s.kept, x), b[4*len(x):]
	}
	return nil
}
