package npy

import (
	"archive/zip"
	"bytes"
	"io"
	"reflect"
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
