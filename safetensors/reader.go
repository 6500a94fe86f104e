package safetensors

import (
	"fmt"
	"slices"

	"pare/internal/mapped"
	"pare/tensor"
	"pare/weights"
)

// Reader is a file, or a folder of files, that is open: what its tensors are is known,
// their elements are read when they are asked for. Any number of goroutines may read at
// once.
type Reader struct {
	Meta map[string]string // of the first file

	names []string
	at    map[string]place
	files []*mapped.File
}

var _ weights.Reader = (*Reader)(nil)

// place says where a tensor lies.
type place struct {
	entry
	file int
	data int // where the data of its file begin
}

// Open opens a file and reads its header alone.
func Open(path string) (*Reader, error) {
	r := &Reader{at: map[string]place{}}
	meta, err := r.add(path)
	if err != nil {
		r.Close()
		return nil, err
	}
	r.Meta = meta
	return r, nil
}

// add opens a further file.
func (r *Reader) add(path string) (map[string]string, error) {
	f, err := mapped.Open(path)
	if err != nil {
		return nil, err
	}
	r.files = append(r.files, f)
	first, err := f.Bytes(0, min(8, f.Size()))
	if err != nil {
		return nil, err
	}
	n, err := headerSize(first, f.Size())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	head, err := f.Bytes(8, n)
	if err != nil {
		return nil, err
	}
	entries, meta, err := layout(head, f.Size()-8-n)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	for _, e := range entries {
		if before, ok := r.at[e.Name]; ok {
			return nil, fmt.Errorf("tensor %q is both in %s and in %s: remove the file that does not belong to the others", e.Name, r.files[before.file].Path(), path)
		}
		r.names = append(r.names, e.Name)
		r.at[e.Name] = place{e, len(r.files) - 1, 8 + n}
	}
	return meta, nil
}

// Names are the tensors' names, in the order of the files and of their data.
func (r *Reader) Names() []string { return slices.Clone(r.names) }

// Info is the type and the shape of a tensor; false where there is none of the name.
func (r *Reader) Info(name string) (d tensor.DType, shape []int, ok bool) {
	p, ok := r.at[name]
	return p.DType, slices.Clone(p.Shape), ok
}

// Read gives a tensor as it is stored; [tensor.Tensor.As] converts it. Where the system and
// the tensor's type allow that, it is a view of the file: its elements come from the disk
// when they are used, and it must not be used after Close (a Clone may). What is
// written to a view is seen by every view of the tensor and never reaches the file. It
// returns an error for a name that there is not, and where the file was changed since
// it was opened.
func (r *Reader) Read(name string) (*tensor.Tensor, error) { return r.read(name, tensor.View) }

// copy gives a tensor in memory of its own.
func (r *Reader) copy(name string) (*tensor.Tensor, error) { return r.read(name, tensor.FromRaw) }

func (r *Reader) read(name string, take func([]byte, tensor.DType, ...int) (*tensor.Tensor, error)) (*tensor.Tensor, error) {
	p, ok := r.at[name]
	if !ok {
		return nil, fmt.Errorf("there is no tensor %q", name)
	}
	b, err := r.files[p.file].Bytes(p.data+p.begin, p.end-p.begin)
	if err != nil {
		return nil, fmt.Errorf("tensor %q: %w", name, err)
	}
	t, err := take(b, p.DType, p.Shape...)
	if err != nil {
		return nil, fmt.Errorf("tensor %q: %w", name, err)
	}
	return t, nil
}

// Close closes the files: views must not be used any more.
func (r *Reader) Close() error {
	var err error
	for _, f := range r.files {
		if e := f.Close(); err == nil {
			err = e
		}
	}
	return err
}
