package dataset_test

import (
	"fmt"

	"pare/dataset"
)

// The built-in digits, in batches of 32.
func Example() {
	d, err := dataset.Open("digits?val=0.1")
	if err != nil {
		fmt.Println(err)
		return
	}
	l := &dataset.Loader{Set: d.Train, Size: 32, Norm: d.Norm, Shuffle: true, Seed: 1}
	x, y := make([]float32, 32*d.Train.Size()), make([]int64, 32)
	n := l.Fill(0, 0, x, nil, y) // batch 0 of epoch 0
	fmt.Println(d.Train.Shape, d.Train.Classes, n)
	// Output: [1 8 8] 10 32
}
