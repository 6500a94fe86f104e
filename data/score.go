package data

import (
	"fmt"
	"math"
	"slices"

	"pare/catalog"
	"pare/dataset"
)

// End is an end of a score's values.
type End string

// The ends.
const (
	Low  End = "low"
	High End = "high"
)

// Score is a number for each sample: how hard it is, or how typical.
type Score struct {
	Name    string            `json:"score"`          // the method, or what the user calls it
	Hard    End               `json:"hard"`           // the end at which samples are hard
	Data    string            `json:"data,omitempty"` // digest of what is stored with the samples; "": not known
	Made    map[string]string `json:"made,omitempty"` // settings it was made with
	Numbers []int32           `json:"-"`              // of the samples
	Values  []float64         `json:"-"`
	Never   []bool            `json:"-"` // never learnt: the value is +Inf; nil: none
	Cluster []int32           `json:"-"` // of each sample; nil: there are no clusters
}

// NewScore is a score of all samples of a set, in their order.
func NewScore(set *dataset.Set, hard End, values []float64) *Score {
	s := &Score{Hard: hard, Values: values}
	for i := range set.Len() {
		s.Numbers = append(s.Numbers, int32(set.Number(i)))
	}
	return s
}

// Check returns an error where the direction is missing, a number is twice there, or a
// value is not finite and not that of a sample that was never learnt.
func (s *Score) Check() error {
	if s.Hard != Low && s.Hard != High {
		return catalog.Errorf("it is not said which end of the score %s is hard: give {Hard} low or high", s.Name)
	}
	if len(s.Numbers) != len(s.Values) || s.Never != nil && len(s.Never) != len(s.Values) || s.Cluster != nil && len(s.Cluster) != len(s.Values) {
		return fmt.Errorf("score %s: %d samples and %d values", s.Name, len(s.Numbers), len(s.Values))
	}
	if len(s.Values) == 0 {
		return fmt.Errorf("score %s is of no samples", s.Name)
	}
	var bad []int32
	seen := make(map[int32]bool, len(s.Numbers))
	for i, v := range s.Values {
		k := s.Numbers[i]
		if k < 0 || seen[k] {
			return fmt.Errorf("score %s: sample %d is there twice, or is none", s.Name, k)
		}
		seen[k] = true
		if never := s.Never != nil && s.Never[i] && s.Hard == High; never != math.IsInf(v, 1) || math.IsNaN(v) || math.IsInf(v, -1) {
			bad = append(bad, k)
		}
	}
	if bad != nil {
		return fmt.Errorf("score %s: the values of %d samples are not finite, the first of them %v", s.Name, len(bad), bad[:min(10, len(bad))])
	}
	return nil
}

// On gives the values of the samples of a set, in their order. It returns an error where
// the score is of other data, or lacks some of them.
func (s *Score) On(set *dataset.Set) ([]float64, error) {
	at, err := s.places(set)
	if err != nil {
		return nil, err
	}
	out := make([]float64, len(at))
	for i, k := range at {
		out[i] = s.Values[k]
	}
	return out, nil
}

// Clusters gives the clusters of the samples of a set; nil: the score has none.
func (s *Score) Clusters(set *dataset.Set) ([]int32, error) {
	if s.Cluster == nil {
		return nil, nil
	}
	at, err := s.places(set)
	if err != nil {
		return nil, err
	}
	out := make([]int32, len(at))
	for i, k := range at {
		out[i] = s.Cluster[k]
	}
	return out, nil
}

// places are those of the samples of a set in the score.
func (s *Score) places(set *dataset.Set) ([]int, error) {
	if err := s.Check(); err != nil {
		return nil, err
	}
	if d := set.Stored().Digest(); s.Data != "" && s.Data != d {
		return nil, catalog.Errorf("score %s is of other data (digest %.12s, the data has %.12s): score this {Data}", s.Name, s.Data, d)
	}
	by := make(map[int32]int, len(s.Numbers))
	for i, k := range s.Numbers {
		by[k] = i
		if int(k) >= set.Stored().Len() {
			return nil, catalog.Errorf("score %s has a sample %d, and there are %d: score this {Data}", s.Name, k, set.Stored().Len())
		}
	}
	out := make([]int, set.Len())
	var missing []int
	for i := range out {
		k, ok := by[int32(set.Number(i))]
		if !ok {
			missing = append(missing, set.Number(i))
		}
		out[i] = k
	}
	if missing != nil {
		return nil, catalog.Errorf("score %s lacks %d of the %d samples, the first of them %v: score all of the training set", s.Name, len(missing), len(out), missing[:min(10, len(missing))])
	}
	return out, nil
}

// Hardness gives each sample of a set a number that is higher where it is harder: the
// value, or its negative. Samples that were never learnt are the hardest.
func (s *Score) Hardness(set *dataset.Set) ([]float64, error) {
	out, err := s.On(set)
	if err == nil && s.Hard == Low {
		for i := range out {
			out[i] = -out[i]
		}
	}
	return out, err
}

// Among is the number of samples of a set that have a score.
func (s *Score) Among(set *dataset.Set) int {
	n := 0
	has := make(map[int32]bool, len(s.Numbers))
	for _, k := range s.Numbers {
		has[k] = true
	}
	for i := range set.Len() {
		if has[int32(set.Number(i))] {
			n++
		}
	}
	return n
}

// Order lists samples from the highest number to the lowest; equal ones by their place.
func Order(x []float64) []int {
	out := make([]int, len(x))
	for i := range out {
		out[i] = i
	}
	slices.SortStableFunc(out, func(a, b int) int {
		switch {
		case x[a] > x[b]:
			return -1
		case x[a] < x[b]:
			return 1
		}
		return 0
	})
	return out
}
