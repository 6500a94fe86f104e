package onnx_test

import (
	"fmt"
	"os"
	"path/filepath"

	"pare/onnx"
	"pare/zoo"
)

// A network is written and read again.
func Example() {
	dir, err := os.MkdirTemp("", "onnx")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	g, err := zoo.New("mlp:4-3-2", zoo.Options{Seed: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	path := filepath.Join(dir, "net.onnx")
	if err := onnx.Save(path, g, onnx.Options{}); err != nil {
		fmt.Println(err)
		return
	}
	h, err := onnx.Load(path)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(h.Inputs[0].Shape, "->", h.Outputs[0].Shape)
	// Output: [N 4] -> [N 2]
}
