package safetensors_test

import (
	"fmt"

	"pare/safetensors"
	"pare/tensor"
)

func Example() {
	b, err := safetensors.Encode(&safetensors.File{
		Names:   []string{"bias"},
		Tensors: map[string]*tensor.Tensor{"bias": tensor.Vector[float32](1, 2)},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	f, err := safetensors.Decode(b)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(f.Names, f.Tensors["bias"].F32())
	// Output: [bias] [1 2]
}
