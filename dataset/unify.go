package dataset

import (
	"fmt"
	"slices"
	"strings"
)

// unify has the sets agree on what a field holds: whole numbers become numbers where
// another set has such, and classes numbers where another has some that are none.
func (d *Data) unify() error {
	sets := d.sets()
	for _, s := range sets[1:] {
		s.order(sets[0])
	}
	for _, f := range sets[0].Fields {
		var same []*Field
		plain, floats, classes := false, false, false
		for _, s := range sets {
			g := s.Field(f.Name)
			if g == nil || s.Stream != nil || g.spelled != nil {
				same = nil
				break
			}
			same = append(same, g)
			classes, plain = classes || g.Classes > 0, plain || g.Classes == 0
			floats = floats || g.Floats != nil
		}
		if len(same) < 2 {
			continue
		}
		if classes && plain {
			d.note("field %q holds classes in one set, and numbers that are none in another: it is taken for numbers", f.Name)
		}
		for i, g := range same {
			if plain {
				g.Classes = 0
			}
			if !floats || g.Ints == nil {
				continue
			}
			var at int
			if g.Floats, at = exact(g.Ints); at >= 0 {
				return fmt.Errorf("field %q of the %s set has the value %d, which is too large to be held exactly as a number: another set has numbers that are not whole", f.Name, sets[i].Name, g.Ints[at])
			}
			g.Ints = nil
		}
	}
	return nil
}

// order puts the fields in the order of another set's.
func (s *Set) order(as *Set) {
	if s.Stream != nil {
		return
	}
	at := func(f *Field) int {
		return slices.IndexFunc(as.Fields, func(g *Field) bool { return g.Name == f.Name })
	}
	slices.SortStableFunc(s.Fields, func(a, b *Field) int { return at(a) - at(b) })
}

// exact are whole numbers as floats; at is the place of one that none is equal to, -1
// where there is none.
func exact[T int32 | int64](ints []T) (out []float32, at int) {
	out = make([]float32, len(ints))
	for i, v := range ints {
		if out[i] = float32(v); float64(out[i]) != float64(v) || int64(out[i]) != int64(v) {
			return nil, i
		}
	}
	return out, -1
}

// guessClasses has fields of whole numbers hold classes that are named as such: one
// number a sample, or one for each place of images beside it.
func (d *Data) guessClasses(s *Set, what string) {
	for _, f := range s.Fields {
		switch {
		case f.Classes > 0 || f.spelled != nil || f.Floats != nil:
		case f.Size() == 1:
			if !isTarget(f.Name) {
				continue
			}
			if err := s.toClasses(f); err != nil {
				d.note("%s: field %q is taken for numbers, not for classes: %v", what, f.Name, err)
			}
		case isMask(f.Name) && s.beside(f):
			if len(f.Shape) == 3 {
				f.Shape = f.Shape[1:]
			}
			if err := s.toClasses(f); err != nil || f.Classes > maxShades {
				f.Classes = 0
				continue
			}
			d.note("%s: field %q has a class for each place of the images beside it (plain=%[2]s: numbers that are none)", what, f.Name)
		}
	}
}

// maxShades bounds the classes of masks that are not said to be such.
const maxShades = 1 << 16

// isTarget says whether a name is one of classes.
func isTarget(name string) bool { return slices.Contains(targets, plainName(name)) }

// maskNames are names of classes of places.
var maskNames = strings.Fields("mask masks label labels class classes annotation annotations annots seg segmentation segmentations segmentationclass")

func isMask(name string) bool { return slices.Contains(maskNames, plainName(name)) }

// beside says whether a field has a number for each place of images.
func (s *Set) beside(f *Field) bool {
	k := f.Shape
	if len(k) == 3 && k[0] == 1 {
		k = k[1:]
	}
	return len(k) == 2 && slices.ContainsFunc(s.Fields, func(g *Field) bool {
		return g != f && g.image() && slices.Equal(g.Shape[1:], k)
	})
}
