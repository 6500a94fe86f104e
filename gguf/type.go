package gguf

import (
	"fmt"

	"pare/tensor"
)

// Type is how a tensor's elements are stored. The numbers are ggml's.
type Type uint32

// The types that Pare knows more of than the name and the size.
const (
	F32  Type = 0
	F16  Type = 1
	Q4_0 Type = 2
	Q4_1 Type = 3
	Q5_0 Type = 6
	Q5_1 Type = 7
	Q8_0 Type = 8
	Q2_K Type = 10
	Q3_K Type = 11
	Q4_K Type = 12
	Q5_K Type = 13
	Q6_K Type = 14
	Q8_K Type = 15
	I8   Type = 24
	I16  Type = 25
	I32  Type = 26
	I64  Type = 27
	F64  Type = 28
	BF16 Type = 30
)

// layout is how elements of a type are stored: block elements of a row in size bytes.
type layout struct {
	name        string
	block, size int
	stored      tensor.DType                  // where a block is one element
	decode      func(b []byte, out []float32) // one block
	encode      func(x []float32, out []byte) // one block
}

// layouts by type, as ggml.h and ggml-common.h have them. Those without stored and decode
// are known by name.
var layouts = map[Type]layout{
	F32:  {name: "F32", block: 1, size: 4, stored: tensor.Float32},
	F16:  {name: "F16", block: 1, size: 2, stored: tensor.Float16},
	BF16: {name: "BF16", block: 1, size: 2, stored: tensor.BFloat16},
	F64:  {name: "F64", block: 1, size: 8, stored: tensor.Float64},
	I8:   {name: "I8", block: 1, size: 1, stored: tensor.Int8},
	I16:  {name: "I16", block: 1, size: 2, stored: tensor.Int16},
	I32:  {name: "I32", block: 1, size: 4, stored: tensor.Int32},
	I64:  {name: "I64", block: 1, size: 8, stored: tensor.Int64},
	Q4_0: {name: "Q4_0", block: 32, size: 18, decode: decodeQ4_0, encode: encodeQ4_0},
	Q4_1: {name: "Q4_1", block: 32, size: 20, decode: decodeQ4_1},
	Q5_0: {name: "Q5_0", block: 32, size: 22, decode: decodeQ5_0},
	Q5_1: {name: "Q5_1", block: 32, size: 24, decode: decodeQ5_1},
	Q8_0: {name: "Q8_0", block: 32, size: 34, decode: decodeQ8_0, encode: encodeQ8_0},
	Q2_K: {name: "Q2_K", block: 256, size: 84, decode: decodeQ2K},
	Q3_K: {name: "Q3_K", block: 256, size: 110, decode: decodeQ3K},
	Q4_K: {name: "Q4_K", block: 256, size: 144, decode: decodeQ4K},
	Q5_K: {name: "Q5_K", block: 256, size: 176, decode: decodeQ5K},
	Q6_K: {name: "Q6_K", block: 256, size: 210, decode: decodeQ6K},
	Q8_K: {name: "Q8_K", block: 256, size: 292, decode: decodeQ8K},
	9:    {name: "Q8_1", block: 32, size: 36},
	16:   {name: "IQ2_XXS", block: 256, size: 66},
	17:   {name: "IQ2_XS", block: 256, size: 74},
	18:   {name: "IQ3_XXS", block: 256, size: 98},
	19:   {name: "IQ1_S", block: 256, size: 50},
	20:   {name: "IQ4_NL", block: 32, size: 18},
	21:   {name: "IQ3_S", block: 256, size: 110},
	22:   {name: "IQ2_S", block: 256, size: 82},
	23:   {name: "IQ4_XS", block: 256, size: 136},
	29:   {name: "IQ1_M", block: 256, size: 56},
	34:   {name: "TQ1_0", block: 256, size: 54},
	35:   {name: "TQ2_0", block: 256, size: 66},
	39:   {name: "MXFP4", block: 32, size: 17},
	40:   {name: "NVFP4", block: 64, size: 36},
	41:   {name: "Q1_0", block: 128, size: 18},
	42:   {name: "Q2_0", block: 64, size: 18},
}

// String gives ggml's name, such as "Q4_K".
func (t Type) String() string {
	if l, ok := layouts[t]; ok {
		return l.name
	}
	return fmt.Sprintf("type %d", uint32(t))
}

// reads is the type of the elements that [File.Read] gives.
func (t Type) reads() tensor.DType {
	switch l := layouts[t]; l.stored {
	case tensor.Undefined, tensor.Float16, tensor.BFloat16:
		return tensor.Float32
	default:
		return l.stored
	}
}

// Bytes is the size in a file of a tensor of this type. It returns an error for a type that is
// not known, an axis of negative size, rows that are no multiple of the type's block, and
// more bytes than an int counts.
func (t Type) Bytes(shape []int) (int, error) {
	l, ok := layouts[t]
	if !ok {
		return 0, fmt.Errorf("%v is not known", t)
	}
	n, ok := tensor.Size(shape)
	if !ok {
		return 0, fmt.Errorf("shape %v is negative or too large", shape)
	}
	row := 1
	if len(shape) > 0 {
		row = shape[len(shape)-1]
	}
	if row%l.block != 0 {
		return 0, fmt.Errorf("rows of %d elements are no multiple of the %d that a block of %v holds", row, l.block, t)
	}
	if n/l.block > maxBytes/l.size {
		return 0, fmt.Errorf("shape %v is too large", shape)
	}
	return n / l.block * l.size, nil
}

// maxBytes bounds a tensor, so that sums of a few sizes are no more than an int holds.
const maxBytes = int(^uint(0)>>1) / 16
