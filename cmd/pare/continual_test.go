package main

import (
	"archive/zip"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pare/continual"
	"pare/graph"
	"pare/graph/op"
	"pare/measure"
	"pare/npy"
	"pare/onnx"
	"pare/tensor"
)

// A network of clips becomes one of a stream, which runs over arrays in parts, and what is
// wrong is said.
func TestContinual(t *testing.T) {
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	g := graph.New("clip", 17)
	x := &graph.Value{Name: "x", DType: tensor.Float32, Shape: graph.Shape{graph.Sym("N"), graph.N(1), graph.Sym("time")}}
	g.Inputs = []*graph.Value{x}
	b := op.NewBuilder(g, "net")
	w := g.Const("w", tensor.From([]float32{1, 2, 3}, 1, 1, 3), graph.Param)
	y := b.Attr("Conv", []graph.Attr{graph.MakeAttr("pads", []int{1, 1})}, x, w)
	y.Name = "y"
	z := b.Attr("Softmax", []graph.Attr{graph.MakeAttr("axis", 2)}, y)
	z.Name = "z"
	g.Outputs = []*graph.Value{y}
	save := func(name string) string {
		if err := onnx.Write(file(name), g, onnx.Options{}); err != nil {
			t.Fatal(err)
		}
		return file(name)
	}
	g.Nodes = g.Nodes[:1]
	net := save("net.onnx")
	g.Nodes, g.Outputs = append(g.Nodes, z.From), []*graph.Value{z}
	odd := save("odd.onnx")

	step := file("step.onnx")
	o := ok(t, "model", "continual", net, "-o", step, "--window", "4", "--rounds", "1", "--json")
	var made struct {
		Form continual.Form    `json:"form"`
		Cost measure.Streaming `json:"cost"`
	}
	if err := json.Unmarshal([]byte(o), &made); err != nil || made.Form.Delay != 1 || made.Cost.StepMACs != 3 || made.Cost.ClipMACs != 12 || made.Cost.Step.Median <= 0 || made.Cost.Ratio.Median != made.Cost.Step.Median/made.Cost.Clip.Median {
		t.Errorf("%v: %s", err, o)
	}
	array := func(name string, x ...float32) string {
		enc, err := npy.Encode(tensor.From(x, 1, 1, len(x)))
		if err == nil {
			err = os.WriteFile(file(name), enc, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
		return file(name)
	}
	read := func(path string) []float32 {
		z, err := zip.OpenReader(path)
		if err != nil {
			t.Fatal(err)
		}
		defer z.Close()
		f, err := z.Open("y.npy")
		if err != nil {
			t.Fatal(err)
		}
		enc, err := io.ReadAll(f)
		if err != nil {
			t.Fatal(err)
		}
		x, err := npy.Decode(enc)
		if err != nil {
			t.Fatal(err)
		}
		return x.F32()
	}
	whole := file("whole.npz")
	ok(t, "model", "stream", step, "--input", "x="+array("x.npy", 1, 2, 3, 4), "--output", whole, "--end")
	if got := read(whole); len(got) != 4 || got[0] != 8 || got[1] != 14 || got[2] != 20 || got[3] != 11 {
		t.Errorf("at once: %v", got)
	}
	ok(t, "model", "stream", step, "--input", "x="+array("a.npy", 1, 2), "--save-state", file("s.safetensors"))
	part := file("part.npz")
	ok(t, "model", "stream", step, "--input", "x="+array("b.npy", 3, 4), "--state", file("s.safetensors"), "--output", part, "--end")
	if got := read(part); len(got) != 3 || got[0] != 14 || got[2] != 11 {
		t.Errorf("in parts: %v", got)
	}
	for want, args := range map[string][]string{
		"give the frames of a clip with --window":       {"continual", net, "-o", step},
		"there is no input \"q\"":                       {"continual", net, "-o", step, "--time-axis", "q=2"},
		"--time-axis \"two\"":                           {"continual", net, "-o", step, "--time-axis", "two"},
		"--window -1":                                   {"continual", net, "-o", step, "--window", "-1"},
		"--positions maybe":                             {"continual", net, "-o", step, "--positions", "maybe"},
		"(Softmax) runs over time; or give --recompute": {"continual", odd, "-o", step, "--window", "4"},
		"is not one of a stream":                        {"stream", net, "--input", "x=" + file("x.npy")},
		"has no frames":                                 {"stream", step},
		"leave one out":                                 {"stream", step, "--input", "x=" + file("x.npy"), "--end", "--save-state", file("t.safetensors")},
	} {
		if s, _, e := pare(t, append([]string{"model"}, args...)...); s == 0 || !strings.Contains(e, want) {
			t.Errorf("%v: status %d, %s", args, s, e)
		}
	}
}
