package safetensors

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"pare/tensor"

	"github.com/google/renameio/v2"
)

// ShardBytes is the size to which the files of a folder are filled, that of transformers.
const ShardBytes = 5_000_000_000

// Writer writes a file, or a folder of files, tensor by tensor. Until Close all of it lies in
// temporary files beside.
type Writer struct {
	slots   map[string]*slot
	order   []string
	files   []*renameio.PendingFile
	folder  string // where the files are the weights of a folder
	index   []byte // what the folder's index will be; nil where there is one file
	written []string
}

// slot is where a tensor goes.
type slot struct {
	Info
	file int
	at   int
	done bool
}

// Create begins a file of the tensors, whose data will be in their order. It returns an error
// for a type that the format lacks and a name given twice. The caller ends it by Close or
// Abort.
func Create(path string, tensors []Info, meta map[string]string) (*Writer, error) {
	w := &Writer{slots: map[string]*slot{}}
	if err := w.begin(path, tensors, meta); err != nil {
		w.Abort()
		return nil, err
	}
	return w, nil
}

// CreateFolder begins the weights of a folder in the layout of Hugging Face: one file
// where all the tensors take at most shard bytes, else several and an index. A shard of 0
// or less means ShardBytes. Files are filled in the order of the tensors; one that is
// larger than a file should be has a file of its own. Metadata without "format" gets "pt",
// without which transformers refuses a file. Weights that the folder holds already are
// replaced at Close.
func CreateFolder(dir string, tensors []Info, shard int, meta map[string]string) (*Writer, error) {
	if shard <= 0 {
		shard = ShardBytes
	}
	parts, total, err := split(tensors, shard)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	if meta["format"] == "" {
		meta = maps.Clone(meta)
		if meta == nil {
			meta = map[string]string{}
		}
		meta["format"] = "pt"
	}
	w := &Writer{slots: map[string]*slot{}, folder: dir}
	where := map[string]string{}
	for i, part := range parts {
		file := single
		if len(parts) > 1 {
			file = shardName(i, len(parts))
		}
		for _, x := range part {
			where[x.Name] = file
		}
		w.written = append(w.written, file)
		if err := w.begin(filepath.Join(dir, file), part, meta); err != nil {
			w.Abort()
			return nil, err
		}
	}
	if len(parts) > 1 {
		if w.index, err = encodeIndex(where, total); err != nil {
			w.Abort()
			return nil, err
		}
	}
	return w, nil
}

// split fills files of at most most bytes one after another, and gives the size of all.
func split(tensors []Info, most int) (parts [][]Info, total int, err error) {
	parts = [][]Info{nil}
	size := 0
	for _, x := range tensors {
		n, err := x.bytes()
		if err != nil {
			return nil, 0, err
		}
		last := len(parts) - 1
		if len(parts[last]) > 0 && n > most-size {
			parts, size = append(parts, nil), 0
			last++
		}
		parts[last] = append(parts[last], x)
		size += n
		total += n
	}
	return parts, total, nil
}

// begin makes a further file and writes its header.
func (w *Writer) begin(path string, tensors []Info, meta map[string]string) error {
	head, at, err := encodeHeader(tensors, meta)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	for i, x := range tensors {
		if w.slots[x.Name] != nil {
			return fmt.Errorf("%s: the name %q is given twice", path, x.Name)
		}
		w.slots[x.Name] = &slot{Info: Info{x.Name, x.DType, slices.Clone(x.Shape)}, file: len(w.files), at: at[i]}
		w.order = append(w.order, x.Name)
	}
	f, err := renameio.NewPendingFile(path, renameio.WithTempDir(filepath.Dir(path)), renameio.WithPermissions(0o644))
	if err != nil {
		return err
	}
	w.files = append(w.files, f)
	_, err = f.Write(head)
	return err
}

// Write writes a tensor; they may come in any order, from one goroutine at a time.
// Floating-point numbers are converted to the type that was announced. It returns an error
// for a name that was not announced or is written already, another shape or type, and a
// number that is too large for the type announced.
func (w *Writer) Write(name string, t *tensor.Tensor) error {
	s := w.slots[name]
	switch {
	case s == nil:
		return fmt.Errorf("tensor %q was not announced", name)
	case s.done:
		return fmt.Errorf("tensor %q is written already", name)
	case !slices.Equal(s.Shape, t.Shape):
		return fmt.Errorf("tensor %q has shape %v, announced was %v", name, t.Shape, s.Shape)
	}
	if t.DType != s.DType {
		var err error
		if t, err = t.As(s.DType); err != nil {
			return fmt.Errorf("tensor %q, announced as %v: %w", name, s.DType, err)
		}
	}
	if err := t.WriteRaw(io.NewOffsetWriter(w.files[s.file].File, int64(s.at))); err != nil {
		return fmt.Errorf("tensor %q: %w", name, err)
	}
	s.done = true
	return nil
}

// Close makes sure that all is on the disk and puts the files in their places; where that fails,
// and where a tensor is missing, it leaves what was there.
func (w *Writer) Close() error {
	defer w.Abort()
	for _, name := range w.order {
		if !w.slots[name].done {
			return fmt.Errorf("tensor %q was announced and not written", name)
		}
	}
	for _, f := range w.files {
		if err := f.Sync(); err != nil {
			return err
		}
	}
	if w.folder != "" {
		return w.replace()
	}
	return w.rename()
}

// rename puts the files in their places.
func (w *Writer) rename() error {
	for len(w.files) > 0 {
		if err := w.files[0].CloseAtomicallyReplace(); err != nil {
			return err
		}
		w.files = w.files[1:]
	}
	return nil
}

// replace puts the files in the place of the folder's weights. Whenever it is stopped,
// the folder does not open as a mixture: what says where the old tensors are goes
// before the new files come, and the new index comes after them.
func (w *Writer) replace() error {
	old := []string{index}
	if w.index != nil {
		old = append(old, single)
	}
	for _, name := range old {
		if err := os.Remove(filepath.Join(w.folder, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := w.rename(); err != nil {
		return err
	}
	if w.index != nil {
		if err := renameio.WriteFile(filepath.Join(w.folder, index), w.index, 0o644, renameio.WithTempDir(w.folder)); err != nil {
			return err
		}
	}
	entries, err := os.ReadDir(w.folder)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if shards.MatchString(e.Name()) && !slices.Contains(w.written, e.Name()) {
			if err := os.Remove(filepath.Join(w.folder, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// Abort throws away what was written. After Close it does nothing.
func (w *Writer) Abort() {
	for _, f := range w.files {
		f.Cleanup() //nolint:errcheck // nothing is left to be done about it
	}
	w.files = nil
}
