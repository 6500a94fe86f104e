package op

import (
	"strings"
	"testing"

	"pare/graph"
	"pare/graph/op/cases"
	"pare/tensor"
)

// What is not among the turns computes the same in a graph of any version.
func TestTurns(t *testing.T) {
	versions := []int{7, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25}
	for _, c := range cases.All() {
		if c.Domain != "" {
			continue
		}
		g, in := c.Graph()
		if err := InferAll(g); err != nil {
			t.Fatal(err)
		}
		want, err := Run(g, in)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range versions {
			crossed := false
			for _, turn := range turns[c.Op] {
				crossed = crossed || (v < turn) != (c.Opset < turn)
			}
			Each(g, func(n *graph.Node) {
				for _, turn := range turns[n.Op] {
					crossed = crossed || (v < turn) != (c.Opset < turn)
				}
			})
			if crossed {
				continue
			}
			setVersion(g, v)
			err := InferAll(g)
			var got map[string]*tensor.Tensor
			if err == nil {
				got, err = Run(g, in)
			}
			if err != nil {
				t.Errorf("%s of opset %d in a graph of %d: %v", c.Name(), c.Opset, v, err)
				break
			}
			for _, o := range g.Outputs {
				closeTo(t, c.Name(), got[o.Name], want[o.Name], 0)
			}
		}
	}
}

func TestReversion(t *testing.T) {
	make := func(version int, attrs ...graph.Attr) *graph.Graph {
		g := graph.New("softmax", version)
		x := input(g, "x", tensor.Float64, graph.Dims(2, 3, 4))
		g.Outputs = []*graph.Value{NewBuilder(g, "y").Attr("Softmax", attrs, x)}
		return g
	}
	in := map[string]*tensor.Tensor{"x": randn(1, 2, 3, 4)}
	for _, c := range []struct {
		from, to int
		axis     int // 9: left out
		ok       bool
	}{{17, 11, 9, true}, {17, 11, -1, true}, {11, 17, 2, true}, {11, 12, 1, true}, {11, 17, 9, false}, {17, 11, 1, false}} {
		var attrs []graph.Attr
		if c.axis != 9 {
			attrs = []graph.Attr{attr("axis", c.axis)}
		}
		g := make(c.from, attrs...)
		want, err := Run(g, in)
		if err != nil {
			t.Fatal(err)
		}
		if err := Reversion(g, c.to); (err == nil) != c.ok || err != nil && !strings.Contains(err.Error(), "Softmax") {
			t.Errorf("%+v: %v", c, err)
		} else if err == nil {
			got, err := Run(g, in)
			if err != nil || g.Version("") != c.to {
				t.Fatal(err)
			}
			closeTo(t, "softmax", got[g.Outputs[0].Name], want[g.Outputs[0].Name], 0)
		}
	}
	g := graph.New("slice", 9)
	x := input(g, "x", tensor.Float64, graph.Dims(2, 3, 4))
	g.Outputs = []*graph.Value{NewBuilder(g, "y").Attr("Slice", []graph.Attr{attr("starts", []int{0, 1}), attr("ends", []int{1, 3})}, x)}
	want, err := Run(g, in)
	if err != nil {
		t.Fatal(err)
	}
	if err := Reversion(g, 17); err != nil {
		t.Fatal(err)
	}
	got, err := Run(g, in)
	if err != nil {
		t.Fatal(err)
	}
	closeTo(t, "slice", got[g.Outputs[0].Name], want[g.Outputs[0].Name], 0)
}
