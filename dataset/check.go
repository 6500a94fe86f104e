package dataset

import (
	"fmt"
	"math"
)

// Sound returns an error where fields do not go together, a class is outside its
// classes, or a number is not finite. What memory does not hold of a stream is looked
// at when it is read.
func (s *Set) Sound() error {
	if s.Len() == 0 {
		return fmt.Errorf("the %s set is empty", s.Name)
	}
	n := s.stored()
	for _, f := range s.Fields {
		if s.Stream != nil && !f.Held() {
			continue
		}
		if f.stored() != n {
			return fmt.Errorf("field %q of the %s set has %d samples, %q has %d", f.Name, s.Name, f.stored(), s.X().Name, n)
		}
		size := f.Size()
		for i := range s.Len() {
			at := s.at(i)
			if f.Classes > 0 {
				for _, l := range f.Ints[at*size : (at+1)*size] {
					if int(l) >= f.Classes || l < 0 && size == 1 {
						return fmt.Errorf("label %d of sample %d of the %s set is outside its %d classes", l, i, s.Name, f.Classes)
					}
				}
			}
			if f.Floats == nil {
				continue
			}
			for _, v := range f.Floats[at*size : (at+1)*size] {
				if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
					return fmt.Errorf("field %q of sample %d of the %s set has a NaN or infinity: fill it, or leave the sample out (drop=%[1]s leaves the field out)", f.Name, i, s.Name)
				}
			}
		}
	}
	return nil
}

// ShapeHint is how a field's samples may come to have another shape, where there is an
// option for it; "" where there is none.
func (f *Field) ShapeHint(want []int) string {
	switch {
	case f.Tokens > 0 && len(want) == 1:
		return fmt.Sprintf(" (length=%d makes texts as long)", want[0])
	case f.Bytes == nil || len(want) != 3 || len(f.Shape) != 3:
	case f.Shape[1] != want[1] || f.Shape[2] != want[2]:
		return fmt.Sprintf(" (resize=%dx%d makes images of one size, in kinds of data that have the option)", want[1], want[2])
	case f.Shape[0] == 1 && want[0] == 3:
		return " (channels=3 makes three channels of gray images, in kinds of data that have the option)"
	case f.Shape[0] == 3 && want[0] == 1:
		return " (channels=1 makes images gray, in kinds of data that have the option)"
	}
	return ""
}

// ClassHint is how a field's classes may come to be fewer than want; "" where no option
// makes them so.
func (f *Field) ClassHint(want int) string {
	least, over, last := f.Classes, map[int32]bool{}, int32(0)
	for _, l := range f.Ints {
		if l >= 0 {
			least = min(least, int(l))
		}
		if int(l) >= want {
			over[l], last = true, l
		}
	}
	switch {
	case least > 0 && f.Classes-want <= least && len(f.Ints) > 0:
		return fmt.Sprintf(": no sample has a class below %d; where classes are counted from %[1]d, base=%[1]d says so", least)
	case len(f.Shape) > 0 && len(over) == 1:
		return fmt.Sprintf(": where %d stands for places that do not count, ignore=%[1]d says so, beside the data", last)
	}
	return ""
}

// CheckWhole returns an error where a field cannot feed a network of whole numbers:
// classes, tokens and bytes can, and numbers that are whole.
func (s *Set) CheckWhole(f *Field) error {
	for i, v := range f.Floats {
		if !whole(v) {
			return fmt.Errorf("the network takes whole numbers, and field %q of sample %d of the %s set has %v", f.Name, i/f.Size(), s.Name, v)
		}
	}
	return nil
}
