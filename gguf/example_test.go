package gguf_test

import (
	"fmt"
	"os"
	"path/filepath"

	"pare/gguf"
	"pare/tensor"
)

func Example() {
	dir, err := os.MkdirTemp("", "gguf")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "model.gguf")
	weight := tensor.New(tensor.Float32, 2, 32)
	weight.F32()[0] = 127
	err = gguf.Write(path, gguf.Meta{{Key: "general.architecture", Value: "llama"}}, []gguf.Source{
		{Name: "output.weight", Type: gguf.Q8_0, Shape: weight.Shape, Read: func() (*tensor.Tensor, error) { return weight, nil }},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	f, err := gguf.Open(path)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer f.Close()
	for _, t := range f.Tensors {
		x, err := f.Read(t.Name)
		fmt.Println(t.Name, t.Type, x, x.F32()[0], err)
	}
	// Output: output.weight Q8_0 float32[2 32] 127 <nil>
}
