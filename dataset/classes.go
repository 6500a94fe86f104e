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

// relabel changes labels that go by their spelled classes.
func (f *Field) relabel(to []int32, classes int) {
	f.Ints = slices.Clone(f.Ints)
	for i, l := range f.Ints {
		f.Ints[i] = to[l]
	}
	f.spelled, f.Classes = nil, classes
}

// number gives the classes in field k of sets that go together their numbers.
// Names that are whole numbers are kept as they are, also where some are absent;
// others are sorted, by letters alone where that is asked for, and the first set's
// order holds for all: one that has other classes is refused.
func number(byLetters bool, k int, sets ...*Set) error {
	whole := !byLetters
	var numbers [][]int32
	for _, s := range sets {
		n, ok := wholeClasses(s.Fields[k].spelled)
		whole = whole && ok
		numbers = append(numbers, n)
	}
	if whole {
		for i, s := range sets {
			s.Fields[k].relabel(numbers[i], int(slices.Max(numbers[i]))+1)
		}
		return nil
	}
	names := slices.Clone(sets[0].Fields[k].spelled)
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
		f := s.Fields[k]
		to := make([]int32, len(f.spelled))
		var more []string
		for j, n := range f.spelled {
			i, ok := at[n]
			if !ok {
				more = append(more, strconv.Quote(n))
			}
			to[j] = i
		}
		if len(more) > 0 {
			return fmt.Errorf("the %s set has classes that the %s set lacks: %s (it has %s): their numbers would not be the same; leave those samples out, or number the classes in both", s.Name, sets[0].Name, few(more), few(names))
		}
		f.relabel(to, len(names))
		f.Names = names
	}
	return nil
}

// number numbers classes that are given by names, in all sets alike, and counts
// class numbers from base.
func (d *Data) number(byLetters bool, base int) error {
	sets := d.sets()
	for k, first := range sets[0].Fields {
		var named []*Set
		for _, s := range sets {
			if s.Fields[k].spelled != nil {
				named = append(named, s)
			}
		}
		if len(named) == 0 && first.Classes == 0 {
			continue
		}
		if len(named) > 0 {
			if len(named) != len(sets) {
				return fmt.Errorf("the classes of one set are names (%s), those of another are numbers", few(named[0].Fields[k].spelled))
			}
			if err := number(byLetters, k, named...); err != nil {
				return err
			}
		}
		for _, s := range sets {
			if err := s.Fields[k].counted(base, s.Name, first, sets[0].Name); err != nil {
				return err
			}
		}
	}
	return nil
}

// counted compares names of classes with those of another set, and counts class
// numbers from base.
func (f *Field) counted(base int, of string, first *Field, other string) error {
	if f.Names != nil && first.Names != nil {
		n := min(len(first.Names), len(f.Names))
		if !slices.Equal(first.Names[:n], f.Names[:n]) {
			return fmt.Errorf("the classes of the %s set are %s, those of the %s set %s", of, few(f.Names), other, few(first.Names))
		}
	}
	if base == 0 {
		return nil
	}
	if f.Names != nil {
		return fmt.Errorf("base=%d counts class numbers, but the classes have names: %s", base, few(f.Names))
	}
	if f.there != nil {
		f.Classes = max(1, f.Classes-base)
		return f.later(func(v []int32) error {
			for i := range v {
				if v[i] < 0 {
					continue
				}
				if v[i] -= int32(base); v[i] < 0 {
					return fmt.Errorf("class %d is below base=%d", v[i]+int32(base), base)
				}
			}
			return nil
		})
	}
	f.Ints, f.Classes = slices.Clone(f.Ints), max(1, f.Classes-base)
	for i, v := range f.Ints {
		if v < 0 { // a place without a class
			continue
		}
		if f.Ints[i] -= int32(base); f.Ints[i] < 0 {
			return fmt.Errorf("sample %d of the %s set has class %d, below base=%d", i/f.Size(), of, v, base)
		}
	}
	return nil
}

// sayClasses notes how classes were numbered.
func (d *Data) sayClasses(base int) {
	sets := d.sets()
	for k, f := range sets[0].Fields {
		if f.Classes > 0 && (f.Held() || f.there != nil) {
			d.sayClassesOf(k, base)
		}
	}
}

func (d *Data) sayClassesOf(k, base int) {
	have := map[int32]bool{}
	var names []string
	classes := 0
	sets := d.sets()
	for _, s := range sets {
		f := s.Fields[k]
		if f.Names != nil {
			names = f.Names
		}
		classes = max(classes, f.Classes)
		for _, l := range f.Ints {
			have[l] = true
		}
		for l := range f.there {
			have[l] = true
		}
	}
	what := ""
	if sets[0].class() != sets[0].Fields[k] {
		what = fmt.Sprintf("field %q: ", sets[0].Fields[k].Name)
	}
	if names != nil {
		var of []string
		for i, n := range names {
			of = append(of, fmt.Sprintf("%d %s", i, n))
		}
		d.note("%s%d classes have names, numbered in this order: %s", what, len(names), few(of))
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
	if have[-1] {
		text += "; -1 stands for none"
	}
	if len(absent) > 0 {
		text += "; no sample has class " + few(absent)
		switch {
		case !have[0] && base == 0:
			text += " (base=1 where classes are counted from 1)"
		case sets[0].Fields[k].Size() > 1:
			text += " (values=LIST numbers the values that there are, ignore=VALUE leaves places of one out)"
		}
	}
	d.note("%s%s", what, text)
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
