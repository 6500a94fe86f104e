// Package npy reads and writes arrays in NumPy's format
// (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html).
//
// [Decode] and [Encode] are for one array (.npy), [EncodeAll] for several with
// names (.npz). [HeaderOf] reads type and shape alone, for files that are read in
// parts. Arrays must be in C order and of little-endian numbers.
package npy

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"pare/tensor"
)

// Bounds of a header: its bytes, and the axes of the array.
const (
	MaxHeader = 1<<16 + 12
	maxAxes   = 32
)

const magic = "\x93NUMPY"

// types by NumPy's names.
var types = map[string]tensor.DType{
	"|b1": tensor.Bool, "|u1": tensor.Uint8, "|i1": tensor.Int8, "<u2": tensor.Uint16, "<i2": tensor.Int16, "<u4": tensor.Uint32, "<i4": tensor.Int32,
	"<u8": tensor.Uint64, "<i8": tensor.Int64, "<f2": tensor.Float16, "<f4": tensor.Float32, "<f8": tensor.Float64,
}

// Header says what an array is.
type Header struct {
	DType tensor.DType
	Shape []int
	Count int // elements
	Len   int // bytes of the header, before the elements
}

var pattern = regexp.MustCompile(`^\{'descr': '([^']*)', 'fortran_order': (True|False), 'shape': \(([0-9, ]*)\),? *\}\s*$`)

// HeaderOf reads the header of an array that takes size bytes in all, of which
// b is the start of the file, at least MaxHeader bytes where it has that many:
// versions 1 to 3 of the format, little-endian numbers in C order.
func HeaderOf(b []byte, size int) (h Header, err error) {
	if len(b) < 12 || string(b[:6]) != magic {
		return h, errors.New("not a NumPy array")
	}
	n, off := int(binary.LittleEndian.Uint16(b[8:])), 10
	if b[6] >= 2 {
		n, off = int(binary.LittleEndian.Uint32(b[8:])), 12
	}
	if n > len(b)-off || n > MaxHeader {
		return h, errors.New("a NumPy header is cut short or too long")
	}
	m := pattern.FindStringSubmatch(string(b[off : off+n]))
	if m == nil {
		return h, fmt.Errorf("the NumPy header %q is not understood", b[off:off+min(n, 80)])
	}
	if m[2] == "True" {
		return h, errors.New("a NumPy array in Fortran order: save it with order='C'")
	}
	h = Header{DType: types[m[1]], Shape: []int{}, Count: 1, Len: off + n}
	if h.DType == tensor.Undefined {
		return h, fmt.Errorf("elements of type %q are not supported", m[1])
	}
	data := size - h.Len
	for _, w := range strings.Split(m[3], ",") {
		if w = strings.TrimSpace(w); w == "" {
			continue
		}
		d, err := strconv.Atoi(w)
		if err != nil || d < 0 || d > 0 && h.Count > data/d {
			return h, fmt.Errorf("shape (%.80s) does not fit %d bytes", m[3], data)
		}
		if h.Shape = append(h.Shape, d); len(h.Shape) > maxAxes {
			return h, fmt.Errorf("an array of more than %d axes", maxAxes)
		}
		h.Count *= d
	}
	if data != h.Count*h.DType.Size() {
		return h, fmt.Errorf("%d bytes of data, shape (%.80s) needs %d", data, m[3], h.Count*h.DType.Size())
	}
	return h, nil
}

// Decode reads an array.
func Decode(b []byte) (*tensor.Tensor, error) {
	h, err := HeaderOf(b, len(b))
	if err != nil {
		return nil, err
	}
	return tensor.FromRaw(b[h.Len:], h.DType, h.Shape...)
}

// Encode writes an array; the type must be one that NumPy has, so neither
// strings nor bfloat16.
func Encode(t *tensor.Tensor) ([]byte, error) {
	descr := ""
	for name, d := range types {
		if d == t.DType {
			descr = name
		}
	}
	if descr == "" {
		return nil, fmt.Errorf("NumPy has no %v", t.DType)
	}
	var dims strings.Builder
	for _, d := range t.Shape {
		fmt.Fprintf(&dims, "%d, ", d)
	}
	shape := strings.TrimSuffix(dims.String(), " ")
	if len(t.Shape) > 1 {
		shape = strings.TrimSuffix(shape, ",")
	}
	h := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': (%s), }", descr, shape)
	for (10+len(h)+1)%64 != 0 {
		h += " "
	}
	h += "\n"
	b := append([]byte(magic+"\x01\x00"), byte(len(h)), byte(len(h)>>8))
	return append(append(b, h...), t.Raw()...), nil
}

// Array is an array with a name.
type Array struct {
	Name string
	*tensor.Tensor
}

// EncodeAll writes arrays to the bytes of an .npz file. Their names become
// names of files: what could lead out of a folder is replaced.
func EncodeAll(as []Array) ([]byte, error) {
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	used := map[string]bool{}
	for _, a := range as {
		b, err := Encode(a.Tensor)
		if err != nil {
			return nil, fmt.Errorf("array %q: %w", a.Name, err)
		}
		name := strings.Map(func(r rune) rune {
			if r < ' ' || strings.ContainsRune(`/\:`, r) {
				return '_'
			}
			return r
		}, strings.TrimLeft(a.Name, "."))
		for stem, i := name, 2; name == "" || used[name]; i++ {
			name = fmt.Sprintf("%s_%d", stem, i)
		}
		used[name] = true
		w, err := z.Create(name + ".npy")
		if err == nil {
			_, err = w.Write(b)
		}
		if err != nil {
			return nil, err
		}
	}
	err := z.Close()
	return out.Bytes(), err
}
