// Package gguf reads and writes the weights files of llama.cpp, GGUF versions 2 and 3
// (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md): metadata by keys, and named
// tensors, most of them quantised in blocks.
//
// [Open] reads what a file, or a model split into several files, says of itself, and
// [File.Read] gives a tensor as float32 when it is asked for. [Write] writes a file tensor by
// tensor, so that a model may be larger than the memory. Files are not trusted: counts,
// lengths and offsets are held against the file's size before memory is taken.
//
// Tensors have the names and the order of rows that llama.cpp gives them. Of a Llama it stores
// the rows of the query and key projections in pairs: weights.Halves gives the order of
// Hugging Face.
package gguf

import (
	"fmt"
	"slices"

	"pare/internal/mapped"
	"pare/tensor"
	"pare/weights"
)

// A file is, numbers little-endian,
//
//	the letters GGUF, uint32 version, uint64 number of tensors, uint64 number of keys
//	a key: its text, uint32 type, the value; a text: uint64 length, the bytes; an array:
//	uint32 type of its values, uint64 their number, the values
//	a tensor: its name, uint32 number of axes, uint64 their sizes, the one that varies
//	fastest first, uint32 type, uint64 offset in the data
//	zeros up to a multiple of the alignment
//	the data: each tensor's blocks at a multiple of the alignment

const (
	magic   = "GGUF"
	version = 3 // what is written

	alignmentKey     = "general.alignment"
	defaultAlignment = 32

	maxAxes = 4  // ggml's
	maxName = 63 // bytes of a tensor's name, ggml's
)

// Tensor says what a tensor of a file is and where it lies.
type Tensor struct {
	Name   string
	Type   Type
	Shape  []int // the axis that varies fastest last, as NumPy's
	Part   int   // the file, of a model that is split into several
	Offset int   // of its first block, from the start of that file
}

// File is a GGUF file, or a model of several, that is open. Any number of goroutines may
// read it at once.
type File struct {
	Version int
	Meta    Meta // of the first file
	Tensors []Tensor

	at    map[string]int // in Tensors
	parts []*mapped.File
}

var _ weights.Reader = (*File)(nil)

// Names are the tensors' names, in the order of the file.
func (f *File) Names() []string {
	out := make([]string, len(f.Tensors))
	for i, t := range f.Tensors {
		out[i] = t.Name
	}
	return out
}

// Tensor gives what the file says of a tensor; false where there is none of the name.
func (f *File) Tensor(name string) (Tensor, bool) {
	i, ok := f.at[name]
	if !ok {
		return Tensor{}, false
	}
	return f.Tensors[i], true
}

// Info is the type and the shape of what Read gives; false where there is no tensor of the
// name.
func (f *File) Info(name string) (d tensor.DType, shape []int, ok bool) {
	t, ok := f.Tensor(name)
	if !ok {
		return tensor.Undefined, nil, false
	}
	return t.Type.reads(), slices.Clone(t.Shape), true
}

// Close closes the files: views must not be used any more.
func (f *File) Close() error {
	var err error
	for _, p := range f.parts {
		if e := p.Close(); err == nil {
			err = e
		}
	}
	return err
}

// add takes over the tensors of a further file.
func (f *File) add(tensors []Tensor) error {
	for _, t := range tensors {
		if i, ok := f.at[t.Name]; ok {
			return fmt.Errorf("tensor %q is both in %s and in %s", t.Name, f.parts[f.Tensors[i].Part].Path(), f.parts[t.Part].Path())
		}
		f.at[t.Name] = len(f.Tensors)
		f.Tensors = append(f.Tensors, t)
	}
	return nil
}
