// Package tensor holds arrays: a shape, an element type and storage. It has no
// operators.
//
// A [Tensor] is dense and in row-major order; its storage is a plain Go slice,
// which [Of] gives without a copy. [New] makes zeros, [From], [Vector] and
// [Scalar] wrap Go values, [FromRaw] and [Tensor.Raw] read and write the bytes
// of files. The numbers of a [DType] are those of ONNX.
package tensor

import (
	"fmt"
	"math"
	"slices"
)

// Tensor is a dense array in row-major order. Data holds a Go slice of the
// element type ([]float32, []int64, []bool, []string …; []uint16 for Float16
// and BFloat16) whose length is the product of Shape. A scalar has an empty Shape.
type Tensor struct {
	DType DType
	Shape []int
	Data  any
}

// Elem is a Go type that can be stored in a tensor.
type Elem interface {
	float32 | float64 | int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64 | bool | string
}

// Size is the product of the dimensions of a shape. It reports false where a
// dimension is negative or the product overflows an int.
func Size(shape []int) (int, bool) {
	n := 1
	zero := false
	for _, d := range shape {
		if d < 0 {
			return 0, false
		}
		if d == 0 {
			zero = true
			continue
		}
		if n > math.MaxInt/d {
			return 0, false
		}
		n *= d
	}
	if zero {
		return 0, true
	}
	return n, true
}

// New returns a zeroed tensor. It panics on an invalid type or shape: check
// untrusted shapes with Size first.
func New(d DType, shape ...int) *Tensor {
	n, ok := Size(shape)
	if !ok {
		panic(fmt.Sprintf("tensor: bad shape %v", shape))
	}
	if !d.Valid() {
		panic("tensor: bad type " + d.String())
	}
	return &Tensor{DType: d, Shape: slices.Clone(shape), Data: storages[d].zeros(n)}
}

// TypeOf is the DType in which a Go element type is stored ([]uint16 is Uint16).
func TypeOf[T Elem]() DType {
	var z T
	switch any(z).(type) {
	case float32:
		return Float32
	case float64:
		return Float64
	case int8:
		return Int8
	case int16:
		return Int16
	case int32:
		return Int32
	case int64:
		return Int64
	case uint8:
		return Uint8
	case uint16:
		return Uint16
	case uint32:
		return Uint32
	case uint64:
		return Uint64
	case bool:
		return Bool
	}
	return String
}

// From wraps data (not copied) as a tensor. Without a shape it is a vector.
// It panics where the length does not fit the shape.
func From[T Elem](data []T, shape ...int) *Tensor {
	if len(shape) == 0 && len(data) != 1 {
		shape = []int{len(data)}
	}
	if n, ok := Size(shape); !ok || n != len(data) {
		panic(fmt.Sprintf("tensor: %d elements do not fill shape %v", len(data), shape))
	}
	return &Tensor{DType: TypeOf[T](), Shape: slices.Clone(shape), Data: data}
}

// Scalar is a tensor of rank 0.
func Scalar[T Elem](v T) *Tensor { return &Tensor{DType: TypeOf[T](), Shape: []int{}, Data: []T{v}} }

// Vector is a tensor of rank 1 over data (not copied).
func Vector[T Elem](data ...T) *Tensor {
	return &Tensor{DType: TypeOf[T](), Shape: []int{len(data)}, Data: data}
}

// Of gives the storage as []T, or nil where the tensor holds another type.
func Of[T Elem](t *Tensor) []T {
	s, _ := t.Data.([]T)
	return s
}

// F32 gives the storage of a Float32 tensor, or nil.
func (t *Tensor) F32() []float32 { return Of[float32](t) }

// Len is the number of elements.
func (t *Tensor) Len() int { n, _ := Size(t.Shape); return n }

// Rank is the number of dimensions.
func (t *Tensor) Rank() int { return len(t.Shape) }

// Bytes is the size of the elements in a file in bytes; strings count their text.
func (t *Tensor) Bytes() int {
	if s, ok := t.Data.([]string); ok {
		n := 0
		for _, v := range s {
			n += len(v)
		}
		return n
	}
	return t.DType.Bytes(t.Len())
}

// String describes the tensor: type and shape.
func (t *Tensor) String() string { return fmt.Sprintf("%v%v", t.DType, t.Shape) }

// Clone copies shape and storage.
func (t *Tensor) Clone() *Tensor {
	c := &Tensor{DType: t.DType, Shape: slices.Clone(t.Shape)}
	if t.DType.Valid() {
		c.Data = storages[t.DType].clone(t.Data)
	}
	return c
}

// Copy takes over the elements of a tensor of the same type and shape.
func (t *Tensor) Copy(x *Tensor) error {
	if t.DType != x.DType || !slices.Equal(t.Shape, x.Shape) {
		return fmt.Errorf("%v does not fit %v", x, t)
	}
	if t.DType.Valid() {
		storages[t.DType].copy(t.Data, x.Data)
	}
	return nil
}

// CopyRange copies n elements of a tensor of the same type, from its element of on, to
// those from at on. It panics where one of them has none there.
func (t *Tensor) CopyRange(at int, x *Tensor, of, n int) {
	if t.DType != x.DType {
		panic(fmt.Sprintf("tensor: %v does not fit %v", x, t))
	}
	storages[t.DType].move(t.Data, at, x.Data, of, n)
}

// Clear sets the elements from lo to hi to zero.
func (t *Tensor) Clear(lo, hi int) { storages[t.DType].clear(t.Data, lo, hi) }

// Reshape is a tensor of another shape over the same storage. It panics where
// the number of elements differs.
func (t *Tensor) Reshape(shape ...int) *Tensor {
	if n, ok := Size(shape); !ok || n != t.Len() {
		panic(fmt.Sprintf("tensor: cannot reshape %v to %v", t.Shape, shape))
	}
	return &Tensor{DType: t.DType, Shape: slices.Clone(shape), Data: t.Data}
}

// Strides gives the row-major strides of a shape, in elements.
func Strides(shape []int) []int {
	s := make([]int, len(shape))
	n := 1
	for i := len(shape) - 1; i >= 0; i-- {
		s[i] = n
		n *= shape[i]
	}
	return s
}
