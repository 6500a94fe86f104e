package tensor

import "fmt"

// DType is an element type. The numbers are those of ONNX's TensorProto.DataType.
type DType uint8

// The element types. Float16 and BFloat16 are held as their bits in []uint16, Int4 and
// Uint4 as numbers in []int8 and []uint8, which files have two in a byte, the first in
// the low bits.
const (
	Undefined DType = 0
	Float32   DType = 1
	Uint8     DType = 2
	Int8      DType = 3
	Uint16    DType = 4
	Int16     DType = 5
	Int32     DType = 6
	Int64     DType = 7
	String    DType = 8
	Bool      DType = 9
	Float16   DType = 10
	Float64   DType = 11
	Uint32    DType = 12
	Uint64    DType = 13
	BFloat16  DType = 16
	Uint4     DType = 21
	Int4      DType = 22
)

var dtypeNames = map[DType]string{
	Float32: "float32", Uint8: "uint8", Int8: "int8", Uint16: "uint16", Int16: "int16", Int32: "int32",
	Int64: "int64", String: "string", Bool: "bool", Float16: "float16", Float64: "float64",
	Uint32: "uint32", Uint64: "uint64", BFloat16: "bfloat16", Uint4: "uint4", Int4: "int4",
}

// String gives the type's name, such as "float32".
func (d DType) String() string {
	if s, ok := dtypeNames[d]; ok {
		return s
	}
	return fmt.Sprintf("dtype(%d)", uint8(d))
}

// Valid says whether Pare can hold elements of this type.
func (d DType) Valid() bool { _, ok := dtypeNames[d]; return ok }

// Bits is the number of bits of one element in a file; 0 for strings.
func (d DType) Bits() int {
	if d == Int4 || d == Uint4 {
		return 4
	}
	return 8 * d.Size()
}

// Bytes is the number of bytes of n elements in a file.
func (d DType) Bytes(n int) int {
	if d.Bits() == 4 {
		return n/2 + n%2
	}
	return n * d.Size()
}

// Size is the number of bytes of one element in memory; 0 for strings.
func (d DType) Size() int {
	switch d {
	case Uint8, Int8, Bool, Uint4, Int4:
		return 1
	case Uint16, Int16, Float16, BFloat16:
		return 2
	case Float32, Int32, Uint32:
		return 4
	case Float64, Int64, Uint64:
		return 8
	}
	return 0
}

// IsFloat says whether the type is a floating-point type of any width.
func (d DType) IsFloat() bool {
	return d == Float32 || d == Float64 || d == Float16 || d == BFloat16
}

// IsInt says whether the type is a signed or unsigned integer type.
func (d DType) IsInt() bool {
	switch d {
	case Uint8, Int8, Uint16, Int16, Int32, Int64, Uint32, Uint64, Uint4, Int4:
		return true
	}
	return false
}
