// Package dataset turns real data into batches: readers for the usual files,
// splits and order by seed, augmentation, prefetch.
//
// [Open] reads what a specification such as "cifar10:DIR?val=0.1" names ([Help]
// explains the syntax) and gives a [Data]: a training, a validation and a test
// [Set]. A [Loader] makes batches of a Set: normalised by a [Norm], in an order
// and with an [Augment] that depend only on the seed, the epoch and the batch.
// [Ahead] prepares the next batch while one is used.
package dataset

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"math/rand/v2"
	"sort"
)

// Set is a data set in memory: N samples of one shape with class labels.
// Exactly one of Bytes, Floats and Tokens holds the samples, one after another.
type Set struct {
	Name    string
	Shape   []int    // of a sample: [channels height width], [features] or [tokens]
	Classes int      // labels are in [0, Classes)
	Names   []string // of the classes, where known
	Labels  []int32  // one a sample; for Tokens one a token (the next token)

	Bytes  []uint8   // images as read, 0..255
	Floats []float32 // numbers
	Tokens []int32   // text

	spelled []string // classes by name, before they have their numbers: labels go by these

	Index []int32 // the samples of this set among those stored; nil: all
}

// Len is the number of samples.
func (s *Set) Len() int {
	if s == nil {
		return 0
	}
	if s.Index != nil {
		return len(s.Index)
	}
	return s.stored()
}

func (s *Set) stored() int {
	n := s.Size()
	switch {
	case n == 0:
		return 0
	case s.Bytes != nil:
		return len(s.Bytes) / n
	case s.Floats != nil:
		return len(s.Floats) / n
	}
	return len(s.Tokens) / n
}

// Size is the number of values of a sample.
func (s *Set) Size() int {
	n := 1
	for _, d := range s.Shape {
		n *= d
	}
	return n
}

// at is the stored number of sample i.
func (s *Set) at(i int) int {
	if s.Index != nil {
		return int(s.Index[i])
	}
	return i
}

// Label is the class of sample i.
func (s *Set) Label(i int) int32 { return s.Labels[s.at(i)] }

// subset shares storage; no index is an empty set.
func (s *Set) subset(name string, index []int32) *Set {
	c := *s
	c.Name, c.Index = name, append([]int32{}, index...)
	return &c
}

// indices lists the stored numbers of a set's samples.
func (s *Set) indices() []int32 {
	out := make([]int32, s.Len())
	for i := range out {
		out[i] = int32(s.at(i))
	}
	return out
}

// First keeps the first n samples, or all where there are fewer.
func (s *Set) First(n int) *Set {
	if n >= s.Len() {
		return s
	}
	return s.subset(s.Name, s.indices()[:n])
}

// Split divides a set by seed, with the same share of every class in both
// parts; the second gets about share of the samples.
func (s *Set) Split(share float64, seed uint64) (*Set, *Set, error) {
	if !(share > 0 && share < 1) {
		return nil, nil, fmt.Errorf("a split of %v is not between 0 and 1", share)
	}
	if s.Tokens != nil { // text is cut at one place
		n := s.Len()
		k := n - int(math.Round(share*float64(n)))
		all := s.indices()
		return s.subset(s.Name, all[:k]), s.subset(s.Name, all[k:]), nil
	}
	r := rand.New(rand.NewPCG(seed, 0x5b117))
	byClass := map[int32][]int32{}
	for _, i := range s.indices() {
		byClass[s.Labels[i]] = append(byClass[s.Labels[i]], i)
	}
	var a, b []int32
	for c := range int32(s.Classes) {
		idx := byClass[c]
		r.Shuffle(len(idx), func(i, j int) { idx[i], idx[j] = idx[j], idx[i] })
		k := int(math.Round(share * float64(len(idx))))
		b = append(b, idx[:k]...)
		a = append(a, idx[k:]...)
	}
	for _, x := range [][]int32{a, b} {
		sort.Slice(x, func(i, j int) bool { return x[i] < x[j] })
	}
	return s.subset(s.Name, a), s.subset(s.Name, b), nil
}

// Digest identifies the contents: hex SHA-256 over samples and labels.
func (s *Set) Digest() string {
	h := sha256.New()
	fmt.Fprint(h, s.Shape, s.Classes, s.Len())
	n := s.Size()
	le := binary.LittleEndian
	for i := range s.Len() {
		k := s.at(i)
		switch {
		case s.Bytes != nil:
			h.Write(s.Bytes[k*n : (k+1)*n])
		case s.Floats != nil:
			for _, v := range s.Floats[k*n : (k+1)*n] {
				h.Write(le.AppendUint32(nil, math.Float32bits(v)))
			}
		default:
			for _, v := range s.Tokens[k*n : (k+1)*n] {
				h.Write(le.AppendUint32(nil, uint32(v)))
			}
			continue
		}
		h.Write(le.AppendUint32(nil, uint32(s.Labels[k])))
	}
	return hex.EncodeToString(h.Sum(nil))
}
