package zoo_test

import (
	"fmt"

	"pare/zoo"
)

func ExampleNew() {
	g, err := zoo.New("resnet20", zoo.Options{Classes: 10, Seed: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	n := 0
	for _, v := range g.Params() {
		n += v.Const.Len()
	}
	fmt.Println(g.Inputs[0].Shape, g.Outputs[0].Shape, n)
	// Output: [N 3 32 32] [N 10] 269722
}
