// Package npy reads and writes arrays in NumPy's format
// (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html).
//
// [Decode] and [Encode] are for one array (.npy), [EncodeAll] for several with
// names (.npz). [HeaderOf] reads type and shape alone, for files that are read in
// parts. Arrays in Fortran order and of big-endian numbers are read too; what is
// written is in C order and little-endian.
package npy

import (
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

// types by NumPy's names, without the order of bytes.
var types = map[string]tensor.DType{
	"b1": tensor.Bool, "u1": tensor.Uint8, "i1": tensor.Int8, "u2": tensor.Uint16, "i2": tensor.Int16, "u4": tensor.Uint32, "i4": tensor.Int32,
	"u8": tensor.Uint64, "i8": tensor.Int64, "f2": tensor.Float16, "f4": tensor.Float32, "f8": tensor.Float64,
}

// Header says what an array is.
type Header struct {
	DType tensor.DType
	Shape []int
	Count int // elements
	Len   int // bytes of the header, before the elements

	Big     bool // numbers have their highest byte first
	Fortran bool // the first axis varies fastest
}

var pattern = regexp.MustCompile(`^\{'descr': (.+), 'fortran_order': (True|False), 'shape': \(([0-9, L]*)\),? *\}\s*$`)

// HeaderOf reads the header of an array that takes size bytes in all, of which
// b is the start of the file, at least MaxHeader bytes where it has that many:
// versions 1 to 3 of the format.
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
	h = Header{Shape: []int{}, Count: 1, Len: off + n, Fortran: m[2] == "True"}
	if h.DType, h.Big, err = typeOf(m[1]); err != nil {
		return h, err
	}
	data := size - h.Len
	for _, w := range strings.Split(m[3], ",") {
		if w = strings.TrimSuffix(strings.TrimSpace(w), "L"); w == "" {
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
	return tensor.FromRaw(h.Elements(b), h.DType, h.Shape...)
}

// Encode writes an array; the type must be one that NumPy has, so neither
// strings nor bfloat16.
func Encode(t *tensor.Tensor) ([]byte, error) {
	head, err := HeaderFor(t.DType, t.Shape)
	if err != nil {
		return nil, err
	}
	return append(head, t.Raw()...), nil
}

// HeaderFor is the header of an array whose elements follow it in C order, little-endian.
func HeaderFor(of tensor.DType, dims []int) ([]byte, error) {
	descr := ""
	for name, d := range types {
		if d == of {
			descr = "<" + name
			if d.Size() == 1 {
				descr = "|" + name
			}
		}
	}
	if descr == "" {
		return nil, fmt.Errorf("NumPy has no %v", of)
	}
	var text strings.Builder
	for _, d := range dims {
		fmt.Fprintf(&text, "%d, ", d)
	}
	shape := strings.TrimSuffix(text.String(), " ")
	if len(dims) > 1 {
		shape = strings.TrimSuffix(shape, ",")
	}
	h := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': (%s), }", descr, shape)
	for (10+len(h)+1)%64 != 0 {
		h += " "
	}
	h += "\n"
	b := append([]byte(magic+"\x01\x00"), byte(len(h)), byte(len(h)>>8))
	return append(b, h...), nil
}
