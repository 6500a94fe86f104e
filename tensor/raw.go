package tensor

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
)

// FromRaw makes a tensor of little-endian elements, one after another, copied.
// It returns an error where b is not as long as type and shape say, and for
// strings.
func FromRaw(b []byte, d DType, shape ...int) (*Tensor, error) {
	n, ok := Size(shape)
	if size := d.Size(); !ok || size == 0 || len(b)%size != 0 || len(b)/size != n {
		return nil, fmt.Errorf("%d bytes are not %v of shape %v", len(b), d, shape)
	}
	return &Tensor{DType: d, Shape: slices.Clone(shape), Data: elements(b, d, n)}, nil
}

func elements(b []byte, d DType, n int) any {
	le := binary.LittleEndian
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
		x := make([]int64, n)
		for i := range x {
			x[i] = int64(le.Uint64(b[8*i:]))
		}
		return x
	case Uint64:
		x := make([]uint64, n)
		for i := range x {
			x[i] = le.Uint64(b[8*i:])
		}
		return x
	case Int32:
		x := make([]int32, n)
		for i := range x {
			x[i] = int32(le.Uint32(b[4*i:]))
		}
		return x
	case Uint32:
		x := make([]uint32, n)
		for i := range x {
			x[i] = le.Uint32(b[4*i:])
		}
		return x
	case Int16:
		x := make([]int16, n)
		for i := range x {
			x[i] = int16(le.Uint16(b[2*i:]))
		}
		return x
	case Uint16, Float16, BFloat16:
		x := make([]uint16, n)
		for i := range x {
			x[i] = le.Uint16(b[2*i:])
		}
		return x
	case Int8:
		x := make([]int8, n)
		for i := range x {
			x[i] = int8(b[i])
		}
		return x
	case Bool:
		x := make([]bool, n)
		for i := range x {
			x[i] = b[i] != 0
		}
		return x
	}
	return append([]uint8{}, b...)
}

// Raw gives the elements in little-endian order, the inverse of FromRaw; nothing
// for strings.
func (t *Tensor) Raw() []byte {
	le := binary.LittleEndian
	out := make([]byte, 0, t.Bytes())
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
		for _, v := range x {
			out = le.AppendUint64(out, uint64(v))
		}
	case []uint64:
		for _, v := range x {
			out = le.AppendUint64(out, v)
		}
	case []int32:
		for _, v := range x {
			out = le.AppendUint32(out, uint32(v))
		}
	case []uint32:
		for _, v := range x {
			out = le.AppendUint32(out, v)
		}
	case []int16:
		for _, v := range x {
			out = le.AppendUint16(out, uint16(v))
		}
	case []uint16:
		for _, v := range x {
			out = le.AppendUint16(out, v)
		}
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
