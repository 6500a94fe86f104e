package safetensors

import (
	"encoding/binary"
	"encoding/json"
	"fmt"

	"pare/tensor"
)

// Encode gives the bytes of a file, its tensors in the order of Names. It
// returns an error for strings, which the format cannot hold, and for a name
// without a tensor.
func Encode(f *File) ([]byte, error) {
	type place struct {
		DType   string `json:"dtype"`
		Shape   []int  `json:"shape"`
		Offsets [2]int `json:"data_offsets"`
	}
	head := map[string]any{}
	if len(f.Meta) > 0 {
		head[metadata] = f.Meta
	}
	at := 0
	for _, name := range f.Names {
		t := f.Tensors[name]
		if t == nil || head[name] != nil || name == metadata {
			return nil, fmt.Errorf("the name %q is reserved, given twice or has no tensor", name)
		}
		d := nameOf(t.DType)
		if d == "" {
			return nil, fmt.Errorf("tensor %q holds %v, which the format lacks", name, t.DType)
		}
		n := t.Len() * t.DType.Size()
		head[name] = place{d, append([]int{}, t.Shape...), [2]int{at, at + n}}
		at += n
	}
	h, err := json.Marshal(head)
	if err != nil {
		return nil, err
	}
	for len(h)%8 != 0 { // the data begin at a multiple of 8
		h = append(h, ' ')
	}
	if len(h) > maxHeader {
		return nil, fmt.Errorf("a header of %d bytes is more than the format's %d", len(h), maxHeader)
	}
	out := make([]byte, 0, 8+len(h)+at)
	out = binary.LittleEndian.AppendUint64(out, uint64(len(h)))
	out = append(out, h...)
	for _, name := range f.Names {
		out = append(out, f.Tensors[name].Raw()...)
	}
	return out, nil
}

func nameOf(d tensor.DType) string {
	for name, x := range types {
		if x == d {
			return name
		}
	}
	return ""
}
