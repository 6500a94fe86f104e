package gguf

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"sort"
)

// The types of values of the metadata.
const (
	kindUint8 = iota
	kindInt8
	kindUint16
	kindInt16
	kindUint32
	kindInt32
	kindFloat32
	kindBool
	kindString
	kindArray
	kindUint64
	kindInt64
	kindFloat64
)

// Bounds of what a file says of itself, far beyond those of any model.
const (
	maxKeys    = 1 << 16
	maxTensors = 1 << 18
	maxDepth   = 8 // of arrays in arrays
)

// header is what a file says of itself.
type header struct {
	version int
	meta    Meta
	tensors []Tensor
}

// readHeader reads what a file of size bytes says of itself. What is wrong is refused before
// memory is taken for it.
func readHeader(r io.Reader, size int) (header, error) {
	d := &decoder{r: bufio.NewReaderSize(r, 1<<16), left: uint64(size)}
	h, err := d.header()
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = errors.New("it is cut short")
	}
	if err != nil {
		return header{}, err
	}
	align, err := h.meta.alignment()
	if err != nil {
		return header{}, err
	}
	start := padded(size-int(d.left), align)
	for i := range h.tensors {
		if err := h.tensors[i].place(start, align, size); err != nil {
			return header{}, fmt.Errorf("tensor %q: %w", h.tensors[i].Name, err)
		}
	}
	return h, apart(h.tensors)
}

// place turns the offset in the data into that in the file, and sees that the tensor lies
// there.
func (t *Tensor) place(start, align, size int) error {
	n, err := t.Type.Bytes(t.Shape)
	if err != nil {
		return err
	}
	if t.Offset%align != 0 {
		return fmt.Errorf("it lies at byte %d of the data, no multiple of %d", t.Offset, align)
	}
	if start > size || t.Offset > size-start || n > size-start-t.Offset {
		return fmt.Errorf("%d bytes at %d of the data are more than the file has: it is cut short", n, t.Offset)
	}
	t.Offset += start
	return nil
}

// apart refuses tensors that share bytes.
func apart(tensors []Tensor) error {
	order := make([]int, len(tensors))
	for i := range order {
		order[i] = i
	}
	sort.Slice(order, func(i, j int) bool { return tensors[order[i]].Offset < tensors[order[j]].Offset })
	end, last := 0, 0
	for _, i := range order {
		n, err := tensors[i].Type.Bytes(tensors[i].Shape)
		if err != nil {
			return err
		}
		if n > 0 && tensors[i].Offset < end {
			return fmt.Errorf("tensors %q and %q lie in the same bytes", tensors[last].Name, tensors[i].Name)
		}
		if e := tensors[i].Offset + n; e > end {
			end, last = e, i
		}
	}
	return nil
}

// padded is the next multiple of align, a power of two.
func padded(n, align int) int { return (n + align - 1) &^ (align - 1) }

// decoder reads numbers and texts of a file of which left bytes are left.
type decoder struct {
	r    *bufio.Reader
	left uint64
}

