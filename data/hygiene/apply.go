package hygiene

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"pare/dataset"
)

// Applied is what decisions have done.
type Applied struct {
	Kept      map[string]int `json:"kept"` // samples, by set
	Dropped   map[string]int `json:"dropped"`
	Relabeled int            `json:"relabelled"`
	Notes     []string       `json:"notes,omitempty"`
}

// Apply leaves out and relabels samples as decisions say: it gives the sets anew, which share
// what they can. It is an error, which names the line, where an id or a label is not there, and where
// the data are not those of the digests; a set is never left empty.
func (c Corpus) Apply(of Digests, ds []Decision) (Corpus, *Applied, error) {
	a := &Applied{Kept: map[string]int{}, Dropped: map[string]int{}}
	if of == nil {
		a.Notes = append(a.Notes, "the file of decisions does not say of which data it is: whether these are the same is not known")
	}
	for _, name := range slices.Sorted(maps.Keys(of)) {
		i := slices.IndexFunc(c, func(s *dataset.Set) bool { return s.Name == name })
		if i < 0 {
			return nil, nil, fmt.Errorf("the decisions are about a %s set, and the data have none", name)
		}
		if c[i].Digest() != of[name] {
			return nil, nil, fmt.Errorf("the decisions are about another %s set: its digest is not that of these data (was it made with other options?)", name)
		}
	}
	drop := make([]bool, c.Len())
	label := map[int]int32{}
	for _, d := range ds {
		i, err := c.Parse(d.ID)
		if err == nil && d.Action == Relabel {
			label[i], err = c.class(i, d.Label)
		}
		if err != nil {
			return nil, nil, fmt.Errorf("line %d: %w", d.Line, err)
		}
		drop[i] = d.Action == Drop
	}
	a.Relabeled = len(label)
	var out Corpus
	for k, s := range c {
		t := relabelled(s, c.first(k), label)
		t.Index = []int32{}
		for i := range s.Len() {
			if !drop[c.first(k)+i] {
				t.Index = append(t.Index, stored(s, i))
			}
		}
		a.Kept[s.Name], a.Dropped[s.Name] = len(t.Index), s.Len()-len(t.Index)
		if len(t.Index) == 0 {
			return nil, nil, fmt.Errorf("the decisions drop all samples of the %s set", s.Name)
		}
		a.Notes = append(a.Notes, vanished(s, t)...)
		out = append(out, t)
	}
	return out, a, nil
}

// stored is the number under which sample i of a set is stored.
func stored(s *dataset.Set, i int) int32 {
	if s.Index != nil {
		return s.Index[i]
	}
	return int32(i)
}

// class is the number of a class of sample i's set, by name or number.
func (c Corpus) class(i int, text string) (int32, error) {
	k, _ := c.Find(i)
	y := classOf(c[k])
	if y == nil {
		return 0, fmt.Errorf("the samples of the %s set have no classes that could be changed", c[k].Name)
	}
	text = strings.TrimSpace(text)
	if n := slices.Index(y.Names, text); n >= 0 {
		return int32(n), nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n >= y.Classes {
		return 0, fmt.Errorf("label %q: there is no such class; they are 0 to %d%s", text, y.Classes-1, named(y.Names))
	}
	return int32(n), nil
}

// named lists names, some of them.
func named(names []string) string {
	if len(names) == 0 {
		return ""
	}
	const most = 12
	text := ", or " + strings.Join(names[:min(most, len(names))], ", ")
	if len(names) > most {
		text += " …"
	}
	return text
}

// relabelled is a set with other classes of some samples, whose first is a number of the
// corpus.
func relabelled(s *dataset.Set, first int, label map[int]int32) *dataset.Set {
	t := *s
	y := classOf(s)
	if y == nil {
		return &t
	}
	z := *y
	z.Ints = slices.Clone(y.Ints)
	t.Fields = slices.Clone(s.Fields)
	t.Fields[slices.Index(s.Fields, y)] = &z
	for i := range s.Len() {
		if l, ok := label[first+i]; ok {
			z.Ints[stored(s, i)] = l
		}
	}
	return &t
}

// vanished says which classes are there no more.
func vanished(was, is *dataset.Set) (out []string) {
	y := classOf(was)
	if y == nil {
		return nil
	}
	count := func(s *dataset.Set) []int {
		n := make([]int, y.Classes)
		for i := range s.Len() {
			if l := s.Label(i); l >= 0 && int(l) < y.Classes {
				n[l]++
			}
		}
		return n
	}
	before, after := count(was), count(is)
	for k := range before {
		if before[k] > 0 && after[k] == 0 {
			out = append(out, fmt.Sprintf("the %s set has no sample of class %s any more", was.Name, className(y.Names, int32(k))))
		}
	}
	return out
}

// Compared says what has become of sets: which samples stay, and which of them have other labels. Classes that
// have vanished are noted, where the classes are still the same.
func Compared(before, after Corpus) *Applied {
	a := &Applied{Kept: map[string]int{}, Dropped: map[string]int{}}
	for i, t := range after {
		a.Kept[t.Name], a.Dropped[t.Name] = t.Len(), before[i].Len()-t.Len()
		was, is := classOf(before[i]), classOf(t)
		if was == is {
			a.Notes = append(a.Notes, vanished(before[i], t)...)
			continue
		}
		for k := range t.Len() {
			if at := stored(t, k); is.Ints[at] != was.Ints[at] {
				a.Relabeled++
			}
		}
	}
	return a
}
