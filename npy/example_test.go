package npy_test

import (
	"fmt"

	"pare/npy"
	"pare/tensor"
)

func Example() {
	b, err := npy.Encode(tensor.From([]float32{1, 2, 3, 4}, 2, 2))
	if err != nil {
		fmt.Println(err)
		return
	}
	t, err := npy.Decode(b)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(t, t.F32())
	// Output: float32[2 2] [1 2 3 4]
}
