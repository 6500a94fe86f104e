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
	x, y := make([]float32, 32*d.Train.X().Size()), make([]int64, 32)
	n, err := l.Fill(0, 0, []dataset.Buffer{{X: x}, {Field: 1, I: y}}) // batch 0 of epoch 0
	fmt.Println(d.Train.X().Shape, d.Train.Class().Classes, n, err)
	// Output: [1 8 8] 10 32 <nil>
}
