package tensor

import "slices"

// storage works on the slices that hold elements of one Go type.
type storage struct {
	zeros func(n int) any
	clone func(x any) any // nil where x holds another type
	copy  func(to, from any)
}

func held[T Elem]() storage {
	return storage{
		zeros: func(n int) any { return make([]T, n) },
		clone: func(x any) any {
			if v, ok := x.([]T); ok {
				return slices.Clone(v)
			}
			return nil
		},
		copy: func(to, from any) {
			t, _ := to.([]T)
			f, _ := from.([]T)
			copy(t, f)
		},
	}
}

// storages by DType.
var storages = [...]storage{
	Float32: held[float32](), Float64: held[float64](),
	Float16: held[uint16](), BFloat16: held[uint16](),
	Int8: held[int8](), Int16: held[int16](), Int32: held[int32](), Int64: held[int64](),
	Uint8: held[uint8](), Uint16: held[uint16](), Uint32: held[uint32](), Uint64: held[uint64](),
	Bool: held[bool](), String: held[string](), Int4: held[int8](), Uint4: held[uint8](),
}
