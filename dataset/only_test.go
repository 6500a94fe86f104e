package dataset

import (
	"slices"
	"testing"
)

// Samples of other classes go, the classes are numbered anew, and what they are called goes
// with them; the set itself stays as it was.
func TestOnly(t *testing.T) {
	y := &Field{Name: "label", Classes: 4, Names: []string{"a", "b", "c", "d"}, Ints: []int32{0, 1, 2, 3, 2, -1, 0}}
	s := New("training", &Field{Name: "x", Shape: []int{1}, Floats: []float32{0, 1, 2, 3, 4, 5, 6}}, y)
	part, err := s.Pick([]int32{0, 2, 3, 4, 5})
	if err != nil {
		t.Fatal(err)
	}
	o, err := part.Only([]int32{2, 0})
	if err != nil || !slices.Equal(o.Index, []int32{0, 2, 4}) {
		t.Fatalf("%v, %v", o, err)
	}
	if z := o.Class(); z.Classes != 2 || !slices.Equal(z.Names, []string{"c", "a"}) || o.Label(0) != 1 || o.Label(1) != 0 || o.Label(2) != 0 {
		t.Errorf("%+v", z)
	}
	if s.Label(2) != 2 || s.Class() != y {
		t.Error("the set was changed")
	}
	if all, err := s.Only([]int32{0, 1, 2, 3}); err != nil || all != s {
		t.Errorf("all classes are another set: %v", err)
	}
	if more, err := s.Only([]int32{0, 1, 2, 3, 9}); err != nil || more.Class().Classes != 5 || more.Len() != 6 {
		t.Errorf("%v, %v", more, err)
	}
	if none, err := part.Only([]int32{1}); err != nil || none.Len() != 0 {
		t.Errorf("%v, %v", none, err)
	}
	for _, bad := range [][]int32{{0, 0}, {maxClass + 1}, {-1}} {
		if _, err := s.Only(bad); err == nil {
			t.Errorf("%v is taken", bad)
		}
	}
	if _, err := New("training", s.X()).Only([]int32{0}); err == nil {
		t.Error("samples without classes are taken")
	}
}
