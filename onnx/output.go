package onnx

import (
	"bufio"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"pare/graph"
)

// Save writes a model by the file's ending: .onnx, or Pare's sparse form .pare.
func Save(path string, g *graph.Graph, o Options) error {
	if err := endsRight(path); err != nil {
		return err
	}
	if strings.EqualFold(filepath.Ext(path), ".pare") {
		return WriteSparse(path, g, o.Half)
	}
	return Write(path, g, o)
}

// endsRight returns an error where a file's ending is not that of a form that Save writes.
func endsRight(path string) error {
	switch ext := strings.ToLower(filepath.Ext(path)); ext {
	case ".onnx", ".pare":
		return nil
	case "":
		return fmt.Errorf("output %s: name it .onnx, or .pare for the sparse form", path)
	default:
		return fmt.Errorf("output %s: networks are written as .onnx, or .pare for the sparse form, not as %s", path, ext)
	}
}

// CheckOutput returns an error where Save cannot write to path.
func CheckOutput(path string) error {
	if path != "" {
		if err := endsRight(path); err != nil {
			return err
		}
	}
	return CheckWritable(path)
}

// CheckWritable returns an error where a file cannot be created at path.
func CheckWritable(path string) error {
	if path == "" {
		return fmt.Errorf("no output file is given")
	}
	path, _, err := placeOf(path)
	if err != nil {
		return err
	}
	dir := filepath.Dir(path)
	st, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("output folder: %w", err)
	}
	if !st.IsDir() {
		return fmt.Errorf("output folder %s is not a folder", dir)
	}
	f, err := os.CreateTemp(dir, ".pare-*")
	if err != nil {
		return fmt.Errorf("output folder %s cannot be written to: %w", dir, err)
	}
	f.Close()
	return os.Remove(f.Name())
}

// placeOf is the file that an output replaces: the target of a link, not the link. It
// returns an error where what is there is not a regular file.
func placeOf(path string) (real string, mode fs.FileMode, err error) {
	name := path
	st, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return path, 0o644, nil
	}
	if err == nil && st.Mode()&fs.ModeSymlink != 0 {
		if path, err = filepath.EvalSymlinks(path); err != nil {
			return "", 0, fmt.Errorf("output %s is a link that leads nowhere: %w", name, err)
		}
		name += " leads to " + path + ", which"
		st, err = os.Lstat(path)
	}
	switch {
	case err != nil:
		return "", 0, err
	case st.IsDir():
		return "", 0, fmt.Errorf("output %s is a folder", name)
	case !st.Mode().IsRegular():
		return "", 0, fmt.Errorf("output %s is %s, not a regular file", name, kindOfFile(st.Mode()))
	}
	return path, st.Mode().Perm(), nil
}

func kindOfFile(m fs.FileMode) string {
	switch {
	case m.IsDir():
		return "a folder"
	case m&fs.ModeNamedPipe != 0:
		return "a pipe"
	case m&fs.ModeSocket != 0:
		return "a socket"
	case m&fs.ModeDevice != 0:
		return "a device"
	}
	return "a special file"
}

// before is called before each step that changes a folder or a file; an error ends the
// work as the end of the process would. Tests set it.
var before func(step string) error

// output is a model file that is being written, beside its place.
type output struct {
	path string // what it replaces
	mode fs.FileMode
	tmp  *os.File
	old  []string // files of weights that the model there names
	data string   // the new one, "" where there is none
	dead bool     // by before: nothing is tidied up
}

// openOutput begins to write the model at path. What runs that were killed have left of
// it is removed.
func openOutput(path string, outside bool) (*output, error) {
	real, mode, err := placeOf(path)
	if err != nil {
		return nil, err
	}
	if outside && real != path {
		if st, err := os.Lstat(path); err == nil && st.Mode()&fs.ModeSymlink != 0 {
			return nil, fmt.Errorf("output %s is a link, and weights beside a model are looked for in its own folder: give %s", path, real)
		}
	}
	f := &output{path: real, mode: mode}
	if f.old, err = f.tidy(); err != nil {
		return nil, err
	}
	if err := f.do("create", func() (err error) { f.tmp, err = f.create(); return }); err != nil {
		return nil, err
	}
	return f, nil
}

