package dataset

import (
	"fmt"
	"math"
)

// Check returns an error where a set cannot feed a network of the given input
// shape (without the batch) and number of outputs.
func (s *Set) Check(input []int, classes int) error {
	if s.Len() == 0 {
		return fmt.Errorf("the %s set is empty", s.Name)
	}
	n := 1
	for _, d := range input {
		n *= d
	}
	flat := len(input) == 1 || len(s.X().Shape) == 1
	same := len(input) == len(s.X().Shape)
	for i := range input {
		same = same && input[i] == s.X().Shape[i]
	}
	if !same && !(flat && n == s.X().Size()) {
		return fmt.Errorf("the network takes samples of shape %v, the %s set has %v%s", input, s.Name, s.X().Shape, s.shapeHint(input))
	}
	if y := s.class(); y != nil && classes > 0 && y.Classes > classes {
		return fmt.Errorf("the %s set has %d classes, the network %d outputs%s", s.Name, y.Classes, classes, s.classHint())
	}
	return s.Sound()
}

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
					return fmt.Errorf("field %q of sample %d of the %s set has a NaN or infinity", f.Name, i, s.Name)
				}
			}
		}
	}
	return nil
}

// shapeHint is how samples may come to fit a network's input, where there is an
// option for it.
func (s *Set) shapeHint(input []int) string {
	if len(input) != 3 || len(s.X().Shape) != 3 {
		return ""
	}
	switch {
	case s.X().Bytes != nil && s.X().Shape[0] == 1 && input[0] == 3:
		return " (channels=3 makes three channels of gray images, in kinds of data that have the option)"
	case s.X().Bytes != nil && s.X().Shape[0] == 3 && input[0] == 1:
		return " (channels=1 makes images gray, in kinds of data that have the option)"
	}
	return ""
}

// classHint is how classes may come to fit a network's outputs.
func (s *Set) classHint() string {
	y := s.class()
	if y == nil {
		return ""
	}
	for _, l := range y.Ints {
		if l == 0 {
			return ""
		}
	}
	return ": no sample has class 0; where classes are counted from 1, base=1 says so"
}

// CheckWhole returns an error where a field cannot feed a network of whole numbers:
// classes, tokens and bytes can, and numbers that are whole.
func (s *Set) CheckWhole(f *Field) error {
	for i, v := range f.Floats {
		if !whole(v) {
			return fmt.Errorf("the network takes whole numbers, and value %v of sample %d of the %s set is none", v, i/f.Size(), s.Name)
		}
	}
	return nil
}
