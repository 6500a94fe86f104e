package dataset

import (
	"fmt"
	"math"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// maxClass bounds class numbers: outputs of a network.
const maxClass = 1 << 20

// wholeClass is the class number that a name is: 3, 03 and 3.0 are 3.
func wholeClass(name string) (int32, bool) {
	v, err := strconv.ParseFloat(name, 64)
	if err != nil || v != math.Trunc(v) || v < 0 || v > maxClass {
		return 0, false
	}
	return int32(v), true
}

// wholeClasses are the numbers that all of the names are, no two the same.
func wholeClasses(names []string) ([]int32, bool) {
	out := make([]int32, len(names))
	seen := make(map[int32]bool, len(names))
	for i, n := range names {
		k, ok := wholeClass(n)
		if !ok || seen[k] {
			return nil, false
		}
		out[i], seen[k] = k, true
	}
	return out, true
}

// relabel changes the labels of a set that go by its spelled classes.
func (s *Set) relabel(to []int32, classes int) {
	y := s.class()
	y.Ints = slices.Clone(y.Ints)
	for i, l := range y.Ints {
		y.Ints[i] = to[l]
	}
	y.spelled, y.Classes = nil, classes
}

// number gives the classes of sets that go together their numbers. Names that
// are whole numbers are kept as they are, also where some are absent; others
// are sorted, by letters alone where that is asked for, and the first set's
// order holds for all: one that has other classes is refused.
func number(byLetters bool, sets ...*Set) error {
	whole := !byLetters
	var numbers [][]int32
	for _, s := range sets {
		k, ok := wholeClasses(s.class().spelled)
		whole = whole && ok
		numbers = append(numbers, k)
	}
	if whole {
		for i, s := range sets {
			s.relabel(numbers[i], int(slices.Max(numbers[i]))+1)
		}
		return nil
	}
	names := slices.Clone(sets[0].class().spelled)
	sort.SliceStable(names, func(a, b int) bool {
		if byLetters {
			return names[a] < names[b]
		}
		return natural(names[a], names[b])
	})
	at := make(map[string]int32, len(names))
	for i, n := range names {
		at[n] = int32(i)
	}
	for _, s := range sets {
		to := make([]int32, len(s.class().spelled))
		var more []string
		for k, n := range s.class().spelled {
			i, ok := at[n]
			if !ok {
				more = append(more, strconv.Quote(n))
			}
			to[k] = i
		}
		if len(more) > 0 {
			return fmt.Errorf("the %s set has classes that the %s set lacks: %s (it has %s): their numbers would not be the same; leave those samples out, or number the classes in both", s.Name, sets[0].Name, few(more), few(names))
		}
		s.relabel(to, len(names))
		s.class().Names = names
	}
	return nil
}

// number numbers classes that are given by names, in all sets alike, and counts
// class numbers from base.
func (d *Data) number(byLetters bool, base int) error {
	var named, all []*Set
	for _, s := range d.sets() {
		if s.class() == nil {
			continue
		}
		all = append(all, s)
		if s.class().spelled != nil {
			named = append(named, s)
		}
	}
	if len(named) > 0 {
		if len(named) != len(all) {
			return fmt.Errorf("the classes of one set are names (%s), those of another are numbers", few(named[0].class().spelled))
		}
		if err := number(byLetters, named...); err != nil {
			return err
		}
	}
	for _, s := range all {
		if first := all[0].class().Names; s.class().Names != nil && first != nil {
			n := min(len(first), len(s.class().Names))
			if !slices.Equal(first[:n], s.class().Names[:n]) {
				return fmt.Errorf("the classes of the %s set are %s, those of the %s set %s", s.Name, few(s.class().Names), all[0].Name, few(first))
			}
		}
		if base == 0 {
			continue
		}
		if s.class().Names != nil {
			return fmt.Errorf("base=%d counts class numbers, but the classes have names: %s", base, few(s.class().Names))
		}
		y := s.class()
		y.Ints, y.Classes = slices.Clone(y.Ints), max(1, y.Classes-base)
		for i := range y.Ints {
			if y.Ints[i] -= int32(base); y.Ints[i] < 0 {
				return fmt.Errorf("sample %d of the %s set has class %d, below base=%d", i, s.Name, int(y.Ints[i])+base, base)
			}
		}
	}
	return nil
}

// sayClasses notes how classes were numbered.
func (d *Data) sayClasses(base int) {
	have := map[int32]bool{}
	var names []string
	classes := 0
	for _, s := range d.sets() {
		if s.class() == nil {
			return
		}
		if s.class().Names != nil {
			names = s.class().Names
		}
		classes = max(classes, s.class().Classes)
		for _, l := range s.class().Ints {
			have[l] = true
		}
	}
	if names != nil {
		var of []string
		for i, n := range names {
			of = append(of, fmt.Sprintf("%d %s", i, n))
		}
		d.note("%d classes have names, numbered in this order: %s", len(names), few(of))
		return
	}
	var absent []string
	for k := range int32(classes) {
		if !have[k] {
			absent = append(absent, fmt.Sprint(k))
		}
	}
	text := fmt.Sprintf("%d classes: labels are whole numbers, kept as they are, and the largest is %d", classes, classes-1)
	if base > 0 {
		text = fmt.Sprintf("%d classes: labels are whole numbers, counted from %d", classes, base)
	}
	if len(absent) > 0 {
		text += "; no sample has class " + few(absent)
		if !have[0] && base == 0 {
			text += " (base=1 where classes are counted from 1)"
		}
	}
	d.note("%s", text)
}

// fewest is how many names a message lists.
const fewest = 12

// few lists the first of many names.
func few(names []string) string {
	if len(names) <= fewest {
		return clip(strings.Join(names, ", "), 600)
	}
	return clip(strings.Join(names[:fewest], ", "), 600) + fmt.Sprintf(", … (%d in all)", len(names))
}

// clip shortens a text that a file gives.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}

// natural compares names so that 2 comes before 10, and numbers before text.
func natural(a, b string) bool {
	x, e1 := strconv.ParseFloat(a, 64)
	y, e2 := strconv.ParseFloat(b, 64)
	one, two := e1 == nil && !math.IsNaN(x), e2 == nil && !math.IsNaN(y)
	if one != two {
		return one
	}
	if one && x != y {
		return x < y
	}
	return a < b
}