// do is a step.
func (f *output) do(step string, do func() error) error {
	if before != nil {
		if err := before(step); err != nil {
			f.dead = true
			return err
		}
	}
	return do()
}

func (f *output) create() (*os.File, error) {
	var r [4]byte
	rand.Read(r[:]) //nolint:errcheck // it never fails
	t, err := os.OpenFile(filepath.Join(filepath.Dir(f.path), tempPrefix(f.path)+fmt.Sprintf("%d-%x", os.Getpid(), r)+tempEnding), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err == nil {
		mine.Store(t.Name(), true)
	}
	return t, err
}

// close removes what is left where the work did not come to its end.
func (f *output) close() {
	if !f.dead {
		discard(f.tmp)
	}
}

// discard removes a temporary file, if it is there still.
func discard(t *os.File) {
	t.Close()
	os.Remove(t.Name())
	mine.Delete(t.Name())
}

// fill writes, syncs and closes a temporary file.
func (f *output) fill(what string, t *os.File, write func(io.Writer) error) error {
	if err := f.do("write "+what, func() error {
		b := bufio.NewWriterSize(t, 1<<20)
		if err := write(b); err != nil {
			return err
		}
		return b.Flush()
	}); err != nil {
		return err
	}
	return f.do("sync "+what, func() error {
		if err := t.Chmod(f.mode); err != nil {
			return err
		}
		if err := t.Sync(); err != nil {
			return err
		}
		return t.Close()
	})
}

// write writes the model and puts it in its place.
func (f *output) write(write func(io.Writer) error) error {
	if err := f.fill("model", f.tmp, write); err != nil {
		return err
	}
	if err := f.do("rename model", func() error { return os.Rename(f.tmp.Name(), f.path) }); err != nil {
		return err
	}
	mine.Delete(f.tmp.Name())
	if err := f.do("sync folder", f.syncFolder); err != nil {
		return err
	}
	for _, name := range f.old {
		if name == f.data || namedElsewhere(f.path, name) {
			continue
		}
		if err := f.do("remove old data", func() error { return os.Remove(filepath.Join(filepath.Dir(f.path), name)) }); err != nil {
			return err
		}
	}
	return nil
}

// syncFolder makes renames last. Some systems cannot sync a folder.
func (f *output) syncFolder() error {
	d, err := os.Open(filepath.Dir(f.path))
	if err != nil {
		return nil
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, errors.ErrUnsupported) && !errors.Is(err, fs.ErrInvalid) {
		return err
	}
	return nil
}

// writeData writes the file of weights, named by its contents: it never takes the place
// of another.
func (f *output) writeData(parts []part) (name string, err error) {
	var t *os.File
	if err := f.do("create data", func() (err error) { t, err = f.create(); return }); err != nil {
		return "", err
	}
	defer func() {
		if !f.dead {
			discard(t)
		}
	}()
	sum := sha256.New()
	if err := f.fill("data", t, func(w io.Writer) error {
		w, at := io.MultiWriter(w, sum), int64(0)
		for _, p := range parts {
			if _, err := w.Write(make([]byte, p.at-at)); err != nil {
				return err
			}
			if err := p.t.WriteRaw(w); err != nil {
				return err
			}
			at = p.at + int64(p.t.Bytes())
		}
		return nil
	}); err != nil {
		return "", err
	}
	digest := hex.EncodeToString(sum.Sum(nil))
	for n := 8; n <= 64; n *= 2 {
		f.data = filepath.Base(f.path) + "." + digest[:n] + dataEnding
		to := filepath.Join(filepath.Dir(f.path), f.data)
		if _, err := os.Lstat(to); err == nil {
			if is, err := digestOf(to); err == nil && is == digest {
				return f.data, nil // the same weights are there already
			}
			continue
		}
		if err := f.do("rename data", func() error { return os.Rename(t.Name(), to) }); err != nil {
			return "", err
		}
		return f.data, f.do("sync folder of data", f.syncFolder)
	}
	return "", fmt.Errorf("%s exists already, with other contents", f.data)
}
