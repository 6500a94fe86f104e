package metric_test

import (
	"fmt"

	"pare/tensor"
	"pare/train/metric"
)

// Two metrics of the same outputs, batch after batch.
func Example() {
	uses, err := metric.Parse("accuracy(logits,label)+top-k(k=2)")
	if err != nil {
		fmt.Println(err)
		return
	}
	logits := []*tensor.Tensor{tensor.From([]float32{3, 1, 2, 0, 5, 4}, 2, 3)}
	labels := []*tensor.Tensor{tensor.Vector[int64](0, 2)}
	for _, u := range uses {
		a, err := u.New()
		if err != nil {
			fmt.Println(err)
			return
		}
		if err := a.Add(2, logits, labels); err != nil {
			fmt.Println(err)
			return
		}
		v, err := a.Value()
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(u, "=", u.Metric.Show(v))
	}
	_, err = metric.Parse("acuracy")
	fmt.Println(err)
	// Output:
	// accuracy(logits,label) = 50.00 %
	// top-k(k=2) = 100.00 %
	// metric "acuracy", character 1: there is no metric "acuracy"; did you mean accuracy?
}
