package safetensors

import (
	"fmt"

	"pare/tensor"
)

// Decode reads a file from memory; the tensors are copies.
func Decode(b []byte) (*File, error) {
	n, err := headerSize(b, len(b))
	if err != nil {
		return nil, err
	}
	data := b[8+n:]
	entries, meta, err := layout(b[8:8+n], len(data))
	if err != nil {
		return nil, err
	}
	f := &File{Tensors: make(map[string]*tensor.Tensor, len(entries)), Meta: meta}
	for _, e := range entries {
		t, err := tensor.FromRaw(data[e.begin:e.end], e.DType, e.Shape...)
		if err != nil {
			return nil, fmt.Errorf("tensor %q: %w", e.Name, err)
		}
		f.Names = append(f.Names, e.Name)
		f.Tensors[e.Name] = t
	}
	return f, nil
}

// Encode gives the bytes of a file, its tensors in the order of Names. It
// returns an error for strings, which the format cannot hold, and for a name
// without a tensor.
func Encode(f *File) ([]byte, error) {
	infos, err := f.infos()
	if err != nil {
		return nil, err
	}
	head, at, err := encodeHeader(infos, f.Meta)
	if err != nil {
		return nil, err
	}
	out := append(make([]byte, 0, at[len(infos)]), head...)
	for _, name := range f.Names {
		out = append(out, f.Tensors[name].Raw()...)
	}
	return out, nil
}

// infos is what the tensors are, in the order of Names.
func (f *File) infos() ([]Info, error) {
	out := make([]Info, len(f.Names))
	for i, name := range f.Names {
		t := f.Tensors[name]
		if t == nil {
			return nil, fmt.Errorf("the name %q has no tensor", name)
		}
		out[i] = Info{name, t.DType, t.Shape}
	}
	return out, nil
}
