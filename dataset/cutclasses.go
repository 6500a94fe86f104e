package dataset

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"pare/npy"
	"pare/tensor"
)

// classArray says whether an array, one of those of a set by their names, holds the classes: it
// is called as their field is, or the second of samples and labels.
func (k *keeping) classArray(name string, all []string) bool {
	field := func(name string) string {
		_, f := splitName(name)
		return f
	}
	called := slices.IndexFunc(all, func(n string) bool { return field(n) == k.field })
	if called < 0 && len(all) == 2 {
		called = 1
	}
	return called >= 0 && all[called] == name
}

// classFile says the same of the file of an array.
func (k *keeping) classFile(path string) bool {
	bare := func(path string) string {
		return strings.TrimSuffix(strings.TrimSuffix(filepath.Base(path), ".gz"), ".npy")
	}
	var all []string
	for _, f := range k.Files {
		all = append(all, bare(f))
	}
	return k.classArray(bare(path), all)
}

// classChange changes classes that stand in an array: whole numbers, or rows with a 1 in the place of
// the class. nil: none changes.
func (k *keeping) classChange(h npy.Header) (func(n int, b []byte) error, error) {
	if len(k.class) == 0 {
		return nil, nil
	}
	size := h.DType.Size()
	row := h.Count / h.Shape[0]
	if h.Fortran && row > 1 {
		return nil, fmt.Errorf("labels of shape %v in Fortran order are not changed where they stand: write an .npz file of the samples", h.Shape)
	}
	number := func(y int32) ([]byte, error) {
		b, ok := wholeIn(h.DType, int64(y))
		if !ok {
			return nil, fmt.Errorf("class %d is no %v: write an .npz file of the samples", y, h.DType)
		}
		if h.Big {
			slices.Reverse(b)
		}
		return b, nil
	}
	put := func(b []byte, y int32) error {
		is, err := number(y)
		copy(b, is)
		return err
	}
	if row > 1 {
		put = func(b []byte, y int32) error {
			if int(y) >= row {
				return fmt.Errorf("class %d has no place in labels of shape %v: write an .npz file of the samples", y, h.Shape)
			}
			one, err := number(1)
			clear(b)
			copy(b[int(y)*size:], one)
			return err
		}
	}
	had := make([]byte, row*size)
	return func(n int, b []byte) error {
		y, ok := k.class[n]
		if !ok {
			return nil
		}
		clear(had)
		if err := put(had, k.was[n]); err != nil {
			return err
		}
		if !slices.Equal(had, b) {
			return fmt.Errorf("the label of sample %d does not stand there as class %d, which was read: write an .npz file of the samples", n, k.was[n])
		}
		return put(b, y)
	}, nil
}

// wholeIn gives the bytes of a whole number in a type, the lowest first, where the type has it.
func wholeIn(of tensor.DType, v int64) ([]byte, bool) {
	var t *tensor.Tensor
	switch of {
	case tensor.Bool:
		t = tensor.Scalar(v != 0)
	case tensor.Uint8:
		t = tensor.Scalar(uint8(v))
	case tensor.Int8:
		t = tensor.Scalar(int8(v))
	case tensor.Int16:
		t = tensor.Scalar(int16(v))
	case tensor.Int32:
		t = tensor.Scalar(int32(v))
	case tensor.Int64:
		t = tensor.Scalar(v)
	case tensor.Uint32:
		t = tensor.Scalar(uint32(v))
	case tensor.Uint64:
		t = tensor.Scalar(uint64(v))
	case tensor.Uint16:
		t = tensor.New(of)
		t.Data.([]uint16)[0] = uint16(v)
	default:
		var err error
		if t, err = tensor.Scalar(float64(v)).As(of); err != nil {
			return nil, false
		}
	}
	if back, err := t.Float64s(); err != nil || back[0] != float64(v) {
		return nil, false
	}
	return t.Raw(), true
}
