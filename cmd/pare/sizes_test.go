package main

import (
	"path/filepath"
	"strings"
	"testing"

	"pare/graph"
	"pare/graph/op"
	"pare/onnx"
	"pare/zoo"
)

// openNet writes a network for the digits whose height and width are free, with its
// probabilities beside what else it gives, under names.
func openNet(t *testing.T, dir string, twice bool) string {
	t.Helper()
	g, err := zoo.New("resnet8", zoo.Options{In: []int{1, 8, 8}, Seed: 1, Width: .5})
	if err != nil {
		t.Fatal(err)
	}
	g.Inputs[0].Name = "image:0"
	g.Inputs[0].Shape[2], g.Inputs[0].Shape[3] = graph.Sym("H"), graph.Sym("W")
	if err := op.InferAll(g); err != nil {
		t.Fatal(err)
	}
	b := op.NewBuilder(g, "second")
	y := g.Outputs[0]
	p := b.Attr("Softmax", []graph.Attr{graph.MakeAttr("axis", 1)}, y)
	g.Outputs = []*graph.Value{p}
	if twice {
		g.Outputs = []*graph.Value{b.Op("Relu", y), p}
	}
	path := filepath.Join(dir, "open.onnx")
	if err := onnx.Write(path, g, onnx.Options{}); err != nil {
		t.Fatal(err)
	}
	return path
}

// What is assumed of a network's sizes and outputs is said once, by flags' names; what
// flags give is not said.
func TestUse(t *testing.T) {
	dir := t.TempDir()
	n := openNet(t, dir, false)
	out := filepath.Join(dir, "out.onnx")
	for _, c := range []struct {
		args []string
		note string // how often
		n    int
	}{
		{[]string{"inspect", n}, "sizes H=224, W=224 were assumed for counts and times; give --size", 1},
		{[]string{"inspect", n, "--size", "H=16,W=24"}, "note", 0},
		{[]string{"inspect", n, "--input", "image:0:1x1x16x24"}, "note", 0},
		{[]string{"bench", n, "--rounds", "1", "--size", "H=16", "--size", "W=24"}, "note", 0},
		{[]string{"bench", n, "--rounds", "1", "--size", "H=16"}, "sizes W=", 1},
		{[]string{"prune", n, "-o", out, "--method", "channels", "--flops", "0.5", "--size", "H=16,W=16"}, "note", 0},
		{[]string{"prune", n, "-o", out, "--sparsity", "0.5", "--data", "digits?n=320", "--epochs", "1", "--batch", "32", "--teacher", n}, "is a probability (Softmax)", 2},
		{[]string{"eval", n, "--data", "digits"}, "note", 1},
		{[]string{"run", n}, "sizes H=224, W=224", 1},
		{[]string{"run", n, "--input", "image:0:2x1x16x24"}, "note", 0},
	} {
		s, o, e := pare(t, append([]string{"model"}, c.args...)...)
		if s != 0 || strings.Count(e, c.note) != c.n {
			t.Errorf("%v: status %d, %q %d times wanted in\n%s%s", c.args, s, c.note, c.n, e, o)
		}
	}
	g, err := onnx.Load(out)
	if err != nil || g.Inputs[0].Name != "image:0" || g.Inputs[0].Shape.String() != "[N 1 H W]" || !g.Outputs[0].From.Is("Softmax") {
		t.Errorf("%v, %v", g.Inputs[0], err)
	}
	two := openNet(t, dir, true)
	if s, _, e := pare(t, "model", "eval", two, "--data", "digits"); s != 2 || !strings.Contains(e, "give --output-of") {
		t.Errorf("status %d\n%s", s, e)
	}
	ok(t, "model", "eval", two, "--data", "digits", "--output-of", "second")
	for why, args := range map[string][]string{
		"NAME=NUMBER is needed":       {"--size", "H=x"},
		`no free size "Q"`:            {"--size", "Q=3"},
		"NAME:SHAPE is needed":        {"--input", "x"},
		"the inputs are image:0":      {"--input", "x:1x2"},
		"not [1 2 16 16]":             {"--input", "image:0:1x2x16x16"},
		"whole numbers of at least 1": {"--input", "image:0:0x1x16x16"},
		"H is to be 15 and 16":        {"--size", "H=15", "--input", "image:0:1x1x16x16"},
	} {
		if s, _, e := pare(t, append([]string{"model", "inspect", n}, args...)...); s != 2 || !strings.Contains(e, why) {
			t.Errorf("%v: status %d\n%s", args, s, e)
		}
	}
}
