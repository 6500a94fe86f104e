package zoo

import (
	"fmt"

	"pare/graph"
	"pare/tensor"
)

// regressor is a chain of hidden layers with ReLU and a last one of o.Classes
// numbers.
func regressor(o Options, layers, width int) (*graph.Graph, error) {
	in := o.In
	if in == nil {
		in = []int{8}
	}
	if len(in) != 1 || in[0] < 1 || layers < 1 || width < 1 {
		return nil, fmt.Errorf("input %v, %d hidden layers of %d: a regressor takes a row of features through at least one layer", in, layers, width)
	}
	b, x := newNet("regressor", o, in...)
	for i := range layers {
		x = b.relu(b.torchLinear(fmt.Sprintf("fc%d", i+1), x, o.width(width)))
	}
	return b.finish(b.torchLinear("out", x, o.Classes), "prediction")
}

// ncf is the perceptron of neural collaborative filtering (He, Liao et al. 2017,
// section 3.3): the vectors of a user and of an item, side by side, through three
// layers to a score. o.Tables has the numbers of users and of items.
func ncf(o Options, width int) (*graph.Graph, error) {
	rows := o.Tables
	if rows == nil {
		rows = []int{1000, 1000}
	}
	if len(rows) != 2 || rows[0] < 1 || rows[1] < 1 || width < 1 {
		return nil, fmt.Errorf("tables of %v rows and width %d: a recommender has one of users and one of items", rows, width)
	}
	b, user := newNet("ncf", o)
	user.Name, user.DType = "user", tensor.Int64
	item := b.input("item", tensor.Int64)
	w := o.width(width)
	b.at("user")
	u := b.Op("Gather", b.param("user.weight", b.normal(.1), rows[0], w), user)
	b.at("item")
	i := b.Op("Gather", b.param("item.weight", b.normal(.1), rows[1], w), item)
	x := b.Attr("Concat", []graph.Attr{graph.MakeAttr("axis", 1)}, u, i)
	for k, out := range []int{4 * w, 2 * w, w} {
		x = b.relu(b.torchLinear(fmt.Sprintf("mlp.%d", k), x, out))
	}
	return b.finish(b.torchLinear("out", x, 1), "score")
}
