package onnx

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"pare/onnx/onnxpb"
	"pare/tensor"

	"google.golang.org/protobuf/proto"
)

// reader turns protobuf messages into a graph. dir is the model's folder, ""
// where external data cannot be had.
type reader struct {
	dir   string
	files map[string][]byte // external files read so far
	names map[string]int    // how often the model defines a name
}

// DecodeTensor reads a tensor from the bytes of a TensorProto message.
func DecodeTensor(b []byte) (*tensor.Tensor, error) {
	p := &onnxpb.TensorProto{}
	if err := proto.Unmarshal(b, p); err != nil {
		return nil, fmt.Errorf("not a tensor, or a damaged one: %w", err)
	}
	return (&reader{}).tensor(p)
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
	raw := t.RawData
	if t.GetDataLocation() == onnxpb.TensorProto_EXTERNAL {
		if raw, err = r.external(t); err != nil {
			return nil, fmt.Errorf("tensor %q: %w", t.GetName(), err)
		}
	}
	bad := func(have int) error {
		return fmt.Errorf("tensor %q: %d elements of data for shape %v, %d are needed", t.GetName(), have, shape, n)
	}
	out := &tensor.Tensor{DType: d, Shape: shape}
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
	if raw != nil || t.GetDataLocation() == onnxpb.TensorProto_EXTERNAL {
		if len(raw)/d.Size() != n || len(raw)%d.Size() != 0 {
			return nil, bad(len(raw) / d.Size())
		}
		return tensor.FromRaw(raw, d, shape...)
	}
	have := typedLen(t, d)
	if have != n {
		return nil, bad(have)
	}
	*out = *tensor.New(d, shape...)
	switch x := out.Data.(type) {
	case []float32:
		copy(x, t.FloatData)
	case []float64:
		copy(x, t.DoubleData)
	case []int64:
		copy(x, t.Int64Data)
	case []uint64:
		copy(x, t.Uint64Data)
	case []uint32:
		for i, v := range t.Uint64Data {
			x[i] = uint32(v)
		}
	case []int32:
		copy(x, t.Int32Data)
	case []int16:
		for i, v := range t.Int32Data {
			x[i] = int16(v)
		}
	case []int8:
		for i, v := range t.Int32Data {
			x[i] = int8(v)
		}
	case []uint8:
		for i, v := range t.Int32Data {
			x[i] = uint8(v)
		}
	case []uint16: // float16 and bfloat16 too: their bits
		for i, v := range t.Int32Data {
			x[i] = uint16(v)
		}
	case []bool:
		for i, v := range t.Int32Data {
			x[i] = v != 0
		}
	}
	return out, nil
}

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

// external reads a tensor's bytes from a file in the model's folder.
func (r *reader) external(t *onnxpb.TensorProto) ([]byte, error) {
	var loc string
	off, length := int64(0), int64(-1)
	for _, e := range t.ExternalData {
		var err error
		switch e.GetKey() {
		case "location":
			loc = e.GetValue()
		case "offset":
			off, err = strconv.ParseInt(e.GetValue(), 10, 64)
		case "length":
			length, err = strconv.ParseInt(e.GetValue(), 10, 64)
		}
		if err != nil {
			return nil, fmt.Errorf("external data: %s %q is not a number", e.GetKey(), e.GetValue())
		}
	}
	if r.dir == "" {
		return nil, fmt.Errorf("its data lies in the external file %q, and the model's folder is not known", loc)
	}
	b, ok := r.files[loc]
	if !ok {
		path, err := inside(r.dir, loc)
		if err != nil {
			return nil, err
		}
		if b, err = os.ReadFile(path); err != nil {
			return nil, fmt.Errorf("external data: %w", err)
		}
		r.files[loc] = b
	}
	if length < 0 {
		length = int64(len(b)) - off
	}
	if off < 0 || length < 0 || off > int64(len(b)) || length > int64(len(b))-off {
		return nil, fmt.Errorf("external data: %d bytes at %d are outside %q of %d bytes", length, off, loc, len(b))
	}
	return b[off : off+length], nil
}

// inside resolves a file that must lie in dir, links followed.
func inside(dir, loc string) (string, error) {
	if loc == "" || filepath.IsAbs(loc) || strings.Contains(loc, "\\") || !filepath.IsLocal(loc) {
		return "", fmt.Errorf("external data %q is not a file in the model's folder", loc)
	}
	base, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return "", err
	}
	path, err := filepath.EvalSymlinks(filepath.Join(base, loc))
	if err != nil {
		return "", fmt.Errorf("external data: %w", err)
	}
	if rel, err := filepath.Rel(base, path); err != nil || !filepath.IsLocal(rel) {
		return "", fmt.Errorf("external data %q leads out of the model's folder", loc)
	}
	if st, err := os.Stat(path); err != nil || !st.Mode().IsRegular() {
		return "", fmt.Errorf("external data %q is not a regular file", loc)
	}
	return path, nil
}
