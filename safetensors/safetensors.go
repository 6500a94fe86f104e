// Package safetensors reads and writes weights files of named tensors in the
// safetensors format (https://github.com/huggingface/safetensors).
//
// [Read] gives a [File], a map from names to tensors with their order and the
// file's metadata; [Write] writes one. [Decode] and [Encode] do so in memory.
// Files are not trusted: types, shapes and offsets are checked before memory is
// taken.
package safetensors

import (
	"fmt"
	"os"
	"path/filepath"

	"pare/tensor"

	"github.com/google/renameio/v2"
)

// A file is, numbers little-endian,
//
//	uint64 length of the header
//	the header: a JSON object that gives for every tensor its type, its shape
//	and where its bytes begin and end in the data, and under __metadata__
//	strings by name; blanks may follow it
//	the data: the tensors' elements in row-major order, with no gap or overlap

// maxHeader is the format's own limit on the header, in bytes.
const maxHeader = 100_000_000

// metadata is the header's entry that is no tensor.
const metadata = "__metadata__"

// File is the contents of a weights file.
type File struct {
	Names   []string // of the tensors, in the order of their data
	Tensors map[string]*tensor.Tensor
	Meta    map[string]string
}

// types by the format's names. It has more, of less than a byte or of eight
// bits, that no tensor here can hold.
var types = map[string]tensor.DType{
	"F64": tensor.Float64, "F32": tensor.Float32, "F16": tensor.Float16, "BF16": tensor.BFloat16,
	"I64": tensor.Int64, "I32": tensor.Int32, "I16": tensor.Int16, "I8": tensor.Int8,
	"U64": tensor.Uint64, "U32": tensor.Uint32, "U16": tensor.Uint16, "U8": tensor.Uint8, "BOOL": tensor.Bool,
}

// Read reads a file.
func Read(path string) (*File, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	f, err := Decode(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return f, nil
}

// Write writes a file: to a temporary file in its folder, which is synced and
// renamed.
func Write(path string, f *File) error {
	b, err := Encode(f)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return renameio.WriteFile(path, b, 0o644, renameio.WithTempDir(filepath.Dir(path)))
}
