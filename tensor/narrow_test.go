package tensor

import (
	"math"
	"reflect"
	"strings"
	"testing"
)

// Numbers whose halves are known by hand: 1, the smallest and largest, ties, infinity.
func TestAs(t *testing.T) {
	inf := float32(math.Inf(1))
	x := Vector[float32](1, -2, 0x1p-24, 65504, 1+0x1p-11, 1+0x3p-11, inf, 0x1p-26)
	half, err := x.As(Float16)
	if err != nil || !reflect.DeepEqual(half.Data, []uint16{0x3c00, 0xc000, 1, 0x7bff, 0x3c00, 0x3c02, 0x7c00, 0}) {
		t.Fatalf("%x, %v", half.Data, err)
	}
	brain, err := Vector[float32](1, -2, 1+0x1p-8, 1+0x3p-8, inf).As(BFloat16)
	if err != nil || !reflect.DeepEqual(brain.Data, []uint16{0x3f80, 0xc000, 0x3f80, 0x3f82, 0x7f80}) {
		t.Fatalf("%x, %v", brain.Data, err)
	}
	back, err := half.As(Float64)
	if err != nil || !reflect.DeepEqual(back.Data, []float64{1, -2, 0x1p-24, 65504, 1, 1 + 0x1p-9, math.Inf(1), 0}) {
		t.Errorf("%v, %v", back.Data, err)
	}
	if y, err := x.As(Float32); y != x || err != nil {
		t.Error("its own type is another tensor")
	}
	if y, err := Vector(float32(math.NaN())).As(Float16); err != nil || !math.IsNaN(y.float(0)) {
		t.Errorf("not a number became %v, %v", y, err)
	}
	for _, c := range []struct {
		x    *Tensor
		d    DType
		want string
	}{
		{Vector[float32](0, 65520), Float16, "element 1"},
		{Vector[float32](0, -math.MaxFloat32), BFloat16, "element 1"},
		{Vector(1e39), Float32, "element 0"},
		{Vector[int64](1), Float32, "floating"},
		{Vector[float32](1), Int8, "floating"},
	} {
		if y, err := c.x.As(c.d); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v as %v is %v, %v", c.x.Data, c.d, y, err)
		}
	}
}

// Every number of 16 bits comes back as it was, by ToFloat32 too.
func TestAsInverts(t *testing.T) {
	for _, d := range []DType{Float16, BFloat16} {
		x := New(d, 1<<16)
		for i := range 1 << 16 {
			x.Data.([]uint16)[i] = uint16(i)
		}
		wide, err := x.ToFloat32()
		if err != nil {
			t.Fatal(err)
		}
		y, err := wide.As(d)
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range y.Data.([]uint16) {
			if f := wide.F32()[i]; f == f && v != uint16(i) || f != f && !math.IsNaN(y.float(i)) {
				t.Fatalf("%v: bits %x became %x", d, i, v)
			}
		}
	}
}
