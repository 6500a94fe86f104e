package train

import (
	"fmt"
	"strings"
	"testing"

	"pare/dataset"
	"pare/graph"
	"pare/graph/op"
	"pare/tensor"
)

// A field goes to the input of its very name before one whose letters are the same; one
// that is called as two are goes to neither by itself. To two inputs it goes where that is
// said, with a note; and what says which tokens are filled up is no target.
func TestBindByName(t *testing.T) {
	field := func(name string, aside bool) *dataset.Field {
		return &dataset.Field{Name: name, Shape: []int{2}, Floats: make([]float32, 8), Aside: aside}
	}
	for _, c := range []struct {
		inputs, fields string
		bind           map[string]string
		want           string // the fields of the inputs, or the error
		note           string
	}{
		{"a.b a_b", "a_b a.b", nil, "a.b a_b", ""},
		{"a.b a_b", "a_b other", nil, "other a_b", ""},
		{"a.b a_b", "A-B other", nil, `field "A-B" is called as two inputs of the network are, "a.b" and "a_b": say what each takes by bind=a.b=FIELD,a_b=FIELD`, ""},
		{"a.b a_b", "x other", map[string]string{"a.b": "x", "a_b": "x"}, "x x", `field "x" goes to two inputs, "a.b" and "a_b"`},
		{"a", "b mask~", nil, "b", `no input of the network takes field "mask"`},
		{"a mask", "a mask~", nil, "a mask", ""},
	} {
		g := graph.New("g", 17)
		b := op.NewBuilder(g, "v")
		var sum *graph.Value
		for _, name := range strings.Fields(c.inputs) {
			x := &graph.Value{Name: name, DType: tensor.Float32, Shape: graph.Shape{graph.Sym("N"), graph.N(2)}}
			if g.Inputs = append(g.Inputs, x); sum == nil {
				sum = b.Op("Relu", x)
			} else {
				sum = b.Op("Add", sum, x)
			}
		}
		g.Outputs = []*graph.Value{sum}
		var fields []*dataset.Field
		for _, name := range strings.Fields(c.fields) {
			name, aside := strings.CutSuffix(name, "~")
			fields = append(fields, field(name, aside))
		}
		set := dataset.New("test", fields...)
		set.Bind = c.bind
		v, err := NewView(g, set, 2, nil)
		if err != nil {
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s from %s: %v, want %q", c.inputs, c.fields, err, c.want)
			}
			continue
		}
		var got []string
		for _, f := range v.Feeds {
			got = append(got, set.Fields[f.Field].Name)
		}
		if s := strings.Join(got, " "); s != c.want {
			t.Errorf("%s from %s: %s, want %s", c.inputs, c.fields, s, c.want)
		}
		if notes := fmt.Sprint(v.Notes); !strings.Contains(notes, c.note) {
			t.Errorf("%s from %s: notes %s, want something with %q", c.inputs, c.fields, notes, c.note)
		}
	}
}
