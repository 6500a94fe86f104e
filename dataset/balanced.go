package dataset

import (
	"fmt"
	"math/rand/v2"
)

// Balanced draws n samples of every class that occurs, in random order, by seed. It returns an
// error where a class has fewer, or samples have no class of their own.
func (s *Set) Balanced(n int, seed uint64) (*Set, error) {
	if n < 1 {
		return nil, fmt.Errorf("%d samples of each class: at least 1 is needed", n)
	}
	if s.class() == nil {
		return nil, fmt.Errorf("samples of the %s set have no class each that is known before they are read: some of each class cannot be drawn", s.Name)
	}
	r := rand.New(rand.NewPCG(seed, 0xba1a))
	all := s.indices()
	r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	have := make([]int, s.class().Classes)
	var out []int32
	for _, i := range all {
		c := s.class().Ints[i]
		if c < 0 || int(c) >= s.class().Classes {
			return nil, fmt.Errorf("label %d of the %s set is outside its %d classes", c, s.Name, s.class().Classes)
		}
		if have[c] < n {
			have[c]++
			out = append(out, i)
		}
	}
	for c, k := range have {
		if k > 0 && k < n {
			return nil, fmt.Errorf("class %d of the %s set has %d samples, fewer than the %d that are to be drawn of each: lower the number, or leave the class out", c, s.Name, k, n)
		}
	}
	return s.subset(s.Name, out), nil
}
