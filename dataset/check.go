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
	flat := len(input) == 1 || len(s.Shape) == 1
	same := len(input) == len(s.Shape)
	for i := range input {
		same = same && input[i] == s.Shape[i]
	}
	if !same && !(flat && n == s.Size()) {
		return fmt.Errorf("the network takes samples of shape %v, the %s set has %v%s", input, s.Name, s.Shape, s.shapeHint(input))
	}
	if classes > 0 && s.Classes > classes {
		return fmt.Errorf("the %s set has %d classes, the network %d outputs%s", s.Name, s.Classes, classes, s.classHint())
	}
	if s.Tokens == nil {
		for i := range s.Len() {
			if l := s.Label(i); l < 0 || int(l) >= s.Classes || classes > 0 && int(l) >= classes {
				return fmt.Errorf("label %d of sample %d of the %s set is outside its %d classes", l, i, s.Name, s.Classes)
			}
		}
	}
	for i, v := range s.Floats {
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			return fmt.Errorf("sample %d of the %s set has a NaN or infinity", i/s.Size(), s.Name)
		}
	}
	return nil
}

// shapeHint is how samples may come to fit a network's input, where there is an
// option for it.
func (s *Set) shapeHint(input []int) string {
	if len(input) != 3 || len(s.Shape) != 3 {
		return ""
	}
	switch {
	case s.Bytes != nil && s.Shape[0] == 1 && input[0] == 3:
		return " (channels=3 makes three channels of gray images, in kinds of data that have the option)"
	case s.Bytes != nil && s.Shape[0] == 3 && input[0] == 1:
		return " (channels=1 makes images gray, in kinds of data that have the option)"
	}
	return ""
}

// classHint is how classes may come to fit a network's outputs.
func (s *Set) classHint() string {
	for _, l := range s.Labels {
		if l == 0 {
			return ""
		}
	}
	return ": no sample has class 0; where classes are counted from 1, base=1 says so"
}

// CheckTokens returns an error where a set cannot feed a network of whole numbers:
// tokens and bytes can, and numbers that are whole.
func (s *Set) CheckTokens() error {
	for i, v := range s.Floats {
		if v != float32(math.Trunc(float64(v))) || v > 1<<24 || v < -1<<24 {
			return fmt.Errorf("the network takes whole numbers, and value %v of sample %d of the %s set is none", v, i/s.Size(), s.Name)
		}
	}
	return nil
}

// tokens writes a stored sample as whole numbers.
func (s *Set) tokens(at int, to []int64) {
	n := s.Size()
	for j := range to {
		if s.Bytes != nil {
			to[j] = int64(s.Bytes[at*n+j])
		} else {
			to[j] = int64(s.Floats[at*n+j])
		}
	}
}
