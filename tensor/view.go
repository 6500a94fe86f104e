package tensor

import (
	"encoding/binary"
	"runtime"
	"slices"
	"unsafe"
)

// View is the tensor that FromRaw makes, over b itself where its bytes can be taken as the
// elements: on a little-endian machine, where b begins at a multiple of an element's
// size or the machine takes them from anywhere, and for other types than Bool and those of
// 4 bits. Else it is a copy.
func View(b []byte, d DType, shape ...int) (*Tensor, error) {
	n, ok := Size(shape)
	size := d.Size()
	if !ok || size == 0 || n == 0 || n > len(b) || len(b) != n*size || !little || !anywhere && uintptr(unsafe.Pointer(unsafe.SliceData(b)))%uintptr(size) != 0 {
		return FromRaw(b, d, shape...)
	}
	var data any
	switch d {
	case Float32:
		data = over[float32](b, n)
	case Float64:
		data = over[float64](b, n)
	case Int64:
		data = over[int64](b, n)
	case Uint64:
		data = over[uint64](b, n)
	case Int32:
		data = over[int32](b, n)
	case Uint32:
		data = over[uint32](b, n)
	case Int16:
		data = over[int16](b, n)
	case Uint16, Float16, BFloat16:
		data = over[uint16](b, n)
	case Int8:
		data = over[int8](b, n)
	case Uint8:
		data = over[uint8](b, n)
	default:
		return FromRaw(b, d, shape...)
	}
	return &Tensor{DType: d, Shape: slices.Clone(shape), Data: data}, nil
}

// memory is the memory of t's elements, where it holds them as files do: on a
// little-endian machine, and for types that View can take as they are.
func memory(t *Tensor) (b []byte, ok bool) {
	if !little {
		return nil, false
	}
	switch x := t.Data.(type) {
	case []float32:
		return bytesOf(x), true
	case []float64:
		return bytesOf(x), true
	case []int64:
		return bytesOf(x), true
	case []uint64:
		return bytesOf(x), true
	case []int32:
		return bytesOf(x), true
	case []uint32:
		return bytesOf(x), true
	case []int16:
		return bytesOf(x), true
	case []uint16:
		return bytesOf(x), true
	case []int8:
		return bytesOf(x), t.DType == Int8
	case []uint8:
		return x, t.DType == Uint8
	}
	return nil, false
}

func bytesOf[T Elem](x []T) []byte {
	var e T
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(x))), len(x)*int(unsafe.Sizeof(e)))
}

// little says whether this machine has the lowest byte of a number first.
var little = binary.NativeEndian.Uint16([]byte{1, 0}) == 1

// anywhere says whether the machine reads and writes numbers at any place of the memory.
var anywhere = runtime.GOARCH == "amd64" || runtime.GOARCH == "arm64"

func over[T Elem](b []byte, n int) []T {
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(b))), n)
}
