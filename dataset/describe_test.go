package dataset

import (
	"math"
	"slices"
	"testing"
)

func TestDescribe(t *testing.T) {
	nan := float32(math.NaN())
	s := New("", &Field{Name: "x", Shape: []int{2}, Floats: []float32{-1, 3, nan, 4, 2, float32(math.Inf(1))}},
		&Field{Name: "m", Shape: []int{3}, Classes: 3, Names: []string{"a", "b", "c"}, Ints: []int32{0, 2, -1, 2, 2, 2, 0, 0, 0}},
		&Field{Name: "b", Shape: []int{1}, Bytes: []uint8{7, 8, 9}})
	d, err := s.First(2).Describe()
	if err != nil {
		t.Fatal(err)
	}
	x, m, b := d[0], d[1], d[2]
	if x.Values != 4 || x.NaN != 1 || x.Infinite != 0 || x.Least != -1 || x.Most != 4 || x.Mean != 2 || math.Abs(x.Spread-math.Sqrt(14./3)) > 1e-12 || x.Type != "numbers" {
		t.Errorf("%+v", x)
	}
	if !slices.Equal(m.Counts, []int{1, 0, 4}) || m.None != 1 || m.First[0] != "a c -1" || m.Type != "classes" {
		t.Errorf("%+v", m)
	}
	if b.Least != 7 || b.Most != 8 || b.Type != "bytes" || b.First[1] != "8" {
		t.Errorf("%+v", b)
	}
	if d, err = s.Describe(); err != nil || d[0].Infinite != 1 || len(d[0].First) != 3 {
		t.Errorf("%+v, %v", d[0], err)
	}
}
