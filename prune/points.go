package prune

import (
	"encoding/binary"
	"errors"

	"pare/train"
)

// Points keeps the weights of several steps of one training; they go into
// checkpoints together.
type Points []*Point

// Start takes what the first step has.
func (ps Points) Start(r *train.Run) error { return ps.AfterStep(r) }

// BeforeStep does nothing.
func (ps Points) BeforeStep(*train.Run) error { return nil }

// AfterGrad does nothing.
func (ps Points) AfterGrad(*train.Run) error { return nil }

// AfterStep takes the weights where a step is reached.
func (ps Points) AfterStep(r *train.Run) error {
	for _, p := range ps {
		if err := p.AfterStep(r); err != nil {
			return err
		}
	}
	return nil
}

// AfterEpoch does nothing.
func (ps Points) AfterEpoch(*train.Run, train.Epoch) error { return nil }

// Name identifies the points among the states of a checkpoint.
func (ps Points) Name() string { return "points" }

// MarshalBinary writes each point behind its length.
func (ps Points) MarshalBinary() ([]byte, error) {
	var out []byte
	for _, p := range ps {
		b, err := p.MarshalBinary()
		if err != nil {
			return nil, err
		}
		out = append(binary.LittleEndian.AppendUint64(out, uint64(len(b))), b...)
	}
	return out, nil
}

// UnmarshalBinary restores them.
func (ps Points) UnmarshalBinary(b []byte) error {
	for _, p := range ps {
		if len(b) < 8 || binary.LittleEndian.Uint64(b) > uint64(len(b)-8) {
			return errors.New("the saved weights of several steps are cut short")
		}
		n := 8 + int(binary.LittleEndian.Uint64(b))
		if err := p.UnmarshalBinary(b[8:n]); err != nil {
			return err
		}
		b = b[n:]
	}
	if len(b) != 0 {
		return errors.New("the saved weights are of more steps than this run keeps")
	}
	return nil
}
