// Package dataset turns real data into batches: readers for the usual files,
// splits and order by seed, augmentation, prefetch.
//
// [Open] reads what a specification such as "cifar10:DIR?val=0.1" names ([Help]
// explains the syntax) and gives a [Data]: a training, a validation and a test
// [Set]. A sample is a record of named fields; a [Loader] makes batches of them:
// images normalised by a [Norm], in an order and with an [Augment] that depend only
// on the seed, the epoch and the batch. [Ahead] prepares the next batch while one is
// used. [Options] bound the memory that samples take: sets of more are read by a
// [Stream], part by part.
package dataset

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sort"
	"strings"

	"pare/tokenizer"
)

// Set is a data set: N samples, each a record of fields, which are the same for all.
// The first field is the sample itself where the others say something about it, such
// as its class.
type Set struct {
	Name    string
	Fields  []*Field
	Index   []int32           // the samples of this set among those stored; nil: all
	Ordered bool              // a sample goes on where the one before it ends: it is split at one place
	Bind    map[string]string // which field, or number, an input of a network takes; others by name, type and shape
	Stream  Stream            // reads samples when they are wanted; nil: the fields hold them
	Origin  *Origin           // the files that the stored samples were read from; nil: not known
	Bound   int64             // bytes of memory that samples of a stream, and batches of them, may take
}

// Field is a part of every sample: an array of one shape. Exactly one of Bytes, Floats
// and Ints holds the samples, one after another; of those that a stream reads it is
// there and empty.
type Field struct {
	Name    string
	Shape   []int                // of a sample: [channels height width], [features], [tokens]; empty: one number
	Classes int                  // Ints are classes, in [0, Classes), or negative where there is none; 0: they are plain numbers
	Names   []string             // of the classes, where known
	Tokens  int                  // Ints are a tokenizer's, which has as many; 0: they are something else
	Speaks  *tokenizer.Tokenizer // that one, to show them as texts; nil: not known
	Gaps    bool                 // some of the classes may be -1, at places that do not count, also where a stream does not know it
	Aside   bool                 // it says what the values of another field are, such as what is filled up: for networks that take it, and no target

	Bytes  []uint8   // images as read, 0..255, and other small numbers
	Floats []float32 // numbers
	Ints   []int32   // whole numbers: tokens, classes, masks

	Chance *Chance // what training makes of Bytes, pictures, at random; nil: nothing

	spelled []string // classes by name, before they have their numbers: Ints go by these
	wide    []mask   // masks of pictures as prepared, where training cuts parts out of them

	// Of a stream's field of classes that memory does not hold:
	given   *Field                // what the stream reads, where it is of another type
	changes []func([]int32) error // what becomes of the values when they are read
	there   valued                // the values that there are
}

// Size is the number of values of a sample.
func (f *Field) Size() int {
	n := 1
	for _, d := range f.Shape {
		n *= d
	}
	return n
}

// stored is the number of samples that a field holds.
func (f *Field) stored() int {
	n := f.Size()
	if n == 0 {
		return 0
	}
	return max(len(f.Bytes), len(f.Floats), len(f.Ints)) / n
}

// like is a field of the same kind with room for n samples.
func (f *Field) like(n int) *Field {
	g := *f
	switch n *= f.Size(); {
	case f.Bytes != nil:
		g.Bytes = make([]uint8, n)
	case f.Floats != nil:
		g.Floats = make([]float32, n)
	default:
		g.Ints = make([]int32, n)
	}
	return &g
}

// Held says whether memory holds the samples of a field: those of a stream it may
// not, and nothing is known of them before they are read.
func (f *Field) Held() bool { return len(f.Bytes)+len(f.Floats)+len(f.Ints) > 0 }

// image says whether the field holds images, of channels, height and width.
func (f *Field) image() bool { return len(f.Shape) == 3 && f.Ints == nil }

// New is a set of fields, each of which holds as many samples.
func New(name string, fields ...*Field) *Set { return &Set{Name: name, Fields: fields} }

// classified is a set of samples, each of which has a class.
func classified(x Field) *Set {
	x.Name = "x"
	return New("", &x, &Field{Name: "label"})
}

// X is the first field: the sample itself.
func (s *Set) X() *Field { return s.Fields[0] }

// y is the last field: the class, in sets that have one.
func (s *Set) y() *Field { return s.Fields[len(s.Fields)-1] }

// Field finds a field by its name; nil: there is none.
func (s *Set) Field(name string) *Field {
	if i := slices.IndexFunc(s.Fields, func(f *Field) bool { return f.Name == name }); i >= 0 {
		return s.Fields[i]
	}
	return nil
}

