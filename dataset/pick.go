package dataset

import (
	"fmt"
	"slices"
)

// Pick is the set of the samples of given stored numbers (see Number), in the order of
// the numbers. It returns an error where a number comes twice or is none of the set's.
func (s *Set) Pick(numbers []int32) (*Set, error) {
	in := make([]bool, s.stored())
	for i := range s.Len() {
		in[s.at(i)] = true
	}
	at := slices.Clone(numbers)
	slices.Sort(at)
	for i, k := range at {
		if i > 0 && k == at[i-1] {
			return nil, fmt.Errorf("sample %d is picked twice", k)
		}
		if k < 0 || int(k) >= len(in) {
			return nil, fmt.Errorf("there is no sample %d: they are numbered 0 to %d", k, len(in)-1)
		}
		if !in[k] {
			return nil, fmt.Errorf("sample %d is not one of the %s set", k, s.Name)
		}
	}
	return s.subset(s.Name, at), nil
}

// Numbers appends the stored numbers of the samples of batch i of an epoch.
func (l *Loader) Numbers(epoch, i int, to []int32) []int32 {
	l.arrange(epoch)
	for _, s := range l.order[min(i*l.Size, len(l.order)):min((i+1)*l.Size, len(l.order))] {
		to = append(to, int32(l.Set.at(int(s))))
	}
	return to
}
