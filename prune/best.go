package prune

import (
	"encoding/binary"
	"fmt"
	"math"

	"pare/train"
)

// Best remembers the masks with which the held-out accuracy was best after an
// epoch; of equals the first.
type Best struct {
	train.Base
	Of *Masks // the masks that change

	masks    *Masks
	accuracy float64
}

// AfterEpoch looks whether the epoch was the best so far.
func (b *Best) AfterEpoch(_ *train.Run, e train.Epoch) error {
	if b.masks == nil || e.Accuracy > b.accuracy {
		b.masks, b.accuracy = b.Of.Clone(), e.Accuracy
	}
	return nil
}

// Take gives the best masks, or the present ones where no epoch has ended.
func (b *Best) Take() *Masks {
	if b.masks == nil {
		return b.Of
	}
	return b.masks
}

// Name identifies the state in a checkpoint.
func (b *Best) Name() string { return "best masks" }

// MarshalBinary writes the accuracy and the masks, nothing where there are none.
func (b *Best) MarshalBinary() ([]byte, error) {
	if b.masks == nil {
		return nil, nil
	}
	m, err := b.masks.MarshalBinary()
	return append(binary.LittleEndian.AppendUint64(nil, math.Float64bits(b.accuracy)), m...), err
}

// UnmarshalBinary restores them.
func (b *Best) UnmarshalBinary(x []byte) error {
	if b.masks = nil; len(x) == 0 {
		return nil
	}
	if len(x) < 8 {
		return fmt.Errorf("the saved best masks are cut short")
	}
	b.accuracy = math.Float64frombits(binary.LittleEndian.Uint64(x))
	b.masks = b.Of.Clone()
	return b.masks.UnmarshalBinary(x[8:])
}