// Class is the field of classes, one for each sample or each place of it; nil where
// there is none, or more than one.
func (s *Set) Class() *Field {
	var out *Field
	for _, f := range s.Fields {
		if f.Classes == 0 && f.spelled == nil {
			continue
		}
		if out != nil {
			return nil
		}
		out = f
	}
	return out
}

// class is the field of one class for each sample, as far as it is known; nil where
// there is none.
func (s *Set) class() *Field {
	if f := s.Class(); f != nil && f.Size() == 1 && (s.Stream == nil || f.Held()) {
		return f
	}
	return nil
}

// fields lists the fields, with their shapes.
func (s *Set) fields() string {
	var out []string
	for _, f := range s.Fields {
		out = append(out, fmt.Sprintf("%s %v", f.Name, f.Shape))
	}
	return strings.Join(out, ", ")
}

// Len is the number of samples.
func (s *Set) Len() int {
	switch {
	case s == nil:
		return 0
	case s.Index != nil:
		return len(s.Index)
	}
	return s.stored()
}

func (s *Set) stored() int {
	if s.Stream != nil {
		return s.Stream.Len()
	}
	return s.X().stored()
}

// at is the stored number of sample i.
func (s *Set) at(i int) int {
	if s.Index != nil {
		return int(s.Index[i])
	}
	return i
}

// Number is the stored number of sample i: parts of what was read together number their
// samples alike.
func (s *Set) Number(i int) int { return s.at(i) }

// Stored is the set of all samples that are stored with those of this one.
func (s *Set) Stored() *Set {
	c := *s
	c.Index = nil
	return &c
}

// Label is the class of sample i.
func (s *Set) Label(i int) int32 { return s.Class().Ints[s.at(i)] }

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

// Split divides a set by seed, with the same share of every class in both parts where
// each sample has one class; the second gets about share of the samples.
func (s *Set) Split(share float64, seed uint64) (*Set, *Set, error) {
	if !(share > 0 && share < 1) {
		return nil, nil, fmt.Errorf("a split of %v is not between 0 and 1", share)
	}
	if s.Ordered {
		n := s.Len()
		k := n - int(math.Round(share*float64(n)))
		all := s.indices()
		return s.subset(s.Name, all[:k]), s.subset(s.Name, all[k:]), nil
	}
	r := rand.New(rand.NewPCG(seed, 0x5b117))
	var a, b []int32
	for _, idx := range s.byClass() {
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

// byClass lists the stored numbers of the samples of each class; all together where
// samples have no class that is known.
func (s *Set) byClass() [][]int32 {
	y := s.class()
	if y == nil {
		return [][]int32{s.indices()}
	}
	out := make([][]int32, y.Classes)
	for _, i := range s.indices() {
		if c := y.Ints[i]; c >= 0 && int(c) < y.Classes {
			out[c] = append(out[c], i)
		}
	}
	return out
}

// Digest identifies the contents: hex SHA-256 over the samples. Of a stream, whose
// samples are too many to be read for that, it is one over what the stream says of
// itself (see Stream) and what memory holds.
func (s *Set) Digest() string {
	h := sha256.New()
	for _, f := range s.Fields {
		fmt.Fprintf(h, "%q %v %d;", f.Name, f.Shape, f.Classes)
		if f.Chance != nil {
			fmt.Fprintf(h, "%s;", f.Chance.Pipeline.String())
		}
	}
	fmt.Fprint(h, s.Len())
	le := binary.LittleEndian
	if s.Stream != nil {
		fmt.Fprint(h, s.Stream.Digest())
		for _, k := range s.Index {
			h.Write(le.AppendUint32(nil, uint32(k)))
		}
	}
	var b []byte
	for i := range s.Len() {
		k := s.at(i)
		for _, f := range s.Fields {
			n := f.Size()
			if f.Chance != nil && f.Chance.Pictures != nil {
				h.Write(f.Chance.Pictures[k].Pix)
			}
			if f.wide != nil && s.Stream == nil {
				for _, v := range f.wide[k].class {
					b = le.AppendUint32(b, uint32(v))
				}
			}
			switch {
			case s.Stream != nil && !f.Held():
			case f.Bytes != nil:
				h.Write(f.Bytes[k*n : (k+1)*n])
				continue
			case f.Floats != nil:
				for _, v := range f.Floats[k*n : (k+1)*n] {
					b = le.AppendUint32(b, math.Float32bits(v))
				}
			default:
				for _, v := range f.Ints[k*n : (k+1)*n] {
					b = le.AppendUint32(b, uint32(v))
				}
			}
			h.Write(b)
			b = b[:0]
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}
