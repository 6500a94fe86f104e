package tensor

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"slices"
)

// le is the order of the bytes of elements in files.
var le = binary.LittleEndian

// FromRaw makes a tensor of little-endian elements, one after another, copied; those of
// 4 bits lie two in a byte. It returns an error where b is not as long as type and shape
// say, and for strings.
func FromRaw(b []byte, d DType, shape ...int) (*Tensor, error) {
	n, ok := Size(shape)
	if size := d.Size(); !ok || size == 0 || n > 2*len(b) || len(b) != d.Bytes(n) {
		return nil, fmt.Errorf("%d bytes are not %v of shape %v", len(b), d, shape)
	}
	return &Tensor{DType: d, Shape: slices.Clone(shape), Data: elements(b, d, n)}, nil
}

// elements reads n elements of a type other than String.
func elements(b []byte, d DType, n int) any {
	switch d {
	case Float32:
		x := make([]float32, n)
		for i := range x {
			x[i] = math.Float32frombits(le.Uint32(b[4*i:]))
		}
		return x
	case Float64:
		x := make([]float64, n)
		for i := range x {
			x[i] = math.Float64frombits(le.Uint64(b[8*i:]))
		}
		return x
	case Int64:
		return read8[int64](b, n)
	case Uint64:
		return read8[uint64](b, n)
	case Int32:
		return read4[int32](b, n)
	case Uint32:
		return read4[uint32](b, n)
	case Int16:
		return read2[int16](b, n)
	case Uint16, Float16, BFloat16:
		return read2[uint16](b, n)
	case Int8:
		return read1[int8](b, n)
	case Int4:
		x := make([]int8, n)
		for i := range x {
			x[i] = int8(b[i/2]>>(4*(i&1))<<4) >> 4
		}
		return x
	case Uint4:
		x := make([]uint8, n)
		for i := range x {
			x[i] = b[i/2] >> (4 * (i & 1)) & 15
		}
		return x
	case Bool:
		x := make([]bool, n)
		for i := range x {
			x[i] = b[i] != 0
		}
		return x
	}
	return read1[uint8](b, n)
}

// read1, read2, read4 and read8 read n whole numbers of 1, 2, 4 and 8 bytes.

func read1[T int8 | uint8](b []byte, n int) []T {
	x := make([]T, n)
	for i := range x {
		x[i] = T(b[i])
	}
	return x
}

func read2[T int16 | uint16](b []byte, n int) []T {
	x := make([]T, n)
	for i := range x {
		x[i] = T(le.Uint16(b[2*i:]))
	}
	return x
}

func read4[T int32 | uint32](b []byte, n int) []T {
	x := make([]T, n)
	for i := range x {
		x[i] = T(le.Uint32(b[4*i:]))
	}
	return x
}

func read8[T int64 | uint64](b []byte, n int) []T {
	x := make([]T, n)
	for i := range x {
		x[i] = T(le.Uint64(b[8*i:]))
	}
	return x
}

// Raw gives the elements in little-endian order, the inverse of FromRaw; nothing
// for strings.
func (t *Tensor) Raw() []byte {
	out := make([]byte, 0, t.Bytes())
	if b, ok := memory(t); ok {
		return append(out, b...)
	}
	switch t.DType {
	case Int4:
		return append4bits(out, Of[int8](t))
	case Uint4:
		return append4bits(out, Of[uint8](t))
	}
	switch x := t.Data.(type) {
	case []float32:
		for _, v := range x {
			out = le.AppendUint32(out, math.Float32bits(v))
		}
	case []float64:
		for _, v := range x {
			out = le.AppendUint64(out, math.Float64bits(v))
		}
	case []int64:
		return append8(out, x)
	case []uint64:
		return append8(out, x)
	case []int32:
		return append4(out, x)
	case []uint32:
		return append4(out, x)
	case []int16:
		return append2(out, x)
	case []uint16:
		return append2(out, x)
	case []int8:
		for _, v := range x {
			out = append(out, byte(v))
		}
	case []uint8:
		out = append(out, x...)
	case []bool:
		for _, v := range x {
			if v {
				out = append(out, 1)
			} else {
				out = append(out, 0)
			}
		}
	}
	return out
}

// piece is the number of elements that are read or written at a time: even, for those
// that lie two in a byte.
const piece = 1 << 18

// WriteRaw writes what Raw gives, without holding it.
func (t *Tensor) WriteRaw(w io.Writer) error {
	if b, ok := memory(t); ok {
		_, err := w.Write(b)
		return err
	}
	for at, n := 0, t.Len(); at < n; at += piece {
		if _, err := w.Write(t.part(at, min(n, at+piece)).Raw()); err != nil {
			return err
		}
	}
	return nil
}

// ReadRaw is a tensor of a type other than String whose elements come from a reader in
// little-endian order. The caller has made sure that there are as many.
func ReadRaw(r io.Reader, d DType, shape ...int) (*Tensor, error) {
	t := New(d, shape...)
	if b, ok := memory(t); ok {
		_, err := io.ReadFull(r, b)
		return t, err
	}
	b := make([]byte, min(piece, t.Len())*d.Size())
	for at, n := 0, t.Len(); at < n; at += piece {
		p := t.part(at, min(n, at+piece))
		if _, err := io.ReadFull(r, b[:p.Bytes()]); err != nil {
			return nil, err
		}
		storages[d].copy(p.Data, elements(b[:p.Bytes()], d, p.Len()))
	}
	return t, nil
}

// part is a view of the elements from lo to hi.
func (t *Tensor) part(lo, hi int) *Tensor {
	return &Tensor{DType: t.DType, Shape: []int{hi - lo}, Data: storages[t.DType].part(t.Data, lo, hi)}
}

// append4bits appends whole numbers of 4 bits, two in a byte.
func append4bits[T int8 | uint8](out []byte, x []T) []byte {
	for i, v := range x {
		if i&1 == 0 {
			out = append(out, byte(v)&15)
		} else {
			out[len(out)-1] |= byte(v) << 4
		}
	}
	return out
}

// append2, append4 and append8 append whole numbers of 2, 4 and 8 bytes.

func append2[T int16 | uint16](out []byte, x []T) []byte {
	for _, v := range x {
		out = le.AppendUint16(out, uint16(v))
	}
	return out
}

func append4[T int32 | uint32](out []byte, x []T) []byte {
	for _, v := range x {
		out = le.AppendUint32(out, uint32(v))
	}
	return out
}

func append8[T int64 | uint64](out []byte, x []T) []byte {
	for _, v := range x {
		out = le.AppendUint64(out, uint64(v))
	}
	return out
}
