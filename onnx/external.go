package onnx

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"pare/internal/mapped"
	"pare/onnx/onnxpb"
	"pare/tensor"
)

// external is a file of weights next to the model.
type external struct {
	dir, name string // opened within the folder
	size      int64
	left      int64 // bytes that may still be read: tensors may share some, not all
}

// external says where a tensor's n elements are in a file of the model's
// folder, and reads them late.
func (r *reader) external(t *onnxpb.TensorProto, out *tensor.Tensor, n int) error {
	var loc string
	off, length := int64(0), int64(-1)
	for _, e := range t.ExternalData {
		var err error
		switch e.GetKey() {
		case "location":
			loc = e.GetValue()
		case "offset":
			off, err = strconv.ParseInt(e.GetValue(), 10, 64)
		case "length":
			length, err = strconv.ParseInt(e.GetValue(), 10, 64)
		}
		if err != nil {
			return fmt.Errorf("external data: %s %q is not a number", e.GetKey(), e.GetValue())
		}
	}
	f, err := r.file(loc)
	if err != nil {
		return err
	}
	if length < 0 {
		length = f.size - off
	}
	if off < 0 || length < 0 || off > f.size || length > f.size-off {
		return fmt.Errorf("external data: %d bytes at %d are outside %q of %d bytes", length, off, loc, f.size)
	}
	if out.DType.Size() == 0 || int64(n) > 2*length || length != int64(out.DType.Bytes(n)) {
		return fmt.Errorf("external data: %d bytes are not %v of shape %v", length, out.DType, out.Shape)
	}
	if f.left -= length; f.left < 0 {
		return fmt.Errorf("external data: tensors take more bytes than %q has", loc)
	}
	r.late = append(r.late, func() error {
		in, done, err := r.open(f)
		if err != nil {
			return fmt.Errorf("tensor %q: external data: %w", t.GetName(), err)
		}
		defer done()
		return r.read(t.GetName(), out, in, span{off, length})
	})
	return nil
}

// open opens a file of weights, or gives its map.
func (r *reader) open(f *external) (in io.ReaderAt, done func(), err error) {
	if r.maps != nil {
		r.maps.lock.Lock()
		defer r.maps.lock.Unlock()
		if m := r.maps.by[f]; m != nil {
			return m, func() {}, nil
		}
	}
	root, err := os.OpenRoot(f.dir)
	if err != nil {
		return nil, nil, err
	}
	defer root.Close()
	file, err := root.Open(f.name)
	if err != nil {
		return nil, nil, err
	}
	if r.maps == nil {
		return file, func() { file.Close() }, nil
	}
	m, err := r.maps.of(file)
	if err != nil {
		return nil, nil, err
	}
	if r.maps.by == nil {
		r.maps.by = map[*external]*mapped.File{}
	}
	r.maps.by[f] = m
	return m, func() {}, nil
}

// file finds a regular file in the model's folder, links followed.
func (r *reader) file(loc string) (*external, error) {
	if f := r.files[loc]; f != nil {
		return f, nil
	}
	if r.dir == "" {
		return nil, fmt.Errorf("its data lies in the external file %q, and the model's folder is not known", loc)
	}
	if loc == "" || strings.Contains(loc, "\\") || !filepath.IsLocal(loc) {
		return nil, fmt.Errorf("external data %q is not a file in the model's folder", loc)
	}
	f, err := stat(r.dir, loc)
	if err != nil && !errors.Is(err, fs.ErrNotExist) && r.path != "" {
		if g := r.linked(loc); g != nil {
			f, err = g, nil
		}
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("external data: %w", err)
	case errors.Is(err, errNotRegular):
		return nil, fmt.Errorf("external data %q is not a regular file", loc)
	case err != nil:
		return nil, fmt.Errorf("external data %q leads out of the model's folder, or cannot be read: %w", loc, err)
	}
	if r.files == nil {
		r.files = map[string]*external{}
	}
	r.files[loc] = f
	return f, nil
}

var errNotRegular = errors.New("it is not a regular file")

// stat finds a regular file of a folder.
func stat(dir, name string) (*external, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	st, err := root.Stat(name)
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() {
		return nil, errNotRegular
	}
	return &external{dir: dir, name: name, size: st.Size(), left: st.Size() + 16<<20}, nil
}

// linked finds a file whose link leads to where the model's own file lies, as in the
// caches of model hubs; nil where it leads elsewhere.
func (r *reader) linked(loc string) *external {
	model, err := filepath.EvalSymlinks(r.path)
	if err != nil {
		return nil
	}
	data, err := filepath.EvalSymlinks(filepath.Join(r.dir, loc))
	if err != nil {
		return nil
	}
	name, err := filepath.Rel(filepath.Dir(model), data)
	if err != nil || !filepath.IsLocal(name) {
		return nil
	}
	f, err := stat(filepath.Dir(model), name)
	if err != nil {
		return nil
	}
	return f
}
