// Package dynamics keeps what a training made of each of its samples, epoch by epoch:
// what scores of the difficulty of samples are computed from (AUM, forgetting, EL2N).
//
// A log is a file of
//
//	"PAREDYN1", the uint32 length of what follows, a JSON object (see About)
//	the samples' stored numbers, uint32
//	for each epoch, with n samples:
//	  the CRC-32 of what follows of the epoch, uint32
//	  n bits: the sample was seen (bit i%8 of byte i/8)
//	  n bits: its label had the highest probability
//	  n uint16: the probability of the label, in units of 1/65535
//	  n uint16: the highest probability of any other class, in the same units
//	  n uint16: the distance |p - onehot(label)|, in units of 2/65535
//
// all little-endian: six and a quarter bytes a sample and epoch. What is read back is
// within 8e-6 of a probability and 1.6e-5 of a distance of what it was.
package dynamics

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"slices"
)

const magic = "PAREDYN1"

// About says what was trained on what, and how.
type About struct {
	Data    string            `json:"data"`    // digest of all samples that are stored with those of the training set
	Network string            `json:"network"` // digest of the network before
	Recipe  map[string]string `json:"recipe"`
	Seed    uint64            `json:"seed"`
	Samples int               `json:"samples"` // of the training set
	Stored  int               `json:"stored"`  // all that are stored with them
	Classes int               `json:"classes"`
	Epochs  int               `json:"epochs"` // that the training was to have
}

// Log is a training, as its samples saw it.
type Log struct {
	About
	Numbers []int32 // of the samples, rising
	Epochs  []Epoch
}

// Epoch is what the network gave for each sample, in training mode, before the weights
// were moved by it.
type Epoch struct {
	Seen, Right []byte   // a bit each
	Label       []uint16 // probability of the label
	Other       []uint16 // highest of another class
	Error       []uint16 // |p - onehot|
}

const (
	share    = 65535      // units of a probability of 1
	distance = 65535. / 2 // units of a distance of 1, which is at most the square root of 2
)

func bit(b []byte, i int) bool { return b[i/8]>>(i%8)&1 > 0 }

func set(b []byte, i int, to bool) {
	b[i/8] &^= 1 << (i % 8)
	if to {
		b[i/8] |= 1 << (i % 8)
	}
}

// Was says whether sample i was seen in the epoch, and whether it was right.
func (e *Epoch) Was(i int) (seen, right bool) { return bit(e.Seen, i), bit(e.Right, i) }

// Margin is by how much the probability of the label of sample i was above the highest of
// the others.
func (e *Epoch) Margin(i int) float64 { return (float64(e.Label[i]) - float64(e.Other[i])) / share }

// Distance is that of the probabilities of sample i from those of who is sure of its label.
func (e *Epoch) Distance(i int) float64 { return float64(e.Error[i]) / distance }

func newEpoch(n int) Epoch {
	return Epoch{make([]byte, (n+7)/8), make([]byte, (n+7)/8), make([]uint16, n), make([]uint16, n), make([]uint16, n)}
}

// bytes is what an epoch of n samples takes in a file.
func bytesOf(n int) int { return 4 + 2*((n+7)/8) + 6*n }

func (e *Epoch) encode() []byte {
	n := len(e.Label)
	b := make([]byte, 4, bytesOf(n))
	b = append(append(b, e.Seen...), e.Right...)
	for _, x := range [][]uint16{e.Label, e.Other, e.Error} {
		for _, v := range x {
			b = binary.LittleEndian.AppendUint16(b, v)
		}
	}
	binary.LittleEndian.PutUint32(b, crc32.ChecksumIEEE(b[4:]))
	return b
}

func decode(b []byte, n int) (Epoch, error) {
	e := newEpoch(n)
	if len(b) != bytesOf(n) {
		return e, fmt.Errorf("%d bytes are no epoch of %d samples", len(b), n)
	}
	if binary.LittleEndian.Uint32(b) != crc32.ChecksumIEEE(b[4:]) {
		return e, errors.New("the checksum does not fit: the file is damaged")
	}
	b = b[4:]
	b = b[copy(e.Seen, b):]
	b = b[copy(e.Right, b):]
	for _, x := range [][]uint16{e.Label, e.Other, e.Error} {
		for i := range x {
			x[i] = binary.LittleEndian.Uint16(b[2*i:])
		}
		b = b[2*n:]
	}
	return e, nil
}

// head is the file before the epochs.
func head(a *About, numbers []int32) ([]byte, error) {
	text, err := json.Marshal(a)
	if err != nil {
		return nil, err
	}
	b := binary.LittleEndian.AppendUint32([]byte(magic), uint32(len(text)))
	b = append(b, text...)
	for _, k := range numbers {
		b = binary.LittleEndian.AppendUint32(b, uint32(k))
	}
	return b, nil
}

// mostText bounds the JSON object.
const mostText = 1 << 20

// Read reads a log. It refuses what is no whole number of epochs.
func Read(path string) (*Log, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a file", path)
	}
	l, err := read(bufio.NewReader(f), st.Size())
	if err != nil {
		return nil, fmt.Errorf("log of training %s: %w", path, err)
	}
	return l, nil
}

// read reads a log of size bytes.
func read(r io.Reader, size int64) (*Log, error) {
	start := make([]byte, len(magic)+4)
	if _, err := io.ReadFull(r, start); err != nil || string(start[:len(magic)]) != magic {
		return nil, errors.New("it is none: it does not begin as one")
	}
	n := int64(binary.LittleEndian.Uint32(start[len(magic):]))
	rest := size - int64(len(start)) - n
	if n > mostText || rest < 0 {
		return nil, errors.New("its description is longer than it may be")
	}
	text := make([]byte, n)
	if _, err := io.ReadFull(r, text); err != nil {
		return nil, err
	}
	l := &Log{}
	if err := json.NewDecoder(bytes.NewReader(text)).Decode(&l.About); err != nil {
		return nil, fmt.Errorf("its description: %w", err)
	}
	if l.Samples < 1 || l.Stored < l.Samples || int64(l.Samples) > rest/4 {
		return nil, fmt.Errorf("it is said to be of %d of %d samples, and has %d bytes", l.Samples, l.Stored, rest)
	}
	rest -= 4 * int64(l.Samples)
	each := int64(bytesOf(l.Samples))
	if rest%each != 0 || rest == 0 {
		return nil, fmt.Errorf("it ends in the middle of epoch %d: the training was stopped, go on with it", rest/each+1)
	}
	b := make([]byte, 4*l.Samples)
	if _, err := io.ReadFull(r, b); err != nil {
		return nil, err
	}
	l.Numbers = make([]int32, l.Samples)
	for i := range l.Numbers {
		l.Numbers[i] = int32(binary.LittleEndian.Uint32(b[4*i:]))
		if l.Numbers[i] < 0 || int(l.Numbers[i]) >= l.Stored || i > 0 && l.Numbers[i] <= l.Numbers[i-1] {
			return nil, fmt.Errorf("sample %d is numbered %d, of %d: numbers rise", i, l.Numbers[i], l.Stored)
		}
	}
	b = slices.Grow(b[:0], int(each))[:each]
	for rest > 0 {
		if _, err := io.ReadFull(r, b); err != nil {
			return nil, err
		}
		e, err := decode(b, l.Samples)
		if err != nil {
			return nil, fmt.Errorf("epoch %d: %w", len(l.Epochs)+1, err)
		}
		l.Epochs = append(l.Epochs, e)
		rest -= each
	}
	return l, nil
}
