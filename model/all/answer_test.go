package all

import (
	"bytes"
	"testing"

	"pare/graph"
	"pare/graph/op"
	"pare/internal/modeltest"
	"pare/model"
)

// A method makes the same of a network whether it ends in logits or in a probability,
// and whatever the network gives beside.
func TestAnswer(t *testing.T) {
	ends := map[string]func(b *op.Builder, g *graph.Graph, y *graph.Value) []*graph.Value{
		"softmax": func(b *op.Builder, _ *graph.Graph, y *graph.Value) []*graph.Value {
			return []*graph.Value{b.Attr("Softmax", []graph.Attr{graph.MakeAttr("axis", -1)}, y)}
		},
		"places of one pixel": func(b *op.Builder, _ *graph.Graph, y *graph.Value) []*graph.Value {
			return []*graph.Value{b.Unsqueeze(y, 2, 3)}
		},
		"two outputs": func(b *op.Builder, g *graph.Graph, y *graph.Value) []*graph.Value {
			hidden := y.From.In(0)
			return []*graph.Value{b.Op("Identity", hidden), b.Attr("LogSoftmax", []graph.Attr{graph.MakeAttr("axis", 1)}, y)}
		},
	}
	for _, spec := range []string{"global-mp", "snip", "grasp", "synflow:iterations=5", "rd:samples=40:points=10", "hydra:tune=0", "movement", "set:every=5"} {
		run := func(end func(b *op.Builder, g *graph.Graph, y *graph.Value) []*graph.Value) []byte {
			m, _, err := Parse(spec)
			if err != nil {
				t.Fatal(err)
			}
			j := modeltest.Job(t, 2)
			if end != nil {
				b := op.NewBuilder(j.Graph, "end")
				if j.Graph.Outputs = end(b, j.Graph, j.Graph.Outputs[0]); b.Err() != nil {
					t.Fatal(b.Err())
				}
				if _, err := model.Fits(j.Graph, j.Data, j.Judge()); err != nil {
					t.Fatal(err)
				}
			}
			return modeltest.Bits(modeltest.Run(t, m, j).Graph)
		}
		want := run(nil)
		for name, end := range ends {
			if !bytes.Equal(run(end), want) {
				t.Errorf("%s, %s: other weights", spec, name)
			}
		}
	}
}
