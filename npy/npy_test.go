package npy

import (
	"archive/zip"
	"bytes"
	"io"
	"reflect"
	"strings"
	"testing"

	"pare/internal/hostile"
	"pare/tensor"
)

func TestRoundTrip(t *testing.T) {
	for d := tensor.Float32; d <= tensor.BFloat16; d++ {
		for _, shape := range [][]int{{}, {0}, {5}, {2, 3}, {1, 2, 3, 1}} {
			if !d.Valid() {
				continue
			}
			x := tensor.New(d, shape...)
			b, err := Encode(x)
			if d == tensor.String || d == tensor.BFloat16 {
				if err == nil {
					t.Errorf("%v was written", d)
				}
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			y, err := Decode(b)
			if err != nil || !reflect.DeepEqual(x, y) {
				t.Errorf("%v became %v (%v)", x, y, err)
			}
		}
	}
}

// What NumPy 2 writes for np.save(f, np.float32([[1, 2]])).
func TestDecode(t *testing.T) {
	b := append([]byte("\x93NUMPY\x01\x00v\x00{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }"), bytes.Repeat([]byte(" "), 58)...)
	b = append(b, "\n\x00\x00\x80?\x00\x00\x00@"...)
	x, err := Decode(b)
	if err != nil || !reflect.DeepEqual(x, tensor.From([]float32{1, 2}, 1, 2)) {
		t.Errorf("%v %v", x, err)
	}
	if c, err := Encode(x); err != nil || !bytes.Equal(b, c) {
		t.Errorf("%q, want %q (%v)", c, b, err)
	}
}

// Names cannot lead out of the folder that an archive is unpacked in.
func TestNames(t *testing.T) {
	one := tensor.Scalar[float32](1)
	b, err := EncodeAll([]Array{{"../a", one}, {"/a", one}, {`c:\a`, one}, {"", one}, {"x", one}, {"x", one}})
	if err != nil {
		t.Fatal(err)
	}
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range z.File {
		names = append(names, f.Name)
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		c, _ := io.ReadAll(r)
		if _, err := Decode(c); err != nil {
			t.Error(err)
		}
	}
	if want := []string{"_a.npy", "_a_2.npy", "c__a.npy", "_2.npy", "x.npy", "x_2.npy"}; !reflect.DeepEqual(names, want) {
		t.Errorf("%q, want %q", names, want)
	}
}

func FuzzDecode(f *testing.F) {
	for _, x := range []*tensor.Tensor{tensor.Scalar[float32](1), tensor.New(tensor.Int8, 2, 3), tensor.New(tensor.Float64, 0, 4)} {
		b, err := Encode(x)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		hostile.Read(t, len(b), func() error { _, err := Decode(b); return err }) //nolint:errcheck // what it refuses does not matter here
	})
}

// Names with slashes and colons are kept, and one that is changed is no other's.
func TestOtherNames(t *testing.T) {
	one := tensor.Scalar[float32](1)
	for _, c := range []struct{ in, want []string }{
		{[]string{"head/a", "head_a", "dense/BiasAdd:0", "x:0"}, []string{"head/a", "head_a", "dense/BiasAdd:0", "x:0"}},
		{[]string{"../a", "_a", "_a_2"}, []string{"_a_3", "_a", "_a_2"}},
		{[]string{"x", "x", "x_2"}, []string{"x", "x_3", "x_2"}},
		{[]string{"a/../../b", "a//b", "a/", "c:/d", "..", "a\nb"}, []string{"a_.._.._b", "a__b", "a_", "c__d", "_2", "a_b"}},
	} {
		var as []Array
		for _, n := range c.in {
			as = append(as, Array{n, one})
		}
		if got := Names(as); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%q became %q, want %q", c.in, got, c.want)
		}
	}
}

// Arrays in Fortran order and of big-endian numbers are those that NumPy has.
func TestOrders(t *testing.T) {
	file := func(head string, data ...byte) []byte {
		return append(append([]byte("\x93NUMPY\x01\x00"), byte(len(head)), 0), append([]byte(head), data...)...)
	}
	for _, c := range []struct {
		b    []byte
		want *tensor.Tensor
	}{
		{file("{'descr': '>i2', 'fortran_order': False, 'shape': (2,), }", 1, 2, 0, 5), tensor.From([]int16{258, 5}, 2)},
		{file("{'descr': '|i1', 'fortran_order': True, 'shape': (2, 3), }", 1, 2, 3, 4, 5, 6), tensor.From([]int8{1, 3, 5, 2, 4, 6}, 2, 3)},
		{file("{'descr': '>i2', 'fortran_order': True, 'shape': (2, 2), }", 0, 1, 0, 2, 0, 3, 0, 4), tensor.From([]int16{1, 3, 2, 4}, 2, 2)},
		{file("{'descr': '|i1', 'fortran_order': True, 'shape': (1, 2, 2, 2), }", 0, 1, 2, 3, 4, 5, 6, 7), tensor.From([]int8{0, 4, 2, 6, 1, 5, 3, 7}, 1, 2, 2, 2)},
	} {
		if got, err := Decode(c.b); err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%v (%v), want %v", got, err, c.want)
		}
	}
	for head, want := range map[string]string{
		"{'descr': '|O', 'fortran_order': False, 'shape': (2,), }":                         "objects",
		"{'descr': '<U7', 'fortran_order': False, 'shape': (2,), }":                        "texts",
		"{'descr': '<f16', 'fortran_order': False, 'shape': (2,), }":                       "float32",
		"{'descr': [('a', '<f4'), ('b', '<i8')], 'fortran_order': False, 'shape': (2,), }": "fields",
		"{'descr': '|V2', 'fortran_order': False, 'shape': (2,), }":                        "bfloat16",
		"{'descr': '', 'fortran_order': False, 'shape': (2,), }":                           "fields",
		"{'descr': '<f4', 'fortran_order': Perhaps, 'shape': (2,), }":                      "understood",
	} {
		if _, err := Decode(file(head)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want something with %q", head, err, want)
		}
	}
}
