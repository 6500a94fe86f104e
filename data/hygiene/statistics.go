package hygiene

import (
	"context"
	"fmt"
	"math"

	"pare/dataset"
)

// SetStatistics are classes and sizes of a set.
type SetStatistics struct {
	Set      string   `json:"set"`
	Samples  int      `json:"samples"`
	Counts   []int    `json:"classes,omitempty"`  // samples of each class
	Names    []string `json:"names,omitempty"`    // of the classes, where known
	NoClass  int      `json:"no_class,omitempty"` // samples that have none
	Constant []int    `json:"constant,omitempty"` // samples, by their numbers in the corpus, whose values are all the same: blank images, empty texts
	Lengths  *Spread  `json:"lengths,omitempty"`  // of texts: tokens that are not filled up
	Means    *Spread  `json:"means,omitempty"`    // of the values of each sample: the brightness of images
}

// Spread is the least, the middle and the largest of some numbers.
type Spread struct {
	Least  float64 `json:"least"`
	Median float64 `json:"median"`
	Most   float64 `json:"most"`
}

// spreadOf is the spread of some numbers; nil where there are none.
func spreadOf(x []float64) *Spread {
	if len(x) == 0 {
		return nil
	}
	at := ascending(len(x), func(i int) float64 { return x[i] })
	return &Spread{x[at[0]], x[at[(len(x)-1)/2]], x[at[len(x)-1]]}
}

// Statistics looks at every sample of a corpus.
func Statistics(ctx context.Context, c Corpus) ([]SetStatistics, error) {
	out := make([]SetStatistics, len(c))
	for k, s := range c {
		t := &out[k]
		t.Set, t.Samples = s.Name, s.Len()
		if y := classOf(s); y != nil && y.Classes <= maxClasses {
			t.Counts, t.Names = make([]int, y.Classes), y.Names
			for i := range s.Len() {
				if l := s.Label(i); l >= 0 && int(l) < y.Classes {
					t.Counts[l]++
				} else {
					t.NoClass++
				}
			}
		}
		f := s.X()
		var means, lengths []float64
		err := each(ctx, s, []int{0}, func(i int, x []sample) error {
			least, most, sum, filled := math.Inf(1), math.Inf(-1), 0., 0
			add := func(v float64) {
				least, most, sum = min(least, v), max(most, v), sum+v
				if v != 0 {
					filled++
				}
			}
			for _, v := range x[0].X {
				add(float64(v))
			}
			for _, v := range x[0].I {
				add(float64(v))
			}
			if least == most && f.Size() > 1 {
				t.Constant = append(t.Constant, c.first(k)+i)
			}
			if f.Tokens > 0 {
				lengths = append(lengths, float64(filled))
			} else if f.Ints == nil {
				means = append(means, sum/float64(f.Size()))
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		t.Means, t.Lengths = spreadOf(means), spreadOf(lengths)
	}
	return out, nil
}

// maxClasses is up to how many classes are counted one by one.
const maxClasses = 1 << 16

// Remarks are what is odd about the classes of the sets, in words.
func Remarks(sets []SetStatistics) (out []string) {
	for _, t := range sets {
		least, most := -1, -1
		for k, n := range t.Counts {
			if n == 0 {
				out = append(out, fmt.Sprintf("the %s set has no sample of class %s", t.Set, t.name(k)))
				continue
			}
			if least < 0 || n < t.Counts[least] {
				least = k
			}
			if most < 0 || n > t.Counts[most] {
				most = k
			}
		}
		if least >= 0 && t.Counts[most] >= 10*t.Counts[least] {
			out = append(out, fmt.Sprintf("the %s set has %d samples of class %s and %d of class %s", t.Set, t.Counts[most], t.name(most), t.Counts[least], t.name(least)))
		}
		if n := len(t.Constant); n > 0 {
			out = append(out, fmt.Sprintf("%d samples of the %s set have one value everywhere", n, t.Set))
		}
	}
	return out
}

func (t *SetStatistics) name(k int) string { return className(t.Names, int32(k)) }

// className is a class's name, or its number.
func className(names []string, k int32) string {
	if k >= 0 && int(k) < len(names) {
		return names[k]
	}
	return fmt.Sprint(k)
}

// class is what a class of a set is called.
func class(s *dataset.Set, k int32) string {
	if y := classOf(s); y != nil {
		return className(y.Names, k)
	}
	return fmt.Sprint(k)
}
