package gguf

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
)

// value reads a value of a kind.
func (d *decoder) value(kind uint32, depth int) (any, error) {
	switch kind {
	case kindUint8:
		return number[uint8](d)
	case kindInt8:
		return number[int8](d)
	case kindUint16:
		return number[uint16](d)
	case kindInt16:
		return number[int16](d)
	case kindUint32:
		return number[uint32](d)
	case kindInt32:
		return number[int32](d)
	case kindFloat32:
		return number[float32](d)
	case kindUint64:
		return number[uint64](d)
	case kindInt64:
		return number[int64](d)
	case kindFloat64:
		return number[float64](d)
	case kindBool:
		b, err := d.bools(1)
		if err != nil {
			return nil, err
		}
		return b[0], nil
	case kindString:
		return d.text()
	case kindArray:
		return d.array(depth)
	}
	return nil, fmt.Errorf("type %d is not known", kind)
}

// array reads the values of an array.
func (d *decoder) array(depth int) (any, error) {
	kind, err := d.u32()
	if err != nil {
		return nil, err
	}
	n, err := d.u64()
	if err != nil {
		return nil, err
	}
	switch kind {
	case kindUint8:
		return numbers[uint8](d, n)
	case kindInt8:
		return numbers[int8](d, n)
	case kindUint16:
		return numbers[uint16](d, n)
	case kindInt16:
		return numbers[int16](d, n)
	case kindUint32:
		return numbers[uint32](d, n)
	case kindInt32:
		return numbers[int32](d, n)
	case kindFloat32:
		return numbers[float32](d, n)
	case kindUint64:
		return numbers[uint64](d, n)
	case kindInt64:
		return numbers[int64](d, n)
	case kindFloat64:
		return numbers[float64](d, n)
	case kindBool:
		return d.bools(n)
	case kindString:
		return d.texts(n)
	case kindArray:
		return d.arrays(n, depth)
	}
	return nil, fmt.Errorf("an array of type %d, which is not known", kind)
}

// fits says whether n things of at least each bytes can follow.
func (d *decoder) fits(n, each uint64) error {
	if n > d.left/each {
		return fmt.Errorf("an array of %d values where %d bytes are left", n, d.left)
	}
	return nil
}

// scalar is a number of the metadata.
type scalar interface {
	uint8 | int8 | uint16 | int16 | uint32 | int32 | uint64 | int64 | float32 | float64
}

func number[T scalar](d *decoder) (any, error) {
	x, err := numbers[T](d, 1)
	if err != nil {
		return nil, err
	}
	return x[0], nil
}

func numbers[T scalar](d *decoder, n uint64) ([]T, error) {
	var one T
	if err := d.fits(n, uint64(binary.Size(one))); err != nil {
		return nil, err
	}
	b := make([]byte, int(n)*binary.Size(one))
	if err := d.fill(b); err != nil {
		return nil, err
	}
	out := make([]T, n)
	_, err := binary.Decode(b, binary.LittleEndian, out)
	return out, err
}

func (d *decoder) bools(n uint64) ([]bool, error) {
	b, err := numbers[uint8](d, n)
	if err != nil {
		return nil, err
	}
	out := make([]bool, n)
	for i, v := range b {
		if v > 1 {
			return nil, fmt.Errorf("%d in the place of true or false", v)
		}
		out[i] = v == 1
	}
	return out, nil
}

func (d *decoder) texts(n uint64) ([]string, error) {
	if err := d.fits(n, 8); err != nil {
		return nil, err
	}
	out := make([]string, n)
	for i := range out {
		var err error
		if out[i], err = d.text(); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (d *decoder) arrays(n uint64, depth int) ([]any, error) {
	if depth == maxDepth {
		return nil, errors.New("arrays lie in arrays too deep")
	}
	if err := d.fits(n, 12); err != nil {
		return nil, err
	}
	out := make([]any, n)
	for i := range out {
		var err error
		if out[i], err = d.array(depth + 1); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// appendValue writes the kind of a value and the value.
func appendValue(b *bytes.Buffer, v any) error {
	switch x := v.(type) {
	case uint8:
		return put(b, kindUint8, x)
	case int8:
		return put(b, kindInt8, x)
	case uint16:
		return put(b, kindUint16, x)
	case int16:
		return put(b, kindInt16, x)
	case uint32:
		return put(b, kindUint32, x)
	case int32:
		return put(b, kindInt32, x)
	case float32:
		return put(b, kindFloat32, x)
	case uint64:
		return put(b, kindUint64, x)
	case int64:
		return put(b, kindInt64, x)
	case float64:
		return put(b, kindFloat64, x)
	case bool:
		return put(b, kindBool, x)
	case string:
		u32(b, kindString)
		text(b, x)
		return nil
	}
	u32(b, kindArray)
	return appendArray(b, v, 0)
}

// appendArray writes the kind, the number and the values of an array.
func appendArray(b *bytes.Buffer, v any, depth int) error {
	switch x := v.(type) {
	case []uint8:
		return putAll(b, kindUint8, x)
	case []int8:
		return putAll(b, kindInt8, x)
	case []uint16:
		return putAll(b, kindUint16, x)
	case []int16:
		return putAll(b, kindInt16, x)
	case []uint32:
		return putAll(b, kindUint32, x)
	case []int32:
		return putAll(b, kindInt32, x)
	case []float32:
		return putAll(b, kindFloat32, x)
	case []uint64:
		return putAll(b, kindUint64, x)
	case []int64:
		return putAll(b, kindInt64, x)
	case []float64:
		return putAll(b, kindFloat64, x)
	case []bool:
		return putAll(b, kindBool, x)
	case []string:
		u32(b, kindString)
		u64(b, len(x))
		for _, s := range x {
			text(b, s)
		}
		return nil
	case []any:
		if depth == maxDepth {
			return errors.New("arrays lie in arrays too deep")
		}
		u32(b, kindArray)
		u64(b, len(x))
		for _, inner := range x {
			if err := appendArray(b, inner, depth+1); err != nil {
				return err
			}
		}
		return nil
	}
	return fmt.Errorf("the metadata hold no values of type %T", v)
}

func put(b *bytes.Buffer, kind uint32, v any) error {
	u32(b, kind)
	return binary.Write(b, binary.LittleEndian, v)
}

func putAll[T scalar | bool](b *bytes.Buffer, kind uint32, v []T) error {
	u32(b, kind)
	u64(b, len(v))
	return binary.Write(b, binary.LittleEndian, v)
}

func u32(b *bytes.Buffer, v uint32) {
	b.Write(binary.LittleEndian.AppendUint32(b.AvailableBuffer(), v))
}

func u64(b *bytes.Buffer, v int) {
	b.Write(binary.LittleEndian.AppendUint64(b.AvailableBuffer(), uint64(v)))
}

func text(b *bytes.Buffer, s string) {
	u64(b, len(s))
	b.WriteString(s)
}
