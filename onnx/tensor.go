package onnx

import (
	"context"
	"fmt"
	"io"
	"math"

	"pare/internal/mapped"
	"pare/onnx/onnxpb"
	"pare/tensor"
)

// reader turns protobuf messages into a graph. Contents that are elsewhere than
// in the message, or are larger than what the message holds of them, are read
// late: once all the rest of the model is known to be good.
type reader struct {
	dir    string                        // the model's folder, "" where external data cannot be had
	path   string                        // the model's file, "" where it is in memory
	ctx    context.Context               // of a file
	body   io.ReaderAt                   // the model's file
	maps   *maps                         // of files whose contents are used as they lie; nil: they are read
	inside map[*onnxpb.TensorProto]span  // contents that are in it
	files  map[string]*external          // external files by name
	packed map[*onnxpb.TensorProto]*pack // weights in the streams of the sparse form
	spread int                           // entries that sparse weights may still have
	late   []func() error                // contents that are read late, in any order
	last   []func() error                // what is made of contents
	names  map[string]int                // how often the model defines a name
	next   map[string]int                // number to try next as the suffix of a name

	written int // bytes that functions may take once they are written out
}

// DecodeTensor reads a tensor from the bytes of a TensorProto message.
func DecodeTensor(b []byte) (*tensor.Tensor, error) {
	p := &onnxpb.TensorProto{}
	if err := unmarshal(b, p, mostStructure(len(b))); err != nil {
		return nil, fmt.Errorf("not a tensor, or a damaged one: %w", err)
	}
	return (&reader{}).tensor(p)
}

// mostSpread bounds the entries of a model's sparse weights, which may be many
// more than a file's bytes: 99.9 % of zeros are about 220 for each.
func mostSpread(file int) int { return 1<<24 + 512*file }

// take counts the entries of a sparse weight.
func (r *reader) take(n int) error {
	if n > r.spread {
		return fmt.Errorf("shapes of sparse weights are too large for what the file holds of them")
	}
	r.spread -= n
	return nil
}

// shapeOf checks dimensions from a file.
func shapeOf(dims []int64) ([]int, int, error) {
	out := make([]int, len(dims))
	for i, d := range dims {
		if d < 0 || d > math.MaxInt32*int64(64) {
			return nil, 0, fmt.Errorf("dimensions %v are not possible", dims)
		}
		out[i] = int(d)
	}
	n, ok := tensor.Size(out)
	if !ok {
		return nil, 0, fmt.Errorf("dimensions %v overflow", dims)
	}
	return out, n, nil
}

// tensor reads a TensorProto. Memory is taken only once the data is known to
// be as long as the dimensions say.
func (r *reader) tensor(t *onnxpb.TensorProto) (*tensor.Tensor, error) {
	d := tensor.DType(t.GetDataType())
	if t.GetDataType() > 255 || !d.Valid() {
		return nil, fmt.Errorf("tensor %q has data type %d, which Pare cannot hold", t.GetName(), t.GetDataType())
	}
	shape, n, err := shapeOf(t.Dims)
	if err != nil {
		return nil, fmt.Errorf("tensor %q: %w", t.GetName(), err)
	}
	if t.Segment != nil {
		return nil, fmt.Errorf("tensor %q is a segment of a larger one", t.GetName())
	}
	out := &tensor.Tensor{DType: d, Shape: shape}
	if p := r.packed[t]; p != nil {
		p.t = out
		return out, nil
	}
	if t.GetDataLocation() == onnxpb.TensorProto_EXTERNAL {
		if err := r.external(t, out, n); err != nil {
			return nil, fmt.Errorf("tensor %q: %w", t.GetName(), err)
		}
		return out, nil
	}
	bad := func(have int) error {
		return fmt.Errorf("tensor %q: %d elements of data for shape %v, %d are needed", t.GetName(), have, shape, n)
	}
	if d == tensor.String {
		if len(t.StringData) != n {
			return nil, bad(len(t.StringData))
		}
		s := make([]string, n)
		for i, b := range t.StringData {
			s[i] = string(b)
		}
		out.Data = s
		return out, nil
	}
	if at, ok := r.inside[t]; ok {
		if n > 2*int(at.n) || at.n != int64(d.Bytes(n)) {
			return nil, bad(int(at.n) * 8 / d.Bits())
		}
		r.late = append(r.late, func() error { return r.read(t.GetName(), out, r.body, at) })
		return out, nil
	}
	if raw := t.RawData; raw != nil {
		if n > 2*len(raw) || len(raw) != d.Bytes(n) {
			return nil, bad(len(raw) * 8 / d.Bits())
		}
		return tensor.FromRaw(raw, d, shape...)
	}
	if d.Bits() == 4 { // a number holds a byte, and that two elements
		if b := len(t.Int32Data); n > 2*b || b != d.Bytes(n) {
			return nil, bad(2 * b)
		}
		b := make([]byte, len(t.Int32Data))
		narrow(b, t.Int32Data)
		return tensor.FromRaw(b, d, shape...)
	}
	if have := typedLen(t, d); have != n {
		return nil, bad(have)
	}
	*out = *tensor.New(d, shape...)
	copyTyped(out, t)
	return out, nil
}

// read takes the elements of a tensor from a file.
func (r *reader) read(name string, out *tensor.Tensor, f io.ReaderAt, at span) error {
	ctx := r.ctx
	if ctx == nil {
		ctx = context.Background()
	}
	if m, ok := f.(*mapped.File); ok && m.Mapped() {
		b, err := m.Bytes(int(at.off), int(at.n))
		var x *tensor.Tensor
		if err == nil {
			x, err = tensor.View(b, out.DType, out.Shape...)
		}
		if err != nil {
			return fmt.Errorf("tensor %q: %w", name, err)
		}
		out.Data = x.Data
		return nil
	}
	x, err := tensor.ReadRaw(source{ctx, io.NewSectionReader(f, at.off, at.n)}, out.DType, out.Shape...)
	if err != nil {
		return fmt.Errorf("tensor %q: %w", name, err)
	}
	out.Data = x.Data
	return nil
}

// copyTyped copies the elements from the message's field for the type of x.
func copyTyped(x *tensor.Tensor, t *onnxpb.TensorProto) {
	switch x := x.Data.(type) {
	case []float32:
		copy(x, t.FloatData)
	case []float64:
		copy(x, t.DoubleData)
	case []int64:
		copy(x, t.Int64Data)
	case []uint64:
		copy(x, t.Uint64Data)
	case []uint32:
		narrow(x, t.Uint64Data)
	case []int32:
		copy(x, t.Int32Data)
	case []int16:
		narrow(x, t.Int32Data)
	case []int8:
		narrow(x, t.Int32Data)
	case []uint8:
		narrow(x, t.Int32Data)
	case []uint16: // float16 and bfloat16 too: their bits
		narrow(x, t.Int32Data)
	case []bool:
		for i, v := range t.Int32Data {
			x[i] = v != 0
		}
	}
}

// narrow copies whole numbers that the message holds in a wider type.
func narrow[D int8 | int16 | uint8 | uint16 | uint32, S int32 | uint64](dst []D, src []S) {
	for i, v := range src {
		dst[i] = D(v)
	}
}

// typedLen is the number of elements in the message's field for a type.
func typedLen(t *onnxpb.TensorProto, d tensor.DType) int {
	switch d {
	case tensor.Float32:
		return len(t.FloatData)
	case tensor.Float64:
		return len(t.DoubleData)
	case tensor.Int64:
		return len(t.Int64Data)
	case tensor.Uint64, tensor.Uint32:
		return len(t.Uint64Data)
	}
	return len(t.Int32Data)
}
