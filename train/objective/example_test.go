package objective_test

import (
	"fmt"

	"pare/graph"
	"pare/graph/op"
	"pare/tensor"
	"pare/train/objective"
)

// An objective is read, and its terms become nodes behind the outputs that they name.
func ExampleParse() {
	o, err := objective.Parse("cross-entropy(logits, label, ignore=-100) + 0.5*smooth-l1(boxes, box)")
	if err != nil {
		fmt.Println(err)
		return
	}
	g := graph.New("two heads", 17)
	values := map[string]*graph.Value{}
	for _, v := range []*graph.Value{
		{Name: "logits", DType: tensor.Float32, Shape: graph.Shape{graph.Sym("N"), graph.N(10)}},
		{Name: "label", DType: tensor.Int64, Shape: graph.Shape{graph.Sym("N")}},
		{Name: "boxes", DType: tensor.Float32, Shape: graph.Shape{graph.Sym("N"), graph.N(4)}},
		{Name: "box", DType: tensor.Float32, Shape: graph.Shape{graph.Sym("N"), graph.N(4)}},
	} {
		g.Inputs, values[v.Name] = append(g.Inputs, v), v
	}
	b := op.NewBuilder(g, "loss")
	var terms []*graph.Value
	for _, t := range o {
		v, err := t.Build(b, []*graph.Value{values[t.Args[0]]}, []*graph.Value{values[t.Args[1]]})
		if err != nil {
			fmt.Println(err)
			return
		}
		terms = append(terms, v)
	}
	loss, err := objective.Sum(b, terms)
	fmt.Println(o)
	fmt.Println(loss.DType, loss.Shape, err)

	_, err = objective.Parse("cross-entrpy(logits)")
	fmt.Println(err.Error()[:91])
	// Output:
	// cross-entropy(logits,label,ignore=-100)+0.5*smooth-l1(boxes,box)
	// float32 [] <nil>
	// objective "cross-entrpy(logits)", at 1: there is no loss "cross-entrpy" (did you mean cross
}