// header reads all before the data.
func (d *decoder) header() (h header, err error) {
	first := make([]byte, 8)
	if d.left < 24 {
		return h, errors.New("not a GGUF file: it is shorter than 24 bytes")
	}
	if err := d.fill(first); err != nil {
		return h, err
	}
	v := binary.LittleEndian.Uint32(first[4:])
	switch {
	case string(first[:4]) != magic:
		return h, errors.New("not a GGUF file: it does not begin with the letters GGUF")
	case v&0xffff == 0 && v != 0:
		return h, fmt.Errorf("a big-endian GGUF file (version %d), which is not read: convert it to little-endian with gguf-py's gguf_convert_endian.py", bits.ReverseBytes32(v))
	case v != 2 && v != 3:
		return h, fmt.Errorf("version %d of GGUF, where 2 and 3 are read: convert the model anew with a current llama.cpp", v)
	}
	h.version = int(v)
	tensors, err := d.count(maxTensors, 24, "tensors")
	if err != nil {
		return h, err
	}
	keys, err := d.count(maxKeys, 13, "keys")
	if err != nil {
		return h, err
	}
	seen := map[string]bool{}
	for range keys {
		f, err := d.field()
		if err != nil {
			return h, err
		}
		if seen[f.Key] || f.Key == "" {
			return h, fmt.Errorf("the key %q is empty, or given twice", f.Key)
		}
		seen[f.Key] = true
		h.meta = append(h.meta, f)
	}
	clear(seen)
	for range tensors {
		t, err := d.tensor()
		if err != nil {
			return h, err
		}
		if seen[t.Name] {
			return h, fmt.Errorf("the tensor %q is given twice", t.Name)
		}
		seen[t.Name] = true
		h.tensors = append(h.tensors, t)
	}
	return h, nil
}

// tensor reads what is said of a tensor; the offset is that in the data.
func (d *decoder) tensor() (t Tensor, err error) {
	if t.Name, err = d.text(); err != nil {
		return t, err
	}
	axes, err := d.u32()
	if err != nil {
		return t, err
	}
	if axes > maxAxes {
		return t, fmt.Errorf("tensor %q has %d axes, more than %d", t.Name, axes, maxAxes)
	}
	t.Shape = make([]int, axes)
	for i := range t.Shape {
		n, err := d.size()
		if err != nil {
			return t, fmt.Errorf("tensor %q: %w", t.Name, err)
		}
		t.Shape[len(t.Shape)-1-i] = n // the one that varies fastest comes first
	}
	kind, err := d.u32()
	if err != nil {
		return t, err
	}
	t.Type = Type(kind)
	if t.Offset, err = d.size(); err != nil {
		return t, fmt.Errorf("tensor %q: %w", t.Name, err)
	}
	return t, nil
}

// field reads a key and its value.
func (d *decoder) field() (f Field, err error) {
	if f.Key, err = d.text(); err != nil {
		return f, err
	}
	kind, err := d.u32()
	if err != nil {
		return f, err
	}
	if f.Value, err = d.value(kind, 0); err != nil {
		return f, fmt.Errorf("the value of %.200q: %w", f.Key, err)
	}
	return f, nil
}

// fill reads len(b) bytes.
func (d *decoder) fill(b []byte) error {
	if uint64(len(b)) > d.left {
		return io.ErrUnexpectedEOF
	}
	d.left -= uint64(len(b))
	_, err := io.ReadFull(d.r, b)
	return err
}

func (d *decoder) u32() (uint32, error) {
	var b [4]byte
	err := d.fill(b[:])
	return binary.LittleEndian.Uint32(b[:]), err
}

func (d *decoder) u64() (uint64, error) {
	var b [8]byte
	err := d.fill(b[:])
	return binary.LittleEndian.Uint64(b[:]), err
}

// size reads a number of the kind that sizes and offsets are.
func (d *decoder) size() (int, error) {
	v, err := d.u64()
	if err == nil && v > uint64(maxBytes) {
		err = fmt.Errorf("%d is more than a file can hold", v)
	}
	return int(v), err
}

// count reads how many things follow that take at least each bytes.
func (d *decoder) count(most, each uint64, what string) (int, error) {
	n, err := d.u64()
	if err != nil {
		return 0, err
	}
	if n > most || n > d.left/each {
		return 0, fmt.Errorf("%d %s in %d bytes: it is cut short, or no model", n, what, d.left)
	}
	return int(n), nil
}

// text reads a string.
func (d *decoder) text() (string, error) {
	n, err := d.u64()
	if err != nil {
		return "", err
	}
	if n > d.left {
		return "", fmt.Errorf("a text of %d bytes where %d are left", n, d.left)
	}
	b := make([]byte, n)
	err = d.fill(b)
	return string(b), err
}
