package dynamics

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"

	"pare/dataset"
	"pare/train"
)

// Recorder is a hook that writes a log while a network is trained. It goes on with a
// checkpoint, and back where the training does.
type Recorder struct {
	train.Observer
	Path  string
	About About

	numbers []int32
	at      []int32 // place of each stored number; -1: it is not trained on
	head    []byte
	epoch   int // epochs in the file
	now     Epoch
	f       *os.File
	saved   []byte // the state to begin with
}

// NewRecorder writes the log of a training. What of About the samples say is filled in.
func NewRecorder(path string, about About) *Recorder { return &Recorder{Path: path, About: about} }

// begin looks at the samples. It returns an error where they have not one class each.
func (r *Recorder) begin(set *dataset.Set, epochs int) error {
	y := set.Class()
	if y == nil || y.Size() != 1 || y.Classes < 2 {
		return errors.New("the log of a training tells how it went with the class of each sample: these samples have not one class each")
	}
	stored := set.Stored()
	r.About.Data, r.About.Samples, r.About.Stored, r.About.Classes, r.About.Epochs = stored.Digest(), set.Len(), stored.Len(), y.Classes, epochs
	r.at, r.now = make([]int32, stored.Len()), newEpoch(set.Len())
	for i := range r.at {
		r.at[i] = -1
	}
	for i := range set.Len() {
		r.at[set.Number(i)] = 0
	}
	for k := range r.at {
		if r.at[k] == 0 {
			r.at[k] = int32(len(r.numbers))
			r.numbers = append(r.numbers, int32(k))
		}
	}
	var err error
	r.head, err = head(&r.About, r.numbers)
	return err
}

// ReadsScores asks for the scores of each batch.
func (r *Recorder) ReadsScores() {}

// Name is that of the state in a checkpoint.
func (r *Recorder) Name() string { return "dynamics" }

// Start opens the file where the training begins, or goes on.
func (r *Recorder) Start(run *train.Run) error {
	if r.f == nil {
		d, ok := run.Train.(*train.Data)
		if !ok {
			return errors.New("the log of a training is of samples of a set")
		}
		if err := r.begin(d.Set, run.Epochs); err != nil {
			return err
		}
		if r.saved != nil {
			if err := r.UnmarshalBinary(r.saved); err != nil {
				return err
			}
		}
		flags := os.O_RDWR
		if run.Step == run.From {
			flags |= os.O_CREATE | os.O_TRUNC
		}
		f, err := os.OpenFile(r.Path, flags, 0o644)
		if err != nil {
			return fmt.Errorf("log of training: %w", err)
		}
		r.f = f
	}
	if run.Step == run.From {
		r.epoch = 0
		clear(r.now.Seen)
		_, err := r.f.WriteAt(r.head, 0)
		return err
	}
	had := make([]byte, len(r.head))
	if _, err := io.ReadFull(io.NewSectionReader(r.f, 0, int64(len(had))), had); err != nil || string(had) != string(r.head) {
		return fmt.Errorf("%s is not the log of the training that goes on: begin anew", r.Path)
	}
	st, err := r.f.Stat()
	if err == nil && st.Size() < r.offset(r.epoch) {
		err = fmt.Errorf("%s lacks epochs of the training that goes on: begin anew", r.Path)
	}
	return err
}

func (r *Recorder) offset(epoch int) int64 {
	return int64(len(r.head)) + int64(epoch)*int64(bytesOf(len(r.numbers)))
}

// AfterGrad notes a batch, before the weights are moved by it.
func (r *Recorder) AfterGrad(run *train.Run) error {
	b, err := run.Scores()
	if err != nil {
		return err
	}
	for i, k := range b.Samples {
		if at := int(r.at[k]); at >= 0 {
			if y := b.Labels[i]; y >= 0 && int(y) < b.Width {
				r.now.note(at, b.Scores[i*b.Width:(i+1)*b.Width], int(y))
			}
		}
	}
	return nil
}

// note notes what a network gave for a sample: scores before a softmax.
func (e *Epoch) note(i int, scores []float32, label int) {
	best, other := 0, -1
	for c, v := range scores {
		if v > scores[best] {
			best = c
		}
		if c != label && (other < 0 || v > scores[other]) {
			other = c
		}
	}
	sum := 0.0
	for _, v := range scores {
		sum += math.Exp(float64(v - scores[best]))
	}
	square := 0.0
	for c, v := range scores {
		p := math.Exp(float64(v-scores[best])) / sum
		if c == label {
			e.Label[i] = uint16(math.Round(p * share))
			p--
		} else if c == other {
			e.Other[i] = uint16(math.Round(p * share))
		}
		square += p * p
	}
	e.Error[i] = uint16(math.Round(math.Sqrt(square) * distance))
	set(e.Seen, i, true)
	set(e.Right, i, best == label)
}

// AfterEpoch writes the epoch.
func (r *Recorder) AfterEpoch(*train.Run, train.Epoch) error {
	_, err := r.f.WriteAt(r.now.encode(), r.offset(r.epoch))
	if err == nil {
		r.epoch++
		err = r.f.Truncate(r.offset(r.epoch))
	}
	if err == nil {
		err = r.f.Sync()
	}
	r.now = newEpoch(len(r.numbers))
	if err != nil {
		return fmt.Errorf("log of training: %w", err)
	}
	return nil
}

// Close closes the file.
func (r *Recorder) Close() error {
	if r.f == nil {
		return nil
	}
	return r.f.Close()
}

// MarshalBinary is the number of epochs written, and the one under way.
func (r *Recorder) MarshalBinary() ([]byte, error) {
	return append(binary.LittleEndian.AppendUint32(nil, uint32(r.epoch)), r.now.encode()...), nil
}

// UnmarshalBinary goes back to a state.
func (r *Recorder) UnmarshalBinary(b []byte) error {
	if r.f == nil && r.head == nil { // Start will know how many samples there are
		r.saved = slices.Clone(b)
		return nil
	}
	if len(b) < 4 {
		return fmt.Errorf("the checkpoint has %d bytes of the log of training", len(b))
	}
	e, err := decode(b[4:], len(r.numbers))
	if err != nil {
		return fmt.Errorf("the log of training in the checkpoint: %w", err)
	}
	r.epoch, r.now = int(binary.LittleEndian.Uint32(b)), e
	return nil
}
