package tensor

import "slices"

// storage works on the slices that hold elements of one Go type.
type storage struct {
	zeros func(n int) any
	clone func(x any) any // nil where x holds another type
	part  func(x any, lo, hi int) any
	copy  func(to, from any)
	move  func(to any, at int, from any, of, n int)
	clear func(x any, lo, hi int)
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
		part: func(x any, lo, hi int) any {
			v, _ := x.([]T)
			return v[lo:hi]
		},
		copy: func(to, from any) {
			t, _ := to.([]T)
			f, _ := from.([]T)
			copy(t, f)
		},
		move: func(to any, at int, from any, of, n int) {
			t, _ := to.([]T)
			f, _ := from.([]T)
			copy(t[at:at+n], f[of:of+n])
		},
		clear: func(x any, lo, hi int) {
			v, _ := x.([]T)
			clear(v[lo:hi])
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
