package gguf

import (
	"fmt"

	"pare/tensor"
)

// Read gives a tensor as float32: what is quantised, and numbers of 16 bits, in memory of
// its own. F32 comes as a view where the system allows that: its elements come from the
// disk when they are used, what is written to it never reaches the file, and it must
// not be used after Close. F64 and whole numbers come as they are stored. It returns an
// error for a name that there is not, for a type that is not decoded, by name, and where
// the file was changed since it was opened.
func (f *File) Read(name string) (*tensor.Tensor, error) {
	t, b, err := f.bytes(name)
	if err != nil {
		return nil, err
	}
	return t.decode(b)
}

// decode gives the tensor of the blocks b.
func (t Tensor) decode(b []byte) (*tensor.Tensor, error) {
	l := layouts[t.Type]
	if l.stored != tensor.Undefined {
		x, err := tensor.View(b, l.stored, t.Shape...)
		if err == nil && t.Type.reads() != l.stored {
			x, err = x.As(t.Type.reads())
		}
		return x, err
	}
	if l.decode == nil {
		return nil, fmt.Errorf("tensor %q is of type %v, which is not decoded: take the model in one of F32, F16, BF16, Q8_0, Q4_0 to Q5_1 or Q2_K to Q6_K", t.Name, t.Type)
	}
	out := tensor.New(tensor.Float32, t.Shape...)
	for i, y := 0, out.F32(); i < len(y); i += l.block {
		l.decode(b[i/l.block*l.size:][:l.size], y[i:i+l.block])
	}
	return out, nil
}

// Stored gives a tensor that is not quantised in the type in which it is stored, as a view
// where the system allows that: see Read.
func (f *File) Stored(name string) (*tensor.Tensor, error) {
	t, b, err := f.bytes(name)
	if err != nil {
		return nil, err
	}
	l := layouts[t.Type]
	if l.stored == tensor.Undefined {
		return nil, fmt.Errorf("tensor %q is quantised as %v: Read gives it as float32", name, t.Type)
	}
	return tensor.View(b, l.stored, t.Shape...)
}

// bytes are the blocks of a tensor.
func (f *File) bytes(name string) (Tensor, []byte, error) {
	t, ok := f.Tensor(name)
	if !ok {
		return t, nil, fmt.Errorf("there is no tensor %q", name)
	}
	n, err := t.Type.Bytes(t.Shape)
	if err != nil {
		return t, nil, fmt.Errorf("tensor %q: %w", name, err)
	}
	b, err := f.parts[t.Part].Bytes(t.Offset, n)
	if err != nil {
		return t, nil, fmt.Errorf("tensor %q: %w", name, err)
	}
	return t, b, nil
}
