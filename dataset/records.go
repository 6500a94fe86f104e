package dataset

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"pare/npy"
)

// errLabel says that labels are not one class for each sample: then they are a field
// like others.
type errLabel struct{ error }

func (e errLabel) Unwrap() error { return e.error }

// namedArray is an array with the name of the field that it becomes.
type namedArray struct {
	field string
	*npyFile
}

// record makes a set of arrays whose first axis counts the samples.
func (d *Data) record(of []namedArray, layout string) (*Set, error) {
	if len(of) == 0 {
		return nil, errors.New("there are no arrays of samples")
	}
	for i, a := range of {
		if k := slices.IndexFunc(of[:i], func(b namedArray) bool { return b.field == a.field }); k >= 0 {
			return nil, fmt.Errorf("%s and %s would both be field %q", of[k].name, a.name, a.field)
		}
		if len(a.Shape) == 0 || a.Count == 0 {
			return nil, fmt.Errorf("%s has shape %v: the first axis counts the samples (drop=%s leaves it out)", a.name, a.Shape, a.field)
		}
		if n := of[0].Shape[0]; a.Shape[0] != n {
			return nil, fmt.Errorf("%s has %d samples (shape %v), %s has %d (shape %v): the first axis counts them (drop=%s leaves an array out)", a.name, a.Shape[0], a.Shape, of[0].name, n, of[0].Shape, a.field)
		}
	}
	s := New("")
	for _, a := range of {
		b, err := a.load()
		if err != nil {
			return nil, err
		}
		v, err := decodeNPY(b)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", a.name, err)
		}
		f, err := v.field(a.field)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", a.name, err)
		}
		s.Fields = append(s.Fields, f)
	}
	d.guessClasses(s, "arrays")
	slices.SortStableFunc(s.Fields, func(a, b *Field) int { return min(1, a.Classes) - min(1, b.Classes) }) // samples first
	for _, f := range s.Fields {
		d.layOut(f, layout)
	}
	return s, nil
}

// field makes a field of an array: whole numbers of 32 bits stay whole, larger ones
// become numbers where none is changed by it.
func (a *array) field(name string) (*Field, error) {
	f := &Field{Name: name, Shape: slices.Clone(a.shape[1:]), Bytes: a.bytes, Floats: a.floats}
	if a.ints == nil {
		return f, nil
	}
	return f, f.setInts(a.ints)
}

// setInts holds whole numbers.
func (f *Field) setInts(v []int64) error {
	f.Ints = make([]int32, len(v))
	for i, x := range v {
		if x < math.MinInt32 || x > math.MaxInt32 {
			f.Ints = nil
			break
		}
		f.Ints[i] = int32(x)
	}
	if f.Ints != nil {
		return nil
	}
	var at int
	if f.Floats, at = exact(v); at >= 0 {
		return fmt.Errorf("value %d of sample %d has more than 32 bits, and no number of 32 bits is equal to it: number what it stands for from 0, or leave it out by drop=%s", v[at], at/max(1, f.Size()), f.Name)
	}
	return nil
}

// layOut puts the channels of images first: those of bytes that look like it, and all
// where the layout is given.
func (d *Data) layOut(f *Field, layout string) {
	k := f.Shape
	if !f.image() || layout == "nchw" {
		return
	}
	last := (k[2] == 1 || k[2] == 3) && k[0] != 1 && k[0] != 3
	switch {
	case layout == "nhwc" || last && f.Bytes != nil:
		New("", f).channelsFirst()
		if layout == "" {
			d.note("field %q: samples of shape %v have their channels last: they became %v (layout=nchw leaves them)", f.Name, k, f.Shape)
		}
	case last:
		d.note("field %q: samples of shape %v are left so (layout=nhwc: they are images whose channels are last)", f.Name, k)
	}
}

// recordNorm scales images of bytes to 0..1; other fields stay as they are.
func (d *Data) recordNorm() {
	d.Norm, d.NormName = Raw, "none"
	if s := d.Eval(); s != nil && slices.ContainsFunc(s.Fields, func(f *Field) bool { return f.image() && f.Bytes != nil }) {
		d.Norm, d.NormName = Unit, "unit"
	}
}

// partWords are what names of arrays and files begin or end with for each part.
var partWords = map[string]string{}

func init() {
	for _, p := range npzParts {
		for _, w := range p.words {
			if w != "" {
				partWords[w] = p.part
			}
		}
	}
}

// splitName divides the name of an array into a part and what it is called in it:
// NAME_test, test_NAME, test/NAME. No part: it is of all.
func splitName(name string) (part, field string) {
	words := strings.FieldsFunc(name, func(r rune) bool { return strings.ContainsRune("_-./ ", r) })
	if len(words) < 2 {
		return "", name
	}
	if p := partWords[strings.ToLower(words[0])]; p != "" {
		return p, name[len(words[0])+1:]
	}
	last := words[len(words)-1]
	if p := partWords[strings.ToLower(last)]; p != "" && strings.HasSuffix(name, last) {
		return p, name[:len(name)-len(last)-1]
	}
	return "", name
}

// byParts divides names of arrays into parts; names of none are of the training set,
// or are left out where it has names of its own.
func byParts(names []string) (parts map[string][][2]string, left []string) {
	parts = map[string][][2]string{}
	var bare []string
	for _, n := range names {
		if p, field := splitName(n); p != "" {
			parts[p] = append(parts[p], [2]string{field, n})
		} else {
			bare = append(bare, n)
		}
	}
	if parts["train"] != nil {
		return parts, bare
	}
	for _, n := range bare {
		parts["train"] = append(parts["train"], [2]string{n, n})
	}
	return parts, nil
}

// leftOutArray says whether an array holds no numbers, or no samples.
func leftOutArray(h *npyFile, err error) (why string, out bool) {
	var t *npy.TypeError
	switch {
	case errors.As(err, &t):
		return t.Error() + advice(t), true
	case err == nil && len(h.Shape) == 0:
		return "it is a single number", true
	}
	return "", false
}
