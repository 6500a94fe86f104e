package onnx

import (
	"fmt"

	"pare/onnx/onnxpb"
	"pare/tensor"
)

// sparse reads a SparseTensorProto. Its indices are checked at once; the dense
// tensor is filled late.
func (r *reader) sparse(p *onnxpb.SparseTensorProto) (*tensor.Tensor, error) {
	name := p.GetValues().GetName()
	bad := func(format string, a ...any) (*tensor.Tensor, error) {
		return nil, fmt.Errorf("sparse tensor %q: %w", name, fmt.Errorf(format, a...))
	}
	if p.GetValues().GetDataLocation() == onnxpb.TensorProto_EXTERNAL || p.GetIndices().GetDataLocation() == onnxpb.TensorProto_EXTERNAL {
		return bad("external data is not supported")
	}
	v, err := r.tensor(p.GetValues())
	if err != nil {
		return nil, err
	}
	idx, err := r.tensor(p.GetIndices())
	if err != nil {
		return nil, err
	}
	if v.DType != tensor.Float32 {
		return bad("it is %v: only float32 is supported", v.DType)
	}
	shape, n, err := shapeOf(p.Dims)
	if err != nil {
		return bad("%w", err)
	}
	at := tensor.Of[int64](idx)
	if at == nil && idx.Len() > 0 {
		return bad("indices are %v, not int64", idx.DType)
	}
	if err := r.take(n); err != nil {
		return bad("%w", err)
	}
	rank, nnz := len(shape), v.Len()
	linear := len(idx.Shape) == 1
	if linear && len(at) != nnz || !linear && (len(idx.Shape) != 2 || idx.Shape[0] != nnz || idx.Shape[1] != rank) {
		return bad("indices of shape %v for %d values of rank %d", idx.Shape, nnz, rank)
	}
	place := func(i int) int {
		if linear {
			return int(at[i])
		}
		k := 0
		for d := range rank {
			k = k*shape[d] + int(at[i*rank+d])
		}
		return k
	}
	for i, x := range at {
		most := n
		if !linear {
			most = shape[i%rank]
		}
		if x < 0 || x >= int64(most) {
			return bad("index %d is outside shape %v", x, shape)
		}
	}
	for i := 1; i < nnz; i++ {
		if a, b := place(i-1), place(i); a >= b {
			return bad("entry %d is at place %d, and the one before it at %d: indices ascend, and none is given twice", i, b, a)
		}
	}
	out := &tensor.Tensor{DType: v.DType, Shape: shape}
	r.last = append(r.last, func() error {
		dense := make([]float32, n)
		for i, x := range v.F32() {
			dense[place(i)] = x
		}
		out.Data = dense
		return nil
	})
	return out, nil
}
