package tensor

import (
	"reflect"
	"testing"
)

// A view is what a copy is, for every type, shape and place; where it can be it shares its
// bytes.
func TestView(t *testing.T) {
	defer func(was bool) { anywhere = was }(anywhere)
	for _, anywhere = range []bool{false, anywhere} {
		testViews(t)
	}
	for _, c := range []struct {
		d     DType
		shape []int
	}{{Float32, []int{2}}, {Float32, []int{-1}}, {Float32, []int{1 << 62, 4}}, {String, []int{4}}, {Undefined, []int{4}}, {Float64, []int{1<<61 | 1}}} {
		if x, err := View(make([]byte, 4), c.d, c.shape...); err == nil {
			t.Errorf("4 bytes are %v", x)
		}
	}
}

func testViews(t *testing.T) {
	t.Helper()
	store := make([]byte, 128)
	for i := range store {
		store[i] = byte(i * 37)
	}
	for d := Float32; d <= Int4; d++ {
		if d.Size() == 0 {
			continue
		}
		for at := range 9 {
			for _, shape := range [][]int{{}, {0, 3}, {5}, {2, 3}} {
				n, _ := Size(shape)
				b := store[at : at+d.Bytes(n) : at+d.Bytes(n)]
				x, err := View(b, d, shape...)
				if err != nil {
					t.Fatal(err)
				}
				if y, err := FromRaw(b, d, shape...); err != nil || !reflect.DeepEqual(x, y) {
					t.Errorf("%v at %d: %v, a copy is %v (%v)", d, at, x, y, err)
				}
				if n == 0 || d == Bool || d.Bits() == 4 {
					continue
				}
				b[0] ^= 255
				y, _ := FromRaw(b, d, shape...)
				if shares := reflect.DeepEqual(x.Raw(), y.Raw()); shares != (little && (anywhere || at%d.Size() == 0)) {
					t.Errorf("%v at %d: shares its bytes: %v", d, at, shares)
				}
				b[0] ^= 255
			}
		}
	}
}
