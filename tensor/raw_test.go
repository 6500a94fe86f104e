package tensor

import (
	"bytes"
	"reflect"
	"testing"
)

// Numbers of 4 bits lie two in a byte, the first in the low bits; the last one may be
// alone.
func TestFourBits(t *testing.T) {
	for _, c := range []struct {
		d    DType
		raw  []byte
		want any
	}{
		{Int4, []byte{0x98, 0x7f, 0x03}, []int8{-8, -7, -1, 7, 3}},
		{Uint4, []byte{0x98, 0x7f, 0x03}, []uint8{8, 9, 15, 7, 3}},
		{Int4, []byte{0x10}, []int8{0, 1}},
	} {
		n := reflect.ValueOf(c.want).Len()
		x, err := FromRaw(c.raw, c.d, n)
		if err != nil || !reflect.DeepEqual(x.Data, c.want) || x.Bytes() != len(c.raw) {
			t.Fatalf("%v: %v, %v", c.d, x, err)
		}
		if !bytes.Equal(x.Raw(), c.raw) {
			t.Errorf("%v: %x, want %x", c.d, x.Raw(), c.raw)
		}
		y, err := ReadRaw(bytes.NewReader(c.raw), c.d, n)
		if err != nil || !reflect.DeepEqual(y.Data, c.want) {
			t.Errorf("%v: %v, %v", c.d, y, err)
		}
		for _, wrong := range []int{n + 2, n - 2} {
			if _, err := FromRaw(c.raw, c.d, max(0, wrong)); err == nil {
				t.Errorf("%v: %d bytes hold %d numbers", c.d, len(c.raw), wrong)
			}
		}
	}
	long := New(Int4, piece+3) // more than is written at a time
	for i := range Of[int8](long) {
		Of[int8](long)[i] = int8(i%16) - 8
	}
	var b bytes.Buffer
	if err := long.WriteRaw(&b); err != nil || !bytes.Equal(b.Bytes(), long.Raw()) {
		t.Errorf("%v, %d bytes, want %d", err, b.Len(), long.Bytes())
	}
	back, err := ReadRaw(&b, Int4, piece+3)
	if err != nil || !reflect.DeepEqual(back.Data, long.Data) {
		t.Errorf("what was written in pieces reads back as something else: %v", err)
	}
}

// Elements are read and written the same where memory holds them as files do and where
// it does not.
func TestRaw(t *testing.T) {
	defer func(was bool) { little = was }(little)
	for d := range DType(len(storages)) {
		if d.Size() == 0 {
			continue
		}
		const n = 37
		raw := make([]byte, d.Bytes(n))
		for i := range raw {
			raw[i] = byte(151*i + 11)
			if d == Bool {
				raw[i] &= 1
			}
		}
		if d.Bits() == 4 {
			raw[len(raw)-1] &= 15
		}
		want, err := FromRaw(raw, d, n)
		if err != nil {
			t.Fatal(err)
		}
		for _, as := range []bool{little, false} {
			little = as
			var b bytes.Buffer
			x, err := ReadRaw(bytes.NewReader(raw), d, n)
			if err != nil || !bytes.Equal(x.Raw(), raw) || !bytes.Equal(want.Raw(), raw) || x.WriteRaw(&b) != nil || !bytes.Equal(b.Bytes(), raw) {
				t.Errorf("%v, as in memory %v: %x, %v, want %x", d, as, x.Raw(), err, raw)
			}
			if _, err := ReadRaw(bytes.NewReader(raw[:len(raw)-1]), d, n); err == nil {
				t.Errorf("%v: a reader that ends early", d)
			}
		}
	}
}
