package continual

import (
	"context"
	"reflect"
	"strings"
	"testing"

	"pare/engine"
	"pare/graph"
	"pare/graph/op"
	"pare/tensor"
)

// recorded runs a stream of two over arrays, to its end.
func recorded(t *testing.T, g *graph.Graph, o Options, in map[string]*tensor.Tensor) map[string]*tensor.Tensor {
	t.Helper()
	s := mustConvert(t, g, o)
	r, err := NewStream(s, 2, engine.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	rec, err := r.Run(context.Background(), in, true)
	if err != nil {
		t.Fatal(err)
	}
	return rec.Out
}

// Frames, states and outputs may be numbers of any type.
func TestTypes(t *testing.T) {
	for _, d := range []tensor.DType{tensor.Float64, tensor.Float16, tensor.Int64, tensor.Int32, tensor.Int8, tensor.Uint8, tensor.Bool} {
		build := func(frames int) *graph.Graph {
			b := newBuilder(1, 2, frames)
			b.x.DType = d
			// the slice makes a state of the type, the other branch waits
			y := b.op("Concat", attrs{"axis": 1}, b.Op("Slice", b.x, b.Ints(0), b.Ints(-2), b.Ints(2)), b.Op("Slice", b.x, b.Ints(2), b.Ints(frames), b.Ints(2)))
			return b.finish(t, y)
		}
		x := random(3, 2, 2, 20)
		for i := range x.F32() {
			x.F32()[i] = float32(int(10*x.F32()[i]) & 63)
		}
		x, err := op.Convert(x, d)
		if err != nil {
			t.Fatal(err)
		}
		want, err := op.Run(build(20), map[string]*tensor.Tensor{"x": x})
		if err != nil {
			t.Fatal(err)
		}
		got := recorded(t, build(6), Options{Axes: map[string]int{"x": 2}}, map[string]*tensor.Tensor{"x": x})
		if !reflect.DeepEqual(got["y0"], want["y0"]) {
			t.Errorf("%v: %v, want %v", d, got["y0"], want["y0"])
		}
	}
}

// Nodes need no names: what is padded, waits and is averaged is computed as with them.
func TestNodesWithoutNames(t *testing.T) {
	for name, build := range nets {
		make := func(frames int) *graph.Graph {
			b := newBuilder(7, 2, frames)
			g := b.finish(t, build(b)...)
			for _, n := range g.Nodes {
				n.Name = ""
			}
			return g
		}
		x := random(3, 2, 2, 31)
		want := offline(t, make(31), x)
		for y, got := range recorded(t, make(12), Options{Axes: map[string]int{"x": 2}}, map[string]*tensor.Tensor{"x": x}) {
			if d := difference(got, want[y]); d > 1e-5 {
				t.Errorf("%s, %s differs by %v", name, y, d)
			}
		}
	}
	b := newBuilder(7, 2, 12)
	g := b.finish(t, b.op("Softmax", attrs{"axis": 2}, b.x))
	g.Nodes[0].Name = ""
	if _, err := Convert(g, Options{Axes: map[string]int{"x": 2}}); err == nil || !strings.Contains(err.Error(), `(Softmax, which makes "y0")`) {
		t.Error(err)
	}
}

// An input that is the same for all frames has to be given, once.
func TestSameForAllFrames(t *testing.T) {
	b := newBuilder(1, 2, 6)
	e := &graph.Value{Name: "speaker", DType: tensor.Float32, Shape: graph.Shape{graph.Sym("N"), graph.N(2), graph.N(1)}}
	b.G.Inputs = append(b.G.Inputs, e)
	g := b.finish(t, b.Op("Add", b.x, e))
	s := mustConvert(t, g, Options{Axes: map[string]int{"x": 2}})
	r, err := NewStream(s, 1, engine.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	frame := map[string]*tensor.Tensor{"x": tensor.From([]float32{1, 2}, 1, 2, 1)}
	missing := `input "speaker" has no array`
	if _, err := r.Push(context.Background(), frame); err == nil || !strings.Contains(err.Error(), missing) {
		t.Error(err)
	}
	if _, err := r.Run(context.Background(), frame, false); err == nil || !strings.Contains(err.Error(), missing) {
		t.Error(err)
	}
	for range 2 {
		frame["speaker"] = tensor.From([]float32{10, 20}, 1, 2, 1)
		for range 2 {
			if _, err := r.Push(context.Background(), frame); err != nil {
				t.Fatal(err)
			}
			if y := r.Output("y0").F32(); y[0] != 11 || y[1] != 22 {
				t.Error(y)
			}
			delete(frame, "speaker")
		}
	}
}

// Axes of time are read, or found, and what was taken for one is said of every input.
func TestParseAxes(t *testing.T) {
	g := graph.New("two", 17)
	for _, name := range []string{"x", "z"} {
		g.Inputs = append(g.Inputs, &graph.Value{Name: name, DType: tensor.Float32, Shape: graph.Shape{graph.Sym("N"), graph.N(2), graph.Sym("time")}})
	}
	g.Inputs = append(g.Inputs, &graph.Value{Name: "e", DType: tensor.Float32, Shape: graph.Shape{graph.Sym("N"), graph.N(3)}})
	both := []string{`axis 2 of input "x", time`, `axis 2 of input "z", time`}
	for _, c := range []struct {
		text []string
		want map[string]int
		note []string
		err  string
	}{
		{nil, map[string]int{"x": 2, "z": 2}, both, ""},
		{[]string{"2"}, map[string]int{"x": 2, "z": 2}, both, ""},
		{[]string{"x=2", "z=-1"}, map[string]int{"x": 2, "z": -1}, nil, ""},
		{[]string{"x=2"}, map[string]int{"x": 2}, nil, ""},
		{[]string{"3"}, nil, nil, "no input has such an axis"},
		{[]string{"x=2", "x=1"}, nil, nil, "already"},
		{[]string{"2", "z=2"}, nil, nil, "stands alone"},
	} {
		axes, note, err := ParseAxes(g, c.text)
		if (err != nil) != (c.err != "") || err != nil && !strings.Contains(err.Error(), c.err) || !reflect.DeepEqual(axes, c.want) || (note == "") != (c.note == nil) {
			t.Errorf("%q: %v, %q, %v", c.text, axes, note, err)
		}
		for _, s := range c.note {
			if !strings.Contains(string(note), s) {
				t.Errorf("%q: %q does not say %q", c.text, note, s)
			}
		}
	}
}
