package tensor_test

import (
	"fmt"

	"pare/tensor"
)

func Example() {
	t := tensor.From([]float32{1, 2, 3, 4, 5, 6}, 2, 3)
	t.F32()[0] = 10 // the storage, not a copy
	fmt.Println(t, t.Len(), t.Bytes(), tensor.Strides(t.Shape))
	// Output: float32[2 3] 6 24 [3 1]
}
