package hygiene

import (
	"bytes"
	"context"
	"fmt"
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
// they are stored. The file is made in memory.
func (c Corpus) SaveNPZ(ctx context.Context, path string) error {
	var all []npy.Array
	for _, s := range c {
		end := map[string]string{"test": "_test", "validation": "_val"}[s.Name]
		fields := make([]int, len(s.Fields))
		arrays := make([]npy.Array, len(s.Fields))
		for k, f := range s.Fields {
			fields[k] = k
			t := &tensor.Tensor{Shape: append([]int{s.Len()}, f.Shape...)}
			switch {
			case f.Bytes != nil:
				t.DType, t.Data = tensor.Uint8, make([]uint8, 0, s.Len()*f.Size())
			case f.Floats != nil:
				t.DType, t.Data = tensor.Float32, make([]float32, 0, s.Len()*f.Size())
			default:
				t.DType, t.Data = tensor.Int32, make([]int32, 0, s.Len()*f.Size())
			}
			arrays[k] = npy.Array{Name: arrayName(s, k) + end, Tensor: t}
		}
		err := each(ctx, s, fields, func(_ int, x []sample) error {
			for k, a := range arrays {
				put(a.Tensor, x[k])
			}
			return nil
		})
		if err != nil {
			return err
		}
		all = append(all, arrays...)
	}
	b, err := npy.EncodeAll(all)
	if err != nil {
		return err
	}
	return save(path, b)
}

// arrayName is what a field is called in the file.
func arrayName(s *dataset.Set, k int) string {
	if y := classOf(s); len(s.Fields) == 2 && y != nil && s.Fields[1] == y {
		return []string{"x", "y"}[k]
	}
	return s.Fields[k].Name
}

// put adds a sample to an array.
func put(t *tensor.Tensor, x sample) {
	switch data := t.Data.(type) {
	case []uint8:
		for _, v := range x.X {
			data = append(data, uint8(v))
		}
		t.Data = data
	case []float32:
		t.Data = append(data, x.X...)
	case []int32:
		for _, v := range x.I {
			data = append(data, int32(v))
		}
		t.Data = data
	}
}

// SaveIndex writes which samples of the data as they were are in a set, by their stored numbers, to
// a .npy file.
func SaveIndex(path string, s *dataset.Set) error {
	index := make([]int32, s.Len())
	for i := range index {
		index[i] = stored(s, i)
	}
	b, err := npy.Encode(&tensor.Tensor{DType: tensor.Int32, Shape: []int{len(index)}, Data: index})
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return save(path, b)
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
