package prune

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"pare/graph"
	"pare/tensor"
	"pare/train"
)

// Point keeps the weights and running statistics that a network has after a
// number of steps of its training, to go back to (Frankle, Dziugaite, Roy, Carbin
// 2019: W_k). It is part of checkpoints: a run that is killed after that step
// still has them when it resumes.
type Point struct {
	train.Base
	At int // optimiser steps done; 0 keeps the weights that training begins with

	values []*graph.Value
	kept   [][]float32 // parallel to values; nil before the step
}

// NewPoint keeps the weights of a network that is about to be trained.
func NewPoint(g *graph.Graph, at int) *Point {
	p := &Point{At: at}
	for _, v := range g.Consts() {
		if (v.Role == graph.Param || v.Role == graph.Stat) && v.DType == tensor.Float32 {
			p.values = append(p.values, v)
		}
	}
	return p
}

// Start takes the weights where the step is the first.
func (p *Point) Start(r *train.Run) error { return p.AfterStep(r) }

// AfterStep takes the weights where the step is reached.
func (p *Point) AfterStep(r *train.Run) error {
	if r.Step != p.At || p.kept != nil {
		return nil
	}
	p.kept = make([][]float32, len(p.values))
	for i, v := range p.values {
		p.kept[i] = append([]float32{}, v.Const.F32()...)
	}
	return nil
}

// Restore writes what was kept into a network of the same names. It returns an
// error where training has not reached the step.
func (p *Point) Restore(g *graph.Graph) error {
	if p.kept == nil {
		return fmt.Errorf("the weights of step %d are not kept: training did not reach it", p.At)
	}
	for i, v := range p.values {
		w := g.Value(v.Name)
		if w == nil || !w.IsConst() || len(w.Const.F32()) != len(p.kept[i]) {
			return fmt.Errorf("weight %q of step %d has no counterpart in the network", v.Name, p.At)
		}
		copy(w.Const.F32(), p.kept[i])
	}
	return nil
}

// Of gives what was kept of the masked weights, entries cut or not.
func (p *Point) Of(w *Weight) []float32 {
	for i, v := range p.values {
		if v.Name == w.Name && p.kept != nil {
			return p.kept[i]
		}
	}
	return nil
}

// Name identifies the point among the states of a checkpoint.
func (p *Point) Name() string { return "point" }

// MarshalBinary writes the kept numbers, nothing before the step.
func (p *Point) MarshalBinary() ([]byte, error) {
	var out []byte
	for _, k := range p.kept {
		for _, x := range k {
			out = binary.LittleEndian.AppendUint32(out, math.Float32bits(x))
		}
	}
	return out, nil
}

// UnmarshalBinary restores them.
func (p *Point) UnmarshalBinary(b []byte) error {
	p.kept = nil
	if len(b) == 0 {
		return nil
	}
	n := 0
	for _, v := range p.values {
		n += v.Const.Len()
	}
	if len(b) != 4*n {
		return errors.New("the saved weights to rewind to are of another network")
	}
	for _, v := range p.values {
		x := make([]float32, v.Const.Len())
		for i := range x {
			x[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
		}
		p.kept, b = append(p.kept, x), b[4*len(x):]
	}
	return nil
}
