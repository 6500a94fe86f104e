// Package llama2c reads the models and tokenizers of llama2.c
// (https://github.com/karpathy/llama2.c), a small Llama in a file: versions 0, 1 (float32)
// and 2 (quantised in groups) of its export.py, and tokenizer.bin.
//
// Tensors have the names, the shapes and the order of rows that Hugging Face gives them.
// Files are not trusted: a model's size must be what its configuration says, to the byte.
package llama2c

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"

	"pare/internal/mapped"
	"pare/tensor"
	"pare/weights"
)

// A file is, numbers little-endian,
//
//	version 0: seven int32, the configuration; float32 tensors
//	version 1: uint32 magic, int32 version, seven int32, a byte that says whether the embedding
//	is the classifier too, zeros up to byte 256; float32 tensors
//	version 2: as version 1 with int32 elements of a group after the byte; norms in float32,
//	then each weight as int8, with a float32 scale a group behind it

const (
	magic     = 0x616b3432 // "ak42"
	newHeader = 256        // bytes of the header of versions 1 and 2
)

// What run.c computes with and files do not say.
const (
	Theta   = 10000 // of the rotary embedding
	Epsilon = 1e-5  // of the norms
)

// Config is the shape of a model.
type Config struct {
	Dim     int // of the residual stream
	Hidden  int // of the feed-forward network
	Layers  int
	Heads   int // of queries
	KVHeads int // of keys and values, which divides Heads
	Vocab   int
	Context int  // the longest sequence
	Tied    bool // the classifier is the embedding
}

// headSize is the number of rows of a head.
func (c Config) headSize() int { return c.Dim / c.Heads }

// File is a model that is open. Any number of goroutines may read it at once.
type File struct {
	Version int
	Config  Config
	Group   int // elements that share a scale, version 2; else 0

	names []string
	at    map[string]place
	file  *mapped.File
}

// place says where a tensor lies.
type place struct {
	shape     []int
	offset    int
	quantized bool
	heads     int // whose rows are in pairs; 0: none are
}

var _ weights.Reader = (*File)(nil)

// Open opens a model.
func Open(path string) (*File, error) {
	m, err := mapped.Open(path)
	if err != nil {
		return nil, err
	}
	b, err := m.Bytes(0, min(m.Size(), newHeader))
	if err == nil {
		var f *File
		if f, err = parse(b, m.Size()); err == nil {
			f.file = m
			return f, nil
		}
		err = fmt.Errorf("%s: %w", path, err)
	}
	m.Close()
	return nil, err
}

// parse reads the header, the first newHeader bytes of a file of size bytes, or all of it.
func parse(b []byte, size int) (*File, error) {
	if len(b) < 28 {
		return nil, errors.New("not a model of llama2.c: it is shorter than 28 bytes")
	}
	f := &File{at: map[string]place{}}
	at, start := 0, 28
	if binary.LittleEndian.Uint32(b) == magic {
		if len(b) < newHeader {
			return nil, fmt.Errorf("it is cut short: %d bytes, where the header has %d", len(b), newHeader)
		}
		f.Version = number(b, 4)
		if f.Version != 1 && f.Version != 2 {
			return nil, fmt.Errorf("version %d of llama2.c's format, where 0, 1 and 2 are read", f.Version)
		}
		at, start = 8, newHeader
	}
	c := &f.Config
	for i, v := range []*int{&c.Dim, &c.Hidden, &c.Layers, &c.Heads, &c.KVHeads, &c.Vocab, &c.Context} {
		*v = number(b, at+4*i)
	}
	if f.Version == 0 {
		c.Tied = c.Vocab > 0
		if c.Vocab < 0 {
			c.Vocab = -c.Vocab
		}
	} else {
		if b[at+28] > 1 {
			return nil, fmt.Errorf("%d in the place of a flag", b[at+28])
		}
		c.Tied = b[at+28] == 1
	}
	if f.Version == 2 {
		if f.Group = number(b, at+29); f.Group < 1 {
			return nil, fmt.Errorf("groups of %d elements", f.Group)
		}
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	for _, dry := range []bool{true, false} { // no memory before it is known to fit
		l := layout{file: f, at: start, size: size, dry: dry}
		if err := l.all(); err != nil {
			return nil, err
		}
	}
	return f, nil
}

func number(b []byte, at int) int { return int(int32(binary.LittleEndian.Uint32(b[at:]))) }

// check refuses numbers that are no model's.
func (c Config) check() error {
	if c.Dim < 1 || c.Hidden < 1 || c.Layers < 1 || c.Heads < 1 || c.KVHeads < 1 || c.Vocab < 1 || c.Context < 1 {
		return fmt.Errorf("not a model of llama2.c: a size that is not positive in %+v", c)
	}
	if c.Dim%(2*c.Heads) != 0 || c.Heads%c.KVHeads != 0 {
		return fmt.Errorf("not a model of llama2.c: %d numbers in %d heads, %d of keys", c.Dim, c.Heads, c.KVHeads)
	}
	return nil
}

// Names are the tensors' names, in the order of the file. A model whose classifier is the
// embedding has no lm_head.weight.
func (f *File) Names() []string { return slices.Clone(f.names) }

// Info is float32 and the shape of a tensor; false where there is none of the name.
func (f *File) Info(name string) (d tensor.DType, shape []int, ok bool) {
	p, ok := f.at[name]
	if !ok {
		return tensor.Undefined, nil, false
	}
	return tensor.Float32, slices.Clone(p.shape), true
}

// Read gives a tensor as float32. What is neither quantised nor a projection to queries or
// keys is a view of the file where the system allows that: see [weights.Reader]. It
// returns an error for a name that there is not, and where the file was changed since it was
// opened.
func (f *File) Read(name string) (*tensor.Tensor, error) {
	p, ok := f.at[name]
	if !ok {
		return nil, fmt.Errorf("there is no tensor %q", name)
	}
	n, _ := tensor.Size(p.shape)
	b, err := f.file.Bytes(p.offset, f.bytes(n, p.quantized))
	if err != nil {
		return nil, fmt.Errorf("tensor %q: %w", name, err)
	}
	var t *tensor.Tensor
	if p.quantized {
		t = tensor.New(tensor.Float32, p.shape...)
		dequantize(b, f.Group, t.F32())
	} else if t, err = tensor.View(b, tensor.Float32, p.shape...); err != nil {
		return nil, fmt.Errorf("tensor %q: %w", name, err)
	}
	if p.heads > 0 {
		return weights.Halves(t, p.heads)
	}
	return t, nil
}

// bytes is the size of n elements in the file.
func (f *File) bytes(n int, quantized bool) int {
	if quantized {
		return n + n/f.Group*4
	}
	return 4 * n
}

// dequantize multiplies the numbers of each group by its scale, which lie behind all numbers.
func dequantize(b []byte, group int, out []float32) {
	scales := b[len(out):]
	for i := 0; i < len(out); i += group {
		scale := math.Float32frombits(binary.LittleEndian.Uint32(scales[i/group*4:]))
		for j, q := range b[i : i+group] {
			out[i+j] = float32(int8(q)) * scale
		}
	}
}

// Close closes the file: views must not be used any more.
func (f *File) Close() error { return f.file.Close() }
