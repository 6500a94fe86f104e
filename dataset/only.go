package dataset

import (
	"fmt"
	"slices"
)

// Only is the set of the samples of some classes, which are numbered anew in the order in
// which they are given: 0 for the first of them. All classes in their own order are the set
// itself. Some may have no samples in this set, and none at all may be left. It returns an
// error where a class comes twice or is no number of one, and where samples have no class of
// their own that memory holds.
func (s *Set) Only(classes []int32) (*Set, error) {
	y := s.class()
	if y == nil {
		return nil, fmt.Errorf("samples of the %s set have no class each that is known before they are read: they cannot be chosen by it", s.Name)
	}
	to := make(map[int32]int32, len(classes))
	same := len(classes) == y.Classes
	for k, c := range classes {
		if c < 0 || c > maxClass {
			return nil, fmt.Errorf("there is no class %d: they are numbered 0 to %d", c, y.Classes-1)
		}
		if _, twice := to[c]; twice {
			return nil, fmt.Errorf("class %d is given twice", c)
		}
		to[c] = int32(k)
		same = same && int(c) == k
	}
	if same {
		return s, nil
	}
	z := *y
	z.Ints, z.Classes, z.Names = make([]int32, len(y.Ints)), len(classes), nil
	for i, l := range y.Ints {
		if k, stays := to[l]; stays {
			z.Ints[i] = k
		} else {
			z.Ints[i] = -1
		}
	}
	if y.Names != nil {
		for _, c := range classes {
			name := ""
			if int(c) < len(y.Names) {
				name = y.Names[c]
			}
			z.Names = append(z.Names, name)
		}
	}
	var at []int32
	for _, i := range s.indices() {
		if z.Ints[i] >= 0 {
			at = append(at, i)
		}
	}
	out := s.subset(s.Name, at)
	out.Fields = slices.Clone(s.Fields)
	out.Fields[slices.Index(s.Fields, y)] = &z
	return out, nil
}
