package op

import "pare/tensor"

// copier copies single elements between tensors of one type: it sets element
// i of dst to element j of src.
func copier(dst, src *tensor.Tensor) func(i, j int) {
	switch d := dst.Data.(type) {
	case []float32:
		return copyOf(d, tensor.Of[float32](src))
	case []float64:
		return copyOf(d, tensor.Of[float64](src))
	case []int64:
		return copyOf(d, tensor.Of[int64](src))
	case []int32:
		return copyOf(d, tensor.Of[int32](src))
	case []int16:
		return copyOf(d, tensor.Of[int16](src))
	case []int8:
		return copyOf(d, tensor.Of[int8](src))
	case []uint8:
		return copyOf(d, tensor.Of[uint8](src))
	case []uint16:
		return copyOf(d, tensor.Of[uint16](src))
	case []uint32:
		return copyOf(d, tensor.Of[uint32](src))
	case []uint64:
		return copyOf(d, tensor.Of[uint64](src))
	case []bool:
		return copyOf(d, tensor.Of[bool](src))
	case []string:
		return copyOf(d, tensor.Of[string](src))
	}
	return func(i, j int) {}
}

func copyOf[T any](d, s []T) func(i, j int) { return func(i, j int) { d[i] = s[j] } }

// take makes a tensor of elements of src: element i is src's element at(i),
// or zero where that is negative.
func take(src *tensor.Tensor, shape []int, at func(i int) int) (*tensor.Tensor, error) {
	out, err := alloc(src.DType, shape...)
	if err != nil {
		return nil, err
	}
	cp := copier(out, src)
	for i := range out.Len() {
		if j := at(i); j >= 0 {
			cp(i, j)
		}
	}
	return out, nil
}
