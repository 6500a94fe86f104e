package federated

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"pare/prune"
	"pare/train"
)

// The binary form of messages: a byte that says which, numbers as varints, float32 and
// float64 in little-endian order. Of a sparse tensor only what its mask keeps is written,
// and its mask, where it is sent at all, as bits or as the distances between kept places,
// whichever takes fewer bytes.

const (
	kindBroadcast = iota + 1
	kindStatistics
	kindLoss
	kindUpdate
)

const (
	maskBits = iota + 1
	maskGaps
)

const (
	hasMasks = 1 << iota
	hasValues
)

// writer appends to a message.
type writer struct{ b []byte }

func (w *writer) byte(x byte)   { w.b = append(w.b, x) }
func (w *writer) int(x int)     { w.b = binary.AppendUvarint(w.b, uint64(x)) }
func (w *writer) f64(x float64) { w.b = binary.LittleEndian.AppendUint64(w.b, math.Float64bits(x)) }

func (w *writer) floats(x []float32) {
	w.int(len(x))
	for _, v := range x {
		w.b = binary.LittleEndian.AppendUint32(w.b, math.Float32bits(v))
	}
}

// mask writes the shorter of its two forms.
func (w *writer) mask(m *prune.Mask) {
	var gaps writer
	last := -1
	for i := range m.Len {
		if m.Kept(i) {
			gaps.int(i - last - 1)
			last = i
		}
	}
	bits := (m.Len + 7) / 8
	if n := m.Count(); len(gaps.b)+len(binary.AppendUvarint(nil, uint64(n))) < bits {
		w.byte(maskGaps)
		w.int(n)
		w.b = append(w.b, gaps.b...)
		return
	}
	w.byte(maskBits)
	for i := range bits {
		w.byte(byte(m.Bits[i/8] >> (8 * (i % 8))))
	}
}

func (w *writer) norms(ms []train.Moments) {
	w.int(len(ms))
	for _, m := range ms {
		w.floats(m.Mean)
		w.floats(m.Var)
	}
}

func (w *writer) model(m *Model) {
	var has byte
	if m.Masks != nil {
		has |= hasMasks
	}
	if m.Values != nil {
		has |= hasValues
	}
	w.byte(has)
	for _, k := range m.Masks {
		w.mask(k)
	}
	if m.Values != nil {
		for _, v := range m.Values {
			w.floats(v)
		}
		for _, v := range m.Dense {
			w.floats(v)
		}
	}
	w.norms(m.Norms)
}

// Marshal writes a message: a *Broadcast, *Statistics, *Loss or *Update.
func Marshal(message any) []byte {
	w := &writer{}
	switch m := message.(type) {
	case *Broadcast:
		w.byte(kindBroadcast)
		w.byte(byte(m.Ask))
		w.int(m.Round)
		w.model(m.Model)
		w.int(len(m.Grow))
		for _, q := range m.Grow {
			w.int(q.Layer)
			w.int(q.Count)
		}
	case *Statistics:
		w.byte(kindStatistics)
		w.norms(m.Norms)
	case *Loss:
		w.byte(kindLoss)
		w.f64(m.Value)
	case *Update:
		w.byte(kindUpdate)
		w.f64(m.Loss)
		w.model(m.Model)
		w.int(len(m.Grow))
		for _, g := range m.Grow {
			w.gradients(g)
		}
	}
	return w.b
}

func (w *writer) gradients(g Gradients) {
	w.int(g.Layer)
	w.int(len(g.Index))
	last := -1
	for _, i := range g.Index {
		w.int(i - last - 1)
		last = i
	}
	for _, v := range g.Value {
		w.b = binary.LittleEndian.AppendUint32(w.b, math.Float32bits(v))
	}
}

// errShort says that a message ends too early.
var errShort = errors.New("the message ends in the middle")

// reader takes a message apart; the first error stays. Nothing is made larger than what
// the message holds, or the layout says.
type reader struct {
	b   []byte
	err error
}

func (r *reader) fail(format string, a ...any) {
	if r.err == nil {
		r.err = fmt.Errorf(format, a...)
	}
	r.b = nil
}

func (r *reader) take(n int) []byte {
	if r.err != nil || n > len(r.b) {
		if r.err == nil {
			r.err = errShort
		}
		return nil
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

func (r *reader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

// int reads a number of at most most.
func (r *reader) int(what string, most int) int {
	x, n := binary.Uvarint(r.b)
	if n <= 0 {
		if r.err == nil {
			r.err = errShort
		}
		return 0
	}
	if r.b = r.b[n:]; x > uint64(most) {
		r.fail("%s is %d, at most %d is possible", what, x, most)
		return 0
	}
	return int(x)
}

func (r *reader) f64() float64 {
	if b := r.take(8); b != nil {
		return math.Float64frombits(binary.LittleEndian.Uint64(b))
	}
	return 0
}

// f32s reads n numbers.
func (r *reader) f32s(n int) []float32 {
	b := r.take(4 * n)
	if b == nil {
		return nil
	}
	out := make([]float32, n)
	for i := range out {
		out[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return out
}

// floats reads the numbers of a tensor that has n.
func (r *reader) floats(name string, n int) []float32 {
	if k := r.int("the length of "+name, math.MaxInt32); k != n && r.err == nil {
		r.fail("%s has %d numbers, and %d are expected", name, k, n)
	}
	if r.err != nil {
		return nil
	}
	if n == 0 {
		return []float32{}
	}
	return r.f32s(n)
}
