package gguf

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"

	"pare/tensor"

	"github.com/google/renameio/v2"
)

// Source is a tensor to write. Read is called once, when its turn has come, so that only
// one tensor at a time need be in memory.
type Source struct {
	Name  string
	Type  Type
	Shape []int
	Read  func() (*tensor.Tensor, error) // of this shape
}

const (
	quantizationKey     = "general.quantization_version"
	quantizationVersion = 2 // of ggml's blocks today, GGML_QNT_VERSION
)

// Write writes a file of version 3: to a temporary file in its folder, which is synced and
// renamed. Floating-point numbers become F32, F16, BF16, or, as ggml's reference quantises
// them, to the bit, Q8_0 or Q4_0; F64 and whole numbers are written as they are. Keys of a
// model that was split are left out, and general.quantization_version is added where there
// are quantised tensors and no such key. It returns an error where a reader would refuse the
// file: for other types, a name given twice or longer than 63 bytes, more than 4 axes, rows that
// are no multiple of a block; and for numbers that the type cannot hold.
func Write(path string, meta Meta, tensors []Source) error {
	head, at, err := encodeHeader(meta, tensors)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	f, err := renameio.NewPendingFile(path, renameio.WithTempDir(filepath.Dir(path)), renameio.WithPermissions(0o644))
	if err != nil {
		return err
	}
	defer f.Cleanup() //nolint:errcheck // after the replacement it does nothing
	w := &counter{w: bufio.NewWriterSize(f, 1<<20)}
	w.Write(head)
	for i, s := range tensors {
		w.pad(at[i])
		if err := s.write(w); err != nil {
			return fmt.Errorf("%s: tensor %q: %w", path, s.Name, err)
		}
	}
	w.pad(at[len(tensors)])
	if err := errors.Join(w.err, w.w.Flush()); err != nil {
		return err
	}
	return f.CloseAtomicallyReplace()
}

// encodeHeader writes all before the data, and gives where each tensor lies in the file, and
// where the last ends with its padding.
func encodeHeader(meta Meta, tensors []Source) (head []byte, at []int, err error) {
	meta = slices.DeleteFunc(slices.Clone(meta), func(f Field) bool {
		return f.Key == splitNumber || f.Key == splitCount || f.Key == splitTensors
	})
	if _, ok := meta.Get(quantizationKey); !ok && slices.ContainsFunc(tensors, func(s Source) bool { return layouts[s.Type].encode != nil }) {
		meta.Set(quantizationKey, uint32(quantizationVersion))
	}
	align, err := meta.alignment()
	if err != nil {
		return nil, nil, err
	}
	if len(meta) > maxKeys || len(tensors) > maxTensors {
		return nil, nil, fmt.Errorf("%d keys and %d tensors are more than %d and %d", len(meta), len(tensors), maxKeys, maxTensors)
	}
	var b bytes.Buffer
	b.WriteString(magic)
	u32(&b, version)
	u64(&b, len(tensors))
	u64(&b, len(meta))
	seen := map[string]bool{}
	for _, f := range meta {
		if f.Key == "" || seen[f.Key] {
			return nil, nil, fmt.Errorf("the key %q is empty, or given twice", f.Key)
		}
		seen[f.Key] = true
		text(&b, f.Key)
		if err := appendValue(&b, f.Value); err != nil {
			return nil, nil, fmt.Errorf("the value of %q: %w", f.Key, err)
		}
	}
	clear(seen)
	end := 0
	for _, s := range tensors {
		n, err := s.bytes()
		if err == nil && seen[s.Name] {
			err = errors.New("the name is given twice")
		}
		if err == nil && n > maxBytes-end {
			err = errors.New("with it the file is too large")
		}
		if err != nil {
			return nil, nil, fmt.Errorf("tensor %q: %w", s.Name, err)
		}
		seen[s.Name] = true
		text(&b, s.Name)
		u32(&b, uint32(len(s.Shape)))
		for _, d := range slices.Backward(s.Shape) {
			u64(&b, d)
		}
		u32(&b, uint32(s.Type))
		u64(&b, end)
		at = append(at, end)
		end = padded(end+n, align)
	}
	at = append(at, end)
	start := padded(b.Len(), align)
	if len(tensors) == 0 {
		start = b.Len()
	}
	for i := range at {
		at[i] += start
	}
	return b.Bytes(), at, nil
}

// bytes is the size of the tensor in the file; the error says what a reader would refuse.
func (s Source) bytes() (int, error) {
	l := layouts[s.Type]
	switch {
	case l.encode == nil && l.stored == tensor.Undefined:
		return 0, fmt.Errorf("%v is not written: choose one of F32, F16, BF16, Q8_0 and Q4_0", s.Type)
	case s.Name == "" || len(s.Name) > maxName:
		return 0, fmt.Errorf("a name of %d bytes, where the format has 1 to %d", len(s.Name), maxName)
	case len(s.Shape) > maxAxes:
		return 0, fmt.Errorf("%d axes are more than %d", len(s.Shape), maxAxes)
	}
	n, err := s.Type.Bytes(s.Shape)
	if err != nil && l.encode != nil {
		err = fmt.Errorf("%w: write it as F16 or F32", err)
	}
	return n, err
}

// write writes the tensor's elements.
func (s Source) write(w *counter) error {
	t, err := s.Read()
	if err != nil {
		return err
	}
	if !slices.Equal(t.Shape, s.Shape) {
		return fmt.Errorf("it has shape %v, announced was %v", t.Shape, s.Shape)
	}
	l := layouts[s.Type]
	want := l.stored
	if l.encode != nil {
		want = tensor.Float32
	}
	if t.DType != want {
		if t, err = t.As(want); err != nil {
			return err
		}
	}
	if l.encode == nil {
		return t.WriteRaw(w)
	}
	if i := t.Finite(); i >= 0 {
		return fmt.Errorf("element %d is %v, which %v cannot hold", i, t.F32()[i], s.Type)
	}
	block := make([]byte, l.size)
	for i, x := 0, t.F32(); i < len(x); i += l.block {
		l.encode(x[i:i+l.block], block)
		if binary.LittleEndian.Uint16(block)&0x7c00 == 0x7c00 {
			return fmt.Errorf("elements %d to %d are too large for the scale of %v: write it as F32", i, i+l.block-1, s.Type)
		}
		if _, err := w.Write(block); err != nil {
			return err
		}
	}
	return nil
}

// counter writes, knows how much it wrote, and keeps the first error.
type counter struct {
	w   *bufio.Writer
	n   int
	err error
}

var _ io.Writer = (*counter)(nil)

func (c *counter) Write(b []byte) (int, error) {
	if c.err != nil {
		return 0, c.err
	}
	n, err := c.w.Write(b)
	c.n += n
	c.err = err
	return n, err
}

// pad writes zeros up to an offset.
func (c *counter) pad(to int) {
	var zeros [256]byte
	for to > c.n && c.err == nil {
		c.Write(zeros[:min(len(zeros), to-c.n)])
	}
}
