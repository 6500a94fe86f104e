package hygiene

import (
	"archive/zip"
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"math"
	"path/filepath"
	"strings"

	"pare/dataset"
	"pare/npy"
	"pare/tensor"

	"github.com/google/renameio/v2"
)

// SaveNPZ writes the sets to an .npz file that dataset.Open reads: the arrays x and y of the
// training set where a sample has a class and nothing else beside it, and otherwise one for each field by
// its name; those of the test set end in _test, those of a validation set in _val. Values are as
// they are stored. Memory holds a batch of them at a time.
func (c Corpus) SaveNPZ(ctx context.Context, path string) error {
	f, err := renameio.NewPendingFile(path, renameio.WithTempDir(filepath.Dir(path)), renameio.WithPermissions(0o644))
	if err != nil {
		return err
	}
	defer f.Cleanup() //nolint:errcheck // there is nothing where it was renamed
	out := zip.NewWriter(f)
	var arrays []npy.Array
	for _, s := range c {
		end := map[string]string{"test": "_test", "validation": "_val"}[s.Name]
		for k := range s.Fields {
			arrays = append(arrays, npy.Array{Name: arrayName(s, k) + end})
		}
	}
	names := npy.Names(arrays)
	for _, s := range c {
		for k := range s.Fields {
			w, err := out.CreateHeader(&zip.FileHeader{Name: names[0] + ".npy", Method: zip.Store})
			if err == nil {
				err = writeField(ctx, w, s, k)
			}
			if err != nil {
				return err
			}
			names = names[1:]
		}
	}
	if err := out.Close(); err != nil {
		return err
	}
	return f.CloseAtomicallyReplace()
}

// writeField writes a field of all samples of a set as an array.
func writeField(ctx context.Context, to io.Writer, s *dataset.Set, k int) error {
	f, of := s.Fields[k], tensor.Int32
	switch {
	case f.Bytes != nil:
		of = tensor.Uint8
	case f.Floats != nil:
		of = tensor.Float32
	}
	head, err := npy.HeaderFor(of, append([]int{s.Len()}, f.Shape...))
	if err != nil {
		return err
	}
	w := bufio.NewWriter(to)
	w.Write(head) //nolint:errcheck // Flush keeps it
	var b []byte
	err = each(ctx, s, []int{k}, func(_ int, x []sample) error {
		b = b[:0]
		for _, v := range x[0].X {
			if of == tensor.Uint8 {
				b = append(b, uint8(v))
			} else {
				b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
			}
		}
		for _, v := range x[0].I {
			b = binary.LittleEndian.AppendUint32(b, uint32(int32(v)))
		}
		_, err := w.Write(b)
		return err
	})
	if err != nil {
		return err
	}
	return w.Flush()
}

// arrayName is what a field is called in the file.
func arrayName(s *dataset.Set, k int) string {
	if y := classOf(s); len(s.Fields) == 2 && y != nil && s.Fields[1] == y {
		return []string{"x", "y"}[k]
	}
	return s.Fields[k].Name
}

// SaveDecisions writes decisions to a file, JSONL where it is called so, and CSV otherwise.
func SaveDecisions(path string, of Digests, ds []Decision) error {
	write := WriteCSV
	if strings.EqualFold(filepath.Ext(path), ".jsonl") {
		write = WriteJSONL
	}
	var b bytes.Buffer
	if err := write(&b, of, ds); err != nil {
		return err
	}
	return save(path, b.Bytes())
}

// save writes a file beside its place and renames it.
func save(path string, b []byte) error {
	return renameio.WriteFile(path, b, 0o644, renameio.WithTempDir(filepath.Dir(path)))
}
