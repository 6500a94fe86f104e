package hook

import (
	"encoding/binary"
	"fmt"
	"math"

	"pare/graph"
	"pare/prune"
	"pare/train"
)

// Best remembers the masks with which the score on what is held out was best after an
// epoch, and with Whole the weights and running statistics too; of equals the
// first.
type Best struct {
	train.Observer
	Of    *prune.Masks // the masks that change
	Whole bool

	masks   *prune.Masks
	score   float64
	values  []*graph.Value // Whole: what is remembered
	numbers [][]float32
}

// Start lists what is remembered. It returns an error where a resumed state
// does not fit the network.
func (b *Best) Start(r *train.Run) error {
	b.values = nil
	if b.Whole {
		for _, p := range r.Params {
			b.values = append(b.values, p.Value)
		}
		b.values = append(b.values, r.Stats...)
	}
	if b.masks == nil {
		return nil
	}
	if len(b.numbers) != len(b.values) {
		return fmt.Errorf("the saved best weights are of %d tensors, the network has %d", len(b.numbers), len(b.values))
	}
	for i, v := range b.values {
		if len(b.numbers[i]) != v.Const.Len() {
			return fmt.Errorf("the saved best weights do not fit %q", v.Name)
		}
	}
	return nil
}

// AfterEpoch looks whether the epoch was the best so far.
func (b *Best) AfterEpoch(_ *train.Run, e train.Epoch) error {
	if b.masks != nil && !e.Score.Beats(b.score) {
		return nil
	}
	b.masks, b.score, b.numbers = b.Of.Clone(), e.Score.Value, nil
	for _, v := range b.values {
		b.numbers = append(b.numbers, append([]float32{}, v.Const.F32()...))
	}
	return nil
}

// Take gives the best masks, or the present ones where no epoch has ended. What
// else is remembered is written back into the network.
func (b *Best) Take() *prune.Masks {
	if b.masks == nil {
		return b.Of
	}
	for i, x := range b.numbers {
		copy(b.values[i].Const.F32(), x)
	}
	return b.masks
}

// Name identifies the state in a checkpoint.
func (b *Best) Name() string { return "best masks" }

// MarshalBinary writes the score, the masks and the numbers, nothing where
// there are none yet.
func (b *Best) MarshalBinary() ([]byte, error) {
	if b.masks == nil {
		return nil, nil
	}
	m, err := b.masks.MarshalBinary()
	out := binary.LittleEndian.AppendUint64(nil, math.Float64bits(b.score))
	out = append(binary.LittleEndian.AppendUint64(out, uint64(len(m))), m...)
	for _, x := range b.numbers {
		out = binary.LittleEndian.AppendUint32(out, uint32(len(x)))
		out = appendFloats(out, x)
	}
	return out, err
}

// UnmarshalBinary restores them.
func (b *Best) UnmarshalBinary(x []byte) error {
	b.masks, b.numbers = nil, nil
	if len(x) == 0 {
		return nil
	}
	short := fmt.Errorf("the saved best masks are cut short")
	if len(x) < 16 {
		return short
	}
	b.score = math.Float64frombits(binary.LittleEndian.Uint64(x))
	n := binary.LittleEndian.Uint64(x[8:])
	if x = x[16:]; n > uint64(len(x)) {
		return short
	}
	b.masks = b.Of.Clone()
	if err := b.masks.UnmarshalBinary(x[:n]); err != nil {
		return err
	}
	for x = x[n:]; len(x) > 0; {
		if len(x) < 4 || uint64(binary.LittleEndian.Uint32(x))*4 > uint64(len(x)-4) {
			return short
		}
		v := make([]float32, binary.LittleEndian.Uint32(x))
		x = takeFloats(v, x[4:])
		b.numbers = append(b.numbers, v)
	}
	return nil
}
