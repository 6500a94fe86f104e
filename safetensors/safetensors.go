// Package safetensors reads and writes weights files of named tensors in the
// safetensors format (https://github.com/huggingface/safetensors).
//
// [Read] gives a [File], a map from names to tensors with their order and the
// file's metadata; [Write] writes one. [Decode] and [Encode] do so in memory.
// [Open] reads names, types and shapes alone and gives tensors when they are asked
// for, [OpenFolder] does so for a folder in the layout of Hugging Face, whose
// tensors lie in one file or in several; [Create] and [CreateFolder] write tensor by
// tensor. Files are not trusted: types, shapes and offsets are checked before memory
// is taken.
package safetensors

import (
	"fmt"
	"math"

	"pare/tensor"
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

// Info says what a tensor is.
type Info struct {
	Name  string
	DType tensor.DType
	Shape []int
}

// bytes is the size of the tensor in a file.
func (i Info) bytes() (int, error) {
	n, ok := tensor.Size(i.Shape)
	if size := i.DType.Size(); !ok || size == 0 || n > math.MaxInt/16/size {
		return 0, fmt.Errorf("tensor %q of type %v cannot have shape %v", i.Name, i.DType, i.Shape)
	}
	return n * i.DType.Size(), nil
}

// Read reads a file whole, into memory of its own.
func Read(path string) (*File, error) {
	r, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	f := &File{Names: r.names, Tensors: make(map[string]*tensor.Tensor, len(r.names)), Meta: r.Meta}
	for _, name := range r.names {
		t, err := r.copy(name)
		if err != nil {
			return nil, err
		}
		f.Tensors[name] = t
	}
	return f, nil
}

// Write writes a file: to a temporary file in its folder, which is synced and
// renamed.
func Write(path string, f *File) error {
	infos, err := f.infos()
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	w, err := Create(path, infos, f.Meta)
	if err != nil {
		return err
	}
	defer w.Abort()
	for _, name := range f.Names {
		if err := w.Write(name, f.Tensors[name]); err != nil {
			return err
		}
	}
	return w.Close()
}
