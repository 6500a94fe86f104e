// Package hygiene finds what is wrong with data sets: samples that are there twice or
// nearly so, samples of a test set that training has seen, labels that are likely wrong,
// outliers. What is found becomes a list of decisions (see Decision), which a person can
// edit and [Apply] applies.
//
// A [Corpus] is the sets that are looked at together; samples have numbers from 0 on over
// all of them.
package hygiene

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"pare/dataset"
)

// Corpus is sets of the same fields, one after another.
type Corpus []*dataset.Set

// Of is the sets of data that there are: training, validation, test.
func Of(d *dataset.Data) (c Corpus) {
	for _, s := range []*dataset.Set{d.Train, d.Val, d.Test} {
		if s != nil {
			c = append(c, s)
		}
	}
	return c
}

// Len is the number of samples.
func (c Corpus) Len() int {
	n := 0
	for _, s := range c {
		n += s.Len()
	}
	return n
}

// Find is the set of sample i, by its place, and the sample's number in it.
func (c Corpus) Find(i int) (set, at int) {
	for k, s := range c {
		if i < s.Len() {
			return k, i
		}
		i -= s.Len()
	}
	return len(c), i
}

// first is the number of a set's first sample.
func (c Corpus) first(set int) int { return c[:set].Len() }

// ID names a sample: "training:17" is the 18th of the training set.
func (c Corpus) ID(i int) string {
	set, at := c.Find(i)
	return c[set].Name + ":" + strconv.Itoa(at)
}

// Parse finds the sample that an id names.
func (c Corpus) Parse(id string) (int, error) {
	name, number, ok := strings.Cut(id, ":")
	at, err := strconv.Atoi(number)
	if !ok || err != nil || strconv.Itoa(at) != number {
		return 0, fmt.Errorf("%q is no id: SET:NUMBER is needed, such as training:17", id)
	}
	for k, s := range c {
		if s.Name != name {
			continue
		}
		if at < 0 || at >= s.Len() {
			return 0, fmt.Errorf("there is no sample %q: the %s set has %d, counted from 0", id, name, s.Len())
		}
		return c.first(k) + at, nil
	}
	return 0, fmt.Errorf("there is no sample %q: there is no set of this name", id)
}

// labels are the classes of all samples, -1 where a set has none that are known.
func (c Corpus) labels() []int32 {
	out := make([]int32, 0, c.Len())
	for _, s := range c {
		y := classOf(s)
		for i := range s.Len() {
			if y == nil {
				out = append(out, -1)
			} else {
				out = append(out, s.Label(i))
			}
		}
	}
	return out
}

// classOf is the field that says of each sample which class it has; nil: none does, or
// memory does not hold it.
func classOf(s *dataset.Set) *dataset.Field {
	if f := s.Class(); f != nil && f.Size() == 1 && f.Ints != nil {
		return f
	}
	return nil
}

// targets are names of fields that say something of a sample rather than are it.
var targets = []string{"target", "label", "class", "y", "next"}

// inputs are the fields that a sample is made of: the first, and others that are neither
// classes nor called as what is predicted.
func inputs(s *dataset.Set) (out []int) {
	for i, f := range s.Fields {
		said := f.Classes > 0
		for _, t := range targets {
			said = said || f.Name == t
		}
		if !said || i == 0 {
			out = append(out, i)
		}
	}
	return out
}

// together is how many samples are read at a time.
const together = 256

// sample is what fields of a sample are, as they are stored: one of X and I of each.
type sample struct {
	X []float32
	I []int64
}

// each reads fields of the samples of a set in their order.
func each(ctx context.Context, s *dataset.Set, fields []int, do func(i int, x []sample) error) error {
	n := min(together, max(1, s.Len()))
	to := make([]dataset.Buffer, len(fields))
	for j, k := range fields {
		f := s.Fields[k]
		to[j] = dataset.Buffer{Field: k, Raw: true}
		if f.Ints != nil {
			to[j].I = make([]int64, n*f.Size())
		} else {
			to[j].X = make([]float32, n*f.Size())
		}
	}
	l := &dataset.Loader{Set: s, Size: n, Norm: dataset.Raw}
	x := make([]sample, len(fields))
	for lo := 0; lo < s.Len(); lo += n {
		if err := ctx.Err(); err != nil {
			return err
		}
		got, err := l.FillContext(ctx, 0, lo/n, to)
		if err != nil {
			return err
		}
		for i := range got {
			for j, b := range to {
				size := s.Fields[fields[j]].Size()
				x[j] = sample{}
				if b.I != nil {
					x[j].I = b.I[i*size : (i+1)*size]
				} else {
					x[j].X = b.X[i*size : (i+1)*size]
				}
			}
			if err := do(lo+i, x); err != nil {
				return err
			}
		}
	}
	return nil
}
